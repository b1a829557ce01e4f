//! A version as somebody was told it, for whoever records what was decided on it.

use anyhow::Context;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::Version;
use super::{integrity, store};
use crate::error::{Error, Result};
use crate::ledger::{self, EntryId, Hash, Ledger};

pub struct Told {
    pub version: Version,
    /// Of its document, and of its leaf in the log.
    pub content_sha256: [u8; 32],
    pub leaf_hash: Hash,
    /// Whether the words are those that were published.
    pub is_whole: bool,
}

/// A published version with the proof that it is what was published.
pub async fn find_told(db: &mut PgConnection, log: &Ledger, version: Uuid) -> Result<Told> {
    let version = store::find_version(db, version).await?.ok_or(Error::NotFound)?;
    let found = integrity::check(db, log, &version).await?;
    let entry = version.ledger_entry.context("a published version has an entry")?;
    let leaf_hash = ledger::leaf_hash_of(db, EntryId(entry)).await?;
    Ok(Told { content_sha256: found.content_sha256, leaf_hash, is_whole: found.holds, version })
}
