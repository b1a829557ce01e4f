//! SQL of the register.

use anyhow::Context;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::life::{self, Change, Declaration, Revision, State};
use super::model::ProcessingContent;
use crate::clock::Time;
use crate::error::Result;
use crate::ledger::EntryId;

struct RevisionRow {
    processing_id: Uuid,
    revision: i32,
    at: Time,
    by_role: String,
    change: String,
    state: String,
    reason: Option<String>,
    content: Json<ProcessingContent>,
    content_sha256: Vec<u8>,
}

impl TryFrom<RevisionRow> for Revision {
    type Error = crate::error::Error;

    fn try_from(row: RevisionRow) -> Result<Self> {
        Ok(Revision {
            processing_id: row.processing_id,
            revision: row.revision,
            at: row.at,
            by_role: row.by_role,
            change: Change::parse(&row.change).context("an unknown change in the register")?,
            state: State::parse(&row.state).context("an unknown state in the register")?,
            reason: row.reason,
            content: row.content.0,
            content_sha256: row.content_sha256,
        })
    }
}

fn revisions(rows: Vec<RevisionRow>) -> Result<Vec<Revision>> {
    rows.into_iter().map(Revision::try_from).collect()
}

/// Every period in which a revision was in force, by processing and time. The table is small: one row for
/// each change that a publisher ever made.
pub async fn list_declarations(db: &mut PgConnection) -> Result<Vec<Declaration>> {
    Ok(life::declarations(list_revisions(db).await?))
}

/// Every revision that anybody but publishers has seen.
pub(super) async fn list_revisions(db: &mut PgConnection) -> Result<Vec<Revision>> {
    let rows = sqlx::query_as!(
        RevisionRow,
        r#"select processing_id, revision, at, by_role, change, state, reason,
                  content as "content: Json<ProcessingContent>", content_sha256
           from processing_revision where state <> 'draft' order by processing_id, revision"#
    );
    revisions(rows.fetch_all(db).await?)
}

/// What was declared and active at that moment.
pub async fn declarations_in_force(db: &mut PgConnection, at: Time) -> Result<Vec<Declaration>> {
    let all = list_declarations(db).await?;
    Ok(all.into_iter().filter(|d| d.in_force_at(at)).collect())
}

/// A processing's whole history, oldest first; empty when there is no such processing.
pub async fn list_history(db: &mut PgConnection, id: Uuid) -> Result<Vec<Revision>> {
    let rows = sqlx::query_as!(
        RevisionRow,
        r#"select processing_id, revision, at, by_role, change, state, reason,
                  content as "content: Json<ProcessingContent>", content_sha256
           from processing_revision where processing_id = $1 order by revision"#,
        id
    )
    .fetch_all(db)
    .await?;
    revisions(rows)
}

/// The newest revision of each processing, and whether it was ever active.
pub async fn list_newest(db: &mut PgConnection) -> Result<Vec<(Revision, bool)>> {
    let rows = sqlx::query!(
        r#"select r.processing_id, r.revision, r.at, r.by_role, r.change, r.state, r.reason,
                  r.content as "content: Json<ProcessingContent>", r.content_sha256,
                  exists (select 1 from processing_revision a
                          where a.processing_id = r.processing_id and a.state = 'active') as "was_active!"
           from processing p join processing_revision r on r.processing_id = p.id and r.revision = p.revision
           order by r.category, r.at desc"#
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let revision = RevisionRow {
                processing_id: row.processing_id,
                revision: row.revision,
                at: row.at,
                by_role: row.by_role,
                change: row.change,
                state: row.state,
                reason: row.reason,
                content: row.content,
                content_sha256: row.content_sha256,
            };
            Ok((revision.try_into()?, row.was_active))
        })
        .collect()
}

/// Locks a processing for a change; answers its state and its newest revision.
pub(super) async fn lock_head(db: &mut PgConnection, id: Uuid) -> Result<Option<(State, i32)>> {
    let row = sqlx::query!("select state, revision from processing where id = $1 for update", id)
        .fetch_optional(db)
        .await?;
    row.map(|r| Ok((State::parse(&r.state).context("an unknown state in the register")?, r.revision)))
        .transpose()
}

pub(super) async fn insert_processing(db: &mut PgConnection, id: Uuid, at: Time) -> Result<()> {
    sqlx::query!(
        "insert into processing (id, created_at, state, revision) values ($1, $2, 'draft', 0)",
        id,
        at as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Adds a revision and moves the head to it.
pub(super) async fn insert_revision(db: &mut PgConnection, revision: &Revision, by: Uuid) -> Result<()> {
    sqlx::query!(
        "update processing set state = $2, revision = $3 where id = $1",
        revision.processing_id,
        revision.state.id(),
        revision.revision,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into processing_revision
             (processing_id, revision, at, by_id, by_role, change, state, reason, category, content, content_sha256)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        revision.processing_id,
        revision.revision,
        revision.at as _,
        by,
        revision.by_role,
        revision.change.id(),
        revision.state.id(),
        revision.reason,
        revision.content.category.id(),
        Json(&revision.content) as _,
        revision.content_sha256,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes a draft with its revisions; the database refuses it once it was proposed.
pub(super) async fn delete_processing(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("delete from processing_revision where processing_id = $1", id).execute(&mut *db).await?;
    sqlx::query!("delete from processing where id = $1", id).execute(db).await?;
    Ok(())
}

/// The newest entry of the log about a processing.
pub(super) async fn find_newest_entry(db: &mut PgConnection, id: Uuid) -> Result<Option<EntryId>> {
    let entry = sqlx::query_scalar!(
        "select ledger_entry from processing_ledger where processing_id = $1 order by revision desc limit 1",
        id
    );
    Ok(entry.fetch_optional(db).await?.map(EntryId))
}

pub(super) async fn insert_entry(
    db: &mut PgConnection,
    id: Uuid,
    revision: i32,
    entry: EntryId,
) -> Result<()> {
    sqlx::query!(
        "insert into processing_ledger (processing_id, revision, ledger_entry) values ($1, $2, $3)",
        id,
        revision,
        entry.0,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The log's entries by processing and revision.
pub(super) async fn list_entries(db: &mut PgConnection) -> Result<Vec<((Uuid, i32), EntryId)>> {
    let rows = sqlx::query!("select processing_id, revision, ledger_entry from processing_ledger");
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| ((row.processing_id, row.revision), EntryId(row.ledger_entry))).collect())
}

/// Where each step of a processing stands in the log; steps that wait are left out.
pub(super) async fn list_places(db: &mut PgConnection, id: Uuid) -> Result<Vec<(i32, i64)>> {
    let rows = sqlx::query!(
        r#"select p.revision, e.position as "position!" from processing_ledger p
           join ledger_entry e on e.id = p.ledger_entry
           where p.processing_id = $1 and e.position is not null"#,
        id
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.revision, row.position)).collect())
}

/// Processings that were in force and that the log has never heard of.
pub(super) async fn list_without_entry(db: &mut PgConnection) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "select p.id from processing p
         where exists (select from processing_revision r where r.processing_id = p.id and r.state = 'active')
           and not exists (select from processing_ledger l where l.processing_id = p.id)
         order by p.id"
    );
    Ok(ids.fetch_all(db).await?)
}
