//! The database: one engine, Postgres 15 or newer, either the address in `DATABASE_URL` or a private
//! server in the data folder ([`embedded`]).

pub mod embedded;
pub mod retention;

use std::time::Duration;

use anyhow::Context;
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::config::Config;

pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// Opens the pool. `test_before_acquire` is off: it costs a round trip a request.
pub async fn connect(options: PgConnectOptions, config: &Config) -> anyhow::Result<PgPool> {
    let options = options.application_name("daylight").options([("timezone", "UTC"), ("jit", "off")]);
    let mut tries = 0;
    loop {
        let attempt = PgPoolOptions::new()
            .max_connections(config.database_pool_size)
            .acquire_timeout(Duration::from_secs(10))
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await;
        match attempt {
            Ok(pool) => return Ok(pool),
            // A database that is just starting: a compose file brings both up together.
            Err(_) if tries < 10 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(500 * tries)).await;
            }
            Err(error) => return Err(error).context("the database can't be reached"),
        }
    }
}

/// Brings the schema up to date; refuses a database that a newer Daylight has migrated.
pub async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    MIGRATIONS.run(pool).await.context("the database's schema can't be brought up to date")
}

/// Whether the database answers on this connection.
pub async fn ping<'a>(db: impl sqlx::PgExecutor<'a>) -> sqlx::Result<()> {
    sqlx::query("select 1").execute(db).await.map(drop)
}

/// Whether every migration of this binary is applied.
pub async fn is_migrated(pool: &PgPool) -> bool {
    let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    sqlx::query_scalar::<_, Option<i64>>("select max(version) from _sqlx_migrations where success")
        .fetch_one(pool)
        .await
        .is_ok_and(|applied| applied == Some(known))
}

/// Empties a database that holds the example; refuses any other that holds something.
pub async fn erase_example(pool: &PgPool) -> anyhow::Result<()> {
    let tables: i64 = sqlx::query_scalar("select count(*) from pg_tables where schemaname = 'public'")
        .fetch_one(pool)
        .await?;
    if tables == 0 {
        return Ok(());
    }
    let demo: Option<bool> =
        sqlx::query_scalar("select demo from installation").fetch_optional(pool).await.unwrap_or(None);
    anyhow::ensure!(demo == Some(true), "this database doesn't hold the example, so nothing was erased");
    sqlx::raw_sql("drop schema public cascade; create schema public").execute(pool).await?;
    Ok(())
}
