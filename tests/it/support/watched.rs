//! A real ActivityWatch behind a gateway.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;

use daylight::clock::Time;
use serde_json::{Value, json};

use super::TestApp;
use super::activitywatch::{ActivityWatch, environment};
use super::gate::{Desk, Gate, site};
use super::moving::Moving;
use super::wire::{exchange, post};

/// A desk with ActivityWatch, where time passes.
pub struct Watched {
    desk: Desk,
    device: String,
    pub time: Moving,
    pub venv: PathBuf,
    pub watch: ActivityWatch,
    gate: Option<Gate>,
}

impl Deref for Watched {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.desk
    }
}

impl Watched {
    /// With these declarations; the gateway runs.
    pub async fn new(declarations: &[&[(&str, &str)]]) -> Watched {
        let venv = tokio::task::spawn_blocking(environment).await.expect("the virtual environment");
        let test = TestApp::new().await;
        let time = Moving::start(test.state.clock.clone());
        let desk = Desk::at(test, declarations).await;
        let watch = ActivityWatch::start(&venv, &desk.folder.0).await;
        let device = desk.device("desk").await;
        let mut watched = Watched { desk, device, time, venv, watch, gate: None };
        watched.open().await;
        watched
    }

    /// A gateway for this device before another ActivityWatch.
    pub async fn gate_before(&self, upstream: impl Display) -> Gate {
        self.gate_with(upstream, "").await
    }

    /// The same with more lines.
    pub async fn gate_with(&self, upstream: impl Display, more: &str) -> Gate {
        self.desk.gate(&(self.device.clone() + &site("activitywatch", upstream, more))).await
    }

    /// Starts the gateway, for the first time or anew.
    pub async fn open(&mut self) {
        self.gate = Some(self.gate_before(self.upstream()).await);
    }

    pub async fn close(&mut self) {
        self.gate.take().expect("it runs").stop().await;
    }

    pub fn address(&self) -> SocketAddr {
        self.gate.as_ref().expect("it runs").addresses[0]
    }

    /// Where ActivityWatch itself listens.
    pub fn upstream(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.watch.port))
    }

    pub async fn bucket(&self, id: &str, kind: &str) {
        let body = json!({"client": "aw-test", "type": kind, "hostname": "pc1"});
        let (status, _) = post(self.address(), &format!("/api/0/buckets/{id}"), &body).await;
        assert!(matches!(status, 200 | 304), "{status}");
    }

    /// A heartbeat of so many seconds ago.
    pub async fn beat(&self, bucket: &str, ago: i64, pulsetime: u32, data: Value) -> (u16, String) {
        let event = json!({"timestamp": self.now().plus_seconds(-ago), "duration": 0, "data": data});
        let path = format!("/api/0/buckets/{bucket}/heartbeat?pulsetime={pulsetime}");
        post(self.address(), &path, &event).await
    }

    /// Everything that the real ActivityWatch has, as text.
    pub async fn export(&self) -> String {
        let (_, export) = exchange(self.upstream(), "GET /api/0/export", "", b"").await;
        String::from_utf8_lossy(&export).into_owned()
    }

    /// Its events: bucket, from, to and data.
    pub async fn held(&self) -> Vec<(String, Time, Time, Value)> {
        let export: Value = serde_json::from_str(&self.export().await).expect("JSON");
        let mut held = Vec::new();
        for (id, bucket) in export["buckets"].as_object().expect("buckets") {
            for event in bucket["events"].as_array().expect("events") {
                let from: Time = serde_json::from_value(event["timestamp"].clone()).expect("a time");
                let micros = (event["duration"].as_f64().expect("seconds") * 1e6) as i64;
                let to = from.jiff() + jiff::SignedDuration::from_micros(micros);
                held.push((id.clone(), from, to.into(), event["data"].clone()));
            }
        }
        held
    }
}
