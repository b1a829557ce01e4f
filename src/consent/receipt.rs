//! The file that a person downloads: their decision, what opens its commitment, and the log's proof.

use serde_json::Value;
use uuid::Uuid;

use crate::ledger::proof::receipt::assemble;

/// The receipt file: a consent receipt where the processing rests on consent, a record of a choice elsewhere.
/// `proof` is the `tlog-proof`'s text, `None` while the entry waits for its place.
pub fn receipt(record: &Value, opening: &Value, salt: &[u8], proof: Option<&str>, receipt_id: Uuid) -> Value {
    assemble(record, opening, salt, proof, &receipt_id.to_string())
}
