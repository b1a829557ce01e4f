//! A real ActivityWatch server and its own client, from PyPI.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use daylight::clock::Random;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::python::environment as python_environment;

const PACKAGES: [&str; 2] = ["aw-server==0.12.0", "aw-client==0.5.15"];

/// A real server; killed with all its children when dropped, also by a panic.
pub struct ActivityWatch {
    child: Child,
    pub port: u16,
}

impl ActivityWatch {
    pub async fn start(venv: &Path, home: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let output = File::create(home.join("aw-server.log")).expect("a log file");
        let child = at_home(&venv.join("bin/aw-server"), home)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--storage", "memory", "--testing"])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the log file again"))
            .stderr(output)
            .spawn()
            .expect("aw-server starts");
        let mut watch = ActivityWatch { child, port };
        let deadline = Instant::now() + Duration::from_secs(60);
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let ended = watch.child.try_wait().expect("its state");
            let late = Instant::now() > deadline;
            assert!(ended.is_none() && !late, "aw-server: {}", read(&home.join("aw-server.log")));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        watch
    }

    /// Lets ActivityWatch's own client send what watchers send.
    pub async fn feed(&self, venv: &Path, home: &Path, marker: &str) {
        self.python(venv, home, "activitywatch.py", &[marker]).await;
    }

    /// Runs a script of this folder, with the server's port as its first argument; answers what it prints.
    pub async fn python(&self, venv: &Path, home: &Path, script: &str, arguments: &[&str]) -> String {
        python(self.port, venv, home, script, arguments).await
    }

    /// A command line that runs such a script for `daylight agent --watcher`.
    pub fn command(&self, venv: &Path, home: &Path, script: &str, arguments: &str) -> String {
        let (python, home) = (venv.join("bin/python"), home.display());
        let folders = format!(
            "HOME='{home}' XDG_DATA_HOME='{home}/data' XDG_CONFIG_HOME='{home}/config' XDG_CACHE_HOME='{home}/cache'"
        );
        format!(
            "env {folders} '{}' '{}' {} {arguments}",
            python.display(),
            support(script).display(),
            self.port
        )
    }
}

/// Runs a script of this folder, with this port as its first argument; answers what it prints.
pub async fn python(port: u16, venv: &Path, home: &Path, script: &str, arguments: &[&str]) -> String {
    let mut command = at_home(&venv.join("bin/python"), home);
    command.arg(support(script)).arg(port.to_string()).args(arguments);
    let mut command = tokio::process::Command::from(command);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(60), output).await.expect("python ends in time");
    let output = output.expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn support(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support").join(script)
}

impl Drop for ActivityWatch {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// A program that keeps its settings, logs and queues in the test's folder, and uses no proxy.
fn at_home(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", home);
    for (name, folder) in
        [("XDG_DATA_HOME", "data"), ("XDG_CONFIG_HOME", "config"), ("XDG_CACHE_HOME", "cache")]
    {
        command.env(name, home.join(folder));
    }
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    command
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// ActivityWatch in a virtual environment.
pub fn environment() -> PathBuf {
    python_environment("activitywatch", &PACKAGES)
}

/// A folder of this run's own, removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = format!("activitywatch-{:032x}", u128::from_be_bytes(Random::system().bytes()));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("the test's folder");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub async fn within<T>(seconds: u64, what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), future)
        .await
        .unwrap_or_else(|_| panic!("in time: {what}"))
}
