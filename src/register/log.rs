//! What enters the log: each step that changes what is in force, with the hash of the whole revision.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::life::{Change, Revision, State};
use super::store;
use crate::app::AppState;
use crate::error::Result;
use crate::ledger::{self, Document, EntryId, Hash, Leaf, Pause, RegisterChange, document_hash};

/// Everything about a revision that people are shown.
fn document(revision: &Revision) -> Result<Value> {
    Ok(json!({
        "processing": revision.processing_id,
        "revision": revision.revision,
        "at": revision.at,
        "role": revision.by_role,
        "change": revision.change.id(),
        "state": revision.state.id(),
        "reason": revision.reason,
        "content": serde_json::to_value(&revision.content).map_err(anyhow::Error::new)?,
    }))
}

/// The leaf of a revision; `None` where nothing that was in force changes.
fn leaf(revision: &Revision, was_active: bool, previous: Option<Hash>) -> Result<Option<Leaf>> {
    let (processing, number) = (revision.processing_id, u32::try_from(revision.revision).unwrap_or(0));
    let content = document_hash(&document(revision)?).map_err(anyhow::Error::new)?;
    let register = |change| Leaf::Register { processing, revision: number, change, previous, content };
    let pause = Pause { processing, revision: number, previous, content };
    Ok(match revision.change {
        Change::Activated => Some(register(RegisterChange::Activated)),
        Change::Revised if revision.state == State::Active => Some(register(RegisterChange::Revised)),
        Change::Ended if was_active => Some(register(RegisterChange::Ended)),
        Change::Paused => Some(Leaf::Pause(pause)),
        Change::Resumed => Some(Leaf::Resume(pause)),
        _ => None,
    })
}

/// Hands a revision to the log, in the transaction that makes it. `before` is the history without it.
pub(super) async fn enter(db: &mut PgConnection, before: &[Revision], revision: &Revision) -> Result<()> {
    let was_active = before.iter().any(|r| r.state == State::Active);
    let previous = match store::find_newest_entry(db, revision.processing_id).await? {
        Some(entry) => Some(ledger::leaf_hash_of(db, entry).await?),
        None => None,
    };
    if let Some(leaf) = leaf(revision, was_active, previous)? {
        let entry = ledger::submit(db, &leaf).await?;
        store::insert_entry(db, revision.processing_id, revision.revision, entry).await?;
    }
    Ok(())
}

/// Hands in what was declared before there was a log.
pub async fn enter_backlog(state: &AppState) -> Result<()> {
    let mut tx = state.db.begin().await?;
    for id in store::list_without_entry(&mut tx).await? {
        store::lock_head(&mut tx, id).await?;
        let history = store::list_history(&mut tx, id).await?;
        for (i, revision) in history.iter().enumerate() {
            enter(&mut tx, &history[..i], revision).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// What the register's entries commit to, as its rows have it now.
pub async fn documents(db: &mut PgConnection) -> Result<Vec<Document>> {
    let entries: BTreeMap<(Uuid, i32), EntryId> = store::list_entries(db).await?.into_iter().collect();
    let mut documents = Vec::new();
    for revision in store::list_revisions(db).await? {
        if let Some(entry) = entries.get(&(revision.processing_id, revision.revision)) {
            let content = document(&revision)?;
            documents.push(Document { entry: *entry, public: false, content });
        }
    }
    Ok(documents)
}
