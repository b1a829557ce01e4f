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
pub mod diff;
pub mod documents;
mod feed;
mod fields;
mod integrity;
pub mod laws;
pub mod life;
mod list;
pub mod markdown;
pub mod model;
mod questions;
mod reach;
mod reader;
mod show;
pub mod store;

pub use life::{State, Step};
pub use model::{ChangeClass, Covered, CoveredField, Number, Text, Version};

pub use list::count_unread;

use crate::web::{Access, Role, Routes};

const WORKER: Access = Access::Roles(&[Role::Worker]);
const PUBLISHER: Access = Access::Roles(&[Role::Publisher]);
const REACH: Access = Access::Roles(&[Role::Publisher, Role::Representative]);

/// What people read, and what they answer.
fn reading_routes() -> Routes {
    Routes::new()
        .get("/notices", Access::SignedIn, list::list)
        .get("/notices/{id}", Access::SignedIn, show::show)
        .get("/notices/{id}/changes", Access::SignedIn, compare::show)
        .post("/notices/{id}/acknowledge", WORKER, answer::acknowledge)
        .post("/notices/{id}/decline", WORKER, answer::decline)
        .post("/notices/{id}/questions", WORKER, questions::ask)
        .get("/questions", REACH, questions::list)
        .post("/questions/{id}/answer", PUBLISHER, questions::answer)
        .post("/questions/{id}/withdraw", WORKER, questions::withdraw)
        .get("/notices/{id}/reach", REACH, reach::show)
        .post("/notices/{id}/remind", PUBLISHER, reach::send_reminder)
        .post("/notices/{id}/acknowledgements", PUBLISHER, reach::export)
        .get("/board/{id}", Access::Public, board::show)
        .get("/notices.atom", Access::Public, feed::show)
}

pub fn routes() -> Routes {
    reading_routes()
}
