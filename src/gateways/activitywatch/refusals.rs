//! What the policy refuses, since when, and whether it is recorded all the same.
//!
//! The server judges what was recorded by the time at which it was observed, and a report's item has one
//! last time for all its records. So no window may hold time before and after a change: what was recorded
//! against somebody's will would seem to be of the time after they agreed again.
//!
//! A report that comes early says that something refused was recorded, and nothing else does: how often an
//! agent reports must not tell others what somebody chose.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Bucket;
use crate::clock::Time;
use crate::collection::report::Window;
use crate::register::Category;

/// Changes that are remembered for windows which aren't reported yet.
const MAX_CHANGES: usize = 1000;

pub(super) struct Refusals {
    /// From when on nothing of the category should be recorded any more.
    from: BTreeMap<Category, Time>,
    changes: Vec<Time>,
}

impl Refusals {
    pub fn new(refused: BTreeSet<Category>, from: Time) -> Self {
        Refusals { from: refused.into_iter().map(|category| (category, from)).collect(), changes: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.from.is_empty()
    }

    /// When it changed what is refused, in order.
    pub fn changes(&self) -> &[Time] {
        &self.changes
    }

    pub fn update(&mut self, refused: BTreeSet<Category>, grace_seconds: u32, now: Time) {
        if refused.iter().eq(self.from.keys()) {
            return;
        }
        self.from.retain(|category, _| refused.contains(category));
        for category in refused {
            self.from.entry(category).or_insert(now.plus_seconds(grace_seconds.into()));
        }
        self.changes.push(now);
        if self.changes.len() > MAX_CHANGES {
            self.changes.remove(0);
        }
    }

    /// Whether the buckets hold something refused that was observed in this window.
    pub fn are_broken(&self, buckets: &[Bucket], window: Window) -> bool {
        let events = || buckets.iter().flat_map(|bucket| &bucket.events);
        self.from.iter().any(|(category, from)| {
            let window = Window { start: window.start.max(*from), end: window.end };
            window.start < window.end
                && events().any(|event| {
                    event.span.touches(window)
                        && event.parts.iter().any(|part| part.recorded && part.category == *category)
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::client::digest;
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from(jiff::Timestamp::from_second(1_790_000_000 + seconds).unwrap())
    }

    fn set(ids: &[&str]) -> BTreeSet<Category> {
        ids.iter().map(|id| Category::parse(id).unwrap()).collect()
    }

    fn bucket(start: i64, seconds: i64, data: serde_json::Value) -> Vec<Bucket> {
        let event = json!({"timestamp": at(start).to_string(), "duration": seconds, "data": data});
        vec![digest("currentwindow", vec![event])]
    }

    #[test]
    fn what_is_recorded_after_the_grace_breaks_a_refusal_and_nothing_else_does() {
        let mut refusals = Refusals::new(set(&[]), at(0));
        refusals.update(set(&["window.titles"]), 90, at(100));
        let broken = |start, seconds, data| {
            refusals.are_broken(&bucket(start, seconds, data), Window { start: at(0), end: at(300) })
        };
        let title = || json!({"app": "Mail", "title": "x"});
        assert!(!broken(0, 150, title()), "a watcher has its grace to end");
        assert!(broken(0, 191, title()) && broken(190, 0, title()) && broken(200, 10, title()));
        assert!(
            !broken(200, 10, json!({"app": "Mail"}))
                && !broken(200, 10, json!({"app": "Mail", "title": "excluded"}))
        );
        assert!(!broken(300, 10, title()), "later than what was asked for");
    }

    #[test]
    fn a_change_is_remembered_and_the_same_again_changes_nothing() {
        let mut refusals = Refusals::new(set(&["presence"]), at(0));
        refusals.update(set(&["presence"]), 90, at(10));
        assert!(refusals.changes().is_empty());
        refusals.update(set(&["presence", "window.titles"]), 90, at(20));
        refusals.update(set(&[]), 90, at(30));
        assert_eq!(refusals.changes(), [at(20), at(30)]);
        assert!(refusals.is_empty());
    }
}
