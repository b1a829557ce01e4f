//! What waits for the representative's signature; once it has it, an epoch begins and a roll counts.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::model;
use super::store::epochs::{self, Begun, EpochRow};
use super::store::lock;
use super::store::representative::{self, RepresentativeRow};
use super::store::roll;
use crate::app::AppState;
use crate::audit;
use crate::credentials::wire::{Countersignature, RollEntry, RollProposal};
use crate::error::{Error, Result};
use crate::ledger::proof::base64url;
use crate::ledger::proof::leaf::Leaf;
use crate::ledger::proof::petition::{
    EpochLeaf, Issuer, RollLeaf, SLOTS, epoch_message, is_signed, roll_message,
};
use crate::ledger::proof::token::TokenKey;
use crate::ledger::{self, Hash};

/// What waits for the representative's signature; `None` when nothing does.
pub async fn waiting(state: &AppState) -> Result<Option<RollProposal>> {
    let mut db = state.db.acquire().await?;
    let Some(epoch) = epochs::find_newest(&mut db).await? else { return Ok(None) };
    let Some(roll) = roll::find_waiting(&mut db, &epoch.epoch).await? else { return Ok(None) };
    if roll.size == 0 {
        return Ok(None);
    }
    let operator = match &epoch.leaf {
        Some(_) => None,
        None => Some(operator(state, &epoch.epoch).await?),
    };
    let entries = roll::list_named(&mut db, &epoch.epoch).await?.into_iter().map(|entry| {
        let id_key = entry.id_key.as_deref().map(Hash::try_from).transpose().map_err(anyhow::Error::new)?;
        Ok(RollEntry {
            worker_ref: entry.worker_ref,
            name: entry.name,
            department: entry.department,
            id_key,
            salt: base64url(&entry.salt),
        })
    });
    Ok(Some(RollProposal {
        version: u64::try_from(roll.version).map_err(anyhow::Error::new)?,
        operator,
        entries: entries.collect::<Result<_>>()?,
        previous: previous(&mut db, &epoch).await?,
        group: epoch.group_name,
        ends_at: epoch.ends_at,
        epoch: epoch.epoch,
    }))
}

async fn operator(state: &AppState, epoch: &str) -> Result<Issuer> {
    let keys = state.petitions.keys().open(epoch).await?;
    Ok(keys.as_issuer(model::operator_name(&state.config.base_url)))
}

/// Leaf hash of the epoch before one that hasn't begun.
async fn previous(db: &mut PgConnection, epoch: &EpochRow) -> Result<Option<Hash>> {
    if let Some(leaf) = &epoch.leaf {
        return Ok(leaf.previous);
    }
    let before = epochs::find_begun(db).await?.and_then(|before| before.leaf_hash);
    Ok(before.as_deref().map(Hash::try_from).transpose().map_err(anyhow::Error::new)?)
}

fn refused(words: &'static str) -> Error {
    Error::Rejected(StatusCode::FORBIDDEN, words.into())
}

/// Takes the representative's signature under a version of the roll, and with the first the epoch begins.
pub async fn countersign(
    state: &AppState,
    server: &RepresentativeRow,
    signed: &Countersignature,
) -> Result<()> {
    let now = state.clock.now();
    let changed = || Error::conflict("The roll has changed meanwhile. Ask for it again.");
    let mut tx = state.db.begin().await?;
    lock(&mut tx).await?;
    // It may have been replaced meanwhile, and the log knows only the new one's key.
    if representative::find(&mut tx).await?.is_none_or(|row| row.public_key != server.public_key) {
        return Err(refused("Another representative’s server was connected meanwhile."));
    }
    let epoch = epochs::find_newest(&mut tx).await?.ok_or_else(changed)?;
    let waiting = roll::find_waiting(&mut tx, &epoch.epoch).await?.ok_or_else(changed)?;
    let version = u64::try_from(waiting.version).map_err(anyhow::Error::new)?;
    let is_it = epoch.epoch == signed.epoch && version == signed.version && waiting.root == signed.root.0;
    if !is_it || (epoch.leaf.is_none() && epoch.ends_at <= now) {
        return Err(changed());
    }
    let size = u64::try_from(waiting.size).map_err(anyhow::Error::new)?;
    let message = roll_message(&state.config.log_origin, &signed.epoch, version, size, &signed.root);
    if !is_signed(&server.key()?, &message, &signed.signature) {
        return Err(refused("The roll isn’t signed by the representative’s key."));
    }
    match (&epoch.leaf, &signed.begins) {
        (None, Some(leaf)) => begin(&mut tx, state, server, &epoch, leaf).await?,
        (Some(_), None) => {}
        (None, None) => return Err(Error::invalid("/begins", "The first version begins its epoch.")),
        (Some(_), Some(_)) => return Err(Error::invalid("/begins", "The epoch has begun already.")),
    }
    let leaf = RollLeaf {
        epoch: signed.epoch.clone(),
        version,
        size,
        root: signed.root,
        signature: signed.signature.clone(),
    };
    let entry = ledger::submit(&mut tx, &Leaf::Roll(leaf)).await?;
    roll::sign(&mut tx, &epoch.epoch, waiting.version, &signed.signature, entry.0).await?;
    record(&mut tx, state, &epoch, waiting.version).await?;
    tx.commit().await?;
    state.ledger.settle_or_wait().await;
    Ok(())
}

/// Everybody sees in their access log that the representative read the roll with their name on it.
async fn record(db: &mut PgConnection, state: &AppState, epoch: &EpochRow, version: i32) -> Result<()> {
    let entry = |subject| audit::Entry {
        action: "roll.countersigned",
        subject,
        object: None,
        reason: Some(&epoch.epoch),
    };
    if version == 1 {
        return audit::record_system(db, state, entry(None)).await;
    }
    for person in roll::list_changed(db, &epoch.epoch, version).await? {
        audit::record_system(db, state, entry(Some(person))).await?;
    }
    Ok(())
}

async fn begin(
    db: &mut PgConnection,
    state: &AppState,
    server: &RepresentativeRow,
    epoch: &EpochRow,
    leaf: &EpochLeaf,
) -> Result<()> {
    let operator = operator(state, &epoch.epoch).await?;
    let wrong = |words| Error::invalid("/begins", words);
    if leaf.epoch != epoch.epoch || leaf.group != epoch.group_name || leaf.operator != operator {
        return Err(Error::conflict("The epoch that was proposed is another. Ask for it again."));
    }
    if leaf.previous != previous(db, epoch).await? {
        return Err(wrong("It doesn’t name the epoch before it."));
    }
    let former = epochs::list_leaves(db).await?;
    if leaf.representative.name != server.name || !are_keys(&leaf.representative, &operator, &former) {
        return Err(wrong("The representative’s keys aren’t one for each slot, or not their own and new."));
    }
    if !is_signed(&server.key()?, &epoch_message(&state.config.log_origin, leaf), &leaf.signature) {
        return Err(refused("The epoch isn’t signed by the representative’s key."));
    }
    let entry = ledger::submit(db, &Leaf::Epoch(leaf.clone())).await?;
    let leaf_hash = ledger::leaf_hash_of(db, entry).await?;
    let begun = Begun {
        epoch: &epoch.epoch,
        representative: server.id,
        leaf,
        leaf_hash: &leaf_hash.0,
        entry: entry.0,
    };
    Ok(epochs::begin(db, begun, state.clock.now()).await?)
}

/// A key for each slot, all different and never used before: a key that stood for two slots could be told by, and a
/// log that held one would be violated for ever.
fn are_keys(theirs: &Issuer, ours: &Issuer, former: &[Json<EpochLeaf>]) -> bool {
    let all: BTreeSet<&String> = theirs.keys.iter().chain(&ours.keys).collect();
    let used: BTreeSet<&String> =
        former.iter().flat_map(|leaf| leaf.operator.keys.iter().chain(&leaf.representative.keys)).collect();
    theirs.keys.len() as u64 == SLOTS
        && all.len() == theirs.keys.len() + ours.keys.len()
        && theirs.keys.iter().all(|key| !used.contains(key) && TokenKey::parse(key).is_ok())
}
