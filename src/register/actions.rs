//! What changes the register; each function is one transaction and adds one revision.
//!
//! Whoever changes something says which revision they have seen. When another is the newest one by now,
//! nothing is done ([`STALE`]): two people in HR don't overwrite each other.

use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::life::{Change, Revision, State};
use super::log;
use super::model::ProcessingContent;
use super::obstacle::obstacle;
use super::rules::validate;
use super::shape::TEXT_LIMIT;
use super::store;
use crate::app::{self, AppState};
use crate::error::{Error, Result};
use crate::web::{Role, Viewer, times};

pub const STALE: &str =
    "Somebody else has changed this in the meantime. Look at the newest version, then try again.";

/// Where a processing stands, locked until the transaction ends.
struct Head {
    state: State,
    history: Vec<Revision>,
}

impl Head {
    async fn lock(db: &mut PgConnection, id: Uuid, seen: i32) -> Result<Head> {
        let (state, revision) = store::lock_head(db, id).await?.ok_or(Error::NotFound)?;
        if revision != seen {
            return Err(Error::conflict(STALE));
        }
        let history = store::list_history(db, id).await?;
        Ok(Head { state, history })
    }

    fn newest(&self) -> Result<&Revision> {
        self.history.last().ok_or(Error::NotFound)
    }
}

/// One change about to be made.
struct Step<'a> {
    role: Role,
    change: Change,
    content: Option<&'a ProcessingContent>,
    reason: Option<&'a str>,
}

fn publisher(viewer: &Viewer) -> Result<Role> {
    viewer.acting_as(&[Role::Publisher]).ok_or(Error::Forbidden)
}

fn reasoned<'a>(reason: &'a str, field: &'static str) -> Result<&'a str> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Error::invalid(
            field,
            "Say why. The reason stands in the history, which everybody can read.",
        ));
    }
    if reason.chars().count() > TEXT_LIMIT {
        return Err(Error::invalid(field, format!("Use at most {TEXT_LIMIT} characters.")));
    }
    Ok(reason)
}

/// Makes the change where the state allows it; answers the new revision.
async fn take(
    db: &mut PgConnection,
    state: &AppState,
    viewer: &Viewer,
    id: Uuid,
    head: &Head,
    step: Step<'_>,
) -> Result<i32> {
    let newest = head.newest()?;
    let next = head.state.after(step.change).ok_or_else(|| not_now(head.state))?;
    let content = step.content.unwrap_or(&newest.content);
    let revision = Revision {
        processing_id: id,
        revision: newest.revision + 1,
        // A server's clock may be set back; the order of the history may not.
        at: state.clock.now().max(newest.at),
        by_role: step.role.id().into(),
        change: step.change,
        state: next,
        reason: step.reason.map(Into::into),
        content_sha256: content.sha256()?,
        content: content.clone(),
    };
    store::insert_revision(db, &revision, viewer.person_id).await?;
    log::enter(db, &head.history, &revision).await?;
    Ok(revision.revision)
}

/// A step counts whether or not the log can take it now: a pause can't wait for a key.
async fn commit(tx: Transaction<'_, Postgres>, state: &AppState) -> Result<()> {
    tx.commit().await?;
    state.ledger.settle_or_wait().await;
    Ok(())
}

fn not_now(state: State) -> Error {
    Error::conflict(match state {
        State::Draft => "This is a draft. Propose it first.",
        State::Proposed => "This is proposed and not yet active, so that can't be done.",
        State::Active => "This is active, so that can't be done.",
        State::Paused => "This is paused, so that can't be done.",
        State::Ended => "This has ended. Nothing can be changed any more; its history stays.",
    })
}

/// Starts a draft; answers its id. Only category, purpose and source are needed.
pub async fn create_draft(state: &AppState, viewer: &Viewer, content: &ProcessingContent) -> Result<Uuid> {
    let role = publisher(viewer)?;
    validate(content, false).into_result()?;
    let now = state.clock.now();
    let id = state.random.uuid(now);
    let mut tx = state.db.begin().await?;
    store::insert_processing(&mut tx, id, now).await?;
    let revision = Revision {
        processing_id: id,
        revision: 1,
        at: now,
        by_role: role.id().into(),
        change: Change::Created,
        state: State::Draft,
        reason: None,
        content_sha256: content.sha256()?,
        content: content.clone(),
    };
    store::insert_revision(&mut tx, &revision, viewer.person_id).await?;
    tx.commit().await?;
    Ok(id)
}

pub async fn save_draft(
    state: &AppState,
    viewer: &Viewer,
    id: Uuid,
    seen: i32,
    content: &ProcessingContent,
) -> Result<i32> {
    let role = publisher(viewer)?;
    validate(content, false).into_result()?;
    let step = Step { role, change: Change::Saved, content: Some(content), reason: None };
    simple(state, viewer, id, seen, step).await
}

async fn simple(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32, step: Step<'_>) -> Result<i32> {
    let mut tx = state.db.begin().await?;
    let head = Head::lock(&mut tx, id, seen).await?;
    let revision = take(&mut tx, state, viewer, id, &head, step).await?;
    commit(tx, state).await?;
    Ok(revision)
}

/// Deletes a draft, which nobody but publishers has seen. What was ever proposed is ended instead.
pub async fn delete_draft(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32) -> Result<()> {
    publisher(viewer)?;
    let mut tx = state.db.begin().await?;
    let head = Head::lock(&mut tx, id, seen).await?;
    if head.state != State::Draft {
        return Err(Error::conflict("Only a draft can be deleted. End this instead: its history stays."));
    }
    store::delete_processing(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}

/// Shows a draft to the representatives.
pub async fn propose(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32) -> Result<i32> {
    let step = Step { role: publisher(viewer)?, change: Change::Proposed, content: None, reason: None };
    simple(state, viewer, id, seen, step).await
}

/// The representatives' answer to the newest version; it counts for exactly this content. An objection
/// says why.
pub async fn answer(
    state: &AppState,
    viewer: &Viewer,
    id: Uuid,
    seen: i32,
    agrees: bool,
    comment: &str,
) -> Result<i32> {
    let role = viewer.acting_as(&[Role::Representative]).ok_or(Error::Forbidden)?;
    if viewer.has(Role::Publisher) {
        return Err(Error::conflict(
            "You also publish for the employer, so you can't answer for the representatives.",
        ));
    }
    let comment =
        if agrees && comment.trim().is_empty() { None } else { Some(reasoned(comment, "comment")?) };
    let change = if agrees { Change::Agreed } else { Change::Objected };
    let mut tx = state.db.begin().await?;
    let head = Head::lock(&mut tx, id, seen).await?;
    if head.state == State::Draft {
        // Representatives don't know of drafts.
        return Err(Error::NotFound);
    }
    let step = Step { role, change, content: None, reason: comment };
    let revision = take(&mut tx, state, viewer, id, &head, step).await?;
    commit(tx, state).await?;
    Ok(revision)
}

/// Puts a proposal into force, once it says all that the law demands and those who must agree have.
pub async fn activate(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32) -> Result<i32> {
    let role = publisher(viewer)?;
    let mut tx = state.db.begin().await?;
    let head = Head::lock(&mut tx, id, seen).await?;
    head.state.after(Change::Activated).ok_or_else(|| not_now(head.state))?;
    check_ready(state, &head.history, &head.newest()?.content)?;
    let step = Step { role, change: Change::Activated, content: None, reason: None };
    let revision = take(&mut tx, state, viewer, id, &head, step).await?;
    commit(tx, state).await?;
    Ok(revision)
}

pub async fn pause(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32, reason: &str) -> Result<i32> {
    let role = publisher(viewer)?;
    let reason = Some(reasoned(reason, "pause_reason")?);
    simple(state, viewer, id, seen, Step { role, change: Change::Paused, content: None, reason }).await
}

/// Puts a paused processing into force again: it may have been changed while paused, so all is checked.
pub async fn resume(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32, reason: &str) -> Result<i32> {
    let role = publisher(viewer)?;
    let reason = Some(reasoned(reason, "resume_reason")?);
    let mut tx = state.db.begin().await?;
    let head = Head::lock(&mut tx, id, seen).await?;
    head.state.after(Change::Resumed).ok_or_else(|| not_now(head.state))?;
    check_ready(state, &head.history, &head.newest()?.content)?;
    if let Some(words) = untold(&mut tx, state, &head.history).await? {
        return Err(Error::conflict(words));
    }
    let step = Step { role, change: Change::Resumed, content: None, reason };
    let revision = take(&mut tx, state, viewer, id, &head, step).await?;
    commit(tx, state).await?;
    Ok(revision)
}

/// Ends a processing, or withdraws a proposal, for good.
pub async fn end(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32, reason: &str) -> Result<i32> {
    let role = publisher(viewer)?;
    let reason = Some(reasoned(reason, "end_reason")?);
    simple(state, viewer, id, seen, Step { role, change: Change::Ended, content: None, reason }).await
}

/// Changes what a proposed, active or paused processing says. An active one stays in force with its new
/// content from now on, so it must be as complete, and as agreed, as for activation.
pub async fn revise(
    state: &AppState,
    viewer: &Viewer,
    id: Uuid,
    seen: i32,
    content: &ProcessingContent,
    reason: &str,
) -> Result<i32> {
    let role = publisher(viewer)?;
    let reason = Some(reasoned(reason, "reason")?);
    validate(content, false).into_result()?;
    let mut tx = state.db.begin().await?;
    let head = Head::lock(&mut tx, id, seen).await?;
    head.state.after(Change::Revised).ok_or_else(|| not_now(head.state))?;
    if head.newest()?.content == *content {
        return Err(Error::invalid("category", "Nothing was changed."));
    }
    if head.state == State::Active {
        check_ready(state, &head.history, content).map_err(|error| match error {
            Error::Conflict(words) => Error::conflict(format!(
                "{words} Until then it can't be changed while it is active; you can pause it, change it, and resume it."
            )),
            other => other,
        })?;
    }
    let step = Step { role, change: Change::Revised, content: Some(content), reason };
    let revision = take(&mut tx, state, viewer, id, &head, step).await?;
    commit(tx, state).await?;
    Ok(revision)
}

/// What people must be told before a paused processing begins again; `None` when they were, or when nothing is
/// paused. Nobody should learn from their own screen that something is back.
pub(super) async fn untold(
    db: &mut PgConnection,
    state: &AppState,
    history: &[Revision],
) -> Result<Option<String>> {
    let pause = history.iter().rev().take_while(|r| r.state == State::Paused).last();
    let Some(pause) = pause else { return Ok(None) };
    Ok(match app::told_since(db, pause.processing_id, pause.at).await? {
        None => {
            Some("People must be told first: publish a notice that covers this, since it was paused.".into())
        }
        Some(at) if at > state.clock.now() => Some(format!(
            "The notice that tells people takes effect on {}. It can’t begin again before.",
            times::moment(at, &state.config.time_zone)
        )),
        Some(_) => None,
    })
}

/// Whether this content may be in force today: complete, answered where the place demands it, announced
/// long enough before.
fn check_ready(state: &AppState, history: &[Revision], content: &ProcessingContent) -> Result<()> {
    validate(content, true).into_result()?;
    let today = state.clock.now().day(&state.config.time_zone);
    match obstacle(history, content, today)? {
        Some(words) => Err(Error::conflict(words)),
        None => Ok(()),
    }
}
