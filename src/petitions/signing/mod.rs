//! Takes signatures, keeps them until nobody can be told apart, and puts them into the log in batches.
//!
//! A request carries no cookie and leaves no log line ([`api`]). What passes the check waits in a table without
//! times or order ([`intake`]); at each full hour a batch goes into the log, in the order of the leaves' hashes,
//! so that the order tells nothing of who came when ([`batch`]).

pub mod api;
mod batch;
mod intake;
mod slots;
mod store;
mod submit;

pub use batch::{close_out, forget_order, forget_waiting, hold_batches, publish_due};
pub use intake::Intake;
pub use slots::Slots;

use crate::app::AppState;
use crate::web::{Access, Routes};

pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/petitions/keys/{petition}/{key}", Access::Public, api::key)
        .get("/api/v1/petitions/leaves/{hash}", Access::Public, api::leaf)
        .post("/api/v1/representative/actions", Access::Token, api::deliver)
}

pub(super) fn silent_routes() -> Routes {
    Routes::new().bare_post("/api/v1/petitions/actions", api::act)
}

pub(super) async fn keep_house(state: &AppState) {
    if let Err(error) = forget_waiting(state).await {
        tracing::warn!(%error, "signatures that are for nothing any more could not be forgotten; tried again soon");
    }
    if let Err(error) = forget_order(state).await {
        tracing::warn!(%error, "the order of signatures could not be forgotten; tried again soon");
    }
    if let Err(error) = publish_due(state).await {
        tracing::warn!(%error, "signatures could not be published; tried again soon");
    }
}
