//! "Is this computer yours?": said by the person whom an administrator gave a device.
//!
//! Until they say so, its agents are told to collect nothing optional: whoever may assign devices could otherwise
//! enrol an agent in somebody's name and read their choices off what it is told. What they say covers the agents that
//! are on it then: one that comes later learns nothing either, until they have said that it is right.

use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use super::store::{claims as store, fleet};
use crate::app::AppState;
use crate::audit;
use crate::error::{Error, Result};
use crate::web::{Path, Role, Submitted, Viewer, see_other};

/// The person says that a device assigned to them is theirs, with all agents that are on it.
pub async fn confirm_device(state: &AppState, person: Uuid, assignment: Uuid) -> Result<()> {
    confirm_shown(state, person, assignment, None).await
}

/// The same, of the agents that they were shown; `None` for all. One that came meanwhile must be shown first.
async fn confirm_shown(
    state: &AppState,
    person: Uuid,
    assignment: Uuid,
    shown: Option<&[Uuid]>,
) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let device = store::find_assigned(&mut tx, assignment, person).await?.ok_or(Error::NotFound)?;
    store::lock_device(&mut tx, device).await?;
    let unconfirmed = store::list_unconfirmed(&mut tx, assignment).await?;
    if shown.is_some_and(|shown| unconfirmed.iter().any(|agent| !shown.contains(agent))) {
        return Err(Error::conflict(
            "Another program has begun to report from this computer meanwhile. Go back and reload the page to see it.",
        ));
    }
    match store::confirm_assignment(&mut tx, assignment, person, state.clock.now()).await? {
        true => Ok(tx.commit().await?),
        false => Err(Error::NotFound),
    }
}

/// The person says that an agent on their device isn't right: it is revoked, and whoever assigned the device is told
/// in their access log.
async fn deny_agent_on(state: &AppState, viewer: &Viewer, assignment: Uuid, agent: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let device = store::find_assigned(&mut tx, assignment, viewer.person_id).await?.ok_or(Error::NotFound)?;
    store::lock_device(&mut tx, device).await?;
    if !store::list_unconfirmed(&mut tx, assignment).await?.contains(&agent) {
        return Err(Error::NotFound);
    }
    fleet::revoke_agent(&mut tx, agent, state.clock.now()).await?.ok_or(Error::NotFound)?;
    let assigned_by = store::find_assigner(&mut tx, assignment).await?.filter(|by| *by != viewer.person_id);
    for subject in [Some(viewer.person_id), assigned_by].into_iter().flatten() {
        let entry = audit::Entry {
            action: "agent.denied",
            subject: Some(subject),
            object: Some(agent),
            reason: None,
        };
        audit::record(&mut tx, state, viewer, Role::Worker, entry).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The person says that a device assigned to them isn't theirs: it is nobody's from now on, and whoever assigned it
/// is told in their access log.
pub async fn deny_device(state: &AppState, viewer: &Viewer, assignment: Uuid) -> Result<()> {
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let denied = store::deny_assignment(&mut tx, assignment, viewer.person_id, now).await?;
    let denied = denied.ok_or(Error::NotFound)?;
    let assigned_by = denied.assigned_by.filter(|by| *by != viewer.person_id);
    for subject in [Some(viewer.person_id), assigned_by].into_iter().flatten() {
        let entry = audit::Entry {
            action: "device.denied",
            subject: Some(subject),
            object: Some(denied.device_id),
            reason: None,
        };
        audit::record(&mut tx, state, viewer, Role::Worker, entry).await?;
    }
    tx.commit().await?;
    Ok(())
}

pub async fn confirm(
    State(state): State<AppState>,
    viewer: Viewer,
    Path(assignment): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let shown: Vec<Uuid> = submitted.all("agent").filter_map(|id| id.parse().ok()).collect();
    confirm_shown(&state, viewer.person_id, assignment, Some(&shown)).await?;
    Ok(see_other("/me/collection?done=device-confirmed"))
}

pub async fn deny_agent(
    State(state): State<AppState>,
    viewer: Viewer,
    Path((assignment, agent)): Path<(Uuid, Uuid)>,
) -> Result<Response> {
    deny_agent_on(&state, &viewer, assignment, agent).await?;
    Ok(see_other("/me/collection?done=agent-denied"))
}

pub async fn deny(
    State(state): State<AppState>,
    viewer: Viewer,
    Path(assignment): Path<Uuid>,
) -> Result<Response> {
    deny_device(&state, &viewer, assignment).await?;
    Ok(see_other("/me/collection?done=device-denied"))
}
