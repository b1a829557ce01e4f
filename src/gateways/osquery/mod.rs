//! osquery at the gate: which known monitoring programs are on a device, without anybody's list of programs.
//!
//! The gateway is what osquery calls a TLS server: programs enrol ([`nodes`]), get a schedule ([`pack`]) and hand in
//! rows ([`results`]). Of a row only the catalogue's product is kept that its name gives away ([`presence`]); the row
//! is counted and forgotten. **osquery is itself surveillance**: it is asked only while the person's policy allows
//! `device.inventory` for `osquery`, and its rows are counted as that.
//!
//! Distributed queries and carving of files are never answered. Tried with an emulator of osquery's protocol only,
//! never with osquery itself.

mod nodes;
mod pack;
mod presence;
mod results;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Map, Value, json};
use tokio_rustls::TlsAcceptor;

use self::nodes::Nodes;
pub(in crate::gateways) use self::presence::{Identity, Teller};
use super::gate::device::{Device, Site, Turn, source};
use super::gate::tally::Part;
use super::gate::upstream::Upstream;
use super::gate::{OsqueryConfig, Secret, body};
use super::link::server::Contact;
use crate::catalogue;
use crate::clock::{Clock, Random};
use crate::collection::report::{MAX_SKEW_SECONDS, Source};
use crate::ledger::proof::strict;
use crate::register::{Category, Granularity};

const PROGRAM: &str = "osquery";

/// Bytes of a request to enrol or for the schedule, and of one that hands in rows.
const MAX_ASKED: usize = 256 * 1024;
const MAX_LOG: usize = 4 * 1024 * 1024;
/// Rows of one request that are looked at; whatever is beyond them is counted as not understood.
const MAX_ROWS: usize = 50_000;

/// A device whose osquery may enrol.
pub(in crate::gateways) struct Node {
    nodes: Nodes,
    site: Arc<Site>,
    found: Arc<presence::Found>,
}

impl Node {
    /// A device of the configuration, and who tells Daylight what is found there. `folder` is the device's own.
    pub fn open(
        name: &str,
        (secret, folder): (&Path, &Path),
        device: &Arc<Device>,
        (contact, identity): (Contact, Identity),
        (clock, interval): (Clock, Duration),
    ) -> anyhow::Result<(Node, Teller)> {
        let nodes = Nodes::new(name, &Secret::read(secret)?, folder.join(nodes::NAME))?;
        let found = Arc::new(presence::Found::default());
        let path = folder.join(presence::NAME);
        let teller = Teller::new(contact, identity, found.clone(), path, (clock, interval))?;
        let site = Arc::new(Site {
            device: device.clone(),
            upstream: Upstream::nowhere()?,
            destination: None,
            purpose: None,
        });
        Ok((Node { nodes, site, found }, teller))
    }
}

struct Shared {
    nodes: Vec<Node>,
    random: Random,
}

/// Two devices with one secret couldn't be told apart.
pub(in crate::gateways) fn router(nodes: Vec<Node>, random: Random) -> anyhow::Result<Router> {
    for (i, node) in nodes.iter().enumerate() {
        anyhow::ensure!(
            !nodes[..i].iter().any(|other| other.nodes.has_secret_of(&node.nodes)),
            "osquery_secret_file: each device needs a secret of its own"
        );
    }
    let router = Router::new()
        .route("/enroll", post(enrol))
        .route("/config", post(configure))
        .route("/log", post(log))
        .method_not_allowed_fallback(denied)
        .fallback(denied);
    Ok(router.with_state(Arc::new(Shared { nodes, random })))
}

/// What the listener proves itself with.
pub(in crate::gateways) fn acceptor(config: &OsqueryConfig) -> anyhow::Result<TlsAcceptor> {
    let (cert, key) = (&config.tls_cert, &config.tls_key);
    let context = |path: &Path, what: &str| format!("{} holds no usable {what}", path.display());
    let certs = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certs = certs.ok().filter(|certs| !certs.is_empty()).with_context(|| context(cert, "certificate"))?;
    // The parser's message could quote the key.
    let private = PrivateKeyDer::from_pem_file(key).ok().with_context(|| context(key, "private key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certs, private)
        .context("tls_cert and tls_key don't belong together")?;
    Ok(TlsAcceptor::from(Arc::new(server)))
}

async fn denied() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({}))).into_response()
}

/// What osquery takes for: enrol anew.
fn invalid() -> Response {
    Json(json!({"node_invalid": true})).into_response()
}

fn unreadable(status: StatusCode) -> Response {
    (status, Json(json!({}))).into_response()
}

async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Value, Response> {
    let bytes = body::read(headers, body, limit).await.map_err(|error| unreadable(error.status()))?;
    // Keys that occur twice: what follows is read once, and nothing of it is passed on.
    strict::parse(&bytes).map_err(|_| unreadable(StatusCode::BAD_REQUEST))
}

async fn enrol(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let asked = match read(&headers, body, MAX_ASKED).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let secret = asked["enroll_secret"].as_str().unwrap_or_default();
    let Some(node) = shared.nodes.iter().find(|node| node.nodes.has_secret(secret)) else { return invalid() };
    match node.nodes.enrol(&shared.random, node.site.device.clock.now()) {
        Ok(key) => Json(json!({"node_key": key, "node_invalid": false})).into_response(),
        Err(error) => {
            tracing::error!("a key for osquery can't be kept: {error:#}");
            unreadable(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

impl Shared {
    /// Whose key stands in the body or in the header.
    fn node(&self, headers: &HeaderMap, asked: &Value) -> Option<&Node> {
        let said = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let said = said.and_then(|text| text.strip_prefix("NodeKey "));
        let key = asked["node_key"].as_str().filter(|key| !key.is_empty()).or(said)?.trim();
        self.nodes.iter().find(|node| node.nodes.know(key, node.site.device.clock.now()))
    }
}

async fn configure(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let asked = match read(&headers, body, MAX_ASKED).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let Some(node) = shared.node(&headers, &asked) else { return invalid() };
    let is_allowed = node.site.turn().allowed_since(inventory(), PROGRAM).is_some();
    let schedule = if is_allowed { pack::schedule() } else { Map::new() };
    Json(json!({"schedule": schedule, "node_invalid": false})).into_response()
}

/// Takes whatever comes with a good key: osquery keeps on its disk what isn't taken.
async fn log(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let handed = match read(&headers, body, MAX_LOG).await {
        Ok(handed) => handed,
        Err(refusal) => return refusal,
    };
    let Some(node) = shared.node(&headers, &handed) else { return invalid() };
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let source = source(PROGRAM, agent.and_then(|agent| agent.strip_prefix("osquery/")));
    // What osquery says of itself may hold anything, and is of no use here.
    if handed["log_type"] != "status" {
        let mut turn = node.site.turn();
        match handed["data"].as_array() {
            Some(entries) => take(node, &mut turn, &source, entries),
            None => turn.refuse(part(Category::unknown(), 0), &source),
        }
        turn.done();
    }
    Json(json!({})).into_response()
}

fn inventory() -> Category {
    Category::parse("device.inventory").unwrap_or_else(Category::unknown)
}

fn part(category: Category, bytes: u64) -> Part {
    let granularity =
        if category == Category::unknown() { Granularity::Content } else { Granularity::Metadata };
    Part { category, granularity, bytes, field: None }
}

fn take(node: &Node, turn: &mut Turn, source: &Source, entries: &[Value]) {
    let now = turn.now;
    let since = turn.allowed_since(inventory(), PROGRAM);
    let mut places = MAX_ROWS;
    for entry in entries {
        let Some(answer) = results::read(entry) else {
            turn.refuse(part(Category::unknown(), 0), source);
            continue;
        };
        let (Some(question), true) = (answer.question, places >= answer.rows.len()) else {
            turn.refuse(part(Category::unknown(), answer.rows.iter().map(|row| row.bytes).sum()), source);
            continue;
        };
        places -= answer.rows.len();
        let late = |at| at > now.plus_seconds(MAX_SKEW_SECONDS);
        let at = answer.at.filter(|at| since.is_some_and(|since| *at >= since) && !late(*at));
        if let Some(at) = at {
            node.found.look(at, now, question.looks && answer.is_whole);
        }
        for row in answer.rows {
            let part = part(inventory(), row.bytes);
            match (at, answer.at) {
                (Some(at), _) => {
                    // It goes nowhere, whoever allows it.
                    turn.refuse(part, source);
                    if let Some(product) = row.name.and_then(|name| catalogue::identify(question.by, name)) {
                        node.found.product(product, question.by, at, now);
                    }
                }
                (None, Some(at)) => {
                    turn.decide(part, source, at, at);
                }
                (None, None) => turn.refuse(part, source),
            }
        }
    }
}
