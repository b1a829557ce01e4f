//! SQL of people, their roles and departments.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;
use crate::web::Role;

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

impl PersonSummary {
    /// The roles in words, in the order of what they may do.
    pub fn role_words(&self) -> String {
        let held = Role::ALL.into_iter().filter(|r| self.roles.iter().any(|id| id == r.id()));
        held.map(Role::words).collect::<Vec<_>>().join(", ")
    }
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

/// Changes an account, within a transaction; a move to another department or law counts from `now` on.
pub async fn update_person(
    db: &mut PgConnection,
    id: Uuid,
    fields: &PersonFields<'_>,
    now: Time,
) -> Result<()> {
    // Read by the trigger that keeps moves.
    sqlx::query_scalar!("select set_config('daylight.now', ($1::timestamptz)::text, true)", now as _)
        .fetch_one(&mut *db)
        .await?;
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

/// Deactivates (`Some`) or reactivates (`None`).
pub async fn set_deactivated(db: &mut PgConnection, id: Uuid, at: Option<Time>) -> Result<()> {
    sqlx::query!("update person set deactivated_at = $2 where id = $1", id, at as _).execute(db).await?;
    Ok(())
}

/// Ends a leaver's device assignments; answers which devices those were.
pub async fn end_assignments_of(db: &mut PgConnection, person_id: Uuid, now: Time) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "update device_assignment set period = tstzrange(lower(period), $2)
         where person_id = $1 and upper_inf(period) and lower(period) < $2 returning device_id",
        person_id,
        now as _,
    )
    .fetch_all(db)
    .await
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

/// Makes others who would take an administrator away wait for this transaction.
pub async fn lock_administrators(db: &mut PgConnection) -> Result<()> {
    sqlx::query!(
        "select person_id from person_role where role = 'administrator' order by person_id for update"
    )
    .fetch_all(db)
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
