//! SQL of questions about notices.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::{Day, Time};

/// A question as its readers see it: the asker's name is there only where they gave it.
#[derive(Debug, Clone)]
pub struct QuestionRow {
    pub id: Uuid,
    pub notice_id: Uuid,
    /// The version that was being read.
    pub major: i32,
    pub minor: i32,
    pub public: bool,
    pub name: Option<String>,
    /// Whether the reader asked it.
    pub own: bool,
    /// `None` once withdrawn.
    pub text: Option<String>,
    /// In UTC.
    pub asked_on: Day,
    pub answer: Option<String>,
    pub answered_at: Option<Time>,
    pub answered_by_role: Option<String>,
}

/// What this reader may see, of one notice or of all: their own, the public ones, and as `publisher` the
/// private ones too. Unanswered first and of those the oldest; withdrawn ones for nobody but the asker.
pub async fn list_questions(
    db: &mut PgConnection,
    reader: Uuid,
    publisher: bool,
    notice: Option<Uuid>,
) -> Result<Vec<QuestionRow>> {
    sqlx::query_as!(
        QuestionRow,
        r#"select q.id, q.notice_id, v.major, v.minor, q.public, case when q.named then p.name end as name,
                  q.asked_by = $1 as "own!", q.text, q.asked_on, q.answer, q.answered_at, q.answered_by_role
           from notice_question q join notice_version v on v.id = q.version_id
           join person p on p.id = q.asked_by
           where ($3::uuid is null or q.notice_id = $3)
             and (q.asked_by = $1 or ((q.public or $2) and q.withdrawn_on is null))
           order by q.answered_at is not null or q.withdrawn_on is not null, q.answered_at desc, q.asked_on, q.id"#,
        reader,
        publisher,
        notice,
    )
    .fetch_all(db)
    .await
}

pub struct NewQuestion<'a> {
    pub id: Uuid,
    pub notice: Uuid,
    pub version: Uuid,
    pub asked_by: Uuid,
    pub public: bool,
    pub named: bool,
    pub text: &'a str,
}

pub async fn insert_question(db: &mut PgConnection, q: NewQuestion<'_>, today: Day) -> Result<()> {
    sqlx::query!(
        "insert into notice_question (id, notice_id, version_id, asked_by, public, named, text, asked_on)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        q.id,
        q.notice,
        q.version,
        q.asked_by,
        q.public,
        q.named,
        q.text,
        today as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Questions of this person that wait for an answer.
pub async fn count_waiting(db: &mut PgConnection, person: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from notice_question
           where asked_by = $1 and answered_at is null and withdrawn_on is null"#,
        person,
    )
    .fetch_one(db)
    .await
}

/// Questions that wait for HR: the public ones, and for publishers the private ones too.
pub async fn count_open(db: &mut PgConnection, publisher: bool) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from notice_question
           where answered_at is null and withdrawn_on is null and (public or $1)"#,
        publisher,
    )
    .fetch_one(db)
    .await
}

/// A question locked for an answer or its withdrawal.
pub struct HeldQuestion {
    pub notice_id: Uuid,
    pub asked_by: Uuid,
    pub answered: bool,
    pub withdrawn: bool,
}

pub async fn lock_question(db: &mut PgConnection, id: Uuid) -> Result<Option<HeldQuestion>> {
    sqlx::query_as!(
        HeldQuestion,
        r#"select notice_id, asked_by, answered_at is not null as "answered!",
                  withdrawn_on is not null as "withdrawn!"
           from notice_question where id = $1 for update"#,
        id,
    )
    .fetch_optional(db)
    .await
}

pub async fn set_answer(
    db: &mut PgConnection,
    id: Uuid,
    answer: &str,
    by: Uuid,
    role: &str,
    now: Time,
) -> Result<()> {
    sqlx::query!(
        "update notice_question set answer = $2, answered_at = $3, answered_by = $4, answered_by_role = $5
         where id = $1",
        id,
        answer,
        now as _,
        by,
        role,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes the text; that something was asked and withdrawn stays with the asker.
pub async fn set_withdrawn(db: &mut PgConnection, id: Uuid, today: Day) -> Result<()> {
    sqlx::query!("update notice_question set withdrawn_on = $2, text = null where id = $1", id, today as _)
        .execute(db)
        .await?;
    Ok(())
}
