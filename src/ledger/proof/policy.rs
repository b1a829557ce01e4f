//! C2SP `tlog-policy`: which logs are believed, and which witnesses must have cosigned.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::Fault;
use super::note::{Check, Key, Kind, Note};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    pub name: String,
    pub key: Key,
    /// Where checkpoints are sent (`add-checkpoint` is below it).
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    pub logs: Vec<Key>,
    pub witnesses: Vec<Witness>,
    groups: BTreeMap<String, Group>,
    /// A witness or a group; `None` asks for no cosignature.
    quorum: Option<String>,
}

impl FromStr for Policy {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let mut policy = Policy::default();
        let mut has_quorum = false;
        let mut members = BTreeSet::new();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split([' ', '\t']).filter(|w| !w.is_empty()).collect();
            let wrong = |why: &str| Fault::new(format!("line {} of the policy: {why}", number + 1));
            match words.as_slice() {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["log", key] | ["log", key, _] => {
                    let key: Key = key.parse().map_err(|e: Fault| wrong(&e.to_string()))?;
                    if key.kind != Kind::Ed25519 || policy.logs.iter().any(|k| k.public == key.public) {
                        return Err(wrong("not a log's key, or the same key twice"));
                    }
                    policy.logs.push(key);
                }
                ["witness", name, key, url @ ..] if url.len() < 2 => {
                    let key: Key = key.parse().map_err(|e: Fault| wrong(&e.to_string()))?;
                    let twice = policy.witnesses.iter().any(|w| w.key.public == key.public);
                    if key.kind != Kind::Cosignature || twice || policy.knows(name) {
                        return Err(wrong("not a witness's key, or the same key or name twice"));
                    }
                    let url = url.first().map(|u| u.to_string());
                    policy.witnesses.push(Witness { name: name.to_string(), key, url });
                }
                ["group", name, threshold, list @ ..] if !list.is_empty() => {
                    let threshold = match *threshold {
                        "all" => list.len(),
                        "any" => 1,
                        k => k.parse().map_err(|_| wrong("a threshold is all, any or a number"))?,
                    };
                    let known = list.iter().all(|m| *m != "none" && policy.knows(m));
                    let once = list.iter().all(|m| members.insert(m.to_string()));
                    if policy.knows(name) || !known || !once || threshold < 1 || threshold > list.len() {
                        return Err(wrong("a group's name, members or threshold can't be used"));
                    }
                    let list = list.iter().map(|m| m.to_string()).collect();
                    policy.groups.insert(name.to_string(), Group { threshold, members: list });
                }
                ["quorum", name] if !has_quorum => {
                    has_quorum = true;
                    if *name != "none" {
                        if !policy.knows(name) {
                            return Err(wrong("the quorum names nobody known above"));
                        }
                        policy.quorum = Some(name.to_string());
                    }
                }
                _ => return Err(wrong("can't be read")),
            }
        }
        if has_quorum { Ok(policy) } else { Err(Fault::new("the policy has no quorum line")) }
    }
}

impl Policy {
    fn knows(&self, name: &str) -> bool {
        name == "none" || self.groups.contains_key(name) || self.witnesses.iter().any(|w| w.name == name)
    }

    /// Whether it asks for any cosignature.
    pub fn asks_for_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// Valid cosignatures on this note: the witness's name and its time in seconds since 1970. A broken
    /// signature of a known witness spoils the note.
    pub fn cosignatures(&self, note: &Note) -> Result<Vec<(String, u64)>, Fault> {
        let mut found = Vec::new();
        for witness in &self.witnesses {
            match witness.key.check(note) {
                Check::Valid(time) => found.push((witness.name.clone(), time.unwrap_or(0))),
                Check::Broken => {
                    return Err(Fault::new(format!(
                        "the cosignature of witness {} doesn't verify",
                        witness.name
                    )));
                }
                Check::Absent => {}
            }
        }
        Ok(found)
    }

    /// Whether these witnesses are enough.
    pub fn is_quorum(&self, cosigned: &[(String, u64)]) -> bool {
        self.quorum.as_ref().is_none_or(|name| self.holds(name, cosigned))
    }

    fn holds(&self, name: &str, cosigned: &[(String, u64)]) -> bool {
        match self.groups.get(name) {
            Some(group) => {
                group.members.iter().filter(|m| self.holds(m, cosigned)).count() >= group.threshold
            }
            None => cosigned.iter().any(|(n, _)| n == name),
        }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::super::note::cosign;
    use super::*;

    fn witness(seed: u8) -> (SigningKey, Key) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = Key::new(&format!("w{seed}.example"), Kind::Cosignature, key.verifying_key()).unwrap();
        (key, public)
    }

    #[test]
    fn a_quorum_counts_witnesses_by_group() {
        let keys: Vec<_> = (1..=4).map(witness).collect();
        let mut text: String =
            keys.iter().enumerate().map(|(i, (_, k))| format!("witness X{i} {k}\n")).collect();
        text += "# two of three, and one more\ngroup some 2 X0 X1 X2\ngroup both all some X3\nquorum both\n";
        let policy: Policy = text.parse().unwrap();
        let cosigned_by = |who: &[usize]| {
            let body = "o\n1\nx\n";
            let lines = who.iter().map(|i| cosign(&keys[*i].1.name, &keys[*i].0, body, 5)).collect();
            policy.cosignatures(&Note { text: body.into(), signatures: lines }).unwrap()
        };
        assert!(policy.is_quorum(&cosigned_by(&[0, 2, 3])));
        assert!(!policy.is_quorum(&cosigned_by(&[0, 1, 2])));
        assert!(!policy.is_quorum(&cosigned_by(&[0, 3])));
    }

    #[test]
    fn policies_that_cant_be_kept_are_refused() {
        let (_, key) = witness(1);
        for wrong in [
            String::new(),
            "quorum somebody\n".into(),
            "quorum none\nquorum none\n".into(),
            format!("witness a {key}\nwitness b {key}\nquorum none\n"),
            format!("witness a {key}\ngroup g 2 a\nquorum g\n"),
            format!("group g any a\nwitness a {key}\nquorum g\n"),
            format!("log {key}\nquorum none\n"),
        ] {
            assert!(wrong.parse::<Policy>().is_err(), "{wrong}");
        }
    }
}
