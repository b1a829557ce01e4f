-- Notices: what the employer tells people before and while it collects something, version by version.

create table notice (
    id uuid primary key,
    created_at timestamptz not null,
    created_by uuid not null references person,
    -- The id of the template it began from (src/notices/kinds.csv); it says which law's demands are checked.
    kind text not null,
    -- The newest version that was ever published, also when it was retracted; null before the first.
    current_version uuid
);
comment on table notice is 'Purpose: one notice with all its versions. Retention: kept; a notice that was never published can be deleted.';

create table notice_version (
    id uuid primary key,
    notice_id uuid not null references notice,
    major integer not null,
    minor integer not null,
    change_class text not null,
    state text not null,
    -- Counts saves: whoever saves says which one they have seen.
    revision integer not null,
    jurisdictions text[] not null,
    -- Empty for everybody.
    departments uuid[] not null,
    processings uuid[] not null,
    -- What the register said of the processings; taken when submitted, fixed when approved.
    field_table jsonb,
    acknowledgement_wanted boolean not null,
    -- Why this version differs from the one before.
    reason text,
    publish_at timestamptz,
    effective_at timestamptz,
    -- IANA name of the zone in which the times were chosen.
    time_zone text not null,
    -- Why a scheduled publication didn't happen.
    problem text,
    supersedes uuid references notice_version,
    -- All that is reviewed and answered: the document without its times. Taken when submitted.
    content jsonb,
    content_sha256 bytea,
    ledger_entry bigint references ledger_entry,
    published_at timestamptz,
    retracted_at timestamptz,
    retraction_reason text,
    retraction_entry bigint references ledger_entry,
    created_by uuid not null references person,
    -- Everybody who wrote at it: a second person reviews.
    authors uuid[] not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint notice_version_class_known check (change_class in ('material', 'editorial')),
    constraint notice_version_state_known check (state in
        ('draft', 'in_review', 'approved', 'scheduled', 'published', 'superseded', 'retracted')),
    constraint notice_version_number_positive check (major >= 1 and minor >= 0),
    constraint notice_version_editorial_is_minor check ((change_class = 'editorial') = (minor > 0)),
    constraint notice_version_content_hashed check ((content is null) = (content_sha256 is null)),
    constraint notice_version_content_once_submitted check (state = 'draft' or
        (content is not null and field_table is not null)),
    constraint notice_version_scheduled_has_times check (state <> 'scheduled' or
        (publish_at is not null and effective_at is not null)),
    constraint notice_version_published_is_complete check (
        state not in ('published', 'superseded') or
        (published_at is not null and publish_at is not null and effective_at is not null)),
    constraint notice_version_published_has_entry check ((published_at is null) = (ledger_entry is null)),
    constraint notice_version_retracted_is_complete check ((state = 'retracted') =
        (retracted_at is not null and retraction_reason is not null))
);
comment on table notice_version is 'Purpose: each version of a notice, from draft to retraction. Retention: kept once it was approved; drafts until deleted.';

-- One version at a time is being written, and one is in force.
create unique index notice_version_one_unfinished on notice_version (notice_id)
    where state in ('draft', 'in_review', 'approved', 'scheduled');
create unique index notice_version_one_published on notice_version (notice_id) where state = 'published';
-- What was approved and then withdrawn before publication leaves its number to the next try.
create unique index notice_version_number_once on notice_version (notice_id, major, minor)
    where state <> 'retracted' or published_at is not null;
create unique index notice_version_entry_once on notice_version (ledger_entry);
create unique index notice_version_retraction_once on notice_version (retraction_entry);
create index notice_version_due on notice_version (publish_at) where state = 'scheduled';

alter table notice add constraint notice_current_version_exists
    foreign key (current_version) references notice_version;

create table notice_text (
    version_id uuid not null references notice_version on delete cascade,
    -- BCP 47, such as en or de.
    language text not null,
    title text not null,
    markdown text not null,
    primary key (version_id, language)
);
comment on table notice_text is 'Purpose: a version''s words in each language. Retention: as its version.';

create table notice_review (
    id bigint generated always as identity primary key,
    version_id uuid not null references notice_version,
    by_id uuid not null references person,
    at timestamptz not null,
    decision text not null,
    comment text,
    content_sha256 bytea not null,
    constraint notice_review_decision_known check (decision in ('approved', 'returned'))
);
create index notice_review_by_version on notice_review (version_id);
comment on table notice_review is 'Purpose: who among the publishers approved or returned a version. Retention: kept; append-only.';

create table notice_answer (
    id bigint generated always as identity primary key,
    version_id uuid not null references notice_version,
    by_id uuid not null references person,
    at timestamptz not null,
    agrees boolean not null,
    comment text,
    -- Counts for exactly this content.
    content_sha256 bytea not null
);
create index notice_answer_by_version on notice_answer (version_id);
comment on table notice_answer is 'Purpose: the representatives'' yes or no to a version. Retention: kept; append-only.';

-- A version is published for readers when its leaf is in the log; until then nobody has seen it.
create view notice_version_visible as
    select v.id as version_id, v.notice_id, e.position as leaf_position
    from notice_version v join ledger_entry e on e.id = v.ledger_entry
    where v.state in ('published', 'superseded', 'retracted')
      and e.position < (select max(c.size) from ledger_checkpoint c
                        where c.origin = (select l.origin from ledger_log l));

create trigger notice_review_append_only before update or delete on notice_review
    for each row execute function refuse_change();
create trigger notice_answer_append_only before update or delete on notice_answer
    for each row execute function refuse_change();

-- Words change in drafts only.
create function refuse_text_change() returns trigger language plpgsql as $$
declare
    version uuid := case when tg_op = 'INSERT' then new.version_id else old.version_id end;
    now_in text;
begin
    if tg_op = 'UPDATE' and new.version_id <> old.version_id then
        raise exception 'a text stays with its version' using errcode = 'restrict_violation';
    end if;
    select state into now_in from notice_version where id = version;
    -- No row: the draft itself is being deleted, and its texts with it.
    if now_in is not null and now_in <> 'draft' then
        raise exception 'the texts of a version that was submitted are fixed' using errcode = 'restrict_violation';
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $$;
create trigger notice_text_fixed before insert or update or delete on notice_text
    for each row execute function refuse_text_change();

-- What was approved is fixed; what was published also keeps its times, its entry and its past.
create function refuse_version_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if old.state <> 'draft' then
            raise exception 'only a draft can be deleted' using errcode = 'restrict_violation';
        end if;
        return old;
    end if;
    if new.id <> old.id or new.notice_id <> old.notice_id or new.created_by <> old.created_by
        or new.created_at <> old.created_at then
        raise exception 'a version stays what it is' using errcode = 'restrict_violation';
    end if;
    if old.state not in ('draft', 'in_review') and (
        (new.major, new.minor, new.change_class, new.jurisdictions, new.departments, new.processings,
         new.field_table, new.acknowledgement_wanted, new.reason, new.supersedes, new.content, new.content_sha256,
         new.authors)
        is distinct from
        (old.major, old.minor, old.change_class, old.jurisdictions, old.departments, old.processings,
         old.field_table, old.acknowledgement_wanted, old.reason, old.supersedes, old.content, old.content_sha256,
         old.authors)
        or new.state in ('draft', 'in_review')) then
        raise exception 'a version that was approved is fixed' using errcode = 'restrict_violation';
    end if;
    if old.published_at is not null and (
        (new.publish_at, new.effective_at, new.time_zone, new.ledger_entry, new.published_at)
        is distinct from
        (old.publish_at, old.effective_at, old.time_zone, old.ledger_entry, old.published_at)
        or new.state in ('approved', 'scheduled')
        or (old.state <> 'published' and new.state <> old.state)) then
        raise exception 'a version that was published is fixed' using errcode = 'restrict_violation';
    end if;
    if old.state = 'retracted' and
        (new.state, new.retracted_at, new.retraction_reason, new.retraction_entry) is distinct from
        (old.state, old.retracted_at, old.retraction_reason, old.retraction_entry) then
        raise exception 'a retraction is fixed' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger notice_version_fixed before update or delete on notice_version
    for each row execute function refuse_version_change();
