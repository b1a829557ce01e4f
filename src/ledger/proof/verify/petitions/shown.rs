//! A count that a page displays, against the leaves.

use std::str::FromStr;

use serde::Deserialize;

use super::super::super::Fault;
use super::super::super::petition::FEW;
use super::super::super::tree::Hash;
use super::Report;
use super::life::Life;

const SHOWN: &str = "displayed count";

/// What a petition's page gives as JSON, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
pub struct Shown {
    /// Leaf hash of the version.
    #[serde(alias = "leaf_hash")]
    petition_leaf: Hash,
    /// `None` where fewer than [`FEW`] signed.
    signatures: Option<u64>,
}

impl FromStr for Shown {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        serde_json::from_str(text)
            .map_err(|_| Fault::new("this is not a petition's file (leaf_hash and signatures)"))
    }
}

impl Life {
    /// Both must be of the same time: a batch may have come between.
    pub fn judge_shown(&self, shown: &Shown, report: &mut Report) {
        let stand = match self.count(&shown.petition_leaf) {
            Ok(stand) => stand,
            Err(words) => return report.violated(SHOWN, None, words),
        };
        match shown.signatures {
            Some(number) if number == stand => report.holds(SHOWN, format!("{number}, as by the leaves")),
            None if stand < FEW => {
                report.holds(SHOWN, "none was displayed, and fewer than 5 stand in the leaves")
            }
            Some(number) => {
                let words = format!("{number} were displayed, and by the leaves {stand} signatures stand");
                report.violated(SHOWN, None, words);
            }
            None => {
                let words = format!("none was displayed, and by the leaves {stand} signatures stand");
                report.violated(SHOWN, None, words);
            }
        }
    }
}
