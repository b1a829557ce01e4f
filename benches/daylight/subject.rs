//! The application as it is measured: the real router with all its layers, over TCP on loopback, on a
//! durable Postgres of its own.
//!
//! In this process rather than as the release binary, so that the writer of reports can also be called
//! directly; it is the same code in the same profile. The load comes from a thread of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::routing::get;
use daylight::app::{self, AppState};
use daylight::clock::{Clock, Random};
use daylight::config::Config;
use daylight::database::embedded::{Embedded, Settings};
use daylight::{database, demo, identity};
use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpListener;

/// Where everything of the measurements is kept.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench")
}

/// A private Postgres, as `daylight serve` starts it. Must be called from the main thread, which the child
/// is tied to.
pub fn postgres(name: &str) -> anyhow::Result<Embedded> {
    let settings =
        Settings { data_dir: folder().join(name), bindir: None, durable: true, max_connections: 80 };
    Ok(Embedded::start(&settings)?)
}

pub struct Subject {
    pub state: AppState,
    pub address: SocketAddr,
}

/// Opens the pool, with the settings that a server without an environment has; `name` is the database's.
pub async fn open(embedded: &Embedded, name: &str) -> anyhow::Result<AppState> {
    let mut config = Config::from_variables(BTreeMap::new())?;
    config.demo = true;
    config.data_dir = folder().join(name);
    demo::dress(&mut config);
    let options = PgConnectOptions::new_without_pgpass()
        .socket(embedded.socket_dir())
        .port(embedded.port())
        .username(embedded.owner())
        .database(embedded.database());
    let pool = database::connect(options, &config).await?;
    Ok(AppState::new(config, pool, Clock::system(), Random::system()))
}

/// Empties the database.
pub async fn empty(state: &AppState) -> anyhow::Result<()> {
    database::erase_example(&state.db).await?;
    demo::forget(&state.config.data_dir)?;
    database::migrate(&state.db).await?;
    identity::mark_installation(state).await.map_err(|e| anyhow::anyhow!("{e}"))
}

/// Empties the database and fills it with the example: declarations, findings and people to begin with.
pub async fn begin_anew(state: &AppState) -> anyhow::Result<()> {
    empty(state).await?;
    demo::fill(state).await.map_err(|e| anyhow::anyhow!("{e}"))
}

pub async fn serve(state: AppState) -> anyhow::Result<Subject> {
    let address = listen(app::router(state.clone())).await?;
    Ok(Subject { state, address })
}

/// The reference: the least that axum can do.
pub async fn hello() -> anyhow::Result<SocketAddr> {
    listen(Router::new().route("/", get(|| async { "hello" }))).await
}

async fn listen(router: Router) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}
