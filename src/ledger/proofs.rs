//! Signed notes and proof files out of the database.

use anyhow::Context;
use sqlx::PgConnection;

use super::proof::note::Note;
use super::proof::policy::Policy;
use super::proof::tlog_proof::TlogProof;
use super::store::{self, CheckpointRow};
use super::tiles;
use crate::error::{Error, Result};

/// Checkpoints that are looked through for one that enough witnesses have cosigned.
const LOOK_BACK: i64 = 20;

impl CheckpointRow {
    /// The signed note with its cosignatures.
    pub fn note(&self) -> String {
        format!("{}\n{}{}", self.body, self.signature, self.cosignatures.concat())
    }
}

/// The newest checkpoint; not found before the first.
pub async fn newest(db: &mut PgConnection) -> Result<CheckpointRow> {
    store::list_checkpoints(db, 0, None, 1).await?.into_iter().next().ok_or(Error::NotFound)
}

/// The newest checkpoint of at least `size` entries that satisfies the policy, or else the newest one.
async fn best(db: &mut PgConnection, size: i64, witnesses: &Policy) -> Result<Option<Note>> {
    let mut newest = None;
    for row in store::list_checkpoints(db, size, None, LOOK_BACK).await? {
        let note: Note = row.note().parse().map_err(anyhow::Error::new)?;
        let cosigned = witnesses.cosignatures(&note).unwrap_or_default();
        if witnesses.is_quorum(&cosigned) {
            return Ok(Some(note));
        }
        newest.get_or_insert(note);
    }
    Ok(newest)
}

/// A proof that the entry at this place is in the log, with the entry itself.
pub async fn of_entry(db: &mut PgConnection, index: i64, witnesses: &Policy) -> Result<TlogProof> {
    let entry = store::list_entries(db, index, 1).await?.into_iter().next().ok_or(Error::NotFound)?;
    let checkpoint = best(db, index + 1, witnesses).await?.ok_or(Error::NotFound)?;
    let size = checkpoint.text.lines().nth(1).and_then(|s| s.parse().ok()).context("a checkpoint's size")?;
    let path = tiles::inclusion(db, index as u64, size).await?;
    Ok(TlogProof { extra: Some(entry.bytes), index: index as u64, path, checkpoint })
}
