//! The leaves one by one: canonical, known, and in unbroken chains.

use std::collections::HashMap;

use uuid::Uuid;

use super::super::checkpoint::Checkpoint;
use super::super::leaf::Leaf;
use super::super::note::Note;
use super::super::tree::{Hash, leaf_hash, root};
use super::Report;
use super::keys::Keys;
use super::petitions::{Petitions, Place};

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
pub struct Entries {
    hashes: Vec<Hash>,
    pub keys: Keys,
    /// Leaves that commit to a document, in their order.
    pub contents: Vec<(u64, Content)>,
    pub petitions: Petitions,
    /// The newest leaf of each notice, processing and petition.
    chains: HashMap<Uuid, Hash>,
    /// Of the `log` leaves at the start: more than one when the former log had begun again itself.
    formers: Vec<Former>,
    /// Leaves of kinds that this version doesn't know.
    unknown: u64,
}

impl Entries {
    pub fn of(origin: &str) -> Self {
        Entries {
            hashes: Vec::new(),
            keys: Keys::default(),
            contents: Vec::new(),
            petitions: Petitions::new(origin),
            chains: HashMap::new(),
            formers: Vec::new(),
            unknown: 0,
        }
    }

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
            self.contents.push((index, Content { hash, is_public }));
        }
        if let Some((id, previous)) = leaf.chain() {
            if self.chains.get(&id).copied() != previous {
                let words = "it doesn't continue the entry before it about the same thing";
                report.violated(CHAINS, Some(index), words);
            }
            self.chains.insert(id, hash);
        }
        self.petitions.add(Place { index, hash }, &leaf, report);
        match leaf {
            Leaf::Key(key) => self.keys.add(index, &key, report),
            Leaf::Log { previous, kept, origin }
                if index == self.formers.len() as u64 && index <= self.kept() =>
            {
                let note: Option<Note> = previous.parse().ok();
                let last: Option<(Note, Checkpoint)> =
                    note.and_then(|note| note.text.parse().ok().map(|checkpoint| (note, checkpoint)));
                if let Some((_, last)) = &last {
                    self.petitions.continues(&last.origin);
                }
                self.formers.push(Former { last, origin, kept });
            }
            Leaf::Log { .. } => report.violated(LEAVES, Some(index), "a log can't begin in its middle"),
            _ => {}
        }
    }

    /// How many leaves a former log left; they follow leaf 0.
    pub fn kept(&self) -> u64 {
        self.formers.first().map_or(0, |former| former.kept)
    }

    /// What a leaf says of its document.
    pub fn content(&self, leaf: u64) -> Option<&Content> {
        let at = self.contents.binary_search_by_key(&leaf, |(index, _)| *index).ok()?;
        Some(&self.contents[at].1)
    }

    /// After the last one; `tree` are the hashes that the tree holds, `older` the file's older checkpoints.
    pub fn judge(&self, origin: &str, tree: &[Hash], older: &[Note], report: &mut Report) {
        if let Some(former) = self.formers.first() {
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
        report.unless_violated(
            CHAINS,
            format!("{} notices, processings and petitions, unbroken", self.chains.len()),
        );
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
        if former.kept == last.size && root_from(tree, 1, last.size) != Some(last.root) {
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

    /// Where the leaves of a former log begin, and how many of them are left.
    fn region(&self, origin: &str) -> Option<(u64, u64)> {
        let mut left = u64::MAX;
        for (n, former) in self.formers.iter().enumerate() {
            left = former.kept.min(left.saturating_sub(1));
            if former.last.as_ref().is_some_and(|(_, last)| last.origin == origin) {
                return Some((n as u64 + 1, left));
            }
        }
        None
    }

    /// A checkpoint of a former log, whose leaves follow the one that names it. Answers whether this was one;
    /// `older` are those that the file holds.
    pub fn judge_former(
        &self,
        check: &'static str,
        note: &Note,
        (tree, older): (&[Hash], &[Note]),
        report: &mut Report,
    ) -> bool {
        let Ok(seen) = note.text.parse::<Checkpoint>() else { return false };
        let Some((base, kept)) = self.region(&seen.origin) else { return false };
        let fits = |c: &Checkpoint| root_from(tree, base, c.size) == Some(c.root);
        let lost = seen.size.saturating_sub(kept);
        if !self.keys.has_signed(&seen.origin, note) {
            let words =
                "a former log's checkpoint is by a key that may have been announced among what was lost";
            report.not_checked(check, words);
        } else if lost > 0 && check == "since" {
            report.violated(check, None, format!("{lost} entries of the log you saw were lost in a restore"));
        } else if lost == 0 && !fits(&seen) {
            // The newest one before it that fits says from where.
            let heads = older.iter().filter(|n| self.keys.has_signed(&seen.origin, n));
            let heads = heads.filter_map(|n| n.text.parse::<Checkpoint>().ok());
            let good =
                heads.filter(|c| c.origin == seen.origin && c.size < seen.size && fits(c)).map(|c| c.size);
            let (first, last) = (base + good.max().unwrap_or(0), base + seen.size - 1);
            let words = format!("one of the leaves {first} to {last} was changed when a log began again");
            report.violated(check, Some(first), words);
        }
        // The log's own older heads beyond what was kept tell of what its first leaf says is lost.
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

/// The root of `size` leaves from `base` on; `None` where there are fewer.
fn root_from(tree: &[Hash], base: u64, size: u64) -> Option<Hash> {
    let (base, end) = (usize::try_from(base).ok()?, usize::try_from(base.checked_add(size)?).ok()?);
    tree.get(base..end).map(root)
}
