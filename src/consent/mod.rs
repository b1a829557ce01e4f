//! What people decide about each processing, how that reaches whoever collects, and what they hold as proof.
//!
//! A decision is a row that nobody may rewrite, and a salted commitment in the log ([`actions`]). What is
//! allowed follows from the register, the notices in force and the decisions ([`model`]); every instance keeps
//! it in memory ([`Consent`]), hears of changes from the database, and denies what it doesn't know for sure. Agents
//! are told by signed bundles ([`bundle`]), other systems ask by pseudonym. A person's choices are theirs: others
//! learn numbers of many, and whoever answers an objection learns what it says.

pub mod actions;
pub mod api;
pub mod bundle;
mod card;
pub mod cases;
mod choices;
mod courier;
pub mod enforcement;
mod feed;
mod history;
mod integrity;
mod live;
pub mod mine;
pub mod model;
mod objection;
mod objections;
mod policy;
pub mod pseudonym;
pub mod receipt;
pub mod record;
mod refusals;
pub mod rules;
mod secrets;
mod several;
mod snapshot;
mod standing;
pub mod store;
mod systems;
pub mod tally;
mod tell;
mod terms;
pub mod text;
mod totals;
pub mod webhook;

use std::time::Duration;

pub use bundle::PolicyKey;
pub use choices::count_undecided;
pub use courier::{deliver, deliver_due};
pub use feed::keep_fresh;
pub use live::{Consent, FRESH_FOR, Use};
pub use policy::{issue, newest_revisions, policy_key};
pub use refusals::refusals;
pub use rules::Audience;
pub use secrets::{begin_again, check as check_keys};
pub use tell::tell_of_findings;

use crate::app::AppState;
use crate::register::ProcessingContent;
use crate::web::{Access, Role, Routes};

const WORKER: Access = Access::Roles(&[Role::Worker]);
const ADMINISTRATOR: Access = Access::Roles(&[Role::Administrator]);
const PUBLISHER: Access = Access::Roles(&[Role::Publisher]);
const BOTH: Access = Access::Roles(&[Role::Publisher, Role::Representative]);

pub fn routes() -> Routes {
    Routes::new()
        .get("/me/choices", WORKER, choices::list)
        .get("/me/choices/export.json", WORKER, mine::export)
        .get("/me/choices/history", WORKER, history::all)
        .get("/me/choices/receipts/{decision}", WORKER, mine::download)
        .get("/me/choices/several", WORKER, several::show)
        .post("/me/choices/several", WORKER, several::choose)
        .get("/me/choices/{processing}", WORKER, history::one)
        .post("/me/choices/{processing}", WORKER, choices::choose)
        .post("/me/choices/{processing}/contest", WORKER, objection::contest)
        .get("/me/choices/{processing}/object", WORKER, objection::show)
        .post("/me/choices/{processing}/object", WORKER, objection::object)
        .get("/api/v1/me/choices", WORKER, mine::choices)
        .get("/systems", Access::SignedIn, systems::list)
        .post("/systems", ADMINISTRATOR, systems::create)
        .post("/systems/{id}/approve", BOTH, systems::approve)
        .post("/systems/{id}/renew", ADMINISTRATOR, systems::renew)
        .post("/systems/{id}/revoke", ADMINISTRATOR, systems::revoke)
        .post("/systems/{id}/test", ADMINISTRATOR, systems::test)
        .get("/objections", BOTH, objections::list)
        .get("/objections/{id}", BOTH, objections::show)
        .post("/objections/{id}", PUBLISHER, objections::answer)
        .get("/organisation/choices", BOTH, totals::show)
        .get("/api/v1/policy-key", Access::Public, api::policy_key)
        .get("/api/v1/policy/{agent}", Access::Token, api::agent_policy)
        .post("/api/v1/policy/{agent}/confirmations", Access::Token, api::confirm)
}

/// What other systems ask at any rate they like: without the layers that pages need.
pub fn busy_routes() -> Routes {
    Routes::new().bare_get("/api/v1/decision", api::decision)
}

/// A processing in a few words: "Window titles, to train AI models".
fn name(content: &ProcessingContent) -> String {
    format!("{}, {}", content.category.name(), content.purpose.words())
}

/// Between looks at what is to be done.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Enters what has run out, and every hour what waits for its place in the log; counts what others may see, and
/// says that objections wait; as long as the pool is open.
pub async fn keep_house(state: AppState) {
    let hour = |state: &AppState| state.clock.now().jiff().as_second() / 3600;
    let mut last = None;
    while !state.db.is_closed() {
        if let Err(error) = actions::enter_lapsed(&state).await {
            tracing::warn!(%error, "what has run out could not be entered; tried again soon");
        }
        if last != Some(hour(&state)) {
            state.ledger.settle_or_wait().await;
            last = Some(hour(&state));
        }
        if let Err(error) = actions::tally::count_choices(&state).await {
            tracing::warn!(%error, "choices could not be counted; tried again soon");
        }
        if let Err(error) = actions::objections::mail_publishers(&state).await {
            tracing::warn!(%error, "the mail about objections could not be written; tried again soon");
        }
        tokio::select! {
            () = state.db.close_event() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
