//! SQL of the roll's imports.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;
use crate::identity::model::OnFile;

pub async fn list_on_file(db: &mut PgConnection) -> Result<Vec<OnFile>> {
    sqlx::query_as!(
        OnFile,
        r#"select p.id, email, p.name, employee_number, d.name as "department?", jurisdiction, time_zone, on_roll,
                  deactivated_at is null as "active!"
           from person p left join department d on d.id = p.department_id"#
    )
    .fetch_all(db)
    .await
}

pub async fn insert_roll_import(
    db: &mut PgConnection,
    id: Uuid,
    now: Time,
    by: Uuid,
    rows: serde_json::Value,
) -> Result<()> {
    sqlx::query!(
        "insert into roll_import (id, created_at, created_by, rows) values ($1, $2, $3, $4)",
        id,
        now as _,
        by,
        rows,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The rows of an import that waits; `None` when it is unknown, applied, or older than `since`.
pub async fn find_roll_import(
    db: &mut PgConnection,
    id: Uuid,
    since: Time,
) -> Result<Option<serde_json::Value>> {
    let row = sqlx::query_scalar!(
        "select rows from roll_import where id = $1 and applied_at is null and created_at > $2 for update",
        id,
        since as _,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.flatten())
}

pub async fn finish_roll_import(db: &mut PgConnection, id: Uuid, now: Time, counts: [i32; 4]) -> Result<()> {
    sqlx::query!(
        "update roll_import set rows = null, applied_at = $2, added = $3, changed = $4, deactivated = $5,
                reactivated = $6 where id = $1",
        id,
        now as _,
        counts[0],
        counts[1],
        counts[2],
        counts[3],
    )
    .execute(db)
    .await?;
    Ok(())
}
