//! SQL of one person's own findings, a page of them or one, and what became of it.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use super::mine::FindingRow;
use crate::clock::{Day, Time};

/// What somebody wants to see of their findings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    pub kind: Option<&'a str>,
    pub category: Option<&'a str>,
    /// Only those that wait for an answer, or only those that don't.
    pub open: Option<bool>,
}

/// What was stopped on the way is among them only when it is asked for by kind: nothing went wrong.
pub async fn count(db: &mut PgConnection, person_id: Uuid, w: Wanted<'_>) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from finding f
           where f.person_id = $1 and case when $2::text is null then f.kind <> 'HONOURED_AT_GATEWAY' else f.kind = $2 end
             and ($3::text is null or f.category = $3)
             and ($4::boolean is null or $4 = (f.kind <> 'HONOURED_AT_GATEWAY' and f.import_id is null and not exists
                 (select from finding_answer a where a.kind = f.kind and a.category = coalesce(f.category, '')
                  and f.program = any(a.programs) and a.at >= greatest(f.found_at, f.last_at))))"#,
        person_id,
        w.kind,
        w.category,
        w.open,
    )
    .fetch_one(db)
    .await
}

/// Newest first.
pub async fn list(
    db: &mut PgConnection,
    person_id: Uuid,
    w: Wanted<'_>,
    (offset, limit): (i64, i64),
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
           where f.person_id = $1 and case when $2::text is null then f.kind <> 'HONOURED_AT_GATEWAY' else f.kind = $2 end
             and ($3::text is null or f.category = $3)
             and ($4::boolean is null or $4 = (f.kind <> 'HONOURED_AT_GATEWAY' and f.import_id is null and not exists
                 (select from finding_answer a where a.kind = f.kind and a.category = coalesce(f.category, '')
                  and f.program = any(a.programs) and a.at >= greatest(f.found_at, f.last_at))))
           order by f.last_at desc, f.id offset $5 limit $6"#,
        person_id,
        w.kind,
        w.category,
        w.open,
        offset,
        limit,
    )
    .fetch_all(db)
    .await
}

/// When each of these was observed again on later days, oldest first; the newest 60 of each.
pub async fn list_seen(db: &mut PgConnection, findings: &[Uuid]) -> Result<Vec<(Uuid, Time)>> {
    let rows = sqlx::query!(
        r#"select s.finding_id as "id!", s.at as "at!" from unnest($1::uuid[]) as f(id)
           cross join lateral (select finding_id, at from finding_seen where finding_id = f.id
                               order by day desc limit 60) s
           order by s.at"#,
        findings,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.at)).collect())
}

/// How many of a kind were found in a week.
pub struct OwnWeek {
    pub week: Day,
    pub kind: String,
    pub findings: i64,
}

/// A person's findings by week, in their zone, since a moment.
pub async fn count_weeks(
    db: &mut PgConnection,
    person_id: Uuid,
    zone: &str,
    since: Time,
) -> Result<Vec<OwnWeek>> {
    sqlx::query_as!(
        OwnWeek,
        r#"select date_trunc('week', found_at at time zone $2)::date as "week!", kind, count(*) as "findings!"
           from finding where person_id = $1 and found_at >= $3 and kind <> 'HONOURED_AT_GATEWAY'
           group by 1, kind order by 1, kind"#,
        person_id,
        zone,
        since as _,
    )
    .fetch_all(db)
    .await
}
