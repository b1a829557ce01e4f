//! SQL of the outbox.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;

pub struct NewMail<'a> {
    pub person_id: Option<Uuid>,
    pub recipient: &'a str,
    pub subject: &'a str,
    pub body: &'a str,
    /// Left out of the list that administrators see.
    pub confidential: bool,
}

pub async fn insert_mail(db: &mut PgConnection, id: Uuid, now: Time, mail: NewMail<'_>) -> Result<()> {
    sqlx::query!(
        "insert into outbox (id, created_at, run_at, person_id, recipient, subject, body, confidential)
         values ($1, $2, $2, $3, $4, $5, $6, $7)",
        id,
        now as _,
        mail.person_id,
        mail.recipient,
        mail.subject,
        mail.body,
        mail.confidential,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A mail as the list shows it: without its text.
#[derive(Debug)]
pub struct MailRow {
    pub id: Uuid,
    pub created_at: Time,
    pub run_at: Time,
    pub recipient: String,
    pub subject: String,
    pub has_body: bool,
    pub attempts: i32,
    pub sent_at: Option<Time>,
    pub failed: Option<String>,
}

pub async fn count_mails(db: &mut PgConnection) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from outbox where not confidential"#)
        .fetch_one(db)
        .await
}

pub async fn list_mails(db: &mut PgConnection, offset: i64, limit: i64) -> Result<Vec<MailRow>> {
    sqlx::query_as!(
        MailRow,
        r#"select id, created_at, run_at, recipient, subject, body is not null as "has_body!", attempts,
                  sent_at, failed
           from outbox where not confidential order by created_at desc, id desc offset $1 limit $2"#,
        offset,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Whether mails that the list leaves out wait, although they were tried.
pub async fn are_confidential_stuck(db: &mut PgConnection) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select 1 from outbox where confidential and sent_at is null and failed is not null)
               as "stuck!""#
    )
    .fetch_one(db)
    .await
}

pub struct WaitingMail {
    pub person_id: Option<Uuid>,
    pub recipient: String,
    pub subject: String,
    pub body: String,
}

/// A mail that was not sent, with its text.
pub async fn find_waiting(db: &mut PgConnection, id: Uuid) -> Result<Option<WaitingMail>> {
    sqlx::query_as!(
        WaitingMail,
        r#"select person_id, recipient, subject, body as "body!" from outbox
           where id = $1 and sent_at is null and body is not null and not confidential for update"#,
        id,
    )
    .fetch_optional(db)
    .await
}

pub struct DueMail {
    pub id: Uuid,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    /// Tries, this one among them.
    pub attempts: i32,
}

/// Takes the mail that has been due longest, counts the try, and keeps others off it until `until`.
pub async fn claim_due(db: &mut PgConnection, now: Time, until: Time, tries: i32) -> Result<Option<DueMail>> {
    sqlx::query_as!(
        DueMail,
        r#"update outbox set run_at = $2, attempts = attempts + 1
           where id = (select id from outbox
                       where sent_at is null and body is not null and run_at <= $1 and attempts < $3
                       order by run_at, id limit 1 for update skip locked)
           returning id, recipient, subject, body as "body!", attempts"#,
        now as _,
        until as _,
        tries,
    )
    .fetch_optional(db)
    .await
}

pub async fn mark_sent(db: &mut PgConnection, id: Uuid, now: Time) -> Result<()> {
    sqlx::query!("update outbox set sent_at = $2, body = null, failed = null where id = $1", id, now as _)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn mark_failed(db: &mut PgConnection, id: Uuid, run_at: Time, reason: &str) -> Result<()> {
    sqlx::query!("update outbox set failed = $3, run_at = $2 where id = $1", id, run_at as _, reason)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn find_address(db: &mut PgConnection, person_id: Uuid) -> Result<String> {
    sqlx::query_scalar!("select email from person where id = $1", person_id).fetch_one(db).await
}
