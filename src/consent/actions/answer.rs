//! The employer's answer to an objection.

use uuid::Uuid;

use super::{Step, add, reasoned};
use crate::app::AppState;
use crate::consent::cases;
use crate::consent::model::State;
use crate::consent::store::decisions;
use crate::consent::tell::tell_systems;
use crate::error::{Error, Result};
use crate::notices;
use crate::web::{Role, Viewer};

/// What the employer says to an objection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It stops for this person.
    Upheld,
    /// It goes on, for compelling legitimate grounds (GDPR Art. 21(1)).
    Overridden,
}

/// Which of these it was isn't said: that somebody has left or moved would tell who objected.
const CLOSED: &str = "Nothing waits for an answer here any more: it was answered or taken back meanwhile, or it isn’t in force for them now.";

/// Answers the objection with this id; the reasons are for the one who objected.
pub async fn answer(state: &AppState, viewer: &Viewer, id: Uuid, reply: Reply, reason: &str) -> Result<()> {
    viewer.acting_as(&[Role::Publisher]).ok_or(Error::Forbidden)?;
    let reason = reasoned(reason, "reason")?;
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let objection = decisions::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if !matches!(objection.state, State::Objected | State::Contested) {
        return Err(Error::NotFound);
    }
    if objection.person_id == viewer.person_id {
        return Err(Error::conflict("This is your own objection: a colleague answers it."));
    }
    let (audience, case) = match cases::find(&mut tx, objection.person_id, objection.processing_id, now).await
    {
        Err(Error::NotFound) => {
            return Err(Error::conflict(CLOSED));
        }
        Ok((_, case)) if !case.is_in_force => return Err(Error::conflict(CLOSED)),
        found => found?,
    };
    let newest = case.decisions.iter().rev().find(|d| d.state != State::Deferred);
    if newest.map(|d| d.id) != Some(id) {
        return Err(Error::conflict(CLOSED));
    }
    // It is answered as things are now; what was objected to may have changed since.
    let version = case.covering.as_ref().map_or(objection.version_id, |c| c.version);
    let told = notices::find_told(&mut tx, &state.ledger, version).await?;
    let step = Step {
        person: objection.person_id,
        state: match reply {
            Reply::Upheld => State::Upheld,
            Reply::Overridden => State::Overridden,
        },
        by_role: "publisher",
        by_id: Some(viewer.person_id),
        until: None,
        reason: Some(reason),
        named: objection.named,
        due_at: None,
        language: objection.language.clone(),
        text_sha256: objection.text_sha256.as_slice().try_into().map_err(anyhow::Error::new)?,
        terms: case.told.first().copied().unwrap_or(objection.terms),
        told: &told,
    };
    let decision = add(&mut tx, state, &audience, &case, step).await?;
    tell_systems(&mut tx, state, &decision).await?;
    tx.commit().await?;
    state.consent.refresh(&[objection.person_id]).await;
    Ok(())
}
