//! The roll: what is proposed, what this server signed, and who is doubted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::dashboard::missing;
use super::model::{Comparison, Known, Roll, Signed, compare};
use super::packs::Worker;
use super::server::Representative;
use super::store::{CHALLENGES, EPOCHS, ONE, ROLLS, WORKERS};
use crate::credentials::wire::{Countersignature, RollProposal};
use crate::error::{Error, Result};
use crate::ledger::proof::petition::{EpochLeaf, epoch_message, roll_message};
use crate::ledger::proof::tree::Hash;

/// A countersignature that the dashboard doesn't have yet, and what to go back to if it won't take it.
#[derive(Serialize, Deserialize)]
struct Unsent {
    countersignature: Countersignature,
    before: Option<Roll>,
}

/// Stands for all that a page showed of a proposal. The root alone says nothing of names.
pub(super) fn digest(proposal: &RollProposal) -> Result<Hash> {
    let json = serde_json::to_vec(proposal).map_err(anyhow::Error::new)?;
    Ok(Hash::of(&json))
}

impl Representative {
    /// What the dashboard proposes and this server hasn't signed.
    pub(super) fn proposal(&self) -> Result<Option<RollProposal>> {
        Ok(self.0.store.find(ONE, b"proposal")?)
    }

    /// Keys that were made known here, by worker.
    pub(super) fn enrolled(&self) -> Result<HashMap<Uuid, Hash>> {
        let rows = self.0.store.list::<Worker>(WORKERS, b"")?;
        let keys =
            rows.into_iter().filter_map(|(key, worker)| Some((Uuid::from_slice(&key).ok()?, worker.id_key?)));
        Ok(keys.collect())
    }

    pub(super) fn compared(&self, proposal: &RollProposal) -> Result<Comparison> {
        let (kept, enrolled) = (self.kept(), self.enrolled()?);
        let dashboard = self.dashboard();
        let operator = dashboard.as_ref().map_or("", |d| d.operator.as_str());
        let before = kept.newest_roll().map(Arc::as_ref);
        Ok(compare(proposal, &Known { before, epochs: &kept.epochs, enrolled: &enrolled, operator }))
    }

    /// Who is doubted, and why.
    pub(super) fn challenges(&self) -> Result<BTreeMap<Uuid, String>> {
        let rows = self.0.store.list::<String>(CHALLENGES, b"")?;
        Ok(rows.into_iter().filter_map(|(key, why)| Some((Uuid::from_slice(&key).ok()?, why))).collect())
    }

    /// Doubts a person on the list; nothing with them on it is signed until they are cleared.
    pub(super) fn challenge(&self, worker_ref: Uuid, reason: &str) -> Result<()> {
        if reason.is_empty() || reason.chars().count() > 500 {
            return Err(Error::invalid("reason", "Say in up to 500 letters why you doubt it."));
        }
        let known = self.people()?.iter().any(|p| p.worker_ref == worker_ref);
        if !known {
            return Err(Error::NotFound);
        }
        self.0.store.change(|change| Ok(change.put(CHALLENGES, worker_ref.as_bytes(), &reason)?))
    }

    pub(super) fn clear(&self, worker_ref: Uuid) -> Result<()> {
        self.0.store.change(|change| Ok(change.remove(CHALLENGES, worker_ref.as_bytes())?))
    }

    /// Signs the proposal that waits, as somebody who has looked at it decides.
    pub async fn countersign(&self) -> Result<()> {
        let proposal = self.proposal()?.ok_or(Error::conflict("Nothing waits for a signature."))?;
        self.countersign_seen(digest(&proposal)?).await
    }

    /// The same, if the proposal is still the one that was looked at.
    pub(super) async fn countersign_seen(&self, seen: Hash) -> Result<()> {
        let _turn = self.0.turn.lock().await;
        self.send_countersignature().await?;
        let proposal = self.proposal()?.ok_or(Error::conflict("Nothing waits for a signature."))?;
        let found = self.compared(&proposal)?;
        if digest(&proposal)? != seen {
            return Err(Error::conflict("The proposal has changed since you looked at it. Look again."));
        }
        if let Some(fault) = found.faults.first() {
            return Err(Error::conflict(format!("This roll can’t be signed. {fault}")));
        }
        let root = found.root.ok_or_else(|| missing("the root"))?;
        self.sign_roll(proposal, root).await?;
        // Whatever is wrong with the rest of the round shows in the next one.
        if let Err(error) = self.check_epoch().await {
            tracing::info!(%error, "the epoch can’t be checked yet");
        }
        Ok(())
    }

    /// Signs and keeps it, then hands the signature over.
    pub(super) async fn sign_roll(&self, proposal: RollProposal, root: Hash) -> Result<()> {
        let doubted = self.challenges()?;
        if proposal.entries.iter().any(|entry| doubted.contains_key(&entry.worker_ref)) {
            let words =
                "Somebody on this roll is challenged. Clear them, or have the dashboard’s people answer.";
            return Err(Error::conflict(words));
        }
        self.off(move |w| w.keep_signed(proposal, root)).await?;
        self.send_countersignature().await
    }

    fn keep_signed(&self, proposal: RollProposal, root: Hash) -> Result<()> {
        let dashboard = self.dashboard().ok_or_else(|| missing("the dashboard"))?;
        let kept = self.kept();
        let RollProposal { epoch, version, entries, .. } = &proposal;
        let message = roll_message(&dashboard.origin, epoch, *version, entries.len() as u64, &root);
        let begins = match kept.epochs.contains_key(epoch) {
            true => None,
            false => Some(self.signed_epoch(&proposal, &dashboard.origin)?),
        };
        let countersignature = Countersignature {
            epoch: epoch.clone(),
            version: *version,
            root,
            signature: self.sign(&message),
            begins: begins.clone(),
        };
        let before = kept.rolls.get(epoch).map(|roll| (**roll).clone());
        let number = kept.epochs.len() as u64 + 1;
        let roll = Roll { epoch: epoch.clone(), version: *version, root, entries: entries.clone() };
        self.0.store.change(|change| {
            change.put(ROLLS, epoch.as_bytes(), &roll)?;
            if let Some(leaf) = begins {
                let signed =
                    Signed { number, leaf, ends_at: proposal.ends_at, leaf_hash: None, packs_needed: 0 };
                change.put(EPOCHS, epoch.as_bytes(), &signed)?;
            }
            change.put(ONE, b"unsent", &Unsent { countersignature, before })?;
            Ok(change.remove(ONE, b"proposal")?)
        })?;
        Ok(self.reload()?)
    }

    /// The leaf with which an epoch begins, with both issuers' keys.
    fn signed_epoch(&self, proposal: &RollProposal, origin: &str) -> Result<EpochLeaf> {
        let operator = proposal.operator.clone().ok_or_else(|| missing("the operator’s keys"))?;
        let own = self.token_keys(&proposal.epoch)?.as_issuer(&self.0.options.name);
        let mut leaf = EpochLeaf {
            epoch: proposal.epoch.clone(),
            group: proposal.group.clone(),
            operator,
            representative: own,
            previous: proposal.previous,
            signature: String::new(),
        };
        leaf.signature = self.sign(&epoch_message(origin, &leaf));
        Ok(leaf)
    }

    /// Hands over what was signed. A dashboard that won't take it has moved on: then it is as if it hadn't been
    /// signed, so that the next proposal can be.
    pub(super) async fn send_countersignature(&self) -> Result<()> {
        let Some(unsent) = self.0.store.find::<Unsent>(ONE, b"unsent")? else { return Ok(()) };
        let (_, token) = self.connected()?;
        let answer = self.post_with(&token, "/api/v1/representative/roll", &unsent.countersignature).await?;
        if answer.status.is_success() {
            return self.0.store.change(|change| Ok(change.remove(ONE, b"unsent")?));
        }
        let may_change =
            [StatusCode::UNAUTHORIZED, StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        if answer.status.is_client_error() && !may_change.contains(&answer.status) {
            // A no to what was taken already, because its yes got lost, is no no.
            let asked = self.get_with(&token, "/api/v1/representative/roll").await?;
            let signed = &unsent.countersignature;
            let waits = asked.status == StatusCode::OK && {
                let next: RollProposal = asked.read("its roll")?;
                next.epoch == signed.epoch && next.version <= signed.version
            };
            if !waits {
                return self.0.store.change(|change| Ok(change.remove(ONE, b"unsent")?));
            }
            let epoch = unsent.countersignature.epoch.as_bytes();
            self.0.store.change(|change| {
                match &unsent.before {
                    Some(before) => change.put(ROLLS, epoch, before)?,
                    None => change.remove(ROLLS, epoch)?,
                }
                if unsent.countersignature.begins.is_some() {
                    change.remove(EPOCHS, epoch)?;
                }
                Ok(change.remove(ONE, b"unsent")?)
            })?;
            self.reload()?;
        }
        Err(answer.refusal("the countersignature"))
    }
}
