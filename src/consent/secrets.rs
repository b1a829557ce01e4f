//! What consent keeps outside the database: the key that signs policies, and the secret behind pseudonyms.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;

use crate::clock::Random;
use crate::ledger::files;

pub struct Secrets {
    pub policy_key: SigningKey,
    pub pseudonyms: [u8; 32],
}

/// Reads both from the folder `policy` of the data folder; makes what isn't there yet.
pub fn open(data_dir: &Path, random: &Random) -> anyhow::Result<Secrets> {
    let folder = data_dir.join("policy");
    files::make_folder(&folder)?;
    // Two servers that share the folder must not each make their own.
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(folder.join("lock"))?;
    lock.lock().with_context(|| format!("{} can't be locked", folder.display()))?;
    Ok(Secrets {
        policy_key: policy_key(&folder, random)?,
        pseudonyms: pseudonyms(folder.join("pseudonyms"), random)?,
    })
}

fn policy_key(folder: &Path, random: &Random) -> anyhow::Result<SigningKey> {
    let path = folder.join("key.pem");
    if let Some(key) = files::read_key(&path)? {
        return Ok(key);
    }
    let key = SigningKey::from_bytes(&random.bytes());
    files::write_key(&path, &key)?;
    Ok(key)
}

fn pseudonyms(path: PathBuf, random: &Random) -> anyhow::Result<[u8; 32]> {
    if let Some(text) = files::read(&path)? {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|b| b.try_into().ok());
        return bytes.with_context(|| format!("{} is damaged", path.display()));
    }
    let secret = random.bytes();
    files::write(&path, &URL_SAFE_NO_PAD.encode(secret))?;
    Ok(secret)
}
