//! OTLP over HTTP: three paths, two encodings, and nothing else.

use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use super::answer;
use super::rules::Program;
use super::scan::unknown;
use super::strip::Message;
use crate::gateways::gate::body::{self, Unread};
use crate::gateways::gate::device::{self, Site, Turn};
use crate::gateways::gate::upstream::{Reply, Unreached};

/// A message, packed or unpacked. Collectors take some 20 MiB; what agents send at once is far smaller.
const LIMIT: usize = 8 * 1024 * 1024;

/// How a message is written, and so its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    Protobuf,
}

impl Encoding {
    /// By the one Content-Type there may be.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        let (kind, None) = (types.next()?.to_str().ok()?, types.next()) else { return None };
        match kind.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "application/json" => Some(Encoding::Json),
            "application/x-protobuf" => Some(Encoding::Protobuf),
            _ => None,
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Encoding::Json => "application/json",
            Encoding::Protobuf => "application/x-protobuf",
        }
    }

    fn read<M: Message>(self, bytes: &[u8]) -> Option<M> {
        match self {
            Encoding::Json => serde_json::from_slice(bytes).ok(),
            Encoding::Protobuf => M::decode(bytes).ok(),
        }
    }

    fn write<M: Message>(self, message: &M) -> Option<Vec<u8>> {
        match self {
            Encoding::Json => serde_json::to_vec(message).ok(),
            Encoding::Protobuf => Some(message.encode_to_vec()),
        }
    }
}

pub(in crate::gateways) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/v1/logs", post(receive::<ExportLogsServiceRequest>))
        .route("/v1/metrics", post(receive::<ExportMetricsServiceRequest>))
        .route("/v1/traces", post(receive::<ExportTraceServiceRequest>))
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found") })
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "not allowed") })
        .with_state(site)
}

async fn receive<M: Message>(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let Some(encoding) = Encoding::of(&headers) else {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not supported").into_response();
    };
    let body = body::read(&headers, body, LIMIT).await;
    let mut turn = site.turn();
    let source = device::source(Program::Any.source(), None);
    let body = match body {
        Ok(body) => body,
        Err(unread) => {
            if unread == Unread::TooLarge {
                // Something came, and nobody looked at it.
                turn.refuse(unknown(LIMIT as u64), &source);
                turn.done();
            }
            return (unread.status(), "not taken").into_response();
        }
    };
    let Some(mut message) = encoding.read::<M>(&body) else {
        turn.refuse(unknown(body.len() as u64), &source);
        turn.done();
        return answer::failure(StatusCode::BAD_REQUEST, encoding);
    };
    drop(body);
    let rejected = message.strip(&mut turn);
    let sent = match encoding.write(&message).filter(|_| !message.is_empty()) {
        Some(bytes) => send::<M>(&site, encoding, &headers, bytes).await,
        None => {
            turn.done();
            return answer::success(encoding, M::REJECTED, rejected);
        }
    };
    settle::<M>(turn, encoding, rejected, sent)
}

async fn send<M: Message>(
    site: &Site,
    encoding: Encoding,
    headers: &HeaderMap,
    bytes: Vec<u8>,
) -> Result<Reply, Unreached> {
    let mut needed = HeaderMap::new();
    needed.insert(header::CONTENT_TYPE, HeaderValue::from_static(encoding.content_type()));
    // An agent's own key is for a gateway without one.
    let key = headers.get(header::AUTHORIZATION).filter(|_| !site.upstream.has_own_headers());
    if let Some(key) = key {
        needed.insert(header::AUTHORIZATION, key.clone());
    }
    let mut bytes = bytes;
    if headers.contains_key(header::CONTENT_ENCODING)
        && let Ok(packed) = pack(&bytes)
    {
        needed.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        bytes = packed;
    }
    site.upstream.send(Method::POST, &["v1", M::SIGNAL], &[], needed, bytes).await
}

fn pack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes)?;
    packer.finish()
}

/// Answers the agent, so that it keeps nothing of what was refused: it sends again only what was wholly allowed.
fn settle<M: Message>(
    turn: Turn<'_>,
    encoding: Encoding,
    rejected: i64,
    sent: Result<Reply, Unreached>,
) -> Response<Body> {
    let status = match sent {
        Ok(reply) if reply.is_success() => {
            turn.done();
            let theirs = answer::rejected(encoding, M::REJECTED, &reply.body);
            return answer::success(encoding, M::REJECTED, rejected.saturating_add(theirs));
        }
        Ok(reply) => reply.status,
        Err(Unreached) => StatusCode::SERVICE_UNAVAILABLE,
    };
    if turn.has_refused() {
        turn.lost();
        return answer::success(encoding, M::REJECTED, rejected);
    }
    // By OTLP these are sent again; any other failure is final for the agent.
    let retries = matches!(status.as_u16(), 429 | 502 | 503 | 504);
    if !retries {
        turn.lost();
    }
    let is_failure = status.is_client_error() || status.is_server_error();
    let status = if is_failure { status } else { StatusCode::INTERNAL_SERVER_ERROR };
    answer::failure(status, encoding)
}
