//! Takes signatures, keeps them until nobody can be told apart, and puts them into the log in batches.

mod intake;

pub use intake::Intake;

use crate::app::AppState;
use crate::web::Routes;

pub fn routes() -> Routes {
    Routes::new()
}

pub(super) async fn keep_house(_state: &AppState) {}
