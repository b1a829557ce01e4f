//! Compares what agents on one device counted, once a day is over and its reports needn't be waited for any more.

use super::model::compare::{self, Agreement, Count};
use super::store::compare::{self as store, CountRow, Misreport};
use crate::app::AppState;
use crate::clock::Day;
use crate::error::Result;

/// Days that counts are kept: as long as the worker's page pictures them, and some.
const KEPT_DAYS: i64 = 100;

/// Days that the very first comparison looks back.
const FIRST_DAYS: i64 = 30;

impl CountRow {
    fn count(&self) -> Count {
        Count {
            agent_id: self.agent_id,
            from: self.watched_from,
            to: self.watched_to,
            seconds: self.seconds,
            taken: self.taken,
            dropped: self.dropped,
            reports: i64::from(self.reports),
            is_gateway: self.is_gateway,
        }
    }
}

/// Looks for contradictions (R8) in the days that became due since the last time. Doing it twice finds the same.
pub async fn compare_counts(state: &AppState) -> Result<()> {
    let now = state.clock.now();
    for lag in compare::lags() {
        let due = compare::newest_due(now, lag.hours);
        let mut tx = state.db.begin().await?;
        let through = store::lock_compared(&mut tx, lag.hours, due.plus_days(-FIRST_DAYS)).await?;
        if through < due {
            let rows = store::list_counts(&mut tx, through, due, &lag.programs, lag.all_but).await?;
            let mut found = Vec::new();
            for same in rows.chunk_by(|a, b| a.subject() == b.subject()) {
                let counts: Vec<Count> = same.iter().map(CountRow::count).collect();
                for (low, high) in compare::misreports(&counts) {
                    let Some(low) = same.iter().find(|row| row.agent_id == low.agent_id) else { continue };
                    let id = state.random.uuid(now);
                    let high = (high.agent_id, high.taken);
                    found.push(Misreport { id, low, high, at: now });
                }
            }
            store::set_compared(&mut tx, lag.hours, due).await?;
            // Once and last: what is found makes others wait until this is committed.
            store::insert_misreports(&mut tx, &found).await?;
        }
        tx.commit().await?;
    }
    let today = now.day(&jiff::tz::TimeZone::UTC);
    let mut db = state.db.acquire().await?;
    Ok(store::delete_counts_before(&mut db, today.plus_days(-KEPT_DAYS)).await?)
}

/// Whether another agent's count bears out what this one took and dropped on that day.
pub(super) fn agreement(
    rows: &[CountRow],
    agent: uuid::Uuid,
    day: Day,
    category: &str,
    program: &str,
) -> Agreement {
    let of_day = |r: &&CountRow| r.day == day && r.category == category && r.program == program;
    let own = rows.iter().filter(of_day).find(|r| r.agent_id == agent);
    let Some(own) = own else { return Agreement::OwnWord };
    let counts: Vec<Count> =
        rows.iter().filter(|r| r.subject() == own.subject()).map(CountRow::count).collect();
    compare::agreement(agent, &counts)
}
