//! Daylight shows workers what their employer's monitoring collects about them, and gives them a say.
//!
//! Each feature is one room with the same file names: `model` (types and rules, no I/O), `store` (SQL),
//! `actions` (writes, one transaction each), `pages` (HTML) and `api` (JSON). See docs/ARCHITECTURE.md.

pub mod app;
pub mod audit;
pub mod canaries;
pub mod catalogue;
pub mod clock;
pub mod collection;
pub mod config;
pub mod consent;
pub mod credentials;
pub mod database;
pub mod demo;
pub mod error;
pub mod gateways;
pub mod identity;
pub mod imports;
pub mod ledger;
pub mod notices;
pub mod outbox;
pub mod petitions;
pub mod register;
pub mod representative;
pub mod server;
pub mod site;
pub mod wallet;
pub mod web;
