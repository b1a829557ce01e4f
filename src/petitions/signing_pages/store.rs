//! SQL of the pages on which one signs. No statement here reads signatures.

use serde_json::Value;
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
    /// The whole of it, as it was hashed.
    pub whole: Value,
    /// Of the leaf that is signed: its bytes, and its place in the log.
    pub leaf: Vec<u8>,
    pub position: Option<i64>,
    /// Until when it takes signatures, or supporters.
    pub until: Option<Time>,
}

impl Target {
    pub fn takes_signatures(&self, now: Time) -> bool {
        match self.state.as_str() {
            // Supporting goes on until somebody looks who found enough of it, and while it is checked.
            "seeking" | "checking" => true,
            "open" => self.until.is_none_or(|until| now < until),
            _ => false,
        }
    }
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
                  v.document as "document: Json<Document>", v.document as whole, e.bytes as leaf, e.position,
                  case p.state when 'seeking' then p.seeking_until else p.closes_at end as "until: Time"
           from petition p join petition_version v on v.petition_id = p.id and v.version = p.version
           join ledger_entry e on e.id = v.ledger_entry
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
