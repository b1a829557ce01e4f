//! Notices: what the employer tells people before and while it collects something.
//!
//! A publisher writes a notice from a template, picks the processings it covers, has it reviewed, answered
//! by the representatives where the place demands it, and approved; then it is published, now or at its
//! time. A version is immutable from its approval on; its publication submits a leaf to the ledger in the
//! same transaction, and readers see it once that leaf is in the log (`notice_version_visible`). Corrections
//! of words make a minor version, everything else a major one. What people read of it, acknowledge and ask
//! is the reading side.

pub mod actions;
mod answer;
mod bands;
mod board;
mod checks;
mod compare;
mod coverage;
mod desk;
pub mod diff;
#[cfg(test)]
mod diff_tests;
mod documents;
mod edit;
mod feed;
mod fields;
mod integrity;
pub mod laws;
pub mod life;
mod list;
pub mod markdown;
pub mod model;
mod publish;
mod questions;
mod reach;
mod reader;
mod review;
mod show;
pub mod signs;
pub mod store;
mod told;
mod version;

use std::time::Duration;

pub use board::{Code, code as qr_code};
pub use coverage::{Coverage, list_coverage};
pub use documents::documents;
pub use life::{State, Step};
pub use list::count_unread;
pub use model::{ChangeClass, Covered, CoveredField, Number, Text, Version};
pub use reader::choose_language;
pub use told::{Told, find_told};

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;

use crate::app::AppState;
use crate::web::{Access, Role, Routes};

const WORKER: Access = Access::Roles(&[Role::Worker]);
const PUBLISHER: Access = Access::Roles(&[Role::Publisher]);
const REPRESENTATIVE: Access = Access::Roles(&[Role::Representative]);
/// Those who write notices, and those who are consulted and see who was reached.
const CONSULTED: Access = Access::Roles(&[Role::Publisher, Role::Representative]);

/// Between looks at what is scheduled.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// What people read, and what they answer.
fn reading_routes() -> Routes {
    Routes::new()
        .get("/notices", Access::SignedIn, list::list)
        .get("/notices/{id}", Access::SignedIn, show::show)
        .get("/notices/{id}/changes", Access::SignedIn, compare::show)
        .post("/notices/{id}/acknowledge", WORKER, answer::acknowledge)
        .post("/notices/{id}/decline", WORKER, answer::decline)
        .post("/notices/{id}/questions", WORKER, questions::ask)
        .get("/notices/questions", CONSULTED, questions::list)
        .post("/questions/{id}/answer", PUBLISHER, questions::answer)
        .post("/questions/{id}/withdraw", WORKER, questions::withdraw)
        .get("/notices/{id}/reach", CONSULTED, reach::show)
        .post("/notices/{id}/remind", PUBLISHER, reach::send_reminder)
        .post("/notices/{id}/acknowledgements", PUBLISHER, reach::export)
        .get("/board/{id}", Access::Public, board::show)
        .get("/notices.atom", Access::Public, feed::show)
}

/// Room for the longest texts in every language, as a browser encodes them.
fn large() -> DefaultBodyLimit {
    DefaultBodyLimit::max(4 * 1024 * 1024)
}

/// What publishers write, and representatives answer.
fn publishing_routes() -> Routes {
    Routes::new()
        .get("/publishing", CONSULTED, desk::list)
        .post("/publishing", PUBLISHER, desk::create)
        .get("/publishing/new", PUBLISHER, desk::new)
        .get("/publishing/{id}", CONSULTED, desk::notice)
        .post("/publishing/{id}/change", PUBLISHER, desk::change)
        .post("/publishing/{id}/correct", PUBLISHER, desk::correct)
        .get("/publishing/versions/{id}", CONSULTED, version::show)
        .post("/publishing/versions/{id}", PUBLISHER, edit::save.layer(large()))
        .post("/publishing/versions/{id}/answer", REPRESENTATIVE, review::answer)
        .post("/publishing/versions/{id}/approve", PUBLISHER, review::approve)
        .post("/publishing/versions/{id}/autosave", PUBLISHER, edit::autosave.layer(large()))
        .post("/publishing/versions/{id}/delete", PUBLISHER, review::delete)
        .post("/publishing/versions/{id}/discard", PUBLISHER, review::discard)
        .get("/publishing/versions/{id}/edit", PUBLISHER, edit::edit)
        .post("/publishing/versions/{id}/preview", PUBLISHER, edit::preview.layer(large()))
        .post("/publishing/versions/{id}/publish", PUBLISHER, publish::submit_now)
        .post("/publishing/versions/{id}/retract", PUBLISHER, review::retract)
        .post("/publishing/versions/{id}/return", PUBLISHER, review::return_to_draft)
        .get("/publishing/versions/{id}/schedule", PUBLISHER, publish::show)
        .post("/publishing/versions/{id}/schedule", PUBLISHER, publish::submit_schedule)
        .post("/publishing/versions/{id}/submit", PUBLISHER, review::submit)
        .post("/publishing/versions/{id}/unschedule", PUBLISHER, review::unschedule)
}

pub fn routes() -> Routes {
    reading_routes().merge(publishing_routes())
}

/// Publishes what is scheduled when its time comes, as long as the pool is open.
pub async fn keep_house(state: AppState) {
    while !state.db.is_closed() {
        if let Err(error) = actions::publish_due(&state).await {
            tracing::warn!(%error, "scheduled notices could not be published; tried again soon");
        }
        tokio::select! {
            () = state.db.close_event() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
