//! What the gateway answers: the sender's own event, what ActivityWatch says of itself, or a fixed text.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

pub(super) type Answer = Response<Body>;

pub(super) fn json(status: StatusCode, value: &Value) -> Answer {
    let mut answer = Response::new(Body::from(value.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// As ActivityWatch writes its own errors; `text` is never made of a request.
pub(super) fn said(status: StatusCode, text: &'static str) -> Answer {
    json(status, &json!({ "message": text }))
}

pub(super) fn no_recordings(status: StatusCode) -> Answer {
    said(
        status,
        "The gateway gives no recordings back. To look at your own, open ActivityWatch itself, at the address where it listens.",
    )
}

pub(super) fn unknown_address() -> Answer {
    said(
        StatusCode::NOT_FOUND,
        "The gateway doesn't know this address, and passes nothing on that it doesn't know.",
    )
}

pub(super) fn not_so(allowed: &'static str, deletes: bool) -> Answer {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut answer = match (deletes, allowed) {
        (true, _) => said(
            status,
            "The gateway deletes nothing: what was recorded is evidence. Delete it in ActivityWatch itself.",
        ),
        (false, "POST, OPTIONS") => no_recordings(status),
        (false, _) => said(status, "The gateway doesn't do this at this address."),
    };
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// What ActivityWatch's refusal becomes: never its own words, which may quote.
pub(super) fn failed(upstream: Option<StatusCode>) -> Answer {
    match upstream {
        Some(StatusCode::NOT_FOUND) => said(StatusCode::NOT_FOUND, "There's no such bucket."),
        Some(StatusCode::NOT_MODIFIED) => not_modified(),
        Some(_) => said(StatusCode::BAD_GATEWAY, "ActivityWatch didn't take this."),
        None => said(StatusCode::SERVICE_UNAVAILABLE, "ActivityWatch can't be reached."),
    }
}

pub(super) fn not_modified() -> Answer {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    answer
}
