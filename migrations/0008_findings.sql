-- Findings about refusals: what was collected after somebody said no, what was stopped on the way, counts that
-- contradict each other, and what the employer answers.

alter table finding drop constraint finding_kind_known;
alter table finding add constraint finding_kind_known check (kind in
    ('UNDECLARED', 'EXCEEDS', 'UNRECOGNISED', 'UNDECLARED_AGENT', 'EQUIVOCATION', 'CLOCK_SKEW',
     'COLLECTED_AFTER_OPT_OUT', 'OPT_OUT_VIOLATION', 'HONOURED_AT_GATEWAY', 'MISREPORT'));

alter table finding
    -- The program it is about, without its version; empty when it is about none.
    add column program text generated always as
        (case when about like 'program:%' then substr(about, 9) else '' end) stored,
    -- The person's day: such a finding is one of a day, and the next day's is another. The other kinds have none.
    add column day date,
    -- What the evidence adds up to: since when the person had said no, the reports' windows, and their counts.
    add column refused_since timestamptz,
    add column window_start timestamptz,
    add column window_end timestamptz,
    add column collected bigint,
    add column forwarded bigint,
    add column dropped bigint,
    add column reports integer,
    -- The agent on the same device that counted more, and how many.
    add column other_agent_id uuid references agent,
    add column other_collected bigint,
    add constraint finding_of_a_day check ((day is not null) = (kind in
        ('COLLECTED_AFTER_OPT_OUT', 'OPT_OUT_VIOLATION', 'HONOURED_AT_GATEWAY', 'MISREPORT')));

drop index finding_once;
create unique index finding_once on finding (kind, coalesce(person_id, '00000000-0000-0000-0000-000000000000'),
    coalesce(agent_id, '00000000-0000-0000-0000-000000000000'), coalesce(category, ''), about,
    coalesce(day, '0001-01-01'));

-- Times may only be widened and counts may only grow.
create or replace function finding_keeps() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE'
        or (new.id, new.kind, new.person_id, new.agent_id, new.category, new.about, new.found_at, new.day,
            new.other_agent_id, new.other_collected)
        is distinct from (old.id, old.kind, old.person_id, old.agent_id, old.category, old.about, old.found_at, old.day,
            old.other_agent_id, old.other_collected)
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
create trigger finding_not_emptied before truncate on finding for each statement execute function refuse_change();

create table finding_answer (
    id uuid primary key,
    -- The group it answers: a kind, a category (empty for findings about none) and the programs that the group was
    -- made of then. Never a person or a finding.
    kind text not null,
    category text not null,
    programs text[] not null,
    at timestamptz not null,
    by_id uuid not null references person,
    by_role text not null,
    reason text not null,
    constraint finding_answer_reason_length check (length(reason) between 1 and 2000),
    constraint finding_answer_about_something check (cardinality(programs) > 0)
);
create index finding_answer_by_group on finding_answer (kind, category, at);
comment on table finding_answer is 'Purpose: what the employer says to findings; it stands beside them and clears none (rule R9). Retention: kept; append-only by privilege.';

-- Nobody takes an answer back: the server's own account may not, and a trigger stops whoever grants it back. No
-- foreign key may point here: checking one needs the right to update.
create trigger finding_answer_append_only before update or delete on finding_answer
    for each row execute function refuse_change();
create trigger finding_answer_not_emptied before truncate on finding_answer
    for each statement execute function refuse_change();
revoke update, delete, truncate on finding_answer from current_user;

alter table device_assignment
    -- When the person said "this is my computer"; until then its agents learn nothing of their choices.
    add column confirmed_at timestamptz,
    -- When the person said that it isn't.
    add column denied_at timestamptz,
    -- Who assigned it; null when the server did.
    add column assigned_by uuid references person;

-- Two agents on one device are each other's check. Only such devices have rows here.
create table agent_count (
    -- In the person's time zone.
    day date not null,
    device_id uuid not null,
    person_id uuid not null,
    category text not null,
    program text not null,
    agent_id uuid not null,
    -- What of the day its reports' windows cover, and how much of that was watched.
    watched_from timestamptz not null,
    watched_to timestamptz not null,
    seconds bigint not null,
    -- Taken, whether or not it was dropped afterwards.
    taken bigint not null,
    dropped bigint not null,
    reports integer not null,
    primary key (day, device_id, person_id, category, program, agent_id)
) with (fillfactor = 50);
create index agent_count_by_person on agent_count (person_id, day);
comment on table agent_count is 'Purpose: counts of agents that share a device, to be compared (rule R8). Retention: 100 days.';

create table agent_count_compared (
    -- Hours after a day''s end that its counts are waited for (src/collection/lags.csv).
    lag_hours integer primary key,
    -- Every day up to this one has been compared.
    through date not null
);
comment on table agent_count_compared is 'Purpose: how far agents'' counts have been compared. Retention: one row a lag; kept.';
