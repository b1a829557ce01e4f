//! OTLP's own answers. Their texts are fixed: agents write them into their logs.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::routes::Encoding;

const NOT_TAKEN: &str = "not passed on: refused, not declared, or not known";

/// The three signals' answers have the same fields, by number.
#[derive(Clone, PartialEq, prost::Message)]
struct Success {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<Partial>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Partial {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`, which OTLP wants with every failure.
#[derive(Clone, PartialEq, prost::Message)]
struct Failure {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Everything is settled: an agent neither sends it again nor keeps it. How many records weren't taken is said, since
/// agents can show it; what else was stripped shows in the reports.
pub(super) fn success(encoding: Encoding, name: &str, rejected: i64) -> Response<Body> {
    let partial_success = (rejected > 0).then(|| Partial { rejected, error_message: NOT_TAKEN.to_owned() });
    let body = match (encoding, partial_success) {
        (Encoding::Protobuf, partial_success) => prost::Message::encode_to_vec(&Success { partial_success }),
        (Encoding::Json, None) => b"{}".to_vec(),
        (Encoding::Json, Some(partial)) => {
            let partial = json!({name: partial.rejected.to_string(), "errorMessage": partial.error_message});
            json!({"partialSuccess": partial}).to_string().into_bytes()
        }
    };
    respond(StatusCode::OK, encoding, body)
}

/// How many records the collector didn't take, by its answer; its words stay here.
pub(super) fn rejected(encoding: Encoding, name: &str, body: &[u8]) -> i64 {
    let read = match encoding {
        Encoding::Protobuf => {
            let success = <Success as prost::Message>::decode(body).ok();
            success.and_then(|success| Some(success.partial_success?.rejected))
        }
        Encoding::Json => serde_json::from_slice::<Value>(body).ok().and_then(|body| {
            let number = &body["partialSuccess"][name];
            number.as_i64().or_else(|| number.as_str()?.parse().ok())
        }),
    };
    read.unwrap_or(0).max(0)
}

pub(super) fn failure(status: StatusCode, encoding: Encoding) -> Response<Body> {
    // The codes of gRPC: invalid argument, and unavailable.
    let (code, message) = match status {
        StatusCode::BAD_REQUEST => (3, "this can't be read"),
        _ => (14, "the collector didn't take it"),
    };
    let body = match encoding {
        Encoding::Protobuf => prost::Message::encode_to_vec(&Failure { code, message: message.to_owned() }),
        Encoding::Json => json!({"code": code, "message": message}).to_string().into_bytes(),
    };
    respond(status, encoding, body)
}

fn respond(status: StatusCode, encoding: Encoding, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(encoding.content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
