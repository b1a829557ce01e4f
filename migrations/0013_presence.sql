-- Known monitoring programs that are there: what was seen on which device, and when somebody looked.

create table presence (
    -- In the time zone of the person, or in UTC where the device was nobody's.
    day date not null,
    device_id uuid not null references device,
    -- Whose the device was then.
    person_id uuid references person,
    -- An id of the catalogue (src/catalogue); never another program's name.
    product text not null,
    by text not null,
    agent_id uuid not null references agent,
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    constraint presence_by_known check (by in ('process', 'package', 'extension', 'certificate', 'socket')),
    constraint presence_in_order check (first_seen <= last_seen)
);
create unique index presence_once on presence
    (day, device_id, coalesce(person_id, '00000000-0000-0000-0000-000000000000'), product, by, agent_id);
create index presence_by_person on presence (person_id, day);
comment on table presence is 'Purpose: known monitoring programs seen on a device, by day (rule R7). Retention: 400 days.';

create table presence_look (
    agent_id uuid not null references agent,
    report_id uuid not null,
    device_id uuid not null references device,
    person_id uuid references person,
    -- SHA-256 over the canonical report without its signature: the same report again is known, another under its id refused.
    hash bytea not null,
    window_start timestamptz not null,
    window_end timestamptz not null,
    received_at timestamptz not null,
    primary key (agent_id, report_id)
);
create index presence_look_by_person on presence_look (person_id, device_id, window_end desc);
create index presence_look_by_age on presence_look (received_at);
comment on table presence_look is 'Purpose: when somebody looked for known programs on a device, so that silence is UNKNOWN (rule R5), and which reports were taken. Retention: 100 days.';
