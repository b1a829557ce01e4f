//! C2SP `tlog-proof`: one file that proves offline that an entry stands in the log.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::note::Note;
use super::tree::Hash;
use super::{Fault, decimal};

const HEAD: &str = "c2sp.org/tlog-proof@v1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// The leaf's bytes: what the proof is about. Not authenticated by itself, only by its hash.
    pub extra: Option<Vec<u8>>,
    pub index: u64,
    pub path: Vec<Hash>,
    pub checkpoint: Note,
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", hash.base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let wrong = |what: &str| Fault::new(format!("the proof file: {what}"));
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(|| wrong("no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEAD) {
            return Err(wrong("it doesn't begin with its format's name"));
        }
        let extra = match lines.peek().and_then(|l| l.strip_prefix("extra ")) {
            Some(base64) => {
                lines.next();
                Some(STANDARD.decode(base64).map_err(|_| wrong("its extra data is not base64"))?)
            }
            None => None,
        };
        let index = lines.next().and_then(|l| l.strip_prefix("index ")).ok_or_else(|| wrong("no index"))?;
        let index = decimal(index)?;
        let path = lines.map(Hash::from_base64).collect::<Result<Vec<_>, _>>()?;
        Ok(TlogProof { extra, index, path, checkpoint: checkpoint.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::super::note::sign;
    use super::*;

    #[test]
    fn a_proof_survives_its_text() {
        let text = "o\n2\nx\n";
        let line = sign("o", &SigningKey::from_bytes(&[1; 32]), text);
        let checkpoint = Note { text: text.into(), signatures: vec![line] };
        for extra in [None, Some(b"{}".to_vec())] {
            for path in [vec![], vec![Hash::of(b"a"), Hash::of(b"b")]] {
                let proof =
                    TlogProof { extra: extra.clone(), index: 1, path, checkpoint: checkpoint.clone() };
                assert_eq!(proof.to_string().parse(), Ok(proof));
            }
        }
        assert!("c2sp.org/tlog-proof@v2\nindex 0\n\no\n1\nx\n\n".parse::<TlogProof>().is_err());
    }
}
