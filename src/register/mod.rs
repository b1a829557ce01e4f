//! What the employer declares: category × purpose × source.
//!
//! A processing is drafted by a publisher, proposed to the representatives, answered by them, activated,
//! paused, resumed, changed and ended. Each step is a revision that can't be changed afterwards, so that the
//! register can say what was declared at any moment: [`list_declarations`] gives the periods, and what
//! agents report is compared with them. The law's demands are data (`jurisdictions.csv`) and one function
//! ([`validate`]) whose messages name the article.

pub mod actions;
mod form;
pub mod life;
pub mod model;
mod rules;
#[cfg(test)]
mod rules_tests;
pub mod store;
pub mod taxonomy;
mod words;

pub use life::{Change, Declaration, Revision, State};
pub use model::{
    ChoiceMode, EmotionException, Frequency, Granularity, LegalBasis, Mandatory, ProcessingContent,
    Recipient, RecipientKind, Source, Visibility, source_key,
};
pub use rules::validate;
pub use store::{declarations_in_force, list_declarations};
pub use taxonomy::{Category, Jurisdiction, Purpose, country_name};

use crate::web::Routes;

pub fn routes() -> Routes {
    Routes::new()
}
