//! SQL of devices, their assignment, and agents.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

pub async fn ensure_device(db: &mut PgConnection, id: Uuid, label: &str, now: Time) -> Result<Uuid> {
    sqlx::query_scalar!(
        "insert into device (id, label, created_at) values ($1, $2, $3)
         on conflict (label) do update set label = excluded.label returning id",
        id,
        label,
        now as _,
    )
    .fetch_one(db)
    .await
}

pub async fn insert_enrolment(
    db: &mut PgConnection,
    id: Uuid,
    secret_hash: &[u8],
    device_id: Uuid,
    now: Time,
    by: Option<Uuid>,
    expires_at: Time,
) -> Result<()> {
    sqlx::query!(
        "insert into enrolment (id, secret_hash, device_id, created_at, created_by, expires_at)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        secret_hash,
        device_id,
        now as _,
        by,
        expires_at as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Uses up a secret; answers its device. `None` when it is unknown, used or out of date.
pub async fn use_enrolment(db: &mut PgConnection, secret_hash: &[u8], now: Time) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "update enrolment set used_at = $2 where secret_hash = $1 and used_at is null and expires_at > $2
         returning device_id",
        secret_hash,
        now as _,
    )
    .fetch_optional(db)
    .await
}

pub async fn insert_agent(
    db: &mut PgConnection,
    id: Uuid,
    device_id: Uuid,
    software: &str,
    public_key: &[u8],
    token_hash: &[u8],
    now: Time,
) -> Result<()> {
    sqlx::query!(
        "insert into agent (id, device_id, software, public_key, token_hash, enrolled_at)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        device_id,
        software,
        public_key,
        token_hash,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Revokes an agent; answers its device, or `None` when there is no such agent or it is revoked already.
pub async fn revoke_agent(db: &mut PgConnection, id: Uuid, now: Time) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "update agent set revoked_at = $2 where id = $1 and revoked_at is null returning device_id",
        id,
        now as _,
    )
    .fetch_optional(db)
    .await
}

/// Whose a device is at that moment.
pub async fn find_holder(db: &mut PgConnection, device_id: Uuid, at: Time) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "select person_id from device_assignment where device_id = $1 and period @> $2::timestamptz",
        device_id,
        at as _,
    )
    .fetch_optional(db)
    .await
}

pub struct FleetRow {
    pub device_id: Uuid,
    pub label: String,
    pub person: Option<String>,
    /// Whether they said that it is theirs.
    pub confirmed: bool,
    /// Whether whoever had it last said that it isn't theirs.
    pub denied: bool,
    pub agent_id: Option<Uuid>,
    pub software: Option<String>,
    pub last_seen_at: Option<Time>,
    pub revoked_at: Option<Time>,
}

/// A page of devices with whose they are now and their agents, by label.
pub async fn list_fleet(
    db: &mut PgConnection,
    now: Time,
    search: &str,
    offset: i64,
    limit: i64,
) -> Result<Vec<FleetRow>> {
    sqlx::query_as!(
        FleetRow,
        r#"select d.id as device_id, d.label, p.name as "person?", a.confirmed_at is not null as "confirmed!",
                  coalesce((select l.denied_at is not null from device_assignment l where l.device_id = d.id
                            order by lower(l.period) desc limit 1), false) as "denied!", g.id as "agent_id?",
                  g.software as "software?", g.last_seen_at, g.revoked_at
           from device d
           left join device_assignment a on a.device_id = d.id and a.period @> $1::timestamptz
           left join person p on p.id = a.person_id
           left join agent g on g.device_id = d.id
           where $2 = '' or strpos(lower(d.label), $2) > 0 or strpos(lower(p.name), $2) > 0
           order by lower(d.label), g.enrolled_at offset $3 limit $4"#,
        now as _,
        search,
        offset,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Ends the present assignment of a device, if there is one; answers whose it was.
pub async fn end_assignment(db: &mut PgConnection, device_id: Uuid, now: Time) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "update device_assignment set period = tstzrange(lower(period), $2)
         where device_id = $1 and period @> $2::timestamptz and lower(period) < $2 returning person_id",
        device_id,
        now as _,
    )
    .fetch_optional(db)
    .await
}

pub async fn insert_assignment(
    db: &mut PgConnection,
    id: Uuid,
    device_id: Uuid,
    person_id: Uuid,
    from: Time,
    by: Option<Uuid>,
) -> Result<()> {
    sqlx::query!(
        "insert into device_assignment (id, device_id, person_id, period, assigned_by)
         values ($1, $2, $3, tstzrange($4, null), $5)",
        id,
        device_id,
        person_id,
        from as _,
        by,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn find_active_person(db: &mut PgConnection, email: &str) -> Result<Option<Uuid>> {
    sqlx::query_scalar!("select id from person where email = $1 and deactivated_at is null", email)
        .fetch_optional(db)
        .await
}

/// Rows that [`list_fleet`] finds in all.
pub async fn count_devices(db: &mut PgConnection, now: Time, search: &str) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from device d
           left join device_assignment a on a.device_id = d.id and a.period @> $1::timestamptz
           left join person p on p.id = a.person_id
           left join agent g on g.device_id = d.id
           where $2 = '' or strpos(lower(d.label), $2) > 0 or strpos(lower(p.name), $2) > 0"#,
        now as _,
        search,
    )
    .fetch_one(db)
    .await
}

/// Where an agent's newest run stands.
pub struct ChainHead {
    pub agent_id: Uuid,
    pub device_id: Uuid,
    pub device: String,
    pub boot_id: Uuid,
    pub last_seq: i64,
    pub last_hash: Vec<u8>,
    pub covered_until: Time,
}

pub async fn list_heads(db: &mut PgConnection) -> Result<Vec<ChainHead>> {
    sqlx::query_as!(
        ChainHead,
        "select distinct on (c.agent_id) c.agent_id, g.device_id, d.label as device, c.boot_id, c.last_seq,
                c.last_hash, c.covered_until
         from agent_chain c join agent g on g.id = c.agent_id join device d on d.id = g.device_id
         where g.revoked_at is null order by c.agent_id, c.covered_until desc"
    )
    .fetch_all(db)
    .await
}
