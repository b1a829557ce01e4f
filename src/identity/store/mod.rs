//! SQL of people, sessions, links and the roll.

mod links;
mod moves;
mod people;
mod roll;
mod sessions;

pub use links::*;
pub use moves::*;
pub use people::*;
pub use roll::*;
pub use sessions::*;
