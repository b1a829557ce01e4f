//! What others than the person may read: counts of people, made into bands before they are shown.

use sqlx::{PgConnection, Result};

use crate::clock::{Day, Time};

/// Active workers who have a device now: the whole that counts are compared with.
pub async fn count_covered_people(db: &mut PgConnection, now: Time) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(distinct a.person_id) as "count!" from device_assignment a
           join person p on p.id = a.person_id and p.deactivated_at is null
           where a.period @> $1::timestamptz"#,
        now as _,
    )
    .fetch_one(db)
    .await
}

pub struct ObservedRow {
    pub category: String,
    pub people: i64,
}

/// People about whom each category was collected in [from, to).
pub async fn count_observed(db: &mut PgConnection, from: Day, to: Day) -> Result<Vec<ObservedRow>> {
    sqlx::query_as!(
        ObservedRow,
        r#"select category, count(distinct person_id) as "people!" from collection_daily
           where day >= $1 and day < $2 and collected + forwarded + dropped > 0 group by category"#,
        from as _,
        to as _,
    )
    .fetch_all(db)
    .await
}

pub struct FoundRow {
    pub category: String,
    pub kind: String,
    pub people: i64,
}

/// People with a finding last observed in [from, to), by category and kind.
pub async fn count_findings(db: &mut PgConnection, from: Time, to: Time) -> Result<Vec<FoundRow>> {
    sqlx::query_as!(
        FoundRow,
        r#"select category as "category!", kind, count(distinct person_id) as "people!" from finding
           where category is not null and person_id is not null and last_at >= $1 and last_at < $2
           group by category, kind"#,
        from as _,
        to as _,
    )
    .fetch_all(db)
    .await
}

pub struct FleetCounts {
    pub devices: i64,
    pub agents: i64,
    pub silent: i64,
    pub unassigned: i64,
    /// Agents that sent two reports that can't both be true, since `since`.
    pub contradicting: i64,
}

/// Devices and agents, those silent since `silent_since`, devices that are nobody's, and contradictions.
pub async fn count_fleet(
    db: &mut PgConnection,
    now: Time,
    silent_since: Time,
    since: Time,
) -> Result<FleetCounts> {
    sqlx::query_as!(
        FleetCounts,
        r#"select (select count(*) from device) as "devices!",
                  (select count(*) from agent where revoked_at is null) as "agents!",
                  (select count(*) from agent where revoked_at is null
                       and coalesce(last_seen_at, enrolled_at) < $2) as "silent!",
                  (select count(*) from device d where not exists (select 1 from device_assignment a
                       where a.device_id = d.id and a.period @> $1::timestamptz)) as "unassigned!",
                  (select count(distinct agent_id) from finding
                       where kind = 'EQUIVOCATION' and last_at >= $3) as "contradicting!""#,
        now as _,
        silent_since as _,
        since as _,
    )
    .fetch_one(db)
    .await
}
