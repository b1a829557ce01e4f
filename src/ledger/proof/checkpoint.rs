//! C2SP `tlog-checkpoint`: what a log signs about its tree.

use std::fmt;
use std::str::FromStr;

use super::tree::Hash;
use super::{Fault, decimal};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

/// The text that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root.base64())
    }
}

impl FromStr for Checkpoint {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let wrong = || Fault::new("a checkpoint's text has too few lines");
        let mut lines = text.strip_suffix('\n').ok_or_else(wrong)?.split('\n');
        let origin = lines.next().filter(|o| !o.is_empty()).ok_or_else(wrong)?;
        let size = decimal(lines.next().ok_or_else(wrong)?)?;
        let root = Hash::from_base64(lines.next().ok_or_else(wrong)?)?;
        if lines.any(str::is_empty) {
            return Err(Fault::new("a checkpoint's extension line is empty"));
        }
        Ok(Checkpoint { origin: origin.into(), size, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_survives_its_text() {
        let checkpoint = Checkpoint { origin: "example.org/log".into(), size: 7, root: Hash::of(b"x") };
        assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint));
    }

    #[test]
    fn numbers_are_decimals() {
        let text = |size: &str| format!("o\n{size}\n{}\n", Hash::of(b"x").base64());
        assert!(text("0").parse::<Checkpoint>().is_ok());
        for size in ["", "01", "+1", "-1", "1.0", "0x1", "9223372036854775808"] {
            assert!(text(size).parse::<Checkpoint>().is_err(), "{size}");
        }
    }
}
