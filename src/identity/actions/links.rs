//! One-time links: made, looked at, used.

use axum::http::StatusCode;
use sqlx::PgConnection;
use uuid::Uuid;

use super::people::{NewPerson, add_person};
use super::signing::{open_session, set_password};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::identity::{model, store};
use crate::web::Role;
use crate::{audit, outbox};

/// Makes a one-time link; answers its full address. What the database keeps of it is a hash.
pub(super) async fn issue_link(
    db: &mut PgConnection,
    state: &AppState,
    purpose: &'static str,
    person_id: Option<Uuid>,
    hours: i64,
) -> Result<String> {
    let now = state.clock.now();
    let token = state.random.token();
    let expires_at = now.plus_seconds(hours * 3600);
    let id = state.random.uuid(now);
    store::insert_link(db, id, &model::token_hash(&token), purpose, person_id, now, expires_at).await?;
    Ok(format!("{}/link/{token}", state.config.base_url))
}

/// Mails a link to set a new password, if the address has an account. Says nothing about whether it has.
pub async fn request_reset(state: &AppState, email: &str) -> Result<()> {
    let Some(email) = model::normalise_email(email) else { return Ok(()) };
    let mut tx = state.db.begin().await?;
    let Some(person) = store::find_credentials(&mut tx, &email).await? else { return Ok(()) };
    let now = state.clock.now();
    if store::count_links_since(&mut tx, person.id, now.plus_seconds(-3600)).await? >= model::LINKS_AN_HOUR {
        return Ok(());
    }
    let link = issue_link(&mut tx, state, "password_reset", Some(person.id), 2).await?;
    let body = format!(
        "Somebody asked for a new password for your Daylight account at {}.\n\n\
         If it was you, open this address within two hours:\n{link}\n\n\
         If it was not you, nothing has changed and you need do nothing.\n",
        state.config.organisation
    );
    outbox::enqueue(&mut tx, state, Some(person.id), &email, "Set a new password", &body).await?;
    let entry = audit::Entry {
        action: "password.reset_requested",
        subject: Some(person.id),
        object: None,
        reason: None,
    };
    audit::record_system(&mut tx, state, entry).await?;
    tx.commit().await?;
    Ok(())
}

/// What a one-time link is for, without using it up: a mail scanner's visit changes nothing.
pub async fn peek_link(state: &AppState, token: &str) -> Result<store::LinkRow> {
    let mut tx = state.db.begin().await?;
    let link = store::find_link(&mut tx, &model::token_hash(token), state.clock.now()).await?;
    link.ok_or_else(gone)
}

/// Uses a link to set a password and signs in; every other session of the person ends.
pub async fn set_password_by_link(
    state: &AppState,
    token: &str,
    password: &str,
    browser: &str,
) -> Result<String> {
    let hash = state.passwords.hash(password).await?;
    let mut tx = state.db.begin().await?;
    let link = locked_link(&mut tx, state, token, &["invitation", "password_reset"]).await?;
    let person_id = link.person_id.ok_or(Error::NotFound)?;
    set_password(&mut tx, state, person_id, &hash, None).await?;
    store::use_link(&mut tx, link.id, Some(person_id), state.clock.now()).await?;
    let token = open_session(&mut tx, state, person_id, browser).await?;
    tx.commit().await?;
    Ok(token)
}

/// Uses a sign-in link; answers the session's token.
pub async fn sign_in_by_link(state: &AppState, token: &str, browser: &str) -> Result<String> {
    let mut tx = state.db.begin().await?;
    let link = locked_link(&mut tx, state, token, &["sign_in"]).await?;
    let person_id = link.person_id.ok_or(Error::NotFound)?;
    // Only this link: the others printed beside it are for other windows.
    store::use_link(&mut tx, link.id, None, state.clock.now()).await?;
    let token = open_session(&mut tx, state, person_id, browser).await?;
    tx.commit().await?;
    Ok(token)
}

/// Uses the first-run link: makes the first administrator and signs them in. There is one first
/// administrator, however many links were printed and however many use them at once.
pub async fn set_up(
    state: &AppState,
    token: &str,
    email: &str,
    name: &str,
    password: &str,
    browser: &str,
) -> Result<String> {
    let hash = state.passwords.hash(password).await?;
    let mut tx = state.db.begin().await?;
    store::lock_set_up(&mut tx).await?;
    locked_link(&mut tx, state, token, &["setup"]).await?;
    if store::count_administrators(&mut tx, None).await? > 0 {
        return Err(gone());
    }
    let person = NewPerson { email, name, roles: &[Role::Administrator], ..NewPerson::default() };
    let id = add_person(&mut tx, state, &person).await?;
    store::set_password(&mut tx, id, &hash).await?;
    store::void_set_up_links(&mut tx, state.clock.now()).await?;
    let token = open_session(&mut tx, state, id, browser).await?;
    tx.commit().await?;
    Ok(token)
}

fn gone() -> Error {
    let text = "This link was used already, or its time has passed. Ask for a new one.";
    Error::Rejected(StatusCode::GONE, text.into())
}

async fn locked_link(
    db: &mut PgConnection,
    state: &AppState,
    token: &str,
    purposes: &[&str],
) -> Result<store::LinkRow> {
    store::find_link(db, &model::token_hash(token), state.clock.now())
        .await?
        .filter(|link| purposes.contains(&link.purpose.as_str()))
        .ok_or_else(gone)
}

/// A link for first-run set-up, when there is no administrator yet; `None` otherwise. Those printed before
/// end with it: an old terminal's or log's line must not hand the server over.
pub async fn first_run_link(state: &AppState) -> Result<Option<String>> {
    let mut tx = state.db.begin().await?;
    store::lock_set_up(&mut tx).await?;
    if store::count_administrators(&mut tx, None).await? > 0 {
        return Ok(None);
    }
    store::void_set_up_links(&mut tx, state.clock.now()).await?;
    let link = issue_link(&mut tx, state, "setup", None, 24).await?;
    tx.commit().await?;
    Ok(Some(link))
}

/// A link that signs a person in once; for the example and for recovering an administrator.
pub async fn issue_sign_in_link(state: &AppState, email: &str, hours: i64) -> Result<Option<String>> {
    let mut tx = state.db.begin().await?;
    let Some(person) = store::find_credentials(&mut tx, email).await? else { return Ok(None) };
    let link = issue_link(&mut tx, state, "sign_in", Some(person.id), hours).await?;
    // Made-up people of the example need no log of who could have been them.
    if !state.config.demo {
        let entry = audit::Entry {
            action: "password.link_shown",
            subject: Some(person.id),
            object: None,
            reason: None,
        };
        audit::record_system(&mut tx, state, entry).await?;
    }
    tx.commit().await?;
    Ok(Some(link))
}
