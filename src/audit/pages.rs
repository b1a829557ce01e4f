//! One's own access log.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::store::{self, EntryRow};
use crate::app::AppState;
use crate::error::Result;
use crate::web::{Page, Pager, Role, Viewer, html};

const ENTRIES_A_PAGE: i64 = 50;

#[derive(Template)]
#[template(path = "audit/show.html")]
struct AccessLogPage {
    page: Page,
    entries: Vec<EntryRow>,
    pager: Pager,
}

#[derive(Deserialize)]
pub struct PageQuery {
    page: Option<String>,
}

/// What others did about the viewer. The list isn't recorded: it is the viewer's own.
pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Query(query): Query<PageQuery>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let total = store::count_entries(&mut db, viewer.person_id).await?;
    let pager = Pager::new(query.page.as_deref(), ENTRIES_A_PAGE, total, "/me/access-log?");
    let entries = store::list_entries(&mut db, viewer.person_id, pager.offset(), pager.limit()).await?;
    html(&AccessLogPage { page, entries, pager })
}

impl EntryRow {
    /// What was done, in words.
    fn words(&self) -> &'static str {
        super::words(&self.action)
    }

    /// The role in which it was done.
    fn by(&self) -> &'static str {
        match self.actor_role.parse::<Role>() {
            Ok(role) => role.words(),
            Err(()) => "The server itself, or somebody who wasn't signed in",
        }
    }
}
