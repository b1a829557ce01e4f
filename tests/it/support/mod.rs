//! The server as a test sees it: the real router on a real Postgres, a clock that stands still, and
//! people who use it.

#![allow(dead_code, reason = "not every feature's tests need every helper")]

pub mod activitywatch;
pub mod agent;
pub mod alone;
mod client;
pub mod consent;
pub mod content;
pub mod council;
pub mod dashboard;
pub mod database;
pub mod declaration;
pub mod gate;
pub mod logs;
pub mod moving;
pub mod notice;
pub mod otlp;
pub mod petition;
pub mod petition_life;
pub mod python;
pub mod receipts;
pub mod receiver;
pub mod representative;
pub mod smtp;
pub mod stub;
pub mod sweep;
pub mod transparency;
pub mod watched;
pub mod wire;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use daylight::app::{self, AppState};
use daylight::clock::{Clock, Random, Time};
use daylight::config::Config;
use daylight::identity::{self, NewPerson};
use daylight::web::Role;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

#[allow(unused_imports, reason = "named by helpers of some features")]
pub use client::{Actor, Reply, encode};

/// When every test begins: a Monday.
pub const START: &str = "2026-11-02T09:00:00Z";

/// A password that passes the rules.
pub const PASSWORD: &str = "three boats at noon";

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// A data folder of its own; the folders of the last run are swept by the first of this one.
pub fn fresh_folder() -> PathBuf {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("data");
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    if number == 0 {
        let entries = std::fs::read_dir(&base).into_iter().flatten().flatten();
        let is_old = |entry: &std::fs::DirEntry| {
            let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
            age.is_some_and(|age| age.as_secs() > 3600)
        };
        entries.filter(is_old).for_each(|entry| drop(std::fs::remove_dir_all(entry.path())));
    }
    base.join(format!("{}-{number}", std::process::id()))
}

/// One server with a database of its own.
pub struct TestApp {
    pub state: AppState,
    router: Router,
}

impl TestApp {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A server whose configuration `change` has changed.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::build(database::fresh().await, change).await
    }

    /// A server on this database, which nobody else uses.
    pub async fn on_database(options: PgConnectOptions) -> Self {
        Self::build(options, |_| {}).await
    }

    async fn build(options: PgConnectOptions, change: impl FnOnce(&mut Config)) -> Self {
        logs::install();
        let variables = [("ORGANISATION", "Example Works"), ("DATABASE_POOL_SIZE", "4")];
        let variables: BTreeMap<_, _> = variables.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let mut config = Config::from_variables(variables).expect("the tests' configuration is valid");
        config.data_dir = fresh_folder();
        change(&mut config);
        let pool = daylight::database::connect(options, &config).await.expect("the clone can be reached");
        let start: jiff::Timestamp = START.parse().expect("a timestamp");
        let state = AppState::new(config, pool, Clock::fixed(Time::from(start)), Random::seeded(1));
        let router = app::router(state.clone());
        TestApp { state, router }
    }

    /// The same server started anew, on the same database and folder.
    pub fn restarted(&self) -> Self {
        let old = &self.state;
        let state =
            AppState::new((*old.config).clone(), old.db.clone(), old.clock.clone(), old.random.clone());
        TestApp { router: app::router(state.clone()), state }
    }

    /// An account with these roles; its name is the address's first part, with a capital.
    pub async fn person(&self, email: &str, roles: &[Role]) -> Uuid {
        let local = email.split('@').next().unwrap_or(email);
        let name: String = local[..1].to_uppercase() + &local[1..];
        let person = NewPerson { email, name: &name, roles, ..NewPerson::default() };
        let mut db = self.state.db.acquire().await.expect("a connection");
        identity::add_person(&mut db, &self.state, &person).await.expect("the account is valid")
    }

    /// An account as [`TestApp::person`] makes it, which signs in with [`PASSWORD`].
    pub async fn person_with_password(&self, email: &str, roles: &[Role]) -> Uuid {
        let id = self.person(email, roles).await;
        let mut db = self.state.db.acquire().await.expect("a connection");
        identity::set_known_password(&mut db, &self.state, email, PASSWORD)
            .await
            .expect("the account is there");
        id
    }

    /// A fresh person with this role alone, signed in.
    pub async fn actor(&self, role: Role) -> Actor {
        let number = u32::from_be_bytes(self.state.random.bytes());
        let id = self.person(&format!("{role}-{number:08x}@example.com"), &[role]).await;
        self.sign_in_as(id).await
    }

    /// Signs a person in by a session row, which costs no password hash.
    pub async fn sign_in_as(&self, person: Uuid) -> Actor {
        let now = self.state.clock.now();
        let token = self.state.random.token();
        sqlx::query(
            "insert into session (id, token_hash, person_id, created_at, last_seen_at, expires_at, browser)
             values ($1, $2, $3, $4, $4, $5, 'Firefox on Linux')",
        )
        .bind(self.state.random.uuid(now))
        .bind(Sha256::digest(token.as_bytes()).to_vec())
        .bind(person)
        .bind(now)
        .bind(now.plus_days(14))
        .execute(&self.state.db)
        .await
        .expect("the session is valid");
        let name = if self.state.config.is_https() { "__Host-daylight" } else { "daylight" };
        Actor::new(self.router.clone(), Some(person), Some(format!("{name}={token}")))
    }

    /// Somebody who isn't signed in; once they sign in, they keep the cookie like a browser.
    pub fn visitor(&self) -> Actor {
        Actor::new(self.router.clone(), None, None)
    }

    /// A visitor of another instance of this server.
    pub fn on(&self, state: AppState) -> Actor {
        Actor::new(app::router(state), None, None)
    }

    /// How many rows `select count(*) from …` finds.
    pub async fn count(&self, from: &'static str) -> i64 {
        let sql = format!("select count(*) from {from}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&self.state.db).await.expect("a count")
    }

    /// The newest mail's body to this address.
    pub async fn mail_to(&self, email: &str) -> String {
        sqlx::query_scalar(
            "select body from outbox where recipient = $1 and body is not null order by id desc limit 1",
        )
        .bind(email)
        .fetch_one(&self.state.db)
        .await
        .expect("a mail to this address")
    }

    /// The path of the one-time link in the newest mail to this address.
    pub async fn link_to(&self, email: &str) -> String {
        let body = self.mail_to(email).await;
        let start = body.find("/link/").expect("the mail holds a link");
        body[start..].split_whitespace().next().unwrap_or_default().to_owned()
    }
}
