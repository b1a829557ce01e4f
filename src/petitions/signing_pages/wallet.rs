//! `/petitions/wallet`

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::{Second, store};
use crate::app::AppState;
use crate::credentials::wire::WalletInfo;
use crate::error::Result;
use crate::petitions::issuing;
use crate::petitions::model::PACKS_NEEDED;
use crate::web::{Page, Viewer, html};

#[derive(Template)]
#[template(path = "petitions/wallet.html")]
struct WalletPage {
    page: Page,
    /// Address of this server, as the command line names it.
    server: String,
    wallet: WalletInfo,
    second: Option<Second>,
    packs: i64,
    /// What the example's paper says.
    example: Option<String>,
}

impl WalletPage {
    fn needed(&self) -> i64 {
        PACKS_NEEDED
    }
}

pub async fn show(State(state): State<AppState>, page: Page, viewer: Viewer) -> Result<Response> {
    let wallet = issuing::wallet_info(&state, viewer.person_id).await?;
    let mut db = state.db.acquire().await?;
    let packs = match store::find_epoch(&mut db).await? {
        Some(epoch) => issuing::packs_of(&mut db, &epoch).await?,
        None => 0,
    };
    let second = Second::find(&mut db, &state).await?;
    let example = state.petitions.example_code(viewer.person_id);
    html(&WalletPage { page, server: state.config.base_url.clone(), wallet, second, packs, example })
}
