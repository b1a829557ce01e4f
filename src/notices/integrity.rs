//! Whether the words that stand here are those that were published: the document made from the rows is hashed
//! and compared with what the log holds.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sqlx::PgConnection;

use super::model::{self, Version};
use super::store::reading as store;
use crate::error::Result;

/// What a comparison with the log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integrity {
    /// Of the document as it stands in the database now.
    pub content_sha256: [u8; 32],
    pub holds: bool,
    /// Whether a retraction's time and reason are those in the log; true where there is none.
    pub retraction_holds: bool,
}

impl Integrity {
    pub fn is_whole(&self) -> bool {
        self.holds && self.retraction_holds
    }

    pub fn hex(&self) -> String {
        hex(&self.content_sha256)
    }

    /// Enough of it to compare by eye.
    pub fn short(&self) -> String {
        let hex = self.hex();
        hex.as_bytes()[..16].chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub async fn check(db: &mut PgConnection, version: &Version) -> Result<Integrity> {
    let content_sha256 = model::sha256(&version.document())?;
    let holds = stands_in_log(db, version, version.ledger_entry, &content_sha256).await?;
    let retraction_holds = match version.retraction_entry {
        Some(_) => {
            let hash = model::sha256(&version.retraction())?;
            stands_in_log(db, version, version.retraction_entry, &hash).await?
        }
        None => version.retracted_at.is_none(),
    };
    Ok(Integrity { content_sha256, holds, retraction_holds })
}

/// Whether the leaf is this version's and commits to this hash.
async fn stands_in_log(
    db: &mut PgConnection,
    version: &Version,
    entry: Option<i64>,
    hash: &[u8; 32],
) -> Result<bool> {
    let Some(entry) = entry else { return Ok(false) };
    let Some(bytes) = store::find_leaf(db, entry).await? else { return Ok(false) };
    let leaf: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok(leaf["t"] == "notice"
        && leaf["notice"] == version.notice_id.to_string()
        && leaf["version"] == version.number.to_string()
        && leaf["content"] == URL_SAFE_NO_PAD.encode(hash))
}
