//! SQL of objections as those who answer them see them: days instead of times, and who objected only where they
//! gave their name.
//!
//! What people did since midnight isn't seen yet, neither objecting nor taking back: whoever looks at the list all
//! day can't hold it against who was where at which minute.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::{Day, Time};

/// Who looks, and when.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub viewer: Uuid,
    /// Whether they answer objections: nobody else is shown a name.
    pub answers: bool,
    /// When the day began.
    pub midnight: Time,
    /// IANA name, whose days are meant.
    pub zone: &'a str,
}

/// An objection that waits.
#[derive(Debug)]
pub struct OpenObjection {
    pub id: Uuid,
    pub processing_id: Uuid,
    pub on: Day,
    pub due: Day,
    /// It contests an earlier answer, which is this.
    pub contests: Option<String>,
    pub reason: String,
    pub name: Option<String>,
    pub department: Option<String>,
    /// Whether it is the viewer's own, which a colleague answers.
    pub own: bool,
}

/// Open objections, of one processing or all, those due first first; within a day in no order that tells anything.
pub async fn list_open(
    db: &mut PgConnection,
    look: Look<'_>,
    processing: Option<Uuid>,
) -> Result<Vec<OpenObjection>> {
    list(db, look, processing, None, false).await
}

/// One that is open as far as this viewer can know; with `closed`, also one that was answered or taken back since.
pub async fn find(
    db: &mut PgConnection,
    look: Look<'_>,
    id: Uuid,
    closed: bool,
) -> Result<Option<OpenObjection>> {
    Ok(list(db, look, None, Some(id), closed).await?.pop())
}

async fn list(
    db: &mut PgConnection,
    look: Look<'_>,
    processing: Option<Uuid>,
    id: Option<Uuid>,
    closed: bool,
) -> Result<Vec<OpenObjection>> {
    sqlx::query_as!(
        OpenObjection,
        r#"select d.id, d.processing_id, (d.at at time zone $4)::date as "on!: Day",
                  (d.due_at at time zone $4)::date as "due!: Day", d.reason as "reason!",
                  case when d.state = 'contested' then
                      (select o.reason from consent_decision o
                       where o.person_id = d.person_id and o.processing_id = d.processing_id
                         and o.number < d.number and o.state = 'overridden' order by o.number desc limit 1)
                  end as contests,
                  case when d.named and $2 then p.name end as name,
                  case when d.named and $2 then g.name end as department,
                  d.person_id = $1 as "own!"
           from consent_decision d join person p on p.id = d.person_id
           left join department g on g.id = p.department_id
           join processing r on r.id = d.processing_id
           where d.state in ('objected', 'contested') and d.at < $3
             and ($5::uuid is null or d.processing_id = $5) and ($6::uuid is null or d.id = $6)
             and ($7 or (r.state = 'active' and (p.deactivated_at is null or p.deactivated_at >= $3)
                 and not exists (select from consent_decision l
                     where l.person_id = d.person_id and l.processing_id = d.processing_id
                       and l.number > d.number and l.state <> 'deferred'
                       and (l.at < $3 or l.by_role = 'publisher'))))
           order by 4, d.id"#,
        look.viewer,
        look.answers,
        look.midnight as _,
        look.zone,
        processing,
        id,
        closed,
    )
    .fetch_all(db)
    .await
}

/// Whose these objections are, for their access logs; not to be shown.
pub async fn list_authors(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>> {
    let rows = sqlx::query!("select id, person_id from consent_decision where id = any ($1)", ids);
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.id, row.person_id)).collect())
}

/// An answer, with what it answers.
#[derive(Debug)]
pub struct AnsweredObjection {
    pub processing_id: Uuid,
    pub objection_id: Uuid,
    pub objection: String,
    pub contested: bool,
    pub name: Option<String>,
    pub department: Option<String>,
    pub upheld: bool,
    pub answer: String,
    pub answered_on: Day,
}

pub async fn count_answered(db: &mut PgConnection, processing: Option<Uuid>) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from consent_decision
           where state in ('upheld', 'overridden') and ($1::uuid is null or processing_id = $1)"#,
        processing
    )
    .fetch_one(db)
    .await
}

/// Answers, the newest day first.
pub async fn list_answered(
    db: &mut PgConnection,
    look: Look<'_>,
    processing: Option<Uuid>,
    offset: i64,
    limit: i64,
) -> Result<Vec<AnsweredObjection>> {
    sqlx::query_as!(
        AnsweredObjection,
        r#"select a.processing_id, o.id as objection_id, o.reason as "objection!",
                  o.state = 'contested' as "contested!", case when o.named and $1 then p.name end as name,
                  case when o.named and $1 then g.name end as department, a.state = 'upheld' as "upheld!",
                  a.reason as "answer!", (a.at at time zone $2)::date as "answered_on!: Day"
           from consent_decision a
           join lateral (select * from consent_decision o
                         where o.person_id = a.person_id and o.processing_id = a.processing_id
                           and o.number < a.number and o.state in ('objected', 'contested')
                         order by o.number desc limit 1) o on true
           join person p on p.id = a.person_id left join department g on g.id = p.department_id
           where a.state in ('upheld', 'overridden') and ($3::uuid is null or a.processing_id = $3)
           order by (a.at at time zone $2)::date desc, a.id offset $4 limit $5"#,
        look.answers,
        look.zone,
        processing,
        offset,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Whether an objection waits that no mail has spoken of: one of a day that had ended and on which, or after
/// which, the last mail was sent.
pub async fn is_mail_due(db: &mut PgConnection, midnight: Time, zone: &str) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from consent_decision d
                  join processing r on r.id = d.processing_id and r.state = 'active'
                  join person p on p.id = d.person_id and p.deactivated_at is null
                  where d.state in ('objected', 'contested') and d.at < $1
                    and (d.at at time zone $2)::date >=
                        coalesce((select max(day) from objection_mail), '-infinity'::date)
                    and not exists (select from consent_decision l
                                    where l.person_id = d.person_id and l.processing_id = d.processing_id
                                      and l.number > d.number and l.state <> 'deferred')) as "due!""#,
        midnight as _,
        zone,
    )
    .fetch_one(db)
    .await
}

/// Takes today's mail on; `false` when another instance has.
pub async fn insert_mail(db: &mut PgConnection, day: Day) -> Result<bool> {
    let done = sqlx::query!("insert into objection_mail (day) values ($1) on conflict do nothing", day as _);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Everybody who answers objections.
pub async fn list_publishers(db: &mut PgConnection) -> Result<Vec<(Uuid, String)>> {
    let rows = sqlx::query!(
        "select p.id, p.email from person p join person_role r on r.person_id = p.id and r.role = 'publisher'
         where p.deactivated_at is null order by p.id"
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.id, row.email)).collect())
}
