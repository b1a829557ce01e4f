//! What the employer declares: category × purpose × source.
//!
//! A processing is drafted by a publisher, proposed to the representatives, answered by them, activated,
//! paused, resumed, changed and ended. Each step is a revision that can't be changed afterwards, so that the
//! register can say what was declared at any moment: [`list_declarations`] gives the periods, and what
//! agents report is compared with them. The law's demands are data (`jurisdictions.csv`) and one function
//! ([`validate`]) whose messages name the article.

pub mod actions;
pub mod api;
mod choices;
mod edit;
mod form;
pub mod life;
mod list;
mod log;
pub mod model;
mod obstacle;
mod products;
mod rules;
#[cfg(test)]
mod rules_tests;
mod shape;
mod show;
mod steps;
pub mod store;
pub mod taxonomy;
mod words;

pub use life::{Change, Declaration, Revision, State};
pub use log::{documents, enter_backlog};
pub use model::{
    ChoiceMode, EmotionException, Frequency, Granularity, LegalBasis, Mandatory, ProcessingContent,
    Recipient, RecipientKind, Source, Visibility, source_key,
};
pub use rules::validate;
pub use store::{declarations_in_force, list_declarations};
pub use taxonomy::{Category, Jurisdiction, Purpose, country_name};
pub use words::{Fact, facts};

use crate::web::{Access, Role, Routes};

const PUBLISHER: Access = Access::Roles(&[Role::Publisher]);
const REPRESENTATIVE: Access = Access::Roles(&[Role::Representative]);

pub fn routes() -> Routes {
    Routes::new()
        .get("/catalogue", Access::SignedIn, products::list)
        .get("/catalogue/{id}", Access::SignedIn, products::show)
        .get("/categories", Access::SignedIn, list::categories)
        .get("/register", Access::SignedIn, list::list)
        .post("/register", PUBLISHER, edit::create)
        .get("/register/new", PUBLISHER, edit::new)
        .get("/register/{id}", Access::SignedIn, show::show)
        .post("/register/{id}", PUBLISHER, edit::save)
        .get("/register/{id}/edit", PUBLISHER, edit::edit)
        .post("/register/{id}/propose", PUBLISHER, steps::propose)
        .post("/register/{id}/answer", REPRESENTATIVE, steps::answer)
        .post("/register/{id}/activate", PUBLISHER, steps::activate)
        .post("/register/{id}/pause", PUBLISHER, steps::pause)
        .post("/register/{id}/resume", PUBLISHER, steps::resume)
        .post("/register/{id}/end", PUBLISHER, steps::end)
        .post("/register/{id}/delete", PUBLISHER, steps::delete)
        .get("/api/v1/categories", Access::Public, api::categories)
        .get("/api/v1/register", Access::SignedIn, api::list)
}
