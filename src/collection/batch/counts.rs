//! What agents that share a device say of each program, for the comparison of their counts (R8).

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::Person;
use crate::clock::{Day, Time};
use crate::collection::report::CollectionReport;
use crate::collection::store::compare::{self as store, CountColumns};
use crate::error::Result;

/// Day, device, person, category, program, agent.
type Key = (Day, Uuid, Uuid, &'static str, String, Uuid);

struct Sum {
    watched: (Time, Time),
    seconds: i64,
    taken: i64,
    dropped: i64,
    reports: i32,
}

#[derive(Default)]
pub(super) struct Counts(BTreeMap<Key, Sum>);

impl Counts {
    /// Adds a report whose window lies within one day of the person's and was covered by no other: of a window that
    /// straddles midnight, or repeats, nobody can say which records belong to which day. What is left out is a gap,
    /// and with a gap nothing is compared.
    pub fn add(&mut self, report: &CollectionReport, person: &Person, covered: &[(Time, Time)]) {
        let (start, end) = (report.window.start, report.window.end);
        let day = start.day(&person.zone);
        if *covered != [(start, end)] || end > day.plus_days(1).start(&person.zone) {
            return;
        }
        let mut items: BTreeMap<(&'static str, &str), (i64, i64)> = BTreeMap::new();
        for item in &report.items {
            let sum = items.entry((item.category.id(), item.source.program())).or_default();
            let dropped = i64::from(item.dropped.map_or(0, |d| d.count));
            // What was dropped or passed on was taken first.
            *sum = (
                sum.0 + i64::from(item.collected.count.max(item.forwarded.count)).max(dropped),
                sum.1 + dropped,
            );
        }
        for ((category, program), (taken, dropped)) in items {
            let key = (day, report.device_id, person.id, category, program.to_owned(), report.agent_id);
            let none = Sum { watched: (start, end), seconds: 0, taken: 0, dropped: 0, reports: 0 };
            let sum = self.0.entry(key).or_insert(none);
            sum.watched = (sum.watched.0.min(start), sum.watched.1.max(end));
            sum.seconds += end.seconds_since(start);
            sum.taken += taken;
            sum.dropped += dropped;
            sum.reports += 1;
        }
    }

    pub async fn write(self, db: &mut PgConnection) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut columns = CountColumns::default();
        for ((day, device, person, category, program, agent), sum) in self.0 {
            columns.day.push(day);
            columns.device_id.push(device);
            columns.person_id.push(person);
            columns.category.push(category.into());
            columns.program.push(program);
            columns.agent_id.push(agent);
            columns.watched_from.push(sum.watched.0);
            columns.watched_to.push(sum.watched.1);
            columns.seconds.push(sum.seconds);
            columns.taken.push(sum.taken);
            columns.dropped.push(sum.dropped);
            columns.reports.push(sum.reports);
        }
        Ok(store::upsert_counts(db, &columns).await?)
    }
}
