//! The real ActivityWatch behind the gateway, as far as the adapter asks it: every word of its answers is read, and only
//! names and times go back to whoever asked.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::super::{PROGRAM, model};
use super::event::time;
use super::memory::{Description, Memory};
use super::path::is_name;
use crate::collection::report::Source;
use crate::gateways::gate::device::Site;
use crate::gateways::gate::upstream::ERRAND;

/// A watcher that doesn't know its machine's name writes this, and ActivityWatch fills it in.
const LOCAL: &str = "!local";

const UNKNOWN: &str = "unknown";
/// ActivityWatch's own watchers, and what they call their buckets.
const WATCHERS: [(&str, &str); 6] = [
    ("aw-watcher-window", "currentwindow"),
    ("aw-watcher-afk", "afkstatus"),
    ("aw-watcher-input", "os.hid.input"),
    ("aw-watcher-web", "web.tab.current"),
    ("aw-watcher-vim", model::EDITOR),
    ("aw-watcher-vscode", model::EDITOR),
];

/// What became of a request to it.
pub(super) type Taken = Result<(), Failure>;

#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    /// `None` when there was no answer.
    pub status: Option<StatusCode>,
    pub may_have_arrived: bool,
    /// Nothing more is sent for this request.
    pub is_too_late: bool,
}

pub(super) struct Collector<'a> {
    pub site: &'a Arc<Site>,
    pub memory: &'a Memory,
    /// Whether anything at all may pass at present. While nothing may, ActivityWatch isn't even asked who it is: that a
    /// watcher is at work would be news, too.
    is_open: bool,
    deadline: Instant,
}

impl<'a> Collector<'a> {
    pub fn new(site: &'a Arc<Site>, memory: &'a Memory) -> Self {
        let is_open = site.turn().lets_something_pass(PROGRAM);
        Collector { site, memory, is_open, deadline: Instant::now() + ERRAND }
    }
}

impl Collector<'_> {
    /// Posts to a place below `/api/0`.
    pub async fn post(&self, place: &[&str], query: &[(&str, &str)], body: &Value) -> Taken {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let path = [&["api", "0"], place].concat();
        let body = body.to_string().into_bytes();
        let sent = self.site.upstream.send_by(self.deadline, Method::POST, &path, query, headers, body).await;
        let may_have_arrived = self.site.may_have_arrived(&sent);
        match sent {
            Ok(reply) if reply.status.is_success() => Ok(()),
            sent => Err(Failure { may_have_arrived, ..self.failure(sent.ok().map(|reply| reply.status)) }),
        }
    }

    fn failure(&self, status: Option<StatusCode>) -> Failure {
        Failure { status, may_have_arrived: false, is_too_late: Instant::now() >= self.deadline }
    }

    async fn get(&self, place: &[&str]) -> Result<Value, Failure> {
        let (path, none) = ([&["api", "0"], place].concat(), HeaderMap::new());
        let sent = self.site.upstream.send_by(self.deadline, Method::GET, &path, &[], none, Vec::new());
        let reply = sent.await.map_err(|_| self.failure(None))?;
        match serde_json::from_slice(&reply.body) {
            Ok(value) if reply.status.is_success() => Ok(value),
            _ => Err(self.failure(Some(reply.status))),
        }
    }

    /// What it is; unknown while nothing may pass.
    pub async fn info(&self) -> Result<Value, Failure> {
        if !self.is_open {
            return Ok(plain_info(&Value::Null));
        }
        let info = self.get(&["info"]).await?;
        self.memory.learn_version(info["version"].as_str());
        Ok(plain_info(&info))
    }

    /// Its name and version, asked for once.
    pub async fn source(&self) -> Source {
        if let (None, true) = (self.memory.source(), self.is_open)
            && self.info().await.is_err_and(|failure| failure.status.is_some())
        {
            return self.memory.learn_version(None);
        }
        self.memory.source().unwrap_or_else(|| crate::gateways::gate::device::source(PROGRAM, None))
    }

    /// The buckets that ActivityWatch has. All of them are asked for, so that no name goes there that it doesn't know.
    pub async fn there(&self) -> Result<Map<String, Value>, Failure> {
        if !self.is_open {
            return Ok(Map::new());
        }
        match self.get(&["buckets", ""]).await? {
            Value::Object(list) => Ok(list),
            _ => Err(self.failure(Some(StatusCode::BAD_GATEWAY))),
        }
    }

    /// Those, and what watchers have described so far.
    pub async fn buckets(&self) -> Result<Map<String, Value>, Failure> {
        let wanted = self.memory.all_wanted().into_iter().map(|(id, wanted)| (id, wanted.to_json()));
        let all = wanted.chain(self.there().await?);
        Ok(all.filter_map(|(id, bucket)| Some((id.clone(), plain_bucket(&id, &bucket)?))).collect())
    }

    /// What the bucket calls itself there, for keys that mean different things in different buckets.
    pub async fn kind(&self, bucket: &str, data: impl Iterator<Item = &Map<String, Value>>) -> String {
        if let Some(kind) = self.memory.kind(bucket) {
            return kind;
        }
        let turn = self.site.turn();
        let matters = |category| turn.allowed_since(category, PROGRAM).is_some();
        let asks = data.into_iter().any(model::depends_on_bucket)
            && model::editors_categories().into_iter().any(matters);
        drop(turn);
        if asks
            && let Ok(list) = self.there().await
            && let Some(described) = list.get(bucket)
        {
            let kind = described["type"].as_str().filter(|kind| is_name(kind)).unwrap_or_default();
            self.memory.learn_kind(bucket, kind);
            return kind.to_owned();
        }
        self.wanted(bucket).kind
    }

    fn wanted(&self, bucket: &str) -> Description {
        self.memory.wanted(bucket).unwrap_or_else(|| Description::guess(bucket))
    }

    /// Posts events or a heartbeat, and makes their bucket first when ActivityWatch hasn't got it: it never hears of one
    /// before something in it may pass.
    pub async fn record(&self, bucket: &str, place: &str, query: &[(&str, &str)], body: &Value) -> Taken {
        let place = ["buckets", bucket, place];
        let first = match self.post(&place, query, body).await {
            Err(first) if first.status == Some(StatusCode::NOT_FOUND) => first,
            taken => return taken,
        };
        let wanted = self.wanted(bucket);
        if self.post(&["buckets", bucket], &[], &wanted.to_json()).await.is_ok() {
            self.memory.learn_kind(bucket, &wanted.kind);
        }
        let second = self.post(&place, query, body).await;
        second.map_err(|second| Failure {
            may_have_arrived: first.may_have_arrived || second.may_have_arrived,
            ..second
        })
    }
}

impl Description {
    /// `None` unless all three are plain names.
    pub fn read(fields: &mut Map<String, Value>) -> Option<Description> {
        let mut name = |key: &str| match fields.remove(key) {
            Some(Value::String(text)) if is_name(&text) || (key == "hostname" && text == LOCAL) => Some(text),
            _ => None,
        };
        let (kind, client, hostname) = (name("type"), name("client"), name("hostname"));
        Some(Description { kind: kind?, client: client?, hostname: hostname? })
    }

    /// Of a bucket that nobody has described since the gateway began: watchers do that when they start, and call it after
    /// themselves and their machine.
    pub fn guess(bucket: &str) -> Description {
        let (client, hostname) = bucket.split_once('_').unwrap_or((bucket, UNKNOWN));
        let kind = WATCHERS.iter().find(|(watcher, _)| client.starts_with(watcher));
        let kind = kind.map_or(UNKNOWN, |(_, kind)| kind);
        Description { kind: kind.into(), client: client.into(), hostname: hostname.into() }
    }

    pub fn to_json(&self) -> Value {
        json!({"type": self.kind, "client": self.client, "hostname": self.hostname})
    }
}

/// ActivityWatch about itself.
fn plain_info(info: &Value) -> Value {
    let name = |key: &str| info[key].as_str().filter(|text| is_name(text)).unwrap_or(UNKNOWN);
    json!({
        "hostname": name("hostname"), "version": name("version"), "device_id": name("device_id"),
        "testing": info["testing"].as_bool().unwrap_or(false),
    })
}

/// What a bucket is, without when it was written last and whatever else stands there.
fn plain_bucket(id: &str, bucket: &Value) -> Option<Value> {
    let mut fields = bucket.as_object()?.clone();
    let created = time(&bucket["created"]);
    let mut plain = Description::read(&mut fields).filter(|_| is_name(id))?.to_json();
    plain["id"] = id.into();
    plain["created"] = json!(created);
    Some(plain)
}
