//! SQL of what agents are told, and of what they confirm.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

/// An agent, with whose device it is on now.
pub struct AgentRow {
    pub id: Uuid,
    pub device_id: Uuid,
    pub public_key: Vec<u8>,
    pub person_id: Option<Uuid>,
    /// Whether that person has said that the device is theirs, and this agent was there when they did.
    pub is_confirmed: bool,
}

/// The agent that a token belongs to; none when it is revoked.
pub async fn find_agent(db: &mut PgConnection, token_hash: &[u8], now: Time) -> Result<Option<AgentRow>> {
    sqlx::query_as!(
        AgentRow,
        r#"select g.id, g.device_id, g.public_key, a.person_id as "person_id?",
                  coalesce(a.confirmed_at >= g.enrolled_at, false) as "is_confirmed!"
           from agent g left join device_assignment a on a.device_id = g.device_id and a.period @> $2::timestamptz
           where g.token_hash = $1 and g.revoked_at is null"#,
        token_hash,
        now as _,
    )
    .fetch_optional(db)
    .await
}

/// These agents, unless they are revoked.
pub async fn list_agents(db: &mut PgConnection, ids: &[Uuid], now: Time) -> Result<Vec<AgentRow>> {
    sqlx::query_as!(
        AgentRow,
        r#"select g.id, g.device_id, g.public_key, a.person_id as "person_id?",
                  coalesce(a.confirmed_at >= g.enrolled_at, false) as "is_confirmed!"
           from agent g left join device_assignment a on a.device_id = g.device_id and a.period @> $2::timestamptz
           where g.id = any ($1) and g.revoked_at is null order by g.id"#,
        ids,
        now as _,
    )
    .fetch_all(db)
    .await
}

/// Waits until nobody else makes a policy for this agent.
pub async fn lock_agent(db: &mut PgConnection, agent: Uuid) -> Result<()> {
    sqlx::query!("select id from agent where id = $1 for update", agent).fetch_one(db).await?;
    Ok(())
}

/// What an agent was told last.
pub struct TellingRow {
    pub revision: i64,
    pub sha256: Vec<u8>,
}

pub async fn find_newest(db: &mut PgConnection, agent: Uuid) -> Result<Option<TellingRow>> {
    sqlx::query_as!(
        TellingRow,
        "select revision, sha256 from agent_policy where agent_id = $1 order by revision desc limit 1",
        agent
    )
    .fetch_optional(db)
    .await
}

pub struct NewPolicy<'a> {
    pub agent: Uuid,
    pub revision: i64,
    pub at: Time,
    pub person: Option<Uuid>,
    pub sha256: &'a [u8],
    pub allowed: &'a [Uuid],
}

pub async fn insert(db: &mut PgConnection, policy: &NewPolicy<'_>) -> Result<()> {
    sqlx::query!(
        "insert into agent_policy (agent_id, revision, at, person_id, sha256, allowed)
         values ($1, $2, $3, $4, $5, $6)",
        policy.agent,
        policy.revision,
        policy.at as _,
        policy.person,
        policy.sha256,
        policy.allowed,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The hash of what an agent was told in this revision.
pub async fn find_sha256(db: &mut PgConnection, agent: Uuid, revision: i64) -> Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "select sha256 from agent_policy where agent_id = $1 and revision = $2",
        agent,
        revision
    )
    .fetch_optional(db)
    .await
}

/// Keeps a confirmation; `false` when there was one.
pub async fn insert_confirmation(
    db: &mut PgConnection,
    agent: Uuid,
    revision: i64,
    applied_at: Time,
    received_at: Time,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into policy_confirmation (agent_id, revision, applied_at, received_at) values ($1, $2, $3, $4)
         on conflict do nothing",
        agent,
        revision,
        applied_at as _,
        received_at as _,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Newest revision of each of these agents.
pub async fn list_revisions(db: &mut PgConnection, agents: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
    let rows = sqlx::query!(
        r#"select agent_id, max(revision) as "revision!" from agent_policy where agent_id = any ($1) group by agent_id"#,
        agents
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.agent_id, row.revision)).collect())
}

/// One of a person's agents, for their own page.
pub struct OwnAgentRow {
    pub agent_id: Uuid,
    pub label: String,
    pub software: String,
    pub enrolled_at: Time,
    pub last_seen_at: Option<Time>,
    /// Since when the device is theirs.
    pub since: Time,
    /// Whether they have said so since this agent came.
    pub is_confirmed: bool,
}

/// Agents on the devices that are this person's now.
pub async fn list_own_agents(db: &mut PgConnection, person: Uuid, now: Time) -> Result<Vec<OwnAgentRow>> {
    sqlx::query_as!(
        OwnAgentRow,
        r#"select g.id as agent_id, d.label, g.software, g.enrolled_at, g.last_seen_at,
                  lower(a.period) as "since!: Time", coalesce(a.confirmed_at >= g.enrolled_at, false) as "is_confirmed!"
           from device_assignment a join device d on d.id = a.device_id
           join agent g on g.device_id = d.id and g.revoked_at is null
           where a.person_id = $1 and a.period @> $2::timestamptz order by d.label, g.enrolled_at"#,
        person,
        now as _,
    )
    .fetch_all(db)
    .await
}

/// What one agent was told about somebody, and when it said that it obeys.
pub struct ToldRow {
    pub agent_id: Uuid,
    pub revision: i64,
    pub at: Time,
    pub allowed: Vec<Uuid>,
    pub applied_at: Option<Time>,
}

/// What these agents were ever told; by agent and revision.
pub async fn list_told_to(db: &mut PgConnection, agents: &[Uuid]) -> Result<Vec<ToldRow>> {
    sqlx::query_as!(
        ToldRow,
        r#"select p.agent_id, p.revision, p.at, p.allowed, c.applied_at as "applied_at?"
           from agent_policy p
           left join policy_confirmation c on c.agent_id = p.agent_id and c.revision = p.revision
           where p.agent_id = any ($1) order by p.agent_id, p.revision"#,
        agents,
    )
    .fetch_all(db)
    .await
}

/// The fingerprint of the keys that this database was used with; `ours` where it had none.
pub async fn ensure_fingerprint(db: &mut PgConnection, ours: &str) -> Result<Option<String>> {
    sqlx::query!("update installation set policy_fingerprint = $1 where policy_fingerprint is null", ours)
        .execute(&mut *db)
        .await?;
    sqlx::query_scalar!("select policy_fingerprint from installation")
        .fetch_optional(db)
        .await
        .map(Option::flatten)
}

/// From now on the database is used with these keys.
pub async fn set_fingerprint(db: &mut PgConnection, ours: &str) -> Result<()> {
    sqlx::query!("update installation set policy_fingerprint = $1", ours).execute(db).await?;
    Ok(())
}
