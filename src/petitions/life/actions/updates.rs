//! News about a petition, by its author or a representative. What is posted stays.

use uuid::Uuid;

use super::{lock, today};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::notices::signs;
use crate::petitions::life::model::{State, UPDATE};
use crate::petitions::life::store::PetitionRow;
use crate::petitions::life::store::writing::{self, NewUpdate};
use crate::web::{Role, Viewer};

pub async fn update(state: &AppState, viewer: &Viewer, id: Uuid, text: &str) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let petition = lock(&mut tx, id).await?;
    let (author, is_author) = match petition.is_by(viewer.person_id) {
        true => ("author", true),
        false => ("representative", false),
    };
    if !is_author && petition.state() == State::Draft {
        return Err(Error::NotFound);
    }
    if !is_author && !viewer.has(Role::Representative) {
        return Err(Error::Forbidden);
    }
    check(&petition, text)?;
    let new = NewUpdate {
        id: state.random.opaque_id(),
        petition: id,
        on_day: today(state),
        author,
        person: Some(viewer.person_id),
        text,
        signature: None,
    };
    writing::insert_update(&mut tx, new).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) fn check(petition: &PetitionRow, text: &str) -> Result<()> {
    if !petition.state().takes_updates() {
        return Err(Error::conflict("There is no news to be posted on this petition (any more)."));
    }
    if text.is_empty() || text.chars().count() > UPDATE {
        return Err(Error::invalid("update", format!("Write at most {UPDATE} characters.")));
    }
    match signs::problem(text) {
        Some(words) => Err(Error::invalid("update", words)),
        None => Ok(()),
    }
}
