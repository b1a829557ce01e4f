//! Who osquery's programs are: each device has a secret with which they enrol, and keys that they got for it.
//!
//! Of a key only its hash is kept, in `osquery.json` in the device's folder, which is read at every request: taking a
//! line out of it, or the file away, ends the key.

use std::path::PathBuf;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::{Random, Time};
use crate::collection::report::Hash;
use crate::gateways::gate::Secret;
use crate::gateways::link::state;

/// In the device's folder.
pub(super) const NAME: &str = "osquery.json";
/// Keys of one device; the oldest goes when another comes.
const MAX_KEYS: usize = 5;
/// osquery enrols anew by itself when its key is out of date.
const KEY_DAYS: i64 = 90;
/// A shorter secret can be guessed.
const MIN_SECRET: usize = 16;

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    keys: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
struct Key {
    /// SHA-256.
    hash: Hash,
    since: Time,
}

/// The keys of one device.
pub(super) struct Nodes {
    name: String,
    secret: Hash,
    path: PathBuf,
    writing: Mutex<()>,
}

fn hash(text: &str) -> Hash {
    Hash(Sha256::digest(text.as_bytes()).into())
}

impl Nodes {
    /// `name` is the device's in the configuration, `path` the file of its keys.
    pub fn new(name: &str, secret: &Secret, path: PathBuf) -> anyhow::Result<Self> {
        let secret = secret.expose().trim();
        anyhow::ensure!(
            secret.len() >= MIN_SECRET,
            "osquery_secret_file: the secret must have at least {MIN_SECRET} characters"
        );
        Ok(Nodes { name: name.into(), secret: hash(secret), path, writing: Mutex::new(()) })
    }

    pub fn has_secret_of(&self, other: &Nodes) -> bool {
        self.secret == other.secret
    }

    /// Hashes are compared, so that time tells nothing of the secret.
    pub fn has_secret(&self, secret: &str) -> bool {
        self.secret == hash(secret.trim())
    }

    /// A new key for whoever knew the secret.
    pub fn enrol(&self, random: &Random, now: Time) -> anyhow::Result<String> {
        let _writing = self.writing.lock().expect("nobody panics while holding it");
        // Keys that can't be read are nobody's.
        let mut kept: Kept = state::read(&self.path).ok().flatten().unwrap_or_default();
        let key = format!("{}.{}", self.name, random.token());
        kept.keys.push(Key { hash: hash(&key), since: now });
        let surplus = kept.keys.len().saturating_sub(MAX_KEYS);
        kept.keys.drain(..surplus);
        state::write(&self.path, &kept)?;
        Ok(key)
    }

    /// Whether this is a key of this device that is still good.
    pub fn know(&self, key: &str, now: Time) -> bool {
        if key.split_once('.').is_none_or(|(name, _)| name != self.name) {
            return false;
        }
        let kept: Kept = state::read(&self.path).ok().flatten().unwrap_or_default();
        let hash = hash(key);
        kept.keys
            .iter()
            .any(|key| key.hash == hash && now < key.since.plus_days(KEY_DAYS) && now >= key.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(path: PathBuf) -> Nodes {
        let secret = path.with_extension("secret");
        std::fs::write(&secret, "a secret of some length\n").unwrap();
        Nodes::new("desk-1", &Secret::read(&secret).unwrap(), path).unwrap()
    }

    #[test]
    fn a_key_is_kept_as_its_hash_and_ends_with_its_line() {
        let path = std::env::temp_dir().join(format!("daylight-nodes-{}.json", std::process::id()));
        let nodes = nodes(path.clone());
        let (random, now) = (Random::seeded(1), Time::from(jiff::Timestamp::UNIX_EPOCH));
        assert!(nodes.has_secret("a secret of some length") && !nodes.has_secret("a secret"));
        assert!(!nodes.know("desk-1.x", now));
        let key = nodes.enrol(&random, now).unwrap();
        assert!(nodes.know(&key, now) && !nodes.know(&key, now.plus_days(90)));
        assert!(!nodes.know(&key.replace("desk-1", "desk-2"), now) && !nodes.know(&format!("{key}x"), now));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(key.split_once('.').unwrap().1), "only hashes are kept");
        let newer: Vec<String> = (0..MAX_KEYS).map(|_| nodes.enrol(&random, now).unwrap()).collect();
        assert!(!nodes.know(&key, now) && newer.iter().all(|key| nodes.know(key, now)));
        std::fs::write(&path, "damaged").unwrap();
        assert!(!nodes.know(&newer[0], now));
        let key = nodes.enrol(&random, now).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(!nodes.know(&key, now));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        let path = std::env::temp_dir().join(format!("daylight-short-{}.secret", std::process::id()));
        std::fs::write(&path, "short").unwrap();
        let refusal = Nodes::new("desk-1", &Secret::read(&path).unwrap(), path).err().unwrap().to_string();
        assert!(refusal.contains("at least 16") && !refusal.contains("short"));
    }
}
