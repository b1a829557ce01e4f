-- Reading notices: who received, opened and acknowledged them, what was asked, the one reminder.

-- Receipt of information. It is no agreement: consent has a table of its own, and nothing reads this one to
-- decide what may be collected.
create table notice_acknowledgement (
    version_id uuid not null references notice_version,
    person_id uuid not null references person,
    -- When the list of notices showed it to them, a reminder was written, or its page was opened.
    delivered_at timestamptz not null,
    viewed_at timestamptz,
    acknowledged_at timestamptz,
    declined_at timestamptz,
    -- For the person alone; nobody else can read it here.
    decline_reason text,
    -- What stood on the page: BCP 47, and SHA-256 of the version's canonical document.
    language text,
    content_sha256 bytea,
    -- The law that makes the employer prove the acknowledgement, as the page said before it was given; null
    -- when the page said that nobody is shown it.
    proof_law text,
    constraint notice_acknowledgement_once primary key (version_id, person_id),
    constraint notice_acknowledgement_one_answer check (acknowledged_at is null or declined_at is null),
    constraint notice_acknowledgement_reason_of_decline check (decline_reason is null or declined_at is not null),
    constraint notice_acknowledgement_of_something_shown check (
        (acknowledged_at is null and declined_at is null) or (language is not null and content_sha256 is not null)),
    constraint notice_acknowledgement_proof_of_one check (proof_law is null or acknowledged_at is not null)
);
create index notice_acknowledgement_by_person on notice_acknowledgement (person_id);
comment on table notice_acknowledgement is 'Purpose: that information was received, which is no agreement. Retention: kept with the version; a decline and its reason until the person acknowledges after all.';

-- An acknowledgement can be a legal proof for either side.
create trigger notice_acknowledgement_kept before update on notice_acknowledgement
    for each row when (old.acknowledged_at is not null) execute function refuse_change();
create trigger notice_acknowledgement_not_deleted before delete on notice_acknowledgement
    for each row execute function refuse_change();

create table notice_question (
    -- Random: an id that counts time would tell when it was asked.
    id uuid primary key,
    notice_id uuid not null references notice,
    -- The version that was being read.
    version_id uuid not null references notice_version,
    asked_by uuid not null references person,
    -- For everybody's eyes, or for publishers and the asker alone.
    public boolean not null,
    -- Whether the asker wants their name beside it; without, nobody is shown who asked.
    named boolean not null,
    -- Emptied when withdrawn.
    text text,
    -- Days in UTC: a moment could be held against other records to find out who asked.
    asked_on date not null,
    answer text,
    answered_at timestamptz,
    answered_by uuid references person,
    answered_by_role text,
    withdrawn_on date,
    constraint notice_question_text_until_withdrawn check ((text is null) = (withdrawn_on is not null)),
    constraint notice_question_answer_complete check (
        (answer is null) = (answered_at is null) and (answer is null) = (answered_by is null)
        and (answer is null) = (answered_by_role is null)),
    constraint notice_question_answered_stays check (answer is null or withdrawn_on is null)
);
create index notice_question_by_notice on notice_question (notice_id, asked_on);
create index notice_question_by_person on notice_question (asked_by);
comment on table notice_question is 'Purpose: questions about a notice and HR''s answers. Retention: kept with the notice; the text of a withdrawn one is deleted at once.';

create table notice_reminder (
    -- The version that began what is reminded of: corrections of it share its reminder.
    version_id uuid not null references notice_version,
    sent_at timestamptz not null,
    sent_by uuid not null references person,
    by_role text not null,
    constraint notice_reminder_once primary key (version_id)
);
comment on table notice_reminder is 'Purpose: that the one reminder of a version was sent. Retention: kept with the version.';

-- Who gets a reminder hasn't acknowledged: the outbox's list must not tell administrators.
alter table outbox add column confidential boolean not null default false;
comment on column outbox.confidential is 'Whether the list of mails leaves it out, because having got it tells something of a person.';
