//! What stands in the log: canonical JSON (RFC 8785) with hashes, and nobody's data.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Fault;
use super::petition::{
    AnswerLeaf, CheckLeaf, CloseLeaf, EpochLeaf, IssueLeaf, PetitionLeaf, ReachedLeaf, RollLeaf, SignLeaf,
    WithdrawLeaf,
};
use super::tree::Hash;

/// Bytes of a leaf at most: an entry bundle writes its length as 16 bits.
pub const MAX_LEAF: usize = 65_535;

/// Integers of canonical JSON stay below 2^53.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// What happened to a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeChange {
    Published,
    /// An editorial correction.
    Corrected,
    /// A material change.
    Changed,
    Retracted,
}

/// What happened to a processing, apart from pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegisterChange {
    Activated,
    Revised,
    Ended,
}

/// A pause or a resumption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    pub processing: Uuid,
    pub revision: u32,
    /// Leaf hash of the processing's entry before.
    pub previous: Option<Hash>,
    /// SHA-256 of the canonical JSON of the revision as the register shows it.
    pub content: Hash,
}

/// A key that signs from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLeaf {
    /// `log` for the one that signs checkpoints, `operator` and `representative` for those that speak for
    /// the issuers of petitions' credentials.
    pub role: String,
    pub origin: String,
    /// Ed25519, base64url.
    pub public_key: Hash,
    /// RFC 3339; says when it was made. What counts is its place in the log.
    pub from: String,
    /// The key of this role before; null for the first.
    pub previous: Option<Hash>,
    /// By the key before; the first signs itself.
    pub signature: String,
}

/// One leaf. Members besides these are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum Leaf {
    Key(KeyLeaf),
    Notice {
        notice: Uuid,
        /// `major.minor`
        version: String,
        change: NoticeChange,
        /// Leaf hash of the notice's entry before; null for its first.
        previous: Option<Hash>,
        /// SHA-256 of the version's canonical JSON.
        content: Hash,
    },
    Register {
        processing: Uuid,
        revision: u32,
        change: RegisterChange,
        previous: Option<Hash>,
        content: Hash,
    },
    Pause(Pause),
    Resume(Pause),
    /// A commitment to the heads of all agents' report chains.
    Report {
        /// The day (UTC) after which they were taken.
        day: String,
        root: Hash,
    },
    /// A commitment to what one person decided about one processing (`proof::consent`).
    Consent {
        commitment: Hash,
    },
    Roll(RollLeaf),
    Epoch(EpochLeaf),
    Issue(IssueLeaf),
    Petition(PetitionLeaf),
    Check(CheckLeaf),
    Sign(SignLeaf),
    Withdraw(WithdrawLeaf),
    Reached(ReachedLeaf),
    Answer(AnswerLeaf),
    Close(CloseLeaf),
    /// Leaf 0 of a log that began again after a restore.
    Log {
        origin: String,
        /// The former log's last signed checkpoint.
        previous: String,
        /// How many of its leaves follow, from its first.
        kept: u64,
    },
}

/// A leaf as it is written.
#[derive(Serialize)]
struct Versioned<'a> {
    #[serde(flatten)]
    leaf: &'a Leaf,
    v: u64,
}

/// The newest version of the leaves' format.
const VERSION: u64 = 1;

impl Leaf {
    /// The bytes that the log keeps.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        let versioned = Versioned { leaf: self, v: VERSION };
        let bytes = serde_json_canonicalizer::to_vec(&versioned);
        let bytes = bytes.map_err(|_| Fault::new("a leaf can't be written"))?;
        if bytes.len() > MAX_LEAF {
            return Err(Fault::new("a leaf is longer than 65,535 bytes"));
        }
        Ok(bytes)
    }

    /// Reads a leaf; `None` for one of a later kind. Refuses what isn't canonical.
    pub fn from_bytes(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        if let Some(leaf) = Self::read(bytes) {
            return Ok(Some(leaf));
        }
        // Why not, or that it is of a later kind.
        let mut value = canonical(bytes)?;
        let members = value.as_object_mut().ok_or_else(|| Fault::new("it is not an object"))?;
        let version = members.remove("v");
        let kind = members.get("t").and_then(Value::as_str).unwrap_or_default();
        if version != Some(VERSION.into()) || !KNOWN.contains(&kind) {
            return Ok(None);
        }
        Err(Fault::new("its members are not those of its kind"))
    }

    /// A leaf that is its own canonical form, member by member.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut value: Value = serde_json::from_slice(bytes).ok()?;
        value.as_object_mut()?.remove("v").filter(|v| *v == VERSION)?;
        if !has_plain_numbers(&value) {
            return None;
        }
        let leaf: Leaf = serde_json::from_value(value).ok()?;
        (leaf.to_bytes().ok()? == bytes).then_some(leaf)
    }

    /// The hash of the document that belongs to it.
    pub fn content(&self) -> Option<Hash> {
        match self {
            Leaf::Notice { content, .. } | Leaf::Register { content, .. } => Some(*content),
            Leaf::Pause(pause) | Leaf::Resume(pause) => Some(pause.content),
            Leaf::Petition(petition) => Some(petition.content),
            Leaf::Answer(answer) => Some(answer.content),
            Leaf::Check(check) => check.content,
            _ => None,
        }
    }

    /// The thing whose chain it continues, and the leaf hash before it.
    pub fn chain(&self) -> Option<(Uuid, Option<Hash>)> {
        match self {
            Leaf::Notice { notice, previous, .. } => Some((*notice, *previous)),
            Leaf::Register { processing, previous, .. } => Some((*processing, *previous)),
            Leaf::Pause(pause) | Leaf::Resume(pause) => Some((pause.processing, pause.previous)),
            Leaf::Petition(petition) => Some((petition.petition, petition.previous)),
            _ => None,
        }
    }
}

const KNOWN: [&str; 18] = [
    "key", "notice", "register", "pause", "resume", "report", "consent", "log", "roll", "epoch", "issue",
    "petition", "check", "sign", "withdraw", "reached", "answer", "close",
];

/// Parses JSON that is its own RFC 8785 form, with integers below 2^53 and no other numbers.
pub fn canonical(bytes: &[u8]) -> Result<Value, Fault> {
    if bytes.len() > MAX_LEAF {
        return Err(Fault::new("it is longer than 65,535 bytes"));
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|_| Fault::new("it is not JSON"))?;
    if !has_plain_numbers(&value) {
        return Err(Fault::new("it holds a number that is no integer below 2^53"));
    }
    match serde_json_canonicalizer::to_vec(&value) {
        Ok(again) if again == bytes => Ok(value),
        _ => Err(Fault::new("it is not canonical JSON (RFC 8785)")),
    }
}

pub(super) fn has_plain_numbers(value: &Value) -> bool {
    match value {
        Value::Number(n) => {
            n.as_i64().map(i64::unsigned_abs).or(n.as_u64()).is_some_and(|n| n <= MAX_INTEGER)
        }
        Value::Array(list) => list.iter().all(has_plain_numbers),
        Value::Object(members) => members.values().all(has_plain_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// SHA-256 of a document's canonical JSON: what a leaf's `content` is.
pub fn document_hash(document: &Value) -> Result<Hash, Fault> {
    let bytes = serde_json_canonicalizer::to_vec(document);
    bytes.map(|b| Hash::of(&b)).map_err(|_| Fault::new("a document can't be written as canonical JSON"))
}

impl KeyLeaf {
    /// Announces `key`, signed by the key before it, or by itself where there is none.
    pub fn announce(origin: &str, key: &VerifyingKey, from: &str, signer: &SigningKey) -> Self {
        Self::announce_as("log", origin, key, from, signer)
    }

    /// The same for another role.
    pub fn announce_as(
        role: &str,
        origin: &str,
        key: &VerifyingKey,
        from: &str,
        signer: &SigningKey,
    ) -> Self {
        let signer_key = signer.verifying_key();
        let mut leaf = KeyLeaf {
            role: role.into(),
            origin: origin.into(),
            public_key: Hash(key.to_bytes()),
            from: from.into(),
            previous: (signer_key != *key).then(|| Hash(signer_key.to_bytes())),
            signature: String::new(),
        };
        leaf.signature = super::base64url(&signer.sign(leaf.message().as_bytes()).to_bytes());
        leaf
    }

    fn message(&self) -> String {
        let KeyLeaf { role, origin, public_key, from, .. } = self;
        format!("daylight-key/v1\n{origin}\n{role}\n{public_key}\n{from}\n")
    }

    /// Whether the key before it, or it itself as the first, has signed it.
    pub fn is_signed(&self) -> bool {
        let signer = self.previous.unwrap_or(self.public_key);
        let Ok(signer) = VerifyingKey::from_bytes(&signer.0) else { return false };
        let signature = super::from_base64url(&self.signature).ok();
        let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
        signature.is_some_and(|s| signer.verify_strict(self.message().as_bytes(), &s).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Leaf {
        Leaf::Notice {
            notice: Uuid::from_u128(7),
            version: "1.0".into(),
            change: NoticeChange::Published,
            previous: None,
            content: Hash::of(b"text"),
        }
    }

    #[test]
    fn a_leaf_survives_and_is_canonical() {
        let bytes = notice().to_bytes().unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.starts_with(r#"{"change":"published","content":""#), "{text}");
        assert_eq!(Leaf::from_bytes(&bytes), Ok(Some(notice())));
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        let text = String::from_utf8(notice().to_bytes().unwrap()).unwrap();
        let wrong = [
            text.replacen(':', ": ", 1),
            text.replace(r#""v":1"#, r#""v":1.0"#),
            text.replace(r#""v":1"#, r#""v":1e0"#),
            text.replacen('{', r#"{"v":1,"#, 1),
            format!("{text} "),
            text.replace("1.0", "\\u0031.0"),
            text.replace(r#""v":1"#, r#""v":9007199254740993"#),
            text.replacen('{', r#"{"change":"published","#, 1),
        ];
        for wrong in wrong {
            assert!(Leaf::from_bytes(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let more = text.replace(r#""v":1"#, r#""v":1,"z":1"#);
        assert!(Leaf::from_bytes(more.as_bytes()).is_err(), "members of no kind are refused");
        let later = text.replace(r#""v":1"#, r#""v":2"#);
        assert_eq!(
            Leaf::from_bytes(later.as_bytes()),
            Ok(None),
            "a later version is left to later verifiers"
        );
    }

    #[test]
    fn a_consent_leaf_holds_a_commitment_and_nothing_else() {
        let leaf = Leaf::Consent { commitment: Hash::of(b"x") };
        let text = String::from_utf8(leaf.to_bytes().unwrap()).unwrap();
        assert_eq!(text, format!(r#"{{"commitment":"{}","t":"consent","v":1}}"#, Hash::of(b"x")));
        assert_eq!(Leaf::from_bytes(text.as_bytes()), Ok(Some(leaf.clone())));
        assert!(leaf.content().is_none() && leaf.chain().is_none());
        let more = text.replace(r#","t""#, r#","state":"given","t""#);
        let long = text.replace(r#"","t""#, r#"A","t""#);
        for wrong in [more, long] {
            assert!(Leaf::from_bytes(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_announced_by_the_one_before() {
        let (first, second) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let own = KeyLeaf::announce("o", &first.verifying_key(), "2026-01-01T00:00:00Z", &first);
        assert!(own.is_signed() && own.previous.is_none());
        let next = KeyLeaf::announce("o", &second.verifying_key(), "2026-02-01T00:00:00Z", &first);
        assert!(next.is_signed());
        assert_eq!(next.previous, Some(own.public_key));
        let bytes = Leaf::Key(next.clone()).to_bytes().unwrap();
        assert_eq!(Leaf::from_bytes(&bytes), Ok(Some(Leaf::Key(next.clone()))));
        let usurped = KeyLeaf { previous: None, ..next };
        assert!(!usurped.is_signed());
    }
}
