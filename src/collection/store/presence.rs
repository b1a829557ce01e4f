//! SQL of known monitoring programs that are there, and of who looked for them when.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::{Day, Time};

/// That an agent looked.
pub struct LookRow<'a> {
    pub agent_id: Uuid,
    pub report_id: Uuid,
    pub device_id: Uuid,
    pub person_id: Option<Uuid>,
    pub hash: &'a [u8],
    pub window_start: Time,
    pub window_end: Time,
    pub received_at: Time,
}

/// Whether it is new; a copy that comes at the same moment waits for the first.
pub async fn insert_look(db: &mut PgConnection, l: &LookRow<'_>) -> Result<bool> {
    let done = sqlx::query!(
        "insert into presence_look (agent_id, report_id, device_id, person_id, hash, window_start, window_end, received_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
        l.agent_id,
        l.report_id,
        l.device_id,
        l.person_id,
        l.hash,
        l.window_start as _,
        l.window_end as _,
        l.received_at as _,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The hash of a report that was taken, and when.
pub async fn find_look(db: &mut PgConnection, agent_id: Uuid, report_id: Uuid) -> Result<(Vec<u8>, Time)> {
    let row = sqlx::query!(
        r#"select hash, received_at as "received_at: Time" from presence_look where agent_id = $1 and report_id = $2"#,
        agent_id,
        report_id,
    )
    .fetch_one(db)
    .await?;
    Ok((row.hash, row.received_at))
}

/// What one report saw on its device.
pub struct PresenceColumns {
    device_id: Uuid,
    person_id: Option<Uuid>,
    agent_id: Uuid,
    pub day: Vec<Day>,
    pub product: Vec<String>,
    pub by: Vec<String>,
    pub first_seen: Vec<Time>,
    pub last_seen: Vec<Time>,
}

impl PresenceColumns {
    pub fn new(device_id: Uuid, person_id: Option<Uuid>, agent_id: Uuid) -> Self {
        let (day, product, by, first_seen, last_seen) = Default::default();
        PresenceColumns { device_id, person_id, agent_id, day, product, by, first_seen, last_seen }
    }
}

/// Adds to the days' rows: times are only widened, so that the order of reports doesn't matter.
pub async fn upsert_presence(db: &mut PgConnection, c: &PresenceColumns) -> Result<()> {
    sqlx::query!(
        "insert into presence (device_id, person_id, agent_id, day, product, by, first_seen, last_seen)
         select $1, $2, $3, * from unnest($4::date[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[])
         on conflict (day, device_id, coalesce(person_id, '00000000-0000-0000-0000-000000000000'), product, by, agent_id)
         do update set first_seen = least(presence.first_seen, excluded.first_seen),
                       last_seen = greatest(presence.last_seen, excluded.last_seen)",
        c.device_id,
        c.person_id,
        c.agent_id,
        &c.day as _,
        &c.product,
        &c.by,
        &c.first_seen as _,
        &c.last_seen as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub struct PresenceRow {
    pub day: Day,
    pub device_id: Uuid,
    pub person_id: Uuid,
    pub product: String,
    pub agent_id: Uuid,
    pub first_seen: Time,
    pub last_seen: Time,
}

/// What was seen on people's devices on these days, oldest first.
pub async fn list_presence(db: &mut PgConnection, since: Day, through: Day) -> Result<Vec<PresenceRow>> {
    sqlx::query_as!(
        PresenceRow,
        r#"select day, device_id, person_id as "person_id!", product, agent_id, first_seen, last_seen from presence
           where person_id is not null and day >= $1 and day <= $2 order by day, device_id, product, by, agent_id"#,
        since as _,
        through as _,
    )
    .fetch_all(db)
    .await
}

/// Whether any agent said anything of a program about this person in that time, "I saw nothing" included.
pub async fn is_reported(
    db: &mut PgConnection,
    person_id: Uuid,
    product: &str,
    days: (Day, Day),
    times: (Time, Time),
) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from collection_daily where person_id = $1 and day between $3 and $4
                          and split_part(source, '/', 1) = $2)
               or exists (select from collection_report r, jsonb_array_elements(r.items) i
                          -- By agent, since that is what raw reports have an index by.
                          where r.agent_id in (select g.id from agent g join device_assignment a using (device_id)
                                               where a.person_id = $1)
                          and r.person_id = $1 and r.received_day >= $3 and r.window_end >= $5 and r.window_start <= $6
                          and split_part(i ->> 'source', '/', 1) = $2) as "reported!""#,
        person_id,
        product,
        days.0 as _,
        days.1 as _,
        times.0 as _,
        times.1 as _,
    )
    .fetch_one(db)
    .await
}

/// A product on one of a person's devices: what of it one kind of evidence says.
pub struct SeenRow {
    pub device_id: Uuid,
    pub device: String,
    pub product: String,
    pub by: String,
    pub first_seen: Time,
    pub last_seen: Time,
}

/// What was seen on this person's devices while they were theirs.
pub async fn list_seen(db: &mut PgConnection, person_id: Uuid) -> Result<Vec<SeenRow>> {
    sqlx::query_as!(
        SeenRow,
        r#"select p.device_id, d.label as device, p.product, p.by, min(p.first_seen) as "first_seen!: Time",
                  max(p.last_seen) as "last_seen!: Time"
           from presence p join device d on d.id = p.device_id where p.person_id = $1
           group by p.device_id, d.label, p.product, p.by order by d.label, p.device_id, p.product, p.by"#,
        person_id,
    )
    .fetch_all(db)
    .await
}

/// When each of this person's devices was looked at last while it was theirs.
pub async fn list_looks(db: &mut PgConnection, person_id: Uuid) -> Result<Vec<(Uuid, Time)>> {
    let rows = sqlx::query!(
        r#"select device_id, max(window_end) as "at!: Time" from presence_look where person_id = $1 group by device_id"#,
        person_id,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.device_id, row.at)).collect())
}
