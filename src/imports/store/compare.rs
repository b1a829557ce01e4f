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

/// Marks it as looked at.
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
    /// Of the same day and category, by whatever program: what was stopped on the way.
    pub stopped: i64,
}

/// What all agents together reported. What was dropped or passed on was taken first.
pub async fn sum_reported(db: &mut PgConnection, w: &Waiting) -> Result<Sums> {
    sqlx::query_as!(
        Sums,
        r#"select coalesce(sum(greatest(collected, forwarded, dropped)) filter (where own), 0)::bigint as "taken!",
                  coalesce(sum(dropped) filter (where own), 0)::bigint as "dropped!",
                  coalesce(sum(reports) filter (where own), 0)::bigint as "reports!",
                  coalesce(sum(dropped), 0)::bigint as "stopped!"
           from collection_daily, lower(split_part(source, '/', 1)) program, lateral (select program = $4 as own) o
           where person_id = $1 and day = $2 and category = $3"#,
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
/// was watched and did nothing. Once they are dropped nothing is claimed, nor for reports that came two weeks late.
pub async fn list_watched(db: &mut PgConnection, w: &Waiting, from: Time, to: Time) -> Result<Vec<Watched>> {
    sqlx::query_as!(
        Watched,
        r#"with seen as (
               select r.agent_id, sum(extract(epoch from least(r.window_end, $5) - greatest(r.window_start, $4))) as seconds
               from collection_report r
               -- By agent, since that is what raw reports have an index by.
               where r.agent_id in (select g.id from agent g join device_assignment d using (device_id)
                                    where d.person_id = $1 and d.period && tstzrange($4, $5))
                 and r.person_id = $1 and r.received_day between $6::date - 1 and $6::date + 15
                 and r.window_end > $4 and r.window_start < $5
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

/// What a comparison found, as columns.
#[derive(Default)]
pub struct FoundColumns {
    pub id: Vec<Uuid>,
    pub kind: Vec<String>,
    pub person_id: Vec<Uuid>,
    pub category: Vec<String>,
    pub about: Vec<String>,
    pub day: Vec<Option<Day>>,
    pub first_at: Vec<Time>,
    pub last_at: Vec<Time>,
    pub import_id: Vec<Uuid>,
    /// Of a contradiction: taken, dropped, reports, and what the export holds.
    pub collected: Vec<Option<i64>>,
    pub dropped: Vec<Option<i64>>,
    pub reports: Vec<Option<i32>>,
    pub records: Vec<Option<i64>>,
}

/// Records findings that rest on exports; of one that is known the times are only widened. All of a round in one
/// statement, in one order: whoever writes findings waits for others who do, and two must never wait for each other.
pub async fn upsert_found(db: &mut PgConnection, found_at: Time, c: &FoundColumns) -> Result<()> {
    sqlx::query!(
        "insert into finding (found_at, id, kind, person_id, category, about, day, first_at, last_at, import_id,
                collected, dropped, reports, other_collected, forwarded, window_start, window_end)
         select $1, f.*, case when f.collected is not null then 0 end,
                case when f.collected is not null then f.first_at end,
                case when f.collected is not null then f.last_at end
         from unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::date[], $8::timestamptz[],
                $9::timestamptz[], $10::uuid[], $11::bigint[], $12::bigint[], $13::integer[], $14::bigint[])
              as f (id, kind, person_id, category, about, day, first_at, last_at, import_id, collected, dropped,
                reports, records)
         order by f.kind, f.category, f.about, f.person_id, f.day
         on conflict (kind, coalesce(person_id, '00000000-0000-0000-0000-000000000000'),
                coalesce(agent_id, '00000000-0000-0000-0000-000000000000'), coalesce(category, ''), about,
                coalesce(day, '0001-01-01'), field)
         do update set first_at = least(finding.first_at, excluded.first_at),
                       last_at = greatest(finding.last_at, excluded.last_at)
         where excluded.first_at < finding.first_at or excluded.last_at > finding.last_at",
        found_at as _,
        &c.id,
        &c.kind,
        &c.person_id,
        &c.category,
        &c.about,
        &c.day as &[Option<Day>],
        &c.first_at as _,
        &c.last_at as _,
        &c.import_id,
        &c.collected as &[Option<i64>],
        &c.dropped as &[Option<i64>],
        &c.reports as &[Option<i32>],
        &c.records as &[Option<i64>],
    )
    .execute(db)
    .await?;
    Ok(())
}
