//! SQL of dry runs and confirmed imports.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::{Day, Time};
use crate::imports::tally::{Count, Directory};
use crate::register::Category;

/// Everybody with an account, leavers too: an export holds their days as well.
pub async fn directory(db: &mut PgConnection, organisation: &TimeZone) -> Result<Directory> {
    let rows = sqlx::query!("select id, email, employee_number, time_zone from person").fetch_all(db).await?;
    let mut directory = Directory::default();
    for row in rows {
        let zone = row.time_zone.and_then(|name| TimeZone::get(&name).ok());
        let zone = zone.unwrap_or_else(|| organisation.clone());
        directory.add(row.id, &row.email, row.employee_number.as_deref(), zone);
    }
    Ok(directory)
}

pub struct NewImport<'a> {
    pub id: Uuid,
    pub program: &'a str,
    pub format: &'a str,
    pub by_id: Uuid,
    pub by_role: &'a str,
    pub at: Time,
    pub expires_at: Time,
    pub file_sha256: &'a [u8],
    pub bytes: i64,
    pub plan: serde_json::Value,
    pub days: Option<(Day, Day)>,
    pub records: i64,
    pub people: i64,
}

pub async fn insert_import(db: &mut PgConnection, new: &NewImport<'_>) -> Result<()> {
    sqlx::query!(
        "insert into vendor_import (id, program, format, by_id, by_role, at, expires_at, file_sha256, bytes, plan,
                first_day, last_day, records, people)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        new.id,
        new.program,
        new.format,
        new.by_id,
        new.by_role,
        new.at as _,
        new.expires_at as _,
        new.file_sha256,
        new.bytes,
        new.plan,
        new.days.map(|d| d.0) as _,
        new.days.map(|d| d.1) as _,
        new.records,
        new.people,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn insert_counts(
    db: &mut PgConnection,
    import: Uuid,
    counts: &BTreeMap<(Uuid, Day, Category), Count>,
) -> Result<()> {
    let (mut people, mut days, mut categories) = (Vec::new(), Vec::new(), Vec::new());
    let (mut records, mut firsts, mut lasts) = (Vec::new(), Vec::new(), Vec::new());
    for ((person, day, category), count) in counts {
        people.push(*person);
        days.push(*day);
        categories.push(category.id().to_owned());
        records.push(count.records);
        firsts.push(count.moments.map(|m| m.0));
        lasts.push(count.moments.map(|m| m.1));
    }
    sqlx::query!(
        "insert into vendor_import_count (import_id, person_id, day, category, records, first_at, last_at)
         select $1, * from unnest($2::uuid[], $3::date[], $4::text[], $5::bigint[], $6::timestamptz[], $7::timestamptz[])",
        import,
        &people,
        &days as _,
        &categories,
        &records,
        &firsts as &[Option<Time>],
        &lasts as &[Option<Time>],
    )
    .execute(db)
    .await?;
    Ok(())
}

pub struct Locked {
    pub by_id: Uuid,
    pub expires_at: Time,
    pub is_confirmed: bool,
}

pub async fn lock_import(db: &mut PgConnection, id: Uuid) -> Result<Option<Locked>> {
    sqlx::query_as!(
        Locked,
        r#"select by_id, expires_at, confirmed_at is not null as "is_confirmed!" from vendor_import
           where id = $1 for update"#,
        id,
    )
    .fetch_optional(db)
    .await
}

pub async fn list_people_of(db: &mut PgConnection, id: Uuid) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select distinct person_id from vendor_import_count where import_id = $1 order by person_id",
        id
    )
    .fetch_all(db)
    .await
}

/// Of two exports that hold the same day the larger count stays, and what grew waits for its comparison anew. Rows
/// in the key's order, so that two imports can't wait for each other.
pub async fn merge_counts(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!(
        "insert into vendor_count as v (person_id, day, category, program, records, first_at, last_at, import_id)
         select c.person_id, c.day, c.category, i.program, c.records, c.first_at, c.last_at, i.id
         from vendor_import_count c join vendor_import i on i.id = c.import_id where i.id = $1
         order by c.person_id, c.day, c.category
         on conflict (person_id, day, category, program) do update
         set records = excluded.records, first_at = excluded.first_at, last_at = excluded.last_at,
             import_id = excluded.import_id, compared_at = null
         where excluded.records > v.records",
        id,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("delete from vendor_import_count where import_id = $1", id).execute(db).await?;
    Ok(())
}

pub async fn set_confirmed(db: &mut PgConnection, id: Uuid, now: Time) -> Result<()> {
    sqlx::query!("update vendor_import set confirmed_at = $2, plan = null where id = $1", id, now as _)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn delete_import(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("delete from vendor_import where id = $1 and confirmed_at is null", id).execute(db).await?;
    Ok(())
}

pub async fn delete_expired(db: &mut PgConnection, now: Time) -> Result<()> {
    sqlx::query!("delete from vendor_import where confirmed_at is null and expires_at <= $1", now as _)
        .execute(db)
        .await?;
    Ok(())
}

#[derive(Debug)]
pub struct ImportRow {
    pub id: Uuid,
    pub program: String,
    pub format: String,
    pub by_id: Uuid,
    pub by_role: String,
    pub at: Time,
    pub expires_at: Time,
    pub confirmed_at: Option<Time>,
    pub plan: Option<serde_json::Value>,
    pub first_day: Option<Day>,
    pub last_day: Option<Day>,
    pub records: i64,
    pub people: i64,
    /// When the same file was taken before.
    pub same_file_at: Option<Time>,
}

pub async fn find_import(db: &mut PgConnection, id: Uuid) -> Result<Option<ImportRow>> {
    sqlx::query_as!(
        ImportRow,
        r#"select id, program, format, by_id, by_role, at, expires_at, confirmed_at, plan, first_day, last_day,
                  records, people,
                  (select min(o.confirmed_at) from vendor_import o where o.file_sha256 = i.file_sha256
                       and o.program = i.program and o.id <> i.id and o.confirmed_at <= i.at) as same_file_at
           from vendor_import i where id = $1"#,
        id,
    )
    .fetch_optional(db)
    .await
}

pub async fn count_imports(db: &mut PgConnection) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from vendor_import where confirmed_at is not null"#)
        .fetch_one(db)
        .await
}

/// A page of confirmed imports, newest first.
pub async fn list_imports(db: &mut PgConnection, offset: i64, limit: i64) -> Result<Vec<ImportRow>> {
    sqlx::query_as!(
        ImportRow,
        r#"select id, program, format, by_id, by_role, at, expires_at, confirmed_at, plan, first_day, last_day,
                  records, people, null::timestamptz as same_file_at
           from vendor_import where confirmed_at is not null order by confirmed_at desc, id offset $1 limit $2"#,
        offset,
        limit,
    )
    .fetch_all(db)
    .await
}
