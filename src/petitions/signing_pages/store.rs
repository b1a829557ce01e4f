//! SQL of the pages on which one signs. No statement here reads signatures.

use sqlx::types::Json;
use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

/// A petition as one signs it: its newest version.
pub struct Target {
    pub state: String,
    pub epoch: String,
    pub slot: i32,
    pub version: i32,
    pub leaf_hash: Vec<u8>,
    pub document: Json<Document>,
    /// Until when it takes signatures, or supporters.
    pub until: Option<Time>,
}

/// Of a version's text, what is shown here.
#[derive(Debug, serde::Deserialize)]
pub struct Document {
    pub title: String,
    pub demand: String,
    #[serde(default)]
    pub background: String,
}

/// `None` for a draft, which nobody but its author sees.
pub async fn find_target(db: &mut PgConnection, petition: Uuid) -> Result<Option<Target>> {
    sqlx::query_as!(
        Target,
        r#"select p.state, p.epoch as "epoch!", p.slot as "slot!", p.version, v.leaf_hash,
                  v.document as "document: Json<Document>",
                  case p.state when 'seeking' then p.seeking_until else p.closes_at end as "until: Time"
           from petition p join petition_version v on v.petition_id = p.id and v.version = p.version
           where p.id = $1 and p.state <> 'draft'"#,
        petition,
    )
    .fetch_optional(db)
    .await
}

/// What a wallet is known by: the person's reference, and their public key.
pub struct Known {
    pub worker_ref: Uuid,
    pub id_key: Option<Vec<u8>>,
}

pub async fn find_wallet(db: &mut PgConnection, person: Uuid) -> Result<Option<Known>> {
    sqlx::query_as!(Known, "select worker_ref, id_key from wallet where person_id = $1", person)
        .fetch_optional(db)
        .await
}

/// The representative's server.
pub struct Representative {
    pub name: String,
    pub run_by: String,
    pub same_operator: bool,
}

pub async fn find_representative(db: &mut PgConnection) -> Result<Option<Representative>> {
    sqlx::query_as!(
        Representative,
        "select name, run_by, same_operator from representative_server where ended_at is null"
    )
    .fetch_optional(db)
    .await
}

/// The newest epoch that has begun.
pub async fn find_epoch(db: &mut PgConnection) -> Result<Option<String>> {
    sqlx::query_scalar!(
        "select epoch from petition_epoch where began_at is not null order by number desc limit 1"
    )
    .fetch_optional(db)
    .await
}

/// Packs of an epoch that both issuers gave out.
pub async fn count_packs(db: &mut PgConnection, epoch: &str) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!" from petition_pack o join petition_pack r
               on r.epoch = o.epoch and r.place = o.place and r.issuer = 'representative'
           where o.epoch = $1 and o.issuer = 'operator'"#,
        epoch,
    )
    .fetch_one(db)
    .await
}
