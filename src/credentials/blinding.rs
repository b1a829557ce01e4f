//! The holder's side of RSABSSA-SHA384-PSS-Deterministic (RFC 9474): blind, and unblind what comes back.
//!
//! Salt and blinding factor come from the caller and not from chance, so that a wallet that was lost can ask for
//! the very same pack again.

use std::convert::Infallible;

use anyhow::{anyhow, ensure};
use blind_rsa_signatures::{
    BlindMessage, BlindSignature, BlindingResult, Deterministic, PSS, PublicKey, Secret, Sha384,
};
use rand::{TryCryptoRng, TryRng};

use crate::ledger::proof::token::TokenKey;

/// Bytes of the PSS salt.
pub const SALT_LENGTH: usize = 48;

/// What the holder keeps until the answer comes.
pub struct Blinded {
    /// Goes to the issuer.
    pub message: Vec<u8>,
    inverse: Vec<u8>,
}

type Key = PublicKey<Sha384, PSS, Deterministic>;

fn public(key: &TokenKey) -> anyhow::Result<Key> {
    PublicKey::from_spki(&key.spki()).map_err(|_| anyhow!("a token key can't be used"))
}

/// Blinds `input`. `stream` holds the salt, then candidates for the blinding factor, big end first: the first
/// that is below the modulus is taken, so that the factor is uniform.
pub fn blind(key: &TokenKey, input: &[u8], stream: &[u8]) -> anyhow::Result<Blinded> {
    blind_for(&public(key)?, &key.0, input, stream)
}

pub(super) fn blind_for(key: &Key, modulus: &[u8], input: &[u8], stream: &[u8]) -> anyhow::Result<Blinded> {
    ensure!(stream.len() >= SALT_LENGTH, "the stream is too short");
    let (salt, candidates) = stream.split_at(SALT_LENGTH);
    let fits = |c: &&[u8]| **c < *modulus && c.iter().any(|b| *b != 0);
    let factor = candidates.chunks_exact(modulus.len()).find(fits);
    let mut factor = factor.ok_or_else(|| anyhow!("the stream holds no blinding factor"))?.to_vec();
    // The crate reads numbers little end first.
    factor.reverse();
    let mut source = Scripted { salt: Some(salt), factor: Some(&factor) };
    let result = key.blind(&mut source, input).map_err(|e| anyhow!("blinding failed: {e}"))?;
    ensure!(source.salt.is_none() && source.factor.is_none(), "the stream wasn't used as it must be");
    Ok(Blinded { message: result.blind_message.0, inverse: result.secret.0 })
}

/// Unblinds the issuer's answer into a token's authenticator; refuses one that doesn't verify.
pub fn finalize(key: &TokenKey, input: &[u8], blinded: &Blinded, answer: &[u8]) -> anyhow::Result<Vec<u8>> {
    finalize_for(&public(key)?, input, blinded, answer)
}

pub(super) fn finalize_for(
    key: &Key,
    input: &[u8],
    blinded: &Blinded,
    answer: &[u8],
) -> anyhow::Result<Vec<u8>> {
    let result = BlindingResult {
        blind_message: BlindMessage(blinded.message.clone()),
        secret: Secret(blinded.inverse.clone()),
        msg_randomizer: None,
    };
    let signature = key.finalize(&BlindSignature(answer.to_vec()), &result, input);
    signature.map(|s| s.0).map_err(|_| anyhow!("the issuer's answer doesn't verify"))
}

/// Gives the salt and then the factor, each once; a crate that asked for anything else would be noticed.
struct Scripted<'a> {
    salt: Option<&'a [u8]>,
    factor: Option<&'a [u8]>,
}

impl TryRng for Scripted<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let next = if self.salt.is_some() { self.salt.take() } else { self.factor.take() };
        match next.filter(|bytes| bytes.len() == out.len()) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => out.fill(0),
        }
        Ok(())
    }
}

impl TryCryptoRng for Scripted<'_> {}
