//! `/petitions/start/confidential`

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::store::{self, Representative};
use crate::app::AppState;
use crate::error::Result;
use crate::petitions::model::{OPEN_DAYS, PACKS_NEEDED, SEEKING_DAYS, SUPPORTERS};
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
    representative: Option<Representative>,
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
        match (&self.representative, &self.epoch) {
            (None, _) => Some("Your representatives have no server yet, so nobody can start without a name.".into()),
            (_, None) => Some("No epoch has begun yet, so nobody has credentials.".into()),
            _ if self.packs < PACKS_NEEDED => Some(format!(
                "Off until {PACKS_NEEDED} colleagues have credentials; {} have them so far. Among fewer, somebody could \
                 guess who started it.",
                self.packs
            )),
            _ => None,
        }
    }
}

pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Query(about): Query<About>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let known = store::find_wallet(&mut db, viewer.person_id).await?;
    let epoch = store::find_epoch(&mut db).await?;
    let packs = match &epoch {
        Some(epoch) => store::count_packs(&mut db, epoch).await?,
        None => 0,
    };
    let kind = about.about_kind.filter(|kind| ["processing", "notice"].contains(&kind.as_str()));
    html(&StartPage {
        page,
        worker_ref: known.map(|k| k.worker_ref),
        representative: store::find_representative(&mut db).await?,
        about: kind.zip(about.about_id),
        epoch,
        packs,
    })
}
