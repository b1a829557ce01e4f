//! SQL of sessions, passwords and failed tries.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

pub struct SessionRow {
    pub id: Uuid,
    pub person_id: Uuid,
    pub name: String,
    pub time_zone: Option<String>,
    pub roles: Vec<String>,
    pub created_at: Time,
    pub last_seen_at: Time,
}

pub async fn find_session(
    db: &mut PgConnection,
    token_hash: &[u8],
    now: Time,
    idle_since: Time,
) -> Result<Option<SessionRow>> {
    sqlx::query_as!(
        SessionRow,
        r#"select s.id, s.person_id, p.name, p.time_zone, s.created_at, s.last_seen_at,
                  array(select role from person_role r where r.person_id = p.id) as "roles!"
           from session s join person p on p.id = s.person_id
           where s.token_hash = $1 and s.expires_at > $2 and s.last_seen_at > $3 and p.deactivated_at is null"#,
        token_hash,
        now as _,
        idle_since as _,
    )
    .fetch_optional(db)
    .await
}

pub async fn touch_session(db: &mut PgConnection, id: Uuid, now: Time) -> Result<()> {
    sqlx::query!("update session set last_seen_at = $2 where id = $1", id, now as _).execute(db).await?;
    Ok(())
}

pub async fn insert_session(
    db: &mut PgConnection,
    id: Uuid,
    token_hash: &[u8],
    person_id: Uuid,
    now: Time,
    expires_at: Time,
    browser: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into session (id, token_hash, person_id, created_at, last_seen_at, expires_at, browser)
         values ($1, $2, $3, $4, $4, $5, $6)",
        id,
        token_hash,
        person_id,
        now as _,
        expires_at as _,
        browser,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn delete_session_by_token(db: &mut PgConnection, token_hash: &[u8]) -> Result<()> {
    sqlx::query!("delete from session where token_hash = $1", token_hash).execute(db).await?;
    Ok(())
}

/// Ends one session of this person; false when it isn't theirs.
pub async fn delete_session(db: &mut PgConnection, id: Uuid, person_id: Uuid) -> Result<bool> {
    let done = sqlx::query!("delete from session where id = $1 and person_id = $2", id, person_id)
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends every session of a person but `except`.
pub async fn delete_sessions_of(db: &mut PgConnection, person_id: Uuid, except: Option<Uuid>) -> Result<()> {
    sqlx::query!("delete from session where person_id = $1 and id is distinct from $2", person_id, except)
        .execute(db)
        .await?;
    Ok(())
}

pub struct ListedSession {
    pub id: Uuid,
    pub browser: String,
    pub created_at: Time,
    pub last_seen_at: Time,
}

pub async fn list_sessions(db: &mut PgConnection, person_id: Uuid, now: Time) -> Result<Vec<ListedSession>> {
    sqlx::query_as!(
        ListedSession,
        "select id, browser, created_at, last_seen_at from session
         where person_id = $1 and expires_at > $2 order by last_seen_at desc",
        person_id,
        now as _,
    )
    .fetch_all(db)
    .await
}

pub struct Credentials {
    pub id: Uuid,
    pub password_hash: Option<String>,
}

/// The active account of an address.
pub async fn find_credentials(db: &mut PgConnection, email: &str) -> Result<Option<Credentials>> {
    sqlx::query_as!(
        Credentials,
        "select id, password_hash from person where email = $1 and deactivated_at is null",
        email,
    )
    .fetch_optional(db)
    .await
}

/// Makes other tries for this account wait until this transaction has counted its own.
pub async fn lock_account(db: &mut PgConnection, account_hash: &[u8]) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended(encode($1, 'hex'), 0))", account_hash)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn count_failures(db: &mut PgConnection, account_hash: &[u8], since: Time) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from sign_in_failure where account_hash = $1 and at > $2"#,
        account_hash,
        since as _,
    )
    .fetch_one(db)
    .await
}

pub async fn insert_failure(db: &mut PgConnection, account_hash: &[u8], at: Time) -> Result<()> {
    sqlx::query!("insert into sign_in_failure (account_hash, at) values ($1, $2)", account_hash, at as _)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn delete_failures(db: &mut PgConnection, account_hash: &[u8]) -> Result<()> {
    sqlx::query!("delete from sign_in_failure where account_hash = $1", account_hash).execute(db).await?;
    Ok(())
}

pub async fn set_password(db: &mut PgConnection, id: Uuid, hash: &str) -> Result<()> {
    sqlx::query!("update person set password_hash = $2 where id = $1", id, hash).execute(db).await?;
    Ok(())
}

pub async fn password_hash(db: &mut PgConnection, id: Uuid) -> Result<Option<String>> {
    sqlx::query_scalar!("select password_hash from person where id = $1", id).fetch_one(db).await
}
