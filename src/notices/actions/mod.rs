//! What changes notices; each function is one transaction.
//!
//! Whoever changes something says which revision of the version they have seen. When another is the newest
//! one by now, nothing is done ([`STALE`]) and nothing that was typed is lost.

pub mod acknowledge;
pub mod ask;
mod drafts;
mod publish;
pub(super) mod remind;
mod review;
mod schedule;

pub use drafts::{Edit, change, correct, create, delete_draft, preview, save};
pub use publish::{publish_due, publish_now, retract};
pub use review::{answer, approve, missing, obstacle, return_to_draft, standing_answer, submit};
pub use schedule::{Times, check_times, discard, schedule, unschedule, whole_minute};

use sqlx::PgConnection;
use uuid::Uuid;

use super::fields;
use super::laws::Kind;
use super::life::{State, Step};
use super::model::{Covered, REASON_LENGTH, Version};
use super::signs;
use super::store;
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::register::{self, Revision};
use crate::web::{Role, Viewer};

pub const STALE: &str =
    "Somebody else has changed this in the meantime. Look at the newest version, then try again.";

/// The notice that a version belongs to.
pub async fn notice_of(state: &AppState, version: Uuid) -> Result<Uuid> {
    let version = store::find_version(&mut *state.db.acquire().await?, version).await?;
    Ok(version.ok_or(Error::NotFound)?.notice_id)
}

fn publisher(viewer: &Viewer) -> Result<Role> {
    viewer.acting_as(&[Role::Publisher]).ok_or(Error::Forbidden)
}

/// The kind that a stored version names.
pub fn kind_of(version: &Version) -> Result<&'static Kind> {
    let missing = || anyhow::anyhow!("a notice of a kind that this program doesn't know");
    Ok(Kind::find(&version.kind).ok_or_else(missing)?)
}

/// The version, its notice locked until the transaction ends; refused when `seen` isn't its newest revision.
async fn lock(db: &mut PgConnection, id: Uuid, seen: i32) -> Result<Version> {
    let version = lock_any(db, id).await?;
    if version.revision != seen {
        return Err(Error::conflict(STALE));
    }
    Ok(version)
}

async fn lock_any(db: &mut PgConnection, id: Uuid) -> Result<Version> {
    let version = store::find_version(db, id).await?.ok_or(Error::NotFound)?;
    store::lock_notice(db, version.notice_id).await?;
    // Another transaction may have changed it until the lock was ours.
    store::find_version(db, id).await?.ok_or(Error::NotFound)
}

/// Whether the step is allowed now, else the words that say why not.
fn allow(version: &Version, step: Step) -> Result<State> {
    version.state.after(step).ok_or_else(|| not_now(version.state))
}

fn not_now(state: State) -> Error {
    Error::conflict(match state {
        State::Draft => "This is a draft. Submit it for review first.",
        State::InReview => "This is in review. Approve it, or take it back to the draft first.",
        State::Approved => "This is approved and can't be changed any more. Set it aside to write it anew.",
        State::Scheduled => "This is scheduled. Take it off the schedule first.",
        State::Published => "This is published. Correct it, change it, or retract it.",
        State::Superseded => "A newer version has taken its place. Nothing about this one can be changed.",
        State::Retracted => "This was retracted. Nothing about it can be changed any more.",
    })
}

/// A reason as it is stored; `field` is the form's.
fn reasoned<'a>(reason: &'a str, field: &'static str) -> Result<&'a str> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Error::invalid(field, "Say why. The reason is on record."));
    }
    short(reason, field)
}

fn short<'a>(text: &'a str, field: &'static str) -> Result<&'a str> {
    if text.chars().count() > REASON_LENGTH {
        return Err(Error::invalid(field, format!("Use at most {REASON_LENGTH} characters.")));
    }
    if let Some(words) = signs::problem(text) {
        return Err(Error::invalid(field, words));
    }
    Ok(text.trim())
}

/// The register's newest word on everything that a notice can cover.
pub async fn coverable(db: &mut PgConnection) -> Result<Vec<Revision>> {
    let newest = register::store::list_newest(db).await?;
    Ok(newest.into_iter().map(|(r, _)| r).filter(fields::can_be_covered).collect())
}

/// The field table as the register has it now.
pub async fn table_now(db: &mut PgConnection, processings: &[Uuid]) -> Result<Vec<Covered>> {
    let newest = coverable(db).await?;
    let departments = crate::identity::list_departments(db).await?;
    Ok(fields::table(&newest, processings, &departments))
}

/// Refuses to go on when the register says something else than the version's own table, or its kind.
async fn check_register(db: &mut PgConnection, version: &Version) -> Result<()> {
    if let Some(words) = kind_of(version)?.contradiction(&version.processings, &coverable(db).await?) {
        return Err(Error::conflict(words));
    }
    let now = table_now(db, &version.processings).await?;
    let changes = fields::changes(version.field_table.as_deref().unwrap_or_default(), &now);
    if changes.is_empty() {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "The register has changed since this was submitted: {}. A notice must say what the register says: \
         write it anew.",
        fields::changes_words(&changes)
    )))
}

/// An empty text is none.
fn optional(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|t| !t.is_empty())
}

fn now_for(state: &AppState, version: &Version) -> crate::clock::Time {
    // A server's clock may be set back; the order of the history may not.
    state.clock.now().max(version.updated_at)
}
