//! An issuer's keys: one for each slot of an epoch, kept in a folder, used for that slot and nothing else.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};
use blind_rsa_signatures::{Deterministic, KeyPair, PSS, SecretKey, Sha384};
use rand::{TryCryptoRng, TryRng};

use crate::clock::Random;
use crate::ledger::files;
use crate::ledger::proof::petition::{Issuer, SLOTS};
use crate::ledger::proof::token::{MODULUS_LENGTH, TokenKey};

const BITS: usize = 2048;

/// The private keys of an epoch, in the order of the slots.
pub struct IssuerKeys {
    secret: Vec<SecretKey<Sha384, PSS, Deterministic>>,
    public: Vec<TokenKey>,
}

impl IssuerKeys {
    /// Makes a key for each slot; takes a second or two.
    pub fn generate(random: &Random) -> anyhow::Result<Self> {
        let mut keys = Vec::new();
        for _ in 0..SLOTS {
            let pair = KeyPair::generate(&mut Source(random), BITS);
            keys.push(pair.map_err(|e| anyhow!("a token key can't be made: {e}"))?.sk);
        }
        Self::of(keys)
    }

    fn of(secret: Vec<SecretKey<Sha384, PSS, Deterministic>>) -> anyhow::Result<Self> {
        ensure!(secret.len() as u64 == SLOTS, "an epoch has {SLOTS} token keys, not {}", secret.len());
        let public = secret.iter().map(|key| {
            let components = key.components();
            let exponent = components.e();
            let first = exponent.iter().position(|b| *b != 0).unwrap_or(0);
            ensure!(exponent[first..] == [1, 0, 1], "a token key's exponent is not 65537");
            Ok(TokenKey::from_modulus(&components.n())?)
        });
        Ok(IssuerKeys { public: public.collect::<anyhow::Result<_>>()?, secret })
    }

    /// Reads an epoch's keys from its file (PKCS #8, PEM, one after the other); `None` when there is none.
    pub fn read(folder: &Path, epoch: &str) -> anyhow::Result<Option<Self>> {
        let path = path(folder, epoch)?;
        let Some(text) = files::read(&path)? else { return Ok(None) };
        const END: &str = "-----END PRIVATE KEY-----";
        let keys = text.split_inclusive(END).filter(|part| part.contains(END)).map(|part| {
            SecretKey::from_pem(part.trim_start()).map_err(|_| anyhow!("{} is damaged", path.display()))
        });
        Self::of(keys.collect::<anyhow::Result<_>>()?).map(Some)
    }

    /// Writes them down; refuses to replace an epoch's keys.
    pub fn write(&self, folder: &Path, epoch: &str) -> anyhow::Result<()> {
        let path = path(folder, epoch)?;
        ensure!(!path.exists(), "{} is there already; an epoch's keys never change", path.display());
        let mut text = String::new();
        for key in &self.secret {
            let pem = key.to_pem().map_err(|e| anyhow!("a token key can't be written: {e}"))?;
            text.push_str(pem.trim_end());
            text.push('\n');
        }
        files::make_folder(folder)?;
        files::write(&path, &text)
    }

    /// The epoch's keys: those in the folder; else those prepared ahead (`next.pem`); else new ones. Written down
    /// before anybody can see them.
    pub fn open(folder: &Path, epoch: &str, random: &Random) -> anyhow::Result<Self> {
        if let Some(keys) = Self::read(folder, epoch)? {
            return Ok(keys);
        }
        let prepared = path(folder, NEXT)?;
        if Self::read(folder, NEXT)?.is_some() {
            std::fs::rename(&prepared, path(folder, epoch)?)
                .with_context(|| format!("{} can't be moved", prepared.display()))?;
            return Self::read(folder, epoch)?.context("keys that were there are gone");
        }
        let keys = Self::generate(random)?;
        keys.write(folder, epoch)?;
        Ok(keys)
    }

    /// Makes keys for the epoch that comes next, so that it begins without a wait.
    pub fn prepare(folder: &Path, random: &Random) -> anyhow::Result<()> {
        match path(folder, NEXT)?.exists() {
            true => Ok(()),
            false => Self::generate(random)?.write(folder, NEXT),
        }
    }

    pub fn public(&self) -> &[TokenKey] {
        &self.public
    }

    /// As an epoch's leaf names them.
    pub fn as_issuer(&self, name: &str) -> Issuer {
        Issuer { name: name.into(), keys: self.public.iter().map(TokenKey::to_string).collect() }
    }

    /// Signs a pack of blinded messages, the nth with the key of slot n. The same pack gets the same answer. Some
    /// 25 ms: not for the async threads.
    pub fn sign_pack(&self, blinded: &[Vec<u8>], random: &Random) -> anyhow::Result<Vec<Vec<u8>>> {
        ensure!(blinded.len() == self.secret.len(), "a pack holds {SLOTS} messages");
        let signed = self.secret.iter().zip(blinded).map(|(key, message)| {
            ensure!(message.len() == MODULUS_LENGTH, "a blinded message is {MODULUS_LENGTH} bytes long");
            // Blinds the private operation, and checks its result against faults.
            let signed = key.blind_sign_with_rng(&mut Source(random), message);
            signed.map(|s| s.0).map_err(|_| anyhow!("a blinded message can't be signed"))
        });
        signed.collect()
    }
}

/// Name of the keys that wait for their epoch.
const NEXT: &str = "next";

fn path(folder: &Path, epoch: &str) -> anyhow::Result<PathBuf> {
    let plain = !epoch.is_empty()
        && epoch.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        && !epoch.starts_with('.');
    ensure!(plain, "an epoch can't be called {epoch:?}");
    Ok(folder.join(format!("{epoch}.pem")))
}

/// The injected randomness, as the crates want it.
struct Source<'a>(&'a Random);

impl TryRng for Source<'_> {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_le_bytes(self.0.bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_le_bytes(self.0.bytes()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for part in out.chunks_mut(32) {
            part.copy_from_slice(&self.0.bytes::<32>()[..part.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Source<'_> {}
