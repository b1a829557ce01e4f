//! SQL of what hasn't come yet: places of agents' chains, and time.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

pub struct ChainGapRow {
    pub agent_id: Uuid,
    pub boot_id: Uuid,
    pub first_seq: i64,
    pub last_seq: i64,
}

pub async fn list_chain_gaps(
    db: &mut PgConnection,
    agents: &[Uuid],
    boots: &[Uuid],
) -> Result<Vec<ChainGapRow>> {
    sqlx::query_as!(
        ChainGapRow,
        "select agent_id, boot_id, first_seq, last_seq from agent_chain_gap
         where (agent_id, boot_id) in (select * from unnest($1::uuid[], $2::uuid[]))",
        agents,
        boots,
    )
    .fetch_all(db)
    .await
}

/// The gaps of this chain are these from now on.
pub async fn replace_chain_gaps(
    db: &mut PgConnection,
    (agent, boot): (Uuid, Uuid),
    first: &[i64],
    last: &[i64],
    now: Time,
) -> Result<()> {
    sqlx::query!("delete from agent_chain_gap where agent_id = $1 and boot_id = $2", agent, boot)
        .execute(&mut *db)
        .await?;
    sqlx::query!(
        "insert into agent_chain_gap (agent_id, boot_id, first_seq, last_seq, noticed_at)
         select $1, $2, *, $5 from unnest($3::bigint[], $4::bigint[])",
        agent,
        boot,
        first,
        last,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub struct UncoveredRow {
    pub agent_id: Uuid,
    pub starts_at: Time,
    pub ends_at: Time,
}

pub async fn list_uncovered(db: &mut PgConnection, agents: &[Uuid]) -> Result<Vec<UncoveredRow>> {
    sqlx::query_as!(
        UncoveredRow,
        "select agent_id, starts_at, ends_at from agent_uncovered where agent_id = any($1)",
        agents
    )
    .fetch_all(db)
    .await
}

/// What no report of this agent has spoken of is this from now on.
pub async fn replace_uncovered(
    db: &mut PgConnection,
    agent: Uuid,
    starts: &[Time],
    ends: &[Time],
) -> Result<()> {
    sqlx::query!("delete from agent_uncovered where agent_id = $1", agent).execute(&mut *db).await?;
    sqlx::query!(
        "insert into agent_uncovered (agent_id, starts_at, ends_at)
         select $1, * from unnest($2::timestamptz[], $3::timestamptz[])",
        agent,
        starts as _,
        ends as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Drops what is older than raw reports are kept.
pub async fn delete_gaps_before(db: &mut PgConnection, before: Time) -> Result<()> {
    sqlx::query!("delete from agent_chain_gap where noticed_at < $1", before as _).execute(&mut *db).await?;
    sqlx::query!("delete from agent_uncovered where ends_at < $1", before as _).execute(db).await?;
    Ok(())
}
