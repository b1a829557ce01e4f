//! Where agents say which known monitoring programs they see.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::intake;
use super::model::ParsedLook;
use crate::app::AppState;
use crate::clock::Time;
use crate::collection::receive::receive;
use crate::collection::report::MAX_SKEW_SECONDS;
use crate::error::{Error, Problem, Result};

/// Days after which a report is too old to be taken: it couldn't be told from a copy any more.
const OLDEST_DAYS: i64 = 90;

/// What the server promises about a presence report it took.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresenceReceipt {
    pub report_id: Uuid,
    /// SHA-256 over the canonical report without `sig`.
    pub hash: String,
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Time,
    /// Whether this very report had been taken before.
    pub duplicate: bool,
}

/// Say which known monitoring programs are there
///
/// Names products of the catalogue alone: no content, and no list of installed programs. An empty list says "I looked
/// and found none". Signed as collection reports are. The same report sent again gets the same receipt.
#[utoipa::path(post, path = "/api/v1/presence-reports", tag = "Agents", request_body = super::PresenceReport,
    security(("agent_token" = [])), responses(
    (status = 201, description = "Taken", body = PresenceReceipt),
    (status = 200, description = "Taken before: the same receipt", body = PresenceReceipt),
    (status = 400, description = "Not JSON, or a key occurs twice", body = Problem),
    (status = 401, description = "Token or signature isn't this agent's", body = Problem),
    (status = 409, description = "Another report has this id", body = Problem),
    (status = 413, description = "Too large", body = Problem),
    (status = 422, description = "A field doesn't fit the schema, or names what the catalogue doesn't have", body = Problem),
    (status = 429, description = "Too many reports", body = Problem)))]
pub async fn report(State(state): State<AppState>, headers: HeaderMap, body: Bytes) -> Result<Response> {
    let (parsed, now): (ParsedLook, _) = receive(&state, &headers, &body).await?;
    let report = &parsed.report;
    // What lies ahead would be found on a day that hasn't come.
    for (field, at) in [("/window/end", report.window.end), ("/produced_at", report.produced_at)] {
        if at > now.plus_seconds(MAX_SKEW_SECONDS) {
            return Err(Error::invalid(field, "lies more than 5 minutes in the future: check the clock"));
        }
    }
    if report.window.end < now.plus_days(-OLDEST_DAYS) {
        return Err(Error::invalid("/window/end", "lies more than 90 days back"));
    }
    let (received_at, duplicate) = intake::take(&state, &parsed, now).await?;
    let hash = parsed.hash.to_string();
    let receipt = PresenceReceipt { report_id: report.report_id, hash, received_at, duplicate };
    let status = if duplicate { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(receipt)).into_response())
}
