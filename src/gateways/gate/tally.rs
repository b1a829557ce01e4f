//! What came in since the last report: counts by category, never what was in it.

use std::collections::BTreeMap;

use crate::clock::Time;
use crate::collection::report::{Amount, Destination, DropReason, Dropped, Field, Item, Source, Window};
use crate::gateways::link::policy::What;
use crate::register::{Category, Granularity, Purpose};

/// A day's window is the longest that a report may have.
const LONGEST: i64 = 24 * 3600 - 60;

/// What one record holds of one category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateways) struct Part {
    pub category: Category,
    pub granularity: Granularity,
    /// Of the values concerned.
    pub bytes: u64,
    /// Where the record's own words say it stands, when its name is a known one.
    pub field: Option<Field>,
}

impl Part {
    pub fn what<'a>(&self, program: &'a str, purpose: Option<Purpose>) -> What<'a> {
        What { category: self.category, program, purpose }
    }
}

/// One part and what became of it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub part: Part,
    pub source: Source,
    pub purpose: Option<Purpose>,
    pub destination: Option<Destination>,
    pub outcome: Result<(), DropReason>,
    /// The policy that decided; what two policies decided is told apart.
    pub generation: u64,
}

type Key = (String, &'static str, &'static str, &'static str, &'static str, String, Option<u8>, u64);

/// Counts of one window.
pub(super) struct Tally {
    start: Time,
    items: BTreeMap<Key, Item>,
}

impl Tally {
    pub fn new(start: Time) -> Self {
        Tally { start, items: BTreeMap::new() }
    }

    pub fn add(&mut self, entry: Entry, now: Time) {
        let Entry { part, source, purpose, destination, outcome, generation } = entry;
        // A clock that was set back would put a record before its window.
        let now = now.max(self.start);
        let key = (
            source.as_str().to_owned(),
            part.category.id(),
            part.granularity.id(),
            part.field.map_or("", Field::id),
            purpose.map_or("", |p| p.id()),
            destination.as_ref().map_or(String::new(), |d| d.host.as_str().to_owned()),
            outcome.err().map(|reason| reason as u8),
            generation,
        );
        let item = self.items.entry(key).or_insert_with(|| Item {
            category: part.category,
            granularity: part.granularity,
            source,
            collected: Amount::default(),
            forwarded: Amount::default(),
            dropped: None,
            first_observed: Some(now),
            last_observed: Some(now),
            destination: destination.filter(|_| outcome.is_ok()),
            purpose,
            field: part.field,
        });
        add(&mut item.collected, part.bytes);
        item.last_observed = item.last_observed.max(Some(now));
        match outcome {
            // What stays on this machine is kept there, and forwarded nowhere.
            Ok(()) if item.destination.is_some() => add(&mut item.forwarded, part.bytes),
            Ok(()) => {}
            Err(reason) => {
                let dropped = item.dropped.get_or_insert(Dropped { count: 0, reason });
                dropped.count = dropped.count.saturating_add(1);
            }
        }
    }

    /// Seconds since its beginning.
    pub fn age(&self, now: Time) -> i64 {
        now.seconds_since(self.start)
    }

    /// What was counted, and begins anew. `None` when no time has passed.
    pub fn take(&mut self, now: Time) -> Option<(Window, Vec<Item>)> {
        if now <= self.start {
            return None;
        }
        // What is older can't be reported any more: time in which the machine slept, mostly.
        let start = self.start.max(now.plus_seconds(-LONGEST));
        let done = std::mem::replace(self, Tally::new(now));
        let mut items: Vec<Item> = done.items.into_values().collect();
        for item in &mut items {
            item.first_observed = item.first_observed.max(Some(start));
            item.last_observed = item.last_observed.max(Some(start));
        }
        Some((Window { start, end: now }, items))
    }
}

fn add(amount: &mut Amount, bytes: u64) {
    amount.count = amount.count.saturating_add(1);
    amount.bytes = amount.bytes.saturating_add(bytes).min(crate::collection::report::MAX_BYTES);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time::from(jiff::Timestamp::UNIX_EPOCH).plus_seconds(second)
    }

    fn entry(outcome: Result<(), DropReason>, away: bool) -> Entry {
        let host = crate::collection::report::Host::new("otel.acme.example").unwrap();
        let recipient = crate::collection::report::Recipient::new("org:acme").unwrap();
        let country = crate::collection::report::Country::new("DE").unwrap();
        Entry {
            part: Part {
                category: Category::parse("window.titles").unwrap(),
                granularity: Granularity::Content,
                bytes: 7,
                field: None,
            },
            source: Source::new("activitywatch/v0.12.0").unwrap(),
            purpose: None,
            destination: away.then_some(Destination { host, recipient, country }),
            outcome,
            generation: 1,
        }
    }

    #[test]
    fn every_record_is_collected_and_either_passed_on_or_dropped() {
        let mut tally = Tally::new(at(0));
        for second in [1, 5, 3] {
            tally.add(entry(Ok(()), true), at(second));
        }
        tally.add(entry(Err(DropReason::OptOut), true), at(4));
        tally.add(entry(Ok(()), false), at(4));
        let (window, items) = tally.take(at(10)).unwrap();
        assert_eq!((window.start, window.end), (at(0), at(10)));
        let counts: Vec<_> = items
            .iter()
            .map(|i| (i.collected.count, i.forwarded.count, i.dropped.map_or(0, |d| d.count)))
            .collect();
        assert_eq!(counts, [(1, 0, 0), (3, 3, 0), (1, 0, 1)]);
        assert_eq!((items[1].first_observed, items[1].last_observed), (Some(at(1)), Some(at(5))));
        assert_eq!(items[1].forwarded.bytes, 21);
        assert!(items[2].destination.is_none(), "it went nowhere");
        assert!(tally.take(at(10)).is_none() && tally.take(at(9)).is_none());
        assert!(tally.take(at(20)).unwrap().1.is_empty(), "begun anew");
    }

    #[test]
    fn what_two_policies_decided_is_told_apart_and_no_window_is_longer_than_a_day() {
        let mut tally = Tally::new(at(0));
        tally.add(entry(Ok(()), false), at(1));
        tally.add(Entry { generation: 2, ..entry(Ok(()), false) }, at(2));
        let (window, items) = tally.take(at(200_000)).unwrap();
        assert_eq!(items.len(), 2);
        assert!(window.end.seconds_since(window.start) <= 24 * 3600);
        assert!(items.iter().all(|i| i.first_observed >= Some(window.start)));
    }
}
