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

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::answer;
use super::count;
use super::rules::Program;
use super::scan::unknown;
use super::strip::Message;
use crate::collection::report::Source;
use crate::gateways::gate::body::{self, Packed, Unread};
use crate::gateways::gate::device::{self, Site, Turn};
use crate::gateways::gate::upstream::{ERRAND, Reply, Unreached};

/// A message, packed or unpacked. Collectors take some 20 MiB; what agents send at once is far smaller.
const LIMIT: usize = 8 * 1024 * 1024;

/// Where one device's programs come in.
struct Door {
    site: Arc<Site>,
    /// One message is read at a time, so that none takes the memory and the time of the other devices.
    reading: Semaphore,
}

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

    /// Whether it isn't more than there is room for. `None`: it can't be read.
    fn is_bearable<M: Message>(self, bytes: &[u8]) -> Option<bool> {
        match self {
            Encoding::Json => Some(count::is_bearable_json(bytes)),
            Encoding::Protobuf => count::is_bearable(M::SIGNAL, bytes),
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
        .with_state(Arc::new(Door { site, reading: Semaphore::new(1) }))
}

async fn receive<M: Message>(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let Some(encoding) = Encoding::of(&headers) else {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not supported").into_response();
    };
    let body = match body::receive(&headers, body, LIMIT).await {
        Ok(body) => body,
        Err(unread) => return refuse_unread(door.site.turn(), unread),
    };
    // What may be on its way to the collector is waited for and counted, whether or not its sender still listens.
    let device = door.site.device.clone();
    let work = device.run(pass::<M>(door, encoding, headers, body));
    work.await.unwrap_or_else(|_| answer::failure(StatusCode::INTERNAL_SERVER_ERROR, encoding))
}

async fn pass<M: Message>(
    door: Arc<Door>,
    encoding: Encoding,
    headers: HeaderMap,
    body: Packed,
) -> Response<Body> {
    let deadline = Instant::now() + ERRAND;
    let Ok(Ok(place)) = timeout_at(deadline, door.reading.acquire()).await else {
        return answer::failure(StatusCode::SERVICE_UNAVAILABLE, encoding);
    };
    let site = door.site.clone();
    let judged = tokio::task::spawn_blocking(move || judge::<M>(&site, encoding, body)).await;
    drop(place);
    let (turn, rejected, bytes) = match judged {
        Ok(Judged::Passes { turn, rejected, bytes }) => (turn, rejected, bytes),
        Ok(Judged::Answered(response)) => return response,
        Err(_) => return answer::failure(StatusCode::INTERNAL_SERVER_ERROR, encoding),
    };
    let sent = send::<M>(&door.site, deadline, encoding, &headers, bytes).await;
    settle::<M>(turn, encoding, rejected, sent)
}

/// What is known of a message before anything of it goes on.
enum Judged {
    Passes { turn: Turn, rejected: i64, bytes: Vec<u8> },
    Answered(Response<Body>),
}

/// Reads a message and leaves in it what may go on; takes its time.
fn judge<M: Message>(site: &Arc<Site>, encoding: Encoding, body: Packed) -> Judged {
    let body = match body.unpack(LIMIT) {
        Ok(body) => body,
        Err(unread) => return Judged::Answered(refuse_unread(site.turn(), unread)),
    };
    let is_bearable = encoding.is_bearable::<M>(&body);
    if is_bearable == Some(false) {
        return Judged::Answered(refuse_unread(site.turn(), Unread::TooLarge));
    }
    let message = is_bearable.and_then(|_| encoding.read::<M>(&body));
    let size = body.len() as u64;
    drop(body);
    let mut turn = site.turn();
    let Some(mut message) = message else {
        turn.refuse(unknown(size), &nobody());
        turn.done();
        return Judged::Answered(answer::failure(StatusCode::BAD_REQUEST, encoding));
    };
    let rejected = message.strip(&mut turn);
    match encoding.write(&message).filter(|_| !message.is_empty()) {
        Some(bytes) => Judged::Passes { turn, rejected, bytes },
        None => {
            turn.done();
            Judged::Answered(answer::success(encoding, M::REJECTED, rejected))
        }
    }
}

fn nobody() -> Source {
    device::source(Program::Any.source(), None)
}

fn refuse_unread(mut turn: Turn, unread: Unread) -> Response<Body> {
    if unread == Unread::TooLarge {
        // Something came, and nobody looked at it.
        turn.refuse(unknown(LIMIT as u64), &nobody());
        turn.done();
    }
    (unread.status(), "not taken").into_response()
}

async fn send<M: Message>(
    site: &Site,
    deadline: Instant,
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
    site.upstream.send_by(deadline, Method::POST, &["v1", M::SIGNAL], &[], needed, bytes).await
}

fn pack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes)?;
    packer.finish()
}

/// Counts what became of it, and answers the agent, so that it keeps nothing of what was refused: it sends again only
/// what was wholly allowed. Whatever the collector answers, it may have kept what came.
fn settle<M: Message>(
    turn: Turn,
    encoding: Encoding,
    rejected: i64,
    sent: Result<Reply, Unreached>,
) -> Response<Body> {
    let has_refused = turn.has_refused();
    let status = match sent {
        Ok(reply) if reply.is_success() => {
            turn.done();
            let theirs = answer::rejected(encoding, M::REJECTED, &reply.body);
            return answer::success(encoding, M::REJECTED, rejected.saturating_add(theirs));
        }
        Ok(reply) => {
            turn.done();
            reply.status
        }
        Err(Unreached { may_have_arrived }) => {
            if may_have_arrived {
                turn.done();
            } else if has_refused {
                turn.lost();
            }
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    if has_refused {
        return answer::success(encoding, M::REJECTED, rejected);
    }
    let is_failure = status.is_client_error() || status.is_server_error();
    let status = if is_failure { status } else { StatusCode::INTERNAL_SERVER_ERROR };
    answer::failure(status, encoding)
}
