//! `/petitions/wallet`

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use super::store::{self, Representative};
use crate::app::AppState;
use crate::error::Result;
use crate::petitions::model::PACKS_NEEDED;
use crate::web::{Page, Viewer, html};

#[derive(Template)]
#[template(path = "petitions/wallet.html")]
struct WalletPage {
    page: Page,
    /// Address of this server, as the command line names it.
    server: String,
    worker_ref: Option<Uuid>,
    /// Whether some wallet of theirs is known here already.
    is_known: bool,
    representative: Option<Representative>,
    packs: i64,
}

impl WalletPage {
    fn needed(&self) -> i64 {
        PACKS_NEEDED
    }
}

pub async fn show(State(state): State<AppState>, page: Page, viewer: Viewer) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let known = store::find_wallet(&mut db, viewer.person_id).await?;
    let packs = match store::find_epoch(&mut db).await? {
        Some(epoch) => store::count_packs(&mut db, &epoch).await?,
        None => 0,
    };
    html(&WalletPage {
        page,
        server: state.config.base_url.clone(),
        worker_ref: known.as_ref().map(|k| k.worker_ref),
        is_known: known.is_some_and(|k| k.id_key.is_some()),
        representative: store::find_representative(&mut db).await?,
        packs,
    })
}
