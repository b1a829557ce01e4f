//! What wallets, pages of the dashboard and the dashboard itself ask: JSON, no cookie. Pages may ask from the
//! dashboard's origin only. Nothing here is written into a log with whom or what it was about.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::server::Representative;
use super::store::PACKS;
use crate::credentials::wire::{ActionRequest, EnrolRequest, EpochInfo, IssuerInfo, MAX_BODY, PackRequest};
use crate::error::{Error, Problem, Result};
use crate::ledger::proof::leaf::KeyLeaf;
use crate::ledger::proof::petition::IssuerRole;
use crate::ledger::proof::tree::Hash;
use crate::web::problems;

type Of = State<Representative>;

pub(super) fn router(representative: &Representative) -> Router {
    Router::new()
        .route("/issuer", get(issuer))
        .route("/epoch", get(epoch))
        .route("/places/{id_key}", get(place))
        .route("/enrol", post(enrol))
        .route("/packs", post(packs))
        .route("/actions", post(actions))
        .route("/add-checkpoint", post(add_checkpoint))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(representative.clone(), for_the_dashboard))
        .with_state(representative.clone())
}

/// Lets pages of the dashboard read the answers, gives refusals their face, and answers preflights.
async fn for_the_dashboard(State(representative): Of, request: Request, next: Next) -> Response {
    let dashboard = &representative.0.options.dashboard;
    let origin = request.headers().get(header::ORIGIN);
    let is_dashboard = origin.is_some_and(|origin| origin.as_bytes() == dashboard.as_bytes());
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => finished(next.run(request).await),
    };
    let is_preflight = response.status() == StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let (true, Ok(origin)) = (is_dashboard, HeaderValue::from_str(dashboard)) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if is_preflight {
            let fixed = [
                (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
                (header::ACCESS_CONTROL_MAX_AGE, "3600"),
            ];
            for (name, value) in fixed {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
    }
    response
}

/// Refusals as RFC 9457; those of the witness are as its specification has them.
fn finished(response: Response) -> Response {
    match response.extensions().get::<Problem>() {
        Some(problem) => {
            let status = response.status();
            let body = serde_json::to_vec(problem).unwrap_or_default();
            let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
            (status, kind, body).into_response()
        }
        None if response.status() == StatusCode::METHOD_NOT_ALLOWED => {
            let words = "This address doesn’t take that method.";
            problems::for_programs(Error::Rejected(StatusCode::METHOD_NOT_ALLOWED, words.into()))
        }
        None if response.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let words = "What was sent is larger than this address takes.";
            problems::for_programs(Error::Rejected(StatusCode::PAYLOAD_TOO_LARGE, words.into()))
        }
        None => response,
    }
}

/// Reads a body; other kinds of content are refused, since pages of any site can send those without asking.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Error::Rejected(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send application/json.".into()));
    }
    let wrong = || Error::Rejected(StatusCode::UNPROCESSABLE_ENTITY, "The request can’t be read.".into());
    serde_json::from_slice(body).map_err(|_| wrong())
}

async fn issuer(State(representative): Of) -> Result<Json<IssuerInfo>> {
    Ok(Json(representative.info().await?))
}

impl Representative {
    /// What this server says of itself; asks the dashboard which log it is for, the first time.
    pub async fn info(&self) -> Result<IssuerInfo> {
        let met = self.meet().await.map_err(|error| {
            let words = format!("This server doesn’t know the dashboard yet. {error}");
            Error::Rejected(StatusCode::SERVICE_UNAVAILABLE, words.into())
        })?;
        let inner = &self.0;
        let (key, from) = (inner.key.verifying_key(), inner.made_at.to_string());
        let announcement = KeyLeaf::announce_as("representative", &met.origin, &key, &from, &inner.key);
        Ok(IssuerInfo {
            role: IssuerRole::Representative,
            name: inner.options.name.clone(),
            origin: met.origin.clone(),
            public_key: self.public_key(),
            other: Some(inner.options.dashboard.clone()),
            announcement: Some(announcement),
        })
    }
}

/// Which epoch is meant: the newest when none is named.
#[derive(Deserialize)]
struct EpochQuery {
    epoch: Option<String>,
}

async fn epoch(State(representative): Of, Query(query): Query<EpochQuery>) -> Result<Json<EpochInfo>> {
    let info = representative.off(move |w| {
        let signed = w.epoch_in_use(query.epoch.as_deref())?;
        let prefix = [signed.leaf.epoch.as_bytes(), &[0]].concat();
        let packs = w.0.store.list::<serde_json::Value>(PACKS, &prefix)?.len() as u64;
        Ok(EpochInfo {
            leaf_hash: signed.leaf_hash.ok_or(Error::NotFound)?,
            epoch: signed.leaf,
            proof: None,
            ends_at: signed.ends_at,
            packs,
            packs_needed: signed.packs_needed,
            former: Vec::new(),
        })
    });
    Ok(Json(info.await?))
}

async fn place(
    State(representative): Of,
    Path(id_key): Path<String>,
    Query(query): Query<EpochQuery>,
) -> Result<Response> {
    let id_key: Hash = serde_json::from_value(id_key.into()).map_err(|_| Error::NotFound)?;
    let epoch = representative.off(move |w| w.epoch_in_use(query.epoch.as_deref())).await?.leaf.epoch;
    let kept = representative.kept();
    let index = kept.rolls.get(&epoch).and_then(|roll| roll.place_of(&id_key)).ok_or(Error::NotFound)?;
    Ok(Json(json!({"epoch": epoch, "index": index})).into_response())
}

async fn enrol(State(representative): Of, headers: HeaderMap, body: Bytes) -> Result<Response> {
    let request: EnrolRequest = read(&headers, &body)?;
    let answer = json!({"worker_ref": request.worker_ref, "id_key": request.id_key});
    representative.off(move |w| w.enrol(&request)).await?;
    Ok(Json(answer).into_response())
}

async fn packs(State(representative): Of, headers: HeaderMap, body: Bytes) -> Result<Response> {
    let request: PackRequest = read(&headers, &body)?;
    let permit = representative.0.signing.clone().acquire_owned().await.map_err(anyhow::Error::new)?;
    let given = representative.off(move |w| {
        let given = w.give_pack(&request);
        // Only now: whoever hangs up meanwhile doesn't make room for another.
        drop(permit);
        given
    });
    Ok(Json(given.await?).into_response())
}

async fn actions(State(representative): Of, headers: HeaderMap, body: Bytes) -> Result<Response> {
    let request: ActionRequest = read(&headers, &body)?;
    let promise = representative.off(move |w| w.take(&request)).await?;
    Ok((StatusCode::ACCEPTED, Json(promise)).into_response())
}

async fn add_checkpoint(State(representative): Of, body: String) -> Response {
    let answer = representative.off(move |w| {
        let witness = w.witness().ok_or(Error::NotFound)?;
        Ok(witness.answer(&body))
    });
    answer.await.unwrap_or_else(IntoResponse::into_response)
}
