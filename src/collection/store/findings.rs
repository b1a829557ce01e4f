//! SQL of what the employer answers to findings.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

/// Stands for every program that the register doesn't name; no program can be called that.
pub const UNNAMED: &str = "?";

#[derive(Debug, Clone)]
pub struct AnswerRow {
    pub kind: String,
    pub category: String,
    pub programs: Vec<String>,
    pub at: Time,
    pub reason: String,
}

impl AnswerRow {
    /// Whether it is said to findings of this kind, category and one of these programs.
    pub fn is_about(&self, kind: &str, category: &str, programs: &[String]) -> bool {
        self.kind == kind && self.category == category && self.programs.iter().any(|p| programs.contains(p))
    }

    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.reason.lines().map(str::trim).filter(|line| !line.is_empty())
    }
}

/// Every answer, oldest first.
pub async fn list_answers(db: &mut PgConnection) -> Result<Vec<AnswerRow>> {
    sqlx::query_as!(
        AnswerRow,
        "select kind, category, programs, at, reason from finding_answer order by at, id"
    )
    .fetch_all(db)
    .await
}

/// Answers to findings such as this person has, oldest first.
pub async fn list_answers_for(db: &mut PgConnection, person_id: Uuid) -> Result<Vec<AnswerRow>> {
    sqlx::query_as!(
        AnswerRow,
        "select a.kind, a.category, a.programs, a.at, a.reason from finding_answer a
         where exists (select from finding f where f.person_id = $1 and f.kind = a.kind
                       and coalesce(f.category, '') = a.category and f.program = any(a.programs))
         order by a.at, a.id",
        person_id,
    )
    .fetch_all(db)
    .await
}

/// Holds other answers off until the transaction ends. An advisory lock: the table's own takes a right that nobody
/// has.
pub async fn lock_answers(db: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('finding_answer'))").execute(db).await?;
    Ok(())
}

pub struct NewAnswer<'a> {
    pub id: Uuid,
    pub kind: &'a str,
    pub category: &'a str,
    pub programs: &'a [String],
    pub at: Time,
    pub by_id: Uuid,
    pub by_role: &'a str,
    pub reason: &'a str,
}

pub async fn insert_answer(db: &mut PgConnection, a: &NewAnswer<'_>) -> Result<()> {
    sqlx::query!(
        "insert into finding_answer (id, kind, category, programs, at, by_id, by_role, reason)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        a.id,
        a.kind,
        a.category,
        a.programs,
        a.at as _,
        a.by_id,
        a.by_role,
        a.reason,
    )
    .execute(db)
    .await?;
    Ok(())
}
