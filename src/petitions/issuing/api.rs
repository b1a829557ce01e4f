//! JSON for wallets and for the representative's server. What wallets ask carries no session.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store::epochs;
use super::store::representative::{self, RepresentativeRow};
use super::{countersign, epochs as proposals, model, packs, store, wallets};
use crate::app::AppState;
use crate::credentials::wire::{
    Countersignature, EnrolRequest, EpochInfo, IssueNotice, IssuerInfo, OpenPetition, PackRequest,
    PackResponse, RollProposal, WalletInfo,
};
use crate::error::{Error, Problem, Result};
use crate::identity::token_hash;
use crate::ledger::proof::petition::IssuerRole;
use crate::ledger::{self, EntryId, Hash};
use crate::petitions::model::{PACKS_NEEDED, latest_close};
use crate::web::{Path, Viewer, bearer};

/// Reads a body; what it holds is never repeated.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body)
        .map_err(|_| Error::Rejected(StatusCode::UNPROCESSABLE_ENTITY, "This request can’t be read.".into()))
}

/// Where a worker's wallet stands
#[utoipa::path(get, path = "/api/v1/me/wallet", tag = "Wallets", security(("session" = [])),
    responses((status = 200, body = WalletInfo)))]
pub async fn wallet(State(state): State<AppState>, viewer: Viewer) -> Result<Response> {
    Ok(Json(wallets::show(&state, viewer.person_id).await?).into_response())
}

/// Make a worker's key known
#[utoipa::path(post, path = "/api/v1/me/wallet", tag = "Wallets", security(("session" = [])),
    request_body = EnrolRequest, responses(
    (status = 200, body = WalletInfo),
    (status = 403, description = "Not signed by the key", body = Problem),
    (status = 409, description = "Another account has the key", body = Problem),
    (status = 422, description = "For another account", body = Problem)))]
pub async fn enrol(State(state): State<AppState>, viewer: Viewer, body: Bytes) -> Result<Response> {
    let request: EnrolRequest = read(&body)?;
    Ok(Json(wallets::enrol(&state, viewer.person_id, &request).await?).into_response())
}

/// What the operator says of itself as an issuer
#[utoipa::path(get, path = "/api/v1/petitions/issuer", tag = "Wallets",
    responses((status = 200, body = IssuerInfo)))]
pub async fn issuer(State(state): State<AppState>) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let other = representative::find(&mut db).await?.map(|server| server.url);
    let info = IssuerInfo {
        role: IssuerRole::Operator,
        name: model::operator_name(&state.config.base_url).to_owned(),
        origin: state.config.log_origin.clone(),
        public_key: Hash(state.petitions.operator_key()?.verifying_key().to_bytes()),
        other,
        announcement: None,
    };
    Ok(Json(info).into_response())
}

/// Which epoch is meant
#[derive(Deserialize)]
pub struct EpochQuery {
    /// A former one that is in use; the newest when none is given.
    epoch: Option<String>,
}

/// An epoch that has begun: the newest, or a former one that is in use
#[utoipa::path(get, path = "/api/v1/petitions/epoch", tag = "Wallets",
    params(("epoch" = Option<String>, Query, description = "The newest when left out")), responses(
    (status = 200, body = EpochInfo),
    (status = 404, description = "None has begun, or this one is over", body = Problem)))]
pub async fn epoch(State(state): State<AppState>, Query(query): Query<EpochQuery>) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let now = state.clock.now();
    let row = proposals::find_in_use(&mut db, now, query.epoch.as_deref()).await?.ok_or(Error::NotFound)?;
    let mut former = epochs::list_in_use(&mut db, now).await?;
    former.retain(|epoch| *epoch != row.epoch);
    let (leaf, hash, entry) = match (row.leaf, row.leaf_hash, row.ledger_entry) {
        (Some(leaf), Some(hash), Some(entry)) => (leaf.0, hash, entry),
        _ => return Err(Error::NotFound),
    };
    let proof = match ledger::position_of(&mut db, EntryId(entry)).await? {
        Some(position) => ledger::proof_text(&mut db, &state.ledger, position).await?,
        None => None,
    };
    let info = EpochInfo {
        epoch: leaf,
        leaf_hash: Hash::try_from(hash.as_slice()).map_err(anyhow::Error::new)?,
        proof,
        ends_at: row.ends_at,
        packs: u64::try_from(row.packs).unwrap_or(0),
        packs_needed: PACKS_NEEDED.unsigned_abs(),
        former: if query.epoch.is_none() { former } else { Vec::new() },
    };
    Ok(Json(info).into_response())
}

#[derive(Serialize, ToSchema)]
pub struct PlaceResponse {
    epoch: String,
    index: u64,
}

/// Where a key stands on the roll of an epoch
#[utoipa::path(get, path = "/api/v1/petitions/places/{id_key}", tag = "Wallets",
    params(("id_key" = String, Path), ("epoch" = Option<String>, Query, description = "The newest when left out")),
    responses((status = 200, body = PlaceResponse),
    (status = 404, description = "On no roll that both sides signed", body = Problem)))]
pub async fn place(
    State(state): State<AppState>,
    Path(id_key): Path<String>,
    Query(query): Query<EpochQuery>,
) -> Result<Response> {
    let id_key: Hash = id_key.parse().map_err(|_| Error::NotFound)?;
    let mut db = state.db.acquire().await?;
    let row = proposals::find_in_use(&mut db, state.clock.now(), query.epoch.as_deref()).await?;
    let epoch = row.ok_or(Error::NotFound)?.epoch;
    let place = store::roll::find_place(&mut db, &epoch, &id_key.0).await?.ok_or(Error::NotFound)?;
    let index = u64::try_from(place).map_err(anyhow::Error::new)?;
    Ok(Json(PlaceResponse { epoch, index }).into_response())
}

/// Have a pack of credentials signed
///
/// Once for each place of the roll; the same request gets the same answer.
#[utoipa::path(post, path = "/api/v1/petitions/packs", tag = "Wallets", request_body = PackRequest, responses(
    (status = 200, body = PackResponse),
    (status = 403, description = "Not signed by the key at this place", body = Problem),
    (status = 404, description = "Not an epoch in use", body = Problem),
    (status = 409, description = "The place has its pack", body = Problem),
    (status = 422, description = "Not a message for each slot", body = Problem)))]
pub async fn pack(State(state): State<AppState>, body: Bytes) -> Result<Response> {
    let request: PackRequest = read(&body)?;
    Ok(Json(packs::give(&state, &request).await?).into_response())
}

/// Whose bearer token this is.
pub async fn caller(state: &AppState, headers: &HeaderMap) -> Result<RepresentativeRow> {
    let token = bearer(headers)?;
    let mut db = state.db.acquire().await?;
    let found = representative::find_by_token(&mut db, &token_hash(token), state.clock.now()).await?;
    found.ok_or(Error::Unauthenticated)
}

/// The roll that waits for the representative
#[utoipa::path(get, path = "/api/v1/representative/roll", tag = "Representative",
    security(("representative_token" = [])), responses(
    (status = 200, body = RollProposal), (status = 204, description = "Nothing waits"),
    (status = 401, description = "Not the representative's token", body = Problem)))]
pub async fn roll(State(state): State<AppState>, headers: HeaderMap) -> Result<Response> {
    caller(&state, &headers).await?;
    proposals::propose(&state).await?;
    Ok(match countersign::waiting(&state).await? {
        Some(proposal) => Json(proposal).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Countersign the roll
#[utoipa::path(post, path = "/api/v1/representative/roll", tag = "Representative",
    request_body = Countersignature, security(("representative_token" = [])), responses(
    (status = 204, description = "Taken"),
    (status = 401, description = "Not the representative's token", body = Problem),
    (status = 403, description = "Not signed by their key", body = Problem),
    (status = 409, description = "The roll has changed meanwhile", body = Problem),
    (status = 422, description = "The epoch doesn't fit", body = Problem)))]
pub async fn sign_roll(State(state): State<AppState>, headers: HeaderMap, body: Bytes) -> Result<Response> {
    let server = caller(&state, &headers).await?;
    countersign::countersign(&state, &server, &read::<Countersignature>(&body)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct IssuesResponse {
    taken: usize,
}

/// Say which packs the representative gave out
#[utoipa::path(post, path = "/api/v1/representative/issues", tag = "Representative",
    request_body = Vec<IssueNotice>, security(("representative_token" = [])), responses(
    (status = 200, body = IssuesResponse),
    (status = 401, description = "Not the representative's token", body = Problem),
    (status = 403, description = "Not signed by their key, or no place of the roll", body = Problem),
    (status = 409, description = "Another pack stands for a place; the others were taken", body = Problem)))]
pub async fn issues(State(state): State<AppState>, headers: HeaderMap, body: Bytes) -> Result<Response> {
    let server = caller(&state, &headers).await?;
    let taken = packs::take_notice(&state, &server, &read::<Vec<IssueNotice>>(&body)?).await?;
    Ok(Json(IssuesResponse { taken }).into_response())
}

/// Petitions that signatures may be for
#[utoipa::path(get, path = "/api/v1/representative/petitions", tag = "Representative",
    security(("representative_token" = [])), responses((status = 200, body = Vec<OpenPetition>),
    (status = 401, description = "Not the representative's token", body = Problem)))]
pub async fn petitions(State(state): State<AppState>, headers: HeaderMap) -> Result<Response> {
    caller(&state, &headers).await?;
    let mut db = state.db.acquire().await?;
    let rows = store::packs::list_petitions(&mut db).await?.into_iter();
    let open = rows.map(|row| {
        Ok(OpenPetition {
            petition: row.id,
            leaf_hash: Hash::try_from(row.leaf_hash.as_slice()).map_err(anyhow::Error::new)?,
            title: row.title.unwrap_or_default(),
            epoch: row.epoch,
            group: row.group_name,
            slot: u64::try_from(row.slot).map_err(anyhow::Error::new)?,
            closes_at: latest_close(row.closes_at, row.seeking_until, row.open_days, state.clock.now()),
        })
    });
    Ok(Json(open.collect::<Result<Vec<_>>>()?).into_response())
}
