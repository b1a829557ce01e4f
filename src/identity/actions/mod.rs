//! What changes people, sessions and links; each function is one transaction.

mod links;
mod people;
mod roll;
mod signing;

pub use links::*;
pub use people::*;
pub use roll::*;
pub use signing::*;
