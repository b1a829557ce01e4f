//! The findings of a batch, each key once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::clock::{Day, Random, Time};
use crate::collection::model::FindingKind;
use crate::collection::model::refusal::Handled;
use crate::collection::report::Window;
use crate::collection::store::found::{self as store, FindingColumns};
use crate::error::Result;

/// Whom, what agent, what category and which field a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::collection) struct About {
    pub person: Option<Uuid>,
    pub agent: Uuid,
    pub category: Option<&'static str>,
    /// The field it was found in; empty where none is known.
    pub field: &'static str,
}

/// What speaks for a finding about a refusal, added up over a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::collection) struct Evidence {
    pub refused_since: Time,
    pub window: (Time, Time),
    pub collected: i64,
    pub forwarded: i64,
    pub dropped: i64,
    pub reports: i32,
}

/// Things an agent may newly name in a day; the rest is one finding of its kind and category. A finding is never removed,
/// so an agent that makes up names could fill the table for good.
const NEW_A_DAY: usize = 50;

/// What the rest of them is about.
const MORE: &str = "more";

pub(super) type Key = (FindingKind, About, String, Option<Day>);

#[derive(Debug)]
pub(super) struct Found {
    pub times: (Time, Time),
    pub evidence: Option<Evidence>,
}

#[derive(Default)]
pub(super) struct Findings(pub BTreeMap<Key, Found>);

impl Findings {
    pub fn add(&mut self, kind: FindingKind, about: About, what: String, at: Time) {
        let found = self.0.entry((kind, about, what, None));
        let times = &mut found.or_insert(Found { times: (at, at), evidence: None }).times;
        *times = (times.0.min(at), times.1.max(at));
    }

    /// A finding of R3 or R4: observed at a moment, on a day of the person's, since when they had said no. Without
    /// `records` only the times are widened, since they are counted already.
    pub fn add_refused(
        &mut self,
        kind: FindingKind,
        about: About,
        program: &str,
        (at, day, since): (Time, Day, Time),
        window: Window,
        records: Option<Handled<'_>>,
    ) {
        let none = Evidence {
            refused_since: since,
            window: (window.start, window.end),
            collected: 0,
            forwarded: 0,
            dropped: 0,
            reports: 0,
        };
        let key = (kind, about, format!("program:{program}"), Some(day));
        let found = self.0.entry(key).or_insert(Found { times: (at, at), evidence: None });
        found.times = (found.times.0.min(at), found.times.1.max(at));
        let evidence = found.evidence.get_or_insert(none);
        evidence.refused_since = evidence.refused_since.min(since);
        evidence.window = (evidence.window.0.min(window.start), evidence.window.1.max(window.end));
        if let Some(records) = records {
            evidence.collected += i64::from(records.collected);
            evidence.forwarded += i64::from(records.forwarded);
            evidence.dropped += i64::from(records.dropped);
            evidence.reports += 1;
        }
    }

    /// With at most [`NEW_A_DAY`] names that an agent makes known in a day (UTC). What was found after somebody's no is
    /// never put together: such programs are the register's.
    async fn bounded(self, db: &mut PgConnection, now: Time) -> Result<Self> {
        let is_free = |(_, _, what, day): &Key| day.is_none() && !what.is_empty();
        let (mut agents, mut names) = (BTreeSet::new(), BTreeSet::new());
        for key in self.0.keys().filter(|key| is_free(key)) {
            agents.insert(key.1.agent);
            names.insert(key.2.clone());
        }
        let (agents, names): (Vec<Uuid>, Vec<String>) =
            (agents.into_iter().collect(), names.into_iter().collect());
        let mut known: BTreeMap<Uuid, BTreeSet<String>> = BTreeMap::new();
        if !agents.is_empty() {
            let today = now.day(&TimeZone::UTC).start(&TimeZone::UTC);
            for (agent, about) in store::list_abouts(db, &agents, &names, today).await? {
                known.entry(agent).or_default().insert(about);
            }
        }
        let mut bounded = Findings::default();
        for (mut key, found) in self.0 {
            if is_free(&key) {
                let known = known.entry(key.1.agent).or_default();
                if known.len() < NEW_A_DAY {
                    known.insert(key.2.clone());
                } else if !known.contains(&key.2) {
                    key.2 = MORE.into();
                    key.1.field = "";
                }
            }
            let times = found.times;
            let kept = bounded.0.entry(key).or_insert(found);
            kept.times = (kept.times.0.min(times.0), kept.times.1.max(times.1));
        }
        Ok(bounded)
    }

    pub async fn write(self, db: &mut PgConnection, random: &Random, now: Time) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let bounded = self.bounded(db, now).await?;
        let mut columns = FindingColumns::default();
        for ((kind, about, what, day), found) in bounded.0 {
            columns.id.push(random.uuid(now));
            columns.kind.push(kind.id().into());
            columns.person_id.push(about.person);
            columns.agent_id.push(Some(about.agent));
            columns.category.push(about.category.map(Into::into));
            columns.about.push(what);
            columns.field.push(about.field.into());
            columns.day.push(day);
            columns.first_at.push(found.times.0);
            columns.last_at.push(found.times.1);
            columns.push_evidence(found.evidence);
        }
        Ok(store::upsert_findings(db, now, &columns).await?)
    }
}
