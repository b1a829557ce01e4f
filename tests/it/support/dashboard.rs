//! A Daylight server and an ActivityWatch server that are played, as `daylight agent` sees them: policies
//! that a test signs, confirmations and reports that it takes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, body::Bytes};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daylight::clock::{Clock, Random, Time};
use daylight::collection::report::{ParsedReport, key_id};
use daylight::consent::bundle::{Bundle, BundleSchema, Confirmation, PolicyKey, Rule, VALID_SECONDS};
use daylight::gateways::activitywatch::{self, AgentOptions, Watcher};
use daylight::register::{Category, Purpose};
use ed25519_dalek::{SigningKey, VerifyingKey};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::activitywatch::{Folder, within};

pub const AGENT: Uuid = Uuid::from_u128(2);

/// What the dashboard hands out and takes; a test changes it while the agent runs.
pub struct Dashboard {
    pub clock: Clock,
    pub folder: Folder,
    pub address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    policy: Mutex<Option<String>>,
    changed: Notify,
    /// Answers 503 to everything.
    away: Mutex<bool>,
    /// Knows no policies at all, as servers before them.
    old: Mutex<bool>,
    /// Gives its key with the enrolment.
    early_key: Mutex<bool>,
    agent_key: Mutex<Option<VerifyingKey>>,
    confirmed: Mutex<Vec<Confirmation>>,
    reports: Mutex<Vec<ParsedReport>>,
    /// Start, seconds, and data of a window watcher's events.
    events: Mutex<Vec<Value>>,
}

pub fn policy_key() -> SigningKey {
    SigningKey::from_bytes(&[21; 32])
}

pub fn rule(category: &str, collect: bool, optional: bool) -> Rule {
    Rule {
        processing: Uuid::nil(),
        category: Category::parse(category).expect("a category"),
        purpose: Purpose::parse("dpv:EnforceSecurity").expect("a purpose"),
        source: "activitywatch".into(),
        collect,
        optional,
    }
}

impl Dashboard {
    pub async fn start() -> Self {
        super::logs::install();
        let shared = Arc::new(Shared::default());
        *shared.early_key.lock().expect("free") = true;
        let router = Router::new()
            .route("/api/0/info", get(|| async { r#"{"version":"v0.13.1"}"# }))
            .route("/api/0/buckets/", get(|| async { r#"{"a":{"type":"currentwindow"}}"# }))
            .route("/api/0/buckets/a/events", get(events))
            .route("/api/v1/agents", post(enrol))
            .route("/api/v1/policy-key", get(give_key))
            .route(&format!("/api/v1/policy/{AGENT}"), get(give_policy))
            .route(&format!("/api/v1/policy/{AGENT}/confirmations"), post(confirm))
            .route("/api/v1/collection-reports", post(report))
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let start: jiff::Timestamp = super::START.parse().expect("a time");
        Dashboard { clock: Clock::fixed(start.into()), folder: Folder::new(), address, shared }
    }

    pub fn bundle(&self, revision: u64, rules: &[Rule]) -> Bundle {
        let now = self.clock.now();
        Bundle {
            schema: BundleSchema::V1,
            agent_id: AGENT,
            device_id: Uuid::from_u128(4),
            revision,
            issued_at: now,
            not_after: now.plus_seconds(VALID_SECONDS),
            grace_seconds: 90,
            rules: rules.to_vec(),
        }
    }

    /// Hands out this policy from now on.
    pub fn publish(&self, revision: u64, rules: &[Rule]) {
        self.publish_signed(self.bundle(revision, rules), &policy_key());
    }

    pub fn publish_signed(&self, bundle: Bundle, key: &SigningKey) {
        self.publish_text(&serde_json::to_string(&bundle.sign(key).expect("signed")).expect("JSON"));
    }

    pub fn publish_text(&self, text: &str) {
        *self.shared.policy.lock().expect("free") = Some(text.to_owned());
        self.shared.changed.notify_waiters();
    }

    pub fn set_away(&self, away: bool) {
        *self.shared.away.lock().expect("free") = away;
        self.shared.changed.notify_waiters();
    }

    pub fn without_policies(&self, old: bool) {
        *self.shared.old.lock().expect("free") = old;
    }

    pub fn without_key_at_enrolment(&self) {
        *self.shared.early_key.lock().expect("free") = false;
    }

    pub fn record(&self, at: Time, seconds: i64, data: &Value) {
        let event = json!({"timestamp": at.to_string(), "duration": seconds, "data": data});
        self.shared.events.lock().expect("free").push(event);
    }

    /// Revisions that the agent has confirmed.
    pub fn confirmed(&self) -> Vec<u64> {
        self.shared.confirmed.lock().expect("free").iter().map(|c| c.revision).collect()
    }

    pub fn reports(&self) -> Vec<ParsedReport> {
        self.shared.reports.lock().expect("free").clone()
    }

    /// Starts the agent with these watchers.
    pub fn agent(&self, interval: u64, watchers: &[String]) -> RunningAgent {
        let options = AgentOptions {
            server: self.address.clone(),
            activitywatch: self.address.clone(),
            state_dir: self.folder.0.join("agent"),
            interval: Duration::from_secs(interval),
            secret: Some("any".into()),
            once: false,
            watchers: watchers.iter().map(|w| w.parse::<Watcher>().expect("a watcher")).collect(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let agent = activitywatch::run(options, self.clock.clone(), Random::system(), stopped);
        RunningAgent { stop, task: tokio::spawn(agent) }
    }

    /// A program that runs until it is ended; `body` is what it does besides.
    pub fn program(&self, name: &str, body: &str) -> Program {
        let path = self.folder.0.join(name);
        let beats = "while :; do sleep 0.1; done";
        std::fs::write(&path, format!("echo $$ >> \"$0.pids\"\n{body}\n{beats}\n")).expect("written");
        Program(path)
    }
}

pub struct RunningAgent {
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl RunningAgent {
    /// Tells the agent to end, and waits.
    pub async fn stop(self) {
        drop(self.stop);
        within(20, "the agent ends", self.task).await.expect("no panic").expect("without an error");
    }
}

pub struct Program(PathBuf);

impl Program {
    pub fn watcher(&self, name: &str, categories: &str) -> String {
        format!("{name}:{categories}=sh '{}'", self.0.display())
    }

    pub fn beside(&self, extension: &str) -> PathBuf {
        Path::new(&format!("{}.{extension}", self.0.display())).to_owned()
    }

    /// The process of each start, oldest first.
    pub fn pids(&self) -> Vec<i32> {
        let text = std::fs::read_to_string(self.beside("pids")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    pub fn runs(&self) -> bool {
        self.pids().last().is_some_and(|pid| kill(Pid::from_raw(*pid), None).is_ok())
    }

    pub async fn until(&self, running: bool) {
        until(&format!("{} runs: {running}", self.0.display()), || self.runs() == running).await;
    }
}

/// Within half a minute, which only a busy machine needs.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(30, what, wait).await;
}

type Of = State<Arc<Shared>>;

impl Shared {
    fn is_away(&self) -> bool {
        *self.away.lock().expect("free")
    }
}

async fn events(State(shared): Of) -> String {
    Value::from_iter(shared.events.lock().expect("free").iter().cloned()).to_string()
}

async fn enrol(State(shared): Of, Json(body): Json<Value>) -> Response {
    let text = body["public_key"].as_str().expect("a key");
    let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok().and_then(|b| b.try_into().ok()).expect("a key");
    let key = VerifyingKey::from_bytes(&bytes).expect("a key");
    *shared.agent_key.lock().expect("free") = Some(key);
    let mut answer =
        json!({"agent_id": AGENT, "device_id": Uuid::from_u128(4), "kid": key_id(&bytes), "token": "t"});
    if *shared.early_key.lock().expect("free") {
        answer["policy_key"] = json!(PolicyKey::of(&policy_key().verifying_key()));
    }
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn give_key(State(shared): Of) -> Response {
    if shared.is_away() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if *shared.old.lock().expect("free") {
        return StatusCode::NOT_FOUND.into_response();
    }
    Json(PolicyKey::of(&policy_key().verifying_key())).into_response()
}

async fn give_policy(
    State(shared): Of,
    Query(query): Query<HashMap<String, u64>>,
    headers: HeaderMap,
) -> Response {
    assert_eq!(headers[header::AUTHORIZATION], "Bearer t");
    let etag = |policy: &str| format!("\"{}\"", key_id(policy.as_bytes()));
    let known = headers.get(header::IF_NONE_MATCH).map(|v| v.to_str().expect("text").to_owned());
    let deadline = tokio::time::sleep(Duration::from_secs(query["wait"]));
    tokio::pin!(deadline);
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if shared.is_away() {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let policy = shared.policy.lock().expect("free").clone();
        let Some(policy) = policy.filter(|_| !*shared.old.lock().expect("free")) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        if known.as_deref() != Some(&etag(&policy)) {
            return ([(header::ETAG, etag(&policy))], policy).into_response();
        }
        tokio::select! {
            () = &mut changed => {}
            () = &mut deadline => return StatusCode::NOT_MODIFIED.into_response(),
        }
    }
}

async fn confirm(State(shared): Of, body: Bytes) -> StatusCode {
    if shared.is_away() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let key = shared.agent_key.lock().expect("free").expect("enrolled");
    let confirmation = Confirmation::read(&body, &key).expect("the agent's confirmation");
    shared.confirmed.lock().expect("free").push(confirmation);
    StatusCode::CREATED
}

async fn report(State(shared): Of, body: Bytes) -> StatusCode {
    if shared.is_away() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let parsed = ParsedReport::read(&body).expect("a report as the API wants it");
    shared.reports.lock().expect("free").push(parsed);
    StatusCode::CREATED
}
