//! Objections opened by those who answer or oversee them, and the mail that says that one waits.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::AppState;
use crate::audit;
use crate::clock::Time;
use crate::consent::store::objections as store;
use crate::error::Result;
use crate::outbox;
use crate::web::{Role, Viewer};

/// Hour of the day, in the organisation's zone, from which the mail goes out.
const MAIL_HOUR: i64 = 7;

/// When the organisation's day began.
pub fn midnight(state: &AppState) -> Time {
    let zone = &state.config.time_zone;
    state.clock.now().day(zone).start(zone)
}

/// IANA name of the organisation's zone.
pub fn zone(state: &AppState) -> &str {
    state.config.time_zone.iana_name().unwrap_or("UTC")
}

/// Writes into each author's access log that their objection was opened.
pub async fn record_read(
    db: &mut PgConnection,
    state: &AppState,
    viewer: &Viewer,
    role: Role,
    objections: &[Uuid],
) -> Result<()> {
    for (objection, author) in store::list_authors(db, objections).await? {
        let entry = audit::Entry {
            action: "objection.read",
            subject: Some(author),
            object: Some(objection),
            reason: None,
        };
        audit::record(db, state, viewer, role, entry).await?;
    }
    Ok(())
}

/// Says to HR that an objection waits: in the morning after, so that the mail's time tells nothing, once a day at
/// most, and nothing else.
pub async fn mail_publishers(state: &AppState) -> Result<()> {
    let midnight = midnight(state);
    if state.clock.now() < midnight.plus_seconds(MAIL_HOUR * 3600) {
        return Ok(());
    }
    let mut tx = state.db.begin().await?;
    if !store::is_mail_due(&mut tx, midnight, zone(state)).await?
        || !store::insert_mail(&mut tx, midnight.day(&state.config.time_zone)).await?
    {
        return Ok(());
    }
    let subject = "An objection waits for an answer";
    let body = format!("An objection waits for an answer:\n\n{}/objections\n", state.config.base_url);
    for (person, email) in store::list_publishers(&mut tx).await? {
        outbox::enqueue(&mut tx, state, Some(person), &email, subject, &body).await?;
    }
    tx.commit().await?;
    Ok(())
}
