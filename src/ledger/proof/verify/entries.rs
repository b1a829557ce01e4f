//! The leaves one by one: canonical, known, and in unbroken chains.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::super::checkpoint::Checkpoint;
use super::super::leaf::Leaf;
use super::super::note::Note;
use super::super::tree::{Hash, leaf_hash, root};
use super::Report;
use super::keys::Keys;

const LEAVES: &str = "leaves";
const CHAINS: &str = "chains";
const BEGINNING: &str = "beginning";

/// The former log that leaf 0 names.
struct Former {
    /// Its last checkpoint; `None` when that can't be read.
    last: Option<(Note, Checkpoint)>,
    origin: String,
    kept: u64,
}

/// What a leaf says of its document.
pub struct Content {
    pub hash: Hash,
    /// Notices are everybody's to read.
    pub is_public: bool,
}

/// What is kept of the leaves while they are read.
#[derive(Default)]
pub struct Entries {
    hashes: Vec<Hash>,
    pub keys: Keys,
    /// By leaf: the document that belongs to it.
    pub contents: BTreeMap<u64, Content>,
    /// The newest leaf of each notice and processing.
    chains: HashMap<Uuid, Hash>,
    former: Option<Former>,
    /// `log` leaves at the start: more than one when the former log had begun again itself.
    beginnings: u64,
    /// Leaves of kinds that this version doesn't know.
    unknown: u64,
}

impl Entries {
    pub fn len(&self) -> u64 {
        self.hashes.len() as u64
    }

    pub fn add(&mut self, bytes: &[u8], report: &mut Report) {
        let index = self.len();
        let hash = leaf_hash(bytes);
        self.hashes.push(hash);
        let leaf = match Leaf::from_bytes(bytes) {
            Ok(Some(leaf)) => leaf,
            Ok(None) => {
                self.unknown += 1;
                return;
            }
            Err(fault) => {
                report.violated(LEAVES, Some(index), fault.to_string());
                return;
            }
        };
        if let Some(hash) = leaf.content() {
            let is_public = matches!(leaf, Leaf::Notice { .. });
            self.contents.insert(index, Content { hash, is_public });
        }
        if let Some((id, previous)) = leaf.chain() {
            if self.chains.get(&id).copied() != previous {
                let words = "it doesn't continue the entry before it about the same thing";
                report.violated(CHAINS, Some(index), words);
            }
            self.chains.insert(id, hash);
        }
        match leaf {
            Leaf::Key(key) => self.keys.add(index, &key, report),
            Leaf::Log { previous, kept, origin } if index == 0 => {
                let note: Option<Note> = previous.parse().ok();
                let last = note.and_then(|note| note.text.parse().ok().map(|checkpoint| (note, checkpoint)));
                self.former = Some(Former { last, origin, kept });
                self.beginnings = 1;
            }
            // The former log may have begun again as well.
            Leaf::Log { .. } if index <= self.beginnings && index <= self.kept() => self.beginnings += 1,
            Leaf::Log { .. } => report.violated(LEAVES, Some(index), "a log can't begin in its middle"),
            _ => {}
        }
    }

    /// How many leaves a former log left; they follow leaf 0.
    pub fn kept(&self) -> u64 {
        self.former.as_ref().map_or(0, |former| former.kept)
    }

    /// After the last one; `tree` are the hashes that the tree holds, `older` the file's older checkpoints.
    pub fn judge(&self, origin: &str, tree: &[Hash], older: &[Note], report: &mut Report) {
        if let Some(former) = &self.former {
            match self.judge_beginning(former, origin, tree, older) {
                Ok(words) => report.not_checked(BEGINNING, words),
                Err(words) => report.violated(BEGINNING, Some(0), words),
            }
        }
        report.unless_violated(LEAVES, format!("{} canonical leaves of {origin}", self.len() - self.unknown));
        if self.unknown > 0 {
            let words = format!("{} are of kinds not checked by this version", self.unknown);
            report.not_checked(LEAVES, words);
        }
        report.unless_violated(CHAINS, format!("{} notices and processings, unbroken", self.chains.len()));
    }

    /// What was lost when the log began again, or why the beginning doesn't hold.
    fn judge_beginning(
        &self,
        former: &Former,
        origin: &str,
        tree: &[Hash],
        older: &[Note],
    ) -> Result<String, &'static str> {
        let (note, last) = former.last.as_ref().ok_or("the former log's last checkpoint can't be read")?;
        if former.origin != origin || last.origin == origin {
            return Err("the former log and this one can't have these names");
        }
        if former.kept > last.size || former.kept >= self.len() {
            return Err("more leaves were kept than there were");
        }
        if former.kept == last.size && former_root(tree, last.size) != Some(last.root) {
            return Err("the leaves that were kept aren't those of the former log");
        }
        let mut words = format!(
            "this log began again after a restore: of the {} entries of {}, the last {} are lost",
            last.size,
            last.origin,
            last.size - former.kept
        );
        let mut heads = older.iter().chain([note]).filter(|n| self.keys.has_signed(&last.origin, n));
        let is_at_kept = |n: &Note| n.text.parse().is_ok_and(|c: Checkpoint| c.size == former.kept);
        if former.kept > 0 && !heads.any(is_at_kept) {
            words.push_str("; that those which were kept are unchanged is the operator's word");
        }
        if !self.keys.has_signed(&last.origin, note) {
            words.push_str("; its last head's key may have been announced among what was lost");
        }
        Ok(words)
    }

    /// A checkpoint of a former log: its entries follow leaf 0. Answers whether this was one.
    pub fn judge_former(&self, check: &'static str, note: &Note, tree: &[Hash], report: &mut Report) -> bool {
        let Some(former) = &self.former else { return false };
        let Ok(seen) = note.text.parse::<Checkpoint>() else { return false };
        if former.last.as_ref().is_none_or(|(_, last)| last.origin != seen.origin) {
            // One of a log still further back says nothing that its successor doesn't.
            return seen.origin != former.origin && self.keys.has_signed(&seen.origin, note);
        }
        let lost = seen.size.saturating_sub(former.kept);
        if lost > 0 {
            // The log's own older heads tell of what its first leaf says is lost.
            if check == "since" {
                report.violated(
                    check,
                    None,
                    format!("{lost} entries of the log you saw were lost in a restore"),
                );
            }
        } else if !self.keys.has_signed(&seen.origin, note) {
            report.violated(check, None, "the former log's checkpoint isn't signed by a key of it");
        } else if former_root(tree, seen.size) != Some(seen.root) {
            let words = format!("one of the leaves 1 to {} was changed when this log began", seen.size);
            report.violated(check, Some(1), words);
        }
        true
    }

    /// Each leaf against the hash that the tree holds for it.
    pub fn compare(&self, tree: &[Hash], said: u64, report: &mut Report) {
        const BYTES: &str = "entries";
        let differ = |i: &usize| self.hashes.get(*i) != tree.get(*i);
        let wrong: Vec<usize> = (0..self.hashes.len().max(tree.len())).filter(differ).collect();
        let Some(&first) = wrong.first() else {
            report.holds(BYTES, format!("each of {said} entries has the hash that the tree holds"));
            return;
        };
        // One entry too few or too many moves all that follow: say so once.
        let follows =
            |by: usize| wrong.iter().skip(1).take(3).all(|&i| self.hashes.get(i) == tree.get(i + by));
        let leaf = Some(first as u64);
        if self.hashes.len() < tree.len() && follows(1) {
            report.violated(BYTES, leaf, "it is missing");
        } else if self.hashes.len() > tree.len() {
            let copy = self
                .hashes
                .get(first)
                .and_then(|hash| tree[..first.min(tree.len())].iter().position(|h| h == hash));
            let words = match copy {
                Some(of) => format!("it is leaf {of} again"),
                None => "it was put in: the tree doesn't hold it".into(),
            };
            report.violated(BYTES, leaf, words);
        } else {
            let place: HashMap<&Hash, usize> = tree.iter().enumerate().map(|(i, h)| (h, i)).collect();
            for i in wrong {
                let moved = self.hashes.get(i).and_then(|hash| place.get(hash));
                let words = match moved {
                    Some(from) => format!("leaf {from} stands in its place"),
                    None if i >= self.hashes.len() => "it is missing".into(),
                    None => "its bytes were changed: they don't have the hash that the tree holds".into(),
                };
                report.violated(BYTES, Some(i as u64), words);
            }
        }
    }
}

/// The root of the former log's first `size` leaves, which follow leaf 0.
fn former_root(tree: &[Hash], size: u64) -> Option<Hash> {
    tree.get(1..=usize::try_from(size).ok()?).map(root)
}
