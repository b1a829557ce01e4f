//! The pages in a real Chromium: one browser and one example organisation for the whole binary.

mod axe;
mod choices;
mod chromium;
mod editor;
mod keyboard;
mod links;
mod network;
mod notice;
mod pages;
mod petitions;
mod plain;
mod print;
mod representative;
mod screenshots;
mod site;
mod starting;
#[path = "../it/support/mod.rs"]
mod support;
mod tab;
mod verify;
mod wallet;
mod wallet_keys;
mod worker;
mod workplace;
