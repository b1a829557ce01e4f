//! SQL of what people say about devices on their name, and about the agents on them.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

/// The device of a present assignment of this person's.
pub async fn find_assigned(db: &mut PgConnection, id: Uuid, person_id: Uuid) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "select device_id from device_assignment where id = $1 and person_id = $2 and upper_inf(period)",
        id,
        person_id,
    )
    .fetch_optional(db)
    .await
}

/// Waits until nobody else puts an agent onto this device or says whose it is.
pub async fn lock_device(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("select id from device where id = $1 for update", id).fetch_one(db).await?;
    Ok(())
}

/// The person says that a device is theirs, if it still is on their name; answers whether it is. What they say
/// covers the agents that are on it now.
pub async fn confirm_assignment(db: &mut PgConnection, id: Uuid, person_id: Uuid, now: Time) -> Result<bool> {
    let done = sqlx::query!(
        "update device_assignment set confirmed_at = greatest(confirmed_at, $3)
         where id = $1 and person_id = $2 and upper_inf(period)",
        id,
        person_id,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Agents on the device of an assignment that its person has said nothing of, oldest first.
pub async fn list_unconfirmed(db: &mut PgConnection, assignment: Uuid) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select g.id from agent g join device_assignment a on a.device_id = g.device_id
         where a.id = $1 and g.revoked_at is null and coalesce(g.enrolled_at > a.confirmed_at, true)
         order by g.enrolled_at, g.id",
        assignment,
    )
    .fetch_all(db)
    .await
}

/// Agents that report from a device, oldest first.
pub async fn list_agents_on(db: &mut PgConnection, device_id: Uuid) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id from agent where device_id = $1 and revoked_at is null order by enrolled_at, id",
        device_id,
    )
    .fetch_all(db)
    .await
}

/// Whether a secret waits with which another agent may come onto this device.
pub async fn is_prepared(db: &mut PgConnection, device_id: Uuid, now: Time) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from enrolment where device_id = $1 and used_at is null
                          and expires_at > $2) as "is_prepared!""#,
        device_id,
        now as _,
    )
    .fetch_one(db)
    .await
}

/// Who put a device on the name of its present holder; none when the server did.
pub async fn find_assigner(db: &mut PgConnection, assignment: Uuid) -> Result<Option<Uuid>> {
    sqlx::query_scalar!("select assigned_by from device_assignment where id = $1", assignment)
        .fetch_one(db)
        .await
}

pub struct Denied {
    pub device_id: Uuid,
    pub assigned_by: Option<Uuid>,
}

/// The person says that a device isn't theirs: it is nobody's from now on. `None` when it isn't on their name.
pub async fn deny_assignment(
    db: &mut PgConnection,
    id: Uuid,
    person_id: Uuid,
    now: Time,
) -> Result<Option<Denied>> {
    sqlx::query_as!(
        Denied,
        "update device_assignment set period = tstzrange(lower(period), $3), denied_at = $3
         where id = $1 and person_id = $2 and upper_inf(period) and lower(period) < $3
         returning device_id, assigned_by",
        id,
        person_id,
        now as _,
    )
    .fetch_optional(db)
    .await
}
