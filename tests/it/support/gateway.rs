//! `daylight gateway` between agents and a collector, with a real Daylight server over TCP.

use std::collections::VecDeque;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use daylight::app;
use daylight::clock::Random;
use daylight::collection::{assign, confirm_device, create_enrolment};
use daylight::gateways::gate::{self, Config};
use daylight::web::Role;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::activitywatch::{Folder, within};
use super::consent::{choose, declare, tell};
use super::{Actor, TestApp, content};

/// A worker, their device with a gateway, and what is declared for it.
pub struct Desk {
    pub app: TestApp,
    pub worker: Actor,
    pub processings: Vec<Uuid>,
    pub folder: Folder,
    pub server: SocketAddr,
}

/// A gateway that runs.
pub struct Gateway {
    pub addresses: Vec<SocketAddr>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Desk {
    /// Declares these for everybody in one notice; the worker has one device, which is theirs.
    pub async fn with(declared: &[&[(&str, &str)]]) -> Self {
        let app = TestApp::new().await;
        let publisher = app.actor(Role::Publisher).await;
        let worker = app.actor(Role::Worker).await;
        let mut processings = Vec::new();
        for changes in declared {
            processings.push(declare(&app, &publisher, changes).await);
        }
        if !processings.is_empty() {
            tell(&app, publisher.id(), &processings).await;
        }
        let folder = Folder::new();
        let secret = create_enrolment(&app.state, None, "Laptop 1").await.expect("a secret");
        fs::write(folder.0.join("desk.secret"), secret).expect("the secret's file");
        let device = sqlx::query_scalar("select id from device").fetch_one(&app.state.db).await;
        let assignment =
            assign(&app.state, None, device.expect("a device"), worker.id()).await.expect("assigned");
        confirm_device(&app.state, worker.id(), assignment).await.expect("confirmed");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = listener.local_addr().expect("bound");
        let service = app::router(app.state.clone()).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        tokio::spawn(daylight::consent::keep_fresh(app.state.clone()));
        Desk { app, worker, processings, folder, server }
    }

    /// Starts a gateway for the device; `rest` are the device's lines and what follows.
    pub async fn gateway(&self, rest: &str) -> Gateway {
        let path = self.folder.0.join("gateway.toml");
        let head = format!("server = 'http://{}'\nstate = 'state'\ninterval = 5\n", self.server);
        let device = "[[device]]\nname = 'desk'\nsecret_file = 'desk.secret'\n";
        fs::write(&path, format!("{head}{device}{rest}")).expect("the configuration");
        let config = Config::read(&path).expect("a configuration");
        let (stop, stopped) = oneshot::channel::<()>();
        let (say, said) = oneshot::channel();
        let ready = move |addresses| drop(say.send(addresses));
        let clock = self.app.state.clock.clone();
        let stopped = async { drop(stopped.await) };
        let task = tokio::spawn(gate::run_then(config, clock, Random::system(), stopped, ready));
        let addresses = within(30, "the gateway listens", said).await;
        let Ok(addresses) = addresses else { panic!("{:?}", task.await) };
        let gateway = Gateway { addresses, stop, task };
        self.until_followed().await;
        gateway
    }

    /// Makes the worker's choice, and waits until the gateway follows it.
    pub async fn choose(&self, nth: usize, choice: daylight::consent::model::Choice<'_>) {
        choose(&self.app, &self.worker, self.processings[nth], choice).await.expect("a choice");
        self.until_followed().await;
    }

    /// Waits until the gateway has confirmed the newest policy.
    pub async fn until_followed(&self) {
        let newest = async || {
            let sql = "select coalesce(max(revision), 0) from policy_confirmation";
            sqlx::query_scalar::<_, i64>(sql).fetch_one(&self.app.state.db).await.expect("a revision")
        };
        let wait = async {
            // The server makes a new policy when it is asked for one.
            tokio::time::sleep(std::time::Duration::from_millis(700)).await;
            loop {
                let sql = "select coalesce(max(revision), 0) from agent_policy";
                let known: i64 =
                    sqlx::query_scalar(sql).fetch_one(&self.app.state.db).await.expect("a revision");
                if known > 0 && newest().await == known {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        within(40, "the newest policy is confirmed", wait).await;
    }

    pub fn now(&self) -> i64 {
        self.app.state.clock.now().jiff().as_second()
    }

    pub fn advance(&self, seconds: i64) {
        self.app.state.clock.advance(seconds);
    }

    /// What all reports say: by category, source and reason for dropping, how many came, went on and didn't.
    pub async fn counts(&self) -> Vec<(String, i64, i64, i64)> {
        sqlx::query_as(
            "select concat_ws(' ', item->>'category', item->>'field', item->'dropped'->>'reason'),
                    sum((item->'collected'->>'count')::bigint)::bigint,
                    sum((item->'forwarded'->>'count')::bigint)::bigint,
                    coalesce(sum((item->'dropped'->>'count')::bigint), 0)::bigint
             from collection_report, jsonb_array_elements(items) item group by 1 order by 1",
        )
        .fetch_all(&self.app.state.db)
        .await
        .expect("stored reports")
    }

    /// Fails when a text is found in the database, in the gateway's folder or in `log`.
    pub async fn assert_nowhere(&self, text: &str, log: &str) {
        content::assert_absent(text, content::rows(&self.app.state).await.as_bytes(), "the database");
        content::assert_absent(text, log.as_bytes(), "the log");
        for file in files(&self.folder.0.join("state")) {
            content::assert_absent(text, &fs::read(&file).expect("a file"), &file.display().to_string());
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

impl Gateway {
    /// Ends it; its last report has been sent then.
    pub async fn stop(self) {
        drop(self.stop);
        within(30, "the gateway ends", self.task).await.expect("no panic").expect("without an error");
    }
}

/// A request as a collector got it.
#[derive(Debug, Clone)]
pub struct Got {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// Stands in for WakaTime's server, which nobody can run: answers as its documentation says.
#[derive(Clone)]
pub struct Collector {
    pub address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    /// Statuses of the next requests; 201 for all others. Of several in one, those of their heartbeats.
    pub answers: Arc<Mutex<VecDeque<Vec<u16>>>>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let collector = Collector { address, got: Arc::default(), answers: Arc::default() };
        let router = Router::new().fallback(receive).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    pub fn answer(&self, statuses: &[u16]) {
        self.answers.lock().expect("held for a moment only").push_back(statuses.to_vec());
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().expect("held for a moment only").clone()
    }

    /// Everything that came, as text.
    pub fn text(&self) -> String {
        format!("{:?}", self.got())
    }
}

async fn receive(State(collector): State<Collector>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body = String::from_utf8(body.to_vec()).expect("text");
    let sent: Value = serde_json::from_str(&body).unwrap_or_default();
    collector.got.lock().expect("held").push(Got { path: uri.to_string(), headers, body });
    let answer = collector.answers.lock().expect("held").pop_front().unwrap_or_else(|| vec![201]);
    if let [status] = answer[..]
        && status != 201
    {
        return (StatusCode::from_u16(status).expect("a status"), "zz-collector-says-zz").into_response();
    }
    let one = |(i, heartbeat): (usize, &Value)| {
        let status = answer.get(i).copied().unwrap_or(201);
        json!([{"data": {"id": i, "entity": heartbeat["entity"]}, "error": "zz-collector-says-zz"}, status])
    };
    let answer = match sent.as_array() {
        Some(all) => json!({"responses": all.iter().enumerate().map(one).collect::<Vec<_>>()}),
        None => json!({"data": {"id": 1, "entity": sent["entity"]}}),
    };
    (StatusCode::CREATED, axum::Json(answer)).into_response()
}
