//! What the gateway adds to a heartbeat's way: the same request to the collector and through the gateway in turn.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use daylight::app::AppState;
use daylight::clock::{Clock, Random};
use daylight::collection;
use daylight::gateways::gate;
use uuid::Uuid;

use crate::pages::{Page, growth};
use crate::{Bench, subject};

/// What aw-watcher-window sends each second.
const HEARTBEAT: &str = "/api/0/buckets/aw-watcher-window_bench/heartbeat?pulsetime=2";

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let embedded = subject::postgres("gateway")?;
    let subject = bench.server.block_on(async {
        let state = subject::open(&embedded, "gateway").await?;
        subject::begin_anew(&state).await?;
        subject::serve(state).await
    })?;
    // Without it the server gives no policy to anybody.
    bench.server.spawn(daylight::consent::keep_fresh(subject.state.clone()));
    let came = Arc::new(AtomicU64::new(0));
    let bare = bench.server.block_on(collector(came.clone()))?;
    let through = open(bench, &subject.state, subject.address, bare, "bare")?;
    let (before, sent) = (came.load(Ordering::Relaxed), 50);
    for _ in 0..sent {
        once(bench, through)?;
    }
    ensure!(came.load(Ordering::Relaxed) - before == sent, "each allowed heartbeat reaches the collector");
    let name = "a heartbeat through the gateway to a bare axum route, time".to_owned();
    growth(bench, name, "going direct", &page(through), &page(bare), 1.5)?;
    match RealServer::start()? {
        Some(real) => {
            let through = open(bench, &subject.state, subject.address, real.address, "real")?;
            let name = "a heartbeat through the gateway to aw-server 0.12, time".to_owned();
            growth(bench, name, "going direct", &page(through), &page(real.address), 1.5)?;
        }
        None => bench.notes.push("aw-server wasn't measured: run bin/test first, which installs it".into()),
    }
    Ok(())
}

fn heartbeat() -> Vec<u8> {
    let now = Clock::system().now();
    let body = format!(r#"{{"timestamp":"{now}","duration":0,"data":{{"app":"Editor"}}}}"#);
    let head = format!(
        "POST {HEARTBEAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

fn page(address: SocketAddr) -> Page {
    Page::of(address, vec![heartbeat()], "Editor")
}

fn once(bench: &Bench, address: SocketAddr) -> anyhow::Result<bool> {
    bench.load.block_on(async {
        let mut connection = crate::client::Connection::open(address).await?;
        let answer = connection.send(&heartbeat()).await?;
        Ok(answer.status == 200 && answer.contains("Editor"))
    })
}

/// Answers as ActivityWatch does, and counts.
async fn collector(came: Arc<AtomicU64>) -> anyhow::Result<SocketAddr> {
    let echo = |State(came): State<Arc<AtomicU64>>, body: String| async move {
        came.fetch_add(1, Ordering::Relaxed);
        ([("content-type", "application/json")], body)
    };
    let router = Router::new().route("/api/0/buckets/{bucket}/heartbeat", post(echo)).with_state(came);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// A gateway on a device of somebody in the example, before this collector; answers once it lets heartbeats through.
fn open(
    bench: &Bench,
    state: &AppState,
    server: SocketAddr,
    collector: SocketAddr,
    name: &str,
) -> anyhow::Result<SocketAddr> {
    let folder = subject::folder().join("gateway-state").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let file = folder.join("gateway.toml");
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let listen = SocketAddr::from(([127, 0, 0, 1], port));
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let secret = bench.server.block_on(prepare(state, name))?;
    fs::write(folder.join("secret"), secret.0)?;
    let text = format!(
        "server = 'http://{server}'\nstate = 'state'\n[[device]]\nname = 'bench'\nsecret_file = 'secret'\n\
         [device.activitywatch]\nlisten = '{listen}'\nupstream = 'http://{collector}'\n"
    );
    fs::write(&file, text)?;
    let config = gate::Config::read(&file)?;
    bench.server.spawn(async move {
        let (clock, random) = (Clock::system(), Random::system());
        let told = move |_| {
            let _ = ready.send(());
        };
        if let Err(error) = gate::run_then(config, clock, random, std::future::pending(), told).await {
            eprintln!("The gateway ended: {error:#}");
        }
    });
    bench.server.block_on(is_ready).context("the gateway didn't start")?;
    bench.server.block_on(confirm(state, secret.1))?;
    for _ in 0..100 {
        // Dropped ones are acknowledged as well: `measure` counts what arrives.
        if once(bench, listen)? {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(listen)
}

/// A secret for a device, and whose it is.
async fn prepare(state: &AppState, name: &str) -> anyhow::Result<(String, Uuid)> {
    let label = format!("Bench {name}");
    let secret = daylight(collection::create_enrolment(state, None, &label).await)?;
    let device: Uuid = sqlx::query_scalar("select id from device where label = $1")
        .bind(&label)
        .fetch_one(&state.db)
        .await?;
    let person: Uuid = sqlx::query_scalar("select id from person where email = 'worker@demo.example'")
        .fetch_one(&state.db)
        .await?;
    daylight(collection::assign(state, None, device, person).await)?;
    Ok((secret, person))
}

/// The person says that all their devices, and what is on them, are theirs.
async fn confirm(state: &AppState, person: Uuid) -> anyhow::Result<()> {
    let assignments: Vec<Uuid> =
        sqlx::query_scalar("select id from device_assignment where person_id = $1 and upper_inf(period)")
            .bind(person)
            .fetch_all(&state.db)
            .await?;
    for assignment in assignments {
        daylight(collection::confirm_device(state, person, assignment).await)?;
    }
    Ok(())
}

fn daylight<T>(result: daylight::error::Result<T>) -> anyhow::Result<T> {
    result.map_err(|error| anyhow::anyhow!("{error}"))
}

/// ActivityWatch's own server, where the tests have installed it.
struct RealServer {
    child: Child,
    address: SocketAddr,
}

impl RealServer {
    fn start() -> anyhow::Result<Option<Self>> {
        let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("activitywatch-venv");
        let program = venv.join("bin/aw-server");
        if !program.exists() {
            return Ok(None);
        }
        let home = subject::folder().join("aw-home");
        fs::create_dir_all(&home)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--storage", "memory", "--testing"])
            .env("HOME", &home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let real = RealServer { child, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        for _ in 0..100 {
            if std::net::TcpStream::connect(real.address).is_ok() {
                real.make_bucket()?;
                return Ok(Some(real));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        anyhow::bail!("aw-server didn't start")
    }

    fn make_bucket(&self) -> anyhow::Result<()> {
        use std::io::{Read, Write};
        let body = r#"{"client":"bench","type":"currentwindow","hostname":"bench"}"#;
        let mut stream = std::net::TcpStream::connect(self.address)?;
        write!(
            stream,
            "POST /api/0/buckets/aw-watcher-window_bench HTTP/1.0\r\nHost: 127.0.0.1\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.contains(" 200 "), "aw-server makes no bucket");
        Ok(())
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
