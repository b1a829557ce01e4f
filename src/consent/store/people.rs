//! SQL of what is kept in memory of each person: where they are, and what counts of their decisions.

use futures_util::Stream;
use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

pub struct PersonRow {
    pub id: Uuid,
    pub department_id: Option<Uuid>,
    pub jurisdiction: String,
}

/// Everybody active, or those among `only`; by id.
pub fn stream_people<'a>(
    db: &'a mut PgConnection,
    only: Option<&'a [Uuid]>,
) -> impl Stream<Item = Result<PersonRow>> + 'a {
    sqlx::query_as!(
        PersonRow,
        "select id, department_id, jurisdiction from person
         where deactivated_at is null and ($1::uuid[] is null or id = any ($1)) order by id",
        only,
    )
    .fetch(db)
}

pub struct HeldRow {
    pub person_id: Uuid,
    pub processing_id: Uuid,
    pub state: String,
    pub notice_id: Uuid,
    pub major: i32,
    pub content_sha256: Vec<u8>,
    pub until: Option<Time>,
}

/// What counts of everybody's decisions, or of those of `only`: the newest about each processing that isn't
/// "later"; by person.
pub fn stream_held<'a>(
    db: &'a mut PgConnection,
    only: Option<&'a [Uuid]>,
) -> impl Stream<Item = Result<HeldRow>> + 'a {
    sqlx::query_as!(
        HeldRow,
        r#"select distinct on (person_id, processing_id) person_id, processing_id, state, notice_id, major,
                  content_sha256, until
           from consent_decision
           where state <> 'deferred' and ($1::uuid[] is null or person_id = any ($1))
           order by person_id, processing_id, number desc"#,
        only,
    )
    .fetch(db)
}

/// What counted of somebody's decisions from one moment on.
pub struct StepRow {
    pub person_id: Uuid,
    pub processing_id: Uuid,
    pub state: String,
    pub at: Time,
    pub notice_id: Uuid,
    pub major: i32,
    pub content_sha256: Vec<u8>,
    pub until: Option<Time>,
}

/// Everything these people decided, in order and without its records: many are read with each batch of reports.
pub async fn list_steps(db: &mut PgConnection, people: &[Uuid]) -> Result<Vec<StepRow>> {
    sqlx::query_as!(
        StepRow,
        r#"select person_id, processing_id, state, at, notice_id, major, content_sha256, until
           from consent_decision where person_id = any ($1) and state <> 'deferred'
           order by person_id, processing_id, number"#,
        people,
    )
    .fetch_all(db)
    .await
}

/// How many active people are under one of these laws, in one of these departments where some are named.
pub async fn count_asked(
    db: &mut PgConnection,
    jurisdictions: &[String],
    departments: &[Uuid],
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from person
           where deactivated_at is null and jurisdiction = any ($1)
             and (cardinality($2::uuid[]) = 0 or department_id = any ($2))"#,
        jurisdictions,
        departments,
    )
    .fetch_one(db)
    .await
}
