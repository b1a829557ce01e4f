//! Writing drafts: what changes until a version is approved.

use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::clock::Time;
use crate::error::{Error, OnConstraint, Result};
use crate::notices::model::{Covered, Text, Version};

pub async fn insert_notice(db: &mut PgConnection, id: Uuid, at: Time, by: Uuid, kind: &str) -> Result<()> {
    sqlx::query!(
        "insert into notice (id, created_at, created_by, kind) values ($1, $2, $3, $4)",
        id,
        at as _,
        by,
        kind,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes whoever changes this notice wait; `false` when there is none.
pub async fn lock_notice(db: &mut PgConnection, id: Uuid) -> Result<bool> {
    let found = sqlx::query_scalar!("select id from notice where id = $1 for update", id);
    Ok(found.fetch_optional(db).await?.is_some())
}

/// Adds a draft with its texts. Another unfinished version of the notice stands in its way.
pub async fn insert_draft(db: &mut PgConnection, v: &Version) -> Result<()> {
    sqlx::query!(
        "insert into notice_version (id, notice_id, major, minor, change_class, state, revision, jurisdictions,
             departments, processings, acknowledgement_wanted, reason, effective_at, time_zone, supersedes,
             created_by, authors, created_at, updated_at)
         values ($1, $2, $3, $4, $5, 'draft', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17)",
        v.id,
        v.notice_id,
        v.number.major,
        v.number.minor,
        v.class.id(),
        v.revision,
        &v.jurisdictions,
        &v.departments,
        &v.processings,
        v.acknowledgement_wanted,
        v.reason,
        v.effective_at as _,
        v.time_zone,
        v.supersedes.map(|(id, _)| id),
        v.created_by,
        &v.authors,
        v.created_at as _,
    )
    .execute(&mut *db)
    .await
    .on_constraint("notice_version_one_unfinished", || {
        Error::conflict("Another version of this notice is being written. Finish or delete that one first.")
    })?;
    insert_texts(db, v.id, &v.texts).await
}

async fn insert_texts(db: &mut PgConnection, version_id: Uuid, texts: &[Text]) -> Result<()> {
    for text in texts {
        sqlx::query!(
            "insert into notice_text (version_id, language, title, markdown) values ($1, $2, $3, $4)",
            version_id,
            text.language,
            text.title,
            text.markdown,
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Stores a draft as it is now; its revision is one more than before.
pub async fn update_draft(db: &mut PgConnection, v: &Version, at: Time) -> Result<()> {
    sqlx::query!(
        "update notice_version set revision = $2, jurisdictions = $3, departments = $4, processings = $5,
             acknowledgement_wanted = $6, reason = $7, authors = $8, updated_at = $9 where id = $1",
        v.id,
        v.revision,
        &v.jurisdictions,
        &v.departments,
        &v.processings,
        v.acknowledgement_wanted,
        v.reason,
        &v.authors,
        at as _,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("delete from notice_text where version_id = $1", v.id).execute(&mut *db).await?;
    insert_texts(db, v.id, &v.texts).await
}

/// Into review: what is reviewed and answered is taken down.
pub async fn submit(
    db: &mut PgConnection,
    id: Uuid,
    field_table: &[Covered],
    content: &serde_json::Value,
    content_sha256: &[u8],
    at: Time,
) -> Result<()> {
    sqlx::query!(
        "update notice_version set state = 'in_review', field_table = $2, content = $3, content_sha256 = $4,
             updated_at = $5 where id = $1",
        id,
        Json(field_table) as _,
        content,
        content_sha256,
        at as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// From review back to the draft.
pub async fn take_back(db: &mut PgConnection, id: Uuid, at: Time) -> Result<()> {
    sqlx::query!(
        "update notice_version set state = 'draft', revision = revision + 1, field_table = null,
             content = null, content_sha256 = null, updated_at = $2 where id = $1",
        id,
        at as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn approve(db: &mut PgConnection, id: Uuid, at: Time) -> Result<()> {
    sqlx::query!("update notice_version set state = 'approved', updated_at = $2 where id = $1", id, at as _)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn insert_review(
    db: &mut PgConnection,
    version: &Version,
    by: Uuid,
    at: Time,
    approved: bool,
    comment: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "insert into notice_review (version_id, by_id, at, decision, comment, content_sha256)
         values ($1, $2, $3, $4, $5, $6)",
        version.id,
        by,
        at as _,
        if approved { "approved" } else { "returned" },
        comment,
        version.content_sha256.as_deref().unwrap_or_default(),
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn insert_answer(
    db: &mut PgConnection,
    version: &Version,
    by: Uuid,
    at: Time,
    agrees: bool,
    comment: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "insert into notice_answer (version_id, by_id, at, agrees, comment, content_sha256)
         values ($1, $2, $3, $4, $5, $6)",
        version.id,
        by,
        at as _,
        agrees,
        comment,
        version.content_sha256.as_deref().unwrap_or_default(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes a draft, and its notice when it has no other version; the database keeps what was answered.
pub async fn delete_draft(db: &mut PgConnection, v: &Version) -> Result<()> {
    sqlx::query!("delete from notice_version where id = $1", v.id).execute(&mut *db).await?;
    sqlx::query!(
        "delete from notice n where n.id = $1
         and not exists (select 1 from notice_version v where v.notice_id = n.id)",
        v.notice_id,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether anybody has reviewed or answered this version.
pub async fn was_shown(db: &mut PgConnection, version_id: Uuid) -> Result<bool> {
    let shown = sqlx::query_scalar!(
        r#"select exists (select 1 from notice_review where version_id = $1)
               or exists (select 1 from notice_answer where version_id = $1) as "shown!""#,
        version_id,
    );
    Ok(shown.fetch_one(db).await?)
}
