//! Connecting the representative's server, and what its independence rests on.

use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use reqwest::redirect::Policy;
use sqlx::PgConnection;

use super::model;
use super::store::packs;
use super::store::representative::{self as store, NewServer, RepresentativeRow};
use crate::app::AppState;
use crate::audit;
use crate::config::Config;
use crate::credentials::wire::IssuerInfo;
use crate::error::{Error, FieldErrors, Result};
use crate::identity::token_hash;
use crate::ledger::proof::leaf::{KeyLeaf, Leaf};
use crate::ledger::proof::petition::IssuerRole;
use crate::ledger::{self, EntryId, Hash};
use crate::web::{Role, Viewer};

const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of what a server says of itself.
const ANSWER: usize = 16 * 1024;
const RUN_BY_LENGTH: usize = 200;

/// The representative's server that is connected now.
pub async fn representative(db: &mut PgConnection) -> Result<Option<RepresentativeRow>> {
    Ok(store::find(db).await?)
}

/// Whether both issuers are different people's on different machines, as far as anybody said and an address tells.
pub fn is_independent(server: &RepresentativeRow, config: &Config) -> bool {
    !server.same_operator && model::is_elsewhere(&server.url, &config.base_url)
}

impl RepresentativeRow {
    /// What its statements are checked with.
    pub fn key(&self) -> Result<Hash> {
        Ok(Hash::try_from(self.public_key.as_slice()).map_err(anyhow::Error::new)?)
    }
}

/// Asks a server what it says of itself. One answer for every failure: which addresses answer is nobody's business.
pub async fn ask(state: &AppState, origin: &str) -> Result<IssuerInfo> {
    let info = fetch(origin).await.ok_or_else(|| {
        Error::invalid(
            "url",
            "No representative’s server answered there. Does it run, and is this its address?",
        )
    })?;
    check(state, &info).map_err(|words| Error::invalid("url", words))?;
    Ok(info)
}

async fn fetch(origin: &str) -> Option<IssuerInfo> {
    // Answers an error when somebody installed one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // No redirects and no proxy: the address that was typed, and no other.
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .user_agent("Daylight")
        .build()
        .ok()?;
    let mut answer = client.get(format!("{origin}/issuer")).send().await.ok()?.error_for_status().ok()?;
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.ok()? {
        body.extend_from_slice(&part);
        if body.len() > ANSWER {
            return None;
        }
    }
    serde_json::from_slice(&body).ok()
}

/// Whether a server can be this log's second issuer.
fn check(state: &AppState, info: &IssuerInfo) -> Result<(), &'static str> {
    let config = &state.config;
    if info.role != IssuerRole::Representative || !model::is_name(&info.name) {
        return Err("This isn’t a representative’s server.");
    }
    if info.origin != config.log_origin {
        return Err("That server was set up for another dashboard: it names another log.");
    }
    let own = state.petitions.operator_key().map_err(|_| "This server’s own key can’t be read.")?;
    let same = info.public_key.0 == own.verifying_key().to_bytes();
    if same || info.name == model::operator_name(&config.base_url) {
        return Err("That server has this one’s name or key. It must have its own.");
    }
    let announced = info.announcement.as_ref().is_some_and(|leaf| announces(leaf, info));
    match announced && VerifyingKey::from_bytes(&info.public_key.0).is_ok() {
        true => Ok(()),
        false => Err("That server doesn’t announce its key as it must."),
    }
}

fn announces(leaf: &KeyLeaf, info: &IssuerInfo) -> bool {
    leaf.role == "representative"
        && leaf.origin == info.origin
        && leaf.public_key == info.public_key
        && leaf.previous.is_none()
        && leaf.is_signed()
}

/// Connects the server that says this of itself; the one before it ends. Answers the token with which it asks,
/// which nobody is shown again.
pub async fn pair(
    state: &AppState,
    viewer: &Viewer,
    info: &IssuerInfo,
    url: &str,
    run_by: &str,
    same_operator: bool,
) -> Result<String> {
    let role = viewer.acting_as(&[Role::Representative]).ok_or(Error::Forbidden)?;
    let mut errors = FieldErrors::default();
    let origin = model::address(url).map_err(|words| errors.add("url", words));
    if let Err(words) = check(state, info) {
        errors.add("url", words);
    }
    if run_by.is_empty() || run_by.chars().count() > RUN_BY_LENGTH {
        errors.add("run_by", "Say who runs it, in at most 200 characters.");
    }
    errors.into_result()?;
    let origin = origin.map_err(|()| Error::NotFound)?;
    let now = state.clock.now();
    let (id, token) = (state.random.opaque_id(), state.random.token());
    let mut tx = state.db.begin().await?;
    super::store::lock(&mut tx).await?;
    if let Some(leaf) = &info.announcement
        && !store::is_newest(&mut tx, &info.public_key.0).await?
    {
        // Packs that the former key signed must stand before the new one, or the log would be violated for ever.
        let packs = packs::list_unplaced(&mut tx).await?;
        ledger::release(&mut tx, &packs.into_iter().map(EntryId).collect::<Vec<_>>()).await?;
        ledger::submit(&mut tx, &Leaf::Key(leaf.clone())).await?;
    }
    let server = NewServer {
        id,
        name: &info.name,
        url: &origin,
        public_key: &info.public_key.0,
        token_hash: &token_hash(&token),
        run_by,
        same_operator,
        by: viewer.person_id,
    };
    store::replace(&mut tx, server, now).await?;
    announce_operator(&mut tx, state).await?;
    let entry = audit::Entry {
        action: "representative.connected",
        subject: None,
        object: Some(id),
        reason: Some(&info.name),
    };
    audit::record(&mut tx, state, viewer, role, entry).await?;
    tx.commit().await?;
    state.petitions.set_representative_url(Some(&origin));
    state.ledger.settle_or_wait().await;
    Ok(token)
}

/// Puts the key into the log with which the operator makes promises, unless it is the one that stands there last.
async fn announce_operator(db: &mut PgConnection, state: &AppState) -> Result<()> {
    let key = state.petitions.operator_key()?;
    let public = key.verifying_key();
    if store::find_operator_key(db).await?.is_some_and(|known| known == public.as_bytes()) {
        return Ok(());
    }
    let now = state.clock.now().to_string();
    let leaf = KeyLeaf::announce_as("operator", &state.config.log_origin, &public, &now, key);
    let entry = ledger::submit(db, &Leaf::Key(leaf)).await?;
    store::upsert_operator_key(db, public.as_bytes(), entry.0).await?;
    Ok(())
}

/// Announces the operator's key anew where it isn't the one that the log announces: its folder was lost, and another
/// was made. A promise signed with a key that nobody finds in the log would prove nothing, so this comes before each.
pub async fn announce_again(state: &AppState) -> Result<()> {
    if state.petitions.is_announced() {
        return Ok(());
    }
    let mut db = state.db.acquire().await?;
    // None before the first server is connected, which announces it.
    let Some(known) = store::find_operator_key(&mut db).await? else { return Ok(()) };
    drop(db);
    if known != state.petitions.operator_key()?.verifying_key().as_bytes() {
        let mut tx = state.db.begin().await?;
        super::store::lock(&mut tx).await?;
        announce_operator(&mut tx, state).await?;
        tx.commit().await?;
        state.ledger.settle_or_wait().await;
        tracing::warn!("the key that signs promises isn’t the one in the log, and was announced there anew");
    }
    state.petitions.set_announced();
    Ok(())
}

/// Where pages may connect to, as the database has it: another instance may have connected it.
pub async fn remember_url(state: &AppState) -> Result<()> {
    let mut db = state.db.acquire().await?;
    let server = store::find(&mut db).await?;
    // What was once let in is looked at again: it becomes part of a header.
    let url = server.and_then(|s| model::address(&s.url).ok());
    if url.as_deref() != state.petitions.representative_url().as_deref() {
        state.petitions.set_representative_url(url.as_deref());
    }
    Ok(())
}
