//! "What is collected about me": one person's daily sums, coverage, findings and declarations, put together
//! by category. No I/O after [`load`].

mod devices;
mod findings;
mod observed;
mod programs;
mod words;

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::tz::TimeZone;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{
    self, Audience, COVERAGE_DAYS, Evidence, FindingKind, GAP_TOLERANCE, PICTURED_DAYS, Seen, Status,
};
use super::report::program;
use super::store::mine::{self as store, CoverageRow, DailyRow, DeviceRow};
use crate::clock::{Day, Time};
use crate::error::{Error, Result};
use crate::identity::{self, Moves};
use crate::register::{self, Category, Declaration, Granularity, Purpose};

pub use findings::{FindingView, Stopped};
pub use observed::Observed;
pub use programs::Programs;

/// Findings and streams shown of one category: an agent that makes up hosts must not make the page unreadable.
const SHOWN: usize = 50;

/// Violations shown at the top; the others stand on the pages of their categories.
const VIOLATIONS_SHOWN: usize = 10;

/// Everything the pages need about one person.
pub struct Mine {
    /// Oldest first; the last is today.
    pub days: Vec<Day>,
    /// Declared or observed, what needs attention first.
    pub categories: Vec<CategoryView>,
    /// Neither declared nor observed.
    pub others: Vec<CategoryView>,
    pub devices: Vec<DeviceRow>,
    /// What was collected after a no, of all categories, newest first; at most [`VIOLATIONS_SHOWN`].
    pub violations: Vec<FindingView>,
    pub more_violations: usize,
    /// About agents rather than a category: contradictions, a wrong clock.
    pub about_agents: Vec<FindingView>,
    /// Known monitoring programs on their computers.
    pub programs: Programs,
}

pub struct CategoryView {
    pub category: Category,
    pub status: Status,
    /// The status in a sentence.
    pub because: String,
    pub declared: Vec<Declaration>,
    pub observed: Vec<Observed>,
    /// Newest first; at most [`SHOWN`].
    pub findings: Vec<FindingView>,
    /// What was taken after a no and dropped on the way, by program.
    pub stopped: Vec<Stopped>,
    /// One for each of [`Mine::days`].
    pub cells: Vec<Cell>,
    /// Of each, how many are not shown.
    pub more_observed: usize,
    pub more_findings: usize,
    pub total: i64,
    pub last: Option<Time>,
    pub watched_days: i64,
    pub coverage_days: i64,
}

impl CategoryView {
    /// Whether something in force declares it for this person now.
    pub fn is_declared(&self) -> bool {
        self.declared.iter().any(|d| d.to.is_none())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// No device of this person's reported then: nothing was expected.
    Nobody,
    /// Some of the day, or all of it, wasn't watched.
    Gap,
    /// An agent watched all day.
    Whole,
}

/// One day of one category.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub count: i64,
    pub watch: Watch,
    /// What was observed then wasn't as declared, or came after a no.
    pub bad: bool,
}

/// Reads what the pages show; `zone` is the person's.
pub async fn load(db: &mut PgConnection, person_id: Uuid, now: Time, zone: &TimeZone) -> Result<Mine> {
    let today = now.day(zone);
    let first = today.plus_days(1 - PICTURED_DAYS);
    let mut audiences = identity::list_moves(db, &[person_id], Audience::new).await?;
    let audience = audiences.remove(&person_id).ok_or(Error::NotFound)?;
    let daily = store::list_daily(db, person_id, first, None).await?;
    let coverage = store::list_coverage(db, person_id, first).await?;
    let findings = findings::load(db, person_id, first).await?;
    let devices = store::list_devices(db, person_id).await?;
    let declarations = register::list_declarations(db).await?;
    let programs = programs::load(db, person_id, (now, zone), &devices, &audience, &declarations).await?;
    let builder = Builder { now, zone, first, audience, declarations };
    Ok(Mine { programs, ..builder.build(daily, coverage, findings, devices) })
}

struct Builder<'a> {
    now: Time,
    zone: &'a TimeZone,
    first: Day,
    audience: Moves<Audience>,
    declarations: Vec<Declaration>,
}

impl Builder<'_> {
    fn build(
        &self,
        daily: Vec<DailyRow>,
        coverage: Vec<CoverageRow>,
        mut findings: findings::All,
        devices: Vec<DeviceRow>,
    ) -> Mine {
        let days: Vec<Day> = (0..PICTURED_DAYS).map(|n| self.first.plus_days(n)).collect();
        // Once for all categories: a day's length depends on the zone's rules, which take time to ask.
        let expected: Vec<Vec<Need>> = days.iter().map(|day| self.needs(*day, &devices)).collect();
        let mut seconds: HashMap<String, HashMap<(Day, Uuid), i64>> = HashMap::new();
        for row in coverage {
            seconds.entry(row.category).or_default().insert((row.day, row.device_id), row.seconds);
        }
        let mut rows: BTreeMap<String, Vec<DailyRow>> = BTreeMap::new();
        for row in daily {
            rows.entry(row.category.clone()).or_default().push(row);
        }
        let mut violations: Vec<FindingView> =
            findings.found.values().flatten().filter(|f| f.kind.is_violation()).cloned().collect();
        violations.sort_by_key(|f| (std::cmp::Reverse(f.last_at), f.kind));
        let more_violations = violations.len().saturating_sub(VIOLATIONS_SHOWN);
        violations.truncate(VIOLATIONS_SHOWN);
        let (mut categories, mut others) = (Vec::new(), Vec::new());
        for category in Category::all() {
            let view = self.category(
                category,
                &days,
                &expected,
                Own {
                    seconds: seconds.remove(category.id()).unwrap_or_default(),
                    rows: rows.remove(category.id()).unwrap_or_default(),
                    findings: findings.found.remove(category.id()).unwrap_or_default(),
                    stopped: findings.stopped.remove(category.id()).unwrap_or_default(),
                },
            );
            let is_empty = view.declared.is_empty()
                && view.observed.is_empty()
                && view.findings.is_empty()
                && view.stopped.is_empty();
            if is_empty { others.push(view) } else { categories.push(view) }
        }
        categories.sort_by_key(|c| (c.status, std::cmp::Reverse(c.category.sensitivity())));
        let about_agents = findings.found.remove("").unwrap_or_default();
        Mine {
            days,
            categories,
            others,
            devices,
            violations,
            more_violations,
            about_agents,
            programs: Programs::default(),
        }
    }

    fn category(&self, category: Category, days: &[Day], expected: &[Vec<Need>], own: Own) -> CategoryView {
        let Own { seconds, rows, findings, stopped } = own;
        let mut counts: HashMap<Day, i64> = HashMap::new();
        for row in &rows {
            // What was only passed on was there to be passed on.
            *counts.entry(row.day).or_default() += row.collected.max(row.forwarded);
        }
        let mut bad_days = self.bad_days(category, &rows);
        bad_days.extend(findings.iter().filter(|f| f.kind.is_violation()).filter_map(|f| f.day));
        // That no notice told of it isn't among what is compared anew: of such a finding both ends are known.
        let beyond = findings.iter().filter(|f| f.kind == FindingKind::Exceeds);
        bad_days.extend(beyond.flat_map(|f| [f.first_at.day(self.zone), f.last_at.day(self.zone)]));
        let seen_days: HashSet<Day> =
            rows.iter().filter(|r| r.collected + r.forwarded + r.dropped > 0).map(|r| r.day).collect();
        let cells: Vec<Cell> = days
            .iter()
            .zip(expected)
            .map(|(day, expected)| {
                let watched = |need: &Need| seconds.get(&(*day, need.device_id)).copied().unwrap_or(0);
                let watch = match expected.as_slice() {
                    [] => Watch::Nobody,
                    needs if needs.iter().all(|need| watched(need) >= need.seconds) => Watch::Whole,
                    _ => Watch::Gap,
                };
                Cell { count: counts.get(day).copied().unwrap_or(0), watch, bad: bad_days.contains(day) }
            })
            .collect();
        let recent = &cells[cells.len().saturating_sub(COVERAGE_DAYS as usize)..];
        // A day that isn't over proves nothing yet; a gap in it already does.
        let settled = match recent.split_last() {
            Some((today, before)) if today.watch == Watch::Whole => before,
            _ => recent,
        };
        let number = |watch: &[Watch]| settled.iter().filter(|c| watch.contains(&c.watch)).count() as i64;
        let audience = self.audience.at(self.now);
        let declared: Vec<Declaration> = self
            .declarations
            .iter()
            .filter(|d| d.content.category == category && d.in_force_at(self.now))
            .filter(|d| d.applies_to(audience.department, &audience.jurisdiction))
            .cloned()
            .collect();
        let pictured = |f: &&FindingView| f.last_at.day(self.zone) >= self.first;
        let has = |kinds: &[FindingKind]| findings.iter().filter(pictured).any(|f| kinds.contains(&f.kind));
        let evidence = Evidence {
            violated: has(&[FindingKind::OptOutViolation, FindingKind::CollectedAfterOptOut]),
            misreported: has(&[FindingKind::Misreport]),
            undeclared: has(&[FindingKind::Undeclared, FindingKind::Unrecognised]),
            exceeds: has(&[FindingKind::Exceeds]),
            // What was dropped on the way was collected first (R4).
            observed: days.iter().rev().take(COVERAGE_DAYS as usize).any(|day| seen_days.contains(day)),
            days: number(&[Watch::Gap, Watch::Whole]),
            watched_days: number(&[Watch::Whole]),
        };
        let status = model::status(evidence);
        let observed = observed::fold(&rows);
        CategoryView {
            category,
            status,
            because: words::because(status, evidence, !declared.is_empty(), &findings),
            declared,
            more_observed: observed.len().saturating_sub(SHOWN),
            more_findings: findings.len().saturating_sub(SHOWN),
            total: observed.iter().map(|o| o.collected).sum(),
            last: observed.iter().filter_map(|o| o.last).max(),
            observed: observed.into_iter().take(SHOWN).collect(),
            findings: findings.into_iter().take(SHOWN).collect(),
            stopped,
            cells,
            watched_days: evidence.watched_days,
            coverage_days: evidence.days,
        }
    }

    /// What must have been watched on that day: each device, for as long as it was this person's.
    fn needs(&self, day: Day, devices: &[DeviceRow]) -> Vec<Need> {
        let (start, end) = (day.start(self.zone), day.plus_days(1).start(self.zone));
        let mut needs: Vec<Need> = Vec::new();
        for device in devices {
            let from = device.from.max(start);
            let to = device.to.unwrap_or(end).min(end).min(self.now);
            // A device stands here once for each of its agents.
            if to > from && !needs.iter().any(|n| n.device_id == device.device_id) {
                let seconds = (to.seconds_since(from) - GAP_TOLERANCE).max(1);
                needs.push(Need { device_id: device.device_id, seconds });
            }
        }
        needs
    }

    /// Days on which something of this category wasn't as declared then: compared anew, since a finding
    /// spans from its first to its last time.
    fn bad_days(&self, category: Category, rows: &[DailyRow]) -> HashSet<Day> {
        let mut bad = HashSet::new();
        let mut sums: HashMap<(Day, &str), (i64, Option<Time>)> = HashMap::new();
        for row in rows {
            let program = program(&row.source);
            let sum = sums.entry((row.day, program)).or_default();
            *sum = (sum.0 + row.collected, sum.1.or(row.first_observed));
            let seen = Seen {
                category,
                program,
                granularity: Granularity::parse(&row.granularity).unwrap_or(Granularity::Content),
                purpose: Purpose::parse(&row.purpose),
                destination: (row.forwarded > 0).then_some((&row.destination_host, &row.country)),
            };
            let times = [row.first_observed, row.last_observed].into_iter().flatten();
            let is_bad = row.collected + row.forwarded > 0
                && times.into_iter().any(|at| {
                    let found = model::assess(seen, at, self.audience.at(at), &self.declarations);
                    found.iter().any(|(kind, _)| *kind != FindingKind::UndeclaredAgent)
                });
            if is_bad {
                bad.insert(row.day);
            }
        }
        for ((day, program), (sum, first)) in sums {
            let Some(first) = first else { continue };
            let bound =
                model::daily_bound(category, program, first, self.audience.at(first), &self.declarations);
            if bound.is_some_and(|b| sum > i64::try_from(b).unwrap_or(i64::MAX)) {
                bad.insert(day);
            }
        }
        bad
    }
}

/// The rows of one category.
struct Own {
    /// Watched, by day and device.
    seconds: HashMap<(Day, Uuid), i64>,
    rows: Vec<DailyRow>,
    findings: Vec<FindingView>,
    stopped: Vec<Stopped>,
}

/// Seconds of a day that a device must have been watched for it to count as whole.
struct Need {
    device_id: Uuid,
    seconds: i64,
}
