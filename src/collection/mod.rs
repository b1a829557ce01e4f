//! What is collected about people, as agents report it, compared with what is declared.
//!
//! Agents enrol with a one-time secret and send signed reports of counts, never content. One writer takes
//! whatever waits ([`Intake`]), checks each report's chain, finds what is undeclared or beyond its
//! declaration, and adds to daily sums; pages read those sums and never a raw report. A person's figures
//! are theirs: others see bands of five people and more.

mod actions;
mod api;
mod batch;
mod chain;
mod intake;
pub mod model;
pub mod report;
mod store;

pub use intake::{Intake, Receipt};

use crate::web::{Access, Routes};

pub fn routes() -> Routes {
    Routes::new()
        .post("/api/v1/agents", Access::Token, api::enrol)
        .post("/api/v1/collection-reports", Access::Token, api::report)
}
