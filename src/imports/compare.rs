//! Holds what exports say against what agents reported, once neither needs to be waited for any more (R8).
//!
//! Only what can be compared is claimed: counts where a row is what an agent counts, else only that there are records of
//! a day on which agents that watched this very program all day reported none. What no agent reported at all and no
//! declaration covered is undeclared, by the same rule as a report.
//!
//! What is found here rests on a file that whoever uploaded it could have made up. It says so by its `import_id`, is shown
//! to the person concerned alone, and never makes or grows a group for others: else an upload of one made-up row would
//! tell who said no, or who is the one in a group of one.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use sqlx::PgConnection;
use uuid::Uuid;

use super::formats::{self, comparable};
use super::model::{Reported, contradicts};
use super::store::compare::{self as store, FoundColumns, Sums, Waiting};
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::collection::model::{self, Audience, FindingKind, GAP_TOLERANCE, Seen, compare};
use crate::error::Result;
use crate::identity::{self, Moves};
use crate::register::{self, Category, Declaration, Granularity};

/// Counts that are compared in one transaction.
const A_ROUND: i64 = 200;

/// The later of the vendor's own lag and that of the agents' reports.
fn lag(program: &str, vendors: i32) -> i32 {
    let of = |lag: &compare::Lag| lag.programs.iter().any(|p| p == program) != lag.all_but;
    compare::lags().iter().filter(|l| of(l)).map(|l| l.hours).chain([vendors]).max().unwrap_or(vendors)
}

/// Looks at the counts that became due. Doing it twice finds the same.
pub async fn compare_imports(state: &AppState) -> Result<()> {
    let now = state.clock.now();
    for (program, hours) in formats::lags() {
        let due = compare::newest_due(now, lag(program, hours));
        while compare_some(state, program, due).await? == A_ROUND as usize {}
    }
    Ok(())
}

async fn compare_some(state: &AppState, program: &str, due: Day) -> Result<usize> {
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let waiting = store::list_waiting(&mut tx, program, due, A_ROUND).await?;
    if waiting.is_empty() {
        return Ok(0);
    }
    let mut people: Vec<Uuid> = waiting.iter().map(|w| w.person_id).collect();
    people.dedup();
    let audiences = identity::list_moves(&mut tx, &people, Audience::new).await?;
    let declarations = register::list_declarations(&mut tx).await?;
    let mut round = Round::default();
    for one in &waiting {
        if let (Some(category), Some(audience)) =
            (Category::parse(&one.category), audiences.get(&one.person_id))
        {
            let subject = Subject::of(state, one, category, audience, &declarations);
            subject.judge(&mut tx, &mut round).await?;
        }
        store::set_compared(&mut tx, one, now).await?;
    }
    let count = waiting.len();
    // At the very end: from here on others who write findings may wait for this transaction.
    if !round.0.is_empty() {
        store::upsert_found(&mut tx, now, &round.columns(state)).await?;
    }
    tx.commit().await?;
    Ok(count)
}

/// Kind, category, what it is about, person, and the day of those that are found anew each day.
type Key = (&'static str, Category, String, Uuid, Option<Day>);

struct Found {
    times: (Time, Time),
    import_id: Uuid,
    /// Of a contradiction, with what the export holds.
    sums: Option<(Sums, i64)>,
}

/// What one transaction found, each once and in one order.
#[derive(Default)]
struct Round(BTreeMap<Key, Found>);

impl Round {
    fn add(&mut self, key: Key, new: Found) {
        match self.0.get_mut(&key) {
            Some(known) => {
                known.times = (known.times.0.min(new.times.0), known.times.1.max(new.times.1));
            }
            None => {
                self.0.insert(key, new);
            }
        }
    }

    fn columns(self, state: &AppState) -> FoundColumns {
        let mut c = FoundColumns::default();
        for ((kind, category, about, person, day), found) in self.0 {
            c.id.push(state.random.uuid(state.clock.now()));
            c.kind.push(kind.into());
            c.person_id.push(person);
            c.category.push(category.id().into());
            c.about.push(about);
            c.day.push(day);
            c.first_at.push(found.times.0);
            c.last_at.push(found.times.1);
            c.import_id.push(found.import_id);
            let sums = found.sums.as_ref();
            c.collected.push(sums.map(|(s, _)| s.taken));
            c.dropped.push(sums.map(|(s, _)| s.dropped));
            c.reports.push(sums.map(|(s, _)| i32::try_from(s.reports).unwrap_or(i32::MAX)));
            c.records.push(sums.map(|(_, records)| *records));
        }
        c
    }
}

struct Subject<'a> {
    row: &'a Waiting,
    category: Category,
    audience: &'a Moves<Audience>,
    declarations: &'a [Declaration],
    /// The person's day.
    start: Time,
    end: Time,
}

impl<'a> Subject<'a> {
    fn of(
        state: &AppState,
        row: &'a Waiting,
        category: Category,
        audience: &'a Moves<Audience>,
        declarations: &'a [Declaration],
    ) -> Self {
        let zone = row.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok());
        let zone = zone.unwrap_or_else(|| state.config.time_zone.clone());
        let (start, end) = (row.day.start(&zone), row.day.plus_days(1).start(&zone));
        Subject { row, category, audience, declarations, start, end }
    }

    async fn judge(&self, db: &mut PgConnection, round: &mut Round) -> Result<()> {
        let (person, import_id) = (self.row.person_id, self.row.import_id);
        let sums = store::sum_reported(db, self.row).await?;
        if sums.taken == 0 {
            for ((kind, about), times) in self.undeclared() {
                let found = Found { times, import_id, sums: None };
                round.add((kind.id(), self.category, about, person, None), found);
            }
        }
        let reported = self.reported(db, &sums).await?;
        if contradicts(self.row.records, reported, comparable(&self.row.program, self.category)) {
            let about = format!("program:{}", self.row.program);
            let times = (self.start, self.end.plus_seconds(-1));
            let found = Found { times, import_id, sums: Some((sums, self.row.records)) };
            let kind = FindingKind::Misreport.id();
            round.add((kind, self.category, about, person, Some(self.row.day)), found);
        }
        Ok(())
    }

    async fn reported(&self, db: &mut PgConnection, sums: &Sums) -> Result<Reported> {
        let devices = store::list_watched(db, self.row, self.start, self.end).await?;
        let day = self.end.seconds_since(self.start) - GAP_TOLERANCE;
        // One device was theirs all day, and every one of theirs was watched for as long as it was.
        let is_complete = devices.iter().any(|d| d.needed >= day)
            && devices.iter().all(|d| d.watched >= (d.needed - GAP_TOLERANCE).max(1));
        Ok(Reported { taken: sums.taken, stopped: sums.stopped, reports: sums.reports, is_complete })
    }

    /// What isn't declared, with its times.
    fn undeclared(&self) -> BTreeMap<(FindingKind, String), (Time, Time)> {
        let (first, last) = (self.row.first_at, self.row.last_at);
        let mut found: BTreeMap<(FindingKind, String), (Time, Time)> = BTreeMap::new();
        match first.zip(last) {
            // At both ends, as of a report.
            Some((first, last)) => {
                for at in [first, last] {
                    for key in self.assess(at) {
                        let times = found.entry(key).or_insert((at, at));
                        *times = (times.0.min(at), times.1.max(at));
                    }
                }
            }
            // Only the day is known: it must have been undeclared all day.
            None => {
                let end = self.end.plus_seconds(-1);
                let noon = self.start.plus_seconds(self.end.seconds_since(self.start) / 2);
                let at_end = self.assess(end);
                let at_noon = self.assess(noon);
                for key in self.assess(self.start) {
                    if at_end.contains(&key) && at_noon.contains(&key) {
                        found.insert(key, (self.start, end));
                    }
                }
            }
        }
        found
    }

    fn assess(&self, at: Time) -> Vec<(FindingKind, String)> {
        let seen = Seen {
            category: self.category,
            program: &self.row.program,
            // An export says neither for what nor how exactly it is used: only whether it is declared at all is asked.
            granularity: Granularity::Count,
            purpose: None,
            destination: None,
        };
        let mut found = model::assess(seen, at, self.audience.at(at), self.declarations);
        found.retain(|(kind, _)| *kind != FindingKind::Exceeds);
        found
    }
}
