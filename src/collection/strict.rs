//! JSON read strictly: each key once, no field that the type doesn't have, and messages that name the place
//! and what may stand there without repeating what was sent.

use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::ledger::proof::strict;

/// Parses JSON and refuses what two parsers could read differently: keys that occur twice.
pub fn read_strict(body: &[u8]) -> Result<Value> {
    let refused = |detail: String| Error::Rejected(StatusCode::BAD_REQUEST, detail.into());
    strict::parse(body).map_err(|e| {
        let what = if e.is_data() { "a key occurs twice" } else { "this is not JSON" };
        refused(format!("{what}, at line {} column {}", e.line(), e.column()))
    })
}

/// Fits JSON to a type; the message names the place and what may stand there.
pub fn read_typed<T: DeserializeOwned>(value: &Value) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut pointer = String::new();
        for segment in error.path() {
            let name = match segment {
                serde_path_to_error::Segment::Seq { index } => index.to_string(),
                serde_path_to_error::Segment::Map { key } if expected(key).is_some() => key.clone(),
                // A key of the sender's own making is not repeated.
                _ => break,
            };
            pointer.push('/');
            pointer.push_str(&name);
        }
        let text = error.inner().to_string();
        let last = pointer.rsplit('/').next().unwrap_or("");
        let message = if text.starts_with("unknown field") {
            "holds a field that the schema doesn't have; only metadata is taken here, never content"
                .to_owned()
        } else if text.starts_with("missing field") {
            // The name after the words is ours: it comes from the type.
            text
        } else {
            format!("must be {}", expected(last).unwrap_or("as in the schema"))
        };
        Error::invalid(pointer, message)
    })
}

/// What may stand at a field, by its name; `None` for names that no schema of ours has.
fn expected(name: &str) -> Option<&'static str> {
    Some(match name {
        "schema" => {
            "\"collection-report/1\" in a report, \"presence-report/1\" in one of presence, \"policy-confirmation/1\" in a confirmation"
        }
        "report_id" | "agent_id" | "boot_id" | "device_id" => "a UUID",
        "seq" | "revision" | "count" | "bytes" => "a whole number, not negative",
        "prev_hash" | "sha256" => "\"sha256:\" and 64 lower-case hexadecimal digits",
        "window" => "an object with start and end",
        "start" | "end" | "produced_at" | "first_observed" | "last_observed" | "applied_at" => {
            "a time as in RFC 3339"
        }
        "policy" => "null or an object with revision and sha256",
        "items" => "a list of items",
        "products" => "a list of known products",
        "product" => "the id of a known product, see docs/catalogue.md",
        "by" => "process, package, extension, certificate or socket",
        "category" => "an id from /api/v1/categories",
        "granularity" => "count, metadata or content",
        "source" => "name/version in lower case, such as acme-agent/4.2",
        "collected" | "forwarded" => "an object with count and bytes",
        "dropped" => "null or an object with count and reason",
        "reason" => "opt_out, not_declared, paused, policy_expired or filtered",
        "destination" => "null or an object with host, recipient and country",
        "host" => "a host name in lower case",
        "recipient" => "\"org:\" and an id",
        "country" => "an ISO 3166-1 code of two capital letters",
        "field" => "null or a known field's name, see docs/gateway.md",
        "purpose" => "null or a purpose from /api/v1/categories",
        "sig" => "an object with kid, alg and value",
        "kid" => "the key id given at enrolment",
        "alg" => "\"EdDSA\"",
        "value" => "an Ed25519 signature in base64url, 86 characters",
        "enrolment_secret" => "the secret given by an administrator",
        "public_key" => "an Ed25519 public key in base64url, 43 characters",
        "software" => "name/version in lower case",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_parsers_read_differently_is_refused() {
        let body = br#"{"seq":1,"seq":2}"#;
        assert!(
            matches!(read_strict(body), Err(Error::Rejected(StatusCode::BAD_REQUEST, text)) if text.contains("twice"))
        );
        assert!(read_strict(b"{").is_err());
        assert!(read_strict(b"{\"a\":[1,{\"b\":1,\"b\":1}]}").is_err());
    }
}
