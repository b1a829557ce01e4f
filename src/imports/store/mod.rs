//! SQL of imports: dry runs, counts, and their comparison with what agents reported.

pub mod compare;
pub mod counts;
pub mod imports;
