//! SQL of epochs.

use sqlx::types::Json;
use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;
use crate::ledger::proof::petition::EpochLeaf;

/// An epoch, begun or proposed.
#[derive(Debug, Clone)]
pub struct EpochRow {
    pub epoch: String,
    pub number: i32,
    pub group_name: String,
    /// Key of the representative's server it was proposed to.
    pub representative_key: Vec<u8>,
    pub representative_name: String,
    pub ends_at: Time,
    /// As it stands in the log; `None` until the representative signed it.
    pub leaf: Option<Json<EpochLeaf>>,
    pub leaf_hash: Option<Vec<u8>>,
    pub ledger_entry: Option<i64>,
    /// Packs of both issuers.
    pub packs: i32,
}

/// The newest epoch, begun or not.
pub async fn find_newest(db: &mut PgConnection) -> Result<Option<EpochRow>> {
    sqlx::query_as!(
        EpochRow,
        r#"select epoch, number, group_name, s.public_key as representative_key, s.name as representative_name,
                  ends_at, leaf as "leaf: Json<EpochLeaf>", leaf_hash, ledger_entry, packs
           from petition_epoch e join representative_server s on s.id = e.representative_id
           order by number desc limit 1"#
    )
    .fetch_optional(db)
    .await
}

/// The newest epoch that has begun.
pub async fn find_begun(db: &mut PgConnection) -> Result<Option<EpochRow>> {
    sqlx::query_as!(
        EpochRow,
        r#"select epoch, number, group_name, s.public_key as representative_key, s.name as representative_name,
                  ends_at, leaf as "leaf: Json<EpochLeaf>", leaf_hash, ledger_entry, packs
           from petition_epoch e join representative_server s on s.id = e.representative_id
           where leaf is not null order by number desc limit 1"#
    )
    .fetch_optional(db)
    .await
}

pub async fn find(db: &mut PgConnection, epoch: &str) -> Result<Option<EpochRow>> {
    sqlx::query_as!(
        EpochRow,
        r#"select epoch, number, group_name, s.public_key as representative_key, s.name as representative_name,
                  ends_at, leaf as "leaf: Json<EpochLeaf>", leaf_hash, ledger_entry, packs
           from petition_epoch e join representative_server s on s.id = e.representative_id where epoch = $1"#,
        epoch,
    )
    .fetch_optional(db)
    .await
}

/// Names of the epochs that have begun and are in use: the newest, those whose end lies ahead, and those with a
/// petition that takes signatures or withdrawals. The newest first.
pub async fn list_in_use(db: &mut PgConnection, now: Time) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        "select epoch from petition_epoch e
         where leaf is not null
           and (ends_at > $1
                or number = (select max(number) from petition_epoch where leaf is not null)
                or exists (select from petition p where p.epoch = e.epoch and p.slot is not null
                           and p.state in ('seeking', 'checking', 'open')))
         order by number desc",
        now as _,
    )
    .fetch_all(db)
    .await
}

/// Every epoch that has begun, as it stands in the log.
pub async fn list_leaves(db: &mut PgConnection) -> Result<Vec<Json<EpochLeaf>>> {
    sqlx::query_scalar!(
        r#"select leaf as "leaf!: Json<EpochLeaf>" from petition_epoch where leaf is not null"#
    )
    .fetch_all(db)
    .await
}

/// Names of all epochs.
pub async fn list_names(db: &mut PgConnection) -> Result<Vec<String>> {
    sqlx::query_scalar!("select epoch from petition_epoch").fetch_all(db).await
}

/// Slots of petitions that this epoch has given out.
pub async fn count_slots(db: &mut PgConnection, epoch: &str) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "n!" from petition where epoch = $1 and slot >= 1"#, epoch,)
        .fetch_one(db)
        .await
}

pub struct Proposed<'a> {
    pub epoch: &'a str,
    pub number: i32,
    pub group: &'a str,
    pub representative: Uuid,
    pub ends_at: Time,
}

pub async fn insert(db: &mut PgConnection, new: Proposed<'_>) -> Result<()> {
    sqlx::query!(
        "insert into petition_epoch (epoch, number, group_name, representative_id, ends_at)
         values ($1, $2, $3, $4, $5)",
        new.epoch,
        new.number,
        new.group,
        new.representative,
        new.ends_at as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a proposal back that nobody has signed.
pub async fn delete_proposed(db: &mut PgConnection, epoch: &str) -> Result<()> {
    super::roll::delete_proposed(db, epoch).await?;
    sqlx::query!("delete from petition_epoch where epoch = $1 and leaf is null", epoch).execute(db).await?;
    Ok(())
}

pub struct Begun<'a> {
    pub epoch: &'a str,
    pub representative: Uuid,
    pub leaf: &'a EpochLeaf,
    pub leaf_hash: &'a [u8],
    pub entry: i64,
}

pub async fn begin(db: &mut PgConnection, begun: Begun<'_>, now: Time) -> Result<()> {
    sqlx::query!(
        "update petition_epoch set representative_id = $2, leaf = $3, leaf_hash = $4, ledger_entry = $5,
             began_at = $6 where epoch = $1",
        begun.epoch,
        begun.representative,
        Json(begun.leaf) as _,
        begun.leaf_hash,
        begun.entry,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets who was on the rolls of epochs that ended before this, and who was given a pack; the log keeps commitments.
pub async fn forget(db: &mut PgConnection, ended_before: Time) -> Result<()> {
    sqlx::query!(
        "delete from petition_pack p using petition_epoch e where e.epoch = p.epoch and e.ends_at < $1",
        ended_before as _,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "delete from petition_roll_entry r using petition_epoch e where e.epoch = r.epoch and e.ends_at < $1",
        ended_before as _,
    )
    .execute(db)
    .await?;
    Ok(())
}
