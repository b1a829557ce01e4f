//! Notices.
pub mod diff;
pub mod markdown;
