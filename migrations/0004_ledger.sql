-- The transparency log: what was published or decided, so that nobody can change it unseen.

create table ledger_log (
    -- One row.
    single boolean primary key default true,
    origin text not null,
    -- Ed25519; the private half is a file beside the database, never in it.
    public_key bytea not null,
    size bigint not null,
    root bytea not null,
    began_at timestamptz not null,
    constraint ledger_log_is_one check (single),
    constraint ledger_log_key_length check (length(public_key) = 32),
    constraint ledger_log_root_length check (length(root) = 32)
);
comment on table ledger_log is 'Purpose: head of the log: origin, newest key, size and root of the tree. Retention: kept.';

create table ledger_entry (
    -- The order in which entries were handed in; gaps mean nothing.
    id bigint generated always as identity primary key,
    bytes bytea not null,
    -- RFC 6962 leaf hash of the bytes.
    hash bytea not null,
    -- Index in the log, from 0; null while it waits.
    position bigint,
    constraint ledger_entry_position_once unique (position),
    constraint ledger_entry_size check (length(bytes) between 1 and 65535),
    constraint ledger_entry_hash_length check (length(hash) = 32)
);
create index ledger_entry_waiting on ledger_entry (id) where position is null;
comment on table ledger_entry is 'Purpose: leaves of the log, which hold hashes and no personal data. Retention: kept for good; append-only.';

create function refuse_other_bytes() returns trigger language plpgsql as $$
begin
    if new.bytes is distinct from old.bytes or new.hash is distinct from old.hash or new.id <> old.id then
        raise exception 'an entry of the log is never rewritten' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger ledger_entry_never_rewritten before update on ledger_entry
    for each row execute function refuse_other_bytes();
create trigger ledger_entry_never_deleted before delete on ledger_entry
    for each row execute function refuse_change();

create table ledger_key (
    public_key bytea primary key,
    -- The log it signs for.
    origin text not null,
    ledger_entry bigint not null references ledger_entry,
    constraint ledger_key_length check (length(public_key) = 32)
);
comment on table ledger_key is 'Purpose: every key the log has announced, so that policies list them. Retention: kept.';

create table ledger_tile (
    -- Level and number as in C2SP tlog-tiles.
    level smallint not null,
    number bigint not null,
    -- Up to 256 hashes of 32 bytes; the last of a level is partial.
    hashes bytea not null,
    primary key (level, number),
    constraint ledger_tile_whole_hashes check (length(hashes) between 32 and 8192 and length(hashes) % 32 = 0)
);
comment on table ledger_tile is 'Purpose: hashes of the tree, from which every proof is made. Retention: kept.';

create table ledger_checkpoint (
    origin text not null,
    size bigint not null,
    signed_at timestamptz not null,
    -- The signed text (C2SP tlog-checkpoint) and the log''s own signature line.
    body text not null,
    signature text not null,
    primary key (origin, size)
);
comment on table ledger_checkpoint is 'Purpose: every tree head the log has signed. Retention: kept; append-only.';
create trigger ledger_checkpoint_append_only before update or delete on ledger_checkpoint
    for each row execute function refuse_change();

create table ledger_cosignature (
    origin text not null,
    size bigint not null,
    witness text not null,
    -- As the witness''s own clock has it.
    cosigned_at timestamptz not null,
    line text not null,
    primary key (origin, size, witness),
    constraint ledger_cosignature_of_checkpoint foreign key (origin, size) references ledger_checkpoint
);
comment on table ledger_cosignature is 'Purpose: what witnesses signed (C2SP tlog-cosignature). Retention: kept.';

create table processing_ledger (
    processing_id uuid not null,
    revision integer not null,
    ledger_entry bigint not null references ledger_entry,
    primary key (processing_id, revision),
    constraint processing_ledger_of_revision foreign key (processing_id, revision) references processing_revision
);
comment on table processing_ledger is 'Purpose: which entry of the log stands for which step of a processing. Retention: kept.';
create trigger processing_ledger_append_only before update or delete on processing_ledger
    for each row execute function refuse_change();

create table report_commitment (
    -- UTC; once a day.
    day date primary key,
    at timestamptz not null,
    ledger_entry bigint not null references ledger_entry
);
comment on table report_commitment is 'Purpose: which entry of the log commits to the agents'' chains on which day. Retention: kept.';

create table report_opening (
    day date not null references report_commitment,
    -- Place among the day's commitments, which are sorted by their bytes.
    number integer not null,
    agent_id uuid not null references agent,
    salt bytea not null,
    boot_id uuid not null,
    seq bigint not null,
    head bytea not null,
    primary key (day, number)
);
create index report_opening_by_agent on report_opening (agent_id, day);
comment on table report_opening is 'Purpose: what opens a commitment, for the person whose agent it is. Retention: 400 days.';
