//! One round of the conversation with the dashboard: the roll, the epoch's place in the log, packs that were given
//! out, petitions, and the signatures that may go.

use axum::http::StatusCode;

use super::model::Signed;
use super::packs::Given;
use super::server::{Dashboard, Representative, locked};
use super::store::{EPOCHS, ONE, PACKS};
use crate::credentials::wire::{EpochInfo, IssueNotice, RollProposal};
use crate::error::{Error, Result};
use crate::ledger::proof::checkpoint::Checkpoint;
use crate::ledger::proof::leaf::Leaf;
use crate::ledger::proof::note::Check;
use crate::ledger::proof::petition::{EpochLeaf, issue_message};
use crate::ledger::proof::tlog_proof::TlogProof;
use crate::ledger::proof::tree::{Hash, leaf_hash, root_of_inclusion};

/// Notices of packs in one request at most.
const NOTICES: usize = 200;

impl Representative {
    /// One round. Answers what went wrong first; the rest is done all the same.
    pub async fn tick(&self) -> Result<()> {
        let _turn = self.0.turn.lock().await;
        let done = self.round().await;
        let mut contact = locked(&self.0.contact);
        match &done {
            Ok(()) => {
                contact.heard_at = Some(self.now());
                contact.failure = None;
            }
            Err(error) => contact.failure = Some(error.to_string()),
        }
        done
    }

    async fn round(&self) -> Result<()> {
        let dashboard = self.meet().await?;
        if dashboard.token.is_none() {
            return Ok(());
        }
        let steps = [
            self.send_countersignature().await,
            self.fetch_roll().await,
            self.check_epoch().await,
            self.send_notices().await,
            self.fetch_petitions().await,
            self.deliver().await,
        ];
        steps.into_iter().collect()
    }

    /// Takes the proposal down; signs it by itself where this server's own records prove all that is new.
    async fn fetch_roll(&self) -> Result<()> {
        let (_, token) = self.connected()?;
        let answer = self.get_with(&token, "/api/v1/representative/roll").await?;
        if answer.status == StatusCode::NO_CONTENT {
            return self.0.store.change(|change| Ok(change.remove(ONE, b"proposal")?));
        }
        let proposal: RollProposal = answer.read("its roll")?;
        self.0.store.change(|change| Ok(change.put(ONE, b"proposal", &proposal)?))?;
        let found = self.compared(&proposal)?;
        let doubted = self.challenges()?;
        let is_doubted = proposal.entries.iter().any(|entry| doubted.contains_key(&entry.worker_ref));
        match found.root {
            Some(root) if found.is_proven() && !is_doubted => self.sign_roll(proposal, root).await,
            _ => Ok(()),
        }
    }

    /// Looks for the newest epoch in the log, until it is found there just as it was signed.
    pub(super) async fn check_epoch(&self) -> Result<()> {
        let kept = self.kept();
        let Some(signed) = kept.newest().filter(|signed| signed.leaf_hash.is_none()) else { return Ok(()) };
        let answer = self.get("/api/v1/petitions/epoch").await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        let info: EpochInfo = answer.read("the epoch")?;
        if info.epoch.epoch != signed.leaf.epoch {
            return Ok(());
        }
        if info.epoch != signed.leaf {
            return Err(alarm("The epoch that the dashboard shows isn’t the one that was signed here."));
        }
        let Some(proof) = &info.proof else { return Ok(()) };
        let (dashboard, _) = self.connected()?;
        let hash = proven(&signed.leaf, proof, &dashboard)?;
        let begun = Signed { leaf_hash: Some(hash), packs_needed: info.packs_needed, ..signed.clone() };
        self.0.store.change(|change| Ok(change.put(EPOCHS, begun.leaf.epoch.as_bytes(), &begun)?))?;
        Ok(self.reload()?)
    }

    /// Tells the dashboard which packs were given out, for the log.
    async fn send_notices(&self) -> Result<()> {
        let (dashboard, token) = self.connected()?;
        let rows = self.0.store.list::<Given>(PACKS, b"")?;
        let unsent: Vec<_> = rows.into_iter().filter(|(_, given)| !given.told).collect();
        let mut done = Ok(());
        for part in unsent.chunks(NOTICES) {
            let notices: Vec<IssueNotice> =
                part.iter().map(|(_, given)| self.notice(&dashboard.origin, given)).collect();
            let answer = self.post_with(&token, "/api/v1/representative/issues", &notices).await?;
            if !answer.status.is_success() {
                done = Err(answer.refusal("packs that were given out"));
                continue;
            }
            self.0.store.change(|change| {
                for (key, given) in part {
                    change.put(PACKS, key, &Given { told: true, ..given.clone() })?;
                }
                Ok(())
            })?;
        }
        done
    }

    fn notice(&self, origin: &str, given: &Given) -> IssueNotice {
        let Given { epoch, index, request, .. } = given;
        let message = issue_message(origin, epoch, &self.0.options.name, *index, request);
        IssueNotice { epoch: epoch.clone(), index: *index, request: *request, signature: self.sign(&message) }
    }
}

/// Something that only a dashboard that lies, or a restored one, does.
fn alarm(words: &'static str) -> Error {
    tracing::error!("{words}");
    Error::conflict(words)
}

/// The leaf's hash, once the log's own signature and the path prove that it stands in the log.
fn proven(leaf: &EpochLeaf, proof: &str, dashboard: &Dashboard) -> Result<Hash> {
    let wrong = || alarm("The dashboard’s proof that the epoch stands in the log doesn’t hold.");
    let proof: TlogProof = proof.parse().map_err(|_| wrong())?;
    let bytes = Leaf::Epoch(leaf.clone()).to_bytes().map_err(anyhow::Error::new)?;
    let checkpoint: Checkpoint = proof.checkpoint.text.parse().map_err(|_| wrong())?;
    let keys = dashboard.keys();
    let signed = keys.iter().any(|key| matches!(key.check(&proof.checkpoint), Check::Valid(_)));
    let hash = leaf_hash(&bytes);
    let root = root_of_inclusion(proof.index, checkpoint.size, hash, &proof.path);
    match signed && checkpoint.origin == dashboard.origin && root == Some(checkpoint.root) {
        true => Ok(hash),
        false => Err(wrong()),
    }
}
