//! A petition from its draft to the employer's answer.
//!
//! An author, with a name or without, seeks five supporters; a representative checks it against published rules; it
//! is open for its time; from the threshold on a clock runs that HR can't touch; every answer stays. Texts, checks,
//! answers and closes stand in the log, and each page says when what it shows isn't what stands there.

mod about;
pub mod actions;
mod answers;
pub mod api;
mod body;
mod changes;
mod chart;
mod counts;
mod desk;
mod documents;
mod export;
mod form;
mod integrity;
mod list;
pub mod model;
mod names;
mod own;
mod print;
mod reading;
mod rules;
mod show;
mod start;
mod steps;
mod store;
mod updates;

pub use about::{PetitionLink, petitions_about};
pub use actions::advance;
pub use documents::documents;
pub use export::find_signable;

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;

use super::{PUBLISHER, REPRESENTATIVE, WORKER};
use crate::app::AppState;
use crate::web::{Access, Role, Routes};

/// Those who may have news of a petition.
const REPORTERS: Access = Access::Roles(&[Role::Worker, Role::Representative]);

/// Room for the longest text, as a browser encodes it.
fn large() -> DefaultBodyLimit {
    DefaultBodyLimit::max(256 * 1024)
}

/// What everybody reads.
fn reading_routes() -> Routes {
    Routes::new()
        .get("/petitions", Access::SignedIn, list::list)
        .get("/petitions/rules", Access::Public, rules::show)
        .get("/petitions/{id}", Access::SignedIn, show::show)
        .get("/petitions/{id}/changes", Access::SignedIn, changes::show)
        .get("/petitions/{id}/names", Access::SignedIn, names::show)
        .get("/petitions/{id}/print", Access::SignedIn, print::show)
        .get("/petitions/{id}/export.csv", Access::SignedIn, export::csv)
        .get("/petitions/{id}/export.json", Access::SignedIn, export::json)
        .get("/petitions/{id}/petition.json", Access::SignedIn, export::petition)
        .post("/petitions/{id}/follow", Access::SignedIn, show::follow)
        .post("/petitions/{id}/unfollow", Access::SignedIn, show::unfollow)
}

pub fn routes() -> Routes {
    reading_routes()
        .get("/petitions/start", WORKER, start::choose)
        .post("/petitions/start", WORKER, start::create.layer(large()))
        .get("/petitions/start/named", WORKER, start::new)
        .get("/petitions/{id}/edit", WORKER, own::edit)
        .post("/petitions/{id}/edit", WORKER, own::save.layer(large()))
        .post("/petitions/{id}/delete", WORKER, own::delete)
        .post("/petitions/{id}/give-up", WORKER, own::give_up)
        .post("/petitions/{id}/updates", REPORTERS, show::update)
        .get("/petitions/desk", REPRESENTATIVE, desk::list)
        .get("/petitions/{id}/check", REPRESENTATIVE, desk::show)
        .post("/petitions/{id}/check", REPRESENTATIVE, desk::check)
        .get("/petitions/{id}/answer", PUBLISHER, answers::show)
        .post("/petitions/{id}/answer", PUBLISHER, answers::submit.layer(large()))
        .post("/api/v1/petitions/start", Access::Public, api::start.layer(large()))
        .post("/api/v1/petitions/{id}/author", Access::Public, api::act.layer(large()))
}

pub(super) async fn keep_house(state: &AppState) {
    if let Err(error) = advance(state).await {
        tracing::warn!(%error, "petitions could not be moved on; tried again soon");
    }
}
