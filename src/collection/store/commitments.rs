//! SQL of the daily commitments to report chains.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use super::fleet::ChainHead;
use crate::clock::{Day, Time};
use crate::ledger::EntryId;

/// Whether the day has no commitment yet. Holds others off until the transaction ends.
pub async fn is_due(db: &mut PgConnection, day: Day) -> Result<bool> {
    sqlx::query!("lock table report_commitment in share row exclusive mode").execute(&mut *db).await?;
    sqlx::query_scalar!(
        r#"select not exists (select from report_commitment where day >= $1) as "due!""#,
        day as _
    )
    .fetch_one(db)
    .await
}

pub async fn insert_commitment(db: &mut PgConnection, day: Day, at: Time, entry: EntryId) -> Result<()> {
    sqlx::query!(
        "insert into report_commitment (day, at, ledger_entry) values ($1, $2, $3)",
        day as _,
        at as _,
        entry.0,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn insert_opening(
    db: &mut PgConnection,
    day: Day,
    number: i32,
    salt: &[u8],
    head: &ChainHead,
) -> Result<()> {
    sqlx::query!(
        "insert into report_opening (day, number, agent_id, salt, boot_id, seq, head)
         values ($1, $2, $3, $4, $5, $6, $7)",
        day as _,
        number,
        head.agent_id,
        salt,
        head.boot_id,
        head.last_seq,
        head.last_hash,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn delete_openings_before(db: &mut PgConnection, day: Day) -> Result<()> {
    sqlx::query!("delete from report_opening where day < $1", day as _).execute(db).await?;
    Ok(())
}

pub struct Newest {
    pub day: Day,
    pub at: Time,
    pub position: Option<i64>,
}

pub async fn find_newest(db: &mut PgConnection) -> Result<Option<Newest>> {
    sqlx::query_as!(
        Newest,
        "select c.day, c.at, e.position from report_commitment c join ledger_entry e on e.id = c.ledger_entry
         order by c.day desc limit 1"
    )
    .fetch_optional(db)
    .await
}

pub struct OpeningRow {
    pub agent_id: Uuid,
    pub device_id: Uuid,
    pub salt: Vec<u8>,
    pub boot_id: Uuid,
    pub seq: i64,
    pub head: Vec<u8>,
}

/// A day's openings in the order of their commitments.
pub async fn list_openings(db: &mut PgConnection, day: Day) -> Result<Vec<OpeningRow>> {
    sqlx::query_as!(
        OpeningRow,
        "select o.agent_id, g.device_id, o.salt, o.boot_id, o.seq, o.head
         from report_opening o join agent g on g.id = o.agent_id where o.day = $1 order by o.number",
        day as _
    )
    .fetch_all(db)
    .await
}

/// The devices that were this person's at that time.
pub async fn list_devices_of(db: &mut PgConnection, person: Uuid, at: Time) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select device_id from device_assignment where person_id = $1 and period @> $2::timestamptz",
        person,
        at as _
    )
    .fetch_all(db)
    .await
}

/// The newest entry of the log that commits to each agent's reports: agent and index.
pub async fn list_places(db: &mut PgConnection, agents: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
    let rows = sqlx::query!(
        r#"select distinct on (o.agent_id) o.agent_id, e.position as "position!"
           from report_opening o join report_commitment c on c.day = o.day
           join ledger_entry e on e.id = c.ledger_entry
           where o.agent_id = any($1) and e.position is not null order by o.agent_id, o.day desc"#,
        agents
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.agent_id, row.position)).collect())
}
