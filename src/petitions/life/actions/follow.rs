//! Following a petition: no mail, and nobody else is shown it.

use uuid::Uuid;

use super::today;
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::petitions::life::model::State;
use crate::petitions::life::store::{self, lists};
use crate::web::Viewer;

pub async fn follow(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut db = state.db.acquire().await?;
    let petition = store::find(&mut db, id).await?.filter(|p| p.state() != State::Draft);
    petition.ok_or(Error::NotFound)?;
    lists::set_follow(&mut db, id, viewer.person_id, Some(today(state))).await?;
    Ok(())
}

pub async fn unfollow(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut db = state.db.acquire().await?;
    lists::set_follow(&mut db, id, viewer.person_id, None).await?;
    Ok(())
}

/// Whoever follows a petition has looked at it today.
pub async fn seen(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut db = state.db.acquire().await?;
    lists::touch_follow(&mut db, id, viewer.person_id, today(state)).await?;
    Ok(())
}
