//! SQL of the counts that agents on one device give, and of their comparison (R8).

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::{Day, Time};

#[derive(Default)]
pub struct CountColumns {
    pub day: Vec<Day>,
    pub device_id: Vec<Uuid>,
    pub person_id: Vec<Uuid>,
    pub category: Vec<String>,
    pub program: Vec<String>,
    pub agent_id: Vec<Uuid>,
    pub watched_from: Vec<Time>,
    pub watched_to: Vec<Time>,
    pub seconds: Vec<i64>,
    pub taken: Vec<i64>,
    pub dropped: Vec<i64>,
    pub reports: Vec<i32>,
}

/// Adds to the day's counts; rows come sorted by key, so that two writers can't wait for each other.
pub async fn upsert_counts(db: &mut PgConnection, c: &CountColumns) -> Result<()> {
    sqlx::query!(
        "insert into agent_count (day, device_id, person_id, category, program, agent_id, watched_from, watched_to,
                seconds, taken, dropped, reports)
         select * from unnest($1::date[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[],
                $7::timestamptz[], $8::timestamptz[], $9::bigint[], $10::bigint[], $11::bigint[], $12::integer[])
         on conflict (day, device_id, person_id, category, program, agent_id) do update set
             watched_from = least(agent_count.watched_from, excluded.watched_from),
             watched_to = greatest(agent_count.watched_to, excluded.watched_to),
             seconds = agent_count.seconds + excluded.seconds,
             taken = agent_count.taken + excluded.taken,
             dropped = agent_count.dropped + excluded.dropped,
             reports = agent_count.reports + excluded.reports",
        &c.day as _,
        &c.device_id,
        &c.person_id,
        &c.category,
        &c.program,
        &c.agent_id,
        &c.watched_from as _,
        &c.watched_to as _,
        &c.seconds,
        &c.taken,
        &c.dropped,
        &c.reports,
    )
    .execute(db)
    .await?;
    Ok(())
}

#[derive(Debug)]
pub struct CountRow {
    pub day: Day,
    pub device_id: Uuid,
    pub person_id: Uuid,
    pub category: String,
    pub program: String,
    pub agent_id: Uuid,
    pub watched_from: Time,
    pub watched_to: Time,
    pub seconds: i64,
    pub taken: i64,
    pub dropped: i64,
    pub reports: i32,
    /// Whether it is `daylight gateway`.
    pub is_gateway: bool,
}

impl CountRow {
    /// What is counted: counts of the same are compared.
    pub fn subject(&self) -> (Day, Uuid, Uuid, &str, &str) {
        (self.day, self.device_id, self.person_id, &self.category, &self.program)
    }
}

/// Counts of the days after `after` and up to `through`, by subject: of these programs, or of all but these.
pub async fn list_counts(
    db: &mut PgConnection,
    after: Day,
    through: Day,
    programs: &[String],
    all_but: bool,
) -> Result<Vec<CountRow>> {
    sqlx::query_as!(
        CountRow,
        r#"select day, device_id, person_id, category, program, agent_id, watched_from, watched_to, seconds, taken,
                dropped, reports, coalesce((select g.software like 'daylight-gateway/%' from agent g where g.id = agent_id), false) as "is_gateway!"
         from agent_count where day > $1 and day <= $2 and (program = any($3)) <> $4
         order by day, device_id, person_id, category, program, agent_id"#,
        after as _,
        through as _,
        programs,
        all_but,
    )
    .fetch_all(db)
    .await
}

/// What agents that share a device counted about this person since that day.
pub async fn list_counts_of(db: &mut PgConnection, person_id: Uuid, since: Day) -> Result<Vec<CountRow>> {
    sqlx::query_as!(
        CountRow,
        r#"select day, device_id, person_id, category, program, agent_id, watched_from, watched_to, seconds, taken,
                dropped, reports, coalesce((select g.software like 'daylight-gateway/%' from agent g where g.id = agent_id), false) as "is_gateway!"
         from agent_count where person_id = $1 and day >= $2
         order by day, device_id, category, program, agent_id"#,
        person_id,
        since as _,
    )
    .fetch_all(db)
    .await
}

/// Through which day counts with this lag have been compared; holds others off until the transaction ends.
pub async fn lock_compared(db: &mut PgConnection, lag_hours: i32, first: Day) -> Result<Day> {
    sqlx::query_scalar!(
        "insert into agent_count_compared (lag_hours, through) values ($1, $2)
         on conflict (lag_hours) do update set through = agent_count_compared.through returning through",
        lag_hours,
        first as _,
    )
    .fetch_one(db)
    .await
}

pub async fn set_compared(db: &mut PgConnection, lag_hours: i32, through: Day) -> Result<()> {
    sqlx::query!(
        "update agent_count_compared set through = $2 where lag_hours = $1",
        lag_hours,
        through as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Two agents' counts that contradict each other.
pub struct Misreport<'a> {
    pub id: Uuid,
    /// Who counted less.
    pub low: &'a CountRow,
    /// The other agent, and its count.
    pub high: (Uuid, i64),
    pub at: Time,
}

/// Records contradictions; those that are known stay as they are.
pub async fn insert_misreports(db: &mut PgConnection, found: &[Misreport<'_>]) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let of = |row: fn(&CountRow) -> Uuid| found.iter().map(|m| row(m.low)).collect::<Vec<_>>();
    let sum = |row: fn(&CountRow) -> i64| found.iter().map(|m| row(m.low)).collect::<Vec<_>>();
    let text = |row: fn(&CountRow) -> String| found.iter().map(|m| row(m.low)).collect::<Vec<_>>();
    sqlx::query!(
        "insert into finding (id, kind, person_id, agent_id, category, about, day, first_at, last_at, found_at,
                window_start, window_end, collected, forwarded, dropped, reports, other_agent_id, other_collected)
         select id, 'MISREPORT', person_id, agent_id, category, about, day, watched_from, watched_to, at,
                watched_from, watched_to, taken, 0, dropped, reports, other, other_taken
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::date[], $7::timestamptz[],
                $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::bigint[], $12::integer[], $13::uuid[], $14::bigint[])
              as m(id, person_id, agent_id, category, about, day, watched_from, watched_to, at, taken, dropped, reports,
                   other, other_taken)
         order by category, about, person_id, agent_id, day
         on conflict do nothing",
        &found.iter().map(|m| m.id).collect::<Vec<_>>(),
        &of(|row| row.person_id),
        &of(|row| row.agent_id),
        &text(|row| row.category.clone()),
        &text(|row| format!("program:{}", row.program)),
        &found.iter().map(|m| m.low.day).collect::<Vec<_>>() as _,
        &found.iter().map(|m| m.low.watched_from).collect::<Vec<_>>() as _,
        &found.iter().map(|m| m.low.watched_to).collect::<Vec<_>>() as _,
        &found.iter().map(|m| m.at).collect::<Vec<_>>() as _,
        &sum(|row| row.taken),
        &sum(|row| row.dropped),
        &found.iter().map(|m| m.low.reports).collect::<Vec<_>>(),
        &found.iter().map(|m| m.high.0).collect::<Vec<_>>(),
        &found.iter().map(|m| m.high.1).collect::<Vec<_>>(),
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn delete_counts_before(db: &mut PgConnection, day: Day) -> Result<()> {
    sqlx::query!("delete from agent_count where day < $1", day as _).execute(db).await?;
    Ok(())
}
