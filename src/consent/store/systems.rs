//! SQL of the systems that may ask.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

pub struct SystemRow {
    pub id: Uuid,
    pub processings: Vec<Uuid>,
    pub token_hash: Vec<u8>,
}

pub async fn list_active(db: &mut PgConnection) -> Result<Vec<SystemRow>> {
    sqlx::query_as!(
        SystemRow,
        "select id, processings, token_hash from system where revoked_at is null order by id"
    )
    .fetch_all(db)
    .await
}
