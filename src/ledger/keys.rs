//! What the log keeps outside the database: its private keys, and the last tree head it signed.
//!
//! A database restored from an older backup doesn't know what was signed since; this folder does.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{SigningKey, VerifyingKey};

use super::proof::checkpoint::Checkpoint;
use super::proof::tree::Hash;

/// The folder `ledger` in the data folder.
#[derive(Debug, Clone)]
pub struct Vault {
    folder: PathBuf,
}

impl Vault {
    pub fn new(data_dir: &Path) -> Self {
        Vault { folder: data_dir.join("ledger") }
    }

    fn key_path(&self, public: &VerifyingKey) -> PathBuf {
        let name: String = public.as_bytes()[..8].iter().map(|b| format!("{b:02x}")).collect();
        self.folder.join(format!("{name}.pem"))
    }

    fn ensure_folder(&self) -> anyhow::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .with_context(|| format!("{} can't be made", self.folder.display()))
    }

    /// Keeps a new key (PKCS #8, PEM, readable by its owner).
    pub fn keep_key(&self, key: &SigningKey) -> anyhow::Result<()> {
        self.ensure_folder()?;
        let pem =
            key.to_pkcs8_pem(LineEnding::LF).map_err(|e| anyhow::anyhow!("a key can't be written: {e}"))?;
        self.write(&self.key_path(&key.verifying_key()), pem.as_bytes())
    }

    /// The private half of this key; `None` when it isn't here.
    pub fn find_key(&self, public: &VerifyingKey) -> anyhow::Result<Option<SigningKey>> {
        let path = self.key_path(public);
        let pem = match fs::read_to_string(&path) {
            Ok(pem) => pem,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("{} can't be read", path.display())),
        };
        let key = SigningKey::from_pkcs8_pem(&pem)
            .map_err(|_| anyhow::anyhow!("{} is not an Ed25519 key in PKCS #8", path.display()))?;
        Ok((key.verifying_key() == *public).then_some(key))
    }

    fn signed_path(&self) -> PathBuf {
        self.folder.join("signed")
    }

    /// The last tree head that was signed here; `None` before the first.
    pub fn last_signed(&self) -> anyhow::Result<Option<Checkpoint>> {
        let path = self.signed_path();
        match fs::read_to_string(&path) {
            Ok(text) => {
                let head = text.parse();
                head.map(Some).map_err(|e| anyhow::anyhow!("{} can't be read: {e}", path.display()))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).with_context(|| format!("{} can't be read", path.display())),
        }
    }

    /// Remembers a tree head, for good, before its signature leaves this process.
    pub fn remember_signed(&self, head: &Checkpoint) -> anyhow::Result<()> {
        self.ensure_folder()?;
        self.write(&self.signed_path(), head.to_string().as_bytes())
    }

    /// Whole or not at all, and on the disk when it returns.
    fn write(&self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let aside = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)
            .with_context(|| format!("{} can't be written", aside.display()))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path).with_context(|| format!("{} can't be written", path.display()))?;
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }
}

/// Why the log signs nothing; in words for the page and the administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The database knows less than was signed.
    Restored { signed: u64, found: u64 },
    /// It knows something else than was signed.
    Rewritten { size: u64 },
    /// The private half of the log's key isn't in the folder.
    NoKey,
    /// The folder belongs to another log.
    OtherLog { origin: String },
}

impl Refusal {
    pub fn words(&self) -> String {
        match self {
            Refusal::Restored { signed, found } => format!(
                "The log refuses to sign: it has signed {signed} entries, and the database holds {found}. The \
                 database was probably restored from an older backup."
            ),
            Refusal::Rewritten { size } => format!(
                "The log refuses to sign: the database's first {size} entries are not the ones it has signed."
            ),
            Refusal::NoKey => "The log refuses to sign: its private key is not in the data folder.".into(),
            Refusal::OtherLog { origin } => {
                format!("The log refuses to sign: the data folder belongs to the log {origin}.")
            }
        }
    }
}

/// Compares what was signed with what the database holds; `root_at` is the database's root at the signed size.
pub fn judge(signed: Option<&Checkpoint>, origin: &str, size: u64, root_at: Option<Hash>) -> Option<Refusal> {
    let signed = signed?;
    if signed.origin != origin {
        return Some(Refusal::OtherLog { origin: signed.origin.clone() });
    }
    if signed.size > size {
        return Some(Refusal::Restored { signed: signed.size, found: size });
    }
    (root_at != Some(signed.root)).then_some(Refusal::Rewritten { size: signed.size })
}
