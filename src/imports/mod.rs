//! Vendors' own exports, counted and dropped, and held against what agents reported (rule R8).
//!
//! A publisher or a representative uploads what a monitoring product exports. A dry run says what was understood and
//! keeps counts by person, day and category for an hour, nothing else: no line, no name, no value of the file is kept
//! or shown. Once confirmed the counts stand beside what agents reported; the same file twice changes nothing. Shapes
//! of exports are data (`formats.csv`, `columns.csv`, `events.csv`, `comparable.csv`), read off vendors' documentation
//! and tried with made-up files only: what they say is called unverified wherever it is shown.

mod actions;
mod compare;
mod csv_file;
mod formats;
mod json_file;
mod mine;
mod model;
mod pages;
mod store;
mod tally;
mod upload;
mod when;

use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;

pub use compare::compare_imports;
pub use csv_file::delimiter;
pub use formats::{Format, documented_names, programs};
pub use mine::{ImportedLine, imported_about};

use crate::app::AppState;
use crate::web::{Access, Role, Routes};

const WORKER: Access = Access::Roles(&[Role::Worker]);
/// Who has such exports, and who is given them.
const UPLOADERS: &[Role] = &[Role::Publisher, Role::Representative];
const OTHERS: Access = Access::Roles(UPLOADERS);

pub fn routes() -> Routes {
    Routes::new()
        .get("/imports", OTHERS, pages::list)
        .post("/imports", OTHERS, upload::dry_run.layer(DefaultBodyLimit::max(upload::REQUEST_LIMIT)))
        .get("/imports/{id}", OTHERS, pages::show)
        .post("/imports/{id}/confirm", OTHERS, pages::confirm)
        .post("/imports/{id}/discard", OTHERS, pages::discard)
        .get("/me/imports", WORKER, mine::show)
}

/// Forgets dry runs that nobody confirmed and compares what became due, once an hour, until the pool is closed.
pub async fn keep_house(state: AppState) {
    while !state.db.is_closed() {
        if actions::forget_expired(&state).await.is_err() {
            tracing::warn!("dry runs of imports could not be forgotten; tried again in an hour");
        }
        if compare_imports(&state).await.is_err() {
            tracing::warn!("imports could not be compared with reports; tried again in an hour");
        }
        tokio::select! {
            () = state.db.close_event() => return,
            () = tokio::time::sleep(Duration::from_secs(3600)) => {}
        }
    }
}
