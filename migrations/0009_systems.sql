-- Other systems: how they are told of decisions. Choices as others may count them, and the mail that says that an
-- objection waits.

alter table system
    -- Where it is told of decisions; null for one that only asks.
    add column webhook text,
    -- Whoever registered it can't let it in alone: HR or a representative says that it may.
    add column approved_at timestamptz,
    add column approved_by uuid references person,
    add constraint system_approved_by_another check ((approved_at is null) = (approved_by is null) and approved_by <> created_by),
    -- Counts its signing secrets. A secret itself stands nowhere: it follows from this number and a key beside the
    -- database, so that a copy of the database can sign nothing.
    add column secret_number integer not null default 1;

create table webhook_test (
    system_id uuid primary key references system,
    -- When it is sent again.
    next_at timestamptz not null,
    -- Of the last one, and why it failed.
    at timestamptz,
    failed text
);
comment on table webhook_test is 'Purpose: whether a system can be reached, tried at times that no decision has a part in. Retention: one row a system; kept.';

create table webhook_delivery (
    -- Random; the message''s id, the same at every try.
    id uuid primary key,
    system_id uuid not null references system,
    -- In the organisation''s time zone; all that stays of when somebody decided.
    decided_on date not null,
    -- These four are emptied when it has arrived or was given up.
    body text,
    run_at timestamptz,
    give_up_at timestamptz,
    attempts integer,
    delivered boolean not null default false,
    failed text,
    constraint webhook_delivery_waits_or_not check
        (num_nulls(body, run_at, give_up_at, attempts) in (0, 4) and (body is null or not delivered))
);
create index webhook_delivery_due on webhook_delivery (system_id, run_at) where body is not null;
create index webhook_delivery_by_day on webhook_delivery (decided_on);
comment on table webhook_delivery is 'Purpose: tells other systems of decisions, by pseudonym. Retention: the message until it has arrived or was given up, three days at most; the day, 30 days.';

create table choice_tally (
    processing_id uuid primary key references processing,
    -- The beginning of a day: what was decided before it counts.
    until timestamptz not null,
    people bigint not null,
    yes bigint not null,
    no bigint not null,
    constraint choice_tally_adds_up check (yes >= 0 and no >= 0 and yes + no <= people)
);
comment on table choice_tally is 'Purpose: how many said yes and no, as last counted for others; they see bands. Retention: one row a processing, until it is counted anew.';

create table objection_mail (
    -- In the organisation''s time zone: one a day at most.
    day date primary key
);
comment on table objection_mail is 'Purpose: days on which publishers were told by mail that an objection waits. Retention: 30 days; the newest is kept.';
