//! SQL of what agents were told and confirmed, as far as the way of a decision needs it.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use super::{Confirmed, Told};
use crate::clock::Time;

/// When this revision was made for an agent.
pub async fn find_made_at(db: &mut PgConnection, agent: Uuid, revision: i64) -> Result<Option<Time>> {
    sqlx::query_scalar!(
        r#"select at as "at: Time" from agent_policy where agent_id = $1 and revision = $2"#,
        agent,
        revision
    )
    .fetch_optional(db)
    .await
}

struct Row {
    agent_id: Uuid,
    at: Time,
    allowed: Vec<Uuid>,
    applied_at: Option<Time>,
    received_at: Option<Time>,
}

/// What this person's agents were ever told; by agent and revision.
pub async fn list_told(db: &mut PgConnection, person: Uuid) -> Result<Vec<Told>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select p.agent_id, p.at as "at: Time", p.allowed, c.applied_at as "applied_at?: Time",
                  c.received_at as "received_at?: Time"
           from agent_policy p
           left join policy_confirmation c on c.agent_id = p.agent_id and c.revision = p.revision
           where p.person_id = $1 order by p.agent_id, p.revision"#,
        person,
    )
    .fetch_all(db)
    .await?;
    let told = |row: Row| Told {
        agent_id: row.agent_id,
        at: row.at,
        allowed: row.allowed,
        confirmed: row
            .applied_at
            .zip(row.received_at)
            .map(|(applied_at, received_at)| Confirmed { applied_at, received_at }),
    };
    Ok(rows.into_iter().map(told).collect())
}
