//! Telling other systems of a decision.

use sqlx::PgConnection;

use super::store::decisions::Decision;
use crate::app::AppState;
use crate::error::Result;

/// Called in the transaction of each decision.
pub async fn tell_systems(_db: &mut PgConnection, _state: &AppState, _decision: &Decision) -> Result<()> {
    Ok(())
}
