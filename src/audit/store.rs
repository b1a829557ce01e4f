//! SQL of the audit trail.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use super::Entry;
use crate::clock::Time;

pub async fn insert_entry(
    db: &mut PgConnection,
    id: Uuid,
    at: Time,
    actor: Option<Uuid>,
    role: &str,
    entry: &Entry<'_>,
) -> Result<()> {
    sqlx::query!(
        "insert into audit_entry (id, at, actor_id, actor_role, action, subject_id, object_id, reason)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id,
        at as _,
        actor,
        role,
        entry.action,
        entry.subject,
        entry.object,
        entry.reason,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn count_own(db: &mut PgConnection, actor: Uuid, action: &str, since: Time) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from audit_entry
           where subject_id is null and actor_id = $1 and action = $2 and at > $3"#,
        actor,
        action,
        since as _,
    )
    .fetch_one(db)
    .await
}

#[derive(Debug)]
pub struct EntryRow {
    pub at: Time,
    pub actor_role: String,
    pub action: String,
    pub reason: Option<String>,
    pub for_all: bool,
}

pub async fn count_entries(db: &mut PgConnection, person_id: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from audit_entry e
           where (subject_id = $1 or (subject_id is null and at >= (select created_at from person where id = $1)))
             and actor_id is distinct from $1"#,
        person_id,
    )
    .fetch_one(db)
    .await
}

/// What concerns this person, alone or (since they have an account) with everybody, by others; newest
/// first.
pub async fn list_entries(
    db: &mut PgConnection,
    person_id: Uuid,
    offset: i64,
    limit: i64,
) -> Result<Vec<EntryRow>> {
    sqlx::query_as!(
        EntryRow,
        r#"select at, actor_role, action, reason, subject_id is null as "for_all!" from audit_entry
           where (subject_id = $1 or (subject_id is null and at >= (select created_at from person where id = $1)))
             and actor_id is distinct from $1
           order by at desc, id desc offset $2 limit $3"#,
        person_id,
        offset,
        limit,
    )
    .fetch_all(db)
    .await
}
