//! The embedded default: a private Postgres in the data folder.
//!
//! Used when DATABASE_URL isn't set. It is an ordinary Postgres of this machine, started as a
//! child, reached through a socket that only this account can open, and stopped with Daylight.
//! A Daylight that is killed takes it along; the next start waits for the old one to be gone.
//! Everything here is synchronous, so that it can be called before the async runtime starts.

mod command;
mod places;
mod programs;
mod server;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use command::{private_command, run};
use places::Home;
use programs::{Programs, leading_number};
use server::Server;

/// Nothing listens on it: it names the socket's file.
const PORT: u16 = 5432;
/// Owns the database. Not a superuser, which would bypass row-level security.
const OWNER: &str = "daylight";
const DATABASE: &str = "daylight";
/// Written last into a new cluster: what lacks it was not made here, or not completely.
const MARKER: &str = "initialised";

/// What `Embedded::start` needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    pub data_dir: PathBuf,
    /// PG_BINDIR: the folder with `postgres` and `initdb`; looked for when `None`.
    pub bindir: Option<PathBuf>,
    /// False only for tests: faster, and a crash may lose everything.
    pub durable: bool,
    pub max_connections: u16,
}

/// Why the private Postgres didn't start; each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("another Daylight is using this data folder ({0}): stop it, or set DATA_DIR to another folder")]
    Locked(PathBuf),
    #[error(
        "{needed}; {found}: install it (Debian, Ubuntu: apt-get install postgresql{package}), set PG_BINDIR to its program folder, or set DATABASE_URL to a server of yours"
    )]
    Programs { needed: String, found: String, package: String },
    #[error(
        "Postgres refuses to run as root, and no account to run it was found (`postgres`, `nobody`): run Daylight as another account, or set DATABASE_URL"
    )]
    NoAccount,
    #[error(
        "the database in {folder} can't be reached by the account `{account}`: let it pass through the folders above (chmod o+x), or run Daylight as the account that made it"
    )]
    Closed { folder: PathBuf, account: String },
    #[error("{0} holds files that Daylight did not make: move them away, or set DATA_DIR to another folder")]
    Foreign(PathBuf),
    #[error(
        "a Postgres (process {pid}) still uses {cluster}: stop it with `kill -INT {pid}`, then start again"
    )]
    Busy { pid: i32, cluster: PathBuf },
    #[error("the database could not be created: {0}")]
    Initialise(String),
    #[error("Postgres stopped while starting: {tail} (more in {log})")]
    Died { tail: String, log: PathBuf },
    #[error("Postgres was not ready after {} minutes: see {log}", server::READY.as_secs() / 60)]
    Slow { log: PathBuf },
    #[error("can't {doing} {path}: {source}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

impl StartError {
    fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }
}

/// A running private Postgres; it stops when this is dropped.
#[derive(Debug)]
pub struct Embedded {
    server: Option<Server>,
    socket_dir: PathBuf,
    // Last, so that the folder stays locked until the server is gone.
    _home: Home,
}

impl Embedded {
    /// Creates the database if there is none, starts Postgres and waits until it takes
    /// connections. Blocks for about a second the first time, a twentieth of one later.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let home = Home::open(&settings.data_dir)?;
        let cluster = home.cluster();
        let pinned = fs::read_to_string(cluster.join("PG_VERSION")).ok();
        let pinned = pinned.and_then(|text| leading_number(text.trim()));
        let programs = Programs::find(settings.bindir.as_deref(), pinned, home.account.as_ref())?;
        if !cluster.join(MARKER).exists() {
            if fs::read_dir(&cluster).is_ok_and(|mut entries| entries.next().is_some()) {
                return Err(StartError::Foreign(cluster));
            }
            initialise(&home, &programs, settings.durable)?;
        }
        let socket_dir = home.socket_dir()?;
        server::wait_for_previous(&cluster)?;
        let arguments = server::arguments(settings, &cluster, &socket_dir);
        let server = Server::start(&home, &programs.postgres(), &arguments)?;
        tracing::info!(postgres = programs.major, "private Postgres is ready");
        Ok(Self { server: Some(server), socket_dir, _home: home })
    }

    /// The folder of the socket to connect to.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The number in the socket's name; no network port is open.
    pub fn port(&self) -> u16 {
        PORT
    }

    /// The role to connect as; it needs no password.
    pub fn owner(&self) -> &str {
        OWNER
    }

    pub fn database(&self) -> &str {
        DATABASE
    }

    /// Whether Postgres still runs. It ends by itself when somebody stops it, or the machine is out of memory.
    pub fn is_running(&mut self) -> bool {
        self.server.as_mut().is_some_and(Server::is_running)
    }

    /// Ends all connections, lets Postgres write everything down and waits until it is gone.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Makes the cluster in a folder of another name and renames it when complete.
fn initialise(home: &Home, programs: &Programs, durable: bool) -> Result<(), StartError> {
    let fresh = home.fresh_cluster()?;
    let account = home.account.as_ref();
    let mut initdb = private_command(&programs.initdb(), account);
    initdb.arg("-D").arg(&fresh);
    initdb.args(["--username=postgres", "--auth-local=trust", "--auth-host=reject", "--data-checksums"]);
    initdb.args(["--encoding=UTF8", "--no-instructions"]);
    // macOS lacks the locale C.UTF-8 in older versions and has had its character types always.
    initdb.args(if cfg!(target_os = "macos") {
        ["--locale=C", "--lc-ctype=UTF-8"].as_slice()
    } else {
        &["--locale=C.UTF-8"]
    });
    if !durable {
        initdb.arg("--no-sync");
    }
    run(initdb, "")?;

    let mut single = private_command(&programs.postgres(), account);
    single.arg("--single").arg("-D").arg(&fresh);
    single.args(["-c", "exit_on_error=on", "-c", if durable { "fsync=on" } else { "fsync=off" }, "postgres"]);
    run(single, &bootstrap_sql(durable))?;

    let finished = (|| {
        home.own_file(&fresh.join(MARKER))?
            .sync_all()
            .map_err(|error| StartError::io("write", &fresh, error))?;
        let cluster = home.cluster();
        let renaming = |error| StartError::io("put in place", &cluster, error);
        fs::rename(&fresh, &cluster).map_err(renaming)?;
        // The new name is on the disk once the folder above it is.
        let parent = cluster.parent().unwrap_or(Path::new("/"));
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(renaming)
    })();
    finished.inspect(|()| tracing::info!("private database created"))
}

/// For single-user mode: a statement a line.
fn bootstrap_sql(durable: bool) -> String {
    // Tests make a database each.
    let createdb = if durable { "" } else { " CREATEDB" };
    // An error's text may quote a value that somebody typed. The program that sent the statement
    // gets it; the log doesn't. Postgres's own background work keeps its warnings.
    format!(
        "CREATE ROLE {OWNER} LOGIN NOSUPERUSER{createdb};\n\
         ALTER ROLE {OWNER} SET log_min_messages = 'log';\n\
         CREATE DATABASE {DATABASE} OWNER {OWNER};\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_never_a_superuser_and_makes_databases_only_in_tests() {
        assert!(bootstrap_sql(true).contains("NOSUPERUSER;"));
        assert!(bootstrap_sql(false).contains("NOSUPERUSER CREATEDB;"));
    }
}
