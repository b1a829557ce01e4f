//! People, their roles, and how they sign in.
//!
//! An account comes from the roll (a CSV file, imported after a dry run), from an invitation, or from
//! set-up. People sign in with e-mail and password (argon2id); a session is a random token whose SHA-256
//! stands in the database. Guessing is slowed down per account, and an account that doesn't exist takes
//! the same time as one that does. Leavers are deactivated, never deleted.

mod account;
mod actions;
mod admin;
mod link;
mod model;
mod pages;
mod passwords;
mod roll;
mod sessions;
mod store;

pub use actions::{
    NewPerson, add_person, first_run_link, issue_sign_in_link, mark_installation, set_known_password,
};
pub use model::{JURISDICTIONS, Moves, TIME_ZONES, normalise_email, token_hash};
pub use passwords::{Passwords, Place};
pub use sessions::load_viewer;
pub use store::{PersonSummary, active_people, find_person, list_departments, list_moves};

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;

use crate::web::{Access, Role, Routes};

const ADMIN: Access = Access::Roles(&[Role::Administrator]);

pub fn routes() -> Routes {
    Routes::new()
        .get("/sign-in", Access::Public, pages::sign_in)
        .post("/sign-in", Access::Public, pages::submit_sign_in)
        .post("/sign-out", Access::Public, pages::sign_out)
        .get("/password/forgotten", Access::Public, link::forgotten)
        .post("/password/forgotten", Access::Public, link::submit_forgotten)
        .get("/link/{token}", Access::Public, link::show)
        .post("/link/{token}", Access::Public, link::submit)
        .get("/me/account", Access::SignedIn, account::show)
        .post("/me/account/password", Access::SignedIn, account::change_password)
        .post("/me/account/time-zone", Access::SignedIn, account::change_time_zone)
        .post("/me/sessions/{id}/end", Access::SignedIn, account::end_session)
        .get("/people", ADMIN, admin::list)
        .get("/people/new", ADMIN, admin::new)
        .post("/people", ADMIN, admin::create)
        .get("/people/import", ADMIN, roll::upload)
        .post("/people/import", ADMIN, roll::dry_run.layer(DefaultBodyLimit::max(roll::REQUEST_LIMIT)))
        .get("/people/import/{id}", ADMIN, roll::show)
        .post("/people/import/{id}/apply", ADMIN, roll::apply)
        .get("/people/{id}", ADMIN, admin::show)
        .post("/people/{id}", ADMIN, admin::update)
        .post("/people/{id}/invite", ADMIN, admin::invite_again)
        .post("/people/{id}/deactivate", ADMIN, admin::deactivate)
        .post("/people/{id}/reactivate", ADMIN, admin::reactivate)
}
