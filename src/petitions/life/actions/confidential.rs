//! What an author without a name does: a key speaks, and nobody is signed in.
//!
//! Nothing that is kept beside the key tells a moment: states keep days, and leaves wait for the full hour.

use sqlx::PgConnection;
use uuid::Uuid;

use super::submit::{end, write_anew};
use super::updates::check as check_update;
use super::{Text, check_about, enter, epoch, free_slot, lock, seeking_until, today};
use crate::app::AppState;
use crate::credentials::action::Slot;
use crate::error::{Error, Result};
use crate::ledger::proof::petition::{
    Credential, EpochLeaf, START_SLOT, author_message, is_signed, petition_message,
};
use crate::ledger::{Hash, document_hash};
use crate::petitions::life::model::{Document, State};
use crate::petitions::life::store::writing::{self, Confidential, NewUpdate};
use crate::petitions::life::store::{self, PetitionRow};
use crate::petitions::model::PACKS_NEEDED;

const UNSIGNED: &str = "It isn’t signed by the key of its author.";

fn forbidden(words: &'static str) -> Error {
    Error::Rejected(axum::http::StatusCode::FORBIDDEN, words.into())
}

/// Refuses a key that both issuers didn't give out for starting petitions.
fn check_credential(state: &AppState, epoch: &EpochLeaf, credential: &Credential) -> Result<()> {
    let slot = Slot::of(&state.config.log_origin, epoch, START_SLOT, Hash([0; 32]));
    match slot.is_some_and(|slot| slot.holds(credential)) {
        true => Ok(()),
        false => {
            Err(forbidden("The credential isn’t one that both issuers gave out for starting a petition."))
        }
    }
}

fn check_text(state: &AppState, id: Uuid, version: i32, text: &Document, by: (&Hash, &str)) -> Result<()> {
    let content = document_hash(&serde_json::to_value(text).map_err(anyhow::Error::new)?);
    let version = u64::try_from(version).map_err(anyhow::Error::new)?;
    let content = content.map_err(anyhow::Error::new)?;
    let message = petition_message(&state.config.log_origin, id, version, &content);
    if is_signed(by.0, &message, by.1) { Ok(()) } else { Err(forbidden(UNSIGNED)) }
}

/// Puts a confidential author's petition before everybody.
pub async fn start(
    state: &AppState,
    id: Uuid,
    text: &Document,
    credential: Credential,
    signature: String,
) -> Result<()> {
    // An id of another kind could hold the moment of its making.
    if id.get_version_num() != 4 {
        return Err(Error::invalid("/petition", "is a random UUID, version 4"));
    }
    text.check().into_result()?;
    state.ledger.check_signing().await?;
    check_text(state, id, 1, text, (&credential.key, &signature))?;
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let found = epoch(&mut tx, now).await?;
    let leaf: EpochLeaf = serde_json::from_value(found.leaf).map_err(anyhow::Error::new)?;
    check_credential(state, &leaf, &credential)?;
    if store::count_packs(&mut tx, &found.epoch).await? < PACKS_NEEDED {
        return Err(Error::conflict(format!(
            "Fewer than {PACKS_NEEDED} colleagues have credentials of this epoch: a secret needs a crowd."
        )));
    }
    check_about(&mut tx, text.about).await?;
    let slot = free_slot(&mut tx, &found.epoch).await?;
    let new = Confidential {
        id,
        author_key: &credential.key.0,
        epoch: &found.epoch,
        slot,
        document: text,
        until: seeking_until(now, &state.config.time_zone),
        hour: now.full_hour(),
    };
    writing::insert_confidential(&mut tx, new).await.map_err(taken)?;
    let text = Text {
        petition: id,
        version: 1,
        previous: None,
        document: text,
        epoch: &found.epoch,
        slot,
        author: Some((credential, signature)),
    };
    enter(&mut tx, text, now).await?;
    tx.commit().await?;
    Ok(())
}

/// An id, or a key, that has its petition already.
fn taken(error: sqlx::Error) -> Error {
    let constraint = error.as_database_error().and_then(|e| e.constraint());
    match constraint {
        Some("petition_pkey") => Error::conflict("A petition with this id is there already."),
        Some("petition_author_key_once") => Error::conflict(
            "This credential has started its petition. A second one would tie the two to the same person; the next \
             epoch brings a new one.",
        ),
        _ => error.into(),
    }
}

async fn lock_of_key(db: &mut PgConnection, id: Uuid) -> Result<(PetitionRow, Hash)> {
    let petition = lock(db, id).await?;
    let key = petition.author_key.as_deref().map(super::hash).transpose()?;
    match key {
        Some(key) => Ok((petition, key)),
        None if petition.state() == State::Draft => Err(Error::NotFound),
        None => Err(forbidden(UNSIGNED)),
    }
}

/// A new version while it seeks support.
pub async fn revise(
    state: &AppState,
    id: Uuid,
    text: &Document,
    credential: Credential,
    signature: String,
) -> Result<()> {
    text.check().into_result()?;
    state.ledger.check_signing().await?;
    let mut tx = state.db.begin().await?;
    let (petition, key) = lock_of_key(&mut tx, id).await?;
    if credential.key != key {
        return Err(forbidden(UNSIGNED));
    }
    check_text(state, id, petition.version + 1, text, (&key, &signature))?;
    let name = petition.epoch.as_deref().ok_or(Error::NotFound)?;
    let epoch = store::find_epoch_leaf(&mut tx, name).await?.ok_or(Error::NotFound)?;
    let epoch: EpochLeaf = serde_json::from_value(epoch).map_err(anyhow::Error::new)?;
    check_credential(state, &epoch, &credential)?;
    write_anew(&mut tx, state, &petition, text, Some((credential, signature))).await?;
    tx.commit().await?;
    Ok(())
}

/// What the key signs for an act besides a text: `content` is the SHA-256 of its words.
fn check_act(state: &AppState, id: Uuid, key: &Hash, what: &str, words: &str, signature: &str) -> Result<()> {
    let content = Hash::of(words.as_bytes());
    let message = author_message(&state.config.log_origin, id, what, &content);
    if is_signed(key, &message, signature) { Ok(()) } else { Err(forbidden(UNSIGNED)) }
}

pub async fn update(state: &AppState, id: Uuid, words: &str, signature: &str) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let (petition, key) = lock_of_key(&mut tx, id).await?;
    check_act(state, id, &key, "update", words, signature)?;
    check_update(&petition, words)?;
    let new = NewUpdate {
        id: state.random.opaque_id(),
        petition: id,
        on_day: today(state),
        author: "author",
        person: None,
        text: words,
        signature: Some(signature),
    };
    // Whoever sends an old update again posts nothing.
    writing::insert_update(&mut tx, new).await?;
    tx.commit().await?;
    Ok(())
}

pub async fn give_up(state: &AppState, id: Uuid, signature: &str) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let (petition, key) = lock_of_key(&mut tx, id).await?;
    check_act(state, id, &key, "give_up", "", signature)?;
    end(&mut tx, &petition).await?;
    tx.commit().await?;
    Ok(())
}
