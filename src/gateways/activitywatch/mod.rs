//! `daylight agent`: reads a real ActivityWatch server on this machine and reports what it holds.
//!
//! Every interval the reporter asks the local server for its buckets and events. Each event is turned into
//! categories and byte counts the moment it is parsed ([`model`]); what was typed, opened or read stays
//! behind in that function. [`coverage`] decides for which stretches of time a category may be called
//! watched. [`reporter`] puts reports into the queue that [`super::link`] signs, keeps and sends.
//!
//! Beside it, `link` fetches what the person this machine belongs to allows and decides whether to believe it,
//! and [`watchers`] starts and stops ActivityWatch's watchers accordingly ([`process`]).
//! [`refusals`] looks whether something is recorded all the same. [`agent`] holds it together.
//!
//! The agent claims little on purpose: time in which no watcher lived is a gap, and shown as one.

mod agent;
mod client;
mod coverage;
pub(super) mod gateway;
mod model;
#[cfg(test)]
mod model_tests;
mod process;
mod refusals;
mod reporter;
mod watchers;

pub use agent::{AgentOptions, DEFAULT_INTERVAL, run};
pub use watchers::Watcher;

/// As declarations and rules name what this room is about.
const PROGRAM: &str = "activitywatch";
