//! The real ActivityWatch behind the gateway, as far as the adapter asks it: every word of its answers is read, and only
//! names and times go back to whoever asked.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::event::time;
use super::memory::{Description, Memory};
use super::path::is_name;
use crate::collection::report::Source;
use crate::gateways::gate::device::Site;

/// A watcher that doesn't know its machine's name writes this, and ActivityWatch fills it in.
const LOCAL: &str = "!local";

/// What became of a request to it; `None` when it can't be reached.
pub(super) type Taken = Result<(), Option<StatusCode>>;

pub(super) struct Collector<'a> {
    pub site: &'a Site,
    pub memory: &'a Memory,
}

impl Collector<'_> {
    /// Posts to a place below `/api/0`.
    pub async fn post(&self, place: &[&str], query: &[(&str, &str)], body: &Value) -> Taken {
        self.write(Method::POST, place, query, body).await
    }

    pub async fn write(&self, method: Method, place: &[&str], query: &[(&str, &str)], body: &Value) -> Taken {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let path = [&["api", "0"], place].concat();
        let body = body.to_string().into_bytes();
        match self.site.upstream.send(method, &path, query, headers, body).await {
            Ok(reply) if reply.status.is_success() => Ok(()),
            Ok(reply) => Err(Some(reply.status)),
            Err(_) => Err(None),
        }
    }

    pub async fn get(&self, place: &[&str]) -> Result<Value, Option<StatusCode>> {
        let path = [&["api", "0"], place].concat();
        let reply = self.site.upstream.send(Method::GET, &path, &[], HeaderMap::new(), Vec::new()).await;
        let reply = reply.map_err(|_| None)?;
        match serde_json::from_slice(&reply.body) {
            Ok(value) if reply.status.is_success() => Ok(value),
            _ => Err(Some(reply.status)),
        }
    }

    /// Its name and version, asked for once.
    pub async fn source(&self) -> Source {
        match self.memory.source() {
            Some(source) => source,
            None => match self.get(&["info"]).await {
                Ok(info) => self.memory.learn_version(info["version"].as_str()),
                Err(_) => crate::gateways::gate::device::source(super::super::PROGRAM, None),
            },
        }
    }

    /// What the bucket calls itself there, for keys that mean different things in different buckets.
    pub async fn kind(&self, bucket: &str) -> String {
        if let Some(kind) = self.memory.kind(bucket) {
            return kind;
        }
        match self.get(&["buckets", bucket]).await {
            Ok(described) => {
                let kind = described["type"].as_str().filter(|kind| is_name(kind)).unwrap_or_default();
                self.memory.learn_kind(bucket, kind);
                kind.to_owned()
            }
            Err(_) => self.memory.wanted(bucket).map(|wanted| wanted.kind).unwrap_or_default(),
        }
    }

    pub async fn create(&self, bucket: &str, description: &Description) -> Taken {
        self.post(&["buckets", bucket], &[], &description.to_json()).await
    }

    /// Posts events or a heartbeat, and makes their bucket first when ActivityWatch hasn't got it and its watcher asked
    /// for it: watchers ask only when they start.
    pub async fn record(&self, bucket: &str, place: &str, query: &[(&str, &str)], body: &Value) -> Taken {
        let place = ["buckets", bucket, place];
        let taken = self.post(&place, query, body).await;
        match (taken, self.memory.wanted(bucket)) {
            (Err(Some(StatusCode::NOT_FOUND)), Some(wanted)) => {
                let _ = self.create(bucket, &wanted).await;
                self.post(&place, query, body).await
            }
            (taken, _) => taken,
        }
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

    pub fn to_json(&self) -> Value {
        json!({"type": self.kind, "client": self.client, "hostname": self.hostname})
    }
}

/// ActivityWatch about itself.
pub(super) fn plain_info(info: &Value) -> Value {
    let name = |key: &str| info[key].as_str().filter(|text| is_name(text)).unwrap_or("unknown");
    json!({
        "hostname": name("hostname"), "version": name("version"), "device_id": name("device_id"),
        "testing": info["testing"].as_bool().unwrap_or(false),
    })
}

/// What a bucket is, without when it was written last and whatever else stands there.
pub(super) fn plain_bucket(id: &str, bucket: &Value) -> Option<Value> {
    let mut fields = bucket.as_object()?.clone();
    let created = time(&bucket["created"]);
    let mut plain = Description::read(&mut fields).filter(|_| is_name(id))?.to_json();
    plain["id"] = id.into();
    plain["created"] = json!(created);
    Some(plain)
}
