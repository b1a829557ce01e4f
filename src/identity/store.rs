//! SQL of people, sessions and links.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use super::model::OnFile;
use crate::clock::Time;

pub struct SessionRow {
    pub id: Uuid,
    pub person_id: Uuid,
    pub name: String,
    pub time_zone: Option<String>,
    pub roles: Vec<String>,
    pub created_at: Time,
    pub last_seen_at: Time,
}

pub async fn find_session(
    db: &mut PgConnection,
    token_hash: &[u8],
    now: Time,
    idle_since: Time,
) -> Result<Option<SessionRow>> {
    sqlx::query_as!(
        SessionRow,
        r#"select s.id, s.person_id, p.name, p.time_zone, s.created_at, s.last_seen_at,
                  array(select role from person_role r where r.person_id = p.id) as "roles!"
           from session s join person p on p.id = s.person_id
           where s.token_hash = $1 and s.expires_at > $2 and s.last_seen_at > $3 and p.deactivated_at is null"#,
        token_hash,
        now as _,
        idle_since as _,
    )
    .fetch_optional(db)
    .await
}

pub async fn touch_session(db: &mut PgConnection, id: Uuid, now: Time) -> Result<()> {
    sqlx::query!("update session set last_seen_at = $2 where id = $1", id, now as _).execute(db).await?;
    Ok(())
}

pub async fn insert_session(
    db: &mut PgConnection,
    id: Uuid,
    token_hash: &[u8],
    person_id: Uuid,
    now: Time,
    expires_at: Time,
    browser: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into session (id, token_hash, person_id, created_at, last_seen_at, expires_at, browser)
         values ($1, $2, $3, $4, $4, $5, $6)",
        id,
        token_hash,
        person_id,
        now as _,
        expires_at as _,
        browser,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn delete_session_by_token(db: &mut PgConnection, token_hash: &[u8]) -> Result<()> {
    sqlx::query!("delete from session where token_hash = $1", token_hash).execute(db).await?;
    Ok(())
}

/// Ends one session of this person; false when it isn't theirs.
pub async fn delete_session(db: &mut PgConnection, id: Uuid, person_id: Uuid) -> Result<bool> {
    let done = sqlx::query!("delete from session where id = $1 and person_id = $2", id, person_id)
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends every session of a person but `except`.
pub async fn delete_sessions_of(db: &mut PgConnection, person_id: Uuid, except: Option<Uuid>) -> Result<()> {
    sqlx::query!("delete from session where person_id = $1 and id is distinct from $2", person_id, except)
        .execute(db)
        .await?;
    Ok(())
}

pub struct ListedSession {
    pub id: Uuid,
    pub browser: String,
    pub created_at: Time,
    pub last_seen_at: Time,
}

pub async fn list_sessions(db: &mut PgConnection, person_id: Uuid, now: Time) -> Result<Vec<ListedSession>> {
    sqlx::query_as!(
        ListedSession,
        "select id, browser, created_at, last_seen_at from session
         where person_id = $1 and expires_at > $2 order by last_seen_at desc",
        person_id,
        now as _,
    )
    .fetch_all(db)
    .await
}

pub struct Credentials {
    pub id: Uuid,
    pub password_hash: Option<String>,
}

/// The active account of an address.
pub async fn find_credentials(db: &mut PgConnection, email: &str) -> Result<Option<Credentials>> {
    sqlx::query_as!(
        Credentials,
        "select id, password_hash from person where email = $1 and deactivated_at is null",
        email,
    )
    .fetch_optional(db)
    .await
}

pub async fn count_failures(db: &mut PgConnection, account_hash: &[u8], since: Time) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from sign_in_failure where account_hash = $1 and at > $2"#,
        account_hash,
        since as _,
    )
    .fetch_one(db)
    .await
}

pub async fn insert_failure(db: &mut PgConnection, account_hash: &[u8], at: Time) -> Result<()> {
    sqlx::query!("insert into sign_in_failure (account_hash, at) values ($1, $2)", account_hash, at as _)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn delete_failures(db: &mut PgConnection, account_hash: &[u8]) -> Result<()> {
    sqlx::query!("delete from sign_in_failure where account_hash = $1", account_hash).execute(db).await?;
    Ok(())
}

/// A person as lists and account pages show them; nothing of what is collected about them.
#[derive(Debug, Clone)]
pub struct PersonSummary {
    pub id: Uuid,
    pub email: String,
    pub name: String,
    pub employee_number: Option<String>,
    pub department: Option<String>,
    pub department_id: Option<Uuid>,
    pub jurisdiction: String,
    pub time_zone: Option<String>,
    pub roles: Vec<String>,
    pub on_roll: bool,
    pub has_password: bool,
    pub created_at: Time,
    pub deactivated_at: Option<Time>,
}

pub async fn find_person(db: &mut PgConnection, id: Uuid) -> Result<Option<PersonSummary>> {
    sqlx::query_as!(
        PersonSummary,
        r#"select p.id, email, p.name, employee_number, d.name as "department?", department_id, jurisdiction,
                  time_zone, on_roll, password_hash is not null as "has_password!", created_at, deactivated_at,
                  array(select role from person_role r where r.person_id = p.id order by role) as "roles!"
           from person p left join department d on d.id = p.department_id where p.id = $1"#,
        id,
    )
    .fetch_optional(db)
    .await
}

/// A page of people whose name or address holds `search`, by name; active ones first.
pub async fn list_people(
    db: &mut PgConnection,
    search: &str,
    offset: i64,
    limit: i64,
) -> Result<Vec<PersonSummary>> {
    sqlx::query_as!(
        PersonSummary,
        r#"select p.id, email, p.name, employee_number, d.name as "department?", department_id, jurisdiction,
                  time_zone, on_roll, password_hash is not null as "has_password!", created_at, deactivated_at,
                  array(select role from person_role r where r.person_id = p.id order by role) as "roles!"
           from person p left join department d on d.id = p.department_id
           where $1 = '' or strpos(lower(p.name), $1) > 0 or strpos(p.email, $1) > 0
           order by deactivated_at is not null, lower(p.name), p.id offset $2 limit $3"#,
        search,
        offset,
        limit,
    )
    .fetch_all(db)
    .await
}

pub async fn count_people(db: &mut PgConnection, search: &str) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from person
           where $1 = '' or strpos(lower(name), $1) > 0 or strpos(email, $1) > 0"#,
        search,
    )
    .fetch_one(db)
    .await
}

/// Id and name of everybody who can have a device, by name.
pub async fn active_people(db: &mut PgConnection) -> Result<Vec<(Uuid, String)>> {
    let rows = sqlx::query!(
        "select id, name from person p where deactivated_at is null
         and exists (select 1 from person_role r where r.person_id = p.id and r.role = 'worker')
         order by lower(name), id"
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|r| (r.id, r.name)).collect())
}

pub async fn list_departments(db: &mut PgConnection) -> Result<Vec<(Uuid, String)>> {
    let rows = sqlx::query!("select id, name from department order by name").fetch_all(db).await?;
    Ok(rows.into_iter().map(|r| (r.id, r.name)).collect())
}

/// The department of this name, made when there is none.
pub async fn ensure_department(db: &mut PgConnection, id: Uuid, name: &str) -> Result<Uuid> {
    sqlx::query_scalar!(
        "insert into department (id, name) values ($1, $2)
         on conflict (name) do update set name = excluded.name returning id",
        id,
        name,
    )
    .fetch_one(db)
    .await
}

pub struct PersonFields<'a> {
    pub email: &'a str,
    pub name: &'a str,
    pub employee_number: Option<&'a str>,
    pub department_id: Option<Uuid>,
    pub jurisdiction: &'a str,
    pub time_zone: Option<&'a str>,
    pub on_roll: bool,
}

pub async fn insert_person(
    db: &mut PgConnection,
    id: Uuid,
    fields: &PersonFields<'_>,
    now: Time,
) -> Result<()> {
    sqlx::query!(
        "insert into person (id, email, name, employee_number, department_id, jurisdiction, time_zone, on_roll,
                             created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id,
        fields.email,
        fields.name,
        fields.employee_number,
        fields.department_id,
        fields.jurisdiction,
        fields.time_zone,
        fields.on_roll,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn update_person(db: &mut PgConnection, id: Uuid, fields: &PersonFields<'_>) -> Result<()> {
    sqlx::query!(
        "update person set email = $2, name = $3, employee_number = $4, department_id = $5, jurisdiction = $6,
                time_zone = $7, on_roll = $8 where id = $1",
        id,
        fields.email,
        fields.name,
        fields.employee_number,
        fields.department_id,
        fields.jurisdiction,
        fields.time_zone,
        fields.on_roll,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn set_time_zone(db: &mut PgConnection, id: Uuid, time_zone: Option<&str>) -> Result<()> {
    sqlx::query!("update person set time_zone = $2 where id = $1", id, time_zone).execute(db).await?;
    Ok(())
}

pub async fn set_password(db: &mut PgConnection, id: Uuid, hash: &str) -> Result<()> {
    sqlx::query!("update person set password_hash = $2 where id = $1", id, hash).execute(db).await?;
    Ok(())
}

pub async fn password_hash(db: &mut PgConnection, id: Uuid) -> Result<Option<String>> {
    sqlx::query_scalar!("select password_hash from person where id = $1", id).fetch_one(db).await
}

/// Deactivates (`Some`) or reactivates (`None`).
pub async fn set_deactivated(db: &mut PgConnection, id: Uuid, at: Option<Time>) -> Result<()> {
    sqlx::query!("update person set deactivated_at = $2 where id = $1", id, at as _).execute(db).await?;
    Ok(())
}

/// Replaces a person's roles.
pub async fn set_roles(db: &mut PgConnection, id: Uuid, roles: &[String], now: Time) -> Result<()> {
    sqlx::query!("delete from person_role where person_id = $1 and role <> all ($2)", id, roles)
        .execute(&mut *db)
        .await?;
    sqlx::query!(
        "insert into person_role (person_id, role, granted_at) select $1, unnest($2::text[]), $3
         on conflict do nothing",
        id,
        roles,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Active administrators besides `except`: the last one can't be lost.
pub async fn count_administrators(db: &mut PgConnection, except: Option<Uuid>) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from person p join person_role r on r.person_id = p.id
           where r.role = 'administrator' and p.deactivated_at is null and p.id is distinct from $1"#,
        except,
    )
    .fetch_one(db)
    .await
}

pub async fn list_on_file(db: &mut PgConnection) -> Result<Vec<OnFile>> {
    sqlx::query_as!(
        OnFile,
        r#"select p.id, email, p.name, employee_number, d.name as "department?", jurisdiction, time_zone, on_roll,
                  deactivated_at is null as "active!"
           from person p left join department d on d.id = p.department_id"#
    )
    .fetch_all(db)
    .await
}

pub async fn insert_link(
    db: &mut PgConnection,
    id: Uuid,
    token_hash: &[u8],
    purpose: &str,
    person_id: Option<Uuid>,
    now: Time,
    expires_at: Time,
) -> Result<()> {
    sqlx::query!(
        "insert into one_time_link (id, token_hash, purpose, person_id, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        token_hash,
        purpose,
        person_id,
        now as _,
        expires_at as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub struct LinkRow {
    pub id: Uuid,
    pub purpose: String,
    pub person_id: Option<Uuid>,
}

/// A link that still works; locked, so that two clicks at once are one use.
pub async fn find_link(db: &mut PgConnection, token_hash: &[u8], now: Time) -> Result<Option<LinkRow>> {
    sqlx::query_as!(
        LinkRow,
        "select id, purpose, person_id from one_time_link
         where token_hash = $1 and used_at is null and expires_at > $2 for update",
        token_hash,
        now as _,
    )
    .fetch_optional(db)
    .await
}

pub async fn count_links_since(db: &mut PgConnection, person_id: Uuid, since: Time) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from one_time_link where person_id = $1 and created_at > $2"#,
        person_id,
        since as _,
    )
    .fetch_one(db)
    .await
}

/// Marks a link used, and every other open one of the same person with it.
pub async fn use_link(db: &mut PgConnection, id: Uuid, person_id: Option<Uuid>, now: Time) -> Result<()> {
    sqlx::query!(
        "update one_time_link set used_at = $3 where used_at is null and (id = $1 or person_id = $2)",
        id,
        person_id,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn insert_roll_import(
    db: &mut PgConnection,
    id: Uuid,
    now: Time,
    by: Uuid,
    rows: serde_json::Value,
) -> Result<()> {
    sqlx::query!(
        "insert into roll_import (id, created_at, created_by, rows) values ($1, $2, $3, $4)",
        id,
        now as _,
        by,
        rows,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The rows of an import that waits; `None` when it is unknown, applied, or older than `since`.
pub async fn find_roll_import(
    db: &mut PgConnection,
    id: Uuid,
    since: Time,
) -> Result<Option<serde_json::Value>> {
    let row = sqlx::query_scalar!(
        "select rows from roll_import where id = $1 and applied_at is null and created_at > $2 for update",
        id,
        since as _,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.flatten())
}

pub async fn finish_roll_import(db: &mut PgConnection, id: Uuid, now: Time, counts: [i32; 4]) -> Result<()> {
    sqlx::query!(
        "update roll_import set rows = null, applied_at = $2, added = $3, changed = $4, deactivated = $5,
                reactivated = $6 where id = $1",
        id,
        now as _,
        counts[0],
        counts[1],
        counts[2],
        counts[3],
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Records what this database is; answers what it was recorded as.
pub async fn ensure_installation(db: &mut PgConnection, demo: bool, now: Time) -> Result<bool> {
    sqlx::query!(
        "insert into installation (demo, created_at) values ($1, $2) on conflict do nothing",
        demo,
        now as _,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query_scalar!("select demo from installation").fetch_one(db).await
}
