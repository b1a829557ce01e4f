//! What the log keeps outside the database: its private keys, and the last tree head it signed.
//!
//! A database restored from an older backup doesn't know what was signed since; this folder does.

use std::path::{Path, PathBuf};

use ed25519_dalek::{SigningKey, VerifyingKey};

use super::files;
use super::proof::checkpoint::Checkpoint;
use super::proof::note::Note;
use super::proof::tree::Hash;
use crate::web::times;

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
        let name = times::hex(&public.as_bytes()[..8]);
        self.folder.join(format!("{name}.pem"))
    }

    /// Keeps a new key.
    pub fn keep_key(&self, key: &SigningKey) -> anyhow::Result<()> {
        files::make_folder(&self.folder)?;
        files::write_key(&self.key_path(&key.verifying_key()), key)
    }

    /// The private half of this key; `None` when it isn't here.
    pub fn find_key(&self, public: &VerifyingKey) -> anyhow::Result<Option<SigningKey>> {
        Ok(files::read_key(&self.key_path(public))?.filter(|key| key.verifying_key() == *public))
    }

    fn signed_path(&self) -> PathBuf {
        self.folder.join("signed")
    }

    /// The last tree head that was signed here, with its note; `None` before the first.
    pub fn last_signed(&self) -> anyhow::Result<Option<(Note, Checkpoint)>> {
        let path = self.signed_path();
        let Some(text) = files::read(&path)? else { return Ok(None) };
        let unreadable = |e| anyhow::anyhow!("{} can't be read: {e}", path.display());
        let note: Note = text.parse().map_err(unreadable)?;
        let head = note.text.parse().map_err(unreadable)?;
        Ok(Some((note, head)))
    }

    /// Remembers a signed tree head, for good, before it leaves this process.
    pub fn remember_signed(&self, note: &Note) -> anyhow::Result<()> {
        files::make_folder(&self.folder)?;
        files::write(&self.signed_path(), &note.to_string())
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
    /// The folder has lost its record of what was signed, and the database has signed heads.
    Forgotten,
    /// A tile, or a file of the folder, can't be read.
    Unreadable,
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
            Refusal::Forgotten => "The log refuses to sign: the data folder has lost its record of what was \
                                   signed, so a rollback couldn't be noticed."
                .into(),
            Refusal::Unreadable => {
                "The log refuses to sign: its tree in the database, or its folder in the data \
                                    folder, can't be read. The server's log says more."
                    .into()
            }
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
