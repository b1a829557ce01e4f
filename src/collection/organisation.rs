//! The organisation's view: declared against observed in bands of people, for those who may never see a
//! single person's figures.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::tz::TimeZone;

use super::model::{COVERAGE_DAYS, FindingKind, PeopleBand, SMALLEST_GROUP};
use super::store::organisation::{self as store, FleetCounts};
use crate::app::AppState;
use crate::error::Result;
use crate::register::{self, Category};
use crate::web::{Page, html};

#[derive(Template)]
#[template(path = "collection/organisation.html")]
struct OrganisationPage {
    page: Page,
    fleet: FleetCounts,
    rows: Vec<CategoryRow>,
    /// Whether enough people have a device for anything to be said.
    speaks: bool,
}

struct CategoryRow {
    category: Category,
    /// Active declarations of it.
    declared: usize,
    observed: Option<PeopleBand>,
    undeclared: Option<PeopleBand>,
    exceeds: Option<PeopleBand>,
}

impl CategoryRow {
    fn needs_attention(&self) -> bool {
        self.undeclared.is_some() || self.exceeds.is_some()
    }
}

/// Counts people over the last 30 *whole* days, so that two looks on one day are the same and a newcomer's
/// or a leaver's day can't be subtracted within it.
pub async fn show(State(state): State<AppState>, page: Page) -> Result<Response> {
    let zone: &TimeZone = &state.config.time_zone;
    let today = page.now.day(zone);
    let from = today.plus_days(-COVERAGE_DAYS);
    let mut db = state.db.acquire().await?;
    let whole = store::count_covered_people(&mut db, page.now).await?;
    let observed = store::count_observed(&mut db, from, today).await?;
    let found = store::count_findings(&mut db, from.start(zone), today.start(zone)).await?;
    let silent_since = page.now.plus_seconds(-24 * 3600);
    let fleet = store::count_fleet(&mut db, page.now, silent_since, from.start(zone)).await?;
    let declarations = register::declarations_in_force(&mut db, page.now).await?;
    drop(db);
    // The count of people with a figure may exceed those who have a device now: leavers within the days.
    let band = |n: Option<i64>| n.filter(|n| *n > 0).and_then(|n| PeopleBand::of(n, whole.max(n)));
    let rows = Category::all()
        .map(|category| {
            let id = category.id();
            let finding = |kinds: &[FindingKind]| {
                let most =
                    found.iter().filter(|f| f.category == id && kinds.iter().any(|k| k.id() == f.kind));
                band(most.map(|f| f.people).max())
            };
            CategoryRow {
                category,
                declared: declarations.iter().filter(|d| d.content.category == category).count(),
                observed: band(observed.iter().find(|o| o.category == id).map(|o| o.people)),
                undeclared: finding(&[FindingKind::Undeclared, FindingKind::Unrecognised]),
                exceeds: finding(&[FindingKind::Exceeds]),
            }
        })
        .filter(|r| r.declared > 0 || r.observed.is_some() || r.needs_attention())
        .collect();
    html(&OrganisationPage { page, fleet, rows, speaks: whole >= SMALLEST_GROUP })
}
