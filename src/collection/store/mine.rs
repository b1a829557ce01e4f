//! What the worker's page reads: daily sums, coverage and findings of one person; never raw reports.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::{Day, Time};

pub struct DailyRow {
    pub day: Day,
    pub category: String,
    pub source: String,
    pub granularity: String,
    pub purpose: String,
    pub destination_host: String,
    pub recipient: String,
    pub country: String,
    pub collected: i64,
    pub collected_bytes: i64,
    pub forwarded: i64,
    pub forwarded_bytes: i64,
    pub dropped: i64,
    pub first_observed: Option<Time>,
    pub last_observed: Option<Time>,
}

/// Daily sums from `since` on, by day; all categories or one.
pub async fn list_daily(
    db: &mut PgConnection,
    person_id: Uuid,
    since: Day,
    category: Option<&str>,
) -> Result<Vec<DailyRow>> {
    sqlx::query_as!(
        DailyRow,
        "select day, category, source, granularity, purpose, destination_host, recipient, country, collected,
                collected_bytes, forwarded, forwarded_bytes, dropped, first_observed, last_observed
         from collection_daily
         where person_id = $1 and day >= $2 and ($3::text is null or category = $3)
         order by day, category, source, granularity, purpose, destination_host",
        person_id,
        since as _,
        category,
    )
    .fetch_all(db)
    .await
}

pub struct CoverageRow {
    pub day: Day,
    pub device_id: Uuid,
    pub category: String,
    pub seconds: i64,
}

/// Seconds watched by day, device and category: the most that any single agent of the device watched.
pub async fn list_coverage(db: &mut PgConnection, person_id: Uuid, since: Day) -> Result<Vec<CoverageRow>> {
    sqlx::query_as!(
        CoverageRow,
        r#"select c.day, g.device_id, c.category, max(c.seconds) as "seconds!"
           from coverage_daily c join agent g on g.id = c.agent_id
           where c.person_id = $1 and c.day >= $2 group by c.day, g.device_id, c.category"#,
        person_id,
        since as _,
    )
    .fetch_all(db)
    .await
}

pub struct FindingRow {
    pub id: Uuid,
    pub kind: String,
    pub agent_id: Option<Uuid>,
    pub category: Option<String>,
    pub about: String,
    pub field: String,
    pub program: String,
    pub first_at: Time,
    pub last_at: Time,
    pub found_at: Time,
    pub day: Option<Day>,
    pub refused_since: Option<Time>,
    pub window_start: Option<Time>,
    pub window_end: Option<Time>,
    pub collected: Option<i64>,
    pub forwarded: Option<i64>,
    pub dropped: Option<i64>,
    pub reports: Option<i32>,
    pub other_collected: Option<i64>,
    /// The agent's software and its device, and the other agent's.
    pub software: Option<String>,
    pub device: Option<String>,
    pub other_software: Option<String>,
    /// The vendor's export that it rests on: of which program, when and in which role it was uploaded.
    pub import_program: Option<String>,
    pub import_at: Option<Time>,
    pub import_role: Option<String>,
}

/// A person's findings, newest first; all of them, or this one.
pub async fn list_findings(
    db: &mut PgConnection,
    person_id: Uuid,
    only: Option<Uuid>,
) -> Result<Vec<FindingRow>> {
    sqlx::query_as!(
        FindingRow,
        r#"select f.id, f.kind, f.agent_id, f.category, f.about, f.field, f.program as "program!", f.first_at, f.last_at,
                  f.found_at, f.day, f.refused_since, f.window_start, f.window_end, f.collected, f.forwarded, f.dropped,
                  f.reports, f.other_collected, g.software as "software?", d.label as "device?",
                  o.software as "other_software?", i.program as "import_program?", i.at as "import_at?",
                  i.by_role as "import_role?"
           from finding f left join agent g on g.id = f.agent_id left join device d on d.id = g.device_id
           left join agent o on o.id = f.other_agent_id left join vendor_import i on i.id = f.import_id
           where f.person_id = $1 and ($2::uuid is null or f.id = $2) order by f.last_at desc, f.id"#,
        person_id,
        only,
    )
    .fetch_all(db)
    .await
}

pub struct DeviceRow {
    pub assignment_id: Uuid,
    pub device_id: Uuid,
    pub label: String,
    pub from: Time,
    pub to: Option<Time>,
    /// When the person said that it is theirs, or that it isn't.
    pub confirmed_at: Option<Time>,
    pub denied_at: Option<Time>,
    pub agent_id: Option<Uuid>,
    pub enrolled_at: Option<Time>,
    pub software: Option<String>,
    pub last_seen_at: Option<Time>,
    pub revoked_at: Option<Time>,
}

/// The person's devices, each with its agents; devices without one too.
pub async fn list_devices(db: &mut PgConnection, person_id: Uuid) -> Result<Vec<DeviceRow>> {
    sqlx::query_as!(
        DeviceRow,
        r#"select a.id as assignment_id, d.id as device_id, d.label, lower(a.period) as "from!",
                  upper(a.period) as "to", a.confirmed_at, a.denied_at, g.id as "agent_id?",
                  g.enrolled_at as "enrolled_at?", g.software as "software?", g.last_seen_at, g.revoked_at
           from device_assignment a join device d on d.id = a.device_id
           -- What its agents do under the next person's name is the next person's.
           left join agent g on g.device_id = d.id and upper_inf(a.period)
           where a.person_id = $1 order by lower(a.period) desc, g.enrolled_at"#,
        person_id,
    )
    .fetch_all(db)
    .await
}
