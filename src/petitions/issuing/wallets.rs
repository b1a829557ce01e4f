//! A person's wallet as the dashboard knows it: a number, and the key with which they ask for credentials.

use axum::http::StatusCode;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model;
use super::store::wallets as store;
use super::store::{epochs, roll};
use crate::app::AppState;
use crate::credentials::wire::{EnrolRequest, WalletInfo};
use crate::error::{Error, OnConstraint, Result};
use crate::ledger::Hash;
use crate::ledger::proof::petition::{enrol_message, is_signed};

/// The person's wallet; made at first need.
pub async fn show(state: &AppState, person: Uuid) -> Result<WalletInfo> {
    let mut db = state.db.acquire().await?;
    read(&mut db, state, person).await
}

async fn read(db: &mut PgConnection, state: &AppState, person: Uuid) -> Result<WalletInfo> {
    store::ensure(db, person, state.random.opaque_id()).await?;
    let wallet = store::find(db, person).await?.ok_or(Error::NotFound)?;
    let (name, department) = store::find_name(db, person).await?;
    let epoch = epochs::find_begun(db).await?;
    let mut info = WalletInfo {
        worker_ref: wallet.worker_ref,
        id_key: wallet.id_key.as_deref().map(Hash::try_from).transpose().map_err(anyhow::Error::new)?,
        index: None,
        epoch: None,
        from_next_epoch: false,
        name,
        department,
    };
    if let (Some(epoch), Some(key)) = (epoch, &info.id_key) {
        let place = roll::find_place(db, &epoch.epoch, &key.0).await?;
        info.index = place.map(u64::try_from).transpose().map_err(anyhow::Error::new)?;
        info.from_next_epoch = store::has_pack_of_another_key(db, &epoch.epoch, person, &key.0).await?;
        info.epoch = Some(epoch.epoch);
    }
    Ok(info)
}

/// Makes the person's key known; a new one replaces the former.
pub async fn enrol(state: &AppState, person: Uuid, request: &EnrolRequest) -> Result<WalletInfo> {
    let mut tx = state.db.begin().await?;
    let wallet = read(&mut tx, state, person).await?;
    if request.worker_ref != wallet.worker_ref {
        return Err(Error::invalid("/worker_ref", "This was made for somebody else’s account."));
    }
    let issuer = model::operator_name(&state.config.base_url);
    let message = enrol_message(&state.config.log_origin, issuer, request.worker_ref, &request.id_key);
    if !is_signed(&request.id_key, &message, &request.signature) {
        let words = "It isn’t signed by the key it names, or it was made for another server.";
        return Err(Error::Rejected(StatusCode::FORBIDDEN, words.into()));
    }
    let today = state.clock.now().day(&state.config.time_zone);
    store::set_key(&mut tx, person, &request.id_key.0, today)
        .await
        .on_constraint("wallet_id_key_once", || Error::conflict("Another account has this key already."))?;
    let info = read(&mut tx, state, person).await?;
    tx.commit().await?;
    Ok(info)
}
