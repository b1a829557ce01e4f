//! What exports hold about whoever asks: counts by day and category, for that person alone.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::formats::vendor;
use super::store::counts::{self as store, CountLine};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::Result;
use crate::register::Category;
use crate::web::{Page, Pager, Viewer, html, times};

const A_PAGE: i64 = 50;

/// What one vendor's exports hold about a person, in a line.
pub struct ImportedLine {
    pub vendor: String,
    pub records: String,
    pub days: i64,
    pub uploaded_at: Time,
    pub by: &'static str,
}

/// Whoever uploaded it, as a role.
pub(super) fn role_words(role: &str) -> &'static str {
    match role {
        "publisher" => "HR",
        _ => "a representative",
    }
}

/// By vendor; empty where no export holds anything about this person.
pub async fn imported_about(db: &mut PgConnection, person: Uuid) -> Result<Vec<ImportedLine>> {
    let lines = store::summarise(db, person).await?.into_iter().map(|s| ImportedLine {
        vendor: vendor(&s.program).into(),
        records: times::number(s.records),
        days: s.days,
        uploaded_at: s.last_at,
        by: role_words(&s.by_role),
    });
    Ok(lines.collect())
}

struct Line {
    row: CountLine,
    category: &'static str,
}

impl Line {
    fn vendor(&self) -> &str {
        vendor(&self.row.program)
    }

    fn by(&self) -> &'static str {
        role_words(&self.row.by_role)
    }

    fn records(&self) -> String {
        times::number(self.row.records)
    }
}

#[derive(Template)]
#[template(path = "imports/mine.html")]
struct MinePage {
    page: Page,
    lines: Vec<Line>,
    pager: Pager,
}

#[derive(Deserialize, Default)]
pub struct ListQuery {
    page: Option<String>,
}

pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let total = store::count_lines(&mut db, viewer.person_id).await?;
    let pager = Pager::new(query.page.as_deref(), A_PAGE, total, "/me/imports?");
    let rows = store::list_lines(&mut db, viewer.person_id, pager.offset(), pager.limit()).await?;
    drop(db);
    let lines = rows
        .into_iter()
        .map(|row| Line { category: Category::parse(&row.category).map_or("", Category::name), row })
        .collect();
    html(&MinePage { page, lines, pager })
}
