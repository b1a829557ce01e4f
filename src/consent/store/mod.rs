//! SQL of choices.

pub mod decisions;
pub mod people;
pub mod policy;
pub mod systems;
