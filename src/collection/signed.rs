//! What agents sign with their key, whatever it says.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::report::{Hash, Sig, Window, key_id};
use super::strict::{read_strict, read_typed};
use crate::error::Result;

/// What agents sign: read by [`Parsed::read`], and held against who sent it when it is received.
pub trait Signed: DeserializeOwned {
    /// The rules that span fields.
    fn check(&self) -> Result<()>;
    fn sig(&self) -> &Sig;
    fn agent_id(&self) -> Uuid;
    fn device_id(&self) -> Uuid;
    fn window(&self) -> Window;
}

/// A report that has the right shape, with what its signature is over.
#[derive(Debug, Clone)]
pub struct Parsed<R> {
    pub report: R,
    pub hash: Hash,
    canonical: Vec<u8>,
}

impl<R: Signed> Parsed<R> {
    /// Reads a body: shape first, then the rules that span fields. Every message names a JSON pointer and
    /// repeats nothing of the body.
    pub fn read(body: &[u8]) -> Result<Self> {
        let mut value = read_strict(body)?;
        let report: R = read_typed(&value)?;
        if let Value::Object(fields) = &mut value {
            fields.remove("sig");
        }
        let canonical = serde_json_canonicalizer::to_vec(&value).map_err(anyhow::Error::new)?;
        let hash = Hash(Sha256::digest(&canonical).into());
        report.check()?;
        Ok(Parsed { report, hash, canonical })
    }

    /// Whether the signature is this key's.
    pub fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        self.report.sig().is_over(&self.canonical, key)
    }
}

impl Sig {
    /// Whether it is this key's over these bytes.
    fn is_over(&self, bytes: &[u8], key: &VerifyingKey) -> bool {
        let value = URL_SAFE_NO_PAD.decode(self.value.as_str()).ok();
        let signature = value.and_then(|v| Signature::from_slice(&v).ok());
        signature.is_some_and(|s| key.verify_strict(bytes, &s).is_ok())
    }
}

/// Signs a report's fields (without `sig`): answers the whole report as JSON, and its hash.
pub fn sign(mut fields: Map<String, Value>, key: &SigningKey) -> anyhow::Result<(Value, Hash)> {
    fields.remove("sig");
    let canonical = serde_json_canonicalizer::to_vec(&fields)?;
    let signature = key.sign(&canonical);
    let sig = serde_json::json!({
        "kid": key_id(key.verifying_key().as_bytes()),
        "alg": "EdDSA",
        "value": URL_SAFE_NO_PAD.encode(signature.to_bytes()),
    });
    fields.insert("sig".into(), sig);
    Ok((Value::Object(fields), Hash(Sha256::digest(&canonical).into())))
}
