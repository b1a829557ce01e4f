//! SQL of rule R8 for exports: counts that wait, what agents reported of the same, and what is found.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::{Day, Time};

pub struct Waiting {
    pub person_id: Uuid,
    pub day: Day,
    pub category: String,
    pub program: String,
    pub records: i64,
    pub first_at: Option<Time>,
    pub last_at: Option<Time>,
    pub import_id: Uuid,
    pub time_zone: Option<String>,
}

/// Counts of a program that became due; other servers take others.
pub async fn list_waiting(
    db: &mut PgConnection,
    program: &str,
    due: Day,
    limit: i64,
) -> Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        "select c.person_id, c.day, c.category, c.program, c.records, c.first_at, c.last_at, c.import_id, p.time_zone
         from vendor_count c join person p on p.id = c.person_id
         where c.program = $1 and c.day <= $2 and c.compared_at is null
         order by c.person_id, c.day, c.category limit $3 for update of c skip locked",
        program,
        due as _,
        limit,
    )
    .fetch_all(db)
    .await
}

pub async fn set_compared(db: &mut PgConnection, w: &Waiting, now: Time) -> Result<()> {
    sqlx::query!(
        "update vendor_count set compared_at = $5
         where person_id = $1 and day = $2 and category = $3 and program = $4",
        w.person_id,
        w.day as _,
        w.category,
        w.program,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub struct Sums {
    pub taken: i64,
    pub dropped: i64,
    pub reports: i64,
}

/// What all agents together reported. What was dropped or passed on was taken first.
pub async fn sum_reported(db: &mut PgConnection, w: &Waiting) -> Result<Sums> {
    sqlx::query_as!(
        Sums,
        r#"select coalesce(sum(greatest(collected, forwarded, dropped)), 0)::bigint as "taken!",
                  coalesce(sum(dropped), 0)::bigint as "dropped!", coalesce(sum(reports), 0)::bigint as "reports!"
           from collection_daily where person_id = $1 and day = $2 and category = $3
             and lower(split_part(source, '/', 1)) = $4"#,
        w.person_id,
        w.day as _,
        w.category,
        w.program,
    )
    .fetch_one(db)
    .await
}

pub struct Watched {
    /// Seconds of the day that the device was this person's, and that one agent watched the program on it.
    pub needed: i64,
    pub watched: i64,
}

/// By device, how long one agent watched this program: from raw reports, the only place that knows of a program that
/// was watched and did nothing. Once they are dropped nothing is claimed.
pub async fn list_watched(db: &mut PgConnection, w: &Waiting, from: Time, to: Time) -> Result<Vec<Watched>> {
    sqlx::query_as!(
        Watched,
        r#"with seen as (
               select r.agent_id, sum(extract(epoch from least(r.window_end, $5) - greatest(r.window_start, $4))) as seconds
               from collection_report r
               where r.person_id = $1 and r.received_day >= $6::date - 1 and r.window_end > $4 and r.window_start < $5
                 and exists (select from jsonb_array_elements(r.items) i where i->>'category' = $2
                             and lower(split_part(i->>'source', '/', 1)) = $3)
               group by r.agent_id
           )
           select extract(epoch from least(coalesce(upper(a.period), $5), $5) - greatest(lower(a.period), $4))::bigint
                      as "needed!",
                  coalesce((select max(s.seconds) from seen s join agent g on g.id = s.agent_id
                            where g.device_id = a.device_id), 0)::bigint as "watched!"
           from device_assignment a where a.person_id = $1 and a.period && tstzrange($4, $5)"#,
        w.person_id,
        w.category,
        w.program,
        from as _,
        to as _,
        w.day as _,
    )
    .fetch_all(db)
    .await
}

pub struct Found<'a> {
    pub id: Uuid,
    pub kind: &'a str,
    pub about: &'a str,
    pub times: (Time, Time),
    pub at: Time,
}

/// Nothing declared covers what the export holds; of one that is known the times are widened.
pub async fn upsert_undeclared(db: &mut PgConnection, w: &Waiting, f: &Found<'_>) -> Result<()> {
    sqlx::query!(
        "insert into finding (id, kind, person_id, category, about, first_at, last_at, found_at, import_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (kind, coalesce(person_id, '00000000-0000-0000-0000-000000000000'),
                coalesce(agent_id, '00000000-0000-0000-0000-000000000000'), coalesce(category, ''), about,
                coalesce(day, '0001-01-01'), field)
         do update set first_at = least(finding.first_at, excluded.first_at),
                       last_at = greatest(finding.last_at, excluded.last_at)",
        f.id,
        f.kind,
        w.person_id,
        w.category,
        f.about,
        f.times.0 as _,
        f.times.1 as _,
        f.at as _,
        w.import_id,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The export holds more than agents reported; one that is known stays as it is.
pub async fn insert_misreport(db: &mut PgConnection, w: &Waiting, f: &Found<'_>, sums: &Sums) -> Result<()> {
    sqlx::query!(
        "insert into finding (id, kind, person_id, category, about, day, first_at, last_at, found_at, window_start,
                window_end, collected, forwarded, dropped, reports, other_collected, import_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $7, $8, $10, 0, $11, $12, $13, $14)
         on conflict do nothing",
        f.id,
        f.kind,
        w.person_id,
        w.category,
        f.about,
        w.day as _,
        f.times.0 as _,
        f.times.1 as _,
        f.at as _,
        sums.taken,
        sums.dropped,
        i32::try_from(sums.reports).unwrap_or(i32::MAX),
        w.records,
        w.import_id,
    )
    .execute(db)
    .await?;
    Ok(())
}
