-- What vendors' own exports hold, as counts, and strings that representatives look for in exports.

create table vendor_import (
    id uuid primary key,
    -- As agents and the register name the program, and which of its exports it is (src/imports/formats.csv).
    program text not null,
    format text not null,
    by_id uuid not null references person,
    by_role text not null,
    at timestamptz not null,
    -- Nothing can be confirmed after it.
    expires_at timestamptz not null,
    confirmed_at timestamptz,
    -- To tell the same file again; the file itself is kept nowhere.
    file_sha256 bytea not null,
    bytes bigint not null,
    -- What the dry run shows: numbers, numbers of lines and columns, ids. No text of the file. Null once it is over.
    plan jsonb,
    -- In the organisation's zone, or the one chosen: in each person's own they would tell where somebody is.
    first_day date,
    last_day date,
    records bigint not null,
    people bigint not null,
    constraint vendor_import_role_known check (by_role in ('publisher', 'representative'))
);
create index vendor_import_by_time on vendor_import (at desc);
comment on table vendor_import is 'Purpose: which exports of vendors were counted, when, uploaded in which role. Retention: kept; one that was not confirmed can''t be used after an hour, and goes within another.';

create table vendor_import_count (
    import_id uuid not null references vendor_import on delete cascade,
    person_id uuid not null references person,
    -- In the person's time zone.
    day date not null,
    category text not null references category,
    records bigint not null,
    -- The first and last moment; both null where the export knows days alone.
    first_at timestamptz,
    last_at timestamptz,
    primary key (import_id, person_id, day, category)
);
comment on table vendor_import_count is 'Purpose: counts of a dry run that waits for its confirmation. Retention: an hour in use; gone within another.';

create table vendor_count (
    person_id uuid not null references person,
    day date not null,
    category text not null references category,
    program text not null,
    -- The most that any export held: the same file twice changes nothing, and one of half a day takes nothing away.
    records bigint not null,
    first_at timestamptz,
    last_at timestamptz,
    import_id uuid not null references vendor_import,
    -- When it was held against what agents reported (rule R8); null until then, and again when it grew.
    compared_at timestamptz,
    primary key (person_id, day, category, program)
);
create index vendor_count_waiting on vendor_count (program, day) where compared_at is null;
comment on table vendor_count is 'Purpose: what vendors'' exports hold about a person, as counts a day (rule R8). Retention: kept.';

-- The export that a finding rests on; null for all others, and those alone may be counted or shown to others. A trigger of its own, beside finding_keeps.
alter table finding add column import_id uuid references vendor_import;
create function finding_keeps_import() returns trigger language plpgsql as $$
begin
    if new.import_id is distinct from old.import_id then
        raise exception 'a finding is never removed or narrowed' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger finding_keeps_import before update on finding for each row execute function finding_keeps_import();

-- Whoever uploads an export can make up its rows, so what rests on one is shown to the person alone. It names no agent:
-- else it could hide, or widen, what an agent gave rise to.
alter table finding add constraint finding_of_an_import_alone check (import_id is null or agent_id is null);

create table canary (
    id uuid primary key,
    -- Plain, since it is searched for: whoever may use SQL here can read it, and the page says so. Null once deleted.
    token text,
    made_at timestamptz not null,
    -- What it is typed or sent into; ids and words of the representatives.
    category text references category,
    program text not null default '',
    place text not null default '',
    used_at timestamptz,
    -- A role, never a person.
    used_by text not null default '',
    deleted_at timestamptz,
    constraint canary_token_once unique (token),
    constraint canary_token_until_deleted check ((token is null) = (deleted_at is not null)),
    constraint canary_deleted_is_blank check (deleted_at is null
        or (category is null and program = '' and place = '' and used_at is null and used_by = '')),
    constraint canary_role_known check (used_by in ('', 'worker', 'publisher', 'representative', 'administrator'))
);
comment on table canary is 'Purpose: unique strings that representatives look for in exports. Retention: until deleted; then that there was one, and when.';

create table canary_search (
    id uuid primary key,
    at timestamptz not null,
    -- What the representatives call what they searched; never the file's name.
    label text not null,
    -- upload or reader
    source text not null,
    -- plain, gzip or zip
    container text not null,
    -- As sent, and once unpacked.
    bytes bigint not null,
    searched bigint not null,
    -- Why it wasn't searched to its end; empty when it was.
    missed text[] not null,
    constraint canary_search_missed_known check
        (missed <@ array['limit', 'time', 'damaged', 'unreadable', 'packed', 'unlisted']),
    constraint canary_search_source_known check (source in ('upload', 'reader')),
    constraint canary_search_container_known check (container in ('plain', 'gzip', 'zip'))
);
create index canary_search_by_time on canary_search (at desc);
comment on table canary_search is 'Purpose: what representatives have searched for canaries, by the label they gave it. Retention: kept.';

create table canary_result (
    search_id uuid not null references canary_search,
    canary_id uuid not null references canary,
    hits integer not null,
    primary key (search_id, canary_id)
);
create index canary_result_by_canary on canary_result (canary_id);
comment on table canary_result is 'Purpose: which canaries were found in what was searched, and which were not. Retention: until the canary is deleted.';

create table canary_hit (
    search_id uuid not null references canary_search,
    canary_id uuid not null references canary,
    number integer not null,
    -- From 0, in what was unpacked.
    byte_at bigint not null,
    line bigint not null,
    encoding text not null,
    -- The name of a column or a key, only where the vendor's documentation has it; else empty.
    field text not null,
    primary key (search_id, canary_id, number)
);
create index canary_hit_by_canary on canary_hit (canary_id);
comment on table canary_hit is 'Purpose: where in an export a canary stood. Retention: until the canary is deleted.';
