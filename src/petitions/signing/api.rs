//! Where signatures come in, and where their holders see what stands in the log.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::store;
use super::submit::{Answer, submit};
use crate::app::AppState;
use crate::credentials::wire::{ActionRequest, Promise};
use crate::error::Problem;
use crate::error::{Error, Result};
use crate::identity;
use crate::ledger;
use crate::ledger::proof::strict;
use crate::ledger::proof::tree::Hash;
use crate::web::{Path, bearer, problems};

/// Bytes of one action at most; a signature with a name has some 2,000.
const MAX_ACTION: usize = 8 * 1024;
/// Actions that the representative delivers at once.
const MAX_DELIVERED: usize = 1_000;
/// Time in which a request must have been read and answered.
const PATIENCE: Duration = Duration::from_secs(30);

/// Signs or withdraws. No cookie is read and no line is logged; the same action again gets the same promise.
#[utoipa::path(post, path = "/api/v1/petitions/actions", tag = "Petitions", request_body = ActionRequest, responses(
    (status = 202, description = "Taken; it stands in the log by then", body = Promise),
    (status = 403, description = "A signature or a credential doesn't hold", body = Problem),
    (status = 404, description = "No such petition", body = Problem),
    (status = 409, description = "Another version, closed, or `number` is behind", body = Problem),
    (status = 422, description = "Can't be read", body = Problem)))]
pub async fn act(State(state): State<AppState>, body: Body) -> Response {
    let answer = async {
        let bytes = axum::body::to_bytes(body, MAX_ACTION).await.map_err(|_| too_long())?;
        let request: ActionRequest = read(&bytes)?;
        submit(&state, &request).await
    };
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(Answer::Taken(promise))) => {
            (StatusCode::ACCEPTED, [(header::CACHE_CONTROL, "no-store")], Json(promise)).into_response()
        }
        Ok(Ok(Answer::Later(number))) => later(number),
        Ok(Err(error)) => problems::for_programs(error),
        Err(_) => problems::for_programs(Error::Rejected(
            StatusCode::SERVICE_UNAVAILABLE,
            "This took too long. Please try again.".into(),
        )),
    }
}

/// JSON in which each key occurs once.
fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let unreadable = || Error::Rejected(StatusCode::UNPROCESSABLE_ENTITY, "This could not be read.".into());
    let value = strict::parse(bytes).map_err(|_| unreadable())?;
    serde_json::from_value(value).map_err(|_| unreadable())
}

fn too_long() -> Error {
    Error::Rejected(StatusCode::PAYLOAD_TOO_LARGE, "This is too long.".into())
}

/// A problem with the number that the next action must be above; only the key's holder can cause it.
fn later(number: u64) -> Response {
    let body = json!({
        "type": "about:blank", "title": "Conflict", "status": 409,
        "detail": "A later action of this key is known.", "number": number,
    });
    let kind = [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::CONFLICT, kind, body.to_string()).into_response()
}

#[derive(Serialize, ToSchema)]
pub struct KeyResponse {
    /// Of the key's last action in the log.
    number: i64,
    /// `sign` or `withdraw`
    kind: String,
    /// Index in the log; null for the moment until it has a place.
    index: Option<i64>,
    #[schema(value_type = String)]
    leaf_hash: Hash,
}

/// What stands in the log for a key, as anybody could read there.
#[utoipa::path(get, path = "/api/v1/petitions/keys/{petition}/{key}", tag = "Petitions", responses(
    (status = 200, body = KeyResponse), (status = 404, description = "Nothing in the log", body = Problem)))]
pub async fn key(
    State(state): State<AppState>,
    Path((petition, key)): Path<(String, String)>,
) -> Result<Json<KeyResponse>> {
    let (petition, key) = (hash(&petition)?, hash(&key)?);
    let mut db = state.db.acquire().await?;
    let row = store::find_signature(&mut db, &petition, &key).await?.ok_or(Error::NotFound)?;
    let index = ledger::position_of(&mut db, ledger::EntryId(row.ledger_entry)).await?;
    let leaf_hash = Hash::try_from(row.leaf_hash.as_slice()).map_err(anyhow::Error::new)?;
    Ok(Json(KeyResponse { number: row.number, kind: row.kind, index, leaf_hash }))
}

/// Proof (C2SP tlog-proof) that an action stands in the log, by the leaf hash that a promise names.
#[utoipa::path(get, path = "/api/v1/petitions/leaves/{hash}", tag = "Petitions", responses(
    (status = 200, description = "C2SP tlog-proof", content_type = "text/plain"),
    (status = 404, description = "Not in the log, or not any more the key's last action", body = Problem)))]
pub async fn leaf(State(state): State<AppState>, Path(leaf): Path<String>) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let entry = store::find_entry_of_leaf(&mut db, &hash(&leaf)?).await?.ok_or(Error::NotFound)?;
    let index = ledger::position_of(&mut db, ledger::EntryId(entry)).await?.ok_or(Error::NotFound)?;
    let proof = ledger::proof_text(&mut db, &state.ledger, index).await?.ok_or(Error::NotFound)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], proof).into_response())
}

fn hash(text: &str) -> Result<Hash> {
    text.parse().map_err(|_| Error::NotFound)
}

#[derive(Serialize, ToSchema)]
pub struct DeliveredResponse {
    taken: usize,
    /// Place in the list, and why it wasn't taken.
    refused: Vec<(usize, String)>,
}

/// What the representative's server received. The same action again is taken again, and changes nothing.
#[utoipa::path(post, path = "/api/v1/representative/actions", tag = "Petitions", security(("representative_token" = [])),
    request_body = Vec<ActionRequest>, responses(
    (status = 200, body = DeliveredResponse), (status = 401, description = "Not the representative's token", body = Problem)))]
pub async fn deliver(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<DeliveredResponse>> {
    let mut db = state.db.acquire().await?;
    let token = bearer(&headers)?;
    if !store::is_representative(&mut db, &identity::token_hash(token)).await? {
        return Err(Error::Unauthenticated);
    }
    drop(db);
    let bytes = axum::body::to_bytes(body, MAX_ACTION * MAX_DELIVERED).await.map_err(|_| too_long())?;
    let requests: Vec<ActionRequest> = read(&bytes)?;
    if requests.len() > MAX_DELIVERED {
        return Err(too_long());
    }
    let answers = futures_util::future::join_all(requests.iter().map(|r| submit(&state, r))).await;
    let mut delivered = DeliveredResponse { taken: 0, refused: Vec::new() };
    for (n, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(Answer::Taken(_)) => delivered.taken += 1,
            Ok(Answer::Later(_)) => {
                delivered.refused.push((n, "A later action of this key is known.".into()))
            }
            Err(Error::Internal(error)) => return Err(Error::Internal(error)),
            Err(error) => delivered.refused.push((n, error.to_string())),
        }
    }
    Ok(Json(delivered))
}
