//! SQL of collection: what is taken in, what a worker reads, agents and devices, what the organisation
//! reads.

pub mod claims;
pub mod commitments;
pub mod compare;
pub mod findings;
pub mod fleet;
pub mod found;
pub mod gaps;
pub mod groups;
pub mod intake;
pub mod mine;
pub mod organisation;
pub mod own;
pub mod presence;
pub mod telling;
