//! What changes choices; each is one transaction, which also hands the log its commitment.
//!
//! A decision counts from its commit. Its commitment waits for the next full hour: an entry at 10:03 would tell
//! whoever sat beside somebody at 10:03 that they decided something.

mod answer;
mod choose;
mod lapse;
pub mod objections;
pub mod systems;
pub mod tally;

pub use answer::{Reply, answer};
pub use choose::{Seen, Wish, choose, choose_all, one_month_after, show};
pub use lapse::enter_lapsed;

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::cases::Case;
use super::model::{State, Terms, decide};
use super::record::{self, Facts, Kept, NoticeRef};
use super::rules::Audience;
use super::store::decisions::{self, Decision};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::ledger::proof::consent::commitment;
use crate::ledger::{self, Leaf};
use crate::notices::Told;

/// Characters of a reason at most.
pub const REASON_LENGTH: usize = 2_000;

/// A reason as it is kept.
fn reasoned<'a>(reason: &'a str, field: &'static str) -> Result<&'a str> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Error::invalid(field, "Say why, in your own words."));
    }
    if reason.chars().count() > REASON_LENGTH {
        return Err(Error::invalid(field, "Use at most 2,000 characters."));
    }
    Ok(reason)
}

/// A decision about to be made.
struct Step<'a> {
    person: Uuid,
    state: State,
    by_role: &'static str,
    by_id: Option<Uuid>,
    until: Option<Time>,
    reason: Option<&'a str>,
    named: bool,
    due_at: Option<Time>,
    language: String,
    /// The words it is made on.
    text_sha256: [u8; 32],
    terms: Terms,
    told: &'a Told,
}

/// Adds a decision to a case, and its commitment to the log.
async fn add(
    db: &mut PgConnection,
    state: &AppState,
    audience: &Audience,
    case: &Case,
    step: Step<'_>,
) -> Result<Decision> {
    let now = state.clock.now();
    // A server's clock may be set back; the order of decisions may not.
    let at = case.newest().map_or(now, |d| now.max(d.at));
    let held =
        step.state.answer().map(|answer| super::model::Held { answer, terms: step.terms, until: step.until });
    let after = decide(case.question(), held.or(case.held), at);
    let (id, salt) = (state.random.opaque_id(), state.random.bytes::<32>());
    let person_ref = state.consent.person_ref(step.person)?;
    let answerer = step.by_id.map(|id| state.consent.person_ref(id)).transpose()?;
    let number = case.newest().map_or(0, |d| d.number) + 1;
    let content = case.rule.content();
    let version = &step.told.version;
    let contact = content.objection_contact.clone().or(content.mandatory.as_ref().map(|m| m.contact.clone()));
    let text = version.text(&step.language).or(version.texts.first());
    let facts = Facts {
        record_id: id,
        person_ref: &person_ref,
        controller: &state.config.organisation,
        controller_contact: contact.as_deref().unwrap_or(""),
        content,
        processing: case.processing(),
        processing_revision: case.rule.declaration.revision,
        mode: case.rule.mode(audience),
        notice: NoticeRef {
            notice: version.notice_id,
            version: version.number.to_string(),
            title: text.map(|t| t.title.clone()).unwrap_or_default(),
            language: step.language.clone(),
            content_sha256: step.told.content_sha256,
            leaf_hash: step.told.leaf_hash.0,
            url: format!("{}/notices/{}", state.config.base_url, version.notice_id),
        },
        text_sha256: step.text_sha256,
        state: step.state.id(),
        at,
        jurisdiction: &audience.jurisdiction,
        kept: Kept {
            salt: &salt,
            number,
            by_role: step.by_role,
            by_person: answerer.as_deref(),
            version: version.id,
            major: step.terms.major,
            declared_sha256: step.terms.content,
            allowed_before: case.why.allows(),
            allowed_after: after.allows(),
            until: step.until,
            reason: step.reason,
            named: step.named,
            due_at: step.due_at,
        },
    };
    let record: Value = record::record(&facts);
    let opening = record::opening(&facts, &record);
    let leaf = Leaf::Consent { commitment: commitment(&salt, &opening) };
    let entry = ledger::submit_for_the_hour(db, &leaf, now).await?;
    let decision = Decision {
        id,
        person_id: step.person,
        processing_id: case.processing(),
        number,
        state: step.state,
        at,
        by_role: step.by_role.into(),
        by_id: step.by_id,
        text_sha256: step.text_sha256.to_vec(),
        version_id: version.id,
        terms: step.terms,
        language: step.language,
        purpose: content.purpose.id().into(),
        allowed_before: case.why.allows(),
        allowed_after: after.allows(),
        until: step.until,
        reason: step.reason.map(Into::into),
        named: step.named,
        due_at: step.due_at,
        record,
        opening,
        salt: salt.to_vec(),
        ledger_entry: entry.0,
        leaf_position: None,
    };
    decisions::insert(db, &decision).await?;
    Ok(decision)
}
