//! SQL of what the person concerned reads: what exports hold about them.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::{Day, Time};

pub struct CountLine {
    pub day: Day,
    pub category: String,
    pub program: String,
    pub records: i64,
    /// When the export was uploaded, and in which role.
    pub at: Time,
    pub by_role: String,
}

pub async fn count_lines(db: &mut PgConnection, person_id: Uuid) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from vendor_count where person_id = $1"#, person_id)
        .fetch_one(db)
        .await
}

/// A page of one person's counts, newest day first.
pub async fn list_lines(
    db: &mut PgConnection,
    person_id: Uuid,
    offset: i64,
    limit: i64,
) -> Result<Vec<CountLine>> {
    sqlx::query_as!(
        CountLine,
        "select c.day, c.category, c.program, c.records, i.at, i.by_role
         from vendor_count c join vendor_import i on i.id = c.import_id
         where c.person_id = $1 order by c.day desc, c.program, c.category offset $2 limit $3",
        person_id,
        offset,
        limit,
    )
    .fetch_all(db)
    .await
}

pub struct Summary {
    pub program: String,
    pub records: i64,
    pub days: i64,
    pub last_at: Time,
    /// In which role the newest of these exports was uploaded.
    pub by_role: String,
}

/// By program.
pub async fn summarise(db: &mut PgConnection, person_id: Uuid) -> Result<Vec<Summary>> {
    sqlx::query_as!(
        Summary,
        r#"select c.program, sum(c.records)::bigint as "records!", count(distinct c.day) as "days!",
                  max(i.at) as "last_at!", (array_agg(i.by_role order by i.at desc))[1] as "by_role!"
           from vendor_count c join vendor_import i on i.id = c.import_id
           where c.person_id = $1 group by c.program order by c.program"#,
        person_id,
    )
    .fetch_all(db)
    .await
}
