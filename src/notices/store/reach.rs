//! SQL of reach: counts of people, made into bands before anybody sees them; the reminder; the export that
//! some laws demand.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::clock::Time;
use crate::error::{OnConstraint, Result};

/// Whom a version is for.
#[derive(Debug, Clone, Copy)]
pub struct Audience<'a> {
    pub notice: Uuid,
    pub major: i32,
    pub jurisdictions: &'a [String],
    /// Empty for everybody.
    pub departments: &'a [Uuid],
}

/// Exact counts of one department; nobody is shown them as they are.
#[derive(Debug, Clone, Default)]
pub struct GroupRow {
    pub department: Option<String>,
    pub people: i64,
    pub delivered: i64,
    pub viewed: i64,
    pub acknowledged: i64,
    pub declined: i64,
}

/// Counts by department of what was done before `until`. Corrections count with the version they correct.
pub async fn count_groups(
    db: &mut PgConnection,
    audience: Audience<'_>,
    until: Time,
) -> Result<Vec<GroupRow>> {
    let rows = sqlx::query_as!(
        GroupRow,
        r#"select d.name as "department?", count(*) as "people!",
                  count(*) filter (where a.delivered_at < $5) as "delivered!",
                  count(*) filter (where a.viewed_at < $5) as "viewed!",
                  count(*) filter (where a.acknowledged_at < $5) as "acknowledged!",
                  count(*) filter (where a.declined_at < $5) as "declined!"
           from person p join person_role w on w.person_id = p.id and w.role = 'worker'
           left join department d on d.id = p.department_id
           left join lateral (
               select min(a.delivered_at) as delivered_at, min(a.viewed_at) as viewed_at,
                      min(a.acknowledged_at) as acknowledged_at, min(a.declined_at) as declined_at
               from notice_acknowledgement a join notice_version v on v.id = a.version_id
               where a.person_id = p.id and v.notice_id = $1 and v.major = $2) a on true
           where p.deactivated_at is null and p.jurisdiction = any ($3)
             and ($4::uuid[] = '{}' or p.department_id = any ($4))
           group by d.name order by d.name"#,
        audience.notice,
        audience.major,
        audience.jurisdictions,
        audience.departments,
        until as _,
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

pub struct RecipientRow {
    pub id: Uuid,
    pub email: String,
}

/// Those in the audience who have neither acknowledged nor declined.
pub async fn list_silent(db: &mut PgConnection, audience: Audience<'_>) -> Result<Vec<RecipientRow>> {
    let rows = sqlx::query_as!(
        RecipientRow,
        "select p.id, p.email
         from person p join person_role w on w.person_id = p.id and w.role = 'worker'
         where p.deactivated_at is null and p.jurisdiction = any ($3)
           and ($4::uuid[] = '{}' or p.department_id = any ($4))
           and not exists (
               select 1 from notice_acknowledgement a join notice_version v on v.id = a.version_id
               where a.person_id = p.id and v.notice_id = $1 and v.major = $2
                 and coalesce(a.acknowledged_at, a.declined_at) is not null)
         order by p.id",
        audience.notice,
        audience.major,
        audience.jurisdictions,
        audience.departments,
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Records the one reminder of a version; a second one is refused.
pub async fn insert_reminder(
    db: &mut PgConnection,
    version: Uuid,
    by: Uuid,
    role: &str,
    now: Time,
) -> Result<()> {
    sqlx::query!(
        "insert into notice_reminder (version_id, sent_at, sent_by, by_role) values ($1, $2, $3, $4)",
        version,
        now as _,
        by,
        role,
    )
    .execute(db)
    .await
    .on_constraint("notice_reminder_once", || {
        crate::error::Error::conflict("The reminder of this version was sent already. There is only one.")
    })?;
    Ok(())
}

/// When the reminder of one of these versions was sent.
pub async fn find_reminder(db: &mut PgConnection, versions: &[Uuid]) -> Result<Option<Time>> {
    let at = sqlx::query_scalar!(
        r#"select sent_at as "sent_at: Time" from notice_reminder where version_id = any ($1)"#,
        versions,
    )
    .fetch_optional(db)
    .await?;
    Ok(at)
}

/// A line of the export: somebody who was told that the law has it shown.
#[derive(Debug)]
pub struct ProofRow {
    pub person_id: Uuid,
    pub name: String,
    pub employee_number: Option<String>,
    pub department: Option<String>,
    pub proof_law: String,
    pub major: i32,
    pub minor: i32,
    pub language: String,
    pub content_sha256: Vec<u8>,
    pub acknowledged_at: Time,
}

/// Acknowledgements of a notice given under a law that demands their proof, of any version.
pub async fn list_proofs(db: &mut PgConnection, notice: Uuid) -> Result<Vec<ProofRow>> {
    let rows = sqlx::query_as!(
        ProofRow,
        r#"select p.id as person_id, p.name, p.employee_number, d.name as "department?",
                  a.proof_law as "proof_law!", v.major, v.minor, a.language as "language!",
                  a.content_sha256 as "content_sha256!", a.acknowledged_at as "acknowledged_at!: Time"
           from notice_acknowledgement a join notice_version v on v.id = a.version_id
           join person p on p.id = a.person_id left join department d on d.id = p.department_id
           where v.notice_id = $1 and a.proof_law is not null and a.acknowledged_at is not null
           order by v.major, v.minor, lower(p.name), p.id"#,
        notice,
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}
