//! Programs that are declared, there for days, and of which no agent says anything (R7).

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::collection::model::compare::newest_due;
use crate::collection::model::{Audience, FindingKind};
use crate::collection::store::found::{FindingColumns, upsert_findings};
use crate::collection::store::presence::{self as store, PresenceRow};
use crate::error::Result;
use crate::identity::{self, Moves};
use crate::register::{self, Declaration};

/// Whole days on which a program must have been seen.
const SILENT_DAYS: usize = 3;

/// These days lie within so many, weekends and a leave included; what was seen longer apart says nothing.
const WITHIN_DAYS: i64 = 14;

/// Hours after a day's end that reports are waited for.
const SILENT_LAG_HOURS: i32 = 24;

/// Whether a declaration in force then, for where the person was then, names this program.
pub(super) fn is_declared(
    product: &str,
    at: Time,
    audience: &Moves<Audience>,
    declarations: &[Declaration],
) -> bool {
    let there = audience.at(at);
    declarations.iter().any(|d| {
        d.content.source.matches(product)
            && d.in_force_at(at)
            && d.applies_to(there.department, &there.jurisdiction)
    })
}

/// A program's last whole days on one device.
struct Stay {
    agent_id: Uuid,
    days: (Day, Day),
    times: (Time, Time),
}

impl Stay {
    /// `rows` are of one device, person and product, oldest day first.
    fn of(rows: &[&PresenceRow]) -> Option<Self> {
        let mut days: Vec<Day> = rows.iter().map(|row| row.day).collect();
        days.dedup();
        let last = *days.last()?;
        let first = *days.iter().rev().nth(SILENT_DAYS - 1)?;
        if last.days_since(first) >= WITHIN_DAYS {
            return None;
        }
        let inside = || rows.iter().filter(|row| row.day >= first);
        let begin = inside().map(|row| row.first_seen).min()?;
        let end = inside().map(|row| row.last_seen).max()?;
        // One agent stands for all that saw it, so that a program is found once; the least id, always the same.
        let agent_id = rows.iter().map(|row| row.agent_id).min()?;
        Some(Stay { agent_id, days: (first, last), times: (begin, end) })
    }
}

/// Looks for silent programs in the days that needn't be waited for any more. Doing it twice finds the same.
pub async fn find_silent(state: &AppState) -> Result<()> {
    let now = state.clock.now();
    let due = newest_due(now, SILENT_LAG_HOURS);
    // What an agent watched and counted as nothing stands in raw reports alone: past their retention nobody is accused.
    let since = due.plus_days(1 - WITHIN_DAYS.min(state.config.raw_report_days - 4));
    let mut tx = state.db.begin().await?;
    let rows = store::list_presence(&mut tx, since, due).await?;
    let mut people: Vec<Uuid> = rows.iter().map(|row| row.person_id).collect();
    people.sort_unstable();
    people.dedup();
    let audiences = identity::list_moves(&mut tx, &people, Audience::new).await?;
    let declarations = register::list_declarations(&mut tx).await?;
    let mut stays: BTreeMap<(Uuid, Uuid, &str), Vec<&PresenceRow>> = BTreeMap::new();
    for row in &rows {
        stays.entry((row.person_id, row.device_id, &row.product)).or_default().push(row);
    }
    let mut found = FindingColumns::default();
    for ((person, _, product), rows) in stays {
        let (Some(audience), Some(stay)) = (audiences.get(&person), Stay::of(&rows)) else { continue };
        let mut moments =
            rows.iter().filter(|row| row.day >= stay.days.0).flat_map(|row| [row.first_seen, row.last_seen]);
        // A program that wasn't declared all the time is found as undeclared.
        if moments.all(|at| is_declared(product, at, audience, &declarations))
            && !store::is_reported(&mut tx, person, product, stay.days, stay.times).await?
        {
            add(&mut found, state.random.uuid(now), person, product, &stay);
        }
    }
    // Once and last: what is found makes others wait until this is committed.
    if !found.id.is_empty() {
        upsert_findings(&mut tx, now, &found).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn add(found: &mut FindingColumns, id: Uuid, person: Uuid, product: &str, stay: &Stay) {
    found.id.push(id);
    found.kind.push(FindingKind::SilentAgent.id().into());
    found.person_id.push(Some(person));
    found.agent_id.push(Some(stay.agent_id));
    found.category.push(None);
    found.about.push(format!("program:{product}"));
    found.field.push(String::new());
    found.day.push(None);
    found.first_at.push(stay.times.0);
    found.last_at.push(stay.times.1);
    found.push_evidence(None);
}
