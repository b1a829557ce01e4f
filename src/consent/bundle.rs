//! The policy bundle, `policy/1`: what one agent may collect, as the server says and signs it; and the
//! agent's confirmation that it has applied one. Server and agent share this file.
//!
//! Signatures are Ed25519 (RFC 8032, strict) over RFC 8785 canonical JSON without `sig`, as those of
//! collection reports. A bundle's hash leaves out when it was signed and until when it holds: the same
//! revision is signed anew every few minutes and stays the same policy.
//!
//! Everything here fails closed: what isn't allowed in so many words is not allowed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::clock::Time;
use crate::collection::report::{self, Algorithm, Hash, PolicyRef, Sig};
use crate::collection::strict::{read_strict, read_typed};
use crate::error::Error;
use crate::register::{Category, Purpose, source_key};

/// Seconds that a bundle holds after it was signed.
pub const VALID_SECONDS: i64 = 15 * 60;

/// What one agent may collect. Its order of rules is part of its hash.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    pub schema: BundleSchema,
    pub agent_id: Uuid,
    pub device_id: Uuid,
    /// Only ever grows for an agent; below 2^53.
    pub revision: u64,
    #[schema(value_type = String, format = DateTime)]
    pub issued_at: Time,
    /// From then on only rules that aren't optional count.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Time,
    /// Seconds that agents have to follow before something collected counts as a violation.
    pub grace_seconds: u32,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub enum BundleSchema {
    #[serde(rename = "policy/1")]
    V1,
}

/// What holds for one declared processing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub processing: Uuid,
    #[schema(value_type = String)]
    pub category: Category,
    #[schema(value_type = String)]
    pub purpose: Purpose,
    /// The program that records, in lower case and without a version: `activitywatch`.
    pub source: String,
    pub collect: bool,
    /// Whether it ends with the bundle's time.
    pub optional: bool,
}

/// An agent's word that it has applied a bundle to everything that it controls.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    pub schema: ConfirmationSchema,
    pub agent_id: Uuid,
    pub revision: u64,
    #[schema(value_type = String)]
    pub sha256: Hash,
    #[schema(value_type = String, format = DateTime)]
    pub applied_at: Time,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub enum ConfirmationSchema {
    #[serde(rename = "policy-confirmation/1")]
    V1,
}

/// Either of them as it travels: its fields and a signature over them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Signed<T> {
    #[serde(flatten)]
    pub body: T,
    pub sig: Sig,
}

/// The key that a server signs its policies with, as it gives it away.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyKey {
    pub kid: String,
    pub alg: Algorithm,
    /// Ed25519, base64url, 43 characters.
    pub public_key: String,
}

/// Why something signed isn't believed.
#[derive(Debug, thiserror::Error)]
pub enum Unbelieved {
    /// It isn't JSON, names a key twice, or doesn't fit the schema.
    #[error("{0}")]
    Shape(Error),
    #[error("it isn't signed by the key that was expected")]
    Signature,
}

impl From<Error> for Unbelieved {
    fn from(error: Error) -> Self {
        Unbelieved::Shape(error)
    }
}

impl Bundle {
    /// A bundle that this key has signed. Whose agent it is for is the caller's question.
    pub fn read(body: &[u8], key: &VerifyingKey) -> Result<Self, Unbelieved> {
        let (bundle, fields) = read_signed::<Bundle>(body, key)?;
        // The hash is made of what was understood, so nothing may have been written in another way.
        let same = hash(&content(fields)).is_ok_and(|hash| hash == bundle.content_hash());
        if !same || bundle.revision >= 1 << 53 {
            return Err(Error::invalid("/revision", "must be in canonical form").into());
        }
        Ok(bundle)
    }

    pub fn sign(self, key: &SigningKey) -> anyhow::Result<Signed<Self>> {
        Signed::new(self, key)
    }

    /// What reports and confirmations name it by, beside its revision.
    pub fn content_hash(&self) -> Hash {
        let fields = fields_of(self).expect("a bundle is written as an object");
        hash(&content(fields)).expect("it holds texts, truth values and whole numbers")
    }

    pub fn reference(&self) -> PolicyRef {
        PolicyRef { revision: self.revision, sha256: self.content_hash() }
    }

    /// Whether `program` may collect this category at this moment.
    pub fn allows(&self, category: Category, program: &str, now: Time) -> bool {
        let in_time = now < self.not_after;
        let means =
            |rule: &Rule| rule.category == category && source_key(&rule.source) == source_key(program);
        self.rules.iter().any(|rule| rule.collect && (in_time || !rule.optional) && means(rule))
    }
}

impl Confirmation {
    pub fn of(bundle: &PolicyRef, agent_id: Uuid, applied_at: Time) -> Self {
        let schema = ConfirmationSchema::V1;
        Confirmation { schema, agent_id, revision: bundle.revision, sha256: bundle.sha256, applied_at }
    }

    /// A confirmation that this agent's key has signed.
    pub fn read(body: &[u8], key: &VerifyingKey) -> Result<Self, Unbelieved> {
        Ok(read_signed(body, key)?.0)
    }

    pub fn sign(self, key: &SigningKey) -> anyhow::Result<Signed<Self>> {
        Signed::new(self, key)
    }
}

impl<T: Serialize> Signed<T> {
    fn new(body: T, key: &SigningKey) -> anyhow::Result<Self> {
        let (signed, _) = report::sign(fields_of(&body)?, key)?;
        Ok(Signed { body, sig: serde_json::from_value(signed["sig"].clone())? })
    }
}

impl PolicyKey {
    pub fn of(key: &VerifyingKey) -> Self {
        PolicyKey {
            kid: report::key_id(key.as_bytes()),
            alg: Algorithm::EdDSA,
            public_key: URL_SAFE_NO_PAD.encode(key.as_bytes()),
        }
    }

    /// `None` when it is no key, a weak one, or not the one that its id names.
    pub fn key(&self) -> Option<VerifyingKey> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.public_key).ok()?.try_into().ok()?;
        let key = VerifyingKey::from_bytes(&bytes).ok()?;
        (!key.is_weak() && report::key_id(&bytes) == self.kid).then_some(key)
    }
}

/// The value and the fields that its signature is over.
fn read_signed<T: DeserializeOwned>(
    body: &[u8],
    key: &VerifyingKey,
) -> Result<(T, Map<String, Value>), Unbelieved> {
    let mut value = read_strict(body)?;
    let sig = value.as_object_mut().and_then(|fields| fields.remove("sig"));
    let sig: Sig = read_typed(&sig.unwrap_or_default()).map_err(|_| Unbelieved::Signature)?;
    let Algorithm::EdDSA = sig.alg;
    let typed = read_typed(&value)?;
    let Value::Object(fields) = value else { return Err(Unbelieved::Signature) };
    let canonical = serde_json_canonicalizer::to_vec(&fields).map_err(|_| Unbelieved::Signature)?;
    let bytes = URL_SAFE_NO_PAD.decode(sig.value.as_str()).ok();
    let signature = bytes.and_then(|bytes| Signature::from_slice(&bytes).ok());
    let is_theirs = sig.kid.as_str() == report::key_id(key.as_bytes())
        && signature.is_some_and(|signature| key.verify_strict(&canonical, &signature).is_ok());
    if is_theirs { Ok((typed, fields)) } else { Err(Unbelieved::Signature) }
}

fn fields_of(value: &impl Serialize) -> anyhow::Result<Map<String, Value>> {
    match serde_json::to_value(value)? {
        Value::Object(fields) => Ok(fields),
        _ => anyhow::bail!("only objects are signed"),
    }
}

/// A bundle's fields without those that change when the same policy is signed anew.
fn content(mut fields: Map<String, Value>) -> Map<String, Value> {
    for name in ["sig", "issued_at", "not_after"] {
        fields.remove(name);
    }
    fields
}

fn hash(fields: &Map<String, Value>) -> anyhow::Result<Hash> {
    Ok(Hash(Sha256::digest(serde_json_canonicalizer::to_vec(fields)?).into()))
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
