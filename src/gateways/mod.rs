//! Real agents' protocols, one room each.
//!
//! A gateway looks at what monitoring software on a device records, and turns it into collection reports:
//! how many records of which category, never what is in them. Gateways run on the worker's machine and
//! know the server by its public API alone, so nothing here uses the database or the web shell; somebody
//! else's agent can do all of this with docs/agent.md beside them.

pub mod activitywatch;
pub mod gate;
mod link;
mod names;
mod osquery;
mod otlp;
mod wakatime;
