//! What is collected about people, as agents report it, compared with what is declared.
//!
//! Agents enrol with a one-time secret and send signed reports of counts, never content. One writer takes
//! whatever waits ([`Intake`]), checks each report's chain, finds what is undeclared or beyond its
//! declaration, and adds to daily sums; pages read those sums and never a raw report. What comes after a
//! person's no is found in the same transaction. A person's figures are theirs: others see bands of five
//! people and more, and findings without persons, which the employer answers. Which known monitoring programs
//! are there is told by reports of their own ([`presence`]).

mod actions;
pub mod api;
mod batch;
mod chain;
mod chart;
pub mod commitment;
mod compare;
mod devices;
mod field;
mod findings;
mod fleet;
mod intake;
mod mine;
pub mod model;
mod organisation;
pub mod pages;
pub mod presence;
mod receive;
pub mod report;
mod signed;
mod store;
pub mod strict;

pub use commitment::commit_heads;
pub use compare::compare_counts;
pub use devices::{confirm_device, deny_device};
pub use findings::{Answer, answer_findings, count_findings, group_id, mail_week};
pub use intake::{Intake, Receipt};
pub use presence::find_silent;

pub use actions::{Enrolled, assign, create_enrolment, drop_old_reports, enrol, keep_house};
pub use store::fleet::{ChainHead, list_heads};

use crate::web::{Access, Role, Routes};

const WORKER: Access = Access::Roles(&[Role::Worker]);
const ADMIN: Access = Access::Roles(&[Role::Administrator]);
const PUBLISHER: Access = Access::Roles(&[Role::Publisher]);
const READERS: Access = Access::Roles(&[Role::Publisher, Role::Representative]);
const OTHERS: Access = Access::Roles(&[Role::Publisher, Role::Representative, Role::Administrator]);

pub fn routes() -> Routes {
    Routes::new()
        .get("/me/collection", WORKER, pages::show)
        .get("/me/collection/{category}", WORKER, pages::category)
        .get("/me/collection/{category}/daily.csv", WORKER, pages::category_csv)
        .get("/me/collection/{category}/daily.json", WORKER, pages::category_json)
        .get("/api/v1/me/collection", WORKER, pages::all_json)
        .get("/api/v1/me/report-commitments", WORKER, commitment::openings)
        .post("/me/devices/{assignment}/confirm", WORKER, devices::confirm)
        .post("/me/devices/{assignment}/deny", WORKER, devices::deny)
        .post("/me/devices/{assignment}/agents/{agent}/deny", WORKER, devices::deny_agent)
        .get("/me/findings", WORKER, findings::own::list)
        .get("/me/findings/{id}", WORKER, findings::own::show)
        .post("/me/findings/mail", WORKER, findings::own::choose_mail)
        .get("/findings", READERS, findings::list)
        .get("/findings/{group}", READERS, findings::show)
        .get("/findings/feed.atom", READERS, findings::feed::show)
        .post("/findings/feed", READERS, findings::feed::make)
        .post("/findings/feed/revoke", READERS, findings::feed::revoke)
        .post("/findings/mail", READERS, findings::feed::choose_mail)
        .get("/feeds/findings/{token}", Access::Token, findings::feed::show_by_address)
        .post("/findings/answer", PUBLISHER, findings::answer)
        .get("/organisation", OTHERS, organisation::show)
        .get("/agents", ADMIN, fleet::list)
        .post("/agents", ADMIN, fleet::create)
        .post("/agents/{id}/revoke", ADMIN, fleet::revoke)
        .post("/devices/{id}/assign", ADMIN, fleet::assign)
        .post("/devices/{id}/release", ADMIN, fleet::release)
        .post("/api/v1/agents", Access::Token, api::enrol)
        .post("/api/v1/collection-reports", Access::Token, api::report)
        .post("/api/v1/presence-reports", Access::Token, presence::api::report)
}
