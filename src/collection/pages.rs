//! The worker's own pages, and their figures as CSV and JSON.

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::chart::{self, Flow, Heat};
use super::mine::{self, CategoryView, Mine, Watch};
use super::model::{PICTURED_DAYS, Status};
use super::store::mine as store;
use crate::app::{self, AppState, ImportedLine};
use crate::clock::{Day, Time};
use crate::error::{Error, Result};
use crate::register::Category;
use crate::web::{Page, Path, Viewer, html, times};

#[derive(Template)]
#[template(path = "collection/mine.html")]
struct MinePage {
    page: Page,
    mine: Mine,
    heat: Heat,
    flow: Flow,
    /// How many of the categories have each status.
    counts: Vec<(Status, usize)>,
    /// What vendors' own exports hold.
    imported: Vec<ImportedLine>,
}

impl MinePage {
    fn cell(&self, view: &CategoryView, row: &usize) -> String {
        cell_words(view, *row)
    }
}

fn cell_words(view: &CategoryView, row: usize) -> String {
    let Some(cell) = view.cells.get(row) else { return String::new() };
    match (cell.count, cell.watch) {
        (0, Watch::Nobody) => "–".into(),
        (0, Watch::Gap) => "unknown".into(),
        (0, Watch::Whole) => "0".into(),
        (count, Watch::Whole) => times::number(count),
        (count, _) => format!("at least {}", times::number(count)),
    }
}

pub async fn show(State(state): State<AppState>, page: Page, viewer: Viewer) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let mine = mine::load(&mut db, viewer.person_id, page.now, &page.zone).await?;
    let imported = app::imported_about(&mut db, viewer.person_id).await?;
    drop(db);
    let heat = chart::heat(&mine.days, &mine.categories);
    let flow = chart::flow(&mine);
    let counts = Status::ALL
        .into_iter()
        .map(|s| (s, mine.categories.iter().filter(|c| c.status == s).count()))
        .filter(|(_, n)| *n > 0)
        .collect();
    html(&MinePage { page, mine, heat, flow, counts, imported })
}

#[derive(Template)]
#[template(path = "collection/category.html")]
struct CategoryPage {
    page: Page,
    view: CategoryView,
    heat: Heat,
    days: Vec<Day>,
}

impl CategoryPage {
    fn cell(&self, row: &usize) -> String {
        cell_words(&self.view, *row)
    }

    /// Newest first, as indexes into `days`.
    fn newest_first(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.days.len()).rev()
    }
}

impl MinePage {
    fn newest_first(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.mine.days.len()).rev()
    }
}

pub async fn category(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response> {
    let category = Category::parse(&id).ok_or(Error::NotFound)?;
    let mut db = state.db.acquire().await?;
    let mine = mine::load(&mut db, viewer.person_id, page.now, &page.zone).await?;
    drop(db);
    let days = mine.days;
    let view = mine
        .categories
        .into_iter()
        .chain(mine.others)
        .find(|v| v.category == category)
        .ok_or(Error::NotFound)?;
    let heat = chart::heat(&days, std::slice::from_ref(&view));
    html(&CategoryPage { page, view, heat, days })
}

/// One day's sum, as exported.
#[derive(Serialize, ToSchema)]
pub struct DailyFigure {
    /// In the person's time zone.
    #[schema(value_type = String, format = Date)]
    day: Day,
    category: String,
    source: String,
    granularity: String,
    purpose: String,
    destination_host: String,
    recipient: String,
    country: String,
    collected: i64,
    collected_bytes: i64,
    forwarded: i64,
    forwarded_bytes: i64,
    dropped: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    first_observed: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_observed: Option<Time>,
}

async fn figures(
    state: &AppState,
    page: &Page,
    viewer: &Viewer,
    category: Option<&str>,
) -> Result<Vec<DailyFigure>> {
    if category.is_some_and(|c| Category::parse(c).is_none()) {
        return Err(Error::NotFound);
    }
    let since = page.today().plus_days(1 - PICTURED_DAYS);
    let mut db = state.db.acquire().await?;
    let rows = store::list_daily(&mut db, viewer.person_id, since, category).await?;
    Ok(rows
        .into_iter()
        .map(|r| DailyFigure {
            day: r.day,
            category: r.category,
            source: r.source,
            granularity: r.granularity,
            purpose: r.purpose,
            destination_host: r.destination_host,
            recipient: r.recipient,
            country: r.country,
            collected: r.collected,
            collected_bytes: r.collected_bytes,
            forwarded: r.forwarded,
            forwarded_bytes: r.forwarded_bytes,
            dropped: r.dropped,
            first_observed: r.first_observed,
            last_observed: r.last_observed,
        })
        .collect())
}

pub async fn category_json(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response> {
    Ok(Json(figures(&state, &page, &viewer, Some(&id)).await?).into_response())
}

pub async fn category_csv(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for figure in figures(&state, &page, &viewer, Some(&id)).await? {
        writer.serialize(figure).map_err(anyhow::Error::new)?;
    }
    let body = writer.into_inner().map_err(|e| anyhow::anyhow!("csv: {}", e.error()))?;
    let name = format!("attachment; filename=\"daylight-{id}.csv\"");
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, body).into_response())
}

/// What is collected about me
///
/// Daily sums of the last 90 days, all categories; for the signed-in worker alone.
#[utoipa::path(get, path = "/api/v1/me/collection", tag = "Worker", security(("session" = [])), responses(
    (status = 200, body = [DailyFigure]),
    (status = 401, body = crate::error::Problem),
    (status = 403, body = crate::error::Problem)))]
pub async fn all_json(State(state): State<AppState>, page: Page, viewer: Viewer) -> Result<Response> {
    Ok(Json(figures(&state, &page, &viewer, None).await?).into_response())
}
