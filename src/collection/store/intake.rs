//! SQL of reports as they are taken in.

use sqlx::{AssertSqlSafe, PgConnection, Result};
use uuid::Uuid;

use crate::clock::{Day, Time};

pub struct AgentRow {
    pub id: Uuid,
    pub device_id: Uuid,
    pub public_key: Vec<u8>,
}

/// The agent whose token has this hash, unless revoked.
pub async fn find_agent(db: &mut PgConnection, token_hash: &[u8]) -> Result<Option<AgentRow>> {
    sqlx::query_as!(
        AgentRow,
        "select id, device_id, public_key from agent where token_hash = $1 and revoked_at is null",
        token_hash,
    )
    .fetch_optional(db)
    .await
}

/// Makes the raw reports' partition of a day, if it isn't there.
pub async fn ensure_partition(db: &mut PgConnection, day: Day) -> Result<()> {
    // A day is digits and dashes: nothing of a request comes into this text.
    let (name, next) = (day.to_string().replace('-', ""), day.plus_days(1));
    let sql = format!(
        "create table if not exists collection_report_{name} partition of collection_report
         for values from ('{day}') to ('{next}')"
    );
    sqlx::query(AssertSqlSafe(sql)).execute(db).await?;
    Ok(())
}

/// Names of the raw reports' partitions whose day lies before `day`.
pub async fn list_partitions_before(db: &mut PgConnection, day: Day) -> Result<Vec<String>> {
    let limit = format!("collection_report_{}", day.to_string().replace('-', ""));
    sqlx::query_scalar!(
        r#"select c.relname::text as "name!" from pg_inherits i join pg_class c on c.oid = i.inhrelid
           where i.inhparent = 'collection_report'::regclass and c.relname < $1 order by 1"#,
        limit,
    )
    .fetch_all(db)
    .await
}

pub async fn drop_partition(db: &mut PgConnection, name: &str) -> Result<()> {
    // The name comes from the catalogue, where `ensure_partition` put it.
    sqlx::query(AssertSqlSafe(format!("drop table if exists {name}"))).execute(db).await?;
    Ok(())
}

pub struct ChainRow {
    pub agent_id: Uuid,
    pub boot_id: Uuid,
    pub last_seq: i64,
    pub last_hash: Vec<u8>,
    pub covered_until: Time,
}

/// Heads of these chains, locked in a fixed order so that two writers can't wait for each other.
pub async fn lock_chains(db: &mut PgConnection, agents: &[Uuid], boots: &[Uuid]) -> Result<Vec<ChainRow>> {
    sqlx::query_as!(
        ChainRow,
        "select agent_id, boot_id, last_seq, last_hash, covered_until from agent_chain
         where (agent_id, boot_id) in (select * from unnest($1::uuid[], $2::uuid[]))
         order by agent_id, boot_id for update",
        agents,
        boots,
    )
    .fetch_all(db)
    .await
}

/// How far all runs of each agent reach together.
pub async fn list_covered(db: &mut PgConnection, agents: &[Uuid]) -> Result<Vec<(Uuid, Time)>> {
    let rows = sqlx::query!(
        r#"select agent_id, max(covered_until) as "covered_until!" from agent_chain
           where agent_id = any($1) group by agent_id"#,
        agents,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|r| (r.agent_id, r.covered_until)).collect())
}

#[derive(Default)]
pub struct ChainColumns {
    pub agent_id: Vec<Uuid>,
    pub boot_id: Vec<Uuid>,
    pub last_seq: Vec<i64>,
    pub last_hash: Vec<Vec<u8>>,
    pub covered_until: Vec<Time>,
}

/// Moves heads on. A chain that another writer began meanwhile violates the key, and the batch is tried
/// again.
pub async fn upsert_chains(db: &mut PgConnection, c: &ChainColumns) -> Result<()> {
    sqlx::query!(
        "insert into agent_chain (agent_id, boot_id, last_seq, last_hash, covered_until)
         select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bytea[], $5::timestamptz[])
         on conflict (agent_id, boot_id) do update
         set last_seq = excluded.last_seq, last_hash = excluded.last_hash, covered_until = excluded.covered_until
         where agent_chain.last_seq <= excluded.last_seq",
        &c.agent_id,
        &c.boot_id,
        &c.last_seq,
        &c.last_hash,
        &c.covered_until as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub struct KnownReport {
    pub agent_id: Uuid,
    pub boot_id: Uuid,
    pub seq: i64,
    pub hash: Vec<u8>,
    pub prev_hash: Option<Vec<u8>>,
    pub received_at: Time,
}

/// Reports already kept at these places of chains.
pub async fn find_reports(
    db: &mut PgConnection,
    agents: &[Uuid],
    boots: &[Uuid],
    seqs: &[i64],
) -> Result<Vec<KnownReport>> {
    sqlx::query_as!(
        KnownReport,
        r#"select r.agent_id, r.boot_id, r.seq, r.hash, r.prev_hash, r.received_at
           from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as k (agent_id, boot_id, seq)
           join collection_report r on r.agent_id = k.agent_id and r.boot_id = k.boot_id and r.seq = k.seq"#,
        agents,
        boots,
        seqs,
    )
    .fetch_all(db)
    .await
}

/// Those of these devices that several agents report from.
pub async fn list_shared_devices(db: &mut PgConnection, devices: &[Uuid]) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select device_id from agent where device_id = any($1) and revoked_at is null
         group by device_id having count(*) > 1",
        devices,
    )
    .fetch_all(db)
    .await
}

pub struct AssignmentRow {
    pub device_id: Uuid,
    pub person_id: Uuid,
    pub from: Time,
    pub to: Option<Time>,
    pub time_zone: Option<String>,
}

/// Whose these devices are and were, with what days need of the person.
pub async fn list_assignments(db: &mut PgConnection, devices: &[Uuid]) -> Result<Vec<AssignmentRow>> {
    sqlx::query_as!(
        AssignmentRow,
        r#"select a.device_id, a.person_id, lower(a.period) as "from!", upper(a.period) as "to",
                  p.time_zone
           from device_assignment a join person p on p.id = a.person_id where a.device_id = any($1)"#,
        devices,
    )
    .fetch_all(db)
    .await
}

#[derive(Default)]
pub struct ReportColumns {
    pub agent_id: Vec<Uuid>,
    pub boot_id: Vec<Uuid>,
    pub seq: Vec<i64>,
    pub report_id: Vec<Uuid>,
    pub hash: Vec<Vec<u8>>,
    pub prev_hash: Vec<Option<Vec<u8>>>,
    pub produced_at: Vec<Time>,
    pub window_start: Vec<Time>,
    pub window_end: Vec<Time>,
    pub received_at: Vec<Time>,
    pub skewed: Vec<bool>,
    pub person_id: Vec<Option<Uuid>>,
    /// JSON as text: a tree of values would be built only to be written out again.
    pub items: Vec<String>,
}

pub async fn insert_reports(db: &mut PgConnection, day: Day, c: &ReportColumns) -> Result<()> {
    sqlx::query!(
        "insert into collection_report (received_day, received_at, agent_id, boot_id, seq, report_id, hash, prev_hash,
                                        produced_at, window_start, window_end, skewed, person_id, items)
         select $1, r.received_at, r.agent_id, r.boot_id, r.seq, r.report_id, r.hash, r.prev_hash, r.produced_at,
                r.window_start, r.window_end, r.skewed, r.person_id, r.items::jsonb
         from unnest($2::timestamptz[], $3::uuid[], $4::uuid[], $5::bigint[], $6::uuid[], $7::bytea[], $8::bytea[],
                     $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::boolean[], $13::uuid[], $14::text[])
              as r (received_at, agent_id, boot_id, seq, report_id, hash, prev_hash, produced_at, window_start,
                    window_end, skewed, person_id, items)",
        day as _,
        &c.received_at as _,
        &c.agent_id,
        &c.boot_id,
        &c.seq,
        &c.report_id,
        &c.hash,
        &c.prev_hash as &[Option<Vec<u8>>],
        &c.produced_at as _,
        &c.window_start as _,
        &c.window_end as _,
        &c.skewed,
        &c.person_id as &[Option<Uuid>],
        &c.items,
    )
    .execute(db)
    .await?;
    Ok(())
}

#[derive(Default)]
pub struct DailyColumns {
    pub person_id: Vec<Uuid>,
    pub day: Vec<Day>,
    pub agent_id: Vec<Uuid>,
    pub category: Vec<String>,
    pub source: Vec<String>,
    pub granularity: Vec<String>,
    pub purpose: Vec<String>,
    pub destination_host: Vec<String>,
    pub recipient: Vec<String>,
    pub country: Vec<String>,
    pub collected: Vec<i64>,
    pub collected_bytes: Vec<i64>,
    pub forwarded: Vec<i64>,
    pub forwarded_bytes: Vec<i64>,
    pub dropped: Vec<i64>,
    pub first_observed: Vec<Option<Time>>,
    pub last_observed: Vec<Option<Time>>,
    pub reports: Vec<i32>,
}

/// Adds to the daily sums; rows come sorted by key, so that two writers can't wait for each other.
pub async fn upsert_daily(db: &mut PgConnection, c: &DailyColumns) -> Result<()> {
    sqlx::query!(
        "insert into collection_daily (person_id, day, agent_id, category, source, granularity, purpose,
                destination_host, recipient, country, collected, collected_bytes, forwarded, forwarded_bytes, dropped,
                first_observed, last_observed, reports)
         select * from unnest($1::uuid[], $2::date[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[],
                $15::bigint[], $16::timestamptz[], $17::timestamptz[], $18::integer[])
         on conflict (person_id, day, agent_id, category, source, granularity, purpose, destination_host, recipient,
                      country) do update set
             collected = collection_daily.collected + excluded.collected,
             collected_bytes = collection_daily.collected_bytes + excluded.collected_bytes,
             forwarded = collection_daily.forwarded + excluded.forwarded,
             forwarded_bytes = collection_daily.forwarded_bytes + excluded.forwarded_bytes,
             dropped = collection_daily.dropped + excluded.dropped,
             first_observed = least(collection_daily.first_observed, excluded.first_observed),
             last_observed = greatest(collection_daily.last_observed, excluded.last_observed),
             reports = collection_daily.reports + excluded.reports",
        &c.person_id,
        &c.day as _,
        &c.agent_id,
        &c.category,
        &c.source,
        &c.granularity,
        &c.purpose,
        &c.destination_host,
        &c.recipient,
        &c.country,
        &c.collected,
        &c.collected_bytes,
        &c.forwarded,
        &c.forwarded_bytes,
        &c.dropped,
        &c.first_observed as &[Option<Time>],
        &c.last_observed as &[Option<Time>],
        &c.reports,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Person, day and category whose sums are asked for.
#[derive(Default)]
pub struct DayColumns {
    pub person_id: Vec<Uuid>,
    pub day: Vec<Day>,
    pub category: Vec<String>,
}

pub struct DaySum {
    pub person_id: Uuid,
    /// One of the agents that reported it.
    pub agent_id: Uuid,
    pub category: String,
    pub program: String,
    pub collected: i64,
    pub first_observed: Option<Time>,
    pub last_observed: Option<Time>,
}

/// Sums of these days by program, over all agents, versions and destinations.
pub async fn sum_days(db: &mut PgConnection, c: &DayColumns) -> Result<Vec<DaySum>> {
    sqlx::query_as!(
        DaySum,
        r#"select d.person_id, (array_agg(d.agent_id order by d.agent_id))[1] as "agent_id!", d.category,
                  split_part(d.source, '/', 1) as "program!", sum(d.collected)::bigint as "collected!",
                  min(d.first_observed) as first_observed, max(d.last_observed) as last_observed
           from unnest($1::uuid[], $2::date[], $3::text[]) as k (person_id, day, category)
           join collection_daily d on d.person_id = k.person_id and d.day = k.day and d.category = k.category
           group by d.person_id, d.day, d.category, split_part(d.source, '/', 1)"#,
        &c.person_id,
        &c.day as _,
        &c.category,
    )
    .fetch_all(db)
    .await
}

#[derive(Default)]
pub struct CoverageColumns {
    pub person_id: Vec<Uuid>,
    pub day: Vec<Day>,
    pub agent_id: Vec<Uuid>,
    pub category: Vec<String>,
    pub seconds: Vec<i64>,
}

pub async fn upsert_coverage(db: &mut PgConnection, c: &CoverageColumns) -> Result<()> {
    sqlx::query!(
        "insert into coverage_daily (person_id, day, agent_id, category, seconds)
         select * from unnest($1::uuid[], $2::date[], $3::uuid[], $4::text[], $5::bigint[])
         on conflict (person_id, day, agent_id, category) do update
         set seconds = coverage_daily.seconds + excluded.seconds",
        &c.person_id,
        &c.day as _,
        &c.agent_id,
        &c.category,
        &c.seconds,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn touch_agents(db: &mut PgConnection, agents: &[Uuid], now: Time) -> Result<()> {
    sqlx::query!("update agent set last_seen_at = $2 where id = any($1)", agents, now as _)
        .execute(db)
        .await?;
    Ok(())
}
