//! Takes a presence report: what was seen, by day, and what of it no declaration names (R7).

use jiff::tz::TimeZone;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{ParsedLook, SeenProduct};
use crate::app::AppState;
use crate::clock::Time;
use crate::collection::field::Field;
use crate::collection::model::{Audience, FindingKind};
use crate::collection::report::Window;
use crate::collection::store::found::{FindingColumns, upsert_findings};
use crate::collection::store::intake as reports;
use crate::collection::store::presence::{self as store, LookRow, PresenceColumns};
use crate::error::{Error, Result};
use crate::identity::{self, Moves};
use crate::register::{self, Declaration};

/// The field of findings about a program that is there, whether or not it was seen to record.
const INSTALLED: &str = "installed";

/// Whose the device was during the report's window.
struct Holder {
    id: Uuid,
    zone: TimeZone,
    audience: Moves<Audience>,
}

/// Stores a verified report. Answers when it was taken first, and whether that was before.
pub async fn take(state: &AppState, parsed: &ParsedLook, now: Time) -> Result<(Time, bool)> {
    let parsed = &until(parsed, now);
    let report = &parsed.report;
    let mut tx = state.db.begin().await?;
    let holder = find_holder(&mut tx, state, report.device_id, report.window).await?;
    let row = LookRow {
        agent_id: report.agent_id,
        report_id: report.report_id,
        device_id: report.device_id,
        person_id: holder.as_ref().map(|h| h.id),
        hash: &parsed.hash.0,
        window_start: report.window.start,
        window_end: report.window.end,
        received_at: now,
    };
    if !store::insert_look(&mut tx, &row).await? {
        let (hash, received_at) = store::find_look(&mut tx, report.agent_id, report.report_id).await?;
        return if hash == parsed.hash.0 {
            Ok((received_at, true))
        } else {
            Err(Error::conflict(
                "Another report was sent under this report_id. Make a new one for each report.",
            ))
        };
    }
    store::upsert_presence(&mut tx, &columns(parsed, holder.as_ref())).await?;
    if let Some(holder) = &holder {
        let declarations = register::list_declarations(&mut tx).await?;
        let found = undeclared(state, parsed, holder, &declarations, now);
        if !found.id.is_empty() {
            upsert_findings(&mut tx, now, &found).await?;
        }
    }
    reports::touch_agents(&mut tx, &[report.agent_id], now).await?;
    tx.commit().await?;
    Ok((now, false))
}

/// Nothing was seen after it was received, whatever the agent's clock says.
fn until(parsed: &ParsedLook, now: Time) -> ParsedLook {
    let mut parsed = parsed.clone();
    for seen in &mut parsed.report.products {
        seen.first_observed = seen.first_observed.min(now);
        seen.last_observed = seen.last_observed.min(now);
    }
    parsed
}

/// What straddles a change of hands is nobody's rather than the wrong person's.
async fn find_holder(
    db: &mut PgConnection,
    state: &AppState,
    device: Uuid,
    window: Window,
) -> Result<Option<Holder>> {
    let rows = reports::list_assignments(db, &[device]).await?;
    let holds = |from: Time, to: Option<Time>| from <= window.start && to.is_none_or(|to| window.end <= to);
    let Some(row) = rows.into_iter().find(|row| holds(row.from, row.to)) else { return Ok(None) };
    let mut audiences = identity::list_moves(db, &[row.person_id], Audience::new).await?;
    // Everybody has been somewhere since their account was made.
    let audience = audiences.remove(&row.person_id).ok_or(Error::NotFound)?;
    let zone = row.time_zone.and_then(|z| TimeZone::get(&z).ok());
    let zone = zone.unwrap_or_else(|| state.config.time_zone.clone());
    Ok(Some(Holder { id: row.person_id, zone, audience }))
}

/// Rows by day, in the order of their key, so that two writers can't wait for each other.
fn columns(parsed: &ParsedLook, holder: Option<&Holder>) -> PresenceColumns {
    let report = &parsed.report;
    let zone = holder.map_or(TimeZone::UTC, |h| h.zone.clone());
    let mut rows = Vec::new();
    for seen in &report.products {
        let (first, last) = (seen.first_observed, seen.last_observed);
        let days = (first.day(&zone), last.day(&zone));
        let key = (seen.product.as_str(), seen.by.id());
        if days.0 == days.1 {
            rows.push((days.0, key, first, last));
        } else {
            rows.extend([(days.0, key, first, first), (days.1, key, last, last)]);
        }
    }
    rows.sort_unstable_by_key(|(day, key, ..)| (*day, *key));
    let mut columns = PresenceColumns::new(report.device_id, holder.map(|h| h.id), report.agent_id);
    for (day, (product, by), first, last) in rows {
        columns.day.push(day);
        columns.product.push(product.into());
        columns.by.push(by.into());
        columns.first_seen.push(first);
        columns.last_seen.push(last);
    }
    columns
}

/// When a product was there and no declaration in force for this person named it: at its first moment, at its last,
/// or at both. What was observed at decides, so that a later declaration clears nothing (R9).
fn undeclared_at(seen: &SeenProduct, holder: &Holder, declarations: &[Declaration]) -> Option<(Time, Time)> {
    let mut times = [seen.first_observed, seen.last_observed]
        .into_iter()
        .filter(|at| !super::silent::is_declared(seen.product.as_str(), *at, &holder.audience, declarations));
    let first = times.next()?;
    Some((first, times.next().unwrap_or(first)))
}

fn undeclared(
    state: &AppState,
    parsed: &ParsedLook,
    holder: &Holder,
    declarations: &[Declaration],
    now: Time,
) -> FindingColumns {
    let mut spans: std::collections::BTreeMap<&str, (Time, Time)> = std::collections::BTreeMap::new();
    for seen in &parsed.report.products {
        if let Some((first, last)) = undeclared_at(seen, holder, declarations) {
            let span = spans.entry(seen.product.as_str()).or_insert((first, last));
            *span = (span.0.min(first), span.1.max(last));
        }
    }
    let mut found = FindingColumns::default();
    for (product, (first, last)) in spans {
        found.id.push(state.random.uuid(now));
        found.kind.push(FindingKind::UndeclaredAgent.id().into());
        found.person_id.push(Some(holder.id));
        found.agent_id.push(Some(parsed.report.agent_id));
        found.category.push(None);
        found.about.push(format!("program:{product}"));
        found.field.push(Field::parse(INSTALLED).map_or("", Field::id).into());
        found.day.push(None);
        found.first_at.push(first);
        found.last_at.push(last);
        found.push_evidence(None);
    }
    found
}
