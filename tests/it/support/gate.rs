//! `daylight gateway` between agents and what collects for them, with a real Daylight server over TCP.

use std::fmt::Display;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode, Uri};
use daylight::app::{self, AppState};
use daylight::clock::{Clock, Random, Time};
use daylight::collection::{confirm_device, create_enrolment};
use daylight::consent::model::Choice;
use daylight::gateways::gate::{self, Config};
use daylight::web::Role;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::activitywatch::{Folder, within};
use super::consent::{choose, declare, tell};
use super::moving::{follow_machine, own_device, until};
use super::{Actor, TestApp, alone, content};

/// A gateway that runs in this process; it ends when this is dropped.
pub struct Gate {
    /// Where it listens, in the order of its file.
    pub addresses: Vec<SocketAddr>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Gate {
    async fn start(server: SocketAddr, clock: Clock, folder: &Path, devices: &str) -> Gate {
        let file = folder.join("gateway.toml");
        let text = format!("server = 'http://{server}'\nstate = 'state'\ninterval = 5\n{devices}");
        fs::write(&file, text).expect("a file");
        let config = Config::read(&file).expect("a configuration");
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let (say, said) = oneshot::channel();
        let ready = move |addresses| drop(say.send(addresses));
        let task = tokio::spawn(gate::run_then(config, clock, Random::system(), stopped, ready));
        match within(30, "the gateway listens", said).await {
            Ok(addresses) => Gate { addresses, stop, task },
            Err(_) => panic!("{:?}", task.await),
        }
    }

    /// Ends it; its last report has been sent then.
    pub async fn stop(self) {
        drop(self.stop);
        within(30, "the gateway ends", self.task).await.expect("no panic").expect("without an error");
    }
}

/// What a device's file says of one kind of agent and of what collects for it; `more` are further lines.
pub fn site(kind: &str, upstream: impl Display, more: &str) -> String {
    format!("[device.{kind}]\nlisten = '127.0.0.1:0'\nupstream = 'http://{upstream}'\n{more}\n")
}

/// Serves at a port of its own until the test ends.
pub async fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Daylight itself over TCP.
pub async fn serve(state: &AppState) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let service = app::router(state.clone()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(daylight::consent::keep_fresh(state.clone()));
    (address, tokio::spawn(async move { drop(axum::serve(listener, service).await) }))
}

/// A person whose computers go through a gateway, a Daylight server, and what is declared there for everybody.
pub struct Desk {
    pub test: TestApp,
    pub server: SocketAddr,
    pub serving: JoinHandle<()>,
    pub publisher: Actor,
    pub worker: Actor,
    /// What was declared, in that order.
    pub declared: Vec<Uuid>,
    pub folder: Folder,
    /// The gateway's.
    clock: Clock,
}

impl Desk {
    /// All that is declared is told of in one notice; what can be chosen is as its declaration says.
    pub async fn new(declarations: &[&[(&str, &str)]]) -> Desk {
        Desk::at(TestApp::new().await, declarations).await
    }

    pub async fn at(test: TestApp, declarations: &[&[(&str, &str)]]) -> Desk {
        let (publisher, worker) = (test.actor(Role::Publisher).await, test.actor(Role::Worker).await);
        let mut declared = Vec::new();
        for changes in declarations {
            declared.push(declare(&test, &publisher, changes).await);
        }
        if !declared.is_empty() {
            tell(&test, publisher.id(), &declared).await;
        }
        let (server, serving) = serve(&test.state).await;
        let clock = test.state.clock.clone();
        Desk { test, server, serving, publisher, worker, declared, folder: Folder::new(), clock }
    }

    /// Goes by the machine's clock, as other programs do.
    pub async fn today(test: TestApp, declarations: &[&[(&str, &str)]]) -> Desk {
        follow_machine(test.state.clock.clone());
        // The server's clock moves in steps; what a program does just before a yes is before it by this one.
        Desk { clock: Clock::system(), ..Desk::at(test, declarations).await }
    }

    /// One more computer, which the person confirmed to be theirs: what the gateway's file says of it.
    pub async fn device(&self, name: &str) -> String {
        let secret = create_enrolment(&self.test.state, None, name).await.expect("a secret");
        fs::write(self.folder.0.join(format!("{name}.secret")), secret).expect("a file");
        own_device(&self.test, name, self.worker.id()).await;
        format!("[[device]]\nname = '{name}'\nsecret_file = '{name}.secret'\n")
    }

    /// Starts a gateway for these devices with their sites, and waits until it obeys their policies.
    pub async fn gate(&self, devices: &str) -> Gate {
        let gate = Gate::start(self.server, self.clock.clone(), &self.folder.0, devices).await;
        // An agent that comes onto a computer after its person called it theirs learns nothing until they do so again.
        let assignments: Vec<Uuid> =
            sqlx::query_scalar("select id from device_assignment where person_id = $1 and upper_inf(period)")
                .bind(self.worker.id())
                .fetch_all(&self.test.state.db)
                .await
                .expect("assignments");
        for assignment in assignments {
            confirm_device(&self.test.state, self.worker.id(), assignment).await.expect("confirmed");
        }
        let number = devices.matches("[[device]]").count();
        let obeyed = async || self.test.count(OBEYING).await >= i64::try_from(number).expect("few");
        until(60, "the policies are confirmed", obeyed).await;
        // Of a former run they are confirmed at once; what is optional waits until this one has heard them.
        tokio::time::sleep(Duration::from_secs(2)).await;
        gate
    }

    /// Chooses about what was declared as number `n`, and waits until the gateway follows.
    pub async fn choose(&self, n: usize, choice: Choice<'_>) {
        let (before, _) = self.revisions().await;
        choose(&self.test, &self.worker, self.declared[n], choice).await.expect("a choice");
        let followed = async || {
            let (newest, confirmed) = self.revisions().await;
            newest > before && confirmed == newest
        };
        until(60, "the choice is followed", followed).await;
    }

    /// Of the newest policy, and of the newest that a gateway confirmed.
    async fn revisions(&self) -> (i64, i64) {
        let sql = "select coalesce((select max(revision) from agent_policy), 0),
                coalesce((select max(revision) from policy_confirmation), 0)";
        sqlx::query_as(sql).fetch_one(&self.test.state.db).await.expect("revisions")
    }

    pub async fn confirmations(&self) -> i64 {
        self.test.count("policy_confirmation").await
    }

    /// Waits for so many rows.
    pub async fn until(&self, from: &'static str, count: i64) {
        until(40, from, async || self.test.count(from).await >= count).await;
    }

    /// Waits for a report of everything that has come in by now.
    pub async fn reported(&self) {
        let devices = self.test.count("device").await;
        let before = self.test.count("collection_report").await;
        self.until("collection_report", before + 2 * devices).await;
    }

    pub fn now(&self) -> Time {
        self.test.state.clock.now()
    }

    pub fn seconds(&self) -> i64 {
        self.now().jiff().as_second()
    }

    pub fn advance(&self, seconds: i64) {
        self.test.state.clock.advance(seconds);
    }

    /// What all reports say: by category, field and reason for dropping, how many came, went on and didn't.
    pub async fn counts(&self) -> Vec<(String, i64, i64, i64)> {
        sqlx::query_as(
            "select concat_ws(' ', item->>'category', item->>'field', item->'dropped'->>'reason'),
                    sum((item->'collected'->>'count')::bigint)::bigint,
                    sum((item->'forwarded'->>'count')::bigint)::bigint,
                    coalesce(sum((item->'dropped'->>'count')::bigint), 0)::bigint
             from collection_report, jsonb_array_elements(items) item group by 1 order by 1",
        )
        .fetch_all(&self.test.state.db)
        .await
        .expect("stored reports")
    }

    /// Fails when a text is found in the database, in the gateway's folder or in `log`.
    pub async fn assert_nowhere(&self, text: &str, log: &str) {
        content::assert_absent(text, content::rows(&self.test.state).await.as_bytes(), "the database");
        content::assert_absent(text, log.as_bytes(), "the log");
        let mut files = Vec::new();
        alone::collect(&self.folder.0.join("state"), &mut files);
        assert!(!files.is_empty(), "the gateway keeps something");
        for (path, bytes) in &files {
            content::assert_absent(text, bytes, &path.display().to_string());
        }
    }
}

/// Agents that confirmed their newest policy.
const OBEYING: &str = "agent a where (select max(revision) from agent_policy where agent_id = a.id)
    = (select max(revision) from policy_confirmation where agent_id = a.id)";

/// A request as a collector got it.
#[derive(Debug, Clone)]
pub struct Got {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

type Answer = Box<dyn FnMut(&Got) -> (u16, String) + Send>;

/// Stands in for a collector: keeps every request, and answers as it is told.
#[derive(Clone)]
pub struct Collector {
    pub address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    answer: Arc<Mutex<Answer>>,
    pause: Arc<Mutex<Duration>>,
}

impl Collector {
    pub async fn start(answer: impl FnMut(&Got) -> (u16, String) + Send + 'static) -> Self {
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let pause: Arc<Mutex<Duration>> = Arc::default();
        let (all, say, wait) = (got.clone(), answer.clone(), pause.clone());
        let receive = async move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let one = Got { path: uri.to_string(), headers, body };
            let (status, text) = (say.lock().expect("held for a moment only"))(&one);
            all.lock().expect("held for a moment only").push(one);
            let wait = *wait.lock().expect("held for a moment only");
            tokio::time::sleep(wait).await;
            (StatusCode::from_u16(status).expect("a status"), text)
        };
        Collector {
            address: listen(Router::new().fallback(receive).layer(DefaultBodyLimit::disable())).await,
            got,
            answer,
            pause,
        }
    }

    /// From now on it thinks for so long before it answers.
    pub fn wait(&self, time: Duration) {
        *self.pause.lock().expect("held for a moment only") = time;
    }

    /// From now on.
    pub fn answer(&self, answer: impl FnMut(&Got) -> (u16, String) + Send + 'static) {
        *self.answer.lock().expect("held for a moment only") = Box::new(answer);
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().expect("held for a moment only").clone()
    }

    /// Everything that came, as text.
    pub fn text(&self) -> String {
        format!("{:?}", self.got())
    }
}
