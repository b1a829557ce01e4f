//! SQL of choices.

pub mod decisions;
pub mod deliveries;
pub mod objections;
pub mod people;
pub mod policy;
pub mod systems;
pub mod tallies;
