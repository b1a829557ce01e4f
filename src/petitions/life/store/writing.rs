//! SQL that changes petitions.

use serde_json::Value;
use sqlx::{PgConnection, Result};
use uuid::Uuid;

use super::super::model::{About, Document};
use crate::clock::{Day, Time};

pub async fn insert_draft(
    db: &mut PgConnection,
    id: Uuid,
    author: Uuid,
    text: &Document,
    now: Time,
) -> Result<()> {
    sqlx::query!(
        "insert into petition (id, state, author_id, about_kind, about_id, open_days)
         values ($1, 'draft', $2, $3, $4, $5)",
        id,
        author,
        text.about.map(|a| a.kind.id()),
        text.about.map(|a| a.id),
        text.open_days,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into petition_draft (petition_id, title, demand, background, changed_at)
         values ($1, $2, $3, $4, $5)",
        id,
        text.title,
        text.demand,
        text.background,
        now as Time,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn update_draft(db: &mut PgConnection, id: Uuid, text: &Document, now: Time) -> Result<()> {
    set_terms(db, id, text.about, text.open_days).await?;
    sqlx::query!(
        "update petition_draft set title = $2, demand = $3, background = $4, changed_at = $5
         where petition_id = $1",
        id,
        text.title,
        text.demand,
        text.background,
        now as Time,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What the newest version's text says beside its words.
pub async fn set_terms(db: &mut PgConnection, id: Uuid, about: Option<About>, open_days: i32) -> Result<()> {
    sqlx::query!(
        "update petition set about_kind = $2, about_id = $3, open_days = $4 where id = $1",
        id,
        about.map(|a| a.kind.id()),
        about.map(|a| a.id),
        open_days,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn delete_draft(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("delete from petition where id = $1 and state = 'draft'", id).execute(db).await?;
    Ok(())
}

/// Drafts of one person.
pub async fn count_drafts(db: &mut PgConnection, author: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from petition where author_id = $1 and state = 'draft'"#,
        author,
    )
    .fetch_one(db)
    .await
}

/// Slots of an epoch that are taken; holds the epoch until the transaction ends, so that nobody takes one meanwhile.
pub async fn lock_taken_slots(db: &mut PgConnection, epoch: &str) -> Result<Vec<i32>> {
    sqlx::query_scalar!("select number from petition_epoch where epoch = $1 for update", epoch)
        .fetch_one(&mut *db)
        .await?;
    sqlx::query_scalar!(
        r#"select slot as "slot!" from petition where epoch = $1 and slot is not null"#,
        epoch,
    )
    .fetch_all(db)
    .await
}

/// A draft goes before everybody.
pub async fn begin_seeking(
    db: &mut PgConnection,
    id: Uuid,
    epoch: &str,
    slot: i32,
    until: Time,
    hour: Time,
) -> Result<()> {
    sqlx::query!(
        "update petition set state = 'seeking', epoch = $2, slot = $3, seeking_until = $4, looked_at = $5
         where id = $1",
        id,
        epoch,
        slot,
        until as Time,
        hour as Time,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("delete from petition_draft where petition_id = $1", id).execute(db).await?;
    Ok(())
}

/// A petition of an author without a name.
pub struct Confidential<'a> {
    pub id: Uuid,
    pub author_key: &'a [u8],
    pub epoch: &'a str,
    pub slot: i32,
    pub document: &'a Document,
    pub until: Time,
    pub hour: Time,
}

pub async fn insert_confidential(db: &mut PgConnection, new: Confidential<'_>) -> Result<()> {
    let about = new.document.about;
    sqlx::query!(
        "insert into petition (id, state, author_key, epoch, slot, about_kind, about_id, open_days, seeking_until,
             looked_at)
         values ($1, 'seeking', $2, $3, $4, $5, $6, $7, $8, $9)",
        new.id,
        new.author_key,
        new.epoch,
        new.slot,
        about.map(|a| a.kind.id()),
        about.map(|a| a.id),
        new.document.open_days,
        new.until as Time,
        new.hour as Time,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub struct NewVersion<'a> {
    pub petition: Uuid,
    pub version: i32,
    pub document: &'a Value,
    pub content: &'a [u8],
    pub leaf_hash: &'a [u8],
    pub entry: i64,
}

pub async fn insert_version(db: &mut PgConnection, new: NewVersion<'_>) -> Result<()> {
    sqlx::query!(
        "insert into petition_version (petition_id, version, document, content_sha256, leaf_hash, ledger_entry)
         values ($1, $2, $3, $4, $5, $6)",
        new.petition,
        new.version,
        new.document,
        new.content,
        new.leaf_hash,
        new.entry,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("update petition set version = $2 where id = $1", new.petition, new.version)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn set_state(db: &mut PgConnection, id: Uuid, state: &str) -> Result<()> {
    sqlx::query!("update petition set state = $2 where id = $1", id, state).execute(db).await?;
    Ok(())
}

pub async fn set_looked_at(db: &mut PgConnection, id: Uuid, hour: Time) -> Result<()> {
    sqlx::query!("update petition set looked_at = $2 where id = $1", id, hour as Time).execute(db).await?;
    Ok(())
}

pub async fn begin_checking(db: &mut PgConnection, id: Uuid, since: Time) -> Result<()> {
    sqlx::query!(
        "update petition set state = 'checking', checking_since = $2 where id = $1",
        id,
        since as Time,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What the check came to.
pub struct Opened {
    pub id: Uuid,
    /// Nobody when it opened by itself.
    pub by: Option<Uuid>,
    pub at: Time,
    pub closes_at: Time,
    pub threshold: i32,
    pub entry: i64,
}

pub async fn open(db: &mut PgConnection, opened: Opened) -> Result<()> {
    sqlx::query!(
        "update petition set state = 'open', checked_by = $2, opened_at = $3, closes_at = $4, threshold = $5,
             check_entry = $6 where id = $1",
        opened.id,
        opened.by,
        opened.at as Time,
        opened.closes_at as Time,
        opened.threshold,
        opened.entry,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn refuse(
    db: &mut PgConnection,
    id: Uuid,
    by: Uuid,
    (code, words): (&str, &str),
    at: Time,
    entry: i64,
) -> Result<()> {
    sqlx::query!(
        "update petition set state = 'refused', checked_by = $2, refusal_code = $3, refusal_words = $4,
             closed_at = $5, check_entry = $6 where id = $1",
        id,
        by,
        code,
        words,
        at as Time,
        entry,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn set_reached(db: &mut PgConnection, id: Uuid, (at, due): (Time, Time), entry: i64) -> Result<()> {
    sqlx::query!(
        "update petition set reached_at = $2, answer_due_at = $3, reached_entry = $4 where id = $1",
        id,
        at as Time,
        due as Time,
        entry,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn close(db: &mut PgConnection, id: Uuid, at: Time, entry: i64) -> Result<()> {
    sqlx::query!(
        "update petition set state = 'closed', closed_at = $2, close_entry = $3 where id = $1",
        id,
        at as Time,
        entry,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub struct NewUpdate<'a> {
    pub id: Uuid,
    pub petition: Uuid,
    pub on_day: Day,
    pub author: &'static str,
    pub person: Option<Uuid>,
    pub text: &'a str,
    /// By the key of an author without a name.
    pub signature: Option<&'a str>,
}

/// False when the same text stands there already: whoever sends it again gains nothing.
pub async fn insert_update(db: &mut PgConnection, new: NewUpdate<'_>) -> Result<bool> {
    let done = sqlx::query!(
        "insert into petition_update (id, petition_id, on_day, author, person_id, text, signature)
         select $1, $2, $3, $4, $5, $6, $7 where not exists (select from petition_update
             where petition_id = $2 and author = $4 and text = $6)",
        new.id,
        new.petition,
        new.on_day as Day,
        new.author,
        new.person,
        new.text,
        new.signature,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub struct NewAnswer<'a> {
    pub petition: Uuid,
    pub number: i32,
    pub petition_leaf: &'a [u8],
    pub document: &'a Value,
    pub content: &'a [u8],
    pub leaf_hash: &'a [u8],
    pub by: Uuid,
    pub at: Time,
    pub entry: i64,
}

pub async fn insert_answer(db: &mut PgConnection, new: NewAnswer<'_>) -> Result<()> {
    sqlx::query!(
        "insert into petition_answer (petition_id, number, petition_leaf, document, content_sha256, leaf_hash, by_id,
             at, ledger_entry)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        new.petition,
        new.number,
        new.petition_leaf,
        new.document,
        new.content,
        new.leaf_hash,
        new.by,
        new.at as Time,
        new.entry,
    )
    .execute(db)
    .await?;
    Ok(())
}
