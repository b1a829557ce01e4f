//! A petition from its draft to the employer's answer.

use crate::app::AppState;
use crate::web::Routes;

pub fn routes() -> Routes {
    Routes::new()
}

pub(super) async fn keep_house(_state: &AppState) {}
