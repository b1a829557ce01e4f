//! The release binary itself: how soon it answers, and how much memory it holds.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::Bench;
use crate::client::{Connection, get};
use crate::subject::folder;
use crate::table::{Row, Target};

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    eprintln!("the release binary: starts, memory");
    let alone = |values: Vec<f64>| values.into_iter().map(|v| (v, None)).collect();
    let seconds = bench.load.block_on(starts(bench.rounds))?;
    bench.rows.push(Row {
        name: "serve: start to first page, embedded database warm".into(),
        unit: "s",
        reference: "",
        rounds: alone(seconds),
        target: Some(Target::AtMost(1.0)),
    });
    let memory = bench.load.block_on(memory())?;
    let words = ["having made the example", "idle, at a later start", "after 1,000 pages"];
    for (words, megabytes) in words.into_iter().zip(memory) {
        bench.rows.push(Row {
            name: format!("demo: memory without Postgres, {words}"),
            unit: "MB",
            reference: "",
            rounds: alone(vec![megabytes]),
            target: Some(Target::AtMost(60.0)),
        });
    }
    Ok(())
}

struct Running {
    child: Child,
    address: SocketAddr,
    /// From the start of the process to its first whole page.
    seconds: f64,
}

async fn start(command: &str, name: &str) -> anyhow::Result<Running> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let begin = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_daylight"))
        .arg(command)
        .env_clear()
        .envs(["PATH", "PG_BINDIR", "HOME"].iter().filter_map(|n| Some((n, std::env::var_os(n)?))))
        .env("PORT", port.to_string())
        .env("DATA_DIR", folder().join(name))
        .env("LOG_LEVEL", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("daylight {command} ended: {status}");
        }
        if let Ok(mut connection) = Connection::open(address).await {
            let answer = connection.send(&get("/sign-in", None)).await?;
            anyhow::ensure!(answer.status == 200 && answer.contains("Sign in"), "no sign-in page came");
            return Ok(Running { child, address, seconds: begin.elapsed().as_secs_f64() });
        }
        anyhow::ensure!(begin.elapsed() < Duration::from_secs(120), "daylight {command} never answered");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

impl Running {
    /// Resident memory in MB (10^6 bytes), of this process alone: Postgres's are children of it.
    fn memory(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap_or(0)))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kib: f64 = line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(f64::NAN);
        Ok(kib * 1024.0 / 1e6)
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        use nix::sys::signal::{Signal, kill};
        if let Some(id) = self.child.id() {
            kill(nix::unistd::Pid::from_raw(i32::try_from(id)?), Signal::SIGTERM)?;
        }
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "daylight ended with {status}");
        Ok(())
    }
}

/// Seconds to the first page of `daylight serve`: with the database already made, so many times.
async fn starts(times: usize) -> anyhow::Result<Vec<f64>> {
    let mut seconds = Vec::new();
    // An older run's may have a schema that was changed since.
    let _ = fs::remove_dir_all(folder().join("serve"));
    // The first makes the database and isn't counted.
    for round in 0..=times {
        let running = start("serve", "serve").await?;
        if round > 0 {
            seconds.push(running.seconds);
        }
        running.stop().await?;
    }
    Ok(seconds)
}

/// MB that `daylight demo` holds: after it has made the example, after a later start, and after that one
/// has answered a thousand pages.
async fn memory() -> anyhow::Result<[f64; 3]> {
    let _ = fs::remove_dir_all(folder().join("demo"));
    let first = start("demo", "demo").await?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let after_filling = first.memory()?;
    first.stop().await?;
    let later = start("demo", "demo").await?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let idle = later.memory()?;
    let mut connection = Connection::open(later.address).await?;
    for _ in 0..1000 {
        anyhow::ensure!(connection.send(&get("/sign-in", None)).await?.status == 200);
    }
    let used = later.memory()?;
    drop(connection);
    later.stop().await?;
    Ok([after_filling, idle, used])
}
