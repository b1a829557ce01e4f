//! How everybody on the roll comes by credentials, long before there is anything to sign.

use crate::app::AppState;
use crate::web::Routes;

pub fn routes() -> Routes {
    Routes::new()
}

pub(super) async fn keep_house(_state: &AppState) {}
