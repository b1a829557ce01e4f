//! SQL of findings as others than the person see them: groups of them, and what the employer answers.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

/// Stands for every program that the register doesn't name; no program can be called that.
pub const UNNAMED: &str = "?";

/// All findings of one kind about one category and one program.
pub struct GroupRow {
    pub kind: String,
    /// Empty for findings about none.
    pub category: String,
    /// As the register names it, [`UNNAMED`], or empty for findings about none.
    pub program: String,
    /// The programs in it, for answers; not to be shown.
    pub programs: Vec<String>,
    pub first_at: Time,
    pub last_at: Time,
    /// Counted when the day began.
    pub people: i64,
    /// Since when something in it has had no answer.
    pub open_since: Option<Time>,
}

/// Every group. `named` are the programs that the register names; people are counted as `today` found them.
pub async fn list_groups(db: &mut PgConnection, named: &[String], today: Time) -> Result<Vec<GroupRow>> {
    sqlx::query_as!(
        GroupRow,
        r#"with seen as (
               select kind, coalesce(category, '') as category, program, person_id, first_at, last_at, found_at,
                      case when program = '' or program = any($1) then program else $3 end as shown
               -- What was stopped on the way would tell of a choice and of no wrong.
               from finding where kind <> 'HONOURED_AT_GATEWAY'
           ), answered as (
               select a.kind, a.category, p as program, max(a.at) as at
               from finding_answer a, unnest(a.programs) as p group by a.kind, a.category, p
           )
           select s.kind as "kind!", s.category as "category!", s.shown as "program!",
                  array_agg(distinct s.program) as "programs!", min(s.first_at) as "first_at!",
                  max(s.last_at) as "last_at!",
                  count(distinct s.person_id) filter (where s.found_at < $2) as "people!",
                  min(case when a.at is null then s.first_at when s.found_at > a.at then s.found_at
                           when s.last_at > a.at then a.at end) as open_since
           from seen s left join answered a using (kind, category, program)
           group by s.kind, s.category, s.shown"#,
        named,
        today as _,
        UNNAMED,
    )
    .fetch_all(db)
    .await
}

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
