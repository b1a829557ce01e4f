//! SQL of how people are told of findings: who wants which mail, which weeks were told of, feed readers' addresses.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::{Day, Time};

/// Which weekly mails somebody wants.
#[derive(Debug, Clone, Copy)]
pub struct MailChoice {
    pub own: bool,
    pub groups: bool,
}

pub async fn find_mail_choice(db: &mut PgConnection, person_id: Uuid) -> Result<MailChoice> {
    let found = sqlx::query_as!(
        MailChoice,
        "select own, groups from finding_mail_choice where person_id = $1",
        person_id
    )
    .fetch_optional(db)
    .await?;
    Ok(found.unwrap_or(MailChoice { own: false, groups: true }))
}

pub async fn set_mail_choice(db: &mut PgConnection, person_id: Uuid, choice: MailChoice) -> Result<()> {
    sqlx::query!(
        "insert into finding_mail_choice (person_id, own, groups) values ($1, $2, $3)
         on conflict (person_id) do update set own = excluded.own, groups = excluded.groups",
        person_id,
        choice.own,
        choice.groups,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a week's mails on; `false` when they were, by this server or another.
pub async fn insert_mail_week(db: &mut PgConnection, week: Day) -> Result<bool> {
    let done =
        sqlx::query!("insert into finding_mail_week (week) values ($1) on conflict do nothing", week as _);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Publishers and representatives who didn't refuse the summary.
pub async fn list_summary_readers(db: &mut PgConnection) -> Result<Vec<(Uuid, String)>> {
    let rows = sqlx::query!(
        "select p.id, p.email from person p where p.deactivated_at is null
         and exists (select from person_role r where r.person_id = p.id and r.role in ('publisher', 'representative'))
         and not exists (select from finding_mail_choice c where c.person_id = p.id and not c.groups)
         order by p.id"
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.email)).collect())
}

/// A worker about whom something was found, and who wants to hear of it.
pub struct Concerned {
    pub person_id: Uuid,
    pub email: String,
    pub findings: i64,
}

/// Of what was found in `[from, to)`.
pub async fn list_concerned(db: &mut PgConnection, from: Time, to: Time) -> Result<Vec<Concerned>> {
    sqlx::query_as!(
        Concerned,
        r#"select p.id as person_id, p.email, count(*) as "findings!"
           from finding f join person p on p.id = f.person_id and p.deactivated_at is null
           join finding_mail_choice c on c.person_id = p.id and c.own
           join person_role r on r.person_id = p.id and r.role = 'worker'
           where f.found_at >= $1 and f.found_at < $2 and f.kind <> 'HONOURED_AT_GATEWAY'
           group by p.id, p.email order by p.id"#,
        from as _,
        to as _,
    )
    .fetch_all(db)
    .await
}

/// Somebody's address for feed readers.
pub struct FeedRow {
    /// Tells one address from the next; says nothing of it.
    pub mark: String,
    pub made_at: Time,
    pub last_used_at: Option<Time>,
}

pub async fn find_feed(db: &mut PgConnection, person_id: Uuid) -> Result<Option<FeedRow>> {
    sqlx::query_as!(
        FeedRow,
        r#"select encode(substr(token_hash, 1, 6), 'hex') as "mark!", made_at, last_used_at from finding_feed
           where person_id = $1"#,
        person_id
    )
    .fetch_optional(db)
    .await
}

/// Holds other changes of somebody's address off until the transaction ends.
pub async fn lock_feed(db: &mut PgConnection, person_id: Uuid) -> Result<()> {
    sqlx::query!("select id from person where id = $1 for update", person_id).fetch_optional(db).await?;
    Ok(())
}

/// Sets somebody's address; a former one ends.
pub async fn set_feed(db: &mut PgConnection, person_id: Uuid, token_hash: &[u8], hour: Time) -> Result<()> {
    sqlx::query!(
        "insert into finding_feed (person_id, token_hash, made_at) values ($1, $2, $3)
         on conflict (person_id) do update
             set token_hash = excluded.token_hash, made_at = excluded.made_at, last_used_at = null",
        person_id,
        token_hash,
        hour as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether there was one.
pub async fn delete_feed(db: &mut PgConnection, person_id: Uuid) -> Result<bool> {
    let done = sqlx::query!("delete from finding_feed where person_id = $1", person_id).execute(db).await?;
    Ok(done.rows_affected() == 1)
}

/// Whether this address is somebody's who may read the feed now; notes the hour.
pub async fn use_feed(db: &mut PgConnection, token_hash: &[u8], hour: Time) -> Result<bool> {
    let person = sqlx::query_scalar!(
        "select f.person_id from finding_feed f join person p on p.id = f.person_id and p.deactivated_at is null
         where f.token_hash = $1 and exists (select from person_role r where r.person_id = f.person_id
                                             and r.role in ('publisher', 'representative'))",
        token_hash
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(person) = person else { return Ok(false) };
    sqlx::query!(
        "update finding_feed set last_used_at = $2 where person_id = $1 and last_used_at is distinct from $2",
        person,
        hour as _,
    )
    .execute(db)
    .await?;
    Ok(true)
}
