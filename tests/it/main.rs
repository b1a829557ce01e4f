//! Every test that goes through HTTP, in one binary: one Postgres and one link step for all of them.

mod access;
mod activitywatch;
mod agent;
mod architecture;
mod audit;
mod collection;
mod crash;
mod devices;
mod findings;
mod identity;
mod ledger;
mod links;
mod notice_reach;
mod notice_reading;
mod notices;
mod outbox;
mod packaging;
mod people;
mod register;
mod reports;
mod restore;
mod serving;
mod support;
mod transparency;
mod verifier;
mod violations;
