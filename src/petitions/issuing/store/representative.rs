//! SQL of the representative's server.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

/// The representative's server, as it was connected.
#[derive(Debug, Clone)]
pub struct RepresentativeRow {
    pub id: Uuid,
    /// RFC 9577 issuer name.
    pub name: String,
    /// `scheme://host[:port]`
    pub url: String,
    pub public_key: Vec<u8>,
    /// In the words of whoever connected it.
    pub run_by: String,
    pub same_operator: bool,
    pub connected_at: Time,
    /// When it last asked for something.
    pub heard_at: Option<Time>,
}

/// The one that is connected now.
pub async fn find(db: &mut PgConnection) -> Result<Option<RepresentativeRow>> {
    sqlx::query_as!(
        RepresentativeRow,
        "select id, name, url, public_key, run_by, same_operator, connected_at, heard_at
         from representative_server where ended_at is null"
    )
    .fetch_optional(db)
    .await
}

/// Whose token this is; notes that it was heard of, to the hour.
pub async fn find_by_token(
    db: &mut PgConnection,
    token_hash: &[u8],
    now: Time,
) -> Result<Option<RepresentativeRow>> {
    let found = sqlx::query_as!(
        RepresentativeRow,
        "select id, name, url, public_key, run_by, same_operator, connected_at, heard_at
         from representative_server where token_hash = $1 and ended_at is null",
        token_hash,
    )
    .fetch_optional(&mut *db)
    .await?;
    if let Some(row) = &found {
        sqlx::query!(
            "update representative_server set heard_at = date_trunc('hour', $2::timestamptz)
             where id = $1 and heard_at is distinct from date_trunc('hour', $2::timestamptz)",
            row.id,
            now as _,
        )
        .execute(db)
        .await?;
    }
    Ok(found)
}

/// Whether the server that was connected last has this key: then it is the newest that the log announces. One that was
/// connected earlier is announced anew, since the log has gone on to another key.
pub async fn is_newest(db: &mut PgConnection, public_key: &[u8]) -> Result<bool> {
    let newest = sqlx::query_scalar!(
        "select public_key from representative_server order by ended_at desc nulls first, connected_at desc limit 1"
    );
    Ok(newest.fetch_optional(db).await?.is_some_and(|newest| newest == public_key))
}

pub struct NewServer<'a> {
    pub id: Uuid,
    pub name: &'a str,
    pub url: &'a str,
    pub public_key: &'a [u8],
    pub token_hash: &'a [u8],
    pub run_by: &'a str,
    pub same_operator: bool,
    pub by: Uuid,
}

/// Ends the connected one and connects this one.
pub async fn replace(db: &mut PgConnection, new: NewServer<'_>, now: Time) -> Result<()> {
    sqlx::query!("update representative_server set ended_at = $1 where ended_at is null", now as _)
        .execute(&mut *db)
        .await?;
    sqlx::query!(
        "insert into representative_server (id, name, url, public_key, token_hash, run_by, same_operator,
             connected_by, connected_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        new.id,
        new.name,
        new.url,
        new.public_key,
        new.token_hash,
        new.run_by,
        new.same_operator,
        new.by,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The operator's key that the log announces last.
pub async fn find_operator_key(db: &mut PgConnection) -> Result<Option<Vec<u8>>> {
    sqlx::query_scalar!("select public_key from operator_key order by ledger_entry desc limit 1")
        .fetch_optional(db)
        .await
}

/// Notes that a leaf announces this key; one that comes back from a backup is announced anew.
pub async fn upsert_operator_key(db: &mut PgConnection, public_key: &[u8], entry: i64) -> Result<()> {
    sqlx::query!(
        "insert into operator_key (public_key, ledger_entry) values ($1, $2)
         on conflict (public_key) do update set ledger_entry = excluded.ledger_entry",
        public_key,
        entry,
    )
    .execute(db)
    .await?;
    Ok(())
}
