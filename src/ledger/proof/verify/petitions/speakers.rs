//! Who speaks for the operator's and the representative's issuer: their chains of `key` leaves.

use super::super::super::leaf::KeyLeaf;
use super::super::super::tree::Hash;
use super::Report;

const SPEAKERS: &str = "issuers' keys";

/// The newest key of each role.
#[derive(Default)]
pub struct Speakers {
    /// The name under which all of them speak: the log's, or that of a log it continues.
    origin: Option<String>,
    newest: Vec<(String, Hash)>,
    count: usize,
}

impl Speakers {
    pub fn add(&mut self, index: u64, leaf: &KeyLeaf, names: &[String], report: &mut Report) {
        let before = self.of(&leaf.role);
        if leaf.previous != before {
            let words = format!("this key of the {} doesn't name the key before it", leaf.role);
            report.violated(SPEAKERS, Some(index), words);
        }
        if !leaf.is_signed() {
            let words = format!("this key of the {} wasn't signed by the one before it", leaf.role);
            report.violated(SPEAKERS, Some(index), words);
        }
        let known = names.contains(&leaf.origin);
        if !known || self.origin.as_ref().is_some_and(|origin| *origin != leaf.origin) {
            report.violated(SPEAKERS, Some(index), format!("this key is of another log: {}", leaf.origin));
            return;
        }
        self.origin = Some(leaf.origin.clone());
        // Whoever isn't in the chain doesn't speak from here on.
        if leaf.previous == before && leaf.is_signed() {
            self.newest.retain(|(role, _)| *role != leaf.role);
            self.newest.push((leaf.role.clone(), leaf.public_key));
            self.count += 1;
        }
    }

    fn of(&self, role: &str) -> Option<Hash> {
        self.newest.iter().find(|(known, _)| known == role).map(|(_, key)| *key)
    }

    /// The key with which the representative signs now.
    pub fn representative(&self) -> Option<Hash> {
        self.of("representative")
    }

    /// The name of the log in everything that is signed for petitions.
    pub fn origin(&self, names: &[String]) -> String {
        self.origin.clone().or_else(|| names.first().cloned()).unwrap_or_default()
    }

    pub fn judge(&self, report: &mut Report) {
        report.unless_violated(SPEAKERS, format!("{}, each signed by the one before it", self.count));
    }
}
