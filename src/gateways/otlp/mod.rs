//! Placeholder until the adapter lands: nothing passes.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;

use super::gate::device::Site;

pub(super) fn router(_: Arc<Site>) -> Router {
    Router::new().fallback(|| async { StatusCode::NOT_FOUND })
}
