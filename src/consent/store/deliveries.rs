//! SQL of messages on their way to other systems.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use super::systems::Target;
use crate::clock::{Day, Time};

pub struct NewDelivery<'a> {
    pub id: Uuid,
    pub system: Uuid,
    pub decided_on: Day,
    pub body: &'a str,
    pub give_up_at: Time,
}

pub async fn insert(db: &mut PgConnection, delivery: NewDelivery<'_>, now: Time) -> Result<()> {
    sqlx::query!(
        "insert into webhook_delivery (id, system_id, decided_on, body, run_at, give_up_at, attempts)
         values ($1, $2, $3, $4, $5, $6, 0)",
        delivery.id,
        delivery.system,
        delivery.decided_on as _,
        delivery.body,
        now as _,
        delivery.give_up_at as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Systems for which something is due.
pub async fn list_due(db: &mut PgConnection, now: Time) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select distinct system_id from webhook_delivery where body is not null and run_at <= $1",
        now as _
    )
    .fetch_all(db)
    .await
}

/// A message to be sent now.
pub struct Due {
    pub id: Uuid,
    pub target: Target,
    pub body: String,
    /// Tries, this one among them.
    pub attempts: i32,
    pub give_up_at: Time,
}

/// Takes the message to this system that has been due longest, and keeps other instances off it until `until`.
pub async fn claim(db: &mut PgConnection, system: Uuid, now: Time, until: Time) -> Result<Option<Due>> {
    let row = sqlx::query!(
        r#"update webhook_delivery d set run_at = $3, attempts = attempts + 1 from system s
           where s.id = d.system_id and s.revoked_at is null and s.webhook is not null
             and d.id = (select id from webhook_delivery
                         where system_id = $1 and body is not null and run_at <= $2
                         order by run_at, id limit 1 for update skip locked)
           returning d.id, s.id as system, s.webhook as "webhook!", s.secret_number, d.body as "body!",
                     d.attempts as "attempts!", d.give_up_at as "give_up_at!: Time""#,
        system,
        now as _,
        until as _,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Due {
        id: row.id,
        target: Target { system: row.system, webhook: row.webhook, secret_number: row.secret_number },
        body: row.body,
        attempts: row.attempts,
        give_up_at: row.give_up_at,
    }))
}

/// It has arrived: of the message nothing stays but the day.
pub async fn mark_delivered(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!(
        "update webhook_delivery set delivered = true, failed = null, body = null, run_at = null,
             give_up_at = null, attempts = null where id = $1",
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn mark_failed(db: &mut PgConnection, id: Uuid, run_at: Time, failed: &str) -> Result<()> {
    sqlx::query!(
        "update webhook_delivery set run_at = $2, failed = $3 where id = $1 and body is not null",
        id,
        run_at as _,
        failed
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn give_up(db: &mut PgConnection, id: Uuid, failed: &str) -> Result<()> {
    sqlx::query!(
        "update webhook_delivery set failed = $2, body = null, run_at = null, give_up_at = null, attempts = null
         where id = $1",
        id,
        failed
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Exact counts of one system's day; nobody is shown them as they are.
pub struct DayRow {
    pub system_id: Uuid,
    pub decided_on: Day,
    pub delivered: i64,
    pub waiting: i64,
    pub given_up: i64,
}

/// Counts of the days in `[from, to)`.
pub async fn count_days(db: &mut PgConnection, from: Day, to: Day) -> Result<Vec<DayRow>> {
    sqlx::query_as!(
        DayRow,
        r#"select system_id, decided_on, count(*) filter (where delivered) as "delivered!",
                  count(*) filter (where body is not null) as "waiting!",
                  count(*) filter (where not delivered and body is null) as "given_up!"
           from webhook_delivery where decided_on >= $1 and decided_on < $2 group by system_id, decided_on"#,
        from as _,
        to as _,
    )
    .fetch_all(db)
    .await
}

/// Systems to which some message was given up, whenever that was.
pub async fn list_given_up(db: &mut PgConnection) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select distinct system_id from webhook_delivery where not delivered and body is null order by system_id"
    )
    .fetch_all(db)
    .await
}
