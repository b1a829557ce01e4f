//! Placeholder until the adapter lands: nothing passes.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;

use crate::clock::Random;
use crate::gateways::gate::device::Site;

pub(in crate::gateways) fn router(_: Arc<Site>, _: Random) -> Router {
    Router::new().fallback(|| async { StatusCode::NOT_FOUND })
}
