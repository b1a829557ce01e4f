-- What findings' pages read: groups kept as findings come, what is counted once a day, and how people are told.

-- The newest ones, for what is counted once a day and by week.
create index finding_by_found on finding (found_at);
-- What each agent made known lately, so that one can't fill the table.
create index finding_by_agent on finding (agent_id, found_at);

create table finding_group (
    kind text not null,
    -- Empty for findings about none.
    category text not null,
    -- As the agent names it; never shown unless the register names it, too. Empty for findings about none.
    program text not null,
    -- Fields that such findings name.
    fields text[] not null,
    -- When the first was found.
    found_at timestamptz not null,
    -- When it was observed first and last, in quarters of an hour: on which day that was is all that is shown, and
    -- days begin at a quarter everywhere. So a report seldom writes here.
    first_at timestamptz not null,
    last_at timestamptz not null,
    answered_at timestamptz,
    -- Since when something in it has had no answer.
    open_since timestamptz,
    -- The same as others see it: as it was when it came, then as it was when the newest day began that was counted. A
    -- page that changed with each report would be a clock of when one person is at work.
    shown_first_at timestamptz not null,
    shown_last_at timestamptz not null,
    shown_open_since timestamptz,
    -- The beginning of that day; null until the first day after it came.
    shown_through timestamptz,
    primary key (kind, category, program)
) with (fillfactor = 50);
comment on table finding_group is 'Purpose: findings as others than the person see them, so that a page doesn''t read every finding. Retention: kept, as findings are.';

create table finding_seen (
    finding_id uuid not null references finding,
    -- In UTC; only so that there is one a day.
    day date not null,
    -- When it was observed on that day, for the first time that was reported.
    at timestamptz not null,
    primary key (finding_id, day)
);
comment on table finding_seen is 'Purpose: on which later days the same was observed again, for the person''s own page. Retention: kept, as findings are.';

-- Of what was stopped on the way there is no group: it would tell of a choice and of no wrong. Nor of what rests on an
-- uploaded export alone: whoever may upload one could plant a finding, or ask for somebody's choice with it. Whatever
-- others are shown of findings leaves out both.
create view finding_for_others as
    select * from finding where kind <> 'HONOURED_AT_GATEWAY' and import_id is null;

-- Every writer of groups takes this before it touches the first row, so that no two can wait for each other.
create function lock_finding_groups() returns void language sql as $$
    select pg_advisory_xact_lock(hashtext('finding_group'))
$$;

create function finding_was_found() returns trigger language plpgsql as $$
begin
    if not exists (select from changed where kind <> 'HONOURED_AT_GATEWAY' and import_id is null) then
        return null;
    end if;
    perform lock_finding_groups();
    insert into finding_group as g
        (kind, category, program, fields, found_at, first_at, last_at, open_since,
         shown_first_at, shown_last_at, shown_open_since)
    select kind, coalesce(category, ''), program, array_remove(array_agg(distinct field order by field), ''),
           min(found_at), date_bin('15 minutes', min(first_at), 'epoch'), date_bin('15 minutes', max(last_at), 'epoch'),
           min(first_at), date_bin('15 minutes', min(first_at), 'epoch'), date_bin('15 minutes', max(last_at), 'epoch'),
           min(first_at)
    from changed where kind <> 'HONOURED_AT_GATEWAY' and import_id is null
    group by kind, coalesce(category, ''), program order by 1, 2, 3
    on conflict (kind, category, program) do update set
        fields = coalesce((select array_agg(distinct f order by f) from unnest(g.fields || excluded.fields) f), '{}'),
        found_at = least(g.found_at, excluded.found_at),
        first_at = least(g.first_at, excluded.first_at),
        last_at = greatest(g.last_at, excluded.last_at),
        open_since = case when g.answered_at is null then least(g.open_since, excluded.open_since)
                          -- What an answer couldn't know is open.
                          else coalesce(g.open_since, greatest(excluded.found_at, g.answered_at)) end;
    return null;
end $$;

-- A plan is kept for the session, and may have been made for a single row: so nothing here joins what changed with
-- itself, and each row is looked up by a key.
create function finding_was_widened() returns trigger language plpgsql as $$
declare
    wider finding_group[];
begin
    insert into finding_seen (finding_id, day, at)
    select n.id, (n.last_at at time zone 'UTC')::date, n.last_at
    from changed n
    where n.day is null and (n.last_at at time zone 'UTC')::date > (n.first_at at time zone 'UTC')::date
    order by n.id on conflict do nothing;

    with widened as (
        select n.kind, coalesce(n.category, '') as category, n.program, min(n.first_at) as first_at,
               max(n.last_at) as last_at, max(n.last_at) filter (where n.found_at <= g.answered_at) as known_last
        from changed n
        join finding_group g on g.kind = n.kind and g.category = coalesce(n.category, '') and g.program = n.program
        where n.import_id is null
        group by n.kind, coalesce(n.category, ''), n.program
    )
    -- Most reports change nothing here, and then wait for nobody.
    select array_agg((g.kind, g.category, g.program, g.fields, g.found_at,
                      least(g.first_at, date_bin('15 minutes', w.first_at, 'epoch')),
                      greatest(g.last_at, date_bin('15 minutes', w.last_at, 'epoch')), g.answered_at,
                      case when g.answered_at is null then least(g.open_since, w.first_at)
                           when w.known_last > g.answered_at then g.answered_at else g.open_since end,
                      g.shown_first_at, g.shown_last_at, g.shown_open_since, g.shown_through)::finding_group)
    into wider
    from widened w join finding_group g using (kind, category, program)
    where date_bin('15 minutes', w.first_at, 'epoch') < g.first_at
       or date_bin('15 minutes', w.last_at, 'epoch') > g.last_at
       or (w.known_last > g.answered_at and (g.open_since is null or g.open_since > g.answered_at));
    if wider is null then
        return null;
    end if;
    perform lock_finding_groups();
    update finding_group g set
        first_at = least(g.first_at, w.first_at),
        last_at = greatest(g.last_at, w.last_at),
        -- An answer that came meanwhile knew of it.
        open_since = case when g.answered_at is distinct from w.answered_at then g.open_since
                          else least(g.open_since, w.open_since) end
    from unnest(wider) w where (g.kind, g.category, g.program) = (w.kind, w.category, w.program);
    return null;
end $$;

create trigger finding_grouped after insert on finding referencing new table as changed
    for each statement execute function finding_was_found();
create trigger finding_regrouped after update on finding referencing new table as changed
    for each statement execute function finding_was_widened();

create function finding_was_answered() returns trigger language plpgsql as $$
begin
    perform lock_finding_groups();
    update finding_group g set answered_at = greatest(g.answered_at, new.at), open_since = null, shown_open_since = null
    where g.kind = new.kind and g.category = new.category and g.program = any (new.programs);
    return null;
end $$;
create trigger finding_answer_grouped after insert on finding_answer
    for each row execute function finding_was_answered();

insert into finding_group (kind, category, program, fields, found_at, first_at, last_at, answered_at, open_since,
                           shown_first_at, shown_last_at, shown_open_since)
select f.kind, coalesce(f.category, ''), f.program,
       array_remove(array_agg(distinct f.field order by f.field), ''), min(f.found_at),
       date_bin('15 minutes', min(f.first_at), 'epoch'), date_bin('15 minutes', max(f.last_at), 'epoch'), max(a.at),
       min(o.at), date_bin('15 minutes', min(f.first_at), 'epoch'), date_bin('15 minutes', max(f.last_at), 'epoch'),
       min(o.at)
from finding_for_others f left join lateral
    (select max(at) as at from finding_answer a
     where a.kind = f.kind and a.category = coalesce(f.category, '') and f.program = any (a.programs)) a on true
cross join lateral (select case when a.at is null then f.first_at when f.found_at > a.at then f.found_at
                                when f.last_at > a.at then a.at end as at) o
group by f.kind, coalesce(f.category, ''), f.program;

create table finding_counted (
    one boolean primary key default true check (one),
    -- In the organisation's time zone: what was found before this day began has been counted.
    day date not null,
    at timestamptz not null
);
comment on table finding_counted is 'Purpose: how far findings have been counted for others. Retention: one row.';

create table finding_group_day (
    day date not null,
    kind text not null,
    category text not null,
    -- As shown on that day: a program's name in the register, '?' for all others, empty for none.
    program text not null,
    -- People concerned when the day ended; shown in bands.
    people bigint not null,
    -- What was new: 'new', 'open', 'answered', 'people'; empty when only the count is.
    changes text[] not null,
    primary key (kind, category, program, day)
);
create index finding_group_day_by_day on finding_group_day (day);
comment on table finding_group_day is 'Purpose: what became known of a group of findings on a day, for its history, feed and messages. Retention: kept; a row only on days on which something changed.';

create table finding_week (
    -- Its Monday, in the organisation's time zone.
    week date not null,
    kind text not null,
    -- Groups in which something was found, and people whom that concerned, of how many; shown in bands.
    groups bigint not null,
    people bigint not null,
    whole bigint not null,
    primary key (week, kind)
);
comment on table finding_week is 'Purpose: findings by week and kind, as others see them in bands. Retention: 60 weeks.';

create table finding_records (
    kind text not null,
    category text not null,
    program text not null,
    -- Records in the group's findings, as far as they are counted.
    records bigint not null,
    -- What was found from then on waits until it concerns five people: what is added never tells of fewer.
    since timestamptz not null,
    primary key (kind, category, program)
);
comment on table finding_records is 'Purpose: how many records a group of findings is about, added to by five people''s at a time. Retention: kept; one row a group.';

create table finding_mail_week (
    -- Its Monday, in the organisation's time zone.
    week date primary key
);
comment on table finding_mail_week is 'Purpose: weeks whose summaries were put into the outbox, so that each goes out once. Retention: 60 weeks; the newest is kept.';

create table finding_mail_choice (
    person_id uuid primary key references person,
    -- A mail that says how many new findings of one's own there are; nobody gets it who didn't ask for it.
    own boolean not null default false,
    -- The weekly summary for representatives and publishers; everybody gets it who didn't refuse it.
    groups boolean not null default true
);
comment on table finding_mail_choice is 'Purpose: who wants a weekly mail about findings. Retention: as long as the account.';

create table finding_feed (
    person_id uuid primary key references person,
    -- Of the address's secret part, which is shown once.
    token_hash bytea not null,
    made_at timestamptz not null,
    -- The full hour.
    last_used_at timestamptz,
    constraint finding_feed_token_once unique (token_hash)
);
comment on table finding_feed is 'Purpose: addresses at which feed readers get the feed of findings. Retention: until revoked or made anew.';

alter table system
    -- Whether it is told of findings, without persons.
    add column findings boolean not null default false;
