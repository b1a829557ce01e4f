//! SQL of notices: reading versions here, writing drafts and versions beside it.

pub(super) mod coverage;
mod drafts;
pub(super) mod questions;
pub(super) mod reach;
pub mod reading;
mod versions;

pub(super) use drafts::*;
pub use versions::find_told_since;
pub(super) use versions::*;

use anyhow::Context;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::life::State;
use super::model::{ChangeClass, Covered, Number, Text, Version};
use crate::clock::Time;
use crate::error::Result;

struct VersionRow {
    id: Uuid,
    notice_id: Uuid,
    kind: String,
    major: i32,
    minor: i32,
    change_class: String,
    state: String,
    revision: i32,
    jurisdictions: Vec<String>,
    departments: Vec<Uuid>,
    processings: Vec<Uuid>,
    field_table: Option<Json<Vec<Covered>>>,
    acknowledgement_wanted: bool,
    reason: Option<String>,
    publish_at: Option<Time>,
    effective_at: Option<Time>,
    time_zone: String,
    problem: Option<String>,
    supersedes: Option<Uuid>,
    supersedes_major: Option<i32>,
    supersedes_minor: Option<i32>,
    content_sha256: Option<Vec<u8>>,
    ledger_entry: Option<i64>,
    leaf_position: Option<i64>,
    published_at: Option<Time>,
    retracted_at: Option<Time>,
    retraction_reason: Option<String>,
    retraction_entry: Option<i64>,
    retraction_position: Option<i64>,
    created_by: Uuid,
    authors: Vec<Uuid>,
    created_at: Time,
    updated_at: Time,
}

impl VersionRow {
    fn version(self, texts: Vec<Text>) -> Result<Version> {
        let number = |major, minor| Number { major, minor };
        let supersedes = match (self.supersedes, self.supersedes_major, self.supersedes_minor) {
            (Some(id), Some(major), Some(minor)) => Some((id, number(major, minor))),
            _ => None,
        };
        Ok(Version {
            id: self.id,
            notice_id: self.notice_id,
            kind: self.kind,
            number: number(self.major, self.minor),
            class: ChangeClass::parse(&self.change_class).context("an unknown class of change")?,
            state: State::parse(&self.state).context("an unknown state of a notice")?,
            revision: self.revision,
            jurisdictions: self.jurisdictions,
            departments: self.departments,
            processings: self.processings,
            field_table: self.field_table.map(|t| t.0),
            acknowledgement_wanted: self.acknowledgement_wanted,
            reason: self.reason,
            publish_at: self.publish_at,
            effective_at: self.effective_at,
            time_zone: self.time_zone,
            problem: self.problem,
            supersedes,
            content_sha256: self.content_sha256,
            ledger_entry: self.ledger_entry,
            leaf_position: self.leaf_position,
            published_at: self.published_at,
            retracted_at: self.retracted_at,
            retraction_reason: self.retraction_reason,
            retraction_entry: self.retraction_entry,
            retraction_position: self.retraction_position,
            created_by: self.created_by,
            authors: self.authors,
            created_at: self.created_at,
            updated_at: self.updated_at,
            texts,
        })
    }
}

/// Versions with their texts: one (`id`), those of one notice, or all; by notice, oldest first. The table
/// is small: a row for each version that anybody ever wrote.
async fn read(db: &mut PgConnection, id: Option<Uuid>, notice: Option<Uuid>) -> Result<Vec<Version>> {
    let rows = sqlx::query_as!(
        VersionRow,
        r#"select v.id, v.notice_id, n.kind, v.major, v.minor, v.change_class, v.state, v.revision,
                  v.jurisdictions, v.departments, v.processings,
                  v.field_table as "field_table: Json<Vec<Covered>>", v.acknowledgement_wanted, v.reason,
                  v.publish_at, v.effective_at, v.time_zone, v.problem, v.supersedes,
                  s.major as "supersedes_major?", s.minor as "supersedes_minor?", v.content_sha256,
                  v.ledger_entry, e.position as "leaf_position?", v.published_at, v.retracted_at,
                  v.retraction_reason, v.retraction_entry, r.position as "retraction_position?",
                  v.created_by, v.authors, v.created_at, v.updated_at
           from notice_version v join notice n on n.id = v.notice_id
           left join notice_version s on s.id = v.supersedes
           left join ledger_entry e on e.id = v.ledger_entry
           left join ledger_entry r on r.id = v.retraction_entry
           where ($1::uuid is null or v.id = $1) and ($2::uuid is null or v.notice_id = $2)
           order by n.created_at, n.id, v.major, v.minor, v.created_at"#,
        id,
        notice,
    )
    .fetch_all(&mut *db)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|r| r.id).collect();
    let mut texts = sqlx::query!(
        "select version_id, language, title, markdown from notice_text where version_id = any ($1)
         order by language collate \"C\"",
        &ids,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let own = texts.extract_if(.., |t| t.version_id == row.id);
            let own = own.map(|t| Text { language: t.language, title: t.title, markdown: t.markdown });
            let own = own.collect();
            row.version(own)
        })
        .collect()
}

pub async fn find_version(db: &mut PgConnection, id: Uuid) -> Result<Option<Version>> {
    Ok(read(db, Some(id), None).await?.pop())
}

/// A notice's versions, oldest first; empty when there is no such notice.
pub async fn list_versions(db: &mut PgConnection, notice_id: Uuid) -> Result<Vec<Version>> {
    read(db, None, Some(notice_id)).await
}

/// Every version of every notice, also drafts: for those who write them.
pub async fn list_all(db: &mut PgConnection) -> Result<Vec<Version>> {
    read(db, None, None).await
}

/// What readers may see: versions that were published and whose leaf is in the log; by notice, oldest first.
pub async fn list_visible(db: &mut PgConnection) -> Result<Vec<Version>> {
    let mut all = read(db, None, None).await?;
    all.retain(Version::is_visible);
    Ok(all)
}

/// A review by a second person, or a return to the draft.
#[derive(Debug)]
pub struct Review {
    pub at: Time,
    pub by: String,
    pub approved: bool,
    pub comment: Option<String>,
}

pub async fn list_reviews(db: &mut PgConnection, version_id: Uuid) -> Result<Vec<Review>> {
    struct ReviewRow {
        at: Time,
        name: String,
        decision: String,
        comment: Option<String>,
    }
    let rows = sqlx::query_as!(
        ReviewRow,
        "select r.at, p.name, r.decision, r.comment from notice_review r join person p on p.id = r.by_id
         where r.version_id = $1 order by r.id desc",
        version_id,
    )
    .fetch_all(db)
    .await?;
    let review = |r: ReviewRow| Review {
        at: r.at,
        by: r.name,
        approved: r.decision == "approved",
        comment: r.comment,
    };
    Ok(rows.into_iter().map(review).collect())
}

/// What the representatives said of a version, newest first.
#[derive(Debug, Clone)]
pub struct Answer {
    pub version_id: Uuid,
    pub at: Time,
    pub agrees: bool,
    pub comment: Option<String>,
    /// The content it was given to; it counts for no other.
    pub content_sha256: Vec<u8>,
}

pub async fn list_answers(db: &mut PgConnection, version_id: Option<Uuid>) -> Result<Vec<Answer>> {
    let rows = sqlx::query_as!(
        Answer,
        "select version_id, at, agrees, comment, content_sha256 from notice_answer
         where $1::uuid is null or version_id = $1 order by id desc",
        version_id,
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}
