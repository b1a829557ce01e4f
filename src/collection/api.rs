//! JSON for agents and for the signed-in worker.

use std::io::Read;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::actions;
use super::intake::Receipt;
use super::report::{CollectionReport, MAX_BODY, MAX_EXPANDED, ParsedReport, Source};
use super::strict;
use crate::app::{self, AppState};
use crate::error::{Error, Problem, Result};

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
    let agent = actions::authenticate(&state, bearer(&headers)?).await?;
    state.intake.check_rate(agent.id)?;
    let parsed = ParsedReport::read(&expand(&headers, &body)?)?;
    let report = &parsed.report;
    if report.agent_id != agent.id {
        return Err(Error::invalid("/agent_id", "must be the id of the agent whose token is used"));
    }
    if report.device_id != agent.device_id {
        return Err(Error::invalid("/device_id", "must be the device given at enrolment"));
    }
    let key = agent.public_key.try_into().ok().and_then(|k: [u8; 32]| VerifyingKey::from_bytes(&k).ok());
    if !key.is_some_and(|key| parsed.is_signed_by(&key)) {
        let text = "The signature doesn't fit the report and this agent's key.";
        return Err(Error::Rejected(StatusCode::UNAUTHORIZED, text.into()));
    }
    let now = state.clock.now();
    if report.window.end > now.plus_seconds(24 * 3600) {
        return Err(Error::invalid("/window/end", "lies more than a day in the future: check the clock"));
    }
    let receipt = state.intake.submit(parsed, now).await?;
    let status = if receipt.duplicate { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(receipt)).into_response())
}

/// The token that an agent shows.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "))
        .map(str::trim)
        .ok_or(Error::Unauthenticated)
}

/// The body without gzip, within its limits.
pub(super) fn expand(headers: &HeaderMap, body: &Bytes) -> Result<Vec<u8>> {
    let too_large = || {
        Error::Rejected(StatusCode::PAYLOAD_TOO_LARGE, "A report is at most 256 KiB, 4 MiB unpacked.".into())
    };
    if body.len() > MAX_BODY {
        return Err(too_large());
    }
    match headers.get(header::CONTENT_ENCODING).map(|v| v.as_bytes()) {
        None => Ok(body.to_vec()),
        Some(b"gzip") => {
            let mut out = Vec::new();
            let limit = MAX_EXPANDED as u64 + 1;
            flate2::read::GzDecoder::new(body.as_ref())
                .take(limit)
                .read_to_end(&mut out)
                .map_err(|_| Error::Rejected(StatusCode::BAD_REQUEST, "The gzip stream is broken.".into()))?;
            if out.len() > MAX_EXPANDED { Err(too_large()) } else { Ok(out) }
        }
        Some(_) => Err(Error::Rejected(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Only gzip is understood as Content-Encoding.".into(),
        )),
    }
}
