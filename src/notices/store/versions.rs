//! Writing what was approved: its times, its publication, its end.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::clock::Time;
use crate::error::Result;
use crate::notices::laws::Kind;

pub async fn schedule(
    db: &mut PgConnection,
    id: Uuid,
    publish_at: Time,
    effective_at: Time,
    time_zone: &str,
    now: Time,
) -> Result<()> {
    sqlx::query!(
        "update notice_version set state = 'scheduled', publish_at = $2, effective_at = $3, time_zone = $4,
             problem = null, updated_at = $5 where id = $1",
        id,
        publish_at as _,
        effective_at as _,
        time_zone,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Back to approved, with the reason where it is the server's doing.
pub async fn unschedule(db: &mut PgConnection, id: Uuid, problem: Option<&str>, now: Time) -> Result<()> {
    sqlx::query!(
        "update notice_version set state = 'approved', publish_at = null, problem = $2, updated_at = $3
         where id = $1",
        id,
        problem,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What a publication writes; the entry waits in the same transaction.
pub struct Publication<'a> {
    pub id: Uuid,
    pub notice_id: Uuid,
    pub publish_at: Time,
    pub effective_at: Time,
    pub time_zone: &'a str,
    pub published_at: Time,
    pub ledger_entry: i64,
}

/// Publishes a version; the one in force until now is superseded.
pub async fn publish(db: &mut PgConnection, p: &Publication<'_>) -> Result<()> {
    sqlx::query!(
        "update notice_version set state = 'superseded', updated_at = $2
         where notice_id = $1 and state = 'published'",
        p.notice_id,
        p.published_at as _,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "update notice_version set state = 'published', publish_at = $2, effective_at = $3, time_zone = $4,
             published_at = $5, ledger_entry = $6, problem = null, updated_at = $5 where id = $1",
        p.id,
        p.publish_at as _,
        p.effective_at as _,
        p.time_zone,
        p.published_at as _,
        p.ledger_entry,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("update notice set current_version = $2 where id = $1", p.notice_id, p.id)
        .execute(db)
        .await?;
    Ok(())
}

/// Ends a version: a published one with its leaf, one that was only approved without.
pub async fn retract(
    db: &mut PgConnection,
    id: Uuid,
    reason: &str,
    entry: Option<i64>,
    now: Time,
) -> Result<()> {
    sqlx::query!(
        "update notice_version set state = 'retracted', retracted_at = $2, retraction_reason = $3,
             retraction_entry = $4, updated_at = $2 where id = $1",
        id,
        now as _,
        reason,
        entry,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The leaf hash of this notice's newest entry in the ledger, or `None` before its first.
pub async fn last_leaf(db: &mut PgConnection, notice_id: Uuid) -> Result<Option<Vec<u8>>> {
    let hash = sqlx::query_scalar!(
        "select e.hash from notice_version v
         join ledger_entry e on e.id = v.ledger_entry or e.id = v.retraction_entry
         where v.notice_id = $1 order by e.id desc limit 1",
        notice_id,
    );
    Ok(hash.fetch_optional(db).await?)
}

/// The next scheduled version whose time has come, its notice locked; one that another instance is
/// publishing is passed over, and so are `failed` ones.
pub async fn lock_due(db: &mut PgConnection, now: Time, failed: &[Uuid]) -> Result<Option<Uuid>> {
    let due = sqlx::query_scalar!(
        "select v.id from notice_version v join notice n on n.id = v.notice_id
         where v.state = 'scheduled' and v.publish_at <= $1 and v.id <> all ($2)
         order by v.publish_at, v.id limit 1 for update of n skip locked",
        now as _,
        failed,
    );
    Ok(due.fetch_optional(db).await?)
}

/// When the first visible version that covers this processing and was published at `since` or later takes effect.
/// Only what tells of a beginning counts: no correction of words, no notice of a kind without a start.
pub async fn find_told_since(
    db: &mut PgConnection,
    processing: Uuid,
    since: Time,
) -> sqlx::Result<Option<Time>> {
    let at = sqlx::query_scalar!(
        r#"select min(v.effective_at) as "at: Time" from notice_version v
           join notice_version_visible s on s.version_id = v.id
           join notice n on n.id = v.notice_id
           where v.state <> 'retracted' and $1 = any(v.processings) and v.published_at >= $2
             and v.change_class = 'material' and n.kind <> all ($3)"#,
        processing,
        since as _,
        &Kind::without_a_start(),
    );
    at.fetch_one(db).await
}
