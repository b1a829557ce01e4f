//! SQL of findings as they are found.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::{Day, Time};
use crate::collection::batch::found::Evidence;

#[derive(Default)]
pub struct FindingColumns {
    pub id: Vec<Uuid>,
    pub kind: Vec<String>,
    pub person_id: Vec<Option<Uuid>>,
    pub agent_id: Vec<Option<Uuid>>,
    pub category: Vec<Option<String>>,
    pub about: Vec<String>,
    pub field: Vec<String>,
    /// For kinds that are found anew each day.
    pub day: Vec<Option<Day>>,
    pub first_at: Vec<Time>,
    pub last_at: Vec<Time>,
    refused_since: Vec<Option<Time>>,
    window_start: Vec<Option<Time>>,
    window_end: Vec<Option<Time>>,
    collected: Vec<Option<i64>>,
    forwarded: Vec<Option<i64>>,
    dropped: Vec<Option<i64>>,
    reports: Vec<Option<i32>>,
}

impl FindingColumns {
    /// Once for each row.
    pub fn push_evidence(&mut self, evidence: Option<Evidence>) {
        self.refused_since.push(evidence.map(|e| e.refused_since));
        self.window_start.push(evidence.map(|e| e.window.0));
        self.window_end.push(evidence.map(|e| e.window.1));
        self.collected.push(evidence.map(|e| e.collected));
        self.forwarded.push(evidence.map(|e| e.forwarded));
        self.dropped.push(evidence.map(|e| e.dropped));
        self.reports.push(evidence.map(|e| e.reports));
    }
}

/// Records findings; of one that is known the times are only widened, and its evidence grows.
pub async fn upsert_findings(db: &mut PgConnection, found_at: Time, c: &FindingColumns) -> Result<()> {
    sqlx::query!(
        "insert into finding (found_at, id, kind, person_id, agent_id, category, about, day, first_at, last_at,
                refused_since, window_start, window_end, collected, forwarded, dropped, reports, field)
         select $1, * from unnest($2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::date[],
                $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
                $14::bigint[], $15::bigint[], $16::bigint[], $17::integer[], $18::text[])
         -- By kind, category and what it is about: one order for all writers.
         order by 3, 6, 7, 4, 5
         on conflict (kind, coalesce(person_id, '00000000-0000-0000-0000-000000000000'),
                coalesce(agent_id, '00000000-0000-0000-0000-000000000000'), coalesce(category, ''), about,
                coalesce(day, '0001-01-01'), field)
         do update set first_at = least(finding.first_at, excluded.first_at),
                       last_at = greatest(finding.last_at, excluded.last_at),
                       refused_since = least(finding.refused_since, excluded.refused_since),
                       window_start = least(finding.window_start, excluded.window_start),
                       window_end = greatest(finding.window_end, excluded.window_end),
                       collected = finding.collected + excluded.collected,
                       forwarded = finding.forwarded + excluded.forwarded,
                       dropped = finding.dropped + excluded.dropped,
                       reports = finding.reports + excluded.reports",
        found_at as _,
        &c.id,
        &c.kind,
        &c.person_id as &[Option<Uuid>],
        &c.agent_id as &[Option<Uuid>],
        &c.category as &[Option<String>],
        &c.about,
        &c.day as &[Option<Day>],
        &c.first_at as _,
        &c.last_at as _,
        &c.refused_since as &[Option<Time>],
        &c.window_start as &[Option<Time>],
        &c.window_end as &[Option<Time>],
        &c.collected as &[Option<i64>],
        &c.forwarded as &[Option<i64>],
        &c.dropped as &[Option<i64>],
        &c.reports as &[Option<i32>],
        &c.field,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What agents made known since `since` of things that they name themselves, and which of these they ever did.
pub async fn list_abouts(
    db: &mut PgConnection,
    agents: &[Uuid],
    abouts: &[String],
    since: Time,
) -> Result<Vec<(Uuid, String)>> {
    let rows = sqlx::query!(
        r#"select distinct agent_id as "agent_id!", about from finding
           where agent_id = any($1) and about <> '' and (found_at >= $3 or about = any($2))"#,
        agents,
        abouts,
        since as _,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.agent_id, row.about)).collect())
}
