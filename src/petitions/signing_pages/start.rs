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
pub struct About {
    about_kind: Option<String>,
    about_id: Option<Uuid>,
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
    Query(about): Query<About>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let epoch = store::find_epoch(&mut db).await?;
    let packs = match &epoch {
        Some(epoch) => issuing::packs_of(&mut db, epoch).await?,
        None => 0,
    };
    let kind = about.about_kind.filter(|kind| ["processing", "notice"].contains(&kind.as_str()));
    html(&StartPage {
        page,
        worker_ref: store::find_worker_ref(&mut db, viewer.person_id).await?,
        second: Second::find(&mut db, &state).await?,
        about: kind.zip(about.about_id),
        epoch,
        packs,
    })
}
