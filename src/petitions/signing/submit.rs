//! One action, from the request to the promise.

use axum::http::StatusCode;

use super::intake::{Job, NAME_TAKEN, Outcome};
use super::slots::Signable;
use super::store;
use crate::app::AppState;
use crate::credentials::action::{self, Known, Refused};
use crate::credentials::wire::{ActionRequest, Promise};
use crate::error::{Error, Result};
use crate::ledger::proof::base64url;
use crate::ledger::proof::petition::{IssuerRole, promise_message};
use crate::ledger::proof::tree::Hash;
use crate::petitions::issuing;
use ed25519_dalek::Signer as _;
use std::sync::Arc;

/// Why an action was not taken, where its holder can do something about it.
pub enum Answer {
    Taken(Promise),
    /// A later action of this key is known: the next number must be above it.
    Later(u64),
}

/// Checks an action, hands it to the writer, and promises that it will stand in the log.
pub async fn submit(state: &AppState, request: &ActionRequest) -> Result<Answer> {
    let origin = &state.config.log_origin;
    let signable = find(state, leaf_of(request)).await?;
    let person = match named_place(request) {
        Some(place) => find_person(state, &signable.epoch, place).await?,
        None => None,
    };
    let known = |_| person.as_ref().map(|p| Known { worker_ref: p.worker_ref, id_key: p.id_key });
    let action = action::check(origin, &signable.slot, request, known).map_err(refused)?;
    let job = Job::of(&action, request, person.map(|p| p.person_id))?;
    issuing::announce_again(state).await?;
    match state.petitions.intake().submit(job).await? {
        Outcome::Taken { include_by } => {
            let message = promise_message(origin, &action.leaf_hash, &include_by.to_string());
            let signature = state.petitions.operator_key()?.sign(message.as_bytes());
            Ok(Answer::Taken(Promise {
                by: IssuerRole::Operator,
                leaf_hash: action.leaf_hash,
                include_by,
                signature: base64url(&signature.to_bytes()),
            }))
        }
        Outcome::Later { number } => Ok(Answer::Later(number)),
        // Not for third parties to find out: the key itself has signed the question.
        Outcome::Unknown => Err(Error::conflict("Nothing of this key is known here.")),
        Outcome::NameTaken => Err(Error::conflict(NAME_TAKEN)),
        Outcome::Closed => {
            Err(Error::conflict("This version of the petition takes no signatures, or none any more."))
        }
    }
}

async fn find(state: &AppState, leaf: &Hash) -> Result<Arc<Signable>> {
    let slots = state.petitions.slots();
    if let Some(known) = slots.known(leaf) {
        return Ok(known);
    }
    let mut db = state.db.acquire().await?;
    slots.find(&mut db, &state.config.log_origin, leaf).await?.ok_or(Error::NotFound)
}

async fn find_person(state: &AppState, epoch: &str, place: u64) -> Result<Option<store::PlaceRow>> {
    let Ok(place) = i32::try_from(place) else { return Ok(None) };
    let mut db = state.db.acquire().await?;
    Ok(store::find_place(&mut db, epoch, place).await?)
}

fn leaf_of(request: &ActionRequest) -> &Hash {
    match request {
        ActionRequest::Sign { petition, .. } | ActionRequest::Withdraw { petition, .. } => petition,
    }
}

fn named_place(request: &ActionRequest) -> Option<u64> {
    match request {
        ActionRequest::Sign { signer, .. } => signer.as_ref().map(|s| s.index),
        ActionRequest::Withdraw { .. } => None,
    }
}

/// Which rule it broke; nothing of what was sent.
fn refused(why: Refused) -> Error {
    let status = match why {
        Refused::OtherVersion => StatusCode::CONFLICT,
        Refused::Unfit => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::Signature | Refused::Credential | Refused::Signer => StatusCode::FORBIDDEN,
    };
    Error::Rejected(status, why.to_string().into())
}
