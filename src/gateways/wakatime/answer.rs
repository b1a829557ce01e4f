//! What the collector says of each heartbeat, and what the client is told.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::gateways::gate::upstream::Reply;

/// What became of one heartbeat: taken, or not with this status. Nothing else of the collector's answer is kept: it
/// repeats what was sent, and the client may write it into its log.
pub(super) type Verdict = Result<StatusCode, StatusCode>;

/// The only two that the clients take for success.
fn is_taken(status: StatusCode) -> bool {
    matches!(status, StatusCode::CREATED | StatusCode::ACCEPTED)
}

/// One for each of the `count` heartbeats that were sent.
pub(super) fn verdicts(reply: &Reply, count: usize, is_many: bool) -> Vec<Verdict> {
    let whole = if is_taken(reply.status) {
        Ok(reply.status)
    } else if reply.status.is_client_error() || reply.status.is_server_error() {
        Err(reply.status)
    } else {
        Err(StatusCode::BAD_GATEWAY)
    };
    if whole.is_err() || !is_many {
        return vec![whole; count];
    }
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    (0..count)
        .map(|i| {
            let status = body["responses"][i][1].as_u64().and_then(|n| u16::try_from(n).ok());
            match status.and_then(|n| StatusCode::from_u16(n).ok()) {
                Some(status) if is_taken(status) => Ok(status),
                Some(status) if status.is_client_error() || status.is_server_error() => Err(status),
                // The clients themselves take a missing answer for a failure.
                _ => Err(StatusCode::BAD_GATEWAY),
            }
        })
        .collect()
}

/// The answer to all of them, in their order.
pub(super) fn of(entries: Vec<Verdict>, is_many: bool) -> Response {
    match entries.first() {
        Some(Err(status)) if entries.iter().all(|entry| entry.as_ref() == Err(status)) => failed(*status),
        Some(Ok(status)) if !is_many => (*status, Json(json!({"data": {}}))).into_response(),
        _ => many(entries.into_iter().map(entry).collect()),
    }
}

pub(super) fn taken() -> Value {
    entry(Ok(StatusCode::CREATED))
}

fn entry(verdict: Verdict) -> Value {
    match verdict {
        Ok(status) => json!([{"data": {}}, status.as_u16()]),
        Err(status) => json!([{"error": "not taken"}, status.as_u16()]),
    }
}

pub(super) fn many(entries: Vec<Value>) -> Response {
    (StatusCode::CREATED, Json(json!({"responses": entries}))).into_response()
}

pub(super) fn failed(status: StatusCode) -> Response {
    (status, Json(json!({"error": "not taken"}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        let status = StatusCode::from_u16(status).unwrap();
        Reply { status, body: body.into() }
    }

    #[test]
    fn every_heartbeat_has_an_answer_and_a_missing_one_is_a_failure() {
        let of = |status, body: &str| -> Vec<u16> {
            let verdicts = verdicts(&reply(status, body), 3, true);
            verdicts.into_iter().map(|v| v.unwrap_or_else(|status| status).as_u16()).collect()
        };
        let body = r#"{"responses":[[{"data":{}},201],[{"error":"x"},400]]}"#;
        assert_eq!(of(201, body), [201, 400, 502]);
        assert_eq!(of(202, r#"{"responses":[[null,202],[null,99999],[{},200]]}"#), [202, 502, 502]);
        assert_eq!(of(202, "no JSON"), [502; 3]);
        assert_eq!(of(429, body), [429; 3]);
        assert_eq!(of(302, body), [502; 3]);
        assert_eq!(of(200, body), [502; 3], "the clients wouldn't take it for success either");
        assert!(verdicts(&reply(201, r#"{"data":{}}"#), 1, false)[0].is_ok());
    }
}
