//! One proof file, with or without an export beside it.

use serde_json::Value;

use super::super::Fault;
use super::super::checkpoint::Checkpoint;
use super::super::leaf::{Leaf, document_hash};
use super::super::note::Check;
use super::super::policy::Policy;
use super::super::tlog_proof::TlogProof;
use super::super::tree::{Hash, leaf_hash, root, root_of_inclusion};
use super::keys::{Keys, judge_witnesses};
use super::{NOT_PROVEN, Report};

const PROOF: &str = "proof";

/// Checks a proof file by itself: its keys are the policy's. `document` is what the leaf commits to.
pub fn verify_proof(proof: &TlogProof, policy: &Policy, document: Option<&Value>) -> Result<Report, Fault> {
    let mut report = Report { not_proven: NOT_PROVEN.to_vec(), ..Report::default() };
    let checkpoint: Checkpoint = proof.checkpoint.text.parse()?;
    report.origin.clone_from(&checkpoint.origin);
    report.size = checkpoint.size;
    judge(proof, &checkpoint.origin, (policy, false), None, &mut report);
    // One that isn't canonical was named above.
    let leaf = proof.extra.as_deref().and_then(|bytes| Leaf::from_bytes(bytes).ok().flatten());
    match (document, leaf.and_then(|l| l.content())) {
        (None, _) => report.not_checked("document", "no document was given (--document)"),
        (Some(_), None) => report.violated("document", None, "this entry commits to no document"),
        (Some(document), Some(content)) if document_hash(document)? == content => {
            report.holds("document", "it is what was entered");
        }
        (Some(_), Some(_)) => report.violated("document", Some(proof.index), "it isn't what was entered"),
    }
    Ok(report)
}

/// Judges a proof by a policy, and whether that is the export's own; `known` are the keys and hashes of an export of the same log.
pub fn judge(
    proof: &TlogProof,
    origin: &str,
    (policy, is_own): (&Policy, bool),
    known: Option<(&Keys, &[Hash])>,
    report: &mut Report,
) {
    let leaf = Some(proof.index);
    let Some(bytes) = &proof.extra else {
        report.violated(PROOF, leaf, "the file doesn't hold the entry (its line \"extra\")");
        return;
    };
    if let Err(fault) = Leaf::from_bytes(bytes) {
        report.violated(PROOF, leaf, fault.to_string());
    }
    let checkpoint = match known {
        Some((keys, _)) => keys.read(origin, &proof.checkpoint),
        None => by_policy(proof, policy),
    };
    let checkpoint = match checkpoint {
        Ok(checkpoint) => checkpoint,
        Err(words) => {
            report.violated(PROOF, leaf, format!("its checkpoint: {words}"));
            return;
        }
    };
    let hash = leaf_hash(bytes);
    judge_path(proof, hash, &checkpoint, report);
    if let Some((_, hashes)) = known {
        if hashes.get(proof.index as usize) != Some(&hash) {
            report.violated(PROOF, leaf, "the log doesn't hold this entry at this place");
        }
        // A proof may be younger than the export; what both hold must be the same tree.
        let older = hashes.get(..usize::try_from(checkpoint.size).unwrap_or(usize::MAX));
        if older.is_some_and(|hashes| root(hashes) != checkpoint.root) {
            report.violated(PROOF, leaf, "its checkpoint isn't of the same tree as the export");
        }
    }
    judge_witnesses(policy, is_own, &proof.checkpoint, report);
    let words = format!("the entry stands in the log at index {}, among {}", proof.index, checkpoint.size);
    report.unless_violated(PROOF, words);
}

/// A proof without any policy: whether it fits the checkpoint that it carries, whoever signed that.
pub fn judge_unsigned(proof: &TlogProof, report: &mut Report) {
    let leaf = Some(proof.index);
    match (&proof.extra, proof.checkpoint.text.parse::<Checkpoint>()) {
        (Some(bytes), Ok(checkpoint)) => judge_path(proof, leaf_hash(bytes), &checkpoint, report),
        (None, _) => report.violated(PROOF, leaf, "the file doesn't hold the entry (its line \"extra\")"),
        (_, Err(fault)) => report.violated(PROOF, leaf, format!("its checkpoint: {fault}")),
    }
    report.unless_violated(PROOF, "its path leads from the entry to the root that its checkpoint names");
    let words = "no policy was given (--policy): the log's key isn't checked against anything you trust, so that \
                 whoever made this file may have made the log as well";
    report.not_checked("signature", words);
    report.not_checked("witnesses", "no policy was given (--policy)");
}

fn judge_path(proof: &TlogProof, hash: Hash, checkpoint: &Checkpoint, report: &mut Report) {
    if root_of_inclusion(proof.index, checkpoint.size, hash, &proof.path) != Some(checkpoint.root) {
        let words = "the path doesn't lead from the entry to the root that was signed";
        report.violated(PROOF, Some(proof.index), words);
    }
}

fn by_policy(proof: &TlogProof, policy: &Policy) -> Result<Checkpoint, String> {
    let checkpoint: Checkpoint = proof.checkpoint.text.parse().map_err(|e| format!("{e}"))?;
    let keys = policy.logs.iter().filter(|key| key.name == checkpoint.origin);
    for key in keys {
        match key.check(&proof.checkpoint) {
            Check::Valid(_) => return Ok(checkpoint),
            Check::Broken => return Err("its signature doesn't verify".into()),
            Check::Absent => {}
        }
    }
    Err("it isn't signed by a log that the policy names".into())
}
