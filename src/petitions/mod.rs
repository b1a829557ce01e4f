//! Petitions among colleagues: one worker, one verified signature, with a name or without.
//!
//! [`issuing`] is how everybody on the roll comes by credentials, from the operator and from the representative's
//! own server; [`life`] is a petition from its draft to the employer's answer; [`signing`] takes signatures, keeps
//! them until nobody can be told apart, and puts them into the log in batches; [`signing_pages`] is where a worker's
//! browser makes them. Whose a signature without a name is,
//! nobody can find out: not from the database, not with the keys, not with the logs.

mod handle;
pub mod issuing;
pub mod life;
pub mod model;
pub mod signing;
mod signing_pages;

use std::time::Duration;

pub use handle::Petitions;

use crate::app::AppState;
use crate::web::{Access, Role, Routes};

const WORKER: Access = Access::Roles(&[Role::Worker]);
const PUBLISHER: Access = Access::Roles(&[Role::Publisher]);
const REPRESENTATIVE: Access = Access::Roles(&[Role::Representative]);

pub fn routes() -> Routes {
    Routes::new()
        .merge(issuing::routes())
        .merge(life::routes())
        .merge(signing::routes())
        .merge(signing_pages::routes())
}

/// Where signatures come in: nothing is logged of them.
pub fn silent_routes() -> Routes {
    signing::silent_routes()
}

/// Between looks at what is to be done.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Moves what a time has come for, as long as the pool is open: epochs, states, and at each full hour the batches.
pub async fn keep_house(state: AppState) {
    while !state.db.is_closed() {
        issuing::keep_house(&state).await;
        life::keep_house(&state).await;
        signing::keep_house(&state).await;
        tokio::select! {
            () = state.db.close_event() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
