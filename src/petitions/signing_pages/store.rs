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

/// The number under which a person's wallet is known; none until they have opened its page.
pub async fn find_worker_ref(db: &mut PgConnection, person: Uuid) -> Result<Option<Uuid>> {
    sqlx::query_scalar!("select worker_ref from wallet where person_id = $1", person).fetch_optional(db).await
}

/// The newest epoch that has begun.
pub async fn find_epoch(db: &mut PgConnection) -> Result<Option<String>> {
    sqlx::query_scalar!(
        "select epoch from petition_epoch where began_at is not null order by number desc limit 1"
    )
    .fetch_optional(db)
    .await
}
