//! SQL of reading: what is published, and who received, opened and acknowledged it.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;
use crate::notices::model::Number;

/// A published version as lists need it: without its texts.
#[derive(Debug, Clone)]
pub struct HeadRow {
    pub version_id: Uuid,
    pub notice_id: Uuid,
    pub kind: String,
    pub major: i32,
    pub minor: i32,
    pub change_class: String,
    pub retracted: bool,
    pub jurisdictions: Vec<String>,
    /// Empty for everybody.
    pub departments: Vec<Uuid>,
    pub acknowledgement_wanted: bool,
    pub reason: Option<String>,
    pub published_at: Time,
    pub effective_at: Time,
    pub retracted_at: Option<Time>,
    pub retraction_reason: Option<String>,
    pub leaf_position: i64,
    pub retraction_position: Option<i64>,
}

/// Published versions, the newest of each notice first; of one notice or of all.
pub async fn list_heads(db: &mut PgConnection, notice: Option<Uuid>) -> Result<Vec<HeadRow>> {
    sqlx::query_as!(
        HeadRow,
        r#"select v.id as version_id, v.notice_id, n.kind, v.major, v.minor, v.change_class,
                  v.state = 'retracted' as "retracted!", v.jurisdictions, v.departments,
                  v.acknowledgement_wanted, v.reason, v.published_at as "published_at!: Time",
                  coalesce(v.effective_at, v.published_at) as "effective_at!: Time", v.retracted_at,
                  v.retraction_reason, s.leaf_position as "leaf_position!",
                  r.position as "retraction_position?"
           from notice_version v join notice_version_visible s on s.version_id = v.id
           join notice n on n.id = v.notice_id
           left join ledger_entry r on r.id = v.retraction_entry
           where $1::uuid is null or v.notice_id = $1
           order by v.notice_id, v.major desc, v.minor desc"#,
        notice,
    )
    .fetch_all(db)
    .await
}

pub struct TitleRow {
    pub version_id: Uuid,
    pub language: String,
    pub title: String,
}

pub async fn list_titles(db: &mut PgConnection, versions: &[Uuid]) -> Result<Vec<TitleRow>> {
    sqlx::query_as!(
        TitleRow,
        "select version_id, language, title from notice_text where version_id = any ($1) order by language",
        versions,
    )
    .fetch_all(db)
    .await
}

/// What one person has done about one version.
#[derive(Debug, Clone)]
pub struct ReceiptRow {
    pub notice_id: Uuid,
    pub major: i32,
    pub minor: i32,
    pub viewed_at: Option<Time>,
    pub acknowledged_at: Option<Time>,
    pub declined_at: Option<Time>,
    pub decline_reason: Option<String>,
}

impl ReceiptRow {
    pub fn number(&self) -> Number {
        Number { major: self.major, minor: self.minor }
    }
}

pub async fn list_receipts(
    db: &mut PgConnection,
    person: Uuid,
    notice: Option<Uuid>,
) -> Result<Vec<ReceiptRow>> {
    sqlx::query_as!(
        ReceiptRow,
        r#"select v.notice_id, v.major, v.minor, a.viewed_at, a.acknowledged_at, a.declined_at, a.decline_reason
           from notice_acknowledgement a join notice_version v on v.id = a.version_id
           where a.person_id = $1 and ($2::uuid is null or v.notice_id = $2)"#,
        person,
        notice,
    )
    .fetch_all(db)
    .await
}

/// Notices that wait for this person: to be acknowledged where that is wanted, to be opened otherwise.
pub async fn count_unread(db: &mut PgConnection, person: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from (select distinct on (v.notice_id) v.notice_id, v.major, v.state, v.jurisdictions, v.departments,
                        v.acknowledgement_wanted
                 from notice_version v join notice_version_visible s on s.version_id = v.id
                 order by v.notice_id, v.major desc, v.minor desc) v
           join person p on p.id = $1
           where v.state <> 'retracted' and p.jurisdiction = any (v.jurisdictions)
             and (v.departments = '{}' or p.department_id = any (v.departments))
             and not exists (
                 select 1 from notice_acknowledgement a join notice_version b on b.id = a.version_id
                 where a.person_id = $1 and b.notice_id = v.notice_id and b.major = v.major
                   and case when v.acknowledgement_wanted then coalesce(a.acknowledged_at, a.declined_at)
                            else a.viewed_at end is not null)"#,
        person,
    )
    .fetch_one(db)
    .await
}

/// Records that a version was available to somebody; the first time counts.
pub async fn insert_delivered(
    db: &mut PgConnection,
    versions: &[Uuid],
    people: &[Uuid],
    now: Time,
) -> Result<()> {
    sqlx::query!(
        "insert into notice_acknowledgement (version_id, person_id, delivered_at)
         select v, p, $3 from unnest($1::uuid[]) v, unnest($2::uuid[]) p on conflict do nothing",
        versions,
        people,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What stood on the page when somebody opened, acknowledged or declined it.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub version: Uuid,
    pub person: Uuid,
    pub language: &'a str,
    pub content_sha256: &'a [u8],
}

/// Records that the page was opened; the first time counts.
pub async fn upsert_viewed(db: &mut PgConnection, shown: Shown<'_>, now: Time) -> Result<()> {
    sqlx::query!(
        "insert into notice_acknowledgement as a
             (version_id, person_id, delivered_at, viewed_at, language, content_sha256)
         values ($1, $2, $3, $3, $4, $5)
         on conflict on constraint notice_acknowledgement_once do update
             set viewed_at = excluded.viewed_at, language = excluded.language,
                 content_sha256 = excluded.content_sha256
             where a.viewed_at is null",
        shown.version,
        shown.person,
        now as _,
        shown.language,
        shown.content_sha256,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Records the acknowledgement, once; a decline of this version is gone with it.
pub async fn upsert_acknowledged(
    db: &mut PgConnection,
    shown: Shown<'_>,
    proof_law: Option<&str>,
    now: Time,
) -> Result<()> {
    sqlx::query!(
        "insert into notice_acknowledgement as a
             (version_id, person_id, delivered_at, viewed_at, acknowledged_at, language, content_sha256, proof_law)
         values ($1, $2, $3, $3, $3, $4, $5, $6)
         on conflict on constraint notice_acknowledgement_once do update
             set viewed_at = coalesce(a.viewed_at, excluded.viewed_at), acknowledged_at = excluded.acknowledged_at,
                 declined_at = null, decline_reason = null, language = excluded.language,
                 content_sha256 = excluded.content_sha256, proof_law = excluded.proof_law
             where a.acknowledged_at is null",
        shown.version,
        shown.person,
        now as _,
        shown.language,
        shown.content_sha256,
        proof_law,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes back declines of the versions that share a major number.
pub async fn clear_declined(db: &mut PgConnection, notice: Uuid, major: i32, person: Uuid) -> Result<()> {
    sqlx::query!(
        "update notice_acknowledgement a set declined_at = null, decline_reason = null
         from notice_version v where v.id = a.version_id and v.notice_id = $1 and v.major = $2
           and a.person_id = $3 and a.declined_at is not null",
        notice,
        major,
        person,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Records the decline; `false` when it was acknowledged meanwhile, which stays.
pub async fn upsert_declined(
    db: &mut PgConnection,
    shown: Shown<'_>,
    reason: Option<&str>,
    now: Time,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into notice_acknowledgement as a
             (version_id, person_id, delivered_at, viewed_at, declined_at, decline_reason, language, content_sha256)
         values ($1, $2, $3, $3, $3, $4, $5, $6)
         on conflict on constraint notice_acknowledgement_once do update
             set viewed_at = coalesce(a.viewed_at, excluded.viewed_at), declined_at = excluded.declined_at,
                 decline_reason = excluded.decline_reason, language = excluded.language,
                 content_sha256 = excluded.content_sha256
             where a.acknowledged_at is null",
        shown.version,
        shown.person,
        now as _,
        reason,
        shown.language,
        shown.content_sha256,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
