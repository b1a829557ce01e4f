//! A worker's wallet in 32 bytes: everything it holds is derived from them, so a code on paper brings it back.

use ed25519_dalek::SigningKey;
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

use super::blinding::SALT_LENGTH;
use crate::ledger::proof::token::{MODULUS_LENGTH, TokenKey};
use crate::ledger::proof::tree::Hash;

const SALT: &[u8] = b"daylight-wallet/v1";

/// Candidates for a blinding factor in a stream: as many as one HKDF expansion gives.
const CANDIDATES: usize = 31;

/// Letters of a recovery code: Crockford's base 32, without I, L, O and U.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The secret itself. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed")
    }
}

impl Seed {
    /// HKDF-SHA-256 with the salt `daylight-wallet/v1`; `info` are the parts with a zero byte after each.
    fn expand(&self, parts: &[&str], out: &mut [u8]) {
        let info: Vec<u8> = parts.iter().flat_map(|part| [part.as_bytes(), &[0]].concat()).collect();
        let hkdf = Hkdf::<Sha256>::new(Some(SALT), &self.0);
        hkdf.expand(&info, out).expect("no more than HKDF gives");
    }

    fn key(&self, parts: &[&str]) -> SigningKey {
        let mut bytes = [0; 32];
        self.expand(parts, &mut bytes);
        SigningKey::from_bytes(&bytes)
    }

    /// The key that stands on the roll beside its holder's name; asks for packs, and signs with a name.
    pub fn identity_key(&self) -> SigningKey {
        self.key(&["identity"])
    }

    /// The key of a slot, which nobody can tie to the identity key.
    pub fn slot_key(&self, epoch: &str, group: &str, slot: u64) -> SigningKey {
        self.key(&["slot", epoch, group, &slot.to_string()])
    }

    /// Salt and candidates for blinding the token of this slot for the issuer's key: see `blinding::blind`.
    pub fn blinding_stream(&self, epoch: &str, group: &str, slot: u64, key: &TokenKey) -> Vec<u8> {
        let mut out = vec![0; SALT_LENGTH + CANDIDATES * MODULUS_LENGTH];
        self.expand(&["blind", epoch, group, &slot.to_string(), &key.id().to_string()], &mut out);
        out
    }

    /// Salt of the commitment to the holder's name in a signature with a name.
    pub fn signer_salt(&self, petition: &Hash, number: u64) -> [u8; 32] {
        let mut out = [0; 32];
        self.expand(&["signer", &petition.to_string(), &number.to_string()], &mut out);
        out
    }

    /// For paper: 56 letters in groups of four, with a checksum.
    pub fn to_code(&self) -> String {
        let mut bytes = self.0.to_vec();
        bytes.extend(&checksum(&self.0));
        let mut letters = Vec::new();
        for chunk in bytes.chunks(5) {
            let number = chunk.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
            letters.extend((0..8).rev().map(|i| LETTERS[(number >> (5 * i)) as usize & 31]));
        }
        let groups: Vec<&str> =
            letters.chunks(4).map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
        groups.join("-")
    }

    /// Reads a code as somebody typed it; `None` when it isn't one.
    pub fn from_code(code: &str) -> Option<Self> {
        let mut digits = Vec::new();
        for letter in code.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let letter = match letter.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            digits.push(LETTERS.iter().position(|l| char::from(*l) == letter)? as u64);
        }
        if digits.len() != 56 {
            return None;
        }
        let bytes: Vec<u8> = digits
            .chunks(8)
            .flat_map(|eight| {
                let number = eight.iter().fold(0u64, |n, digit| n << 5 | digit);
                number.to_be_bytes()[3..].to_vec()
            })
            .collect();
        let seed: [u8; 32] = bytes[..32].try_into().ok()?;
        (bytes[32..] == checksum(&seed)).then_some(Seed(seed))
    }
}

/// The first three bytes of `SHA-256("daylight-code/v1" ‖ 0 ‖ seed)`.
fn checksum(seed: &[u8; 32]) -> [u8; 3] {
    let hash = Sha256::new().chain_update(b"daylight-code/v1\0").chain_update(seed).finalize();
    [hash[0], hash[1], hash[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_brings_the_seed_back_and_a_slip_is_noticed() {
        let seed = Seed([0xa7; 32]);
        let code = seed.to_code();
        assert_eq!(code.len(), 56 + 13);
        assert_eq!(Seed::from_code(&code.to_lowercase().replace('-', " ")), Some(seed.clone()));
        for i in 0..code.len() {
            let mut wrong = code.clone().into_bytes();
            if wrong[i] != b'-' {
                wrong[i] = if wrong[i] == b'Z' { b'Y' } else { b'Z' };
                assert_eq!(Seed::from_code(std::str::from_utf8(&wrong).unwrap()), None, "letter {i}");
            }
        }
        assert_eq!(Seed::from_code(""), None);
        assert_eq!(format!("{seed:?}"), "Seed");
    }

    #[test]
    fn what_is_derived_differs_by_everything_it_is_for() {
        let seed = Seed([1; 32]);
        let public = |key: SigningKey| key.verifying_key().to_bytes();
        let one = public(seed.slot_key("2026-Q4", "all", 1));
        assert_eq!(one, public(seed.slot_key("2026-Q4", "all", 1)));
        for other in [
            seed.slot_key("2026-Q4", "all", 2),
            seed.slot_key("2027-Q1", "all", 1),
            seed.slot_key("2026-Q4", "site", 1),
            seed.identity_key(),
            Seed([2; 32]).slot_key("2026-Q4", "all", 1),
        ] {
            assert_ne!(one, public(other));
        }
    }
}
