//! Every test that goes through HTTP, in one binary: one Postgres and one link step for all of them.

mod identity;
mod support;
