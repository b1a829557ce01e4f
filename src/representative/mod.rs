//! `daylight representative`: the second issuer of credentials, a process and an origin of its own, with its own
//! keys, its own small store and its own copy of the roll. It shares no database and no secret with the dashboard.
//!
//! It signs the roll once somebody has looked at it ([`roll`]), gives every worker a pack of credentials against a
//! code on paper ([`packs`]), takes signatures and hands them over in batches ([`drop_box`]), and cosigns the log's
//! checkpoints. [`rounds`] is its conversation with the dashboard; [`pages`] are for the representative.

mod api;
mod codes;
mod dashboard;
mod drop_box;
mod model;
mod packs;
mod pages;
mod roll;
mod rounds;
mod server;
mod sessions;
mod store;

pub use packs::Strip;
pub use server::{Options, Representative, run};
