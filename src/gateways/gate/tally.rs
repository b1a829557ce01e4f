//! What came in since the last report: counts by category, never what was in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Time;
use crate::collection::report::{Amount, Destination, DropReason, Dropped, Field, Item, Source, Window};
use crate::gateways::link::policy::What;
use crate::register::{Category, Granularity, Purpose};

/// A day's window is the longest that a report may have.
const LONGEST: i64 = 24 * 3600 - 60;
/// Seconds after which a gateway that did nothing at all was frozen or asleep: nobody watched then.
pub(super) const ASLEEP: i64 = 90;
/// Versions of programs that a window tells apart; whoever made up more would fill reports with them.
const SOURCES: usize = 8;

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
    /// When the gateway was awake last.
    alive: Time,
    items: BTreeMap<Key, Item>,
    sources: BTreeSet<String>,
    /// Windows that ended when the gateway stopped being awake.
    ended: Vec<(Window, Vec<Item>)>,
}

impl Tally {
    pub fn new(start: Time) -> Self {
        let (items, sources, ended) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        Tally { start, alive: start, items, sources, ended }
    }

    /// To be called every few seconds, and before anything else: says that the gateway is awake.
    pub fn wake(&mut self, now: Time) {
        if now.seconds_since(self.alive) > ASLEEP {
            let window = self.close(self.alive);
            self.ended.extend(window);
            self.start = now;
        } else if self.start.seconds_since(now) > ASLEEP {
            // The clock was ahead. What was counted keeps its counts, and gets the time that is right.
            self.start = now;
        }
        self.alive = now;
    }

    pub fn add(&mut self, entry: Entry, now: Time) {
        self.wake(now);
        let Entry { part, source, purpose, destination, outcome, generation } = entry;
        let source = self.coarse(source);
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

    /// The source itself, or one without a version when there are too many.
    fn coarse(&mut self, source: Source) -> Source {
        if self.sources.contains(source.as_str()) || self.sources.len() < SOURCES {
            self.sources.insert(source.as_str().to_owned());
            return source;
        }
        Source::new(format!("{}/unknown", source.program())).unwrap_or(source)
    }

    /// What was counted, by window, and begins anew. Empty when no time has passed.
    pub fn take(&mut self, now: Time) -> Vec<(Window, Vec<Item>)> {
        self.wake(now);
        let last = self.close(now);
        self.ended.drain(..).chain(last).collect()
    }

    fn close(&mut self, now: Time) -> Option<(Window, Vec<Item>)> {
        if now <= self.start {
            return None;
        }
        // What is older can't be reported any more: time in which the machine slept, mostly.
        let start = self.start.max(now.plus_seconds(-LONGEST));
        let mut items: Vec<Item> = std::mem::take(&mut self.items).into_values().collect();
        self.sources.clear();
        self.start = now;
        for item in &mut items {
            let inside = |at: Option<Time>| at.map(|at| at.clamp(start, now));
            item.first_observed = inside(item.first_observed);
            item.last_observed = inside(item.last_observed);
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
        let (window, items) = tally.take(at(10)).remove(0);
        assert_eq!((window.start, window.end), (at(0), at(10)));
        let counts: Vec<_> = items
            .iter()
            .map(|i| (i.collected.count, i.forwarded.count, i.dropped.map_or(0, |d| d.count)))
            .collect();
        assert_eq!(counts, [(1, 0, 0), (3, 3, 0), (1, 0, 1)]);
        assert_eq!((items[1].first_observed, items[1].last_observed), (Some(at(1)), Some(at(5))));
        assert_eq!(items[1].forwarded.bytes, 21);
        assert!(items[2].destination.is_none(), "it went nowhere");
        assert!(tally.take(at(10)).is_empty() && tally.take(at(9)).is_empty());
        assert!(tally.take(at(20))[0].1.is_empty(), "begun anew");
    }

    #[test]
    fn what_two_policies_decided_is_told_apart_and_no_window_is_longer_than_a_day() {
        let mut tally = Tally::new(at(0));
        tally.add(entry(Ok(()), false), at(1));
        tally.add(Entry { generation: 2, ..entry(Ok(()), false) }, at(2));
        (60..200_000).step_by(60).for_each(|second| tally.wake(at(second)));
        let (window, items) = tally.take(at(200_000)).remove(0);
        assert_eq!(items.len(), 2);
        assert!(window.end.seconds_since(window.start) <= 24 * 3600);
        assert!(items.iter().all(|i| i.first_observed >= Some(window.start)));
    }

    #[test]
    fn nobody_watched_while_the_gateway_was_asleep() {
        let mut tally = Tally::new(at(0));
        tally.add(entry(Ok(()), false), at(30));
        // The first record after waking comes before any tick.
        tally.add(entry(Ok(()), false), at(5_000));
        let windows = tally.take(at(5_010));
        let spans: Vec<_> = windows.iter().map(|(w, items)| (w.start, w.end, items.len())).collect();
        assert_eq!(spans, [(at(0), at(30), 1), (at(5_000), at(5_010), 1)]);
    }

    #[test]
    fn a_clock_that_was_ahead_doesnt_stop_reports() {
        let mut tally = Tally::new(at(1_000_000));
        tally.add(entry(Ok(()), false), at(1_000_000));
        tally.wake(at(100));
        let windows = tally.take(at(110));
        assert_eq!((windows[0].0.start, windows[0].0.end), (at(100), at(110)));
        assert!(windows[0].1.iter().all(|i| i.last_observed <= Some(at(110))));
    }

    #[test]
    fn made_up_versions_dont_fill_reports() {
        let mut tally = Tally::new(at(0));
        for n in 0..100 {
            let source = Source::new(format!("wakatime/1.0.{n}")).unwrap();
            tally.add(Entry { source, ..entry(Ok(()), false) }, at(1));
        }
        let (_, items) = tally.take(at(10)).remove(0);
        assert_eq!(items.len(), SOURCES + 1);
        assert_eq!(items.iter().map(|i| i.collected.count).sum::<u32>(), 100);
    }
}
