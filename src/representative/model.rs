//! Rules of the representative's server; no I/O.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Time;
use crate::credentials::wire::{RollEntry, RollProposal};
use crate::ledger::proof::from_base64url;
use crate::ledger::proof::petition::{EpochLeaf, FEW, SLOTS, roll_commitment, roll_root};
use crate::ledger::proof::token::TokenKey;
use crate::ledger::proof::tree::Hash;

/// The one group of people that the dashboard has.
const GROUP: &str = "all";

/// Before a petition's close from when on everything is handed over, however little it is.
const CLOSING_SECONDS: i64 = 2 * 3600;

/// A roll as this server signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roll {
    pub epoch: String,
    pub version: u64,
    pub root: Hash,
    pub entries: Vec<RollEntry>,
}

impl Roll {
    pub fn place_of(&self, id_key: &Hash) -> Option<u64> {
        let place = self.entries.iter().position(|e| e.id_key.as_ref() == Some(id_key))?;
        Some(place as u64)
    }

    pub fn at(&self, index: u64) -> Option<&RollEntry> {
        self.entries.get(usize::try_from(index).ok()?)
    }
}

/// An epoch as this server signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// 1, 2, 3, …
    pub number: u64,
    pub leaf: EpochLeaf,
    pub ends_at: Time,
    /// Its leaf was found in the log, just as it was signed.
    pub leaf_hash: Option<Hash>,
    pub packs_needed: u64,
}

/// How a proposal differs from what this server signed before.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Root of the proposal: what would be signed.
    pub root: Option<Hash>,
    pub begins: bool,
    /// Places in the proposal.
    pub added: Vec<usize>,
    pub removed: Vec<RollEntry>,
    /// Places, and who stood there before: another name or department.
    pub changed: Vec<(usize, RollEntry)>,
    /// Places with a key that was made known here.
    pub enrolled: Vec<usize>,
    /// Places with a key that was never made known here.
    pub strange: Vec<usize>,
    /// Why nobody may sign this.
    pub faults: Vec<String>,
}

impl Comparison {
    /// Whether this server's own records prove all that is new, so that nobody needs to look.
    pub fn is_proven(&self) -> bool {
        let quiet = self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty();
        !self.begins && quiet && self.strange.is_empty() && self.faults.is_empty()
    }
}

/// What this server knows when it looks at a proposal.
pub struct Known<'a> {
    /// The newest roll it signed.
    pub before: Option<&'a Roll>,
    pub epochs: &'a BTreeMap<String, Signed>,
    /// Keys made known here.
    pub enrolled: &'a HashMap<Uuid, Hash>,
    /// The operator's issuer name.
    pub operator: &'a str,
}

/// Compares what is proposed with what was signed.
pub fn compare(proposal: &RollProposal, known: &Known<'_>) -> Comparison {
    let mut found = Comparison { faults: whole(proposal), ..Comparison::default() };
    found.root = root(&proposal.entries);
    if found.root.is_none() {
        found.faults.push("It can’t be read: a salt isn’t 32 bytes long.".into());
    }
    let same = known.before.filter(|roll| roll.epoch == proposal.epoch);
    match same {
        Some(before) => grow(proposal, before, known, &mut found),
        None => begin(proposal, known, &mut found),
    }
    for (place, entry) in proposal.entries.iter().enumerate() {
        let Some(key) = &entry.id_key else { continue };
        let before = same.and_then(|roll| roll.entries.get(place)).and_then(|e| e.id_key.as_ref());
        if before == Some(key) {
            continue;
        }
        match known.enrolled.get(&entry.worker_ref) == Some(key) {
            true => found.enrolled.push(place),
            false => found.strange.push(place),
        }
    }
    found
}

/// What no roll may have.
fn whole(proposal: &RollProposal) -> Vec<String> {
    let mut faults = Vec::new();
    if proposal.group != GROUP {
        faults.push("It is for another group of people than all.".into());
    }
    let (mut people, mut keys) = (HashSet::new(), HashSet::new());
    if proposal.entries.iter().any(|e| !people.insert(e.worker_ref)) {
        faults.push("Somebody stands on it twice.".into());
    }
    if proposal.entries.iter().filter_map(|e| e.id_key).any(|key| !keys.insert(key)) {
        faults.push("Two people have the same key.".into());
    }
    faults
}

/// A later version of the same epoch: keys come in, people come after; nothing else.
fn grow(proposal: &RollProposal, before: &Roll, known: &Known<'_>, found: &mut Comparison) {
    if proposal.version != before.version + 1 {
        let words =
            format!("It is version {}, and version {} is next.", proposal.version, before.version + 1);
        found.faults.push(words);
    }
    let signed = known.epochs.get(&proposal.epoch).map(|signed| &signed.leaf.operator);
    if proposal.operator.as_ref().is_some_and(|operator| Some(operator) != signed) {
        found.faults.push("It names other keys of the dashboard than those that were signed.".into());
    }
    for (place, was) in before.entries.iter().enumerate() {
        let now = proposal.entries.get(place);
        let Some(now) = now.filter(|now| now.worker_ref == was.worker_ref) else {
            let words =
                format!("{} isn’t in their place any more. Within an epoch nobody is removed.", was.name);
            found.faults.push(words);
            found.removed.push(was.clone());
            continue;
        };
        // With a first key comes a new salt.
        let stays = was.id_key.is_some() || now.id_key.is_none();
        if stays && (now.id_key, &now.salt) != (was.id_key, &was.salt) {
            let words = format!("{}’s key was replaced. Within an epoch a key stays.", was.name);
            found.faults.push(words);
        }
        if now.name != was.name || now.department != was.department {
            found.changed.push((place, was.clone()));
        }
    }
    found.added = (before.entries.len()..proposal.entries.len()).collect();
}

/// The first version of a new epoch: leavers are gone, newcomers are there.
fn begin(proposal: &RollProposal, known: &Known<'_>, found: &mut Comparison) {
    found.begins = true;
    if known.epochs.contains_key(&proposal.epoch) || proposal.version != 1 {
        found.faults.push("A new epoch begins with version 1 of its roll, and begins once.".into());
    }
    let begun = known.epochs.values().filter(|signed| signed.leaf_hash.is_some());
    let last = begun.max_by_key(|signed| signed.number).and_then(|signed| signed.leaf_hash);
    if last.is_some() && proposal.previous != last {
        found.faults.push("It doesn’t continue the epoch that was signed last.".into());
    }
    match &proposal.operator {
        Some(operator) if operator.name == known.operator && are_keys(&operator.keys) => {}
        Some(_) => found.faults.push("The dashboard’s keys for it can’t be used, or are another’s.".into()),
        None => found.faults.push("It doesn’t name the dashboard’s keys.".into()),
    }
    let used = known.epochs.values().flat_map(|signed| &signed.leaf.operator.keys).collect::<HashSet<_>>();
    if proposal.operator.iter().flat_map(|o| &o.keys).any(|key| used.contains(key)) {
        found.faults.push("It uses a key of an earlier epoch again.".into());
    }
    let before = known.before.map(|roll| roll.entries.as_slice()).unwrap_or_default();
    let earlier: HashMap<Uuid, &RollEntry> = before.iter().map(|e| (e.worker_ref, e)).collect();
    for (place, now) in proposal.entries.iter().enumerate() {
        match earlier.get(&now.worker_ref) {
            None => found.added.push(place),
            Some(was) if was.name != now.name || was.department != now.department => {
                found.changed.push((place, (*was).clone()));
            }
            Some(_) => {}
        }
    }
    let present: HashSet<Uuid> = proposal.entries.iter().map(|e| e.worker_ref).collect();
    found.removed = before.iter().filter(|e| !present.contains(&e.worker_ref)).cloned().collect();
}

/// One key for each slot, none twice.
fn are_keys(keys: &[String]) -> bool {
    let distinct: HashSet<&String> = keys.iter().collect();
    keys.len() as u64 == SLOTS
        && distinct.len() == keys.len()
        && keys.iter().all(|key| TokenKey::parse(key).is_ok())
}

/// What a roll's leaf commits to; `None` where a salt can't be read.
pub fn root(entries: &[RollEntry]) -> Option<Hash> {
    let commitments = entries.iter().map(|entry| {
        let salt = from_base64url(&entry.salt).ok()?.try_into().ok()?;
        Some(roll_commitment(&salt, entry.worker_ref, entry.id_key.as_ref()))
    });
    Some(roll_root(&commitments.collect::<Option<Vec<_>>>()?))
}

/// People by department, before and after; those without one under an empty name.
pub fn by_department(before: &[RollEntry], after: &[RollEntry]) -> BTreeMap<String, (usize, usize)> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for entry in before {
        counts.entry(entry.department.clone().unwrap_or_default()).or_default().0 += 1;
    }
    for entry in after {
        counts.entry(entry.department.clone().unwrap_or_default()).or_default().1 += 1;
    }
    counts
}

/// Whether what waits for a petition may go now: enough that nobody is told apart, or hardly any time left.
pub fn may_go(waiting: usize, closes_at: Time, now: Time) -> bool {
    waiting as u64 >= FEW || (waiting > 0 && now >= closes_at.plus_seconds(-CLOSING_SECONDS))
}

/// A count as it may be shown: a page that counts one by one tells who came when.
pub fn band(count: usize) -> String {
    match count {
        0..5 => "fewer than five".into(),
        _ => format!("{} to {}", count / 5 * 5, count / 5 * 5 + 4),
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
