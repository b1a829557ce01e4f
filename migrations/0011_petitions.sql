-- Petitions: who may sign, what is signed, and signatures that nobody can tie to a person.

create table representative_server (
    id uuid primary key,
    -- RFC 9577 issuer name.
    name text not null,
    url text not null,
    -- Ed25519; what the representative's statements are checked with.
    public_key bytea not null,
    -- SHA-256 of the token with which their server asks for the roll.
    token_hash bytea not null,
    -- Who runs it, in the words of whoever connected it.
    run_by text not null,
    -- Whether the employer, or whoever runs this server, runs that one too: then nothing is independent.
    same_operator boolean not null,
    connected_by uuid not null references person,
    connected_at timestamptz not null,
    heard_at timestamptz,
    ended_at timestamptz,
    constraint representative_server_token_once unique (token_hash),
    constraint representative_server_key_length check (length(public_key) = 32)
);
create unique index representative_server_is_one on representative_server ((true)) where ended_at is null;
comment on table representative_server is 'Purpose: the second issuer of credentials, run by the workers'' representative. Retention: kept.';

create table operator_key (
    -- Ed25519; what the operator's promises are checked with.
    public_key bytea primary key,
    ledger_entry bigint not null references ledger_entry,
    constraint operator_key_length check (length(public_key) = 32)
);
comment on table operator_key is 'Purpose: which keys of the operator the log announces. Retention: kept.';

create table wallet (
    person_id uuid primary key references person,
    -- Stands for the person between the two issuers and in commitments; nothing else uses it.
    worker_ref uuid not null,
    -- Ed25519; made in the person's browser. Null until they make one.
    id_key bytea,
    enrolled_on date,
    constraint wallet_worker_ref_once unique (worker_ref),
    constraint wallet_id_key_once unique (id_key),
    constraint wallet_id_key_length check (length(id_key) = 32)
);
comment on table wallet is 'Purpose: the key with which a person asks for credentials; says nothing of what is done with them. Retention: while on the roll.';

create table petition_epoch (
    epoch text primary key,
    number integer not null,
    group_name text not null,
    representative_id uuid not null references representative_server,
    ends_at timestamptz not null,
    -- As it stands in the log; null until the representative has signed it.
    leaf jsonb,
    leaf_hash bytea,
    ledger_entry bigint references ledger_entry,
    began_at timestamptz,
    -- Packs of both issuers, kept by a trigger.
    packs integer not null default 0,
    constraint petition_epoch_number_once unique (number),
    constraint petition_epoch_begun_whole check ((leaf is null) = (ledger_entry is null) and (leaf is null) = (leaf_hash is null)
        and (leaf is null) = (began_at is null))
);
comment on table petition_epoch is 'Purpose: times in which the same people sign with the same credentials, and both issuers'' public keys. Retention: kept.';

create table petition_roll_entry (
    epoch text not null references petition_epoch,
    place integer not null,
    person_id uuid not null references person,
    worker_ref uuid not null,
    id_key bytea,
    salt bytea not null,
    -- The roll's version that holds these values first.
    version integer not null,
    primary key (epoch, place),
    constraint petition_roll_entry_person_once unique (epoch, person_id),
    constraint petition_roll_entry_salt_length check (length(salt) = 32)
);
create index petition_roll_entry_key on petition_roll_entry (epoch, id_key) where id_key is not null;
comment on table petition_roll_entry is 'Purpose: who may ask for credentials in an epoch. Retention: a year after the epoch; the log keeps a commitment.';

create table petition_roll (
    epoch text not null references petition_epoch,
    version integer not null,
    size integer not null,
    root bytea not null,
    -- By the representative, base64url; null while they check.
    signature text,
    ledger_entry bigint references ledger_entry,
    primary key (epoch, version),
    constraint petition_roll_signed_whole check ((signature is null) = (ledger_entry is null)),
    constraint petition_roll_root_length check (length(root) = 32)
);
comment on table petition_roll is 'Purpose: versions of the roll, which both sides signed. Retention: kept.';

create table petition_pack (
    epoch text not null references petition_epoch,
    issuer text not null,
    place integer not null,
    -- SHA-256 of the blinded messages.
    request bytea not null,
    ledger_entry bigint not null references ledger_entry,
    constraint petition_pack_once primary key (epoch, issuer, place),
    constraint petition_pack_issuer_known check (issuer in ('operator', 'representative')),
    constraint petition_pack_request_length check (length(request) = 32)
);
comment on table petition_pack is 'Purpose: to whom a pack of credentials was given; everybody gets one, signer or not. Retention: a year after the epoch.';

-- Counted as they come, so that no page counts them. The lock orders two issuers' packs for one place: the later sees
-- the earlier. It isn't FOR UPDATE, which would wait for the other's foreign key and end in a deadlock.
create function count_packs() returns trigger language plpgsql as $$
begin
    perform from petition_epoch where epoch = new.epoch for no key update;
    update petition_epoch set packs = packs + 1 where epoch = new.epoch
        and exists (select from petition_pack where epoch = new.epoch and place = new.place and issuer <> new.issuer);
    return null;
end $$;
create trigger petition_pack_counted after insert on petition_pack for each row execute function count_packs();

create table petition (
    id uuid primary key,
    state text not null,
    -- With a name; else the key of slot 0.
    author_id uuid references person,
    author_key bytea,
    epoch text references petition_epoch,
    slot integer,
    -- What it is about: a processing, a notice, or nothing that stands here.
    about_kind text,
    about_id uuid,
    open_days integer not null,
    -- Newest version that can be signed; 0 for a draft.
    version integer not null default 0,
    seeking_until timestamptz,
    checking_since timestamptz,
    checked_by uuid references person,
    refusal_code text,
    refusal_words text,
    opened_at timestamptz,
    closes_at timestamptz,
    -- Signatures from which the employer must answer.
    threshold integer,
    reached_at timestamptz,
    answer_due_at timestamptz,
    closed_at timestamptz,
    -- Where the check's outcome, the start of the employer's clock and the close stand in the log.
    check_entry bigint references ledger_entry,
    reached_entry bigint references ledger_entry,
    close_entry bigint references ledger_entry,
    -- Full hour at which supporters were last counted: the moment of the fifth stays unknown.
    looked_at timestamptz,
    constraint petition_slot_once unique (epoch, slot),
    constraint petition_state_known check (state in ('draft', 'seeking', 'checking', 'open', 'closed', 'refused', 'lapsed',
        'given_up')),
    constraint petition_has_author check ((author_id is null) <> (author_key is null)),
    constraint petition_about_whole check ((about_kind is null) = (about_id is null)),
    constraint petition_about_known check (about_kind in ('processing', 'notice')),
    constraint petition_refusal_has_code check ((state = 'refused') = (refusal_code is not null)),
    constraint petition_reached_whole check ((reached_at is null) = (answer_due_at is null)
        and (reached_at is null) = (reached_entry is null)),
    constraint petition_key_drafts_elsewhere check (state <> 'draft' or author_id is not null),
    constraint petition_slot_after_draft check (state = 'draft' or slot is not null)
);
create index petition_about on petition (about_kind, about_id) where about_id is not null;
-- One petition started by a key; the second would tie the two.
create unique index petition_author_key_once on petition (author_key) where author_key is not null;
-- One petition a person and epoch, whatever became of it, as without a name: each uses one of fifteen slots up.
create unique index petition_author_once_an_epoch on petition (author_id, epoch) where author_id is not null;
comment on table petition is 'Purpose: petitions and where they stand. Retention: kept; a draft until its author deletes it.';

-- What was once set is not set again: nobody gets more time, and nobody a higher hurdle.
create function keep_petition_clock() returns trigger language plpgsql as $$
begin
    if (old.reached_at is not null and new.reached_at is distinct from old.reached_at)
        or (old.answer_due_at is not null and new.answer_due_at is distinct from old.answer_due_at)
        or (old.reached_entry is not null and new.reached_entry is distinct from old.reached_entry)
        or (old.threshold is not null and new.threshold is distinct from old.threshold)
        or (old.opened_at is not null and new.opened_at is distinct from old.opened_at)
        or (old.slot is not null and (new.slot is distinct from old.slot or new.epoch is distinct from old.epoch))
        or new.author_id is distinct from old.author_id or new.author_key is distinct from old.author_key then
        raise exception 'a petition''s clock, threshold, slot and author stay' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger petition_clock_stays before update on petition for each row execute function keep_petition_clock();

create table petition_draft (
    petition_id uuid primary key references petition on delete cascade,
    title text not null,
    demand text not null,
    background text not null,
    changed_at timestamptz not null
);
comment on table petition_draft is 'Purpose: what an author with a name is still writing. Retention: until submitted or deleted.';

create table petition_version (
    petition_id uuid not null references petition,
    version integer not null,
    -- What the log's leaf holds the hash of.
    document jsonb not null,
    content_sha256 bytea not null,
    leaf_hash bytea not null,
    ledger_entry bigint not null references ledger_entry,
    primary key (petition_id, version),
    constraint petition_version_leaf_once unique (leaf_hash),
    constraint petition_version_hash_length check (length(content_sha256) = 32 and length(leaf_hash) = 32)
);
comment on table petition_version is 'Purpose: petitions'' texts as they are signed. Retention: kept; append-only.';
create trigger petition_version_append_only before update or delete on petition_version
    for each row execute function refuse_change();

-- No column here and below says when, from where, or in which order.
create table petition_waiting (
    -- Leaf hash of the version that is signed.
    petition_leaf bytea not null,
    -- The slot's key.
    key bytea not null,
    -- Of this key's actions; the last one waits.
    number bigint not null,
    kind text not null,
    mode text,
    disclosure text,
    -- The leaf as it will stand in the log.
    leaf bytea not null,
    leaf_hash bytea not null,
    -- Of signatures with a name only.
    signer_id uuid references person,
    signer_salt bytea,
    constraint petition_waiting_once primary key (petition_leaf, key),
    constraint petition_waiting_kind_known check (kind in ('sign', 'withdraw')),
    constraint petition_waiting_named check ((mode = 'named') = (signer_id is not null)),
    constraint petition_waiting_sign_whole check ((kind = 'sign') = (mode is not null) and (mode is null) = (disclosure is null))
);
-- One name, one key: whoever vouches for a second one is refused.
create unique index petition_waiting_signer_once on petition_waiting (petition_leaf, signer_id) where signer_id is not null;
comment on table petition_waiting is 'Purpose: signatures and withdrawals that wait for their batch. Retention: until it.';

create table petition_signature (
    petition_leaf bytea not null,
    key bytea not null,
    number bigint not null,
    kind text not null,
    mode text,
    disclosure text,
    leaf_hash bytea not null,
    -- No foreign key: checking one would lock rows of the log.
    ledger_entry bigint not null,
    constraint petition_signature_once primary key (petition_leaf, key),
    constraint petition_signature_leaf_once unique (leaf_hash),
    constraint petition_signature_kind_known check (kind in ('sign', 'withdraw'))
);
comment on table petition_signature is 'Purpose: each key''s last action that stands in the log. Retention: kept.';

create table petition_signer (
    petition_leaf bytea not null,
    key bytea not null,
    person_id uuid not null references person,
    -- As it was when they signed, where they show it.
    department text,
    for_everyone boolean not null,
    -- Opens the commitment in the log.
    salt bytea not null,
    primary key (petition_leaf, key),
    constraint petition_signer_person_once unique (petition_leaf, person_id)
);
-- Whether a department's number less the names beside it would tell of one who shows theirs to representatives only.
create index petition_signer_hidden on petition_signer (petition_leaf, department) where not for_everyone;
comment on table petition_signer is 'Purpose: names of those who signed with their name. Retention: until they withdraw.';

create table petition_count (
    petition_leaf bytea not null,
    -- In the organisation''s time zone: of the batches that day.
    day date not null,
    signed integer not null,
    withdrawn integer not null,
    -- Signatures that stand after the day.
    total integer not null,
    primary key (petition_leaf, day)
);
comment on table petition_count is 'Purpose: counts, kept with each batch so that nobody counts signatures. Retention: kept.';

create table petition_department_count (
    petition_leaf bytea not null,
    department text not null,
    total integer not null,
    primary key (petition_leaf, department)
);
comment on table petition_department_count is 'Purpose: departments of those who show theirs; shown from five on. Retention: kept.';

create table petition_update (
    id uuid primary key,
    petition_id uuid not null references petition,
    -- The day alone: a moment could be laid beside a session.
    on_day date not null,
    author text not null,
    -- Null for an author without a name.
    person_id uuid references person,
    text text not null,
    -- Of an author without a name: Ed25519 by their key, so that nobody can put words into their mouth.
    signature text,
    constraint petition_update_signed check (signature is null or person_id is null),
    constraint petition_update_author_known check (author in ('author', 'representative'))
);
create index petition_update_of on petition_update (petition_id, on_day);
comment on table petition_update is 'Purpose: news about a petition by its author or a representative. Retention: kept.';

create table petition_answer (
    petition_id uuid not null references petition,
    number integer not null,
    petition_leaf bytea not null,
    document jsonb not null,
    content_sha256 bytea not null,
    leaf_hash bytea not null,
    by_id uuid not null references person,
    at timestamptz not null,
    ledger_entry bigint not null references ledger_entry,
    primary key (petition_id, number)
);
comment on table petition_answer is 'Purpose: the employer''s answers, each version. Retention: kept; append-only.';
create trigger petition_answer_append_only before update or delete on petition_answer
    for each row execute function refuse_change();

create table petition_follow (
    petition_id uuid not null references petition,
    person_id uuid not null references person,
    seen_on date not null,
    primary key (petition_id, person_id)
);
create index petition_follow_of on petition_follow (person_id);
comment on table petition_follow is 'Purpose: which petitions a person wants to hear of on their own page; no mail. Retention: until they stop.';
