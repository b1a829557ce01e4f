//! Notices: what the employer tells people before and while it collects something.
//!
//! A publisher writes a notice from a template, picks the processings it covers, has it reviewed, answered
//! by the representatives where the place demands it, and approved; then it is published, now or at its
//! time. A version is immutable from its approval on; its publication submits a leaf to the ledger in the
//! same transaction, and readers see it once that leaf is in the log (`notice_version_visible`). Corrections
//! of words make a minor version, everything else a major one. What people read of it, acknowledge and ask
//! is the reading side.

mod checks;
pub mod diff;
mod fields;
pub mod laws;
pub mod life;
pub mod markdown;
pub mod model;
pub mod store;

pub use life::{State, Step};
pub use model::{ChangeClass, Covered, CoveredField, Number, Text, Version};

use crate::web::Routes;

pub fn routes() -> Routes {
    Routes::new()
}
