//! Whether the words that stand here are those that were published: the document made from the rows is hashed
//! and compared with the leaf that lies under the log's last signed head. Neither the leaf's row nor the tiles
//! are believed by themselves: whoever rewrites them can't rewrite the head, which isn't in the database.

use std::collections::HashMap;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sqlx::PgConnection;

use super::model::{self, Version};
use crate::error::Result;
use crate::ledger::Ledger;
use crate::web::times;

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
        times::hex(&self.content_sha256)
    }

    /// Enough of it to compare by eye.
    pub fn short(&self) -> String {
        let hex = self.hex();
        hex.as_bytes()[..16].chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
    }
}

pub async fn check(db: &mut PgConnection, ledger: &Ledger, version: &Version) -> Result<Integrity> {
    let found = check_all(db, ledger, std::slice::from_ref(version)).await?;
    Ok(found.into_iter().next().context("one answer for each version")?)
}

/// As [`check`], for several, in their order.
pub async fn check_all(
    db: &mut PgConnection,
    ledger: &Ledger,
    versions: &[Version],
) -> Result<Vec<Integrity>> {
    let entries: Vec<i64> =
        versions.iter().flat_map(|v| [v.ledger_entry, v.retraction_entry]).flatten().collect();
    let leaves: HashMap<i64, Value> = ledger
        .signed_leaves(db, &entries)
        .await?
        .into_iter()
        .map(|(id, bytes)| (id, serde_json::from_slice(&bytes).unwrap_or_default()))
        .collect();
    let leaf = |entry: Option<i64>| entry.and_then(|id| leaves.get(&id));
    versions
        .iter()
        .map(|version| {
            let content_sha256 = model::sha256(&version.document())?;
            let retraction_holds = match version.retraction_entry {
                Some(entry) => {
                    let hash = model::sha256(&version.retraction())?;
                    leaf(Some(entry)).is_some_and(|l| commits(l, version, &hash))
                }
                None => version.retracted_at.is_none(),
            };
            let holds = leaf(version.ledger_entry).is_some_and(|l| commits(l, version, &content_sha256));
            Ok(Integrity { content_sha256, holds, retraction_holds })
        })
        .collect()
}

/// Whether the leaf is this version's and commits to this hash.
fn commits(leaf: &Value, version: &Version, hash: &[u8; 32]) -> bool {
    leaf["t"] == "notice"
        && leaf["notice"] == version.notice_id.to_string()
        && leaf["version"] == version.number.to_string()
        && leaf["content"] == URL_SAFE_NO_PAD.encode(hash)
}
