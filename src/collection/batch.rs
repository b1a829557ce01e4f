//! A batch of new reports turned into rows: raw reports, daily sums, coverage and findings, each key once
//! and in order.

mod counts;
pub(super) mod found;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::tz::TimeZone;
use sqlx::PgConnection;
use uuid::Uuid;

use self::counts::Counts;
use self::found::{About, Findings};
use super::intake::Job;
use super::model::refusal::{self, Handled, Refusals};
use super::model::{self, Audience, FindingKind};
use super::report::{Field, Item, ParsedReport, Window};
use super::store::intake::{self as store, CoverageColumns, DailyColumns, DayColumns, ReportColumns};
use crate::clock::{Day, Random, Time};
use crate::error::Result;
use crate::identity::Moves;
use crate::register::{Category, Declaration};

/// What an EXCEEDS is about where no notice in force told of it.
const NOT_TOLD: &str = "notice";

/// Whom a report is about.
pub(super) struct Person {
    pub id: Uuid,
    pub zone: TimeZone,
    /// Where they were when, which is what a report is compared with.
    pub audience: Moves<Audience>,
    /// What this person said no to, when.
    pub refusals: Refusals,
}

/// What the database says of the devices and people of a batch, beyond whose report it is.
pub(super) struct Known<'a> {
    pub declarations: &'a [Declaration],
    /// Devices with several agents, whose counts can be compared.
    pub shared_devices: &'a HashSet<Uuid>,
}

/// Key of a daily row, in the order of its primary key.
type DailyKey = (Uuid, Day, Uuid, &'static str, String, &'static str, &'static str, String, String, String);

#[derive(Default)]
struct Sums {
    collected: i64,
    collected_bytes: i64,
    forwarded: i64,
    forwarded_bytes: i64,
    dropped: i64,
    first: Option<Time>,
    last: Option<Time>,
    reports: i32,
}

pub(super) struct Batch<'a> {
    random: &'a Random,
    now: Time,
    known: Known<'a>,
    reports: ReportColumns,
    daily: BTreeMap<DailyKey, Sums>,
    coverage: BTreeMap<(Uuid, Day, Uuid, &'static str), i64>,
    counts: Counts,
    findings: Findings,
    audiences: BTreeMap<Uuid, Moves<Audience>>,
}

impl<'a> Batch<'a> {
    pub fn new(random: &'a Random, now: Time, known: Known<'a>) -> Self {
        Batch {
            random,
            now,
            known,
            reports: ReportColumns::default(),
            daily: BTreeMap::new(),
            coverage: BTreeMap::new(),
            counts: Counts::default(),
            findings: Findings::default(),
            audiences: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, job: &Job, person: Option<&Person>, covered: &[(Time, Time)], skewed: bool) {
        let (parsed, report) = (&job.parsed, &job.parsed.report);
        self.add_raw(parsed, person, skewed, job.received_at);
        // What was queued for an hour is old, not wrong; what comes from the future is wrong.
        if skewed && report.produced_at > job.received_at {
            let about =
                About { person: person.map(|p| p.id), agent: report.agent_id, category: None, field: "" };
            self.findings.add(FindingKind::ClockSkew, about, String::new(), report.produced_at);
        }
        let Some(person) = person else { return };
        self.audiences.entry(person.id).or_insert_with(|| person.audience.clone());
        for item in &report.items {
            self.add_item(item, report.agent_id, report.window, person);
            self.judge(item, report.agent_id, report.window, person, job.received_at);
        }
        if self.known.shared_devices.contains(&report.device_id) {
            self.counts.add(report, person, covered);
        }
        let watched: BTreeSet<&'static str> =
            report.items.iter().map(|i| i.category.id()).chain([""]).collect();
        for (day, seconds) in covered.iter().flat_map(|(from, to)| split_days(*from, *to, &person.zone)) {
            for category in &watched {
                *self.coverage.entry((person.id, day, report.agent_id, category)).or_default() += seconds;
            }
        }
    }

    fn add_raw(&mut self, parsed: &ParsedReport, person: Option<&Person>, skewed: bool, received_at: Time) {
        let (report, rows) = (&parsed.report, &mut self.reports);
        rows.agent_id.push(report.agent_id);
        rows.boot_id.push(report.boot_id);
        rows.seq.push(i64::try_from(report.seq).unwrap_or(i64::MAX));
        rows.report_id.push(report.report_id);
        rows.hash.push(parsed.hash.0.to_vec());
        rows.prev_hash.push(report.prev_hash.map(|h| h.0.to_vec()));
        rows.produced_at.push(report.produced_at);
        rows.window_start.push(report.window.start);
        rows.window_end.push(report.window.end);
        rows.received_at.push(received_at);
        rows.skewed.push(skewed);
        rows.person_id.push(person.map(|p| p.id));
        // Written from the checked types, not from what was sent.
        rows.items.push(serde_json::to_string(&report.items).unwrap_or_else(|_| "null".into()));
    }

    fn add_item(&mut self, item: &Item, agent: Uuid, window: Window, person: &Person) {
        let at = item.first_observed.unwrap_or(window.start);
        let dropped = item.dropped.map_or(0, |d| d.count);
        if item.collected.count == 0 && item.forwarded.count == 0 && dropped == 0 {
            return;
        }
        let destination = item.destination.as_ref();
        let key = (
            person.id,
            at.day(&person.zone),
            agent,
            item.category.id(),
            item.source.as_str().to_owned(),
            item.granularity.id(),
            item.purpose.map_or("", |p| p.id()),
            destination.map_or(String::new(), |d| d.host.as_str().to_owned()),
            destination.map_or(String::new(), |d| d.recipient.as_str().to_owned()),
            destination.map_or(String::new(), |d| d.country.as_str().to_owned()),
        );
        let sums = self.daily.entry(key).or_default();
        // Bounded by `report::MAX_BYTES`, so that no sum of a batch comes near its end.
        let bytes = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        sums.collected += i64::from(item.collected.count);
        sums.collected_bytes = sums.collected_bytes.saturating_add(bytes(item.collected.bytes));
        sums.forwarded += i64::from(item.forwarded.count);
        sums.forwarded_bytes = sums.forwarded_bytes.saturating_add(bytes(item.forwarded.bytes));
        sums.dropped += i64::from(dropped);
        sums.first = [sums.first, item.first_observed].into_iter().flatten().min();
        sums.last = [sums.last, item.last_observed].into_iter().flatten().max();
        sums.reports += 1;
        let last = item.last_observed.unwrap_or(at);
        // At both ends: what was declared when it began may not have been any more when it ended.
        let Some(seen) = model::Seen::of(item) else { return };
        for at in [at, last] {
            for (kind, what) in model::assess(seen, at, person.audience.at(at), self.known.declarations) {
                let field = item.field.map_or("", Field::id);
                let about =
                    About { person: Some(person.id), agent, category: Some(item.category.id()), field };
                self.findings.add(kind, about, what, at);
            }
        }
    }

    /// R3 and R4: what became of it after a no, and what was taken while no notice told of it. An item counts once for each kind, whichever of its moments tells.
    fn judge(&mut self, item: &Item, agent: Uuid, window: Window, person: &Person, received_at: Time) {
        let handled = Handled::of(item);
        let about = About { person: Some(person.id), agent, category: Some(item.category.id()), field: "" };
        let mut counted = Vec::new();
        for at in refusal::moments(item, window.start, received_at) {
            let there = person.audience.at(at);
            let found = refusal::judge(handled, at, there, self.known.declarations, &person.refusals);
            for (kind, since) in found {
                if kind == FindingKind::Exceeds {
                    self.findings.add(kind, about, NOT_TOLD.into(), at);
                    continue;
                }
                let day = at.day(&person.zone);
                let records = (!counted.contains(&kind)).then_some(handled);
                counted.push(kind);
                self.findings.add_refused(kind, about, handled.program, (at, day, since), window, records);
            }
        }
    }

    /// Two reports that can't both be true: recorded beside the person it is about.
    pub fn add_contradiction(&mut self, parsed: &ParsedReport, person: Option<&Person>) {
        let report = &parsed.report;
        let about = About { person: person.map(|p| p.id), agent: report.agent_id, category: None, field: "" };
        let what = format!("seq:{}", report.seq);
        self.findings.add(FindingKind::Equivocation, about, what, report.window.end);
    }

    pub async fn write(mut self, db: &mut PgConnection, today: Day) -> Result<()> {
        if !self.reports.agent_id.is_empty() {
            store::insert_reports(db, today, &self.reports).await?;
        }
        let daily = std::mem::take(&mut self.daily);
        if !daily.is_empty() {
            let bounded = self.bounded(&daily);
            store::upsert_daily(db, &daily_columns(daily)).await?;
            if !bounded.category.is_empty() {
                for sum in store::sum_days(db, &bounded).await? {
                    self.check_bound(&sum);
                }
            }
        }
        if !self.coverage.is_empty() {
            let mut columns = CoverageColumns::default();
            for ((person, day, agent, category), seconds) in std::mem::take(&mut self.coverage) {
                columns.person_id.push(person);
                columns.day.push(day);
                columns.agent_id.push(agent);
                columns.category.push(category.into());
                columns.seconds.push(seconds);
            }
            store::upsert_coverage(db, &columns).await?;
        }
        self.counts.write(db).await?;
        self.findings.write(db, self.random, self.now).await
    }

    /// Persons, days and categories of this batch whose amount some declaration bounds.
    fn bounded(&self, daily: &BTreeMap<DailyKey, Sums>) -> DayColumns {
        let categories: BTreeSet<&str> = self
            .known
            .declarations
            .iter()
            .filter(|d| model::most_a_day(&d.content).is_some())
            .map(|d| d.content.category.id())
            .collect();
        let keys: BTreeSet<(Uuid, Day, &str)> =
            daily.keys().filter(|k| categories.contains(k.3)).map(|k| (k.0, k.1, k.3)).collect();
        let mut columns = DayColumns::default();
        for (person, day, category) in keys {
            columns.person_id.push(person);
            columns.day.push(day);
            columns.category.push(category.into());
        }
        columns
    }

    /// R2: more records a day than declared, by all agents and versions of the program together.
    fn check_bound(&mut self, sum: &store::DaySum) {
        let (Some(first), Some(last)) = (sum.first_observed, sum.last_observed) else { return };
        let Some(category) = Category::parse(&sum.category) else { return };
        let Some(audience) = self.audiences.get(&sum.person_id) else { return };
        let there = audience.at(first);
        let bound = model::daily_bound(category, &sum.program, first, there, self.known.declarations);
        if let Some(bound) = bound.filter(|b| sum.collected > i64::try_from(*b).unwrap_or(i64::MAX)) {
            let what = format!("amount:{bound}");
            let about = About {
                person: Some(sum.person_id),
                agent: sum.agent_id,
                category: Some(category.id()),
                field: "",
            };
            for at in [first, last] {
                self.findings.add(FindingKind::Exceeds, about, what.clone(), at);
            }
        }
    }
}

fn daily_columns(rows: BTreeMap<DailyKey, Sums>) -> DailyColumns {
    let mut c = DailyColumns::default();
    for (key, sums) in rows {
        let (person, day, agent, category, source, granularity, purpose, host, recipient, country) = key;
        c.person_id.push(person);
        c.day.push(day);
        c.agent_id.push(agent);
        c.category.push(category.into());
        c.source.push(source);
        c.granularity.push(granularity.into());
        c.purpose.push(purpose.into());
        c.destination_host.push(host);
        c.recipient.push(recipient);
        c.country.push(country);
        c.collected.push(sums.collected);
        c.collected_bytes.push(sums.collected_bytes);
        c.forwarded.push(sums.forwarded);
        c.forwarded_bytes.push(sums.forwarded_bytes);
        c.dropped.push(sums.dropped);
        c.first_observed.push(sums.first);
        c.last_observed.push(sums.last);
        c.reports.push(sums.reports);
    }
    c
}

/// [from, to) cut at the midnights of `zone`, in seconds.
fn split_days(from: Time, to: Time, zone: &TimeZone) -> Vec<(Day, i64)> {
    let mut parts = Vec::new();
    let mut at = from;
    while at < to {
        let day = at.day(zone);
        let end = day.plus_days(1).start(zone).min(to);
        if end <= at {
            break;
        }
        parts.push((day, end.seconds_since(at)));
        at = end;
    }
    parts
}

#[cfg(test)]
mod tests;
