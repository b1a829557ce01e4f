//! SQL of canaries and of what was searched for them.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

pub async fn insert_canary(db: &mut PgConnection, id: Uuid, token: &str, now: Time) -> Result<()> {
    sqlx::query!("insert into canary (id, token, made_at) values ($1, $2, $3)", id, token, now as _)
        .execute(db)
        .await?;
    Ok(())
}

#[derive(Debug)]
pub struct CanaryRow {
    pub id: Uuid,
    pub token: Option<String>,
    pub made_at: Time,
    pub category: Option<String>,
    pub program: String,
    pub place: String,
    pub used_at: Option<Time>,
    pub used_by: String,
    pub deleted_at: Option<Time>,
    pub searches: i64,
    pub hits: i64,
}

pub async fn count_canaries(db: &mut PgConnection) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from canary"#).fetch_one(db).await
}

/// A page of canaries, newest first.
pub async fn list_canaries(db: &mut PgConnection, offset: i64, limit: i64) -> Result<Vec<CanaryRow>> {
    sqlx::query_as!(
        CanaryRow,
        r#"select c.id, c.token, c.made_at, c.category, c.program, c.place, c.used_at, c.used_by, c.deleted_at,
                  (select count(*) from canary_result r where r.canary_id = c.id) as "searches!",
                  coalesce((select sum(r.hits) from canary_result r where r.canary_id = c.id), 0)::bigint as "hits!"
           from canary c order by c.made_at desc, c.id offset $1 limit $2"#,
        offset,
        limit,
    )
    .fetch_all(db)
    .await
}

pub async fn find_canary(db: &mut PgConnection, id: Uuid) -> Result<Option<CanaryRow>> {
    sqlx::query_as!(
        CanaryRow,
        r#"select c.id, c.token, c.made_at, c.category, c.program, c.place, c.used_at, c.used_by, c.deleted_at,
                  (select count(*) from canary_result r where r.canary_id = c.id) as "searches!",
                  coalesce((select sum(r.hits) from canary_result r where r.canary_id = c.id), 0)::bigint as "hits!"
           from canary c where c.id = $1"#,
        id,
    )
    .fetch_optional(db)
    .await
}

pub struct Use<'a> {
    pub category: Option<&'a str>,
    pub program: &'a str,
    pub place: &'a str,
    pub at: Time,
    pub by: &'a str,
}

/// `false` when it isn't there any more, or is in use already.
pub async fn set_used(db: &mut PgConnection, id: Uuid, u: &Use<'_>) -> Result<bool> {
    let done = sqlx::query!(
        "update canary set category = $2, program = $3, place = $4, used_at = $5, used_by = $6
         where id = $1 and deleted_at is null and used_at is null",
        id,
        u.category,
        u.program,
        u.place,
        u.at as _,
        u.by,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// All goes, with where it was found; that there was one, made and deleted when, stays.
pub async fn delete_canary(db: &mut PgConnection, id: Uuid, now: Time) -> Result<bool> {
    // First the row, so that a search that ends meanwhile waits and then records nothing.
    let done = sqlx::query!(
        "update canary set token = null, category = null, program = '', place = '', used_at = null, used_by = '',
                deleted_at = $2 where id = $1 and deleted_at is null",
        id,
        now as _,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("delete from canary_hit where canary_id = $1", id).execute(&mut *db).await?;
    sqlx::query!("delete from canary_result where canary_id = $1", id).execute(db).await?;
    Ok(done.rows_affected() == 1)
}

/// Every canary there is, with its string.
pub async fn list_tokens(db: &mut PgConnection) -> Result<Vec<(Uuid, String)>> {
    let rows = sqlx::query!(
        r#"select id, token as "token!" from canary where token is not null order by made_at desc limit 5000"#
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|r| (r.id, r.token)).collect())
}

pub struct NewSearch<'a> {
    pub id: Uuid,
    pub at: Time,
    pub label: &'a str,
    pub source: &'a str,
    pub container: &'a str,
    pub bytes: i64,
    pub searched: i64,
    pub missed: &'a [String],
}

pub async fn insert_search(db: &mut PgConnection, s: &NewSearch<'_>) -> Result<()> {
    sqlx::query!(
        "insert into canary_search (id, at, label, source, container, bytes, searched, missed)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        s.id,
        s.at as _,
        s.label,
        s.source,
        s.container,
        s.bytes,
        s.searched,
        s.missed,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn insert_results(
    db: &mut PgConnection,
    search: Uuid,
    canaries: &[Uuid],
    hits: &[i32],
) -> Result<()> {
    sqlx::query!(
        "insert into canary_result (search_id, canary_id, hits)
         select $1, r.id, r.hits from unnest($2::uuid[], $3::integer[]) as r (id, hits)
         -- Those that were deleted meanwhile are out; the rest can't be until this is over.
         join canary c on c.id = r.id where c.deleted_at is null order by c.id for share of c",
        search,
        canaries,
        hits,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub struct HitRow {
    pub canary_id: Uuid,
    pub number: i32,
    pub byte_at: i64,
    pub line: i64,
    pub encoding: String,
    pub field: String,
}

pub async fn insert_hit(db: &mut PgConnection, search: Uuid, hit: &HitRow) -> Result<()> {
    sqlx::query!(
        "insert into canary_hit (search_id, canary_id, number, byte_at, line, encoding, field)
         select $1, $2, $3, $4, $5, $6, $7
         where exists (select from canary_result r where r.search_id = $1 and r.canary_id = $2)",
        search,
        hit.canary_id,
        hit.number,
        hit.byte_at,
        hit.line,
        hit.encoding,
        hit.field,
    )
    .execute(db)
    .await?;
    Ok(())
}

#[derive(Debug)]
pub struct SearchRow {
    pub id: Uuid,
    pub at: Time,
    pub label: String,
    pub source: String,
    pub container: String,
    pub searched: i64,
    /// Why it wasn't searched to its end; empty when it was.
    pub missed: Vec<String>,
    /// Of one canary, or of all.
    pub hits: i64,
    /// How many canaries were searched for.
    pub canaries: i64,
}

/// The newest searches: all, or those for one canary.
pub async fn list_searches(
    db: &mut PgConnection,
    canary: Option<Uuid>,
    limit: i64,
) -> Result<Vec<SearchRow>> {
    sqlx::query_as!(
        SearchRow,
        r#"select s.id, s.at, s.label, s.source, s.container, s.searched, s.missed,
                  coalesce(sum(r.hits), 0)::bigint as "hits!", count(r.canary_id) as "canaries!"
           from canary_search s left join canary_result r on r.search_id = s.id and ($1::uuid is null or r.canary_id = $1)
           group by s.id having $1::uuid is null or count(r.canary_id) > 0
           order by s.at desc, s.id limit $2"#,
        canary,
        limit,
    )
    .fetch_all(db)
    .await
}

pub async fn find_search(db: &mut PgConnection, id: Uuid) -> Result<Option<SearchRow>> {
    sqlx::query_as!(
        SearchRow,
        r#"select s.id, s.at, s.label, s.source, s.container, s.searched, s.missed,
                  coalesce(sum(r.hits), 0)::bigint as "hits!", count(r.canary_id) as "canaries!"
           from canary_search s left join canary_result r on r.search_id = s.id where s.id = $1 group by s.id"#,
        id,
    )
    .fetch_optional(db)
    .await
}

pub struct ResultRow {
    pub canary_id: Uuid,
    pub token: Option<String>,
    pub hits: i32,
}

pub async fn list_results(db: &mut PgConnection, search: Uuid) -> Result<Vec<ResultRow>> {
    sqlx::query_as!(
        ResultRow,
        "select r.canary_id, c.token, r.hits from canary_result r join canary c on c.id = r.canary_id
         where r.search_id = $1 order by r.hits desc, c.made_at desc limit 200",
        search,
    )
    .fetch_all(db)
    .await
}

/// Places in one search, of all canaries or of one.
pub async fn list_hits(db: &mut PgConnection, search: Uuid) -> Result<Vec<HitRow>> {
    sqlx::query_as!(
        HitRow,
        "select canary_id, number, byte_at, line, encoding, field from canary_hit
         where search_id = $1 order by canary_id, number",
        search,
    )
    .fetch_all(db)
    .await
}
