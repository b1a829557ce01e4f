//! JSON for agents and for other systems.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::bundle::{Confirmation, PolicyKey, Signed, Unbelieved};
use super::enforcement;
use super::live::Use;
use super::model::Why;
use super::policy;
use super::store::policy::{self as store, AgentRow};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, Problem, Result};
use crate::identity::token_hash;
use crate::register::{Category, Purpose};
use crate::web::{Path, bearer, problems};

/// Seconds that a request for a policy may wait for a change.
const LONGEST_WAIT: u64 = 25;

/// Fresh decisions only: a question while the memory can't be believed is answered with "deny".
#[derive(Deserialize, IntoParams)]
pub struct DecisionQuery {
    /// The person, by this system's pseudonym.
    subject: Uuid,
    /// Such as `app.usage`.
    category: String,
    /// Such as `ai:ModelTraining`.
    purpose: String,
    /// The program that collects; without it, all that are declared must be allowed.
    source: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct DecisionResponse {
    /// `allow` or `deny`.
    #[schema(example = "deny")]
    decision: &'static str,
    /// `known`, whatever it follows from; `stale`: this server doesn't know for sure, so ask again soon.
    #[schema(example = "known")]
    reason: &'static str,
}

/// Ask whether data may be used
///
/// About one person, category and purpose, from memory. Anything unknown, expired, unpublished or stale is `deny`.
#[utoipa::path(get, path = "/api/v1/decision", tag = "Systems", params(DecisionQuery),
    security(("system_token" = [])), responses(
    (status = 200, body = DecisionResponse),
    (status = 401, description = "Token isn't a system's", body = Problem),
    (status = 503, description = "What is allowed, and who may ask, isn't known for sure at the moment", body = Problem),
    (status = 422, description = "Category or purpose isn't in the taxonomy", body = Problem)))]
pub async fn decision(State(state): State<AppState>, address: Uri, headers: HeaderMap) -> Response {
    match decide(&state, &address, &headers) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json"), NO_STORE, NO_SNIFF], body).into_response(),
        Err(error) => problems::for_programs(error),
    }
}

const NO_STORE: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-store");
const NO_SNIFF: (header::HeaderName, &str) = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");

/// A [`DecisionResponse`], of which there are three. That somebody was never asked, said no, or objected is their own
/// business; and what is declared or told to whom would tell where somebody works and whether they are known here.
fn decide(state: &AppState, address: &Uri, headers: &HeaderMap) -> Result<&'static str> {
    let token = Sha256::digest(bearer(headers)?.as_bytes());
    let unreadable = |_| Error::Rejected(StatusCode::BAD_REQUEST, "This question could not be read.".into());
    let Query(query) = Query::<DecisionQuery>::try_from_uri(address).map_err(unreadable)?;
    let unknown = |field, what: &str| Error::invalid(field, format!("isn't a {what} of the taxonomy"));
    let category = Category::parse(&query.category).ok_or_else(|| unknown("category", "category"))?;
    let purpose = Purpose::parse(&query.purpose).ok_or_else(|| unknown("purpose", "purpose"))?;
    let question = Use { category, purpose, program: query.source.as_deref() };
    Ok(match state.consent.ask(&token, query.subject, question).ok_or_else(|| unknown_token(state))? {
        Why::Stale => r#"{"decision":"deny","reason":"stale"}"#,
        why if why.allows() => r#"{"decision":"allow","reason":"known"}"#,
        _ => r#"{"decision":"deny","reason":"known"}"#,
    })
}

/// A server that has just started doesn't know yet whose tokens there are.
fn unknown_token(state: &AppState) -> Error {
    match state.consent.is_fresh() {
        true => Error::Unauthenticated,
        false => not_sure(),
    }
}

fn not_sure() -> Error {
    let words = "What is allowed isn’t known for sure at the moment. Please ask again soon.";
    Error::Rejected(StatusCode::SERVICE_UNAVAILABLE, words.into())
}

/// The key that signs policies
#[utoipa::path(get, path = "/api/v1/policy-key", tag = "Agents", responses((status = 200, body = PolicyKey)))]
pub async fn policy_key(State(state): State<AppState>) -> Result<Response> {
    Ok(Json(policy::policy_key(&state)?).into_response())
}

#[derive(Deserialize, IntoParams)]
pub struct PolicyQuery {
    /// Seconds to wait for a change, 25 at most, when `If-None-Match` names the present bundle.
    #[serde(default)]
    wait: u64,
}

/// What an agent may collect
///
/// A signed bundle for the person whose device the agent is on. Ask every 60 seconds, or wait for a change.
#[utoipa::path(get, path = "/api/v1/policy/{agent}", tag = "Agents", params(("agent" = Uuid, Path), PolicyQuery),
    security(("agent_token" = [])), responses(
    (status = 200, description = "policy/1, signed as reports are (docs/agent.md)", content_type = "application/json"),
    (status = 304, description = "Nothing has changed"),
    (status = 401, description = "Token isn't an agent's", body = Problem),
    (status = 404, description = "Token is another agent's", body = Problem),
    (status = 503, description = "What is allowed isn't known for sure at the moment", body = Problem)))]
pub async fn agent_policy(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Query(query): Query<PolicyQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let hash = token_hash(bearer(&headers)?);
    let has = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let until = tokio::time::Instant::now() + Duration::from_secs(query.wait.min(LONGEST_WAIT));
    loop {
        let mut db = state.db.acquire().await?;
        let agent = find_agent(&mut db, &state, &hash, id).await?;
        // Before looking: a change after it wakes us.
        let (mut rules, mut own) = state.consent.watch(agent.person_id);
        if !state.consent.is_fresh() {
            return Err(not_sure());
        }
        let told = store::find_newest(&mut db, agent.id).await?;
        drop(db);
        let issued = policy::issue(&state, &agent, told).await?;
        let etag = HeaderValue::try_from(issued.etag.as_str()).map_err(anyhow::Error::new)?;
        if has != Some(issued.etag.as_str()) {
            let headers = [
                (header::ETAG, etag),
                (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            ];
            return Ok((headers, issued.body).into_response());
        }
        let woken = async {
            tokio::select! { changed = rules.changed() => changed, changed = own.changed() => changed }
        };
        if tokio::time::timeout_at(until, woken).await.is_err() {
            return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
        }
    }
}

async fn find_agent(
    db: &mut sqlx::PgConnection,
    state: &AppState,
    hash: &[u8],
    id: Uuid,
) -> Result<AgentRow> {
    let agent = store::find_agent(db, hash, state.clock.now()).await?.ok_or(Error::Unauthenticated)?;
    if agent.id == id { Ok(agent) } else { Err(Error::NotFound) }
}

#[derive(Serialize, ToSchema)]
pub struct ConfirmationResponse {
    revision: u64,
    #[schema(value_type = String, format = DateTime)]
    received_at: Time,
}

/// Confirm a policy
///
/// By the agent's clock, which may differ from the server's by 5 minutes: otherwise not earlier than the revision was made, and not later than now.
#[utoipa::path(post, path = "/api/v1/policy/{agent}/confirmations", tag = "Agents", params(("agent" = Uuid, Path)),
    request_body = Signed<Confirmation>, security(("agent_token" = [])), responses(
    (status = 201, body = ConfirmationResponse),
    (status = 200, description = "Confirmed before", body = ConfirmationResponse),
    (status = 401, description = "Token or signature isn't this agent's", body = Problem),
    (status = 409, description = "The agent was never told this", body = Problem),
    (status = 422, description = "A field doesn't fit", body = Problem)))]
pub async fn confirm(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let agent = find_agent(&mut db, &state, &token_hash(bearer(&headers)?), id).await?;
    let key = agent.public_key.try_into().ok().and_then(|k: [u8; 32]| VerifyingKey::from_bytes(&k).ok());
    let key = key.ok_or(Error::Unauthenticated)?;
    let confirmation = Confirmation::read(&body, &key).map_err(|why| match why {
        Unbelieved::Shape(error) => error,
        Unbelieved::Signature => Error::Rejected(
            StatusCode::UNAUTHORIZED,
            "The signature doesn't fit the confirmation and this agent's key.".into(),
        ),
    })?;
    if confirmation.agent_id != agent.id {
        return Err(Error::invalid("/agent_id", "must be the id of the agent whose token is used"));
    }
    let revision = i64::try_from(confirmation.revision).unwrap_or(i64::MAX);
    let told = store::find_sha256(&mut db, agent.id, revision).await?;
    if told.as_deref() != Some(&confirmation.sha256.0[..]) {
        return Err(Error::conflict("This agent was never told this revision with this hash."));
    }
    let now = state.clock.now();
    let made_at =
        enforcement::store::find_made_at(&mut db, agent.id, revision).await?.ok_or(Error::NotFound)?;
    enforcement::check_applied(confirmation.applied_at, made_at, now)
        .map_err(|words| Error::invalid("/applied_at", words))?;
    let is_new =
        store::insert_confirmation(&mut db, agent.id, revision, confirmation.applied_at, now).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(ConfirmationResponse { revision: confirmation.revision, received_at: now }))
        .into_response())
}
