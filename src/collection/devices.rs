//! "Is this computer yours?": said by the person whom an administrator gave a device.
//!
//! Until they say so, its agents are told to collect nothing optional: whoever may assign devices could otherwise
//! enrol an agent in somebody's name and read their choices off what it is told.

use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use super::store::fleet as store;
use crate::app::AppState;
use crate::audit;
use crate::error::{Error, Result};
use crate::web::{Path, Role, Viewer, see_other};

/// The person says that a device assigned to them is theirs. Saying it twice changes nothing.
pub async fn confirm_device(state: &AppState, person: Uuid, assignment: Uuid) -> Result<()> {
    let mut db = state.db.acquire().await?;
    match store::confirm_assignment(&mut db, assignment, person, state.clock.now()).await? {
        true => Ok(()),
        false => Err(Error::NotFound),
    }
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
) -> Result<Response> {
    confirm_device(&state, viewer.person_id, assignment).await?;
    Ok(see_other("/me/collection?done=device-confirmed"))
}

pub async fn deny(
    State(state): State<AppState>,
    viewer: Viewer,
    Path(assignment): Path<Uuid>,
) -> Result<Response> {
    deny_device(&state, &viewer, assignment).await?;
    Ok(see_other("/me/collection?done=device-denied"))
}
