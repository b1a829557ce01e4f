//! SQL of the packs that were given out, and of what the representative's server reads.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

/// Notes that a pack was given out. A second one for the place violates `petition_pack_once`.
pub async fn insert(
    db: &mut PgConnection,
    epoch: &str,
    issuer: &str,
    place: i32,
    request: &[u8],
    entry: i64,
) -> Result<()> {
    sqlx::query!(
        "insert into petition_pack (epoch, issuer, place, request, ledger_entry) values ($1, $2, $3, $4, $5)",
        epoch,
        issuer,
        place,
        request,
        entry,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Hash of the request that a pack was given out for.
pub async fn find_request(
    db: &mut PgConnection,
    epoch: &str,
    issuer: &str,
    place: i32,
) -> Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "select request from petition_pack where epoch = $1 and issuer = $2 and place = $3",
        epoch,
        issuer,
        place,
    )
    .fetch_optional(db)
    .await
}

/// Places with packs of both issuers.
pub async fn count_both(db: &mut PgConnection, epoch: &str) -> Result<i64> {
    let count = sqlx::query_scalar!("select packs from petition_epoch where epoch = $1", epoch);
    Ok(count.fetch_optional(db).await?.map_or(0, i64::from))
}

/// A petition that signatures may be for.
pub struct PetitionRow {
    pub id: Uuid,
    pub leaf_hash: Vec<u8>,
    pub title: Option<String>,
    pub epoch: String,
    pub group_name: String,
    pub slot: i32,
    pub open_days: i32,
    pub seeking_until: Option<Time>,
    pub closes_at: Option<Time>,
}

/// Petitions that look for supporters, are checked, or take signatures, each with its newest version.
pub async fn list_petitions(db: &mut PgConnection) -> Result<Vec<PetitionRow>> {
    sqlx::query_as!(
        PetitionRow,
        r#"select p.id, v.leaf_hash, v.document->>'title' as title, e.epoch, e.group_name, p.slot as "slot!",
                  p.open_days, p.seeking_until, p.closes_at
           from petition p
           join petition_version v on v.petition_id = p.id and v.version = p.version
           join petition_epoch e on e.epoch = p.epoch
           where p.state in ('seeking', 'checking', 'open') and p.slot is not null order by p.id"#
    )
    .fetch_all(db)
    .await
}

/// Entries of the representative's packs that have no place in the log yet.
pub async fn list_unplaced(db: &mut PgConnection) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select p.ledger_entry from petition_pack p join ledger_entry l on l.id = p.ledger_entry
         where p.issuer = 'representative' and l.position is null"
    )
    .fetch_all(db)
    .await
}
