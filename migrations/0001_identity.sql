-- People, roles, sessions, one-time links, the roll, the audit trail and the outbox.

create extension if not exists btree_gist;

create table department (
    id uuid primary key,
    name text not null,
    constraint department_name_once unique (name)
);
comment on table department is 'Purpose: groups for audiences and for counts from five people up. Retention: kept.';

create table person (
    id uuid primary key,
    -- Lower case; the application lowers it.
    email text not null,
    name text not null,
    employee_number text,
    department_id uuid references department,
    -- ISO 3166 code of the law that applies, such as DE, US-NY.
    jurisdiction text not null default 'EU',
    -- IANA name; null means the organisation's.
    time_zone text,
    -- Whether the roll's import manages this account: only such accounts are deactivated when missing.
    on_roll boolean not null default false,
    -- Argon2id, PHC string; null until the invitation is accepted.
    password_hash text,
    created_at timestamptz not null,
    deactivated_at timestamptz,
    constraint person_email_once unique (email),
    constraint person_employee_number_once unique (employee_number),
    constraint person_email_lower check (email = lower(email))
);
comment on table person is 'Purpose: accounts and the roll. Retention: leavers are deactivated, never deleted here.';

create table person_role (
    person_id uuid not null references person,
    role text not null,
    granted_at timestamptz not null,
    primary key (person_id, role),
    constraint person_role_known check (role in ('worker', 'publisher', 'representative', 'administrator'))
);
comment on table person_role is 'Purpose: what a person may do. Retention: while held; changes are audited.';

create table session (
    id uuid primary key,
    -- SHA-256 of the cookie's token: a copy of the database signs nobody in.
    token_hash bytea not null,
    person_id uuid not null references person,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at timestamptz not null,
    -- Such as "Firefox on Linux"; no raw header, no address.
    browser text not null,
    constraint session_token_once unique (token_hash)
);
create index session_by_person on session (person_id);
comment on table session is 'Purpose: signed-in browsers. Retention: until signed out or expired.';

create table one_time_link (
    id uuid primary key,
    token_hash bytea not null,
    purpose text not null,
    person_id uuid references person,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    constraint one_time_link_token_once unique (token_hash),
    constraint one_time_link_purpose_known check (purpose in ('setup', 'invitation', 'password_reset', 'sign_in'))
);
comment on table one_time_link is 'Purpose: set-up, invitation, password reset. Retention: 30 days after expiry.';

create table sign_in_failure (
    -- SHA-256 of the address typed, so that accounts that don't exist count the same.
    account_hash bytea not null,
    at timestamptz not null
);
create index sign_in_failure_by_account on sign_in_failure (account_hash, at);
comment on table sign_in_failure is 'Purpose: slows down guessing, per account. Retention: one day.';

create table roll_import (
    id uuid primary key,
    created_at timestamptz not null,
    created_by uuid not null references person,
    -- The rows as read; emptied when applied.
    rows jsonb,
    applied_at timestamptz,
    added integer,
    changed integer,
    deactivated integer,
    reactivated integer
);
comment on table roll_import is 'Purpose: dry run and application of the roll. Retention: the rows until applied or one day; counts kept.';

create table audit_entry (
    id uuid primary key,
    at timestamptz not null,
    actor_id uuid references person,
    -- The role in which it was done; 'system' for what runs by itself.
    actor_role text not null,
    action text not null,
    -- Whom it concerns; null when it concerns everybody on the roll.
    subject_id uuid references person,
    object_id uuid,
    reason text
);
create index audit_entry_by_subject on audit_entry (subject_id, at desc);
create index audit_entry_for_all on audit_entry (at desc) where subject_id is null;
comment on table audit_entry is 'Purpose: who read or changed what about whom (GDPR Art. 15, CJEU C-579/21). Retention: kept; append-only.';

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;

create trigger audit_entry_append_only before update or delete on audit_entry
    for each row execute function refuse_change();

create table outbox (
    id uuid primary key,
    created_at timestamptz not null,
    run_at timestamptz not null,
    person_id uuid references person,
    recipient text not null,
    subject text not null,
    -- Emptied when sent: it may hold a one-time link.
    body text,
    attempts integer not null default 0,
    sent_at timestamptz,
    failed text
);
create index outbox_due on outbox (run_at) where sent_at is null;
comment on table outbox is 'Purpose: mail, written in the transaction that causes it. Retention: 90 days; the body until sent.';

create table installation (
    single boolean primary key default true,
    -- An example's database has passwords that everybody knows: `serve` refuses it.
    demo boolean not null,
    created_at timestamptz not null,
    constraint installation_one_row check (single)
);
comment on table installation is 'Purpose: what this database is. Retention: kept.';
