-- Choices: what each person decided about each processing, what agents were told of it, and which other systems may ask.

create table consent_text (
    sha256 bytea primary key,
    -- The words that stood beside the choice; RFC 8785 canonical form is what is hashed.
    document jsonb not null,
    constraint consent_text_hash_length check (length(sha256) = 32)
);
comment on table consent_text is 'Purpose: the exact words that choices were made on; nobody''s data. Retention: kept; append-only.';

create table consent_decision (
    -- Random: an id that counts time would tell when somebody decided.
    id uuid primary key,
    person_id uuid not null references person,
    -- Here and below no foreign keys to what can be deleted (drafts): see the end of this table.
    processing_id uuid not null,
    -- 1, 2, 3, … for each person and processing.
    number integer not null,
    state text not null,
    at timestamptz not null,
    by_role text not null,
    -- Who answered an objection; null for the person's own decisions and for what runs by itself.
    by_id uuid references person,
    -- What was decided on: the words, the notice that told of it, and the register's content.
    text_sha256 bytea not null references consent_text,
    notice_id uuid not null,
    version_id uuid not null,
    -- Of that version: a material one asks anew.
    major integer not null,
    -- BCP 47, of the notice that was offered for reading.
    language text not null,
    content_sha256 bytea not null,
    purpose text not null,
    -- Whether collecting was allowed before and after.
    allowed_before boolean not null,
    allowed_after boolean not null,
    -- Until when a yes counts; for "remind me later" when to ask again.
    until timestamptz,
    -- Of an objection, its answer, or its contest.
    reason text,
    -- Whether an objection shows its author's name to those who answer it.
    named boolean not null default false,
    -- When an objection must be answered.
    due_at timestamptz,
    -- What the log's commitment opens to.
    record jsonb not null,
    opening jsonb not null,
    salt bytea not null,
    ledger_entry bigint not null,
    constraint consent_decision_number_once unique (person_id, processing_id, number),
    constraint consent_decision_number_positive check (number >= 1),
    constraint consent_decision_state_known check (state in ('given', 'refused', 'deferred', 'withdrawn', 'expired',
        'renewed', 'objected', 'upheld', 'overridden', 'contested')),
    constraint consent_decision_salt_length check (length(salt) = 32),
    constraint consent_decision_answer_has_author check ((state in ('upheld', 'overridden')) = (by_id is not null)),
    constraint consent_decision_objection_has_clock check ((state in ('objected', 'contested')) = (due_at is not null)),
    constraint consent_decision_deferred_has_day check (state <> 'deferred' or until is not null),
    constraint consent_decision_reason_where_due check
        (state not in ('objected', 'upheld', 'overridden', 'contested') or reason is not null)
);
create index consent_decision_objections on consent_decision (processing_id, at)
    where state in ('objected', 'contested', 'upheld', 'overridden');
create index consent_decision_until on consent_decision (until) where state in ('given', 'renewed') and until is not null;
comment on table consent_decision is 'Purpose: each choice about each processing, and each answer to an objection. Retention: kept; append-only by privilege.';

-- Nobody rewrites a choice: the server's own account may not, and a trigger stops whoever grants it back.
-- Postgres checks a foreign key by locking rows, which needs the right to update: so none may point here, and
-- none from here to a table whose rows are ever deleted.
create trigger consent_decision_append_only before update or delete on consent_decision
    for each row execute function refuse_change();
create trigger consent_decision_not_emptied before truncate on consent_decision
    for each statement execute function refuse_change();
create trigger consent_text_append_only before update or delete on consent_text
    for each row execute function refuse_change();
revoke update, delete, truncate on consent_decision from current_user;

create table agent_policy (
    agent_id uuid not null references agent,
    -- 1, 2, 3, …: counts bundles that say something else than the one before.
    revision bigint not null,
    at timestamptz not null,
    -- Whose device it was; null when it was nobody's.
    person_id uuid references person,
    -- Of the bundle without its times and signature.
    sha256 bytea not null,
    -- Processings that may be collected under it.
    allowed uuid[] not null,
    primary key (agent_id, revision)
);
create index agent_policy_by_person on agent_policy (person_id, at);
comment on table agent_policy is 'Purpose: what each agent was told, so that a decision''s way can be shown. Retention: kept; append-only.';
create trigger agent_policy_append_only before update or delete on agent_policy
    for each row execute function refuse_change();

create table policy_confirmation (
    agent_id uuid not null,
    revision bigint not null,
    -- By the agent's clock, and by the server's.
    applied_at timestamptz not null,
    received_at timestamptz not null,
    primary key (agent_id, revision),
    constraint policy_confirmation_of_policy foreign key (agent_id, revision) references agent_policy
);
comment on table policy_confirmation is 'Purpose: that an agent said it obeys. Retention: kept; append-only.';
create trigger policy_confirmation_append_only before update or delete on policy_confirmation
    for each row execute function refuse_change();

create table system (
    id uuid primary key,
    name text not null,
    -- What it is for, in a worker's words.
    purpose text not null,
    -- Processings that it is told of and may ask about.
    processings uuid[] not null,
    token_hash bytea not null,
    created_at timestamptz not null,
    created_by uuid not null references person,
    revoked_at timestamptz,
    constraint system_name_once unique (name),
    constraint system_token_once unique (token_hash)
);
comment on table system is 'Purpose: other systems that may ask what is allowed, by pseudonym. Retention: kept; everybody can see them.';

-- The change feed: every instance keeps what is allowed in memory, and hears here what to read again.
create function tell_consent() returns trigger language plpgsql as $$
begin
    perform pg_notify('daylight_consent', tg_argv[0]);
    return null;
end $$;
create function tell_consent_person() returns trigger language plpgsql as $$
begin
    perform pg_notify('daylight_consent', new.person_id::text);
    return null;
end $$;
create function tell_consent_of_person() returns trigger language plpgsql as $$
begin
    perform pg_notify('daylight_consent', new.id::text);
    return null;
end $$;

create trigger consent_decision_told after insert on consent_decision
    for each row execute function tell_consent_person();
create trigger person_told_of after insert on person for each row execute function tell_consent_of_person();
create trigger person_moved after update on person for each row
    when ((old.department_id, old.jurisdiction, old.deactivated_at) is distinct from
          (new.department_id, new.jurisdiction, new.deactivated_at))
    execute function tell_consent_of_person();
create trigger processing_told after insert or update or delete on processing
    for each statement execute function tell_consent('rules');
create trigger notice_version_told after update on notice_version
    for each statement execute function tell_consent('rules');
create trigger system_told after insert or update on system
    for each statement execute function tell_consent('rules');
create trigger device_assignment_told after insert or update on device_assignment
    for each row execute function tell_consent_person();
alter table ledger_entry add column not_before timestamptz;
comment on column ledger_entry.not_before is
    'When it may be placed at the earliest: an entry at 10:03 would tell whoever sat beside somebody at 10:03 that they decided something. Null for at once.';

alter table installation add column policy_fingerprint text;
comment on column installation.policy_fingerprint is
    'Of the key that signs policies and the secret behind pseudonyms: another data folder is noticed, and not served.';
