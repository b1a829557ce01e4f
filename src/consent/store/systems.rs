//! SQL of the systems that may ask, and of whether they can be reached.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::clock::Time;
use crate::error::{Error, OnConstraint, Result};

pub struct SystemRow {
    pub id: Uuid,
    pub processings: Vec<Uuid>,
    pub token_hash: Vec<u8>,
}

pub async fn list_active(db: &mut PgConnection) -> sqlx::Result<Vec<SystemRow>> {
    sqlx::query_as!(
        SystemRow,
        "select id, processings, token_hash from system where revoked_at is null and approved_at is not null order by id"
    )
    .fetch_all(db)
    .await
}

/// Systems that are told of decisions about this processing.
pub async fn list_told(db: &mut PgConnection, processing: Uuid) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id from system
         where revoked_at is null and approved_at is not null and webhook is not null and $1 = any (processings)
         order by id",
        processing
    )
    .fetch_all(db)
    .await
}

/// Systems that are told of findings.
pub async fn list_told_of_findings(db: &mut PgConnection) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id from system
         where revoked_at is null and approved_at is not null and webhook is not null and findings order by id"
    )
    .fetch_all(db)
    .await
}

/// A system as its page shows it.
#[derive(Debug)]
pub struct ListedSystem {
    pub id: Uuid,
    pub name: String,
    pub purpose: String,
    pub processings: Vec<Uuid>,
    /// Whether it is told of findings.
    pub findings: bool,
    pub webhook: Option<String>,
    pub created_at: Time,
    pub created_by: Uuid,
    pub approved_at: Option<Time>,
    pub revoked_at: Option<Time>,
    pub tested_at: Option<Time>,
    pub test_failed: Option<String>,
    pub test_next_at: Option<Time>,
}

/// All of them, those that may ask first.
pub async fn list(db: &mut PgConnection) -> sqlx::Result<Vec<ListedSystem>> {
    sqlx::query_as!(
        ListedSystem,
        r#"select s.id, s.name, s.purpose, s.processings, s.findings, s.webhook, s.created_at, s.created_by, s.approved_at,
                  s.revoked_at,
                  t.at as "tested_at?", t.failed as "test_failed?", t.next_at as "test_next_at?"
           from system s left join webhook_test t on t.system_id = s.id
           order by s.revoked_at is not null, lower(s.name), s.id"#
    )
    .fetch_all(db)
    .await
}

pub struct NewSystem<'a> {
    pub id: Uuid,
    pub name: &'a str,
    pub purpose: &'a str,
    pub processings: &'a [Uuid],
    pub findings: bool,
    pub webhook: Option<&'a str>,
    pub token_hash: &'a [u8],
    pub by: Uuid,
}

pub async fn insert(db: &mut PgConnection, system: NewSystem<'_>, now: Time) -> Result<()> {
    sqlx::query!(
        "insert into system (id, name, purpose, processings, findings, webhook, token_hash, created_at, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        system.id,
        system.name,
        system.purpose,
        system.processings,
        system.findings,
        system.webhook,
        system.token_hash,
        now as _,
        system.by,
    )
    .execute(&mut *db)
    .await
    .on_constraint("system_name_once", || {
        Error::invalid("name", "There is, or was, a system of this name. Use another one.")
    })?;
    if system.webhook.is_some() {
        sqlx::query!("insert into webhook_test (system_id, next_at) values ($1, $2)", system.id, now as _)
            .execute(db)
            .await?;
    }
    Ok(())
}

/// What actions need of a system.
pub struct HeldSystem {
    pub name: String,
    pub has_webhook: bool,
    pub secret_number: i32,
}

/// Locks a system that isn't revoked.
pub async fn lock(db: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<HeldSystem>> {
    sqlx::query_as!(
        HeldSystem,
        r#"select name, webhook is not null as "has_webhook!", secret_number from system
           where id = $1 and revoked_at is null for update"#,
        id
    )
    .fetch_optional(db)
    .await
}

pub async fn set_token(db: &mut PgConnection, id: Uuid, token_hash: &[u8]) -> sqlx::Result<()> {
    sqlx::query!("update system set token_hash = $2 where id = $1", id, token_hash).execute(db).await?;
    Ok(())
}

pub async fn set_secret(db: &mut PgConnection, id: Uuid, number: i32) -> sqlx::Result<()> {
    sqlx::query!("update system set secret_number = $2 where id = $1", id, number).execute(db).await?;
    Ok(())
}

/// Takes its leave to ask, and what it would still be told.
pub async fn revoke(db: &mut PgConnection, id: Uuid, now: Time) -> sqlx::Result<()> {
    sqlx::query!("update system set revoked_at = $2 where id = $1", id, now as _).execute(&mut *db).await?;
    sqlx::query!("delete from webhook_test where system_id = $1", id).execute(&mut *db).await?;
    sqlx::query!("delete from webhook_delivery where system_id = $1 and body is not null", id)
        .execute(db)
        .await?;
    Ok(())
}

/// Has the next test sent at once.
pub async fn set_test_due(db: &mut PgConnection, id: Uuid, now: Time) -> sqlx::Result<()> {
    sqlx::query!("update webhook_test set next_at = $2 where system_id = $1", id, now as _)
        .execute(db)
        .await?;
    Ok(())
}

/// Where a message goes, and which key signs it.
pub struct Target {
    pub system: Uuid,
    pub webhook: String,
    pub secret_number: i32,
}

/// Takes the tests that are due, and sets when each is sent again.
pub async fn claim_tests(db: &mut PgConnection, now: Time, next: Time) -> sqlx::Result<Vec<Target>> {
    sqlx::query_as!(
        Target,
        r#"update webhook_test t set next_at = $2 from system s
           where s.id = t.system_id and s.revoked_at is null and t.next_at <= $1
           returning s.id as system, s.webhook as "webhook!", s.secret_number"#,
        now as _,
        next as _,
    )
    .fetch_all(db)
    .await
}

pub async fn set_tested(
    db: &mut PgConnection,
    system: Uuid,
    at: Time,
    failed: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update webhook_test set at = $2, failed = $3 where system_id = $1",
        system,
        at as _,
        failed
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Lets it in; `false` when it was registered by this very person, is revoked, or was let in before.
pub async fn approve(db: &mut PgConnection, id: Uuid, by: Uuid, now: Time) -> Result<bool> {
    let done = sqlx::query!(
        "update system set approved_at = $3, approved_by = $2
         where id = $1 and revoked_at is null and approved_at is null and created_by <> $2",
        id,
        by,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
