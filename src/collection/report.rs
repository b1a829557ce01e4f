//! The collection report, `collection-report/1`: what an agent says it collected. No content by
//! construction: enums, numbers, ids and host names only; unknown fields are refused, and no message
//! repeats what was sent.
//!
//! The hash of a report is SHA-256 over its RFC 8785 canonical JSON without `sig`; the signature is
//! Ed25519 (RFC 8032, strict) over the same bytes.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

pub use super::field::Field;
pub use super::signed::{Parsed, Signed, sign};
use crate::clock::Time;
use crate::error::{FieldErrors, Result};
use crate::register::{Category, Granularity, Purpose};

/// Bytes of a body as sent, and after gzip.
pub const MAX_BODY: usize = 256 * 1024;
pub const MAX_EXPANDED: usize = 4 * 1024 * 1024;
pub const MAX_ITEMS: usize = 200;
pub const MAX_WINDOW_SECONDS: i64 = 24 * 3600;
/// Bytes of one item: 4 GiB of records in a day is more than any agent handles, and sums stay far from the
/// end of 64 bits.
pub const MAX_BYTES: u64 = 1 << 32;
/// An agent's clock further off than this is flagged, not refused.
pub const MAX_SKEW_SECONDS: i64 = 5 * 60;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionReport {
    pub schema: Schema,
    /// UUID version 7, made by the agent.
    pub report_id: Uuid,
    pub agent_id: Uuid,
    /// New at each start of the agent; `seq` and `prev_hash` run within it.
    pub boot_id: Uuid,
    /// 0, 1, 2, … below 2^53.
    pub seq: u64,
    /// Hash of the report before; null in the first of a run.
    #[schema(value_type = Option<String>)]
    pub prev_hash: Option<Hash>,
    pub device_id: Uuid,
    pub window: Window,
    #[schema(value_type = String, format = DateTime)]
    pub produced_at: Time,
    /// The policy the agent obeyed; null when it has none.
    #[serde(default)]
    pub policy: Option<PolicyRef>,
    /// At most 200. An item with count 0 says "I watched this category and saw nothing".
    pub items: Vec<Item>,
    pub sig: Sig,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub enum Schema {
    #[serde(rename = "collection-report/1")]
    V1,
}

/// [start, end); at most 24 hours.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    #[schema(value_type = String, format = DateTime)]
    pub start: Time,
    #[schema(value_type = String, format = DateTime)]
    pub end: Time,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyRef {
    pub revision: u64,
    #[schema(value_type = String)]
    pub sha256: Hash,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    #[schema(value_type = String)]
    pub category: Category,
    #[schema(value_type = String)]
    pub granularity: Granularity,
    /// The program that records, and its version: `acme-agent/4.2`.
    #[schema(value_type = String)]
    pub source: Source,
    pub collected: Amount,
    /// What left the machine.
    #[serde(default)]
    pub forwarded: Amount,
    #[serde(default)]
    pub dropped: Option<Dropped>,
    /// Of an item that straddles somebody's no, both ends are judged: cut windows where a policy begins to apply.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_observed: Option<Time>,
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_observed: Option<Time>,
    #[serde(default)]
    pub destination: Option<Destination>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub purpose: Option<Purpose>,
    /// The field that the records were found in, where its name is a known one: `process.command_args`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub field: Option<Field>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    pub count: u32,
    #[serde(default)]
    pub bytes: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    pub count: u32,
    pub reason: DropReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    OptOut,
    NotDeclared,
    Paused,
    PolicyExpired,
    Filtered,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    #[schema(value_type = String)]
    pub host: Host,
    #[schema(value_type = String)]
    pub recipient: Recipient,
    #[schema(value_type = String)]
    pub country: Country,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sig {
    /// Id of the agent's key, as given at enrolment.
    #[schema(value_type = String)]
    pub kid: KeyId,
    pub alg: Algorithm,
    /// base64url, 64 bytes.
    #[schema(value_type = String)]
    pub value: SignatureText,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub enum Algorithm {
    EdDSA,
}

/// `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let wrong = || serde::de::Error::custom("not a hash");
        let digits = text.strip_prefix("sha256:").filter(|h| h.len() == 64).ok_or_else(wrong)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let lower = |c: &u8| c.is_ascii_digit() || (b'a'..=b'f').contains(c);
            let pair =
                std::str::from_utf8(pair).ok().filter(|p| p.bytes().all(|c| lower(&c))).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Hash(bytes))
    }
}

/// A text of at most 128 characters that must fit a rule.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Option<Self> {
                let (text, rule): (String, fn(&str) -> bool) = (text.into(), $rule);
                (text.len() <= 128 && rule(&text)).then_some(Self(text))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(d)?).ok_or_else(|| serde::de::Error::custom("not allowed here"))
            }
        }
    };
}

fn made_of(text: &str, allowed: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || allowed.as_bytes().contains(&b))
}

checked_text!(
    /// Program and version, `name/version`; the name in lower case.
    Source,
    |t| t.split_once('/').is_some_and(|(name, version)| {
        made_of(name, "-_.") && made_of(version, "-_.+~") && name.len() <= 64 && !name.contains(|c: char| c.is_ascii_uppercase())
    })
);
checked_text!(
    /// A host name (RFC 1123) or an IP address, lower case.
    Host,
    |t| made_of(t, "-.:") && !t.starts_with(['-', '.']) && !t.contains(|c: char| c.is_ascii_uppercase())
);
checked_text!(
    /// Who receives it: `org:` and an id.
    Recipient,
    |t| t.strip_prefix("org:").is_some_and(|id| made_of(id, "-_."))
);
checked_text!(
    /// ISO 3166-1 alpha-2.
    Country,
    |t| t.len() == 2 && t.bytes().all(|b| b.is_ascii_uppercase())
);
checked_text!(
    /// See [`key_id`].
    KeyId,
    |t| made_of(t, "-_")
);
checked_text!(
    /// base64url of an Ed25519 signature.
    SignatureText,
    |t| made_of(t, "-_") && t.len() == 86
);

impl Source {
    /// The program without its version.
    pub fn program(&self) -> &str {
        program(&self.0)
    }
}

/// The program of a source as stored, without its version.
pub(super) fn program(source: &str) -> &str {
    source.split('/').next().unwrap_or(source)
}

/// A key's id: the first 16 bytes of its SHA-256, base64url.
pub fn key_id(public_key: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(public_key)[..16])
}

/// A collection report that has the right shape.
pub type ParsedReport = Parsed<CollectionReport>;

impl Window {
    pub(super) fn check(self, produced_at: Time, errors: &mut FieldErrors) {
        if self.end <= self.start {
            errors.add("/window/end", "must be later than /window/start");
        } else if self.end.seconds_since(self.start) > MAX_WINDOW_SECONDS {
            errors.add("/window", "must span at most 24 hours");
        }
        if produced_at < self.end.plus_seconds(-MAX_SKEW_SECONDS) {
            errors.add("/produced_at", "must not lie before the window's end");
        }
    }

    /// With a minute of slack: agents round.
    pub(super) fn holds(self, at: Time) -> bool {
        at >= self.start.plus_seconds(-60) && at <= self.end.plus_seconds(60)
    }
}

impl Signed for CollectionReport {
    fn check(&self) -> Result<()> {
        let mut errors = FieldErrors::default();
        self.window.check(self.produced_at, &mut errors);
        if self.seq >= 1 << 53 {
            errors.add("/seq", "must be below 2^53");
        }
        if self.items.len() > MAX_ITEMS {
            errors.add("/items", "must hold at most 200 items");
        }
        for (i, item) in self.items.iter().enumerate().take(MAX_ITEMS) {
            let times = [("first_observed", item.first_observed), ("last_observed", item.last_observed)];
            for (name, at) in times {
                if at.is_some_and(|at| !self.window.holds(at)) {
                    errors.add(format!("/items/{i}/{name}"), "must lie inside the window");
                }
            }
            // Without a time nobody could say whether it came after a no.
            let is_something = item.collected.count > 0 || item.forwarded.count > 0;
            if is_something && (item.first_observed.is_none() || item.last_observed.is_none()) {
                errors.add(
                    format!("/items/{i}"),
                    "must say first_observed and last_observed when something was collected or forwarded",
                );
            }
            if item.forwarded.count > 0 && item.destination.is_none() {
                errors.add(format!("/items/{i}"), "must say the destination when something was forwarded");
            }
            for (name, amount) in [("collected", item.collected), ("forwarded", item.forwarded)] {
                if amount.bytes > MAX_BYTES {
                    errors.add(format!("/items/{i}/{name}/bytes"), "must be at most 2^32");
                } else if amount.count == 0 && amount.bytes > 0 {
                    errors.add(format!("/items/{i}/{name}"), "must not have bytes without a count");
                }
            }
        }
        errors.into_result()
    }

    fn sig(&self) -> &Sig {
        &self.sig
    }

    fn agent_id(&self) -> Uuid {
        self.agent_id
    }

    fn device_id(&self) -> Uuid {
        self.device_id
    }

    fn window(&self) -> Window {
        self.window
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use serde_json::{Map, Value};

    use super::*;
    use crate::error::Error;

    fn fields() -> Map<String, Value> {
        let report = serde_json::json!({
            "schema": "collection-report/1",
            "report_id": "0192f3a0-0000-7000-8000-000000000001",
            "agent_id": "0192f3a0-0000-7000-8000-000000000002",
            "boot_id": "0192f3a0-0000-7000-8000-000000000003",
            "seq": 1, "prev_hash": null,
            "device_id": "0192f3a0-0000-7000-8000-000000000004",
            "window": {"start": "2026-11-01T10:00:00Z", "end": "2026-11-01T10:05:00Z"},
            "produced_at": "2026-11-01T10:05:01Z",
            "items": [{"category": "web.urls", "granularity": "content", "source": "acme-agent/4.2",
                "collected": {"count": 12, "bytes": 5310},
                "first_observed": "2026-11-01T10:00:01Z", "last_observed": "2026-11-01T10:04:00Z"}],
        });
        report.as_object().unwrap().clone()
    }

    fn signed(change: impl FnOnce(&mut Value)) -> Result<ParsedReport> {
        let key = SigningKey::from_bytes(&[7; 32]);
        let mut value = Value::Object(fields());
        change(&mut value);
        let (value, _) = sign(value.as_object().unwrap().clone(), &key).unwrap();
        ParsedReport::read(value.to_string().as_bytes())
    }

    fn pointer(error: Error) -> String {
        match error {
            Error::Invalid(errors) => errors.iter().next().unwrap().field.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_signed_report_is_read_and_a_changed_one_is_not_its_signers() {
        let key = SigningKey::from_bytes(&[7; 32]).verifying_key();
        let parsed = signed(|_| ()).unwrap();
        assert!(parsed.is_signed_by(&key));
        assert!(!parsed.is_signed_by(&SigningKey::from_bytes(&[8; 32]).verifying_key()));
        let (value, hash) = sign(fields(), &SigningKey::from_bytes(&[7; 32])).unwrap();
        assert_eq!(hash, parsed.hash);
        let tampered = value.to_string().replace("\"count\":12", "\"count\":11");
        assert!(!ParsedReport::read(tampered.as_bytes()).unwrap().is_signed_by(&key));
    }

    #[test]
    fn each_fault_is_named_by_its_pointer_and_nothing_is_repeated() {
        type Change = fn(&mut Value);
        let cases: [(&str, Change); 11] = [
            ("/items/0", |v| v["items"][0]["title"] = "My secret window".into()),
            ("/items/0/category", |v| v["items"][0]["category"] = "My secret window".into()),
            ("/items/0/source", |v| v["items"][0]["source"] = "My secret window".into()),
            ("/items/0/destination/host", |v| {
                v["items"][0]["destination"] =
                    serde_json::json!({"host": "My secret window", "recipient": "org:a", "country": "DE"});
            }),
            ("/items/0/collected/count", |v| v["items"][0]["collected"]["count"] = (-1).into()),
            ("/window", |v| v["window"]["end"] = "2026-11-03T10:00:00Z".into()),
            ("/window/end", |v| v["window"]["end"] = "2026-11-01T09:00:00Z".into()),
            ("/items/0/first_observed", |v| v["items"][0]["first_observed"] = "2026-10-01T10:00:00Z".into()),
            ("/items/0", |v| {
                v["items"][0].as_object_mut().unwrap().remove("last_observed");
            }),
            ("", |v| v["My secret window"] = 1.into()),
            ("/items", |v| v["items"] = Value::Array(vec![v["items"][0].clone(); 201])),
        ];
        for (expected, change) in cases {
            let error = signed(change).expect_err(expected);
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
            assert_eq!(pointer(error), expected);
        }
    }
}
