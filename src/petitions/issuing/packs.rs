//! Gives out packs of credentials, and takes notice of those the representative gave out.

use anyhow::Context;
use axum::http::StatusCode;

use super::epochs::find_in_use;
use super::store::epochs::{self, EpochRow};
use super::store::representative::{self, RepresentativeRow};
use super::store::{lock, packs, roll};
use crate::app::AppState;
use crate::credentials::holder::is_asked_by;
use crate::credentials::wire::{IssueNotice, PackRequest, PackResponse};
use crate::error::{Error, OnConstraint, Result};
use crate::ledger::proof::leaf::Leaf;
use crate::ledger::proof::petition::{EpochLeaf, IssueLeaf, IssuerRole, SLOTS, is_signed, issue_message};
use crate::ledger::proof::token::MODULUS_LENGTH;
use crate::ledger::proof::{base64url, from_base64url};
use crate::ledger::{self, Hash};

fn refused() -> Error {
    Error::Rejected(
        StatusCode::FORBIDDEN,
        "This request isn’t signed by the key at this place of the roll.".into(),
    )
}

fn place(index: u64) -> Result<i32> {
    i32::try_from(index).map_err(|_| refused())
}

/// Signs a pack, once for a place of the roll; the same request gets the same answer. Of a former epoch as long as it
/// is in use: who brings a wallet back from paper must be able to withdraw what they signed with it.
pub async fn give(state: &AppState, request: &PackRequest) -> Result<PackResponse> {
    let mut db = state.db.acquire().await?;
    let epoch = find_in_use(&mut db, state.clock.now(), Some(&request.epoch)).await?;
    let leaf = epoch.and_then(|e| e.leaf).ok_or(Error::NotFound)?.0;
    let place = place(request.index)?;
    let placed = roll::find_placed(&mut db, &leaf.epoch, place).await?;
    drop(db);
    let id_key = placed.flatten().ok_or_else(refused)?;
    let id_key = Hash::try_from(id_key.as_slice()).map_err(anyhow::Error::new)?;
    let origin = &state.config.log_origin;
    let hash = is_asked_by(&id_key, origin, &leaf.operator.name, request).map_err(|_| refused())?;
    let signed = sign(state, &leaf, &request.blinded).await?;
    note(state, &leaf.epoch, IssuerRole::Operator, (place, hash), None).await?;
    Ok(PackResponse { signed })
}

/// Before anything is noted: what can't be signed uses up nobody's place.
async fn sign(state: &AppState, leaf: &EpochLeaf, blinded: &[String]) -> Result<Vec<String>> {
    let wrong = || Error::invalid("/blinded", "must be a message of 256 bytes for each slot");
    let messages = blinded.iter().map(|m| from_base64url(m)).collect::<Result<Vec<_>, _>>();
    let messages = messages.map_err(|_| wrong())?;
    if messages.len() as u64 != SLOTS || messages.iter().any(|m| m.len() != MODULUS_LENGTH) {
        return Err(wrong());
    }
    let keys = state.petitions.keys().of(leaf).await?;
    // A message that isn't below the modulus can't be signed, and would look like a fault of ours.
    if messages.iter().zip(keys.public()).any(|(message, key)| message[..] >= key.0[..]) {
        return Err(wrong());
    }
    let random = state.random.clone();
    let signed = tokio::task::spawn_blocking(move || keys.sign_pack(&messages, &random));
    Ok(signed.await.context("signing ended early")??.iter().map(|s| base64url(s)).collect())
}

/// Notes a pack. Whether the place had one is decided by the database alone: two requests at one moment can't both win.
async fn note(
    state: &AppState,
    epoch: &str,
    issuer: IssuerRole,
    (place, request): (i32, Hash),
    signed: Option<(String, &RepresentativeRow)>,
) -> Result<()> {
    let index = u64::try_from(place).map_err(anyhow::Error::new)?;
    let (signature, server) = signed.unzip();
    let leaf = Leaf::Issue(IssueLeaf { epoch: epoch.into(), issuer, index, request, signature });
    let mut tx = state.db.begin().await?;
    if let Some(server) = server {
        // What a server signed that was replaced meanwhile would stand behind the next one's key.
        lock(&mut tx).await?;
        if representative::find(&mut tx).await?.is_none_or(|row| row.public_key != server.public_key) {
            return Err(refused());
        }
    }
    let entry = ledger::submit_for_the_hour(&mut tx, &leaf, state.clock.now()).await?;
    let used = || Error::conflict("This place of the roll has its pack already.");
    let noted = packs::insert(&mut tx, epoch, issuer.id(), place, &request.0, entry.0).await;
    match noted.on_constraint("petition_pack_once", used) {
        Ok(()) => Ok(tx.commit().await?),
        Err(Error::Conflict(words)) => {
            tx.rollback().await?;
            let mut db = state.db.acquire().await?;
            match packs::find_request(&mut db, epoch, issuer.id(), place).await? {
                Some(former) if former == request.0 => Ok(()),
                _ => Err(Error::Conflict(words)),
            }
        }
        Err(error) => Err(error),
    }
}

/// Takes notice of packs that the representative gave out; says how many. One that contradicts what stands here
/// is refused, after the others were taken.
pub async fn take_notice(
    state: &AppState,
    server: &RepresentativeRow,
    notices: &[IssueNotice],
) -> Result<usize> {
    let mut contradicted = None;
    for notice in notices {
        match take(state, server, notice).await {
            Ok(()) => {}
            Err(error @ Error::Conflict(_)) => contradicted = Some(error),
            Err(error) => return Err(error),
        }
    }
    match contradicted {
        Some(error) => Err(error),
        None => Ok(notices.len()),
    }
}

async fn take(state: &AppState, server: &RepresentativeRow, notice: &IssueNotice) -> Result<()> {
    let mut db = state.db.acquire().await?;
    let begun = |epoch: EpochRow| epoch.leaf.map(|leaf| leaf.0);
    let leaf = epochs::find(&mut db, &notice.epoch).await?.and_then(begun).ok_or(Error::NotFound)?;
    let (name, index) = (&leaf.representative.name, notice.index);
    let message = issue_message(&state.config.log_origin, &leaf.epoch, name, index, &notice.request);
    let is_theirs = *name == server.name && is_signed(&server.key()?, &message, &notice.signature);
    let place = place(index)?;
    if !is_theirs || roll::find_placed(&mut db, &leaf.epoch, place).await?.is_none() {
        return Err(refused());
    }
    drop(db);
    let given = (place, notice.request);
    note(state, &leaf.epoch, IssuerRole::Representative, given, Some((notice.signature.clone(), server)))
        .await
}
