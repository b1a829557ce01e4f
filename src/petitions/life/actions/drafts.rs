//! Drafts of authors with a name; those without keep theirs in the browser.

use uuid::Uuid;

use super::{check_about, lock_own};
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::petitions::life::model::{BACKGROUND, DEMAND, Document, State, TITLE};
use crate::petitions::life::store::writing;
use crate::web::Viewer;

/// Drafts of one person at most.
const DRAFTS_AT_MOST: i64 = 20;

/// A draft may be short, but not longer than what can be submitted.
fn check_length(text: &Document) -> Result<()> {
    let mut errors = FieldErrors::default();
    let limits = [
        ("title", &text.title, TITLE[1]),
        ("demand", &text.demand, DEMAND[1]),
        ("background", &text.background, BACKGROUND),
    ];
    for (field, text, limit) in limits {
        if text.chars().count() > limit {
            errors.add(field, format!("Use at most {limit} characters."));
        }
    }
    if text.title.is_empty() {
        errors.add("title", "Give it a title, so that you find it again.");
    }
    if !crate::petitions::model::OPEN_DAYS.contains(&text.open_days) {
        errors.add("open_days", "Choose from the list.");
    }
    errors.into_result()
}

/// Begins a draft; answers its id.
pub async fn insert(state: &AppState, viewer: &Viewer, text: &Document) -> Result<Uuid> {
    check_length(text)?;
    let id = state.random.opaque_id();
    let mut tx = state.db.begin().await?;
    check_about(&mut tx, text.about).await?;
    if writing::count_drafts(&mut tx, viewer.person_id).await? >= DRAFTS_AT_MOST {
        return Err(Error::conflict(format!("You have {DRAFTS_AT_MOST} drafts. Delete one first.")));
    }
    writing::insert_draft(&mut tx, id, viewer.person_id, text, state.clock.now()).await?;
    tx.commit().await?;
    Ok(id)
}

pub async fn save(state: &AppState, viewer: &Viewer, id: Uuid, text: &Document) -> Result<()> {
    check_length(text)?;
    let mut tx = state.db.begin().await?;
    if lock_own(&mut tx, id, viewer.person_id).await?.state() != State::Draft {
        return Err(Error::conflict(super::NOT_NOW));
    }
    check_about(&mut tx, text.about).await?;
    writing::update_draft(&mut tx, id, text, state.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

pub async fn delete(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    if lock_own(&mut tx, id, viewer.person_id).await?.state() != State::Draft {
        return Err(Error::conflict("It isn’t a draft any more. You can give it up instead."));
    }
    writing::delete_draft(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}
