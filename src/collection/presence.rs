//! Presence: which known monitoring programs are on a device (rule R7).
//!
//! A presence report names products of the catalogue and nothing else, so that no list of anybody's programs can
//! come here. What is there and not declared is found at once; what is declared, there for days and reported by
//! nobody is found by the hourly house-keeping. A report without products says "I looked and found none of them".

pub mod api;
mod intake;
pub mod model;
mod silent;

pub use intake::take;
pub use model::{Look, ParsedLook, PresenceReport, SeenProduct};
pub use silent::find_silent;
