//! SQL of counts. Nobody counts signatures here: the batches keep the numbers.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Day;

/// Signatures that stand after the newest batch; none before the first.
pub async fn find_total(db: &mut PgConnection, petition_leaf: &[u8]) -> Result<i64> {
    let total = sqlx::query_scalar!(
        "select total from petition_count where petition_leaf = $1 order by day desc limit 1",
        petition_leaf,
    );
    Ok(total.fetch_optional(db).await?.map_or(0, i64::from))
}

pub struct DayRow {
    pub day: Day,
    pub signed: i64,
    pub withdrawn: i64,
    pub total: i64,
}

pub async fn list_days(db: &mut PgConnection, petition_leaf: &[u8]) -> Result<Vec<DayRow>> {
    sqlx::query_as!(
        DayRow,
        r#"select day, signed::bigint as "signed!", withdrawn::bigint as "withdrawn!", total::bigint as "total!"
           from petition_count where petition_leaf = $1 order by day"#,
        petition_leaf,
    )
    .fetch_all(db)
    .await
}

/// A department, and how many of it show theirs to representatives only: counted up to five, whatever the number.
pub struct DepartmentRow {
    pub department: String,
    pub total: i64,
    pub hidden: i64,
}

pub async fn list_departments(db: &mut PgConnection, petition_leaf: &[u8]) -> Result<Vec<DepartmentRow>> {
    sqlx::query_as!(
        DepartmentRow,
        r#"select d.department, d.total::bigint as "total!",
                  (select count(*) from (select from petition_signer s where s.petition_leaf = d.petition_leaf
                      and s.department = d.department and not s.for_everyone limit 5) few) as "hidden!"
           from petition_department_count d where d.petition_leaf = $1 and d.total >= 5"#,
        petition_leaf,
    )
    .fetch_all(db)
    .await
}

/// Supporters found so far, counted up to `enough`: signatures that wait for a batch or stand in the log.
pub async fn count_supporters(db: &mut PgConnection, petition_leaf: &[u8], enough: i64) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from (
               select key from petition_waiting where petition_leaf = $1 and kind = 'sign'
               union
               select key from petition_signature s where petition_leaf = $1 and kind = 'sign'
                   and not exists (select from petition_waiting w
                       where w.petition_leaf = s.petition_leaf and w.key = s.key and w.kind = 'withdraw')
               limit $2) found"#,
        petition_leaf,
        enough,
    )
    .fetch_one(db)
    .await
}

/// Somebody who signed with their name.
pub struct NameRow {
    pub name: String,
    pub department: Option<String>,
    pub for_everyone: bool,
}

/// By name, never by time. `all` with those who show theirs to representatives only.
pub async fn list_names(
    db: &mut PgConnection,
    petition_leaf: &[u8],
    all: bool,
    offset: i64,
    limit: i64,
) -> Result<Vec<NameRow>> {
    sqlx::query_as!(
        NameRow,
        r#"select p.name, s.department, s.for_everyone from petition_signer s
           join petition_signature g on g.petition_leaf = s.petition_leaf and g.key = s.key and g.kind = 'sign'
           join person p on p.id = s.person_id
           where s.petition_leaf = $1 and (s.for_everyone or $2)
           order by p.name, s.department, p.id offset $3 limit $4"#,
        petition_leaf,
        all,
        offset,
        limit,
    )
    .fetch_all(db)
    .await
}

pub async fn count_names(db: &mut PgConnection, petition_leaf: &[u8], all: bool) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from petition_signer s
           join petition_signature g on g.petition_leaf = s.petition_leaf and g.key = s.key and g.kind = 'sign'
           where s.petition_leaf = $1 and (s.for_everyone or $2)"#,
        petition_leaf,
        all,
    )
    .fetch_one(db)
    .await
}

/// Since which day somebody follows a petition unseen; `None` when they don't follow it.
pub async fn find_follow(db: &mut PgConnection, petition: Uuid, person: Uuid) -> Result<Option<Day>> {
    sqlx::query_scalar!(
        r#"select seen_on as "seen_on: Day" from petition_follow where petition_id = $1 and person_id = $2"#,
        petition,
        person,
    )
    .fetch_optional(db)
    .await
}
