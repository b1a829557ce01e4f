//! The transparency log: what is published or decided can't be changed afterwards unseen.

mod verifier;

pub use verifier::verifier_sha256;

use crate::web::{Access, Routes};

pub fn routes() -> Routes {
    Routes::new().get("/log/verify", Access::Public, verifier::page)
}
