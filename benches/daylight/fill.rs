//! Synthetic daily figures of many people, loaded without the intake.

use daylight::app::AppState;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

use crate::subject::{begin_anew, folder};

/// Each person has a row for each of these days and kinds.
pub const DAYS: i64 = 90;
const KINDS: i64 = 8;
/// People who are signed in and looked at in turn, so that no single person's rows are always at hand.
pub const SIGNED_IN: i64 = 64;

/// Kind, program, granularity, purpose, host, recipient, country. The first five are declared.
const FIGURES: &str = "(values
    ('app.usage', 'activitywatch/0.12.0', 'metadata', '', '', '', ''),
    ('presence', 'activitywatch/0.12.0', 'metadata', '', '', '', ''),
    ('input.key_counts', 'activitywatch/0.12.0', 'count', '', '', '', ''),
    ('web.domains', 'acme-monitor/4.2', 'metadata', 'dpv:EnforceSecurity', 'collector.acme.example', 'org:acme-insight', 'DE'),
    ('device.inventory', 'acme-monitor/4.2', 'metadata', 'dpv:EnforceSecurity', 'collector.acme.example', 'org:acme-insight', 'DE'),
    ('window.titles', 'activitywatch/0.12.0', 'content', '', '', '', ''),
    ('file.activity', 'acme-monitor/4.2', 'metadata', 'dpv:EnforceSecurity', 'collector.acme.example', 'org:acme-insight', 'DE'),
    ('comms.metadata', 'acme-monitor/4.2', 'metadata', 'dpv:EnforceSecurity', 'collector.acme.example', 'org:acme-insight', 'DE')
    ) as c (category, source, granularity, purpose, host, recipient, country)";

/// Makes sure that the database holds so many counters; one that was loaded today is used again.
pub async fn ensure(state: &AppState, name: &str, counters: i64) -> anyhow::Result<()> {
    let people = (counters + DAYS * KINDS - 1) / (DAYS * KINDS);
    let today = state.clock.now().day(&state.config.time_zone);
    let schema = daylight::database::MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    let wanted = format!("{people} people until {today}, schema {schema}");
    let marker = folder().join(format!("{name}.loaded"));
    if std::fs::read_to_string(&marker).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let _ = std::fs::remove_file(&marker);
    eprintln!("Loading {} counters of {people} people into {name} …", people * DAYS * KINDS);
    begin_anew(state).await?;
    let mut db = state.db.acquire().await?;
    load(&mut db, people).await?;
    Ok(std::fs::write(marker, wanted)?)
}

async fn load(db: &mut PgConnection, people: i64) -> anyhow::Result<()> {
    run(db, "set maintenance_work_mem = '512MB'; set synchronous_commit = off").await?;
    for statement in [
        "insert into person (id, email, name, jurisdiction, created_at)
         select md5('person' || n)::uuid, 'load' || n || '@demo.example', 'Person ' || n, 'DE', now() from N",
        "insert into person_role (person_id, role, granted_at) select md5('person' || n)::uuid, 'worker', now() from N",
        "insert into device (id, label, created_at) select md5('device' || n)::uuid, 'Laptop ' || n, now() from N",
        "insert into device_assignment (id, device_id, person_id, period) select md5('assignment' || n)::uuid,
         md5('device' || n)::uuid, md5('person' || n)::uuid, tstzrange(now() - interval '1 year', null) from N",
        "insert into agent (id, device_id, software, public_key, token_hash, enrolled_at, last_seen_at)
         select md5('agent' || n)::uuid, md5('device' || n)::uuid, 'daylight-agent/0.1.0',
         sha256(convert_to('key' || n, 'UTF8')), sha256(convert_to('token' || n, 'UTF8')), now(), now() from N",
        "insert into finding (id, kind, person_id, agent_id, category, about, first_at, last_at, found_at)
         select md5('finding' || n)::uuid, 'UNDECLARED', md5('person' || n)::uuid, md5('agent' || n)::uuid,
         'window.titles', '', now() - interval '9 days', now() - interval '1 day', now() from N",
    ] {
        let numbers = format!("generate_series(1, {people}) n");
        run(db, &statement.replace("from N", &format!("from {numbers}"))).await?;
    }
    // Indexes and constraints are made again from what the migrations made.
    let again = take_off(db, "collection_daily").await?;
    let and_again = take_off(db, "coverage_daily").await?;
    // Day by day, as figures come in: one person's rows are spread over the whole table.
    for ago in (0..DAYS).rev() {
        let day = format!("(now() at time zone 'Europe/Berlin')::date - {ago}");
        let noon = format!("({day})::timestamp at time zone 'UTC' + interval '12 hours'");
        run(
            db,
            &format!(
                "insert into collection_daily select md5('person' || n)::uuid, {day}, md5('agent' || n)::uuid,
                     category, source, granularity, purpose, host, recipient, country,
                     40 + (n * 7 + {ago} * 13) % 300, 31 * (40 + (n * 7 + {ago} * 13) % 300),
                     case host when '' then 0 else 40 end, case host when '' then 0 else 1240 end, 0,
                     {noon}, {noon}, 288
                 from generate_series(1, {people}) n, {FIGURES}"
            ),
        )
        .await?;
        run(
            db,
            &format!(
                "insert into coverage_daily select md5('person' || n)::uuid, {day}, md5('agent' || n)::uuid, category, 86400
                 from generate_series(1, {people}) n, (select category from {FIGURES} union all select '') c"
            ),
        )
        .await?;
    }
    for statement in again.into_iter().chain(and_again) {
        run(db, &statement).await?;
    }
    run(db, "vacuum (analyze)").await?;
    run(db, "checkpoint").await.or_else(|_| anyhow::Ok(()))
}

/// Drops a table's indexes, keys and uniqueness; answers the statements that make them again.
pub async fn take_off(db: &mut PgConnection, table: &str) -> anyhow::Result<Vec<String>> {
    let mut again = Vec::new();
    let constraints = sqlx::query(
        "select conname::text, pg_get_constraintdef(oid) from pg_constraint
         where conrelid = $1::text::regclass and contype in ('p', 'f', 'u') order by contype desc",
    );
    for row in constraints.bind(table).fetch_all(&mut *db).await? {
        let (name, definition): (String, String) = (row.get(0), row.get(1));
        again.push(format!("alter table {table} add constraint {name} {definition}"));
        run(db, &format!("alter table {table} drop constraint {name}")).await?;
    }
    let indexes = sqlx::query(
        "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index
         where indrelid = $1::text::regclass",
    );
    for row in indexes.bind(table).fetch_all(&mut *db).await? {
        let (name, definition): (String, String) = (row.get(0), row.get(1));
        again.push(definition);
        run(db, &format!("drop index {name}")).await?;
    }
    Ok(again)
}

/// Every text here is made from numbers and from the catalogue.
pub async fn run(db: &mut PgConnection, sql: &str) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(db).await?;
    Ok(())
}

/// Signs people in by session rows; their cookies.
pub async fn sign_in(state: &AppState) -> anyhow::Result<Vec<String>> {
    let mut cookies = Vec::new();
    for number in 1..=SIGNED_IN {
        let (now, token) = (state.clock.now(), state.random.token());
        sqlx::query(
            "insert into session (id, token_hash, person_id, created_at, last_seen_at, expires_at, browser)
             select $1, $2, md5('person' || $3)::uuid, $4, $4, $5, 'Firefox on Linux'",
        )
        .bind::<Uuid>(state.random.uuid(now))
        .bind(Sha256::digest(token.as_bytes()).to_vec())
        .bind(number.to_string())
        .bind(now)
        .bind(now.plus_days(14))
        .execute(&state.db)
        .await?;
        cookies.push(format!("daylight={token}"));
    }
    Ok(cookies)
}

pub async fn gigabytes(state: &AppState) -> anyhow::Result<f64> {
    let bytes: i64 =
        sqlx::query_scalar("select pg_database_size(current_database())").fetch_one(&state.db).await?;
    Ok(bytes as f64 / 1e9)
}
