//! Epochs with their token keys, versions of the roll, and packs that were given out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::super::petition::{
    EpochLeaf, IssueLeaf, Issuer, IssuerRole, RollLeaf, SLOTS, epoch_message, issue_message, roll_message,
};
use super::super::super::token::{TokenKey, challenge_digest};
use super::super::super::tree::Hash;
use super::work::{SlotKey, Test, Work};
use super::{Place, Report, is_plain};

const EPOCHS: &str = "epochs";
const ROLLS: &str = "rolls";
const PACKS: &str = "packs";

const UNKNOWN: &str = "no leaf before it announces its epoch";
const UNSIGNED: &str = "the representative's key that is valid here didn't sign it";

/// The name in all that is signed, and the representative's key that is valid now.
type Speaking<'a> = (&'a str, Option<Hash>);

/// An epoch as its leaves have it so far.
pub struct Epoch {
    /// The operator's keys and the representative's, in the order of the slots.
    keys: [Vec<Arc<SlotKey>>; 2],
    representative: String,
    versions: u64,
    size: u64,
    issued: [HashSet<u64>; 2],
}

impl Epoch {
    /// Both issuers' keys of a slot.
    pub fn slot(&self, slot: u64) -> Option<[Arc<SlotKey>; 2]> {
        let at = usize::try_from(slot).ok()?;
        Some([self.keys[0].get(at)?.clone(), self.keys[1].get(at)?.clone()])
    }

    /// How many have a pack of each issuer: at most so many can sign.
    pub fn issued(&self) -> [u64; 2] {
        [self.issued[0].len() as u64, self.issued[1].len() as u64]
    }

    /// People on the newest version of the roll.
    pub fn size(&self) -> u64 {
        self.size
    }
}

#[derive(Default)]
pub struct Epochs {
    all: HashMap<String, Epoch>,
    newest: Option<Hash>,
    /// Every token key so far: one key stands for one slot of one issuer, or it could mark people.
    keys: HashSet<[u8; 32]>,
}

impl Epochs {
    pub fn get(&self, epoch: &str) -> Option<&Epoch> {
        self.all.get(epoch)
    }

    pub fn epoch(&mut self, at: Place, leaf: &EpochLeaf, by: Speaking, work: &mut Work, report: &mut Report) {
        let mut wrong = |words: &str| report.violated(EPOCHS, Some(at.index), words);
        let (origin, speaker) = by;
        if leaf.previous != self.newest {
            wrong("it doesn't continue the epoch before it");
        }
        let names = [&leaf.epoch, &leaf.group, &leaf.operator.name, &leaf.representative.name];
        if !names.into_iter().all(|name| is_plain(name)) {
            wrong("a name can't be read");
        }
        if self.all.contains_key(&leaf.epoch) {
            wrong("this epoch began before");
        }
        let keys = [&leaf.operator, &leaf.representative].map(|issuer| self.slot_keys(origin, leaf, issuer));
        let keys = match keys {
            [Ok(operator), Ok(representative)] => [operator, representative],
            [Err(words), _] | [_, Err(words)] => {
                wrong(words);
                Default::default()
            }
        };
        signed(at.index, EPOCHS, speaker, epoch_message(origin, leaf), &leaf.signature, work, report);
        self.newest = Some(at.hash);
        let representative = leaf.representative.name.clone();
        let epoch = Epoch { keys, representative, versions: 0, size: 0, issued: Default::default() };
        self.all.entry(leaf.epoch.clone()).or_insert(epoch);
    }

    fn slot_keys(
        &mut self,
        origin: &str,
        leaf: &EpochLeaf,
        issuer: &Issuer,
    ) -> Result<Vec<Arc<SlotKey>>, &'static str> {
        if issuer.keys.len() as u64 != SLOTS {
            return Err("an issuer doesn't have 16 keys");
        }
        let mut slots = Vec::new();
        for (slot, text) in (0..).zip(&issuer.keys) {
            let key = TokenKey::parse(text).map_err(|_| "a token key isn't an RSA key of 2048 bits")?;
            if !self.keys.insert(Hash::of(&key.0).0) {
                return Err("a token key was used before, so that it could mark people");
            }
            let challenge = challenge_digest(&issuer.name, &leaf.epoch, &leaf.group, slot, origin);
            slots.push(Arc::new(SlotKey { key, challenge }));
        }
        Ok(slots)
    }

    pub fn roll(&mut self, at: Place, leaf: &RollLeaf, by: Speaking, work: &mut Work, report: &mut Report) {
        let (origin, speaker) = by;
        let mut wrong = |words: &str| report.violated(ROLLS, Some(at.index), words);
        let Some(epoch) = self.all.get_mut(&leaf.epoch) else { return wrong(UNKNOWN) };
        if leaf.version != epoch.versions + 1 {
            wrong("its version doesn't follow the one before it");
        }
        if leaf.size < epoch.size {
            wrong("the roll shrank: nobody is taken off it within an epoch");
        }
        let message = roll_message(origin, &leaf.epoch, leaf.version, leaf.size, &leaf.root);
        signed(at.index, ROLLS, speaker, message, &leaf.signature, work, report);
        (epoch.versions, epoch.size) = (leaf.version, leaf.size);
    }

    pub fn issue(&mut self, at: Place, leaf: &IssueLeaf, by: Speaking, work: &mut Work, report: &mut Report) {
        let (origin, speaker) = by;
        let mut wrong = |words: &str| report.violated(PACKS, Some(at.index), words);
        let Some(epoch) = self.all.get_mut(&leaf.epoch) else { return wrong(UNKNOWN) };
        let issuer = usize::from(leaf.issuer == IssuerRole::Representative);
        if leaf.index >= epoch.size {
            wrong("a pack for a place that isn't on the roll");
        } else if !epoch.issued[issuer].insert(leaf.index) {
            wrong("a second pack for the same place on the roll");
        }
        match (leaf.issuer, &leaf.signature) {
            (IssuerRole::Operator, None) => {}
            (IssuerRole::Operator, Some(_)) => {
                wrong("the operator's pack carries a signature that nobody checks")
            }
            (IssuerRole::Representative, signature) => {
                let message =
                    issue_message(origin, &leaf.epoch, &epoch.representative, leaf.index, &leaf.request);
                let signature = signature.as_deref().unwrap_or_default();
                signed(at.index, PACKS, speaker, message, signature, work, report);
            }
        }
    }

    pub fn judge(&self, report: &mut Report) {
        report.unless_violated(
            EPOCHS,
            format!("{}, with a key for each slot, none of them twice", self.all.len()),
        );
        let versions: u64 = self.all.values().map(|epoch| epoch.versions).sum();
        report
            .unless_violated(ROLLS, format!("{versions} versions, each signed and none smaller than before"));
        let [operator, representative] =
            [0, 1].map(|i| self.all.values().map(|e| e.issued()[i]).sum::<u64>());
        let words =
            format!("{operator} by the operator and {representative} by the representative, one a place");
        report.unless_violated(PACKS, words);
    }
}

/// Has the representative's signature checked.
fn signed(
    leaf: u64,
    check: &'static str,
    speaker: Option<Hash>,
    message: String,
    signature: &str,
    work: &mut Work,
    report: &mut Report,
) {
    match speaker {
        Some(key) => {
            work.add(leaf, check, UNSIGNED, Test::Signed { key, message, signature: signature.into() });
        }
        None => report.violated(check, Some(leaf), UNSIGNED),
    }
}
