//! The way a decision takes: when each of a person's agents was told of it, and when it said that it obeys.

pub mod store;

use uuid::Uuid;

use super::store::policy::OwnAgentRow;
use crate::clock::Time;

/// Seconds after which a confirmation is overdue.
pub const OVERDUE_SECONDS: i64 = 300;

/// Seconds by which an agent's clock may differ from the server's; more can't be believed.
const CLOCKS_DIFFER: i64 = 300;

/// Seconds between what an agent says and the server's hearing of it that need no word.
const HEARD_AT_ONCE: i64 = 60;

/// What an agent was told in one revision.
#[derive(Debug, Clone)]
pub struct Told {
    pub agent_id: Uuid,
    pub at: Time,
    /// Processings that may be collected under it.
    pub allowed: Vec<Uuid>,
    pub confirmed: Option<Confirmed>,
}

/// That an agent obeys, by its own clock, and when the server heard so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    pub applied_at: Time,
    pub received_at: Time,
}

impl Confirmed {
    /// When it was heard of, where that was at another time than what it says.
    pub fn heard_later(&self) -> Option<Time> {
        let apart = self.received_at.seconds_since(self.applied_at).abs();
        (apart > HEARD_AT_ONCE).then_some(self.received_at)
    }
}

/// Whether an agent can have applied a revision then that was made at this time; the words say why not.
pub fn check_applied(applied_at: Time, made_at: Time, now: Time) -> Result<(), &'static str> {
    if made_at.seconds_since(applied_at) > CLOCKS_DIFFER {
        return Err("is before this revision was made, by more than 5 minutes: is the agent's clock right?");
    }
    if applied_at.seconds_since(now) > CLOCKS_DIFFER {
        return Err("is in the future, by more than 5 minutes: is the agent's clock right?");
    }
    Ok(())
}

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
        confirmed: Confirmed,
    },
    Told(Time),
    NotTold,
    /// What the agent was told before fits already.
    Same,
    /// Changed again before the agent asked.
    Overtaken,
    /// Told then, and changed again before the agent said that it obeys.
    Unapplied(Time),
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

/// How far this change came with each of these agents. `told` is what all of them were ever told about this
/// person, by agent and revision.
pub fn ways(changed: Changed, agents: &[OwnAgentRow], told: &[Told], now: Time) -> Vec<Way> {
    // A device that became somebody's later was told of the result and of nothing before.
    let theirs = agents.iter().filter(|a| a.since.max(a.enrolled_at) <= changed.at);
    theirs
        .map(|agent| {
            let own: Vec<&Told> = told.iter().filter(|t| t.agent_id == agent.agent_id).collect();
            let (outcome, until) = outcome(changed, agent, &own);
            let waits = matches!(outcome, Outcome::Told(_) | Outcome::NotTold | Outcome::Unapplied(_));
            Way {
                device: agent.label.clone(),
                last_seen_at: agent.last_seen_at,
                outcome,
                is_overdue: waits && until.unwrap_or(now).seconds_since(changed.at) > OVERDUE_SECONDS,
            }
        })
        .collect()
}

/// How far it came, and when it no longer counted.
fn outcome(changed: Changed, agent: &OwnAgentRow, told: &[&Told]) -> (Outcome, Option<Time>) {
    let fits = |t: &Told| t.allowed.contains(&changed.processing) == changed.allowed;
    let in_time = |t: &Told| changed.until.is_none_or(|until| t.at < until);
    let first = told.iter().position(|t| t.at >= changed.at && in_time(t) && fits(t));
    let Some(first) = first else {
        let before = told.iter().rev().find(|t| t.at < changed.at);
        let outcome = match before {
            Some(before) if fits(before) => Outcome::Same,
            _ if changed.until.is_some() => Outcome::Overtaken,
            _ if changed.allowed && !agent.is_confirmed => Outcome::Unclaimed,
            _ => Outcome::NotTold,
        };
        return (outcome, changed.until);
    };
    let since = &told[first..];
    let told_at = since[0].at;
    // Whoever confirms what says the contrary, or what came after it, says nothing of this.
    let contrary = since.iter().position(|t| !fits(t));
    let still = &since[..contrary.unwrap_or(since.len())];
    if let Some(confirmed) = still.iter().find_map(|t| t.confirmed) {
        return (Outcome::Applied { told_at, confirmed }, None);
    }
    let until = changed.until.into_iter().chain(contrary.map(|i| since[i].at)).min();
    (if until.is_some() { Outcome::Unapplied(told_at) } else { Outcome::Told(told_at) }, until)
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

    fn confirmed(second: i64) -> Confirmed {
        Confirmed { applied_at: at(second), received_at: at(second + 1) }
    }

    /// When each revision was told, whether it allows, when it was confirmed.
    fn told(rows: &[(i64, bool, Option<i64>)]) -> Vec<Told> {
        let row = |(second, allows, applied): &(i64, bool, Option<i64>)| Told {
            agent_id: AGENT,
            at: at(*second),
            allowed: if *allows { vec![PROCESSING] } else { Vec::new() },
            confirmed: applied.map(confirmed),
        };
        rows.iter().map(row).collect()
    }

    fn refusal(until: Option<i64>) -> Changed {
        Changed { processing: PROCESSING, at: at(0), allowed: false, until: until.map(at) }
    }

    fn only(changed: Changed, told: &[Told], now: i64) -> Way {
        ways(changed, &[agent(-100, true)], told, at(now)).remove(0)
    }

    #[test]
    fn told_by_the_first_revision_that_fits_and_applied_by_the_first_confirmation_of_it_or_a_later_one() {
        let rows = told(&[(-50, true, Some(-40)), (12, false, None), (30, false, Some(41))]);
        let way = only(refusal(None), &rows, 60);
        assert_eq!(way.outcome, Outcome::Applied { told_at: at(12), confirmed: confirmed(41) });
        assert!(!way.is_overdue);
        // A revision about something else in between says nothing of this.
        let rows = told(&[(-50, true, Some(-40)), (5, true, Some(6)), (12, false, None)]);
        assert_eq!(only(refusal(None), &rows, 60).outcome, Outcome::Told(at(12)));
    }

    #[test]
    fn a_later_revision_that_says_the_contrary_confirms_nothing() {
        // A no that was told and never confirmed; then a yes, which was.
        let rows = told(&[(-50, true, Some(-40)), (1, false, None), (21, true, Some(24))]);
        let way = only(refusal(Some(20)), &rows, 1000);
        assert_eq!((way.outcome, way.is_overdue), (Outcome::Unapplied(at(1)), false));
        // Nor does another no after that.
        let rows = told(&[(1, false, None), (21, true, Some(24)), (41, false, Some(44))]);
        assert_eq!(only(refusal(Some(20)), &rows, 1000).outcome, Outcome::Unapplied(at(1)));
        // It had its time before it was changed again.
        let rows = told(&[(1, false, None), (601, true, Some(604))]);
        let way = only(refusal(Some(600)), &rows, 1000);
        assert_eq!((way.outcome, way.is_overdue), (Outcome::Unapplied(at(1)), true));
        // Changed by something else than a decision.
        let way = only(refusal(None), &rows, 1000);
        assert_eq!((way.outcome, way.is_overdue), (Outcome::Unapplied(at(1)), true));
        // Something else changed in between, and that was confirmed while the no still held.
        let rows = told(&[(1, false, None), (9, false, Some(12)), (21, true, None)]);
        let applied = Outcome::Applied { told_at: at(1), confirmed: confirmed(12) };
        assert_eq!(only(refusal(Some(20)), &rows, 1000).outcome, applied);
    }

    #[test]
    fn an_agent_can_have_applied_only_what_was_made_and_not_in_the_future() {
        let check = |applied| check_applied(at(applied), at(0), at(1000)).is_ok();
        assert_eq!([-301, -300, 0, 1300, 1301].map(check), [false, true, true, true, false]);
        let heard = |second| Confirmed { applied_at: at(0), received_at: at(second) }.heard_later();
        assert_eq!([-61, -60, 60, 61].map(heard), [Some(at(-61)), None, None, Some(at(61))]);
    }

    #[test]
    fn a_confirmation_is_overdue_after_five_minutes() {
        let rows = told(&[(-50, true, Some(-40)), (12, false, None)]);
        assert!(!only(refusal(None), &rows, 300).is_overdue);
        assert!(only(refusal(None), &rows, 301).is_overdue);
        let silent = only(refusal(None), &told(&[]), 301);
        assert_eq!((silent.outcome, silent.is_overdue), (Outcome::NotTold, true));
    }

    #[test]
    fn nothing_is_awaited_of_an_agent_that_need_not_change() {
        // The yes before never reached it.
        let rows = told(&[(-50, false, Some(-40))]);
        let way = only(refusal(None), &rows, 1000);
        assert_eq!((way.outcome, way.is_overdue), (Outcome::Same, false));
        // Changed again before it asked.
        let rows = told(&[(-50, true, Some(-40))]);
        assert_eq!(only(refusal(Some(20)), &rows, 1000).outcome, Outcome::Overtaken);
        // What it was told after that belongs to a later decision.
        let rows = told(&[(-50, true, Some(-40)), (90, false, Some(91))]);
        assert_eq!(only(refusal(Some(20)), &rows, 1000).outcome, Outcome::Overtaken);
    }

    #[test]
    fn devices_count_since_they_are_somebodys() {
        assert!(ways(refusal(None), &[agent(5, true)], &[], at(1000)).is_empty());
        let yes = Changed { allowed: true, ..refusal(None) };
        let way = ways(yes, &[agent(-100, false)], &told(&[(-50, false, None)]), at(1000)).remove(0);
        assert_eq!((way.outcome, way.is_overdue), (Outcome::Unclaimed, false));
    }
}
