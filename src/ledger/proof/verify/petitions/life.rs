//! A petition from its first version to its close, as its leaves have it.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::super::super::petition::{
    AnswerLeaf, CheckLeaf, CloseLeaf, Credential, FEW, Outcome, PetitionLeaf, SLOTS, START_SLOT,
    petition_message, threshold,
};
use super::super::super::tree::Hash;
use super::clock::Clock;
use super::issuing::{Epoch, Epochs};
use super::signatures::Keys;
use super::time::is_utc;
use super::work::{Test, Work};
use super::{Place, Report, short};

pub const PETITIONS: &str = "petitions";
pub const TALLIES: &str = "tallies";

const UNKNOWN: &str = "no leaf before it holds this version of a petition";
const REPLACED: &str = "a newer version of this petition replaced the one it is about";

/// A petition as its leaves have it so far.
pub struct Petition {
    pub leaf: Hash,
    pub version: u64,
    pub epoch: String,
    pub slot: u64,
    author: Option<Hash>,
    outcome: Option<Outcome>,
    pub clock: Clock,
    closed: bool,
    /// Signatures of the newest version that stand.
    pub stand: u64,
    /// For each key that ever signed a version, the leaf by which it did so first.
    pub signers: Vec<u64>,
    answers: u64,
    answer: Option<Hash>,
}

impl Petition {
    /// Why it takes no signatures.
    pub fn ended(&self) -> Option<&'static str> {
        match (self.closed, self.outcome) {
            (true, _) => Some("the petition was closed before"),
            (_, Some(Outcome::Refused)) => Some("the petition was refused before"),
            _ => None,
        }
    }
}

/// All petitions, and the keys that signed them.
#[derive(Default)]
pub struct Life {
    pub all: Vec<Petition>,
    by_id: HashMap<Uuid, usize>,
    /// Each version's petition.
    versions: HashMap<Hash, usize>,
    /// Who has which slot of an epoch.
    slots: HashMap<(String, u64), usize>,
    /// Of those without a name: their petition, and the leaf by which it began.
    authors: HashMap<(String, Hash), usize>,
    started: BTreeMap<String, Vec<u64>>,
    pub keys: Keys,
}

impl Life {
    /// The petition whose newest version this is.
    pub fn newest(&self, leaf: &Hash) -> Result<usize, &'static str> {
        let at = *self.versions.get(leaf).ok_or(UNKNOWN)?;
        if self.all[at].leaf == *leaf { Ok(at) } else { Err(REPLACED) }
    }

    pub fn petition(
        &mut self,
        at: Place,
        leaf: &PetitionLeaf,
        (origin, epochs): (&str, &Epochs),
        work: &mut Work,
        report: &mut Report,
    ) {
        let mut wrong = |words: &str| report.violated(PETITIONS, Some(at.index), words);
        let key = leaf.author.as_ref().map(|author| author.key);
        if epochs.get(&leaf.epoch).is_none() {
            wrong("no leaf before it announces its epoch");
        }
        if leaf.slot == START_SLOT || leaf.slot >= SLOTS {
            wrong("petitions have the slots 1 to 15");
        }
        if leaf.author.is_some() != leaf.signature.is_some() {
            wrong("an author without a name has a credential and signs");
        }
        let petition = match self.by_id.get(&leaf.petition).copied() {
            None => {
                if leaf.version != 1 {
                    wrong("its first version isn't the first");
                }
                let petition = Petition::begun(at, leaf);
                self.all.push(petition);
                let number = self.all.len() - 1;
                self.by_id.insert(leaf.petition, number);
                number
            }
            Some(number) => {
                if let Some(words) = self.all[number].refuses(leaf) {
                    wrong(words);
                }
                let petition = &mut self.all[number];
                (petition.leaf, petition.version, petition.stand) = (at.hash, leaf.version, 0);
                number
            }
        };
        self.versions.insert(at.hash, petition);
        if *self.slots.entry((leaf.epoch.clone(), leaf.slot)).or_insert(petition) != petition {
            wrong("another petition has this slot");
        }
        if let Some(key) = key {
            let known = self.authors.insert((leaf.epoch.clone(), key), petition);
            if known.is_some_and(|other| other != petition) {
                wrong("its author began another petition with the same credential");
            }
            if known.is_none() {
                self.started.entry(leaf.epoch.clone()).or_default().push(at.index);
            }
        }
        if let (Some(author), Some(signature)) = (&leaf.author, &leaf.signature) {
            const WORDS: &str = "it isn't signed by the key of its author";
            let message = petition_message(origin, leaf.petition, leaf.version, &leaf.content);
            let signature = signature.clone();
            work.add(at.index, PETITIONS, WORDS, Test::Signed { key: author.key, message, signature });
            if !tokens(at.index, PETITIONS, (epochs, &leaf.epoch, START_SLOT), author, work) {
                wrong("its epoch has no keys that can be checked");
            }
        }
    }

    pub fn check(&mut self, at: Place, leaf: &CheckLeaf, epochs: &Epochs, report: &mut Report) {
        let mut wrong = |words: &str| report.violated(PETITIONS, Some(at.index), words);
        let petition = match self.newest(&leaf.petition) {
            Ok(number) => &mut self.all[number],
            Err(words) => return wrong(words),
        };
        if petition.outcome.is_some() {
            wrong("the petition was checked before");
        } else if petition.closed {
            wrong("the petition was closed before");
        }
        if (leaf.outcome == Outcome::Refused) != leaf.code.is_some() {
            wrong("a refusal names a rule, and nothing else does");
        }
        if (leaf.outcome == Outcome::Refused) != leaf.content.is_some() {
            wrong("a refusal commits to its words, and nothing else does");
        }
        if !is_utc(&leaf.closes_at) {
            wrong("its close isn't a time of RFC 3339 in UTC");
        }
        let roll = epochs.get(&petition.epoch).map_or(0, Epoch::size);
        if leaf.outcome == Outcome::Opened && leaf.threshold != threshold(roll) {
            let words = "its threshold isn't a tenth of the roll, and ten at least";
            wrong(&format!("{words}: for {roll} people that is {}", threshold(roll)));
        }
        petition.outcome = petition.outcome.or(Some(leaf.outcome));
        if leaf.outcome == Outcome::Opened {
            petition.clock.opened(leaf.threshold);
            petition.clock.counted(petition.stand);
        }
    }

    pub fn answer(&mut self, at: Place, leaf: &AnswerLeaf, report: &mut Report) {
        let mut wrong = |words: &str| report.violated(PETITIONS, Some(at.index), words);
        let petition = match self.newest(&leaf.petition) {
            Ok(number) => &mut self.all[number],
            Err(words) => return wrong(words),
        };
        if leaf.number != petition.answers + 1 || leaf.previous != petition.answer {
            wrong("it doesn't continue the employer's answer before it");
        }
        (petition.answers, petition.answer) = (leaf.number, Some(at.hash));
    }

    pub fn close(&mut self, at: Place, leaf: &CloseLeaf, report: &mut Report) {
        let petition = match self.newest(&leaf.petition) {
            Ok(number) => &mut self.all[number],
            Err(words) => return report.violated(PETITIONS, Some(at.index), words),
        };
        if petition.closed {
            report.violated(PETITIONS, Some(at.index), "the petition was closed before");
        }
        petition.closed = true;
        petition.clock.closed(at.index, petition.stand);
        // Fewer than five are told nobody, also not at the end.
        let hidden = leaf.signatures == 0 && petition.stand < FEW;
        if leaf.signatures != petition.stand && !hidden {
            let words = format!(
                "it says that {} signatures stand, and by the leaves it is {}",
                leaf.signatures, petition.stand
            );
            report.violated(TALLIES, Some(at.index), words);
        }
    }

    pub fn judge(&self, epochs: &Epochs, report: &mut Report) {
        report.unless_violated(
            PETITIONS,
            format!("{}, each with a slot and unbroken versions", self.all.len()),
        );
        self.keys.judge(report);
        for (epoch, leaves) in &self.started {
            let [operator, representative] = epochs.get(epoch).map_or([0; 2], |epoch| epoch.issued());
            if let Some(leaf) = leaves.get(operator.min(representative) as usize) {
                let words = "more petitions were begun without a name than packs were given out";
                report.violated(TALLIES, Some(*leaf), words);
            }
        }
        for petition in &self.all {
            petition.judge(epochs, report);
            petition.clock.judge(&short(&petition.leaf), report);
        }
        let packs =
            "no petition has more signers than packs of either issuer, nor packs than people on the roll";
        report.unless_violated(TALLIES, packs);
    }

    /// The count that stands for the version with this leaf, and whether the petition was closed; `Err` says why
    /// there is none.
    pub fn count(&self, leaf: &Hash) -> Result<u64, &'static str> {
        self.newest(leaf).map(|number| self.all[number].stand)
    }
}

impl Petition {
    fn begun(at: Place, leaf: &PetitionLeaf) -> Self {
        Petition {
            leaf: at.hash,
            version: leaf.version,
            epoch: leaf.epoch.clone(),
            slot: leaf.slot,
            author: leaf.author.as_ref().map(|author| author.key),
            outcome: None,
            clock: Clock::default(),
            closed: false,
            stand: 0,
            signers: Vec::new(),
            answers: 0,
            answer: None,
        }
    }

    /// Why this can't be its next version.
    fn refuses(&self, leaf: &PetitionLeaf) -> Option<&'static str> {
        if leaf.version != self.version + 1 {
            return Some("its version doesn't follow the one before it");
        }
        if (&self.epoch, self.slot) != (&leaf.epoch, leaf.slot) {
            return Some("a petition's versions have one epoch and one slot");
        }
        if leaf.author.as_ref().map(|author| author.key) != self.author {
            return Some("a petition's versions have one author");
        }
        (self.outcome.is_some() || self.closed)
            .then_some("a petition that was checked or closed has no new version")
    }

    /// Whether no more signed than could.
    fn judge(&self, epochs: &Epochs, report: &mut Report) {
        let Some(epoch) = epochs.get(&self.epoch) else { return };
        let [operator, representative] = epoch.issued();
        let Petition { version, stand, .. } = self;
        let name = short(&self.leaf);
        if let Some(leaf) = self.signers.get(operator.min(representative) as usize) {
            let words = format!(
                "petition {name}: {} keys signed, and packs were given out {operator} times by the operator and \
                 {representative} times by the representative",
                self.signers.len()
            );
            report.violated(TALLIES, Some(*leaf), words);
            return;
        }
        let words = format!(
            "petition {name}, version {version}: signatures that stand: {stand}; packs: {operator} by the operator, \
             {representative} by the representative; roll of {}: {}",
            self.epoch,
            epoch.size()
        );
        report.holds(TALLIES, words);
    }
}

/// Has both tokens of a credential checked; whether its epoch has keys for it.
pub fn tokens(
    leaf: u64,
    check: &'static str,
    (epochs, epoch, slot): (&Epochs, &str, u64),
    credential: &Credential,
    work: &mut Work,
) -> bool {
    const WORDS: [&str; 2] = [
        "the operator's token isn't one for this slot and this key",
        "the representative's token isn't one for this slot and this key",
    ];
    let Some(keys) = epochs.get(epoch).and_then(|epoch| epoch.slot(slot)) else { return false };
    let tokens = [&credential.operator, &credential.representative];
    for ((slot, token), words) in keys.into_iter().zip(tokens).zip(WORDS) {
        work.add(leaf, check, words, Test::Token { slot, nonce: credential.key, token: token.clone() });
    }
    true
}
