-- What agents report: metadata about collection, never its content.

create table device (
    id uuid primary key,
    label text not null,
    created_at timestamptz not null,
    constraint device_label_once unique (label)
);
comment on table device is 'Purpose: machines that agents run on. Retention: kept.';

create table device_assignment (
    id uuid primary key,
    device_id uuid not null references device,
    person_id uuid not null references person,
    -- [from, to): what is observed inside is about this person.
    period tstzrange not null,
    constraint device_assignment_one_person exclude using gist (device_id with =, period with &&)
);
create index device_assignment_by_person on device_assignment (person_id);
comment on table device_assignment is 'Purpose: whose device, when. Retention: kept.';

create table enrolment (
    id uuid primary key,
    secret_hash bytea not null,
    device_id uuid not null references device,
    created_at timestamptz not null,
    created_by uuid references person,
    expires_at timestamptz not null,
    used_at timestamptz,
    constraint enrolment_secret_once unique (secret_hash)
);
comment on table enrolment is 'Purpose: one-time secrets for new agents. Retention: 30 days after expiry.';

create table agent (
    id uuid primary key,
    device_id uuid not null references device,
    -- The software that reports, such as daylight-agent/0.1.
    software text not null,
    -- Ed25519, 32 bytes.
    public_key bytea not null,
    token_hash bytea not null,
    enrolled_at timestamptz not null,
    revoked_at timestamptz,
    last_seen_at timestamptz,
    constraint agent_token_once unique (token_hash),
    constraint agent_key_once unique (public_key)
);
create index agent_by_device on agent (device_id);
comment on table agent is 'Purpose: who may report. Retention: kept.';

create table agent_chain (
    agent_id uuid not null references agent,
    boot_id uuid not null,
    -- The newest report of this run, and how far its windows reach.
    last_seq bigint not null,
    last_hash bytea not null,
    covered_until timestamptz not null,
    primary key (agent_id, boot_id)
);
comment on table agent_chain is 'Purpose: heads of the reports'' hash chains. Retention: kept.';

create table collection_report (
    received_day date not null,
    agent_id uuid not null,
    boot_id uuid not null,
    seq bigint not null,
    report_id uuid not null,
    hash bytea not null,
    prev_hash bytea,
    received_at timestamptz not null,
    produced_at timestamptz not null,
    window_start timestamptz not null,
    window_end timestamptz not null,
    skewed boolean not null,
    person_id uuid,
    -- Counts, categories, ids and host names only.
    items jsonb not null,
    -- A report and its copy can't both be kept on one day; across days the writer looks it up.
    primary key (received_day, agent_id, boot_id, seq)
) partition by range (received_day);
create index collection_report_by_chain on collection_report (agent_id, boot_id, seq);
comment on table collection_report is 'Purpose: reports as received. Retention: RAW_REPORT_DAYS, a partition a day.';

-- Half of each page stays free: an upsert then stays on its page and writes no index entry, which makes it
-- about three times as fast.
create table collection_daily (
    person_id uuid not null,
    -- In the person's time zone when it was observed.
    day date not null,
    agent_id uuid not null,
    category text not null references category,
    source text not null,
    granularity text not null,
    -- Empty when the agent said none.
    purpose text not null,
    destination_host text not null,
    recipient text not null,
    country text not null,
    collected bigint not null,
    collected_bytes bigint not null,
    forwarded bigint not null,
    forwarded_bytes bigint not null,
    dropped bigint not null,
    first_observed timestamptz,
    last_observed timestamptz,
    reports integer not null,
    primary key (person_id, day, agent_id, category, source, granularity, purpose, destination_host, recipient, country)
) with (fillfactor = 50);
create index collection_daily_by_day on collection_daily (day, category, person_id);
comment on table collection_daily is 'Purpose: what the pages read: sums by person, day, category and destination. Retention: kept.';

create table coverage_daily (
    person_id uuid not null,
    day date not null,
    agent_id uuid not null,
    -- A category the agent watched, or '' for the agent being there at all.
    category text not null,
    -- Seconds of the day inside reported windows, overlaps counted once for each run of the agent.
    seconds bigint not null,
    primary key (person_id, day, agent_id, category)
) with (fillfactor = 50);
comment on table coverage_daily is 'Purpose: how much of a day an agent watched, so that silence is UNKNOWN (rule R5). Retention: kept.';

create table finding (
    id uuid primary key,
    kind text not null,
    person_id uuid references person,
    agent_id uuid references agent,
    category text references category,
    -- What it is about, such as a destination or a granularity; ids and host names only.
    about text not null,
    -- When it was observed, and when it was last observed.
    first_at timestamptz not null,
    last_at timestamptz not null,
    found_at timestamptz not null,
    constraint finding_kind_known check (kind in
        ('UNDECLARED', 'EXCEEDS', 'UNRECOGNISED', 'UNDECLARED_AGENT', 'EQUIVOCATION', 'CLOCK_SKEW'))
);
create unique index finding_once on finding (kind, coalesce(person_id, '00000000-0000-0000-0000-000000000000'),
    coalesce(agent_id, '00000000-0000-0000-0000-000000000000'), coalesce(category, ''), about);
create index finding_by_person on finding (person_id, last_at desc);
comment on table finding is 'Purpose: declared against observed; a later declaration never clears one (rule R9). Retention: kept.';

create function finding_keeps() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.kind, new.person_id, new.agent_id, new.category, new.about, new.found_at)
        is distinct from (old.kind, old.person_id, old.agent_id, old.category, old.about, old.found_at)
        or new.first_at > old.first_at or new.last_at < old.last_at then
        raise exception 'a finding is never removed or narrowed' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger finding_keeps before update or delete on finding for each row execute function finding_keeps();
