//! The `postgres` process itself, without `pg_ctl` in between: how it starts, is told ready, and
//! stops.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::command::{last_lines, private_command};
use super::places::Home;
use super::{PORT, Settings, StartError};

const LOG_LIMIT: u64 = 10 * 1024 * 1024;
/// How long a killed Daylight's Postgres may take to stop.
const PREVIOUS: Duration = Duration::from_secs(60);
/// Replaying the log after a crash can take minutes.
pub(super) const READY: Duration = Duration::from_secs(600);
const STOP: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// A running `postgres`, our child.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    /// Ends the thread that started the child; see `spawn_kept`.
    _keeper: mpsc::Sender<()>,
}

impl Server {
    pub(super) fn start(home: &Home, postgres: &Path, arguments: &[OsString]) -> Result<Self, StartError> {
        let cluster = home.cluster();
        let path = cluster.join("postgres.log");
        let mut log = home.own_file(&path)?;
        let reading = |error| StartError::io("use", &path, error);
        if log.metadata().map_err(reading)?.len() > LOG_LIMIT {
            log.set_len(0).map_err(reading)?;
        }
        let deadline = Instant::now() + PREVIOUS;
        loop {
            let before = log.seek(SeekFrom::End(0)).map_err(reading)?;
            let mut command = private_command(postgres, home.account.as_ref());
            command.args(arguments);
            command.stdout(log.try_clone().map_err(reading)?).stderr(log.try_clone().map_err(reading)?);
            let mut server =
                Self::spawn_kept(command).map_err(|error| StartError::io("run", postgres, error))?;
            match server.wait_until_ready(&cluster) {
                Some(true) => return Ok(server),
                Some(false) => {
                    server.stop();
                    return Err(StartError::Slow { log: path });
                }
                None => {}
            }
            let tail = last_lines(&read_from(&log, before));
            // The processes of a killed server may hold these for a moment; nothing else passes.
            let passing = tail.contains("lock file") || tail.contains("shared memory");
            if !passing || Instant::now() > deadline {
                return Err(StartError::Died { tail, log: path });
            }
            thread::sleep(20 * POLL);
        }
    }

    /// Linux sends the parent-death signal when the *thread* that forked ends, not the process:
    /// so a thread of its own starts the child and lives as long as the `Server`.
    fn spawn_kept(mut command: Command) -> io::Result<Self> {
        let (report, reported) = mpsc::channel();
        let (keeper, kept) = mpsc::channel::<()>();
        thread::Builder::new().name("postgres-keeper".into()).spawn(move || {
            let _ = report.send(command.spawn());
            let _ = kept.recv();
        })?;
        let child = reported.recv().map_err(io::Error::other)??;
        Ok(Self { child, _keeper: keeper })
    }

    /// `None`: it died; `Some(false)`: it is alive and still not ready.
    fn wait_until_ready(&mut self, cluster: &Path) -> Option<bool> {
        let started = Instant::now();
        let own = self.child.id().to_string();
        let mut told = false;
        while started.elapsed() < READY {
            if !self.is_running() {
                return None;
            }
            let state = server_file(cluster);
            if state.first() == Some(&own) && state.get(7).is_some_and(|state| state == "ready") {
                return Some(true);
            }
            if !told && started.elapsed() > Duration::from_secs(3) {
                told = true;
                tracing::info!("Postgres is still starting; after a crash it replays its log first");
            }
            thread::sleep(POLL);
        }
        Some(false)
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) fn stop(mut self) {
        // Once reaped, its number may be another process's.
        if !self.is_running() {
            return;
        }
        // The child isn't reaped before this, so the number can't be another process's.
        let pid = i32::try_from(self.child.id()).map(Pid::from_raw);
        let _ = pid.map(|pid| kill(pid, Signal::SIGINT));
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            if !self.is_running() {
                return;
            }
            thread::sleep(POLL);
        }
        tracing::warn!("private Postgres did not stop in {} s and is killed", STOP.as_secs());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_from(mut log: &File, offset: u64) -> Vec<u8> {
    let mut text = Vec::new();
    let _ = log.seek(SeekFrom::Start(offset)).and_then(|_| log.read_to_end(&mut text));
    text
}

/// After a kill the old server may still be stopping.
pub(super) fn wait_for_previous(cluster: &Path) -> Result<(), StartError> {
    let Some(pid) = server_file(cluster).first().and_then(|line| line.parse().ok()) else { return Ok(()) };
    if pid <= 1 || !serves(pid, cluster) {
        return Ok(());
    }
    tracing::info!(pid, "waiting for the previous Postgres to stop");
    if !cfg!(target_os = "linux") {
        // Elsewhere nobody told it that its Daylight is gone, and the lock says it is.
        let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
    }
    let deadline = Instant::now() + PREVIOUS;
    while serves(pid, cluster) {
        if Instant::now() > deadline {
            return Err(StartError::Busy { pid, cluster: cluster.to_owned() });
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// Whether the process is a server of this cluster, and not another one that got its number.
fn serves(pid: i32, cluster: &Path) -> bool {
    let command_line = if cfg!(target_os = "linux") {
        fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
    } else {
        let ps = Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output();
        ps.map(|output| output.stdout).unwrap_or_default()
    };
    let cluster = cluster.as_os_str().as_encoded_bytes();
    command_line.windows(cluster.len()).any(|part| part == cluster)
}

/// The lines of `postmaster.pid`: the process, …, and in the eighth the server's state.
fn server_file(cluster: &Path) -> Vec<String> {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).unwrap_or_default();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

pub(super) fn arguments(settings: &Settings, cluster: &Path, socket_dir: &Path) -> Vec<OsString> {
    let mut arguments = vec!["-D".into(), cluster.into(), "-p".into(), PORT.to_string().into()];
    let mut set = |name: &str, value: &str| {
        arguments.extend(["-c".into(), format!("{name}={value}").into()]);
    };
    set("listen_addresses", "");
    // A list of folders: quoted, because a folder's name may hold a comma.
    set("unix_socket_directories", &format!("\"{}\"", socket_dir.to_string_lossy().replace('"', "\"\"")));
    set("unix_socket_permissions", "0700");
    set("max_connections", &settings.max_connections.to_string());
    set("jit", "off");
    set("timezone", "UTC");
    let safety = if settings.durable { "on" } else { "off" };
    for name in ["fsync", "synchronous_commit", "full_page_writes", "autovacuum"] {
        set(name, safety);
    }
    // No values of people's data in the log: no statements, parameters, details or hints.
    set("log_destination", "stderr");
    set("logging_collector", "off");
    set("log_timezone", "UTC");
    set("log_statement", "none");
    set("log_min_duration_statement", "-1");
    set("log_min_error_statement", "panic");
    set("log_parameter_max_length", "0");
    set("log_parameter_max_length_on_error", "0");
    set("log_error_verbosity", "terse");
    set("log_checkpoints", "off");
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_died_is_noticed_and_not_stopped_again() {
        let mut command = Command::new("sleep");
        command.arg("60");
        let mut server = Server::spawn_kept(command).expect("sleep runs");
        assert!(server.is_running());
        server.child.kill().expect("it is our child");
        let deadline = Instant::now() + Duration::from_secs(10);
        while server.is_running() {
            assert!(Instant::now() < deadline, "it is dead");
            thread::sleep(POLL);
        }
        assert!(!server.is_running());
        server.stop();
    }

    #[test]
    fn a_durable_server_listens_nowhere_and_syncs() {
        let settings = Settings { data_dir: "/d".into(), bindir: None, durable: true, max_connections: 40 };
        let arguments = arguments(&settings, Path::new("/d/postgres"), Path::new("/d, e/socket"));
        for expected in ["listen_addresses=", "fsync=on", "unix_socket_directories=\"/d, e/socket\""] {
            assert!(arguments.iter().any(|argument| argument == expected), "{expected}");
        }
    }
}
