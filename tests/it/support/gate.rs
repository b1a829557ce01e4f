//! `daylight gateway` between real agents and a real Daylight server over TCP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use daylight::app;
use daylight::clock::{Random, Time};
use daylight::collection::create_enrolment;
use daylight::consent::model::Choice;
use daylight::gateways::gate::{self, Config};
use daylight::web::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::activitywatch::{ActivityWatch, Folder, environment, within};
use super::consent::{choose, declare, tell};
use super::moving::{Moving, own_device, until};
use super::{Actor, TestApp};

/// A kind of agent, and the address of what collects for it.
pub struct Site<'a> {
    pub kind: &'a str,
    pub upstream: String,
    /// More lines of its section.
    pub more: &'a str,
}

/// A gateway that runs in this process.
pub struct Gate {
    /// Where its sites listen, in their order.
    pub addresses: Vec<SocketAddr>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Gate {
    /// Starts it for one device; `secret` is needed the first time only, as long as `folder` is the same.
    pub async fn start(
        test: &TestApp,
        server: SocketAddr,
        folder: &Path,
        secret: Option<&str>,
        sites: &[Site<'_>],
    ) -> Gate {
        let mut text =
            format!("server = 'http://{server}'\nstate = 'gate'\ninterval = 5\n[[device]]\nname = 'one'\n");
        if let Some(secret) = secret {
            std::fs::write(folder.join("secret"), secret).expect("a file");
            text += "secret_file = 'secret'\n";
        }
        for Site { kind, upstream, more } in sites {
            text += &format!("[device.{kind}]\nlisten = '127.0.0.1:0'\nupstream = '{upstream}'\n{more}\n");
        }
        let file = folder.join("gateway.toml");
        std::fs::write(&file, text).expect("a file");
        let config = Config::read(&file).expect("a configuration");
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, addresses) = oneshot::channel();
        let clock = test.state.clock.clone();
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            gate::run_then(config, clock, Random::system(), stopped, |all| drop(ready.send(all))).await
        });
        let addresses = within(20, "the gateway listens", addresses).await.expect("it starts");
        Gate { addresses, stop, task }
    }

    pub async fn stop(self) {
        drop(self.stop);
        within(30, "the gateway ends", self.task).await.expect("no panic").expect("without an error");
    }
}

/// Daylight itself over TCP.
pub async fn serve(test: &TestApp) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let service = app::router(test.state.clone()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(daylight::consent::keep_fresh(test.state.clone()));
    (address, tokio::spawn(async move { drop(axum::serve(listener, service).await) }))
}

/// A worker's computer: a real ActivityWatch behind a gateway, whose owner chooses.
pub struct Desk {
    pub folder: Folder,
    pub venv: PathBuf,
    pub watch: ActivityWatch,
    pub test: TestApp,
    pub clock: Moving,
    pub server: SocketAddr,
    pub serving: JoinHandle<()>,
    pub worker: Actor,
    /// What was declared, in that order.
    pub declared: Vec<Uuid>,
    /// For agents that come later.
    pub secrets: Vec<String>,
    pub gate: Option<Gate>,
}

impl Desk {
    /// With these declarations; all that can be chosen is as its declaration says.
    pub async fn new(declarations: &[&[(&str, &str)]]) -> Desk {
        let folder = Folder::new();
        let venv = tokio::task::spawn_blocking(environment).await.expect("the virtual environment");
        let watch = ActivityWatch::start(&venv, &folder.0).await;
        let test = TestApp::new().await;
        let clock = Moving::start(test.state.clock.clone());
        let publisher = test.actor(Role::Publisher).await;
        let worker = test.actor(Role::Worker).await;
        let mut declared = Vec::new();
        for changes in declarations {
            declared.push(declare(&test, &publisher, changes).await);
        }
        tell(&test, publisher.id(), &declared).await;
        let mut secrets = Vec::new();
        for _ in 0..2 {
            secrets.push(create_enrolment(&test.state, None, "Laptop 1").await.expect("a secret"));
        }
        own_device(&test, worker.id()).await;
        let (server, serving) = serve(&test).await;
        let mut desk =
            Desk { folder, venv, watch, test, clock, server, serving, worker, declared, secrets, gate: None };
        let secret = desk.secrets.pop();
        desk.open(secret.as_deref()).await;
        desk.confirmed(1).await;
        desk
    }

    /// Starts the gateway, for the first time or anew.
    pub async fn open(&mut self, secret: Option<&str>) {
        let upstream = format!("http://127.0.0.1:{}", self.watch.port);
        let site = Site { kind: "activitywatch", upstream, more: "" };
        self.gate = Some(Gate::start(&self.test, self.server, &self.folder.0, secret, &[site]).await);
    }

    pub async fn close(&mut self) {
        self.gate.take().expect("it runs").stop().await;
    }

    pub fn address(&self) -> SocketAddr {
        self.gate.as_ref().expect("it runs").addresses[0]
    }

    pub fn now(&self) -> Time {
        self.test.state.clock.now()
    }

    pub async fn confirmations(&self) -> i64 {
        self.test.count("policy_confirmation").await
    }

    pub async fn confirmed(&self, times: i64) {
        until(60, "the policy is confirmed", async || self.confirmations().await >= times).await;
    }

    /// Chooses about what was declared as number `n`, and waits until the gateway follows.
    pub async fn choose(&self, n: usize, choice: Choice<'_>) {
        let before = self.confirmations().await;
        choose(&self.test, &self.worker, self.declared[n], choice).await.expect("a choice");
        self.confirmed(before + 1).await;
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
        let upstream = SocketAddr::from(([127, 0, 0, 1], self.watch.port));
        let request = "GET /api/0/export HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        raw(upstream, request.as_bytes()).await.split_once("\r\n\r\n").expect("an answer").1.to_owned()
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

/// Posts JSON; answers the status and the body.
pub async fn post(to: SocketAddr, path: &str, body: &Value) -> (u16, String) {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = raw(to, request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

/// Sends bytes as they are, and answers all that comes back until the connection closes.
pub async fn raw(to: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).await.expect("it listens");
    // Whoever refuses early closes early.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "it answers in time");
    String::from_utf8_lossy(&answer).into_owned()
}
