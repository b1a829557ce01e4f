//! Adds up rows as they are read; nothing of a row outlives it but its count.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::tz::TimeZone;
use uuid::Uuid;

use super::model::{Plan, Problem};
use super::when::{Reading, When};
use crate::clock::{Day, Time};
use crate::register::Category;

/// Whom rows can be about: by e-mail address or the roll's number, lower case.
#[derive(Default)]
pub struct Directory {
    by_name: HashMap<String, Uuid>,
    zones: HashMap<Uuid, TimeZone>,
}

impl Directory {
    pub fn add(&mut self, id: Uuid, email: &str, number: Option<&str>, zone: TimeZone) {
        self.by_name.insert(email.to_lowercase(), id);
        if let Some(number) = number {
            // An address wins over somebody else's number.
            self.by_name.entry(number.to_lowercase()).or_insert(id);
        }
        self.zones.insert(id, zone);
    }

    fn find(&self, who: &str) -> Option<(Uuid, &TimeZone)> {
        let id = *self.by_name.get(&who.trim().to_lowercase())?;
        Some((id, self.zones.get(&id)?))
    }
}

/// A person's records of a category on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub records: i64,
    /// Both are known only if every record's moment is.
    pub moments: Option<(Time, Time)>,
}

/// Where a row's who and when stand, for its faults.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub line: u64,
    pub who: (usize, &'a str),
    pub when: (usize, &'a str),
}

pub struct Tally<'a> {
    pub plan: Plan,
    pub counts: BTreeMap<(Uuid, Day, Category), Count>,
    directory: &'a Directory,
    reading: &'a Reading,
    organisation: &'a TimeZone,
    now: Time,
    categories: BTreeMap<Category, i64>,
    /// In the file's zone.
    days: Option<(Day, Day)>,
}

impl<'a> Tally<'a> {
    pub fn new(
        directory: &'a Directory,
        reading: &'a Reading,
        organisation: &'a TimeZone,
        now: Time,
    ) -> Self {
        Tally {
            plan: Plan::default(),
            counts: BTreeMap::new(),
            directory,
            reading,
            organisation,
            now,
            categories: BTreeMap::new(),
            days: None,
        }
    }

    pub fn reading(&self) -> &'a Reading {
        self.reading
    }

    /// A row that says `who`, `when` (each as its text) and of which categories how many records.
    pub fn row(&mut self, place: Place<'_>, who: &str, when: &str, what: &[(Category, i64)]) {
        self.plan.rows += 1;
        let fault = |plan: &mut Plan, (column, name): (usize, &str), problem| {
            plan.fault(place.line, column, name, problem);
        };
        if what.is_empty() {
            self.plan.other_kinds += 1;
            return;
        }
        if who.trim().is_empty() {
            return fault(&mut self.plan, place.who, Problem::NobodyNamed);
        }
        if when.trim().is_empty() {
            return fault(&mut self.plan, place.when, Problem::NoTime);
        }
        let Some(parsed) = When::parse(when, self.reading.month_first) else {
            return fault(&mut self.plan, place.when, Problem::TimeUnreadable);
        };
        let found = self.directory.find(who);
        let zone = found.map_or(self.organisation, |(_, zone)| zone);
        // What a dry run says must not depend on the person: their own zone would tell where they are.
        let days = (parsed.day(self.reading, &self.reading.zone), parsed.day(self.reading, zone));
        let (Some(shown), Some(day)) = days else {
            return fault(&mut self.plan, place.when, Problem::TimeUnreadable);
        };
        if shown > self.now.day(&self.reading.zone) {
            return fault(&mut self.plan, place.when, Problem::TimeAhead);
        }
        if shown.jiff().year() < 2000 {
            return fault(&mut self.plan, place.when, Problem::TimeLongAgo);
        }
        self.plan.understood += 1;
        self.days = Some(self.days.map_or((shown, shown), |(a, b)| (a.min(shown), b.max(shown))));
        for (category, records) in what {
            *self.categories.entry(*category).or_default() += records;
        }
        match found {
            None => self.plan.unmatched += 1,
            Some((person, _)) => {
                let moment = parsed.moment(self.reading);
                what.iter()
                    .for_each(|(category, records)| self.count(person, day, *category, *records, moment));
            }
        }
    }

    fn count(&mut self, person: Uuid, day: Day, category: Category, records: i64, at: Option<Time>) {
        let new = Count { records: 0, moments: at.map(|at| (at, at)) };
        let count = self.counts.entry((person, day, category)).or_insert(new);
        count.records += records;
        count.moments = match (count.moments, at) {
            (Some((first, last)), Some(at)) => Some((first.min(at), last.max(at))),
            _ => None,
        };
    }

    /// Ends the counting.
    pub fn finish(mut self) -> Tallied {
        self.plan.categories = self.categories.iter().map(|(c, n)| (c.id().to_owned(), *n)).collect();
        let people = self.counts.keys().map(|(person, ..)| *person).collect::<BTreeSet<_>>().len();
        Tallied { plan: self.plan, counts: self.counts, days: self.days, people: people as i64 }
    }
}

/// All that is left of a file.
pub struct Tallied {
    pub plan: Plan,
    pub counts: BTreeMap<(Uuid, Day, Category), Count>,
    pub days: Option<(Day, Day)>,
    /// Of the roll.
    pub people: i64,
}

impl Tallied {
    /// Records about people of the roll.
    pub fn records(&self) -> i64 {
        self.counts.values().map(|c| c.records).sum()
    }
}
