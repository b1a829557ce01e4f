//! The way a decision takes: when each of a person's agents was told of it, and when it said that it obeys. No
//! I/O.

use uuid::Uuid;

use super::store::policy::{OwnAgentRow, ToldRow};
use crate::clock::Time;

/// Seconds after which a confirmation is overdue.
pub const OVERDUE_SECONDS: i64 = 300;

/// What a decision changed, as far as agents are concerned.
#[derive(Debug, Clone, Copy)]
pub struct Changed {
    pub processing: Uuid,
    pub at: Time,
    pub allowed: bool,
    /// When a later decision changed it again.
    pub until: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The agent was told, and says that it obeys.
    Applied {
        told_at: Time,
        applied_at: Time,
    },
    Told(Time),
    NotTold,
    /// What the agent was told before fits already.
    Same,
    /// Changed again before the agent asked.
    Overtaken,
    /// Nobody has said that the device is theirs, so the agent is told of no yes.
    Unclaimed,
}

/// One agent, and how far the decision came.
#[derive(Debug, Clone)]
pub struct Way {
    pub device: String,
    pub last_seen_at: Option<Time>,
    pub outcome: Outcome,
    /// The agent has had its time and hasn't confirmed.
    pub is_overdue: bool,
}

impl Way {
    pub fn told_at(&self) -> Option<Time> {
        match self.outcome {
            Outcome::Applied { told_at, .. } | Outcome::Told(told_at) => Some(told_at),
            _ => None,
        }
    }

    pub fn applied_at(&self) -> Option<Time> {
        match self.outcome {
            Outcome::Applied { applied_at, .. } => Some(applied_at),
            _ => None,
        }
    }
}

/// How far this change came with each of these agents. `told` is what all of them were ever told about this
/// person, by agent and revision.
pub fn ways(changed: Changed, agents: &[OwnAgentRow], told: &[ToldRow], now: Time) -> Vec<Way> {
    // A device that became somebody's later was told of the result and of nothing before.
    let theirs = agents.iter().filter(|a| a.since.max(a.enrolled_at) <= changed.at);
    theirs
        .map(|agent| {
            let own: Vec<&ToldRow> = told.iter().filter(|t| t.agent_id == agent.agent_id).collect();
            let outcome = outcome(changed, agent, &own);
            let waits = matches!(outcome, Outcome::Told(_) | Outcome::NotTold);
            Way {
                device: agent.label.clone(),
                last_seen_at: agent.last_seen_at,
                outcome,
                is_overdue: waits && now.seconds_since(changed.at) > OVERDUE_SECONDS,
            }
        })
        .collect()
}

fn outcome(changed: Changed, agent: &OwnAgentRow, told: &[&ToldRow]) -> Outcome {
    let fits = |t: &ToldRow| t.allowed.contains(&changed.processing) == changed.allowed;
    let in_time = |t: &ToldRow| changed.until.is_none_or(|until| t.at < until);
    let first = told.iter().position(|t| t.at >= changed.at && in_time(t) && fits(t));
    let Some(first) = first else {
        let before = told.iter().rev().find(|t| t.at < changed.at);
        return match before {
            Some(before) if fits(before) => Outcome::Same,
            _ if changed.until.is_some() => Outcome::Overtaken,
            _ if changed.allowed && !agent.is_confirmed => Outcome::Unclaimed,
            _ => Outcome::NotTold,
        };
    };
    let told_at = told[first].at;
    match told[first..].iter().find_map(|t| t.applied_at) {
        Some(applied_at) => Outcome::Applied { told_at, applied_at },
        None => Outcome::Told(told_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESSING: Uuid = Uuid::from_u128(7);
    const AGENT: Uuid = Uuid::from_u128(1);

    fn at(second: i64) -> Time {
        let start: Time = "2026-11-02T10:00:00Z".parse::<jiff::Timestamp>().unwrap().into();
        start.plus_seconds(second)
    }

    fn agent(since: i64, is_confirmed: bool) -> OwnAgentRow {
        OwnAgentRow {
            agent_id: AGENT,
            label: "Ada’s laptop".into(),
            software: "acme/1".into(),
            enrolled_at: at(since),
            last_seen_at: None,
            since: at(since),
            is_confirmed,
        }
    }

    /// Revision, when it was told, whether it allows, when it was confirmed.
    fn told(rows: &[(i64, i64, bool, Option<i64>)]) -> Vec<ToldRow> {
        let row = |(revision, second, allows, applied): &(i64, i64, bool, Option<i64>)| ToldRow {
            agent_id: AGENT,
            revision: *revision,
            at: at(*second),
            allowed: if *allows { vec![PROCESSING] } else { Vec::new() },
            applied_at: applied.map(at),
        };
        rows.iter().map(row).collect()
    }

    fn refusal(until: Option<i64>) -> Changed {
        Changed { processing: PROCESSING, at: at(0), allowed: false, until: until.map(at) }
    }

    fn only(changed: Changed, told: &[ToldRow], now: i64) -> Way {
        ways(changed, &[agent(-100, true)], told, at(now)).remove(0)
    }

    #[test]
    fn told_by_the_first_revision_that_fits_and_applied_by_the_first_confirmation_of_it_or_a_later_one() {
        let rows = told(&[(1, -50, true, Some(-40)), (2, 12, false, None), (3, 30, false, Some(41))]);
        let way = only(refusal(None), &rows, 60);
        assert_eq!(way.outcome, Outcome::Applied { told_at: at(12), applied_at: at(41) });
        assert!(!way.is_overdue);
        // A revision about something else in between says nothing of this.
        let rows = told(&[(1, -50, true, Some(-40)), (2, 5, true, Some(6)), (3, 12, false, None)]);
        assert_eq!(only(refusal(None), &rows, 60).outcome, Outcome::Told(at(12)));
    }

    #[test]
    fn a_confirmation_is_overdue_after_five_minutes() {
        let rows = told(&[(1, -50, true, Some(-40)), (2, 12, false, None)]);
        assert!(!only(refusal(None), &rows, 300).is_overdue);
        assert!(only(refusal(None), &rows, 301).is_overdue);
        let silent = only(refusal(None), &told(&[]), 301);
        assert_eq!((silent.outcome, silent.is_overdue), (Outcome::NotTold, true));
    }

    #[test]
    fn nothing_is_awaited_of_an_agent_that_need_not_change() {
        // The yes before never reached it.
        let rows = told(&[(1, -50, false, Some(-40))]);
        let way = only(refusal(None), &rows, 1000);
        assert_eq!((way.outcome, way.is_overdue), (Outcome::Same, false));
        // Changed again before it asked.
        let rows = told(&[(1, -50, true, Some(-40))]);
        assert_eq!(only(refusal(Some(20)), &rows, 1000).outcome, Outcome::Overtaken);
        // What it was told after that belongs to a later decision.
        let rows = told(&[(1, -50, true, Some(-40)), (2, 90, false, Some(91))]);
        assert_eq!(only(refusal(Some(20)), &rows, 1000).outcome, Outcome::Overtaken);
    }

    #[test]
    fn devices_count_since_they_are_somebodys() {
        assert!(ways(refusal(None), &[agent(5, true)], &[], at(1000)).is_empty());
        let yes = Changed { allowed: true, ..refusal(None) };
        let way = ways(yes, &[agent(-100, false)], &told(&[(1, -50, false, None)]), at(1000)).remove(0);
        assert_eq!((way.outcome, way.is_overdue), (Outcome::Unclaimed, false));
    }
}
