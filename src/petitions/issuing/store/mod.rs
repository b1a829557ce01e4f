//! SQL of issuing.

pub mod epochs;
pub mod packs;
pub mod representative;
pub mod roll;
pub mod wallets;

use sqlx::{PgConnection, Result};

/// Any number; whoever changes epochs and rolls holds it until their transaction ends.
const ISSUING: i64 = 0x6461_796c_6973_7331;

/// Waits until nobody else changes epochs or rolls.
pub async fn lock(db: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", ISSUING).execute(db).await?;
    Ok(())
}
