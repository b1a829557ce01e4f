//! Tokens of RFC 9578, type 0x0002 (blind RSA, 2048 bit): what an issuer signs without seeing it, and anybody
//! can check. One key of one issuer stands for one slot of one epoch.

use ring::signature::{RSA_PSS_2048_8192_SHA384, RsaPublicKeyComponents};
use sha2::{Digest, Sha256};

use super::tree::Hash;
use super::{Fault, base64url, from_base64url};

/// RFC 9578, section 8.2.2.
const TOKEN_TYPE: [u8; 2] = [0x00, 0x02];

/// Bytes of a modulus, of a blinded message and of a signature.
pub const MODULUS_LENGTH: usize = 256;

/// Bytes of what an issuer signs: type, nonce, challenge digest, key id.
pub const INPUT_LENGTH: usize = 98;

/// SubjectPublicKeyInfo up to the modulus: id-RSASSA-PSS with SHA-384, MGF1 with SHA-384 and a salt of 48 bytes.
const SPKI_HEAD: [u8; 81] = [
    0x30, 0x82, 0x01, 0x52, 0x30, 0x3d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a,
    0x30, 0x30, 0xa0, 0x0d, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
    0xa1, 0x1a, 0x30, 0x18, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0b,
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0xa2, 0x03, 0x02, 0x01, 0x30, 0x03,
    0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00,
];

/// After the modulus: e = 65537.
const SPKI_TAIL: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

/// An issuer's public key for one slot: a modulus of 2048 bits; e is 65537. Written as base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenKey(pub [u8; MODULUS_LENGTH]);

impl TokenKey {
    pub fn from_modulus(bytes: &[u8]) -> Result<Self, Fault> {
        let modulus: [u8; MODULUS_LENGTH] =
            bytes.try_into().map_err(|_| Fault::new("a token key's modulus is not 2048 bits long"))?;
        match modulus[0] & 0x80 != 0 && modulus[MODULUS_LENGTH - 1] & 1 == 1 {
            true => Ok(TokenKey(modulus)),
            false => Err(Fault::new("a token key's modulus is not 2048 bits long")),
        }
    }

    pub fn parse(text: &str) -> Result<Self, Fault> {
        Self::from_modulus(&from_base64url(text)?)
    }

    /// DER, as RFC 9578 has it (section 6.5).
    pub fn spki(&self) -> Vec<u8> {
        [&SPKI_HEAD[..], &self.0, &SPKI_TAIL].concat()
    }

    /// `token_key_id`: SHA-256 of the key's SPKI.
    pub fn id(&self) -> Hash {
        Hash::of(&self.spki())
    }

    /// Whether this key signed the token with this nonce, under the challenge with this digest.
    pub fn verifies(&self, nonce: &[u8; 32], challenge: &Hash, authenticator: &[u8]) -> bool {
        let key = RsaPublicKeyComponents { n: &self.0[..], e: &SPKI_TAIL[2..] };
        key.verify(&RSA_PSS_2048_8192_SHA384, &input(nonce, challenge, &self.id()), authenticator).is_ok()
    }
}

impl std::fmt::Display for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&base64url(&self.0))
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenKey({})", self.id())
    }
}

/// What an issuer signs: `0x0002 ‖ nonce ‖ challenge_digest ‖ token_key_id`.
pub fn input(nonce: &[u8; 32], challenge: &Hash, key_id: &Hash) -> [u8; INPUT_LENGTH] {
    let mut out = [0; INPUT_LENGTH];
    out[..2].copy_from_slice(&TOKEN_TYPE);
    out[2..34].copy_from_slice(nonce);
    out[34..66].copy_from_slice(&challenge.0);
    out[66..].copy_from_slice(&key_id.0);
    out
}

/// `SHA-256(TokenChallenge)` of a slot (RFC 9577, section 2.1). The redemption context is
/// `SHA-256("daylight-slot" ‖ 0 ‖ epoch ‖ 0 ‖ group ‖ 0 ‖ slot in decimal)`; the origin is the log's.
pub fn challenge_digest(issuer: &str, epoch: &str, group: &str, slot: u64, origin: &str) -> Hash {
    let context = Sha256::digest(format!("daylight-slot\0{epoch}\0{group}\0{slot}").as_bytes());
    let mut challenge = TOKEN_TYPE.to_vec();
    challenge.extend(with_length(issuer.as_bytes()));
    challenge.push(32);
    challenge.extend(context);
    challenge.extend(with_length(origin.as_bytes()));
    Hash::of(&challenge)
}

/// A text after its length as 16 bits. Names are short; what isn't is cut where the length ends.
fn with_length(text: &[u8]) -> Vec<u8> {
    let text = &text[..text.len().min(usize::from(u16::MAX))];
    [&(text.len() as u16).to_be_bytes()[..], text].concat()
}
