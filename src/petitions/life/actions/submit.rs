//! Before one's colleagues: submit, write anew, give up.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Text, check_about, enter, epoch, free_slot, hash, lock_own, newest, seeking_until};
use crate::app::AppState;
use crate::error::{Error, OnConstraint, Result};
use crate::ledger::proof::petition::Credential;
use crate::petitions::life::model::{Document, State};
use crate::petitions::life::store::{self, PetitionRow, writing};
use crate::web::Viewer;

const ONCE_AN_EPOCH: &str = "You have brought a petition before your colleagues this quarter; each may bring one. Ask somebody to start this one.";

/// A draft goes before everybody and seeks support; it gets its credentials' slot and its leaf.
pub async fn submit(state: &AppState, viewer: &Viewer, id: Uuid, text: &Document) -> Result<()> {
    text.check().into_result()?;
    state.ledger.check_signing().await?;
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    if lock_own(&mut tx, id, viewer.person_id).await?.state() != State::Draft {
        return Err(Error::conflict(super::NOT_NOW));
    }
    check_about(&mut tx, text.about).await?;
    let epoch = epoch(&mut tx, now).await?.epoch;
    let slot = free_slot(&mut tx, &epoch).await?;
    writing::set_terms(&mut tx, id, text.about, text.open_days).await?;
    let until = seeking_until(now, &state.config.time_zone);
    writing::begin_seeking(&mut tx, id, &epoch, slot, until, now.full_hour())
        .await
        .on_constraint("petition_author_once_an_epoch", || Error::conflict(ONCE_AN_EPOCH))?;
    let text =
        Text { petition: id, version: 1, previous: None, document: text, epoch: &epoch, slot, author: None };
    enter(&mut tx, text, now).await?;
    tx.commit().await?;
    state.ledger.settle_or_wait().await;
    Ok(())
}

/// A new version of what still seeks support: with a leaf of its own, and without any signature.
pub async fn revise(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32, text: &Document) -> Result<()> {
    text.check().into_result()?;
    state.ledger.check_signing().await?;
    let mut tx = state.db.begin().await?;
    let petition = lock_own(&mut tx, id, viewer.person_id).await?;
    if petition.version != seen {
        return Err(Error::conflict("It was changed in the meantime. Look at the newest version first."));
    }
    write_anew(&mut tx, state, &petition, text, None).await?;
    tx.commit().await?;
    state.ledger.settle_or_wait().await;
    Ok(())
}

pub(super) async fn write_anew(
    db: &mut PgConnection,
    state: &AppState,
    petition: &PetitionRow,
    document: &Document,
    author: Option<(Credential, String)>,
) -> Result<()> {
    if petition.state() != State::Seeking {
        return Err(Error::conflict(
            "Its words stand still since it has its supporters. Nothing can be changed now.",
        ));
    }
    check_about(db, document.about).await?;
    let (Some(epoch), Some(slot)) = (petition.epoch.as_deref(), petition.slot) else {
        return Err(Error::NotFound);
    };
    let former = newest(db, petition.id).await?;
    if Document::read(&former.document) == *document {
        return Err(Error::conflict("Nothing was changed, so its supporters stay."));
    }
    writing::set_terms(db, petition.id, document.about, document.open_days).await?;
    let text = Text {
        petition: petition.id,
        version: petition.version + 1,
        previous: Some(hash(&former.leaf_hash)?),
        document,
        epoch,
        slot,
        author,
    };
    enter(db, text, state.clock.now()).await
}

/// Takes a petition back before it opens. What was read stays readable; nobody can sign it any more.
pub async fn give_up(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let petition = lock_own(&mut tx, id, viewer.person_id).await?;
    end(&mut tx, &petition).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn end(db: &mut PgConnection, petition: &PetitionRow) -> Result<()> {
    if !petition.state().can_be_given_up() {
        return Err(Error::conflict("It is open, or over: from then on it belongs to those who signed it."));
    }
    store::writing::set_state(db, petition.id, State::GivenUp.id()).await?;
    Ok(())
}
