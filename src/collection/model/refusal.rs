//! What a person's no means for what is reported afterwards (R3, R4), without I/O.
//!
//! The moment of observation decides, by the agent's clock but never later than the report arrived. A yes that comes
//! later, or a declaration that does, changes nothing: periods of refusal are compared, not the present state.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Audience, FindingKind};
use crate::clock::Time;
use crate::collection::report::Item;
use crate::register::{Category, Declaration, Purpose};

/// Seconds that agents have to learn of a no and to stop. Shown wherever somebody is accused.
pub const GRACE_SECONDS: i64 = 90;

/// Why a processing was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The person's own choice, or want of one.
    Choice,
    /// The notice that had told of it was in force no more.
    NotTold,
}

/// A period `[from, to)` in which a person's own choice denies a processing: refused, withdrawn, an objection that is
/// open or upheld, or an opt-in that was never given, has expired or wasn't carried over. Or one in which nobody was told of it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub person_id: Uuid,
    pub processing_id: Uuid,
    pub cause: Cause,
    pub from: Time,
    /// `None` while it lasts.
    pub to: Option<Time>,
}

/// `[from, to)` each, in order.
type Periods = Vec<(Time, Option<Time>)>;

/// One person's refusals by processing and cause. What follows without a break is one: a refusal that is followed by an
/// objection gives no second grace.
#[derive(Debug, Clone, Default)]
pub struct Refusals(HashMap<(Uuid, Cause), Periods>);

impl Refusals {
    pub fn by_person(mut all: Vec<Refusal>) -> HashMap<Uuid, Self> {
        all.sort_by_key(|r| r.from);
        let mut people: HashMap<Uuid, Self> = HashMap::new();
        for refusal in all {
            let periods = &mut people.entry(refusal.person_id).or_default().0;
            let list = periods.entry((refusal.processing_id, refusal.cause)).or_default();
            match list.last_mut() {
                Some((_, to)) if to.is_none_or(|to| refusal.from <= to) => {
                    *to = to.zip(refusal.to).map(|(a, b)| a.max(b));
                }
                _ => list.push((refusal.from, refusal.to)),
            }
        }
        people
    }

    /// Why and since when this processing had been denied at that moment; `None` when it wasn't.
    fn since(&self, processing: Uuid, at: Time) -> Option<(Cause, Time)> {
        let holds = |from: Time, to: Option<Time>| from <= at && to.is_none_or(|to| at < to);
        let of = |cause| {
            let periods = self.0.get(&(processing, cause))?;
            periods.iter().find(|(from, to)| holds(*from, *to)).map(|(from, _)| (cause, *from))
        };
        of(Cause::Choice).or_else(|| of(Cause::NotTold))
    }
}

/// What became of the records of one item.
#[derive(Debug, Clone, Copy)]
pub struct Handled<'a> {
    pub category: Category,
    /// The program, without its version.
    pub program: &'a str,
    pub purpose: Option<Purpose>,
    pub collected: u32,
    pub dropped: u32,
    pub forwarded: u32,
}

impl<'a> Handled<'a> {
    pub fn of(item: &'a Item) -> Self {
        Handled {
            category: item.category,
            program: item.source.program(),
            purpose: item.purpose,
            collected: item.collected.count,
            dropped: item.dropped.map_or(0, |d| d.count),
            forwarded: item.forwarded.count,
        }
    }
}

/// When an item was observed: at its end and, where it says so, at its beginning. What straddles a no is judged by
/// both, so an agent cuts its windows where it is told of one. Nothing is observed after its report has arrived,
/// whatever a clock that is ahead says.
pub fn moments(item: &Item, window_start: Time, received_at: Time) -> impl Iterator<Item = Time> {
    let last = item.last_observed.or(item.first_observed).unwrap_or(window_start).min(received_at);
    let first = item.first_observed.unwrap_or(last).min(received_at);
    [last].into_iter().chain((first != last).then_some(first))
}

/// Judges records observed at that moment: the kinds that are found, with the time since when the person had said no.
/// `Exceeds` where it was denied because no notice told of it any more.
pub fn judge(
    handled: Handled<'_>,
    at: Time,
    audience: &Audience,
    declarations: &[Declaration],
    refusals: &Refusals,
) -> Vec<(FindingKind, Time)> {
    let Some((cause, since)) = refused_since(handled, at, audience, declarations, refusals) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if cause == Cause::NotTold {
        let was_taken = handled.forwarded > 0 || handled.collected > handled.dropped;
        let is_late = at > since.plus_seconds(GRACE_SECONDS);
        return if is_late && was_taken { vec![(FindingKind::Exceeds, since)] } else { found };
    }
    if at > since.plus_seconds(GRACE_SECONDS) {
        if handled.forwarded > 0 {
            found.push((FindingKind::OptOutViolation, since));
        }
        if handled.collected > handled.dropped {
            found.push((FindingKind::CollectedAfterOptOut, since));
        }
    }
    if handled.forwarded == 0 && handled.dropped > 0 && handled.collected <= handled.dropped {
        found.push((FindingKind::HonouredAtGateway, since));
    }
    found
}

/// Since when *every* declaration that covers these records had been denied; `None` when one of them wasn't, or when
/// none covers them, which is another finding. It is the person's no when all of them were denied by it.
fn refused_since(
    handled: Handled<'_>,
    at: Time,
    audience: &Audience,
    declarations: &[Declaration],
    refusals: &Refusals,
) -> Option<(Cause, Time)> {
    let covers = |d: &&Declaration| {
        d.content.category == handled.category
            && d.content.source.matches(handled.program)
            && d.in_force_at(at)
            && d.applies_to(audience.department, &audience.jurisdiction)
    };
    let covering: Vec<&Declaration> = declarations.iter().filter(covers).collect();
    // A purpose that nobody declared turns no no into a yes: all of the category's count then.
    let stated = |d: &&&Declaration| handled.purpose == Some(d.content.purpose);
    let any_stated = covering.iter().any(|d| stated(&d));
    let mut denied: Option<(Cause, Time)> = None;
    for declaration in covering.iter().filter(|d| !any_stated || stated(d)) {
        let (cause, since) = refusals.since(declaration.processing_id, at)?;
        denied = Some(denied.map_or((cause, since), |(c, s)| (c.max(cause), s.max(since))));
    }
    denied
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
