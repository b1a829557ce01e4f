//! WakaTime at the gate: heartbeats of editors, which say what file somebody works in, and when.
//!
//! Spoken to by the Python client (PyPI `wakatime`) and by `wakatime-cli`: an array of heartbeats to
//! `users/current/heartbeats.bulk`, or one to `users/current/heartbeats`. What a heartbeat holds and what of it goes on
//! is in [`heartbeat`]; what became of those that went on, in [`answer`].
//!
//! **A heartbeat that isn't taken is kept**: the client writes it with its path into `~/.wakatime.db` and sends it again.
//! So what is dropped is answered with the 201 that the client waits for, and no more: `{"data":{}}`. Reads are denied;
//! so is everything else, such as the question for a file's experts and the client's own log after an error.

mod answer;
mod heartbeat;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::answer::Verdict;
use super::gate::body;
use super::gate::device::{Site, Turn, source};
use super::gate::tally::Part;
use super::gate::upstream::ERRAND;
use crate::ledger::proof::strict;
use crate::register::{Category, Granularity};

/// Bytes of one request; the clients send 25 heartbeats in each.
const MAX_BODY: usize = 1024 * 1024;
/// Heartbeats of one request.
const MAX_HEARTBEATS: usize = 1000;
/// More than this nobody answers one by one.
const MAX_ANSWERS: usize = 10_000;

const BULK: &str = "heartbeats.bulk";
const ONE: &str = "heartbeats";

pub(super) fn router(site: Arc<Site>) -> Router {
    let mut router = Router::new();
    // The Python client is given the whole address, the newer one its beginning.
    for base in ["/users/current", "/api/v1/users/current"] {
        let bulk = |State(site): State<Arc<Site>>, headers: HeaderMap, body: Body| async move {
            receive(site, BULK, headers, body).await
        };
        let one = |State(site): State<Arc<Site>>, headers: HeaderMap, body: Body| async move {
            receive(site, ONE, headers, body).await
        };
        router =
            router.route(&format!("{base}/{BULK}"), post(bulk)).route(&format!("{base}/{ONE}"), post(one));
    }
    router.method_not_allowed_fallback(denied).fallback(denied).with_state(site)
}

async fn denied() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"error": "Daylight's gateway doesn't pass this on"}))).into_response()
}

/// What a body turned out to be.
enum Received {
    Many(Vec<Value>),
    One(Value),
    /// So many records, and something about them isn't right: a key that occurs twice, or too many of them.
    Odd(usize),
    Unreadable,
}

fn parse(bytes: &[u8]) -> Received {
    match strict::parse(bytes) {
        Ok(Value::Array(records)) if records.len() <= MAX_HEARTBEATS => Received::Many(records),
        Ok(record @ Value::Object(_)) => Received::One(record),
        _ => serde_json::from_slice::<Vec<IgnoredAny>>(bytes)
            .ok()
            .filter(|records| records.len() <= MAX_ANSWERS)
            .map_or(Received::Unreadable, |records| Received::Odd(records.len())),
    }
}

async fn receive(site: Arc<Site>, route: &'static str, headers: HeaderMap, body: Body) -> Response {
    // A web page may send text to any address without asking first, and would write somebody's records.
    if !is_json(&headers) {
        return answer::failed(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let received = match body::read(&headers, body, MAX_BODY).await {
        Ok(bytes) => parse(&bytes),
        Err(_) => Received::Unreadable,
    };
    let device = site.device.clone();
    let work = device.run(async move { judge(&site, route, &headers, received).await });
    work.await.unwrap_or_else(|_| answer::failed(StatusCode::INTERNAL_SERVER_ERROR))
}

/// The clients say so, or nothing.
fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(kind) = kinds.next() else { return true };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kinds.next().is_none() && kind.eq_ignore_ascii_case("application/json")
}

async fn judge(site: &Arc<Site>, route: &str, headers: &HeaderMap, received: Received) -> Response {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    match received {
        Received::Many(records) => pass(site, route, headers, agent, records, true).await,
        Received::One(record) => pass(site, route, headers, agent, vec![record], false).await,
        Received::Odd(count) => {
            refuse(site, agent, count.clamp(1, MAX_HEARTBEATS));
            answer::many(vec![answer::taken(); count])
        }
        // The one refusal after which the Python client doesn't keep what it sent.
        Received::Unreadable => {
            refuse(site, agent, 1);
            answer::failed(StatusCode::BAD_REQUEST)
        }
    }
}

/// Counts what nobody could read.
fn refuse(site: &Arc<Site>, agent: Option<&str>, count: usize) {
    let mut turn = site.turn();
    let unknown =
        Part { category: Category::unknown(), granularity: Granularity::Content, bytes: 0, field: None };
    for _ in 0..count {
        turn.refuse(unknown.clone(), &source("wakatime", heartbeat::version(agent)));
    }
    turn.done();
}

/// Sends on what may go on, and answers for each record. Each is judged and counted on its own: the collector may take
/// one and not its neighbour.
async fn pass(
    site: &Arc<Site>,
    route: &str,
    headers: &HeaderMap,
    agent: Option<&str>,
    records: Vec<Value>,
    is_many: bool,
) -> Response {
    let deadline = Instant::now() + ERRAND;
    let mut judged: Vec<(Turn, bool)> = Vec::with_capacity(records.len());
    let mut passed = Vec::new();
    for record in &records {
        let mut turn = site.turn();
        let reduced = heartbeat::judge(&mut turn, record, agent);
        judged.push((turn, reduced.is_some()));
        passed.extend(reduced.map(Value::Object));
    }
    drop(records);
    let (verdicts, may_have_arrived) = send(site, deadline, route, headers, passed, is_many).await;
    let mut verdicts = verdicts.into_iter();
    let entries: Vec<Verdict> = judged
        .into_iter()
        .map(|(turn, is_passed)| {
            let verdict = if is_passed { verdicts.next() } else { Some(Ok(StatusCode::CREATED)) };
            settle(turn, verdict.unwrap_or(Err(StatusCode::BAD_GATEWAY)), may_have_arrived)
        })
        .collect();
    answer::of(entries, is_many)
}

/// Counts a record by what became of it. One that failed is told so, and comes again, unless it held something refused,
/// which would lie in the client's queue meanwhile.
fn settle(turn: Turn, verdict: Verdict, may_have_arrived: bool) -> Verdict {
    let Err(status) = verdict else {
        turn.done();
        return verdict;
    };
    let hears_of_it = !turn.has_refused();
    if may_have_arrived {
        turn.done();
    } else if !hears_of_it {
        turn.lost();
    }
    if hears_of_it { Err(status) } else { Ok(StatusCode::CREATED) }
}

/// What the collector said to each of them, and whether it may have those that it refused.
async fn send(
    site: &Arc<Site>,
    deadline: Instant,
    route: &str,
    headers: &HeaderMap,
    passed: Vec<Value>,
    is_many: bool,
) -> (Vec<Verdict>, bool) {
    let count = passed.len();
    let Some(first) = passed.first() else { return (Vec::new(), false) };
    let mut own = HeaderMap::new();
    own.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    own.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let agent = first["user_agent"].as_str().and_then(|agent| HeaderValue::from_str(agent).ok());
    own.extend(agent.map(|agent| (header::USER_AGENT, agent)));
    // Where a headers_file holds the key, it stands instead of this one.
    let key = headers.get(header::AUTHORIZATION).cloned();
    own.extend(key.map(|key| (header::AUTHORIZATION, key)));
    let body = if is_many { Value::Array(passed) } else { passed.into_iter().next().unwrap_or_default() };
    let body = body.to_string().into_bytes();
    let path = ["users", "current", route];
    let sent = site.upstream.send_by(deadline, Method::POST, &path, &[], own, body).await;
    let may_have_arrived = site.may_have_arrived(&sent);
    let verdicts = match sent {
        Ok(reply) => answer::verdicts(&reply, count, is_many),
        Err(_) => vec![Err(StatusCode::SERVICE_UNAVAILABLE); count],
    };
    (verdicts, may_have_arrived)
}
