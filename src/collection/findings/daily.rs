//! What is counted of findings once a day, when the day has begun: people of each group, weeks, records, and what
//! changed. Feeds and messages speak of these days alone, so that their timing tells nothing finer.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::{Connection, PgConnection};

use super::group::{self, Group, Register};
use crate::app::{self, AppState};
use crate::clock::{Day, Time};
use crate::collection::model::{PeopleBand, SMALLEST_GROUP};
use crate::collection::store::groups::{self as store, NewDay};
use crate::collection::store::organisation;
use crate::error::Result;

/// Weeks that trends picture, this one among them.
pub const WEEKS: i64 = 26;

/// Groups in one message to another system.
const A_MESSAGE: usize = 100;

/// What became known of a group on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Its first finding.
    New,
    /// Found again after an answer.
    Open,
    Answered,
    /// More people than the band said before.
    People,
}

impl Change {
    pub const ALL: [Change; 4] = [Change::New, Change::Open, Change::Answered, Change::People];

    pub fn id(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Open => "open",
            Change::Answered => "answered",
            Change::People => "people",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.id() == id)
    }
}

/// The Monday on or before a day.
pub fn monday(day: Day) -> Day {
    day.plus_days(-i64::from(day.jiff().weekday().to_monday_zero_offset()))
}

/// Counts what was found before today, in the organisation's zone, unless that is done.
pub async fn count_findings(state: &AppState) -> Result<()> {
    let now = state.clock.now();
    let zone = &state.config.time_zone;
    let today = now.day(zone);
    let is_done = |counted: Option<Day>| counted.is_some_and(|day| day >= today);
    let mut db = state.db.acquire().await?;
    if is_done(store::find_counted(&mut db).await?) {
        return Ok(());
    }
    // Short, since reports wait for it; counting takes longer. Doing it twice does the same.
    let mut tx = db.begin().await?;
    store::show_groups(&mut tx, today.start(zone)).await?;
    tx.commit().await?;
    drop(db);
    let mut tx = state.db.begin().await?;
    store::lock_counted(&mut tx).await?;
    let before = store::find_counted(&mut tx).await?;
    if is_done(before) {
        return Ok(());
    }
    let register = Register::load(&mut tx).await?;
    let named = register.named();
    let changed = count_groups(&mut tx, state, &register, before, today).await?;
    let whole = organisation::count_covered_people(&mut tx, now).await?;
    // A week that was over when it was counted last stays as it is.
    let first =
        before.map_or_else(|| monday(today).plus_days(-7 * (WEEKS - 1)), |day| monday(day.plus_days(-1)));
    let mut week = first.max(monday(today).plus_days(-7 * (WEEKS - 1)));
    while week < today {
        let to = week.plus_days(7).min(today);
        let times = (week.start(zone), to.start(zone));
        store::count_week(&mut tx, week, times, &named, whole, SMALLEST_GROUP).await?;
        week = week.plus_days(7);
    }
    let since = before.map_or_else(|| jiff::Timestamp::UNIX_EPOCH.into(), |day| day.start(zone));
    store::add_records(&mut tx, &named, (since, today.start(zone)), SMALLEST_GROUP).await?;
    store::set_counted(&mut tx, today, now).await?;
    // What was there when counting began is no news.
    if before.is_some() {
        tell(&mut tx, state, &changed, today).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Writes down what changed; answers the groups of which something did.
async fn count_groups(
    db: &mut PgConnection,
    state: &AppState,
    register: &Register,
    before: Option<Day>,
    today: Day,
) -> Result<Vec<(Group, Vec<Change>)>> {
    let zone = &state.config.time_zone;
    let midnight = today.start(zone);
    let since = before.unwrap_or(today.plus_days(-1)).start(zone);
    let whole = organisation::count_covered_people(db, state.clock.now()).await?;
    let known: HashMap<(String, String, String), Option<i64>> = store::list_groups(db, &register.named())
        .await?
        .into_iter()
        .map(|row| ((row.kind, row.category, row.program), row.people))
        .collect();
    let told: HashMap<_, _> = store::list_told_open(db)
        .await?
        .into_iter()
        .map(|row| ((row.kind, row.category, row.program), (row.open_on, row.is_open)))
        .collect();
    let counted = store::count_people(db, &register.named(), midnight).await?;
    let mut groups = group::load(db, register, state.clock.now(), zone).await?;
    let mut changed = Vec::new();
    for row in counted {
        let key = (row.kind, row.category, row.program);
        let people = known.get(&key).copied().flatten();
        let told = told.get(&key).copied();
        let (kind, category, program) = key;
        let is_it = |g: &Group| {
            g.kind.id() == kind && g.category.map_or("", |c| c.id()) == category && g.key == program
        };
        let Some(place) = groups.iter().position(is_it) else { continue };
        let group = groups.swap_remove(place);
        let band = |n: i64| PeopleBand::of(n.min(whole), whole);
        let changes = changes(&group, (since, midnight), (people.map(band), band(row.people)), (told, today));
        if people == Some(row.people) && changes.is_empty() {
            continue;
        }
        let words: Vec<String> = changes.iter().map(|change| change.id().to_owned()).collect();
        let day = NewDay {
            day: today.plus_days(-1),
            kind: &kind,
            category: &category,
            program: &program,
            people: row.people,
            changes: &words,
        };
        store::insert_day(db, &day).await?;
        if !changes.is_empty() {
            changed.push((group, changes));
        }
    }
    Ok(changed)
}

/// What is worth telling of a group, of what happened in `[since, until)`. `told`: on which day it was told last that
/// something was found after an answer, and whether there was no answer since. That the same was found once more is not:
/// day by day, it would say on which days the one person it may be about was at work. So of few people it isn't told
/// within a week of the last time either, however often it is answered.
fn changes(
    group: &Group,
    (since, until): (Time, Time),
    (before, now): (Option<Option<PeopleBand>>, Option<PeopleBand>),
    (told, today): (Option<(Day, bool)>, Day),
) -> Vec<Change> {
    let within = |at: Time| at >= since && at < until;
    let mut changes = Vec::new();
    match before {
        // Also where only its name is new: the register names its program now.
        None => changes.push(Change::New),
        Some(before) if before != now && now.is_some_and(PeopleBand::is_some_people) => {
            changes.push(Change::People);
        }
        Some(_) => {}
    }
    let is_answered = group.answers.iter().any(|answer| within(answer.at));
    if is_answered {
        changes.push(Change::Answered);
    }
    // What was found again counts as open since the answer, which may be long ago.
    let is_again = group.open_at.is_some_and(|at| at < until) && group.answers.iter().any(|a| a.at < until);
    let is_news = is_answered || !told.is_some_and(|(_, is_open)| is_open);
    let is_many = now.is_some_and(PeopleBand::is_some_people);
    if is_again && is_news && (is_many || told.is_none_or(|(day, _)| today.days_since(day) > 7)) {
        changes.push(Change::Open);
    }
    changes
}

/// What other systems are told: no person, and no number of people.
#[derive(Serialize)]
struct Told<'a> {
    id: &'a str,
    kind: &'static str,
    category: Option<&'static str>,
    /// As the register names it; `null` where it doesn't, or where it is about none.
    program: Option<&'a str>,
    changes: Vec<&'static str>,
}

async fn tell(
    db: &mut PgConnection,
    state: &AppState,
    changed: &[(Group, Vec<Change>)],
    today: Day,
) -> Result<()> {
    #[derive(Serialize)]
    struct Data<'a> {
        day: Day,
        groups: Vec<Told<'a>>,
    }
    let mut told: Vec<Told> = changed
        .iter()
        .map(|(group, changes)| Told {
            id: &group.id,
            kind: group.kind.id(),
            category: group.category.map(|c| c.id()),
            program: group.program.as_deref().filter(|_| group.is_named()),
            changes: changes.iter().map(|change| change.id()).collect(),
        })
        .collect();
    // An order that says nothing of which came first.
    told.sort_by_key(|t| t.id);
    while !told.is_empty() {
        let rest = told.split_off(told.len().min(A_MESSAGE));
        let data = Data { day: today.plus_days(-1), groups: std::mem::replace(&mut told, rest) };
        let data = serde_json::to_value(&data).map_err(anyhow::Error::new)?;
        app::tell_of_findings(db, state, today, data).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday() {
        let day = |text: &str| -> Day { text.parse::<jiff::civil::Date>().unwrap().into() };
        assert_eq!(monday(day("2026-11-02")), day("2026-11-02"));
        assert_eq!(monday(day("2026-11-08")), day("2026-11-02"));
        assert_eq!(monday(day("2026-11-09")), day("2026-11-09"));
    }

    #[test]
    fn a_change_is_read_as_it_is_written() {
        for change in Change::ALL {
            assert_eq!(Change::parse(change.id()), Some(change));
        }
    }
}
