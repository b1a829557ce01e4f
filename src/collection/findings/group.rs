//! A group of findings: what is said of it, and nothing of whom it concerns.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use crate::clock::{Day, Time};
use crate::collection::field::Field;
use crate::collection::model::{FindingKind, PeopleBand};
use crate::collection::store::findings::{self as store, AnswerRow};
use crate::collection::store::groups::{self, GroupRow};
use crate::collection::store::organisation;
use crate::error::Result;
use crate::register::{Category, Declaration};
use crate::web::times;
use crate::{app, register};

/// A group of findings as its page shows it.
pub(in crate::collection) struct Group {
    /// Names the group in forms and addresses, and says nothing else.
    pub id: String,
    pub kind: FindingKind,
    pub category: Option<Category>,
    pub program: Option<String>,
    /// The same as the group's key has it.
    pub key: String,
    pub programs: Vec<String>,
    pub fields: Vec<Field>,
    /// When the first was found; the day alone is shown.
    pub found_at: Time,
    pub found: Day,
    pub first: Day,
    pub last: Day,
    /// `None` where so few people have a device that a count would tell of each.
    pub people: Option<PeopleBand>,
    /// How many, to the power of ten; only where at least five people are concerned.
    pub records: Option<i64>,
    pub open_at: Option<Time>,
    pub open_since: Option<Day>,
    pub answers: Vec<AnswerRow>,
    /// The names of its form's fields.
    pub reason: String,
    pub confirm: String,
}

/// The id of a group: of a kind, a category and a program as shown; empty for none.
pub fn group_id(kind: FindingKind, category: &str, program: &str) -> String {
    let digest = Sha256::digest(format!("{kind}\n{category}\n{program}"));
    times::hex(&digest[..6])
}

/// Whether it could be a group's id, so that nothing else comes into an address or a field's name.
pub(super) fn is_group_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What the register names, and how many people have a device: by what groups are made and counted.
pub(in crate::collection) struct Register {
    pub names: BTreeMap<String, String>,
    pub declarations: Vec<Declaration>,
}

impl Register {
    pub async fn load(db: &mut PgConnection) -> Result<Self> {
        let declarations = register::list_declarations(db).await?;
        let source = |d: &Declaration| (d.content.source.key(), d.content.source.name.clone());
        Ok(Register { names: declarations.iter().map(source).collect(), declarations })
    }

    /// The programs that it names.
    pub fn named(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }
}

impl Group {
    fn of(
        row: GroupRow,
        register: &Register,
        answers: &[AnswerRow],
        whole: i64,
        zone: &TimeZone,
    ) -> Option<Self> {
        let kind = FindingKind::parse(&row.kind)?;
        let program = match row.program.as_str() {
            "" => None,
            store::UNNAMED => Some("a program that isn’t declared".to_owned()),
            named => Some(register.names.get(named).cloned().unwrap_or_else(|| named.to_owned())),
        };
        let about = |a: &&AnswerRow| a.is_about(&row.kind, &row.category, &row.programs);
        let id = group_id(kind, &row.category, &row.program);
        // Leavers may have findings and no device any more: never more than the whole.
        let people = PeopleBand::of(row.people.unwrap_or(0).min(whole), whole);
        Some(Group {
            reason: format!("reason-{id}"),
            confirm: format!("confirm-{id}"),
            id,
            kind,
            category: Category::parse(&row.category),
            program,
            key: row.program,
            answers: answers.iter().filter(about).cloned().collect(),
            programs: row.programs,
            fields: row.fields.iter().filter_map(|field| Field::parse(field)).collect(),
            found_at: row.found_at,
            found: row.found_at.day(zone),
            first: row.first_at.day(zone),
            last: row.last_at.day(zone),
            records: row
                .records
                .filter(|n| *n > 0 && people.is_some_and(PeopleBand::is_some_people))
                .map(|n| 10_i64.pow(n.ilog10())),
            people,
            open_at: row.open_since,
            open_since: row.open_since.map(|at| at.day(zone)),
        })
    }

    /// There is a finding, so it isn't about nobody.
    pub fn people(&self) -> String {
        people_words(self.people)
    }

    /// What it is about; the kind stands beside it.
    pub fn heading(&self) -> String {
        match (self.category, &self.program) {
            (Some(category), Some(program)) => format!("{}, by {program}", category.name()),
            (Some(category), None) => category.name().to_owned(),
            (None, Some(program)) if self.is_named() => format!("A program: {program}"),
            (None, Some(_)) => "A program that isn’t declared".into(),
            (None, None) => "Agents".into(),
        }
    }

    /// Whether the register names its program.
    pub fn is_named(&self) -> bool {
        !self.key.is_empty() && self.key != store::UNNAMED
    }

    /// In whole days; a finding of today may be about an earlier day.
    pub fn age(&self, today: Day) -> String {
        days_ago(today.days_since(self.found))
    }

    /// For how long it has waited for an answer.
    pub fn waits(&self, today: Day) -> String {
        self.open_since.map_or(String::new(), |day| days_ago(today.days_since(day)))
    }
}

pub(in crate::collection) fn people_words(band: Option<PeopleBand>) -> String {
    match band {
        None => "fewer than ten have a device, so their number isn’t shown".into(),
        Some(PeopleBand::FewerThanFive) => "fewer than 5 people".into(),
        Some(band) => band.to_string(),
    }
}

/// "today", "3 days ago".
pub(in crate::collection) fn days_ago(days: i64) -> String {
    match days {
        ..=0 => "today".into(),
        1 => "yesterday".into(),
        n => format!("{n} days ago"),
    }
}

/// Every group, newest first.
pub(in crate::collection) async fn load(
    db: &mut PgConnection,
    register: &Register,
    now: Time,
    zone: &TimeZone,
) -> Result<Vec<Group>> {
    let rows = groups::list_groups(db, &register.named()).await?;
    let answers = store::list_answers(db).await?;
    let whole = organisation::count_covered_people(db, now).await?;
    let groups = rows.into_iter().filter_map(|row| Group::of(row, register, &answers, whole, zone));
    let mut groups: Vec<Group> = groups.collect();
    // By whole days: the order must not tell which of two came first on one day.
    groups.sort_by(|a, b| {
        (b.last, a.kind, a.category, &a.program).cmp(&(a.last, b.kind, b.category, &b.program))
    });
    Ok(groups)
}

/// Every group as a page shows it: counted up to today, which happens here when nobody has looked since midnight.
pub(in crate::collection) async fn load_counted(
    state: &app::AppState,
    now: Time,
) -> Result<(Vec<Group>, Register)> {
    super::daily::count_findings(state).await?;
    let mut db = state.db.acquire().await?;
    let register = Register::load(&mut db).await?;
    let groups = load(&mut db, &register, now, &state.config.time_zone).await?;
    Ok((groups, register))
}
