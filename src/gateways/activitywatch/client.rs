//! The local ActivityWatch server's REST API, read only.

use anyhow::Context;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

use super::coverage::{Span, has_heartbeat};
use super::model::{Bucket, Seen, classify, source};
use crate::clock::Time;
use crate::collection::report::{Source, Window};
use crate::gateways::link;

/// Bytes of one answer; six hours of the busiest watcher are a tenth of it.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

pub(super) struct ActivityWatch {
    base: Url,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
struct BucketInfo {
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct Event {
    timestamp: Time,
    /// Seconds.
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    data: Value,
}

/// What the server holds about a stretch of time.
pub(super) struct Reading {
    pub source: Source,
    pub buckets: Vec<Bucket>,
}

impl ActivityWatch {
    /// Only on this machine: elsewhere, reading it would carry content over a network.
    pub fn new(address: &str) -> anyhow::Result<Self> {
        let base = link::base_url(address, "the ActivityWatch address")?;
        anyhow::ensure!(
            link::is_local(&base),
            "the ActivityWatch address: must be on this machine, such as http://127.0.0.1:5600"
        );
        let http = link::http(&base)?;
        Ok(ActivityWatch { base, http })
    }

    /// Every bucket with the events that touch the window. Content ends in this function.
    pub async fn read(&self, window: Window) -> anyhow::Result<Reading> {
        let info: Info = self.get(self.url(&["info"])?).await?;
        let list: BTreeMap<String, BucketInfo> = self.get(self.url(&["buckets", ""])?).await?;
        let mut buckets = Vec::with_capacity(list.len());
        for (id, bucket) in list {
            let mut url = self.url(&["buckets", &id, "events"])?;
            url.query_pairs_mut()
                .append_pair("start", &window.start.to_string())
                .append_pair("end", &window.end.to_string())
                .append_pair("limit", "-1");
            let events: Vec<Value> = self.get(url).await?;
            buckets.push(digest(&bucket.kind, events));
        }
        Ok(Reading { source: source(&info.version), buckets })
    }

    fn url(&self, path: &[&str]) -> anyhow::Result<Url> {
        let mut url = self.base.clone();
        let no_path = |()| anyhow::anyhow!("the ActivityWatch address can't hold a path");
        url.path_segments_mut().map_err(no_path)?.pop_if_empty().extend(["api", "0"]).extend(path);
        Ok(url)
    }

    /// Errors name neither the address, which holds a bucket's id, nor what was answered.
    async fn get<T: serde::de::DeserializeOwned>(&self, url: Url) -> anyhow::Result<T> {
        let request = self.http.get(url).send().await;
        let mut response =
            request.map_err(reqwest::Error::without_url).context("ActivityWatch can't be reached")?;
        let status = response.status();
        anyhow::ensure!(status.is_success(), "ActivityWatch answered {}", status.as_u16());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            anyhow::ensure!(
                body.len() + chunk.len() <= MAX_ANSWER,
                "ActivityWatch answered more than 64 MiB"
            );
            body.extend_from_slice(&chunk);
        }
        // A parser's message can quote what it read.
        serde_json::from_slice(&body)
            .map_err(|_| anyhow::anyhow!("ActivityWatch answered in an unknown form"))
    }
}

/// A bucket's events without their content; events without a readable time are counted and left out.
pub(super) fn digest(kind: &str, events: Vec<Value>) -> Bucket {
    let total = events.len();
    let seen: Vec<Seen> = events
        .into_iter()
        .filter_map(|event| serde_json::from_value::<Event>(event).ok())
        .map(|event| {
            let micros = (event.duration.max(0.0) * 1e6) as i64;
            let lasted = jiff::SignedDuration::from_micros(micros);
            let end = event.timestamp.jiff().checked_add(lasted).map_or(event.timestamp, Time::from);
            Seen { span: Span { start: event.timestamp, end }, parts: classify(kind, &event.data) }
        })
        .collect();
    if seen.len() < total {
        tracing::warn!(
            events = total - seen.len(),
            "ActivityWatch events without a readable time are left out"
        );
    }
    Bucket { has_heartbeat: has_heartbeat(kind), events: seen }
}
