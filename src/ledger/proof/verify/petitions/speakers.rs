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
        // One without a previous key begins anew, which is lawful.
        let continues = leaf.previous.is_none() || leaf.previous == before;
        if !continues {
            let words = format!("this key of the {} names another key as the one before it", leaf.role);
            report.violated(SPEAKERS, Some(index), words);
        }
        if !leaf.is_signed() {
            let words =
                format!("this key of the {} isn't signed by the one it names, or by itself", leaf.role);
            report.violated(SPEAKERS, Some(index), words);
        }
        let known = names.contains(&leaf.origin);
        if !known || self.origin.as_ref().is_some_and(|origin| *origin != leaf.origin) {
            report.violated(SPEAKERS, Some(index), format!("this key is of another log: {}", leaf.origin));
            return;
        }
        self.origin = Some(leaf.origin.clone());
        // Whoever isn't in the chain doesn't speak from here on.
        if continues && leaf.is_signed() {
            if leaf.previous.is_none() && before.is_some() {
                report.not_checked_at(SPEAKERS, index, unappointed(index, &leaf.role));
            }
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
        report.unless_violated(
            SPEAKERS,
            format!("{}, each signed by the one before it or announced anew", self.count),
        );
    }
}

/// Another representative was connected, or a key was lost. Whether that was right, people must say.
fn unappointed(index: u64, role: &str) -> String {
    let (whose, side) = match role {
        "representative" => ("another representative's key", "the workers' side"),
        _ => ("another key of the operator", "the one before it"),
    };
    format!("{whose} was announced here (leaf {index}); that {side} agreed isn't shown by the log")
}
