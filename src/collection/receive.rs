//! Takes what agents sign: of whoever it says it is, about their device, and not of the future.

use std::io::Read;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use ed25519_dalek::VerifyingKey;

use super::actions;
use super::report::{MAX_BODY, MAX_EXPANDED, Parsed, Signed};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, Result};

/// Reads a report that the agent whose token came with it has signed; answers it and the time.
pub(super) async fn receive<R: Signed>(
    state: &AppState,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<(Parsed<R>, Time)> {
    let agent = actions::authenticate(state, bearer(headers)?).await?;
    state.intake.check_rate(agent.id)?;
    let parsed = Parsed::<R>::read(&expand(headers, body)?)?;
    let report = &parsed.report;
    if report.agent_id() != agent.id {
        return Err(Error::invalid("/agent_id", "must be the id of the agent whose token is used"));
    }
    if report.device_id() != agent.device_id {
        return Err(Error::invalid("/device_id", "must be the device given at enrolment"));
    }
    let key = agent.public_key.try_into().ok().and_then(|k: [u8; 32]| VerifyingKey::from_bytes(&k).ok());
    if !key.is_some_and(|key| parsed.is_signed_by(&key)) {
        let text = "The signature doesn't fit the report and this agent's key.";
        return Err(Error::Rejected(StatusCode::UNAUTHORIZED, text.into()));
    }
    let now = state.clock.now();
    if report.window().end > now.plus_seconds(24 * 3600) {
        return Err(Error::invalid("/window/end", "lies more than a day in the future: check the clock"));
    }
    Ok((parsed, now))
}

/// The token that an agent shows.
fn bearer(headers: &HeaderMap) -> Result<&str> {
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
