-- What the employer declares: category x purpose x source, with its whole history.

create table category (
    id text primary key,
    sensitivity smallint not null,
    constraint category_sensitivity_range check (sensitivity between 1 and 4)
);
comment on table category is 'Purpose: ids of src/register/categories.csv, so that nothing else can be stored. Retention: kept.';

insert into category (id, sensitivity) values
    ('input.key_counts', 2), ('input.key_content', 4), ('input.pointer', 1), ('presence', 2),
    ('app.usage', 2), ('window.titles', 3), ('web.domains', 2), ('web.urls', 3),
    ('screen.image', 4), ('screen.video', 4), ('clipboard', 4), ('file.activity', 3),
    ('comms.metadata', 3), ('comms.email_content', 4), ('comms.chat_content', 4), ('audio', 4),
    ('camera', 4), ('biometric', 4), ('location.precise', 4), ('location.network', 2),
    ('code.activity', 2), ('code.content', 3), ('ai.prompt_meta', 2), ('ai.prompt_content', 4),
    ('device.inventory', 2), ('derived.score', 4), ('derived.emotion', 4), ('unknown', 4);

create table processing (
    id uuid primary key,
    created_at timestamptz not null,
    state text not null,
    revision integer not null,
    constraint processing_state_known check (state in ('draft', 'proposed', 'active', 'paused', 'ended'))
);
comment on table processing is 'Purpose: head of each declared processing (dpv:Process). Retention: kept.';

create table processing_revision (
    processing_id uuid not null references processing,
    -- 1, 2, 3, …
    revision integer not null,
    at timestamptz not null,
    by_id uuid references person,
    by_role text not null,
    change text not null,
    state text not null,
    reason text,
    category text not null references category,
    -- The declared fields as typed in src/register/model.rs; RFC 8785 canonical form is what is hashed.
    content jsonb not null,
    content_sha256 bytea not null,
    primary key (processing_id, revision),
    constraint processing_revision_state_known check (state in ('draft', 'proposed', 'active', 'paused', 'ended')),
    constraint processing_revision_change_known check (change in ('created', 'saved', 'proposed', 'agreed',
        'objected', 'activated', 'paused', 'resumed', 'revised', 'ended'))
);
create index processing_revision_by_category on processing_revision (category, at);
comment on table processing_revision is 'Purpose: every version and every change of state. Retention: kept; append-only.';

-- A draft that nobody else has seen can be deleted as a whole; nothing is ever rewritten.
create trigger processing_revision_never_rewritten before update on processing_revision
    for each row execute function refuse_change();
create trigger processing_revision_append_only before delete on processing_revision
    for each row when (old.state <> 'draft') execute function refuse_change();
