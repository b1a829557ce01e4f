//! How everybody on the roll comes by credentials, long before there is anything to sign.
//!
//! A representative connects their own server once ([`pair`]). From then on this server proposes epochs and versions
//! of the roll ([`propose`]); each counts once that server has signed it. Whoever stands on a signed roll may have one
//! pack of credentials of each issuer, and everybody's wallet fetches its packs by itself: having them tells nothing.

pub mod api;
mod countersign;
mod epochs;
mod keys;
mod model;
mod packs;
mod pages;
mod pairing;
mod store;
mod wallets;

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use sqlx::PgConnection;

pub use api::caller;
pub use epochs::{forget, propose};
pub use keys::OperatorKeys;
pub use model::operator_name;
pub use pairing::{announce_again, is_independent, pair, representative};
pub use store::lock as hold_rolls;
pub use store::representative::RepresentativeRow;
pub use wallets::{enrol, show as wallet_info};

use crate::app::AppState;
use crate::credentials::wire::MAX_BODY;
use crate::error::Result;
use crate::web::{Access, Role, Routes};

const READERS: Access = Access::Roles(&[Role::Representative, Role::Publisher, Role::Administrator]);

pub fn routes() -> Routes {
    use super::{REPRESENTATIVE, WORKER};
    let limit = || DefaultBodyLimit::max(MAX_BODY);
    Routes::new()
        .get("/petitions/representative", READERS, pages::representative)
        .post("/petitions/representative", REPRESENTATIVE, pages::connect)
        .post("/petitions/wallet/key", WORKER, pages::wallet_key)
        .get("/api/v1/me/wallet", WORKER, api::wallet)
        .post("/api/v1/me/wallet", WORKER, api::enrol)
        .get("/api/v1/petitions/issuer", Access::Public, api::issuer)
        .get("/api/v1/petitions/epoch", Access::Public, api::epoch)
        .get("/api/v1/petitions/places/{id_key}", Access::Public, api::place)
        .post("/api/v1/petitions/packs", Access::Public, api::pack.layer(limit()))
        .get("/api/v1/representative/roll", Access::Token, api::roll)
        .post("/api/v1/representative/roll", Access::Token, api::sign_roll.layer(limit()))
        .post("/api/v1/representative/issues", Access::Token, api::issues.layer(limit()))
        .get("/api/v1/representative/petitions", Access::Token, api::petitions)
}

/// Places with packs of both issuers.
pub async fn packs_of(db: &mut PgConnection, epoch: &str) -> Result<i64> {
    Ok(store::packs::count_both(db, epoch).await?)
}

pub(super) async fn keep_house(state: &AppState) {
    if let Err(error) = look(state).await {
        tracing::warn!(%error, "epochs and rolls can't be looked after now, and are tried again");
    }
}

async fn look(state: &AppState) -> Result<()> {
    pairing::remember_url(state).await?;
    announce_again(state).await?;
    epochs::forget(state).await?;
    if state.petitions.representative_url().is_none() {
        return Ok(());
    }
    propose(state).await?;
    state.petitions.keys().prepare().await
}
