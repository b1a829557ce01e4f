//! Every test that goes through HTTP, in one binary: one Postgres and one link step for all of them.

mod activitywatch;
mod agent;
mod audit;
mod identity;
mod links;
mod outbox;
mod people;
mod register;
mod support;
