//! The transparency log: what is published or decided can't be changed afterwards without an outsider
//! noticing.
//!
//! A feature hands in a leaf with [`submit`], in the transaction of what it stands for; the sequencer gives
//! it a place and signs the tree's head ([`Ledger`]). A leaf holds hashes and nobody's data. Everything is
//! served under `/log/` in the C2SP formats, so that other people's tools check it; `daylight verify` and
//! the code in [`proof`] need no database and no network.

mod api;
pub mod command;
mod export;
pub mod files;
pub mod keys;
mod pages;
pub mod policy;
pub mod proof;
mod proofs;
mod push;
mod sequencer;
mod store;
mod tiles;
mod verifier;
pub mod witness;

use sqlx::PgConnection;

pub use proof::leaf::{Leaf, NoticeChange, Pause, RegisterChange, document_hash};
pub use proof::tree::Hash;
pub use push::keep;
pub use sequencer::{Ledger, Standing, forget_example};
pub use verifier::verifier_sha256;

use crate::clock::Time;
use crate::error::{Error, Result};
use crate::web::{Access, Routes};

pub fn routes() -> Routes {
    Routes::new()
        .get("/log", Access::Public, pages::list)
        .get("/log/checkpoint", Access::Public, api::checkpoint)
        .get("/log/checkpoints.atom", Access::Public, pages::feed)
        .get("/log/entries/{index}", Access::Public, pages::entry)
        .get("/log/entries/{index}/proof", Access::Public, api::proof)
        .get("/log/export", Access::Public, api::export_file)
        .get("/log/policy.txt", Access::Public, api::policy_file)
        .get("/log/tile/{*path}", Access::Public, api::tile)
        .get("/log/verify", Access::Public, verifier::page)
}

/// An entry, in the order in which entries were handed in; its place in the log is another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub i64);

/// What an entry's `content` is the hash of, as a feature's own rows have it now.
pub struct Document {
    pub entry: EntryId,
    /// Whether people without an account may read it.
    pub public: bool,
    /// Null for what is shown to nobody any more: it counts among the withheld.
    pub content: serde_json::Value,
}

/// Hands in a leaf, in the caller's transaction. Call [`Ledger::settle`] after the commit.
pub async fn submit(db: &mut PgConnection, leaf: &Leaf) -> Result<EntryId> {
    insert(db, leaf, None).await
}

/// Hands in a leaf that gets its place at the next full hour, or later: what whoever watches the log must not be
/// able to lay beside a clock.
pub async fn submit_for_the_hour(db: &mut PgConnection, leaf: &Leaf, now: Time) -> Result<EntryId> {
    let second = now.jiff().as_second();
    let hour = jiff::Timestamp::from_second(second - second.rem_euclid(3600) + 3600);
    insert(db, leaf, Some(hour.map_err(anyhow::Error::new)?.into())).await
}

/// Gives entries that wait for their hour a place before whatever is handed in from now on.
pub async fn release(db: &mut PgConnection, entries: &[EntryId]) -> Result<()> {
    let ids: Vec<i64> = entries.iter().map(|entry| entry.0).collect();
    Ok(store::release_entries(db, &ids).await?)
}

/// Hands in many leaves in this order, as the bytes that the log keeps; answers each one's entry.
pub async fn submit_many(db: &mut PgConnection, leaves: &[Vec<u8>]) -> Result<Vec<EntryId>> {
    let hashes: Vec<Vec<u8>> = leaves.iter().map(|bytes| proof::tree::leaf_hash(bytes).0.to_vec()).collect();
    Ok(store::insert_entries(db, leaves, &hashes).await?)
}

async fn insert(db: &mut PgConnection, leaf: &Leaf, not_before: Option<Time>) -> Result<EntryId> {
    let bytes = leaf.to_bytes().map_err(anyhow::Error::new)?;
    Ok(store::insert_entry(db, &bytes, proof::tree::leaf_hash(&bytes), not_before).await?)
}

/// The leaf hash of an entry: what the next one about the same thing names as the one before.
pub async fn leaf_hash_of(db: &mut PgConnection, entry: EntryId) -> Result<Hash> {
    let hash = store::find_hash(db, entry).await?;
    Ok(Hash::try_from(hash.as_slice()).map_err(anyhow::Error::new)?)
}

/// Where an entry stands in the log; `None` while it waits.
pub async fn position_of(db: &mut PgConnection, entry: EntryId) -> Result<Option<i64>> {
    Ok(store::find_position(db, entry).await?)
}

/// The proof that the entry at this place is in the log, as `/log/entries/{index}/proof` serves it; `None` while
/// no signed head holds it.
pub async fn proof_text(db: &mut PgConnection, ledger: &Ledger, index: i64) -> Result<Option<String>> {
    match proofs::of_entry(db, index, ledger.witnesses()).await {
        Ok(proof) => Ok(Some(proof.to_string())),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The newest signed checkpoint with its cosignatures; `None` before the first.
pub async fn newest_checkpoint(db: &mut PgConnection) -> Result<Option<String>> {
    Ok(store::list_checkpoints(db, 0, None, 1).await?.first().map(|row| row.note()))
}
