//! `/petitions/start/confidential`

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::{Second, obstacle, store};
use crate::app::AppState;
use crate::error::Result;
use crate::petitions::issuing;
use crate::petitions::model::{OPEN_DAYS, SEEKING_DAYS, SUPPORTERS};
use crate::web::{Page, Viewer, html};

#[derive(Debug, Deserialize)]
pub struct StartQuery {
    /// `processing:UUID` or `notice:UUID`
    about: Option<String>,
}

fn about(text: &str) -> Option<(String, Uuid)> {
    let (kind, id) = text.split_once(':')?;
    ["processing", "notice"].contains(&kind).then(|| Some((kind.to_owned(), id.parse().ok()?)))?
}

#[derive(Template)]
#[template(path = "petitions/start_confidential.html")]
struct StartPage {
    page: Page,
    worker_ref: Option<Uuid>,
    second: Option<Second>,
    epoch: Option<String>,
    packs: i64,
    about: Option<(String, Uuid)>,
}

impl StartPage {
    fn days(&self) -> [i32; 3] {
        OPEN_DAYS
    }

    fn supporters(&self) -> i64 {
        SUPPORTERS
    }

    fn seeking_days(&self) -> i64 {
        SEEKING_DAYS
    }

    fn obstacle(&self) -> Option<String> {
        obstacle(self.second.as_ref(), self.packs, "started it")
    }
}

pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Query(query): Query<StartQuery>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let epoch = store::find_epoch(&mut db).await?;
    let packs = match &epoch {
        Some(epoch) => issuing::packs_of(&mut db, epoch).await?,
        None => 0,
    };
    html(&StartPage {
        page,
        worker_ref: store::find_worker_ref(&mut db, viewer.person_id).await?,
        second: Second::find(&mut db, &state).await?,
        about: query.about.as_deref().and_then(about),
        epoch,
        packs,
    })
}
