//! Whether decisions are those that the log holds: a decision's leaf under the last signed head must commit to
//! its salt and opening, the opening to the record, and the row's columns must say the same. Whoever changes a
//! row by SQL can't change the head, which isn't in the database.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::State;
use super::store::decisions::Decision;
use crate::app::AppState;
use crate::error::Result;
use crate::ledger::document_hash;
use crate::ledger::proof::consent::{Opening, commitment};
use crate::web::times::hex;

/// What a comparison with the log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// In the log at this place, word for word.
    Holds(i64),
    /// Handed in, and not under a signed head yet.
    Waits,
    /// What stands here isn't what the log holds.
    Broken,
}

impl Integrity {
    pub fn is_broken(self) -> bool {
        self == Integrity::Broken
    }
}

/// Compares these decisions with the log, in their order.
pub async fn check(
    db: &mut PgConnection,
    state: &AppState,
    decisions: &[&Decision],
) -> Result<Vec<Integrity>> {
    let entries: Vec<i64> = decisions.iter().map(|d| d.ledger_entry).collect();
    let leaves = leaves(db, state, &entries).await?;
    decisions
        .iter()
        .map(|d| {
            let person_ref = state.consent.person_ref(d.person_id)?;
            Ok(match (leaves.get(&d.ledger_entry), d.leaf_position) {
                (Some(leaf), Some(position)) if holds(leaf, d, &person_ref) => Integrity::Holds(position),
                (None, None) if is_consistent(d, &person_ref) => Integrity::Waits,
                _ => Integrity::Broken,
            })
        })
        .collect()
}

async fn leaves(db: &mut PgConnection, state: &AppState, entries: &[i64]) -> Result<HashMap<i64, Value>> {
    let signed = state.ledger.signed_leaves(db, entries).await?;
    Ok(signed.into_iter().map(|(id, b)| (id, serde_json::from_slice(&b).unwrap_or_default())).collect())
}

fn holds(leaf: &Value, d: &Decision, person_ref: &str) -> bool {
    let Ok(salt) = d.salt.as_slice().try_into() else { return false };
    leaf["t"] == "consent"
        && leaf["commitment"] == commitment(salt, &d.opening).to_string()
        && is_consistent(d, person_ref)
}

/// Whether opening, record and columns say the same.
fn is_consistent(d: &Decision, person_ref: &str) -> bool {
    let Ok(opening) = serde_json::from_value::<Opening>(d.opening.clone()) else { return false };
    let (event, notice) = (&d.record["event"][0], &d.record["privacy_notice"]);
    let at = d.at.to_string();
    let end = d.until.filter(|_| d.state != State::Deferred).map_or("..".into(), |until| until.to_string());
    let says = [
        (&d.record["record_id"], d.id.to_string()),
        (&d.record["pii_principal_id"], person_ref.to_owned()),
        (&d.record["language"], d.language.clone()),
        (&d.record["processing"]["id"], d.processing_id.to_string()),
        (&d.record["purposes"][0]["purpose_type"][0], d.purpose.clone()),
        (&notice["@id"], urn(d.terms.notice)),
        (&event["event_time"], at.clone()),
        (&event["state"], d.state.id().to_owned()),
        (&event["validity_duration"], format!("{at}/{end}")),
        (&event["text_sha256"], format!("sha256:{}", hex(&d.text_sha256))),
    ];
    says.iter().all(|(said, column)| said.as_str() == Some(column))
        && notice["version"].as_str().is_some_and(|v| v.split('.').next() == Some(&d.terms.major.to_string()))
        && document_hash(&d.record) == Ok(opening.decision.record)
        && opening.person_ref == person_ref
        && opening.decision.state == d.state.id()
        && opening.decision.processing == d.processing_id
        && opening.at == at
}

fn urn(id: Uuid) -> String {
    format!("urn:uuid:{id}")
}

/// Numbers of decisions that should be there and aren't, of one processing's, oldest first. Taking away the
/// newest ones leaves no gap: against that a person holds their receipts.
pub fn missing(decisions: &[Decision]) -> Vec<i32> {
    let last = decisions.last().map_or(0, |d| d.number);
    (1..=last).filter(|n| !decisions.iter().any(|d| d.number == *n)).collect()
}

/// Whether these words are those that a decision names.
pub fn is_text(document: &Value, sha256: &[u8]) -> bool {
    document_hash(document).is_ok_and(|hash| hash.0.as_slice() == sha256)
}
