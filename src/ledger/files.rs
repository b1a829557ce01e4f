//! Small files that must survive: written whole or not at all, and on the disk before anybody relies on them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, anyhow};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};

/// Makes a folder that only its owner reads.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("{} can't be made", path.display()))
}

/// The file's text; `None` when there is no such file.
pub fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("{} can't be read", path.display())),
    }
}

/// Replaces a file's text; readable by its owner only.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let aside = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside)
        .with_context(|| format!("{} can't be written", aside.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, path).with_context(|| format!("{} can't be written", path.display()))?;
    if let Some(folder) = path.parent() {
        // Of a name alone it is empty, and means this folder.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// An Ed25519 key in PKCS #8, PEM; `None` when there is no such file.
pub fn read_key(path: &Path) -> anyhow::Result<Option<SigningKey>> {
    let Some(pem) = read(path)? else { return Ok(None) };
    let key = SigningKey::from_pkcs8_pem(&pem);
    key.map(Some).map_err(|_| anyhow!("{} is not an Ed25519 key in PKCS #8", path.display()))
}

pub fn write_key(path: &Path, key: &SigningKey) -> anyhow::Result<()> {
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|e| anyhow!("a key can't be written: {e}"))?;
    write(path, &pem)
}
