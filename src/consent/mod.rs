//! What people decide about each processing, and what they hold as proof of it.

pub mod receipt;
pub mod record;
#[cfg(test)]
mod record_tests;
mod terms;
