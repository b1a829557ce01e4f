-- What gateways see: the name of the field that a record was found in, and programs that are there and say nothing.

alter table finding
    -- A field's name as agents' documentation has it, such as process.command_args; one of src/collection/fields.csv.
    -- Empty for findings that name none.
    add column field text not null default '',
    drop constraint finding_kind_known,
    add constraint finding_kind_known check (kind in
        ('UNDECLARED', 'EXCEEDS', 'UNRECOGNISED', 'UNDECLARED_AGENT', 'EQUIVOCATION', 'CLOCK_SKEW',
         'COLLECTED_AFTER_OPT_OUT', 'OPT_OUT_VIOLATION', 'HONOURED_AT_GATEWAY', 'MISREPORT', 'SILENT_AGENT'));

drop index finding_once;
create unique index finding_once on finding (kind, coalesce(person_id, '00000000-0000-0000-0000-000000000000'),
    coalesce(agent_id, '00000000-0000-0000-0000-000000000000'), coalesce(category, ''), about,
    coalesce(day, '0001-01-01'), field);

-- Times may only be widened and counts may only grow.
create or replace function finding_keeps() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE'
        or (new.id, new.kind, new.person_id, new.agent_id, new.category, new.about, new.found_at, new.day,
            new.other_agent_id, new.other_collected, new.field)
        is distinct from (old.id, old.kind, old.person_id, old.agent_id, old.category, old.about, old.found_at, old.day,
            old.other_agent_id, old.other_collected, old.field)
        or new.first_at > old.first_at or new.last_at < old.last_at
        or (new.refused_since is null) <> (old.refused_since is null) or new.refused_since > old.refused_since
        or (new.window_start is null) <> (old.window_start is null) or new.window_start > old.window_start
        or (new.window_end is null) <> (old.window_end is null) or new.window_end < old.window_end
        or (new.collected is null) <> (old.collected is null) or new.collected < old.collected
        or (new.forwarded is null) <> (old.forwarded is null) or new.forwarded < old.forwarded
        or (new.dropped is null) <> (old.dropped is null) or new.dropped < old.dropped
        or (new.reports is null) <> (old.reports is null) or new.reports < old.reports then
        raise exception 'a finding is never removed or narrowed' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

-- Reports may come in any order, and give the same sums.

create table agent_chain_gap (
    agent_id uuid not null,
    boot_id uuid not null,
    -- Places of the chain, first and last, at which no report has been received yet.
    first_seq bigint not null,
    last_seq bigint not null,
    -- When it last changed.
    noticed_at timestamptz not null,
    primary key (agent_id, boot_id, first_seq)
);
comment on table agent_chain_gap is 'Purpose: tells a late report from a copy whose original is gone. Retention: RAW_REPORT_DAYS; what comes later is refused.';

create table agent_uncovered (
    agent_id uuid not null references agent,
    -- [starts_at, ends_at) before the newest report's end, of which no report has spoken.
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    primary key (agent_id, starts_at)
);
comment on table agent_uncovered is 'Purpose: counts watched time once, in whatever order reports come. Retention: RAW_REPORT_DAYS; what is older stays uncovered.';
