//! Blind-signed credentials (RFC 9474, RFC 9578): made in packs, so that asking for one tells nothing, and used
//! without saying whose they are.
//!
//! Both issuers, the operator's server and the representative's, sign with [`issuer`]; whoever holds a wallet
//! derives everything from one seed ([`seed`]) and blinds with [`blinding`]; [`wire`] is what goes between them.
//! What anybody checks afterwards is in `ledger::proof::{token, petition}`.

pub mod action;
pub mod blinding;
pub mod holder;
pub mod issuer;
pub mod seed;
pub mod wire;

#[cfg(test)]
mod vectors;
