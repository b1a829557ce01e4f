//! What the comments of the migrations' tables promise to delete, in one place.

use sqlx::{PgConnection, Result};

use crate::clock::Time;

/// Days after which an unsent mail's text is of no use: the longest link lives that long.
const BODY_DAYS: i64 = 7;

pub async fn apply(db: &mut PgConnection, now: Time) -> Result<()> {
    let day_ago = now.plus_days(-1);
    sqlx::query!("delete from sign_in_failure where at < $1", day_ago as _).execute(&mut *db).await?;
    // One that lies idle for half a day no longer signs anybody in (`identity`): it has expired as well.
    sqlx::query!("delete from session where expires_at < $1 or last_seen_at < $2", now as _, day_ago as _,)
        .execute(&mut *db)
        .await?;
    let month_ago = now.plus_days(-30);
    sqlx::query!("delete from one_time_link where expires_at < $1", month_ago as _).execute(&mut *db).await?;
    sqlx::query!("delete from enrolment where expires_at < $1", month_ago as _).execute(&mut *db).await?;
    sqlx::query!(
        "update roll_import set rows = null where rows is not null and created_at < $1",
        day_ago as _,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "update outbox set body = null, failed = coalesce(failed, 'nothing was sent for seven days')
         where body is not null and created_at < $1",
        now.plus_days(-BODY_DAYS) as _,
    )
    .execute(&mut *db)
    .await?;
    let month_ago_day = month_ago.day(&jiff::tz::TimeZone::UTC);
    sqlx::query!("delete from webhook_delivery where decided_on < $1 and body is null", month_ago_day as _)
        .execute(&mut *db)
        .await?;
    // Counts of a dry run that nobody confirmed go with it.
    sqlx::query!("delete from vendor_import where confirmed_at is null and expires_at <= $1", now as _)
        .execute(&mut *db)
        .await?;
    // The newest says since when no mail has spoken of objections.
    sqlx::query!(
        "delete from objection_mail where day < $1 and day < (select max(day) from objection_mail)",
        month_ago_day as _
    )
    .execute(&mut *db)
    .await?;
    let weeks_ago = now.plus_days(-60 * 7).day(&jiff::tz::TimeZone::UTC);
    sqlx::query!("delete from finding_week where week < $1", weeks_ago as _).execute(&mut *db).await?;
    // The newest stays, so that its week's mail goes out once.
    sqlx::query!(
        "delete from finding_mail_week where week < $1 and week < (select max(week) from finding_mail_week)",
        weeks_ago as _
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("delete from presence_look where received_at < $1", now.plus_days(-100) as _)
        .execute(&mut *db)
        .await?;
    let presence_before = now.plus_days(-400).day(&jiff::tz::TimeZone::UTC);
    sqlx::query!("delete from presence where day < $1", presence_before as _).execute(&mut *db).await?;
    sqlx::query!("delete from outbox where created_at < $1", now.plus_days(-90) as _).execute(db).await?;
    Ok(())
}
