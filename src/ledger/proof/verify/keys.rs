//! Which key signs at which size: the chain of `key` leaves, and who vouches for it.

use super::super::checkpoint::Checkpoint;
use super::super::leaf::KeyLeaf;
use super::super::note::{Check, Key, Kind, Note};
use super::super::policy::Policy;
use super::Report;

const KEYS: &str = "keys";

/// The keys of a log and of those that it continues, with the index from which each counts.
#[derive(Default)]
pub struct Keys(Vec<(u64, Key)>);

impl Keys {
    /// Takes up a key leaf, checked against the one before of the same log; those of other
    /// roles are the issuers' (`petitions`).
    pub fn add(&mut self, index: u64, leaf: &KeyLeaf, report: &mut Report) {
        if leaf.role != "log" {
            return;
        }
        let before = self.of(&leaf.origin).last().map(|(_, key)| key.public.to_bytes());
        if leaf.previous.map(|hash| hash.0) != before {
            let words = "this key doesn't name the key before it";
            report.violated(KEYS, Some(index), words);
        }
        if !leaf.is_signed() {
            report.violated(KEYS, Some(index), "this key wasn't signed by the one before it");
        }
        match Key::from_bytes(&leaf.origin, Kind::Ed25519, &leaf.public_key.0) {
            Ok(key) => self.0.push((index, key)),
            Err(fault) => report.violated(KEYS, Some(index), fault.to_string()),
        }
    }

    fn of<'a>(&'a self, origin: &'a str) -> impl DoubleEndedIterator<Item = &'a (u64, Key)> {
        self.0.iter().filter(move |(_, key)| key.name == origin)
    }

    /// Whether the policy names one of the keys, of which the later ones are signed by the earlier. Keys of
    /// other logs stand only among the `kept` leaves that a former log left.
    pub fn judge(&self, origin: &str, kept: u64, policy: &Policy, is_own: bool, report: &mut Report) {
        for (index, key) in &self.0 {
            if (key.name == origin) == (1..=kept).contains(index) {
                let words = format!("this key is of the log {}, which it can't be here", key.name);
                report.violated(KEYS, Some(*index), words);
            }
        }
        let count = self.of(origin).count();
        if count == 0 {
            report.violated(KEYS, None, "no leaf announces the key that signs");
            return;
        }
        let named = policy.logs.iter().filter(|k| k.name == origin);
        let trusted = named.into_iter().any(|k| self.of(origin).any(|(_, key)| key.public == k.public));
        match (trusted, is_own) {
            (false, _) => report.violated(KEYS, None, "none of the policy's keys is a key of this log"),
            (true, true) => report.not_checked(
                KEYS,
                "the keys are the export's own word; give --policy with a policy that you got elsewhere",
            ),
            (true, false) if count == 1 => report.unless_violated(KEYS, "one key, which your policy names"),
            (true, false) => {
                report.unless_violated(KEYS, format!("{count} keys, each signed by the one before"));
            }
        }
    }

    /// Whether the note is a checkpoint of this log, signed by the key that is valid at its size: the newest
    /// that was announced before.
    pub fn read(&self, origin: &str, note: &Note) -> Result<Checkpoint, String> {
        let checkpoint: Checkpoint = note.text.parse().map_err(|e| format!("{e}"))?;
        if checkpoint.origin != origin {
            return Err(format!("it is of the log {}", checkpoint.origin));
        }
        let valid = self.of(origin).rev().find(|(index, _)| *index < checkpoint.size);
        let (_, key) = valid.ok_or("no key is valid at its size")?;
        match key.check(note) {
            Check::Valid(_) => Ok(checkpoint),
            Check::Broken => Err("its signature doesn't verify".into()),
            Check::Absent => Err("it isn't signed by the key that is valid at its size".into()),
        }
    }

    /// Whether a checkpoint of a former log was signed by one of its keys.
    pub fn has_signed(&self, origin: &str, note: &Note) -> bool {
        self.of(origin).any(|(_, key)| matches!(key.check(note), Check::Valid(_)))
    }
}

/// Whether enough witnesses cosigned; says when.
pub fn judge_witnesses(policy: &Policy, is_own: bool, note: &Note, report: &mut Report) {
    const WITNESSES: &str = "witnesses";
    match policy.cosignatures(note) {
        Err(fault) => report.violated(WITNESSES, None, fault.to_string()),
        Ok(found) if !policy.is_quorum(&found) => {
            let words = format!("{} cosigned, which is fewer than the policy asks for", people(found.len()));
            report.violated(WITNESSES, None, words);
        }
        Ok(found) if found.is_empty() => {
            let words =
                "nobody cosigned and the policy asks for nobody: others may have been shown another log";
            report.not_checked(WITNESSES, words);
        }
        Ok(found) => {
            let list: Vec<String> =
                found.iter().map(|(name, time)| format!("{name} at {}", utc(*time))).collect();
            let words = format!("cosigned by {}", list.join(", "));
            match is_own {
                true => {
                    report.not_checked(WITNESSES, format!("{words}; who they are is the export's own word"))
                }
                false => report.holds(WITNESSES, words),
            }
        }
    }
}

fn people(n: usize) -> String {
    match n {
        0 => "No witness".into(),
        1 => "One witness".into(),
        n => format!("{n} witnesses"),
    }
}

/// Seconds since 1970 as RFC 3339.
pub fn utc(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    time.map_or_else(|| format!("second {seconds}"), |t| t.to_string())
}
