//! What a wallet checks before it asks for a pack: that everybody else is shown the same keys. An issuer that gave
//! each person keys of their own could tell by the key whose a signature is.

use anyhow::{Context, anyhow, bail, ensure};

use super::file::{Pinned, PinnedRepresentative};
use crate::credentials::wire::{EpochInfo, IssuerInfo};
use crate::ledger::proof::checkpoint::Checkpoint;
use crate::ledger::proof::leaf::Leaf;
use crate::ledger::proof::note::Check;
use crate::ledger::proof::petition::{IssuerRole, SLOTS, epoch_message, is_signed};
use crate::ledger::proof::policy::Policy;
use crate::ledger::proof::tlog_proof::TlogProof;
use crate::ledger::proof::tree::{leaf_hash, root_of_inclusion};

/// The dashboard's epoch, and the representative's of the same time.
pub fn epoch(
    pinned: &Pinned,
    representative: &PinnedRepresentative,
    ours: &EpochInfo,
    theirs: &EpochInfo,
) -> anyhow::Result<()> {
    let bytes = Leaf::Epoch(ours.epoch.clone()).to_bytes()?;
    let hash = leaf_hash(&bytes);
    ensure!(hash == ours.leaf_hash, "the dashboard's epoch isn't what its own leaf hash says");
    ensure!(
        theirs.leaf_hash == hash,
        "the dashboard and the representative's server show different keys; ask for nothing, and tell your representative"
    );
    let message = epoch_message(&pinned.origin, &ours.epoch);
    ensure!(
        ours.epoch.representative.name == representative.name
            && is_signed(&representative.key, &message, &ours.epoch.signature),
        "the epoch isn't signed by your representative's key"
    );
    let keys = [&ours.epoch.operator.keys, &ours.epoch.representative.keys];
    ensure!(keys.iter().all(|k| k.len() as u64 == SLOTS), "the epoch doesn't have a key for each slot");
    in_the_log(
        pinned,
        ours.proof.as_deref().context("the epoch isn't in the log yet; try again soon")?,
        &bytes,
    )
}

/// Whether the proof shows these bytes in the log whose keys were pinned.
pub fn in_the_log(pinned: &Pinned, proof: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let proof: TlogProof = proof.parse()?;
    let policy: Policy = pinned.policy.parse()?;
    let note = &proof.checkpoint;
    let mut signed = false;
    for key in policy.logs.iter().filter(|key| key.name == pinned.origin) {
        match key.check(note) {
            Check::Valid(_) => signed = true,
            Check::Broken => bail!("the log's signature doesn't verify"),
            Check::Absent => {}
        }
    }
    ensure!(signed, "the log isn't signed by the key that this wallet knows it by");
    let cosigned = policy.cosignatures(note)?;
    ensure!(policy.is_quorum(&cosigned), "too few of the log's witnesses have cosigned");
    let checkpoint: Checkpoint = note.text.parse()?;
    ensure!(checkpoint.origin == pinned.origin, "the proof is of another log");
    let root = root_of_inclusion(proof.index, checkpoint.size, leaf_hash(bytes), &proof.path);
    ensure!(root == Some(checkpoint.root), "the proof doesn't show that it stands in the log");
    Ok(())
}

/// What an issuer says of itself, as it must be.
pub fn issuer(info: &IssuerInfo, role: IssuerRole, origin: &str) -> anyhow::Result<()> {
    let what = match role {
        IssuerRole::Operator => "a dashboard",
        IssuerRole::Representative => "a representative's server",
    };
    ensure!(info.role == role, "this isn't {what}");
    ensure!(info.origin == origin, "the two servers name different logs");
    Ok(())
}

/// Whether something is still what was pinned.
pub fn same<T: PartialEq>(before: &T, now: &T, what: &str) -> anyhow::Result<()> {
    match before == now {
        true => Ok(()),
        false => Err(anyhow!(
            "{what} is another than at this wallet's first use. If your representative says that this is right, enrol \
             a wallet anew; else tell them"
        )),
    }
}
