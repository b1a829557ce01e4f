//! A throw-away Postgres for the whole run, and a clone of the migrated template for each test.
//!
//! Databases are never dropped while tests run, which is slow: the embedded server's folder is wiped at
//! the next start, and on a server of one's own the databases of processes that ended are swept.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use daylight::database::MIGRATIONS;
use daylight::database::embedded::{Embedded, Settings};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

/// Any number; whoever builds the template holds it.
const TEMPLATE_LOCK: i64 = 0x6461_796c_6967_6874;

struct Server {
    /// Reaches a database in which others can be made.
    maintenance: PgConnectOptions,
    template: String,
    // Never dropped, since a static isn't: Postgres stops when this process ends, because the thread that
    // started it ends then (PR_SET_PDEATHSIG).
    _embedded: Option<Embedded>,
    _lock: Option<File>,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Makes a database for one test.
pub async fn fresh() -> PgConnectOptions {
    let server = SERVER.get_or_init(|| {
        // A thread of its own: this one runs a test's runtime, which can't wait inside itself.
        std::thread::spawn(start).join().expect("the tests' database starts")
    });
    let name = format!("daylight_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut db = server.maintenance.connect().await.expect("the tests' database can be reached");
    let template = &server.template;
    execute(&mut db, format!("create database {name} template {template} strategy file_copy")).await;
    let _ = db.close().await;
    server.maintenance.clone().database(&name)
}

fn start() -> Server {
    let (maintenance, embedded, lock) = match std::env::var("DAYLIGHT_TEST_DATABASE_URL") {
        Ok(url) => (url.parse().expect("DAYLIGHT_TEST_DATABASE_URL is an address"), None, None),
        Err(_) => {
            let (embedded, lock) = start_embedded();
            let options = PgConnectOptions::new_without_pgpass()
                .socket(embedded.socket_dir())
                .port(embedded.port())
                .username(embedded.owner())
                .database(embedded.database());
            (options, Some(embedded), Some(lock))
        }
    };
    let maintenance = maintenance.log_statements(tracing::log::LevelFilter::Off);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let template = runtime.block_on(ensure_template(&maintenance));
    if embedded.is_none() {
        let options = maintenance.clone();
        // In the background: dropping is slow, and what isn't swept now is swept by the next run.
        std::thread::spawn(move || runtime.block_on(sweep(&options)));
    }
    Server { maintenance, template, _embedded: embedded, _lock: lock }
}

/// Starts Postgres in a folder that is wiped first; a second run of tests waits for the first.
fn start_embedded() -> (Embedded, File) {
    let base = std::env::var_os("DAYLIGHT_TEST_DIR").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("test-postgres"),
        PathBuf::from,
    );
    fs::create_dir_all(&base).expect("the tests' folder can be made");
    let lock = File::create(base.join("lock")).expect("the tests' folder can be written");
    lock.lock().expect("the tests' folder can be locked");
    // Where root's checkouts keep the cluster, when Postgres's account can't enter the folder.
    let elsewhere = base.join("elsewhere");
    let data = base.join("data");
    let aside = fs::read_to_string(&elsewhere).map(PathBuf::from).ok();
    for folder in aside.iter().chain([&data]) {
        wait_for_postgres(&folder.join("postgres/postmaster.pid"));
        let _ = fs::remove_dir_all(folder);
    }
    let bindir = std::env::var_os("PG_BINDIR").map(PathBuf::from);
    let settings = Settings { data_dir: data.clone(), bindir, durable: false, max_connections: 300 };
    let embedded = Embedded::start(&settings).unwrap_or_else(|e| panic!("{e}"));
    if let Some(folder) = embedded.socket_dir().parent().filter(|f| f.starts_with("/var/lib")) {
        fs::write(&elsewhere, folder.to_string_lossy().as_bytes()).expect("the tests' folder can be written");
    }
    (embedded, lock)
}

/// The last run's Postgres may still be stopping.
fn wait_for_postgres(pid_file: &Path) {
    let pid = fs::read_to_string(pid_file).ok();
    let pid = pid.and_then(|text| text.lines().next().and_then(|line| line.trim().parse().ok()));
    for _ in 0..200 {
        if !pid.is_some_and(is_alive) || !pid_file.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn is_alive(pid: i32) -> bool {
    // Not ours (EPERM) is alive as well.
    kill(Pid::from_raw(pid), None) != Err(nix::errno::Errno::ESRCH)
}

/// The migrated template; its name holds the migrations' checksums, so that an edited one makes another.
async fn ensure_template(maintenance: &PgConnectOptions) -> String {
    let mut hash = Sha256::new();
    MIGRATIONS.iter().for_each(|migration| hash.update(&migration.checksum));
    let hash: String = hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let template = format!("daylight_template_{hash}");
    let building = format!("{template}_building");

    let mut db = maintenance.connect().await.expect("the tests' database can be reached");
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut db).await.expect("the lock");
    let known: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&template)
        .fetch_one(&mut db)
        .await
        .expect("a list of databases");
    if !known {
        execute(&mut db, format!("drop database if exists {building}")).await;
        execute(&mut db, format!("create database {building}")).await;
        let mut fresh = maintenance.clone().database(&building).connect().await.expect("the new template");
        MIGRATIONS.run(&mut fresh).await.expect("the migrations apply");
        fresh.close().await.expect("the template is left alone");
        // Renamed last: a template of this name is complete.
        execute(&mut db, format!("alter database {building} rename to {template}")).await;
    }
    let _ = db.close().await;
    template
}

/// Drops the databases of test processes that have ended.
async fn sweep(maintenance: &PgConnectOptions) {
    let Ok(mut db) = maintenance.connect().await else { return };
    let names: Vec<String> =
        sqlx::query_scalar("select datname::text from pg_database where datname like 'daylight\\_test\\_%'")
            .fetch_all(&mut db)
            .await
            .unwrap_or_default();
    for name in names {
        let pid = name.split('_').nth(2).and_then(|pid| pid.parse().ok());
        if pid.is_some_and(|pid| !is_alive(pid)) {
            let sql = format!("drop database if exists {name} with (force)");
            let _ = sqlx::query(AssertSqlSafe(sql)).execute(&mut db).await;
        }
    }
}

/// Statements that take no parameters; every name in them is made here.
async fn execute(db: &mut PgConnection, sql: String) {
    sqlx::query(AssertSqlSafe(sql.clone())).execute(db).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
}
