//! Those who signed with their name, by name: an order of time would tell who came together.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::reading::Reading;
use super::store::counts::{self, NameRow};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::petitions::model::FEW;
use crate::web::{Page, Pager, Path, Viewer, html};

const A_PAGE: i64 = 50;

#[derive(Deserialize)]
pub struct NamesQuery {
    page: Option<String>,
}

#[derive(Template)]
#[template(path = "petitions/names.html")]
struct NamesPage {
    page: Page,
    id: Uuid,
    title: String,
    /// `None` while they would tell how many, fewer than five, don't show theirs.
    names: Option<Vec<NameRow>>,
    pager: Pager,
}

/// Whether the names leave a rest of fewer than five beside the whole.
fn tells_too_much(total: i64, names: i64) -> bool {
    let few = FEW as i64;
    total < few || (1..few).contains(&(total - names))
}

/// Names for everybody; representatives also see those that are shown to them only.
pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    Query(query): Query<NamesQuery>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let it = Reading::load(&mut db, &state, id).await?;
    if !it.may_read(&viewer) {
        return Err(Error::NotFound);
    }
    let (leaf, all) = (&it.newest().leaf_hash, page.is_representative());
    let total = counts::find_total(&mut db, leaf).await?;
    let public = counts::count_names(&mut db, leaf, false).await?;
    let count = if all { counts::count_names(&mut db, leaf, true).await? } else { public };
    let pager = Pager::new(query.page.as_deref(), A_PAGE, count, format!("/petitions/{id}/names?"));
    let names = match tells_too_much(total, public) || tells_too_much(total, count) {
        true => None,
        false => Some(counts::list_names(&mut db, leaf, all, pager.offset(), pager.limit()).await?),
    };
    html(&NamesPage { page, id, title: it.document.title, names, pager })
}

#[cfg(test)]
mod tests {
    use super::tells_too_much;

    #[test]
    fn names_leave_no_small_rest() {
        assert!(!tells_too_much(10, 10) && !tells_too_much(10, 5) && !tells_too_much(12, 0));
        assert!(tells_too_much(10, 9) && tells_too_much(10, 6) && tells_too_much(4, 4));
    }
}
