//! SQL of the outbox.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

pub async fn insert_mail(
    db: &mut PgConnection,
    id: Uuid,
    now: Time,
    person_id: Option<Uuid>,
    recipient: &str,
    subject: &str,
    body: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into outbox (id, created_at, run_at, person_id, recipient, subject, body)
         values ($1, $2, $2, $3, $4, $5, $6)",
        id,
        now as _,
        person_id,
        recipient,
        subject,
        body,
    )
    .execute(db)
    .await?;
    Ok(())
}
