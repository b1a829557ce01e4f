//! SQL of one-time links.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

pub async fn insert_link(
    db: &mut PgConnection,
    id: Uuid,
    token_hash: &[u8],
    purpose: &str,
    person_id: Option<Uuid>,
    now: Time,
    expires_at: Time,
) -> Result<()> {
    sqlx::query!(
        "insert into one_time_link (id, token_hash, purpose, person_id, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        token_hash,
        purpose,
        person_id,
        now as _,
        expires_at as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub struct LinkRow {
    pub id: Uuid,
    pub purpose: String,
    pub person_id: Option<Uuid>,
}

/// A link that still works; a leaver's doesn't. Locked, so that two clicks at once are one use.
pub async fn find_link(db: &mut PgConnection, token_hash: &[u8], now: Time) -> Result<Option<LinkRow>> {
    sqlx::query_as!(
        LinkRow,
        "select id, purpose, person_id from one_time_link
         where token_hash = $1 and used_at is null and expires_at > $2
           and not exists (select from person p where p.id = person_id and p.deactivated_at is not null)
         for update",
        token_hash,
        now as _,
    )
    .fetch_optional(db)
    .await
}

pub async fn count_links_since(db: &mut PgConnection, person_id: Uuid, since: Time) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from one_time_link where person_id = $1 and created_at > $2"#,
        person_id,
        since as _,
    )
    .fetch_one(db)
    .await
}

/// Marks a link used, and every other open one of the same person with it.
pub async fn use_link(db: &mut PgConnection, id: Uuid, person_id: Option<Uuid>, now: Time) -> Result<()> {
    sqlx::query!(
        "update one_time_link set used_at = $3 where used_at is null and (id = $1 or person_id = $2)",
        id,
        person_id,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Voids every open link of a person: what was sent to them before no longer holds.
pub async fn void_links_of(db: &mut PgConnection, person_id: Uuid, now: Time) -> Result<()> {
    sqlx::query!(
        "update one_time_link set used_at = $2 where used_at is null and person_id = $1",
        person_id,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn void_set_up_links(db: &mut PgConnection, now: Time) -> Result<()> {
    sqlx::query!(
        "update one_time_link set used_at = $1 where used_at is null and purpose = 'setup'",
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes others who set up at the same moment wait for this transaction. There may be no row to lock yet.
pub async fn lock_set_up(db: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('set-up', 0))").execute(db).await?;
    Ok(())
}
