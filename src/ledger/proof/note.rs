//! C2SP `signed-note` and `tlog-cosignature`: texts with signature lines, and the keys that verify them.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature as Ed25519, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::Fault;

/// Signatures that a note may carry; the specification asks for at least 16.
const MAX_SIGNATURES: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0x01: Ed25519 over the text.
    Ed25519,
    /// 0x04: a witness's timestamped Ed25519 (tlog-cosignature).
    Cosignature,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Kind::Ed25519 => 0x01,
            Kind::Cosignature => 0x04,
        }
    }
}

/// A name and a public key; written as a vkey: `name+hash+base64(kind ‖ key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    pub kind: Kind,
    pub public: VerifyingKey,
}

impl Key {
    pub fn new(name: &str, kind: Kind, public: VerifyingKey) -> Result<Self, Fault> {
        check_name(name)?;
        Ok(Key { name: name.into(), kind, public })
    }

    /// From the 32 bytes of an Ed25519 public key.
    pub fn from_bytes(name: &str, kind: Kind, public: &[u8]) -> Result<Self, Fault> {
        let bytes: &[u8; 32] =
            public.try_into().map_err(|_| Fault::new("a public key is not 32 bytes long"))?;
        let public =
            VerifyingKey::from_bytes(bytes).map_err(|_| Fault::new("a public key is no Ed25519 key"))?;
        Key::new(name, kind, public)
    }

    pub fn id(&self) -> [u8; 4] {
        key_id(&self.name, self.kind, &self.public)
    }

    /// Checks this key's signature on the note.
    pub fn check(&self, note: &Note) -> Check {
        let mut found = Check::Absent;
        for line in note.signatures.iter().filter(|s| s.name == self.name && s.id == self.id()) {
            match self.check_line(&note.text, &line.bytes) {
                Some(time) => found = Check::Valid(time),
                // A known key's broken signature spoils the note.
                None => return Check::Broken,
            }
        }
        found
    }

    fn check_line(&self, text: &str, bytes: &[u8]) -> Option<Option<u64>> {
        match self.kind {
            Kind::Ed25519 => {
                let signature = Ed25519::from_slice(bytes).ok()?;
                self.public.verify_strict(text.as_bytes(), &signature).ok()?;
                Some(None)
            }
            Kind::Cosignature => {
                let (time, signature) = bytes.split_first_chunk::<8>()?;
                let time = u64::from_be_bytes(*time);
                let signature = Ed25519::from_slice(signature).ok()?;
                self.public.verify_strict(cosigned(time, text).as_bytes(), &signature).ok()?;
                (time < 1 << 63).then_some(Some(time))
            }
        }
    }
}

/// What became of a key's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Absent,
    Broken,
    /// With the witness's time in seconds since 1970, for a cosignature.
    Valid(Option<u64>),
}

fn key_id(name: &str, kind: Kind, public: &VerifyingKey) -> [u8; 4] {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', kind.byte()])
        .chain_update(public.as_bytes())
        .finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

fn check_name(name: &str) -> Result<(), Fault> {
    let bad = name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+');
    if bad { Err(Fault::new(format!("{name:?} can't be a key's name"))) } else { Ok(()) }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind.byte()];
        bytes.extend(self.public.as_bytes());
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(bytes))
    }
}

impl FromStr for Key {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let wrong = || Fault::new(format!("{text:?} is not a verifier key (name+hash+key)"));
        // The key's own base64 may hold a plus.
        let (name, rest) = text.split_once('+').ok_or_else(wrong)?;
        let (id, key) = rest.split_once('+').ok_or_else(wrong)?;
        let bytes = STANDARD.decode(key).map_err(|_| wrong())?;
        let (kind, public) = bytes.split_first().ok_or_else(wrong)?;
        let kind = match kind {
            0x01 => Kind::Ed25519,
            0x04 => Kind::Cosignature,
            _ => return Err(Fault::new(format!("{text:?}: only Ed25519 keys (0x01, 0x04) are known"))),
        };
        let key = Key::from_bytes(name, kind, public)?;
        let same = id.len() == 8 && id == format!("{:08x}", u32::from_be_bytes(key.id()));
        if same { Ok(key) } else { Err(wrong()) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub name: String,
    pub id: [u8; 4],
    /// After the key's id.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// Reads one line, without its line break.
    pub fn parse(line: &str) -> Result<Self, Fault> {
        let wrong = || Fault::new("a signature line can't be read");
        let (name, base64) =
            line.strip_prefix("\u{2014} ").and_then(|l| l.split_once(' ')).ok_or_else(wrong)?;
        check_name(name)?;
        let bytes = STANDARD.decode(base64).map_err(|_| wrong())?;
        let (id, bytes) = bytes.split_first_chunk::<4>().ok_or_else(wrong)?;
        Ok(Signature { name: name.into(), id: *id, bytes: bytes.to_vec() })
    }
}

/// As a note's line, with its line break.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id[..], &self.bytes].concat();
        writeln!(f, "\u{2014} {} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A text that ends with a line break, and its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub text: String,
    pub signatures: Vec<Signature>,
}

impl FromStr for Note {
    type Err = Fault;

    fn from_str(note: &str) -> Result<Self, Fault> {
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(Fault::new("a signed note holds a control character"));
        }
        let (text, lines) = note
            .rfind("\n\n")
            .map(|at| (&note[..=at], &note[at + 2..]))
            .ok_or_else(|| Fault::new("a signed note has no empty line before its signatures"))?;
        if !lines.ends_with('\n') {
            return Err(Fault::new("a signed note doesn't end with a line break"));
        }
        let signatures = lines.lines().map(Signature::parse).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(Fault::new("a signed note carries too many signatures"));
        }
        Ok(Note { text: text.into(), signatures })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|s| s.fmt(f))
    }
}

/// What a witness signs (tlog-cosignature).
fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// Signs the text as `name` (type 0x01).
pub fn sign(name: &str, key: &SigningKey, text: &str) -> Signature {
    let id = key_id(name, Kind::Ed25519, &key.verifying_key());
    Signature { name: name.into(), id, bytes: key.sign(text.as_bytes()).to_vec() }
}

/// Cosigns a checkpoint's text as the witness `name`, at `time` in seconds since 1970 (type 0x04).
pub fn cosign(name: &str, key: &SigningKey, text: &str, time: u64) -> Signature {
    let id = key_id(name, Kind::Cosignature, &key.verifying_key());
    let signature = key.sign(cosigned(time, text).as_bytes());
    Signature { name: name.into(), id, bytes: [&time.to_be_bytes()[..], &signature.to_bytes()].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    #[test]
    fn a_note_survives_its_text_and_only_its_signer_is_believed() {
        let text = "example.org/log\n3\nAAAA\n";
        let note = Note { text: text.into(), signatures: vec![sign("example.org/log", &key(1), text)] };
        let back: Note = note.to_string().parse().unwrap();
        assert_eq!(back, note);
        let signer = Key::new("example.org/log", Kind::Ed25519, key(1).verifying_key()).unwrap();
        assert_eq!(signer.check(&back), Check::Valid(None));
        let other = Key::new("example.org/log", Kind::Ed25519, key(2).verifying_key()).unwrap();
        assert_eq!(other.check(&back), Check::Absent);
        let mut forged = back;
        forged.text = text.replace('3', "4");
        assert_eq!(signer.check(&forged), Check::Broken);
    }

    #[test]
    fn a_cosignature_carries_its_time() {
        let text = "example.org/log\n3\nAAAA\n";
        let line = cosign("witness.example", &key(3), text, 1_700_000_000);
        let mut note = Note { text: text.into(), signatures: vec![line] };
        let witness = Key::new("witness.example", Kind::Cosignature, key(3).verifying_key()).unwrap();
        assert_eq!(witness.check(&note), Check::Valid(Some(1_700_000_000)));
        note.signatures[0].bytes[7] ^= 1;
        assert_eq!(witness.check(&note), Check::Broken, "another time isn't what was signed");
    }

    #[test]
    fn a_vkey_survives_and_a_wrong_one_is_refused() {
        let key = Key::new("example.org/log", Kind::Cosignature, key(1).verifying_key()).unwrap();
        let text = key.to_string();
        assert_eq!(text.parse::<Key>().unwrap(), key);
        assert!(text.replace("example", "evil").parse::<Key>().is_err(), "the hash covers the name");
        for wrong in ["", "a", "a+b", "a+00000000+AQ==", "with space+00000000+AQ=="] {
            assert!(wrong.parse::<Key>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn notes_that_break_the_format_are_refused() {
        for wrong in ["", "text\n", "text\n\nnot a signature\n", "te\u{1}xt\n\n\u{2014} a AAAAAAAA\n"] {
            assert!(wrong.parse::<Note>().is_err(), "{wrong:?}");
        }
    }
}
