//! Giving other systems leave to ask, and taking it back. Everybody sees in their access log that it was done.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::AppState;
use crate::audit;
use crate::consent::store::systems::{self as store, NewSystem};
use crate::consent::webhook;
use crate::error::{Error, FieldErrors, Result};
use crate::identity::token_hash;
use crate::register;
use crate::web::{Role, Viewer};

const NAME_LENGTH: usize = 100;
const PURPOSE_LENGTH: usize = 1_000;

/// What an administrator says of a system.
#[derive(Debug, Clone, Copy)]
pub struct Registration<'a> {
    pub name: &'a str,
    /// In a worker's words.
    pub purpose: &'a str,
    pub processings: &'a [Uuid],
    /// Whether it is told of findings, which have no persons.
    pub findings: bool,
    pub webhook: Option<&'a str>,
}

/// What is shown once.
pub struct Credentials {
    pub name: String,
    pub token: Option<String>,
    /// `whsec_…`; none where nothing is sent.
    pub secret: Option<String>,
}

/// What is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    Token,
    Secret,
}

/// Lets another system ask, and be told.
pub async fn register(state: &AppState, viewer: &Viewer, new: Registration<'_>) -> Result<Credentials> {
    let role = viewer.acting_as(&[Role::Administrator]).ok_or(Error::Forbidden)?;
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let in_force = register::declarations_in_force(&mut tx, now).await?;
    let known = |id: &Uuid| in_force.iter().any(|d| d.processing_id == *id);
    check(new, known).into_result()?;
    let (id, token) = (state.random.opaque_id(), state.random.token());
    let system = NewSystem {
        id,
        name: new.name,
        purpose: new.purpose,
        processings: new.processings,
        findings: new.findings,
        webhook: new.webhook,
        token_hash: &token_hash(&token),
        by: viewer.person_id,
    };
    store::insert(&mut tx, system, now).await?;
    record(&mut tx, state, viewer, role, "system.registered", id, new.name).await?;
    tx.commit().await?;
    let secret = new.webhook.map(|_| secret(state, id, 1)).transpose()?;
    reload(state).await;
    Ok(Credentials { name: new.name.to_owned(), token: Some(token), secret })
}

fn check(new: Registration<'_>, known: impl Fn(&Uuid) -> bool) -> FieldErrors {
    let mut errors = FieldErrors::default();
    if new.name.is_empty() || new.name.chars().count() > NAME_LENGTH {
        errors.add("name", "Enter the system’s name, of at most 100 characters.");
    }
    if new.purpose.is_empty() || new.purpose.chars().count() > PURPOSE_LENGTH {
        errors.add("purpose", "Say what it is for, in at most 1,000 characters.");
    }
    if new.processings.is_empty() && !new.findings {
        errors.add("processings", "Choose what it is told of.");
    } else if !new.processings.iter().all(known) {
        errors.add("processings", "One of these isn’t in force any more. Choose again.");
    }
    if new.findings && new.webhook.is_none() {
        errors.add("webhook", "Say where it is told of findings.");
    }
    if let Some(Err(words)) = new.webhook.map(webhook::address) {
        errors.add("webhook", words);
    }
    errors
}

/// Lets a system in, which an administrator alone can't: whoever runs the server could otherwise ask about people.
pub async fn approve(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let role = viewer.acting_as(&[Role::Representative, Role::Publisher]).ok_or(Error::Forbidden)?;
    let mut tx = state.db.begin().await?;
    let held = store::lock(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if !store::approve(&mut tx, id, viewer.person_id, state.clock.now()).await? {
        return Err(Error::conflict(
            "It may ask already, or you registered it yourself: somebody else lets it in.",
        ));
    }
    record(&mut tx, state, viewer, role, "system.approved", id, &held.name).await?;
    tx.commit().await?;
    reload(state).await;
    Ok(())
}

/// Makes a new token or signing secret; the former one ends at once.
pub async fn renew(state: &AppState, viewer: &Viewer, id: Uuid, what: Renewed) -> Result<Credentials> {
    let role = viewer.acting_as(&[Role::Administrator]).ok_or(Error::Forbidden)?;
    let mut tx = state.db.begin().await?;
    let held = store::lock(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let mut made = Credentials { name: held.name.clone(), token: None, secret: None };
    match what {
        Renewed::Token => {
            let token = state.random.token();
            store::set_token(&mut tx, id, &token_hash(&token)).await?;
            made.token = Some(token);
        }
        Renewed::Secret if !held.has_webhook => {
            return Err(Error::conflict("Nothing is sent to this system."));
        }
        Renewed::Secret => {
            store::set_secret(&mut tx, id, held.secret_number + 1).await?;
            made.secret = Some(secret(state, id, held.secret_number + 1)?);
        }
    }
    record(&mut tx, state, viewer, role, "system.renewed", id, &held.name).await?;
    tx.commit().await?;
    reload(state).await;
    Ok(made)
}

/// Takes its leave to ask for good; what it wasn't told yet is deleted.
pub async fn revoke(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let role = viewer.acting_as(&[Role::Administrator]).ok_or(Error::Forbidden)?;
    let mut tx = state.db.begin().await?;
    let held = store::lock(&mut tx, id).await?.ok_or(Error::NotFound)?;
    store::revoke(&mut tx, id, state.clock.now()).await?;
    record(&mut tx, state, viewer, role, "system.revoked", id, &held.name).await?;
    tx.commit().await?;
    reload(state).await;
    Ok(())
}

/// Has a test message sent now.
pub async fn test(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    viewer.acting_as(&[Role::Administrator]).ok_or(Error::Forbidden)?;
    let mut tx = state.db.begin().await?;
    let held = store::lock(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if !held.has_webhook {
        return Err(Error::conflict("Nothing is sent to this system."));
    }
    store::set_test_due(&mut tx, id, state.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

fn secret(state: &AppState, system: Uuid, number: i32) -> Result<String> {
    Ok(webhook::secret(&webhook::key(&state.consent.secrets()?.pseudonyms, system, number)))
}

/// A standing look at everybody's decisions: everybody sees that it began, changed and ended.
async fn record(
    db: &mut PgConnection,
    state: &AppState,
    viewer: &Viewer,
    role: Role,
    action: &'static str,
    id: Uuid,
    name: &str,
) -> Result<()> {
    let entry = audit::Entry { action, subject: None, object: Some(id), reason: Some(name) };
    audit::record(db, state, viewer, role, entry).await
}

/// This instance knows at once; others hear of it by the feed.
async fn reload(state: &AppState) {
    if let Err(error) = state.consent.reload_rules(true).await {
        tracing::warn!(%error, "a change of systems could not be read back; the feed will bring it");
    }
}
