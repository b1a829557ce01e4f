//! SQL of what notices told, processing by processing.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

pub struct Row {
    pub processing: Uuid,
    /// Hexadecimal digits.
    pub content_sha256: String,
    pub notice_id: Uuid,
    pub version_id: Uuid,
    pub major: i32,
    pub minor: i32,
    pub jurisdictions: Vec<String>,
    pub departments: Vec<Uuid>,
    pub effective_at: Time,
    pub retracted_at: Option<Time>,
    pub ledger_entry: i64,
}

/// A row for each processing of each published version; a version without any is of no concern here.
pub async fn list(db: &mut PgConnection) -> Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        r#"select (f.field ->> 'processing')::uuid as "processing!", f.field ->> 'content_sha256' as "content_sha256!",
                  v.notice_id, v.id as version_id, v.major, v.minor, v.jurisdictions, v.departments,
                  v.effective_at as "effective_at!: Time", v.retracted_at, v.ledger_entry as "ledger_entry!"
           from notice_version v join notice_version_visible s on s.version_id = v.id
           cross join lateral jsonb_array_elements(v.field_table) as f (field)
           where v.effective_at is not null
           order by v.notice_id, v.major, v.minor"#
    )
    .fetch_all(db)
    .await
}

/// Whether a publication or a retraction isn't under a signed head yet, so that readers don't see it.
pub async fn is_publication_waiting(db: &mut PgConnection) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from notice_version v
                          where v.state in ('published', 'superseded', 'retracted') and v.published_at is not null
                            and not exists (select from notice_version_visible s where s.version_id = v.id)) as "waiting!""#
    )
    .fetch_one(db)
    .await
}
