//! Telling other systems: of a decision, in its own transaction, a message for each that may know; of findings, a day
//! at a time.

use sqlx::PgConnection;

use super::model::State;
use super::pseudonym::Pseudonyms;
use super::store::decisions::Decision;
use super::store::{deliveries, systems};
use super::webhook::{Changed, Message};
use crate::app::AppState;
use crate::clock::Day;
use crate::error::Result;
use crate::register;

/// Days after which a message that nobody takes is given up.
pub const GIVE_UP_DAYS: i64 = 3;

/// Called in the transaction of each decision.
pub async fn tell_systems(db: &mut PgConnection, state: &AppState, decision: &Decision) -> Result<()> {
    // A yes that has run out counted until it did, which was before its row was written.
    let lapsed = decision.state == State::Expired && !decision.allowed_after;
    if decision.allowed_before == decision.allowed_after && !lapsed {
        return Ok(());
    }
    let told = systems::list_told(db, decision.processing_id).await?;
    if told.is_empty() {
        return Ok(());
    }
    let history = register::store::list_history(db, decision.processing_id).await?;
    let in_force = history.iter().rev().find(|r| r.state == register::State::Active);
    let Some(content) = in_force.map(|r| &r.content) else { return Ok(()) };
    let now = state.clock.now();
    let secret = &state.consent.secrets()?.pseudonyms;
    for system in told {
        let message = Message {
            kind: "decision.changed",
            timestamp: decision.at,
            data: Changed {
                subject: Pseudonyms::new(secret, system).of(decision.person_id),
                category: content.category,
                purpose: content.purpose,
                source: content.source.key(),
                decision: if decision.allowed_after { "allow" } else { "deny" },
            },
        };
        let delivery = deliveries::NewDelivery {
            id: state.random.opaque_id(),
            system,
            decided_on: decision.at.day(&state.config.time_zone),
            body: &serde_json::to_string(&message).map_err(anyhow::Error::new)?,
            give_up_at: now.plus_days(GIVE_UP_DAYS),
        };
        deliveries::insert(db, delivery, now).await?;
    }
    Ok(())
}

/// Called once a day with what changed among findings until `today` began: neither persons nor times of day.
pub async fn tell_of_findings(
    db: &mut PgConnection,
    state: &AppState,
    today: Day,
    data: serde_json::Value,
) -> Result<()> {
    let now = state.clock.now();
    let message = Message { kind: "findings.changed", timestamp: today.start(&state.config.time_zone), data };
    let body = serde_json::to_string(&message).map_err(anyhow::Error::new)?;
    for system in systems::list_told_of_findings(db).await? {
        let delivery = deliveries::NewDelivery {
            id: state.random.opaque_id(),
            system,
            decided_on: today.plus_days(-1),
            body: &body,
            give_up_at: now.plus_days(GIVE_UP_DAYS),
        };
        deliveries::insert(db, delivery, now).await?;
    }
    Ok(())
}
