-- Where people were, and since when: a report is judged by where its person was when it was observed.

create table person_audience (
    -- Two moves at one moment: the later number counts.
    number bigint generated always as identity primary key,
    person_id uuid not null references person,
    since timestamptz not null,
    department_id uuid references department,
    jurisdiction text not null
);
create index person_audience_by_person on person_audience (person_id, since, number);
comment on table person_audience is 'Purpose: in which department and under which law somebody was, when, so that nobody''s no is judged by where they are now (rule R3). Retention: kept; append-only.';

-- Of those who are there already only the present place is known.
insert into person_audience (person_id, since, department_id, jurisdiction)
    select id, created_at, department_id, jurisdiction from person order by id;

-- The application says by its own clock when somebody moves; for whoever changes a row by hand the database's counts.
create function remember_audience() returns trigger language plpgsql as $$
declare
    moved timestamptz := coalesce(nullif(current_setting('daylight.now', true), '')::timestamptz, now());
begin
    insert into person_audience (person_id, since, department_id, jurisdiction)
        select new.id,
            -- A clock that went back makes no move before the last.
            case when tg_op = 'INSERT' then new.created_at
                else greatest(moved, (select max(since) from person_audience where person_id = new.id)) end,
            new.department_id, new.jurisdiction;
    return null;
end $$;
create trigger person_audience_begins after insert on person for each row execute function remember_audience();
create trigger person_audience_changes after update on person for each row
    when ((old.department_id, old.jurisdiction) is distinct from (new.department_id, new.jurisdiction))
    execute function remember_audience();

create trigger person_audience_append_only before update or delete on person_audience
    for each row execute function refuse_change();
create trigger person_audience_not_emptied before truncate on person_audience
    for each statement execute function refuse_change();
revoke update, delete, truncate on person_audience from current_user;
