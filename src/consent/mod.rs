//! What people decide about the processing of their data, and what follows from it.
//!
//! [`bundle`] is the signed policy that tells an agent what it may collect; the server writes it and the
//! agent reads it with the same code.

pub mod bundle;
