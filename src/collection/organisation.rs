//! The organisation's view: declared against observed in bands of people, for those who may never see a
//! single person's figures.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::tz::TimeZone;

use super::findings;
use super::model::{COVERAGE_DAYS, FindingKind, PeopleBand, SMALLEST_WHOLE};
use super::store::organisation as store;
use crate::app::AppState;
use crate::error::Result;
use crate::register::{self, Category};
use crate::web::{Page, html};

#[derive(Template)]
#[template(path = "collection/organisation.html")]
struct OrganisationPage {
    page: Page,
    stats: [(&'static str, String); 5],
    rows: Vec<CategoryRow>,
    /// Whether enough people have a device for anything to be said.
    speaks: bool,
    /// Groups of findings that wait for an answer; `None` for those who don't see findings.
    open_findings: Option<usize>,
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
    fn has_findings(&self) -> bool {
        [self.undeclared, self.exceeds].into_iter().flatten().any(PeopleBand::is_some_people)
    }

    fn is_some_people(&self) -> bool {
        [self.observed, self.undeclared, self.exceeds].into_iter().flatten().any(PeopleBand::is_some_people)
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
    let open_findings = match page.is_publisher() || page.is_representative() {
        true => Some(findings::count_open(&mut db, page.now, zone).await?),
        false => None,
    };
    drop(db);
    // Leavers within the days may have figures and no device any more: never more than the whole.
    let band = |n: Option<i64>| PeopleBand::of(n.unwrap_or(0).min(whole), whole);
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
        // A row that stood here for one to four people would tell of them.
        .filter(|r| r.declared > 0 || r.is_some_people())
        .collect();
    let devices =
        |n: i64| PeopleBand::of(n, fleet.devices).map_or("not shown".into(), PeopleBand::of_devices);
    let stats = [
        ("devices", fleet.devices.to_string()),
        ("agents enrolled", fleet.agents.to_string()),
        ("agents silent for a day", devices(fleet.silent)),
        ("devices that are nobody’s", devices(fleet.unassigned)),
        ("agents that contradicted themselves", devices(fleet.contradicting)),
    ];
    html(&OrganisationPage { page, stats, rows, speaks: whole >= SMALLEST_WHOLE, open_findings })
}
