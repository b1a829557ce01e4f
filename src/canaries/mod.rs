//! Canaries: unique strings that representatives type or send where they wish, and look for downstream.
//!
//! A canary is made here, used by hand, and looked for in whatever export, log or dump the representatives get hold of:
//! as a stream, in several encodings, of which nothing is kept but where it stood. What isn't found was not in what was
//! searched; it is never said not to have been collected. Only representatives see canaries. Whoever may use SQL on the
//! database can read them, and could keep them out of an export: the page says so, and `daylight canary find` looks on
//! one's own machine, for strings that were made elsewhere too.

mod actions;
pub mod command;
mod decode;
mod model;
mod packings;
mod pages;
mod reader;
mod search;
#[cfg(test)]
mod search_tests;
mod store;
mod token;
mod track;
mod unpack;
mod upload;
mod work;
mod zip;

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;

pub use reader::check_address;
pub use search::{Hit, Outcome, Search};
pub use token::Token;

use crate::web::{Access, Role, Routes};

const REPRESENTATIVES: Access = Access::Roles(&[Role::Representative]);

pub fn routes() -> Routes {
    Routes::new()
        .get("/canaries", REPRESENTATIVES, pages::list)
        .post("/canaries", REPRESENTATIVES, pages::make)
        .post(
            "/canaries/search",
            REPRESENTATIVES,
            upload::search.layer(DefaultBodyLimit::max(upload::REQUEST_LIMIT)),
        )
        .post("/canaries/read", REPRESENTATIVES, reader::read)
        .get("/canaries/searches/{id}", REPRESENTATIVES, pages::result)
        .get("/canaries/{id}", REPRESENTATIVES, pages::show)
        .post("/canaries/{id}/use", REPRESENTATIVES, pages::mark_used)
        .post("/canaries/{id}/delete", REPRESENTATIVES, pages::delete)
}
