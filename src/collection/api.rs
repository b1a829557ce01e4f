//! JSON for agents and for the signed-in worker.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::actions;
use super::intake::Receipt;
use super::receive::{expand, receive};
use super::report::{CollectionReport, ParsedReport, Source};
use super::strict;
use crate::app::{self, AppState};
use crate::error::{Problem, Result};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// Given by an administrator; works once, within 48 hours.
    enrolment_secret: String,
    /// Ed25519, base64url, 43 characters.
    public_key: String,
    /// The reporting program and its version, such as `daylight-agent/0.1.0`.
    #[schema(value_type = String)]
    software: Source,
}

#[derive(Serialize, ToSchema)]
pub struct EnrolResponse {
    agent_id: Uuid,
    device_id: Uuid,
    kid: String,
    /// Bearer token for reports and policies. Shown once.
    token: String,
    /// The key that signs this agent's policies.
    #[schema(value_type = Object)]
    policy_key: serde_json::Value,
}

/// Enrol an agent
#[utoipa::path(post, path = "/api/v1/agents", tag = "Agents", request_body = EnrolRequest, responses(
    (status = 201, body = EnrolResponse),
    (status = 401, description = "Secret unknown, used or out of date", body = Problem),
    (status = 422, description = "A field doesn't fit", body = Problem)))]
pub async fn enrol(State(state): State<AppState>, headers: HeaderMap, body: Bytes) -> Result<Response> {
    let value = strict::read_strict(&expand(&headers, &body)?)?;
    let request: EnrolRequest = strict::read_typed(&value)?;
    let enrolled =
        actions::enrol(&state, &request.enrolment_secret, &request.public_key, &request.software).await?;
    let response = EnrolResponse {
        agent_id: enrolled.agent_id,
        device_id: enrolled.device_id,
        kid: enrolled.kid,
        token: enrolled.token,
        policy_key: serde_json::to_value(app::policy_key(&state)?).map_err(anyhow::Error::new)?,
    };
    Ok((StatusCode::CREATED, Json(response)).into_response())
}

/// Send a collection report
///
/// Idempotent by agent, boot and seq: the same report again gets the same receipt; another one at the same
/// place is refused with 409 and recorded. At most 256 KiB (4 MiB after gzip), 200 items, 24 hours.
#[utoipa::path(post, path = "/api/v1/collection-reports", tag = "Agents", request_body = CollectionReport,
    security(("agent_token" = [])), responses(
    (status = 201, description = "Taken", body = Receipt),
    (status = 200, description = "Taken before: the same receipt", body = Receipt),
    (status = 400, description = "Not JSON, or a key occurs twice", body = Problem),
    (status = 401, description = "Token or signature isn't this agent's", body = Problem),
    (status = 409, description = "Contradicts an earlier report", body = Problem),
    (status = 413, description = "Too large", body = Problem),
    (status = 422, description = "A field doesn't fit the schema", body = Problem),
    (status = 429, description = "Too many reports", body = Problem)))]
pub async fn report(State(state): State<AppState>, headers: HeaderMap, body: Bytes) -> Result<Response> {
    let (parsed, now): (ParsedReport, _) = receive(&state, &headers, &body).await?;
    let receipt = state.intake.submit(parsed, now).await?;
    let status = if receipt.duplicate { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(receipt)).into_response())
}
