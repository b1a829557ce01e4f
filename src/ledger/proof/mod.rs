//! What anybody can check offline: the tree, signed notes, checkpoints, policies, leaves, proofs, exports.
//!
//! Nothing here reads a clock, a database or a network; other people's tools do the same from the texts:
//! RFC 6962, RFC 8785 and C2SP's `signed-note`, `tlog-checkpoint`, `tlog-cosignature`, `tlog-tiles`,
//! `tlog-proof` and `tlog-policy`.

pub mod checkpoint;
pub mod consent;
pub mod export;
pub mod leaf;
pub mod note;
pub mod petition;
pub mod policy;
pub mod receipt;
pub mod strict;
pub mod tlog_proof;
pub mod token;
pub mod tree;
pub mod verify;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Why something can't be read or doesn't hold, in a sentence's middle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(String);

impl Fault {
    pub fn new(text: impl Into<String>) -> Self {
        Fault(text.into())
    }
}

/// A decimal as C2SP writes it: digits, no leading zero, below 2^63.
fn decimal(text: &str) -> Result<u64, Fault> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let number = if plain { text.parse::<u64>().ok() } else { None };
    number.filter(|n| *n < 1 << 63).ok_or_else(|| Fault::new(format!("{text:?} is not a number")))
}

/// Binary as leaves write it: base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn from_base64url(text: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::new("a text is not base64url"))
}
