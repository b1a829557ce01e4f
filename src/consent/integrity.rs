//! Whether decisions are those that the log holds: a decision's leaf under the last signed head must commit to
//! its salt and opening, the opening to the record, and the row's columns must say the same. Whoever changes a
//! row by SQL can't change the head, which isn't in the database. Rows about the same processing must follow on
//! each other, so that none can be exchanged, put in, or taken out from between others.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::State;
use super::record::Kept;
use super::store::decisions::Decision;
use crate::app::AppState;
use crate::clock::Time;
use crate::error::Result;
use crate::ledger::document_hash;
use crate::ledger::proof::consent::{Opening, commitment};
use crate::web::times::hex;

/// Numbers of missing decisions that are named at most.
const MISSING_NAMED: usize = 10;

/// What a comparison with the log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// In the log at this place, word for word.
    Holds(i64),
    /// Handed in, and not under a signed head yet.
    Waits,
    /// All else fits, but it was made under another key for names than the server has now, so that nobody can say
    /// whether it names this person.
    OtherKey,
    /// What stands here isn't what the log holds.
    Broken,
    /// It fits by itself, and doesn't follow the decision before it: number, time and place in the log must grow.
    Misplaced,
}

impl Integrity {
    pub fn is_broken(self) -> bool {
        matches!(self, Integrity::Broken | Integrity::Misplaced)
    }
}

/// Compares these decisions with the log, in their order; `all` are all of the same person's.
pub async fn check(
    db: &mut PgConnection,
    state: &AppState,
    decisions: &[Decision],
    all: &[Decision],
) -> Result<Vec<Integrity>> {
    let before: Vec<Option<&Decision>> = decisions.iter().map(|d| before(d, all)).collect();
    let looked_at = decisions.iter().chain(before.iter().copied().flatten());
    let entries: Vec<i64> = looked_at.map(|d| d.ledger_entry).collect();
    let leaves = leaves(db, state, &entries).await?;
    let names = Names::of(state, all)?;
    let by_itself = |d: &Decision| -> Result<Integrity> {
        let name = names.judge(d);
        let answerer = d.by_id.map(|id| state.consent.person_ref(id)).transpose()?;
        if name == Name::Wrong || !is_consistent(d, answerer.as_deref().filter(|_| name == Name::Right)) {
            return Ok(Integrity::Broken);
        }
        Ok(match (leaves.get(&d.ledger_entry), d.leaf_position) {
            (Some(leaf), Some(_)) if !is_committed(leaf, d) => Integrity::Broken,
            (Some(_), Some(_)) | (None, None) if name == Name::OfAnotherKey => Integrity::OtherKey,
            (Some(_), Some(position)) => Integrity::Holds(position),
            (None, None) => Integrity::Waits,
            _ => Integrity::Broken,
        })
    };
    let found = decisions.iter().zip(before).map(|(d, before)| {
        let found = by_itself(d)?;
        let Some(before) = before.filter(|_| !found.is_broken()) else { return Ok(found) };
        // Of two that don't fit each other, only a row that is sound by itself says anything about the other.
        let is_sound = !by_itself(before)?.is_broken();
        Ok(if is_sound && !follows(place(d), place(before)) { Integrity::Misplaced } else { found })
    });
    found.collect()
}

/// The decision about the same processing whose row stands before this one.
fn before<'a>(d: &Decision, all: &'a [Decision]) -> Option<&'a Decision> {
    let earlier = all.iter().filter(|b| {
        b.processing_id == d.processing_id && b.id != d.id && (b.number, b.id) < (d.number, d.id)
    });
    earlier.max_by_key(|b| (b.number, b.id))
}

/// Number, time, and place in the log.
type Place = (i32, Time, Option<i64>);

fn place(d: &Decision) -> Place {
    (d.number, d.at, d.leaf_position)
}

fn follows(own: Place, before: Place) -> bool {
    let grows = match (before.2, own.2) {
        (Some(before), Some(own)) => before < own,
        (None, own) => own.is_none(),
        (Some(_), None) => true,
    };
    before.0 < own.0 && before.1 <= own.1 && grows
}

async fn leaves(db: &mut PgConnection, state: &AppState, entries: &[i64]) -> Result<HashMap<i64, Value>> {
    let signed = state.ledger.signed_leaves(db, entries).await?;
    Ok(signed.into_iter().map(|(id, b)| (id, serde_json::from_slice(&b).unwrap_or_default())).collect())
}

fn is_committed(leaf: &Value, d: &Decision) -> bool {
    let Ok(salt) = d.salt.as_slice().try_into() else { return false };
    leaf["t"] == "consent" && leaf["commitment"] == commitment(salt, &d.opening).to_string()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Right,
    /// Made before the first decision that names this person as the server does now.
    OfAnotherKey,
    /// The server's key was the present one already: it names somebody else.
    Wrong,
}

/// How this person is named by the server's present key, and since when.
struct Names {
    own: HashMap<Uuid, String>,
    since: Option<Time>,
}

impl Names {
    fn of(state: &AppState, all: &[Decision]) -> Result<Self> {
        let mut own = HashMap::new();
        for d in all {
            own.insert(d.person_id, state.consent.person_ref(d.person_id)?);
        }
        let mut names = Names { own, since: None };
        names.since = all.iter().filter(|d| names.fits(d)).map(|d| d.at).min();
        Ok(names)
    }

    fn fits(&self, d: &Decision) -> bool {
        self.own.get(&d.person_id).is_some_and(|own| d.record["pii_principal_id"] == own.as_str())
    }

    fn judge(&self, d: &Decision) -> Name {
        match self.since {
            _ if self.fits(d) => Name::Right,
            Some(since) if since < d.at => Name::Wrong,
            _ => Name::OfAnotherKey,
        }
    }
}

/// Whether opening, record and columns say the same. Whoever answered is compared where their name is known.
fn is_consistent(d: &Decision, answerer: Option<&str>) -> bool {
    let Ok(opening) = serde_json::from_value::<Opening>(d.opening.clone()) else { return false };
    let (event, notice) = (&d.record["event"][0], &d.record["privacy_notice"]);
    let at = d.at.to_string();
    let end = d.until.filter(|_| d.state != State::Deferred).map_or("..".into(), |until| until.to_string());
    let says = [
        (&d.record["record_id"], d.id.to_string()),
        (&d.record["pii_principal_id"], opening.person_ref.clone()),
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
        && is_kept(d, answerer)
        && document_hash(&d.record) == Ok(opening.decision.record)
        && opening.decision.state == d.state.id()
        && opening.decision.processing == d.processing_id
        && opening.at == at
}

/// Whether the columns are those that the record's `decision` was made from.
fn is_kept(d: &Decision, answerer: Option<&str>) -> bool {
    let Ok(salt) = d.salt.as_slice().try_into() else { return false };
    let kept = Kept {
        salt,
        number: d.number,
        by_role: &d.by_role,
        by_person: answerer,
        version: d.version_id,
        major: d.terms.major,
        declared_sha256: d.terms.content,
        allowed_before: d.allowed_before,
        allowed_after: d.allowed_after,
        until: d.until,
        reason: d.reason.as_deref(),
        named: d.named,
        due_at: d.due_at,
    };
    let (mut said, recorded) = (kept.said(), &d.record["decision"]);
    if d.by_id.is_some() && answerer.is_none() && recorded["by_person_hash"].is_string() {
        said["by_person_hash"] = recorded["by_person_hash"].clone();
    }
    said == *recorded
}

fn urn(id: Uuid) -> String {
    format!("urn:uuid:{id}")
}

/// Numbers of decisions that should be there and aren't, of one processing's. Taking away the newest ones leaves
/// no gap: against that a person holds their receipts.
pub fn missing(decisions: &[Decision]) -> Vec<i32> {
    let there_are: HashSet<i32> = decisions.iter().map(|d| d.number).collect();
    let last = there_are.iter().max().copied().unwrap_or(0);
    // A row that was changed may name any number; what is far beyond the others is told of the row itself.
    (1..=last).filter(|n| !there_are.contains(n)).take(MISSING_NAMED).collect()
}

/// Whether these words are those that a decision names.
pub fn is_text(document: &Value, sha256: &[u8]) -> bool {
    document_hash(document).is_ok_and(|hash| hash.0.as_slice() == sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_time_and_place_in_the_log_grow() {
        let at = |second: i64| -> Time { jiff::Timestamp::from_second(second).unwrap().into() };
        let before = (2, at(100), Some(7));
        for (own, is_so) in [
            ((3, at(100), Some(8)), true),
            ((5, at(160), None), true),
            ((2, at(160), Some(8)), false),
            ((3, at(99), Some(8)), false),
            ((3, at(160), Some(6)), false),
        ] {
            assert_eq!(follows(own, before), is_so, "{own:?}");
        }
        assert!(!follows((3, at(160), Some(8)), (2, at(100), None)), "one that waits can't be overtaken");
        assert!(follows((3, at(160), None), (2, at(100), None)));
    }
}
