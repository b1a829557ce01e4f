//! When somebody's own choice denied a processing, or nobody told them of it any more: what reports are held against,
//! whenever they arrive.
//!
//! Each moment is judged by what held then: the declaration, the notices, the decisions, and where the person was.
//! What begins with a move begins when they moved.

use std::collections::HashMap;

use anyhow::Context;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{Answer, Held, State, Terms, decide};
use super::rules::{Audience, Rule};
use super::store::people;
use crate::clock::Time;
use crate::collection::model::{Cause, Refusal};
use crate::error::Result;
use crate::identity::{self, Moves};
use crate::notices::{self, Coverage};
use crate::register;

/// Every period in which the own choice of one of these people, or want of one, denied a processing, or in which no
/// notice told them of it any more. What no notice has ever told them of is no such period.
pub async fn refusals(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Refusal>> {
    let place = |department, jurisdiction| Audience { department, jurisdiction };
    let audiences = identity::list_moves(db, ids, place).await?;
    let mut made: HashMap<(Uuid, Uuid), Vec<(Time, Held)>> = HashMap::new();
    for row in people::list_steps(db, ids).await? {
        let state = State::parse(&row.state).context("an unknown state of a decision")?;
        let answer = state.answer().context("a decision that says nothing")?;
        let content = row.content_sha256.try_into().ok().context("a hash of another length")?;
        let terms = Terms { notice: row.notice_id, major: row.major, content };
        let held = Held { answer, terms, until: row.until };
        made.entry((row.person_id, row.processing_id)).or_default().push((row.at, held));
    }
    let (coverage, _) = notices::list_coverage(db).await?;
    let mut found = Vec::new();
    for declaration in register::list_declarations(db).await? {
        let processing = declaration.processing_id;
        let of_it: Vec<&Coverage> = coverage.iter().filter(|c| c.processing == processing).collect();
        let rule = Rule::new(declaration, &coverage);
        for (person, moves) in &audiences {
            if moves.all().any(|audience| rule.applies_to(audience)) {
                let steps = made.get(&(*person, processing)).map(Vec::as_slice).unwrap_or_default();
                let story = Story { rule: &rule, moves, steps, told_first: told_first(&of_it, moves) };
                let periods = story.periods().into_iter();
                found.extend(periods.map(|(cause, from, to)| Refusal {
                    person_id: *person,
                    processing_id: processing,
                    cause,
                    from,
                    to,
                }));
            }
        }
    }
    Ok(found)
}

/// When a notice first told this person of a processing, whatever it said of it.
fn told_first(coverage: &[&Coverage], moves: &Moves<Audience>) -> Option<Time> {
    let first = |c: &&Coverage| {
        let times = [c.from].into_iter().chain(moves.times().filter(|at| c.in_force_at(*at)));
        let tells = |at: &Time| c.applies_to(moves.at(*at).department, &moves.at(*at).jurisdiction);
        times.filter(tells).min()
    };
    coverage.iter().filter_map(first).min()
}

/// Everything that bears on whether one version of a declaration was allowed about one person.
struct Story<'a> {
    rule: &'a Rule,
    moves: &'a Moves<Audience>,
    /// Their decisions, in order.
    steps: &'a [(Time, Held)],
    told_first: Option<Time>,
}

impl Story<'_> {
    /// Cuts the time in which the declaration was in force wherever something changes, and keeps what was denied.
    fn periods(&self) -> Vec<(Cause, Time, Option<Time>)> {
        let (from, to) = (self.rule.declaration.from, self.rule.declaration.to);
        let mut cuts: Vec<Time> = vec![from];
        cuts.extend(self.steps.iter().flat_map(|(at, held)| [Some(*at), held.until]).flatten());
        cuts.extend(self.rule.changes());
        cuts.extend(self.moves.times().chain(self.told_first));
        cuts.retain(|at| *at >= from && to.is_none_or(|to| *at < to));
        cuts.sort();
        cuts.dedup();
        let mut found: Vec<(Cause, Time, Option<Time>)> = Vec::new();
        let mut open: Option<(Cause, Time)> = None;
        for at in cuts {
            let cause = self.denied(at);
            if open.map(|(cause, _)| cause) != cause {
                found.extend(open.map(|(cause, since)| (cause, since, Some(at))));
                open = cause.map(|cause| (cause, at));
            }
        }
        found.extend(open.map(|(cause, since)| (cause, since, to)));
        found
    }

    /// What denied it at that moment; `None` where it was allowed, or where it didn't concern this person.
    fn denied(&self, at: Time) -> Option<Cause> {
        let audience = self.moves.at(at);
        if !self.rule.applies_to(audience) {
            return None;
        }
        let held = self.steps.iter().rev().find(|(since, _)| *since <= at).map(|(_, held)| *held);
        let told = self.rule.told(audience, at);
        if !told.is_empty() {
            let why = decide(self.rule.question(audience, &told), held, at);
            return why.is_personal().then_some(Cause::Choice);
        }
        // A no doesn't hang on a notice: who takes the notice back doesn't take the no away.
        let stands = |h: &Held| matches!(h.answer, Answer::No | Answer::Objected | Answer::Upheld);
        if let Some(no) = held.filter(stands) {
            let as_told = [no.terms];
            if decide(self.rule.question(audience, &as_told), held, at).is_personal() {
                return Some(Cause::Choice);
            }
        }
        self.told_first.is_some_and(|first| first <= at).then_some(Cause::NotTold)
    }
}

#[cfg(test)]
#[path = "refusals_tests.rs"]
mod tests;
