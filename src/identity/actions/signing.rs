//! Signing in, passwords, sessions, and what people set for themselves.

use axum::http::StatusCode;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::AppState;
use crate::audit;
use crate::error::{Error, Result};
use crate::identity::{model, store};
use crate::web::Viewer;

/// Why signing in failed; one text for unknown accounts and wrong passwords.
pub const SIGN_IN_FAILED: &str = "The e-mail address and the password don't go together.";

/// Signs in; answers the session's token. Unknown accounts take the same path and time as known ones.
pub async fn sign_in(state: &AppState, email: &str, password: &str, browser: &str) -> Result<String> {
    let email = email.trim().to_lowercase();
    let account = model::token_hash(&email);
    // Before the try is counted: one that isn't judged must lock nobody out.
    let place = state.passwords.place()?;
    count_try(state, &account).await?;
    let mut db = state.db.acquire().await?;
    let credentials = store::find_credentials(&mut db, &email).await?;
    let hash = credentials.as_ref().and_then(|c| c.password_hash.as_deref());
    // A connection isn't held while the hash is computed.
    drop(db);
    let matches = state.passwords.verify(place, password, hash).await?;
    let mut db = state.db.acquire().await?;
    match credentials {
        Some(credentials) if matches => {
            store::delete_failures(&mut db, &account).await?;
            open_session(&mut db, state, credentials.id, browser).await
        }
        _ => Err(Error::invalid("email", SIGN_IN_FAILED)),
    }
}

/// Counts a try as failed before it is judged, and refuses it after too many: of tries at the same moment
/// only so many are judged, too. One that succeeds deletes the count.
async fn count_try(state: &AppState, account: &[u8]) -> Result<()> {
    let now = state.clock.now();
    let since = now.plus_seconds(-model::FAILURE_MINUTES * 60);
    let mut tx = state.db.begin().await?;
    store::lock_account(&mut tx, account).await?;
    if store::count_failures(&mut tx, account, since).await? < model::FAILURES_ALLOWED {
        store::insert_failure(&mut tx, account, now).await?;
        tx.commit().await?;
        return Ok(());
    }
    let minutes = model::FAILURE_MINUTES;
    let text =
        format!("Too many failed tries for this account. Wait {minutes} minutes, or set a new password.");
    Err(Error::Rejected(StatusCode::TOO_MANY_REQUESTS, text.into()))
}

pub(super) async fn open_session(
    db: &mut PgConnection,
    state: &AppState,
    person_id: Uuid,
    browser: &str,
) -> Result<String> {
    let now = state.clock.now();
    let token = state.random.token();
    let expires_at = now.plus_days(model::SESSION_DAYS);
    let id = state.random.uuid(now);
    store::insert_session(db, id, &model::token_hash(&token), person_id, now, expires_at, browser).await?;
    Ok(token)
}

pub(super) async fn set_password(
    db: &mut PgConnection,
    state: &AppState,
    person_id: Uuid,
    hash: &str,
    keep: Option<Uuid>,
) -> Result<()> {
    store::set_password(db, person_id, hash).await?;
    store::delete_sessions_of(db, person_id, keep).await?;
    let entry = audit::Entry { action: "password.set", subject: Some(person_id), object: None, reason: None };
    audit::record_system(db, state, entry).await
}

/// Changes one's own password after checking the present one; the present session stays. Guessing the
/// present one, in a browser somebody left open, is slowed down like signing in.
pub async fn change_password(state: &AppState, viewer: &Viewer, current: &str, new: &str) -> Result<()> {
    let place = state.passwords.place()?;
    let mut db = state.db.acquire().await?;
    let person = store::find_person(&mut db, viewer.person_id).await?.ok_or(Error::NotFound)?;
    let present = store::password_hash(&mut db, viewer.person_id).await?;
    drop(db);
    let account = model::token_hash(&person.email);
    count_try(state, &account).await?;
    if !state.passwords.verify(place, current, present.as_deref()).await? {
        return Err(Error::invalid("current", "That isn't your present password."));
    }
    let hash = state.passwords.hash(new).await?;
    let mut tx = state.db.begin().await?;
    store::delete_failures(&mut tx, &account).await?;
    set_password(&mut tx, state, viewer.person_id, &hash, Some(viewer.session_id)).await?;
    tx.commit().await?;
    Ok(())
}

/// Sets a password without a link: for the example's accounts alone.
pub async fn set_known_password(
    db: &mut PgConnection,
    state: &AppState,
    email: &str,
    password: &str,
) -> Result<()> {
    let hash = state.passwords.hash(password).await?;
    let person = store::find_credentials(db, email).await?.ok_or(Error::NotFound)?;
    store::set_password(db, person.id, &hash).await?;
    Ok(())
}

/// Signs one of one's own browsers out.
pub async fn end_session(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut db = state.db.acquire().await?;
    match store::delete_session(&mut db, id, viewer.person_id).await? {
        true => Ok(()),
        false => Err(Error::NotFound),
    }
}

/// Sets one's own time zone; `None` is the organisation's.
pub async fn set_time_zone(state: &AppState, viewer: &Viewer, time_zone: Option<&str>) -> Result<()> {
    super::people::check_time_zone(time_zone)?;
    let mut db = state.db.acquire().await?;
    store::set_time_zone(&mut db, viewer.person_id, time_zone).await?;
    Ok(())
}
