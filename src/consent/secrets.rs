//! What consent keeps outside the database: the key that signs policies, and the secret behind pseudonyms.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};

use super::store::policy as store;
use crate::app::AppState;
use crate::clock::Random;
use crate::error::Result;
use crate::ledger::files;
use crate::web::times;

pub struct Secrets {
    pub policy_key: SigningKey,
    pub pseudonyms: [u8; 32],
}

impl Secrets {
    /// Tells these keys from others, and nothing of them.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"daylight-policy-fingerprint/v1\0");
        hash.update(self.policy_key.verifying_key().as_bytes());
        hash.update(Sha256::digest(self.pseudonyms));
        times::hex(&hash.finalize()[..16])
    }
}

/// What is said when the data folder holds other keys than the database was used with.
const OTHER_KEYS: &str = "the folder `policy` in the data folder holds other keys than this database was used with: it was \
    lost, or the data folder is another one. Agents know their policies by the former key and systems know people by the \
    former names, so no policy is handed out and every question is answered with no. Put the former folder back; or, if \
    it is gone for good, run `daylight policy begin-again` and enrol agents and systems anew.";

/// Compares the keys with what the database was used with; with others, nothing is handed out.
pub async fn check(state: &AppState) -> Result<bool> {
    let ours = state.consent.secrets()?.fingerprint();
    let mut db = state.db.acquire().await?;
    let known = store::ensure_fingerprint(&mut db, &ours).await?;
    let same = known.is_none_or(|known| known == ours);
    if !same {
        tracing::error!("{OTHER_KEYS}");
        state.consent.distrust();
    }
    Ok(same)
}

/// Goes on with the keys that are in the folder now.
pub async fn begin_again(state: &AppState) -> Result<()> {
    let ours = state.consent.secrets()?.fingerprint();
    let mut db = state.db.acquire().await?;
    Ok(store::set_fingerprint(&mut db, &ours).await?)
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
