//! `daylight wallet`: what the browser does for a signer, on the command line, for those who keep their credentials
//! outside of it or use no JavaScript.
//!
//! Everything is in one file that only its owner reads: the seed, what was pinned at the first use of a server, the
//! packs, and what was signed. The servers are asked without cookies and without an account.

mod check;
mod command;
mod fetching;
mod file;
mod signing;
mod web;

pub use command::{Names, WalletCommand, WalletOptions, run};
