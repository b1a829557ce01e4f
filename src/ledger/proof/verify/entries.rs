//! The leaves one by one: canonical, known, and in unbroken chains.

use std::collections::HashMap;

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

/// What is kept of the leaves while they are read.
#[derive(Default)]
pub struct Entries {
    hashes: Vec<Hash>,
    pub keys: Keys,
    /// By leaf: the hash of the document that belongs to it.
    pub contents: HashMap<u64, Hash>,
    /// The newest leaf of each notice and processing.
    chains: HashMap<Uuid, Hash>,
    former: Option<Former>,
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
        if let Some(content) = leaf.content() {
            self.contents.insert(index, content);
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
            }
            // The former log may have begun again as well.
            Leaf::Log { .. } if index == 1 && self.kept() > 0 => {}
            Leaf::Log { .. } => report.violated(LEAVES, Some(index), "a log can't begin in its middle"),
            _ => {}
        }
    }

    /// How many leaves a former log left; they follow leaf 0.
    pub fn kept(&self) -> u64 {
        self.former.as_ref().map_or(0, |former| former.kept)
    }

    /// After the last one; `tree` are the hashes that the tree holds.
    pub fn judge(&self, origin: &str, tree: &[Hash], report: &mut Report) {
        if let Some(former) = &self.former {
            match self.judge_beginning(former, origin, tree) {
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
    fn judge_beginning(&self, former: &Former, origin: &str, tree: &[Hash]) -> Result<String, &'static str> {
        let (note, last) = former.last.as_ref().ok_or("the former log's last checkpoint can't be read")?;
        if former.origin != origin || last.origin == origin {
            return Err("the former log and this one can't have these names");
        }
        if former.kept > last.size || former.kept >= self.len() {
            return Err("more leaves were kept than there were");
        }
        if !self.keys.has_signed(&last.origin, note) {
            return Err("the former log's last checkpoint isn't signed by a key of it");
        }
        if former.kept == last.size && former_root(tree, last.size) != Some(last.root) {
            return Err("the leaves that were kept aren't those of the former log");
        }
        Ok(format!(
            "this log began again after a restore: of the {} entries of {}, the last {} are lost",
            last.size,
            last.origin,
            last.size - former.kept
        ))
    }

    /// A checkpoint of the former log, where there was one: its entries follow leaf 0. Answers whether
    /// this was one.
    pub fn judge_former(&self, note: &Note, tree: &[Hash], report: &mut Report) -> bool {
        const SINCE: &str = "since";
        let Some(former) = &self.former else { return false };
        let Ok(seen) = note.text.parse::<Checkpoint>() else { return false };
        if former.last.as_ref().is_none_or(|(_, last)| last.origin != seen.origin) {
            return false;
        }
        if !self.keys.has_signed(&seen.origin, note) {
            report.violated(SINCE, None, "the former log's checkpoint isn't signed by a key of it");
        } else if seen.size > former.kept {
            let lost = seen.size - former.kept;
            report.violated(SINCE, None, format!("{lost} entries of the log you saw were lost in a restore"));
        } else if former_root(tree, seen.size) != Some(seen.root) {
            report.violated(SINCE, None, "the former log's entries were changed when this one began");
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
