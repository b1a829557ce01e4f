//! Enrolling agents, and whose device is whose; each function is one transaction.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;
use sqlx::PgConnection;
use uuid::Uuid;

use super::report::{Source, key_id};
use super::store::{claims, fleet, gaps, intake};
use crate::app::AppState;
use crate::audit;
use crate::error::{Error, OnConstraint, Result};
use crate::identity::{self, token_hash};
use crate::web::{Role, Viewer};

/// Hours that an enrolment secret may wait for its agent.
pub const ENROLMENT_HOURS: i64 = 48;

/// Makes a one-time enrolment secret for a device, which is made when it is new. The secret is shown once.
pub async fn create_enrolment(
    state: &AppState,
    viewer: Option<&Viewer>,
    device_label: &str,
) -> Result<String> {
    let label = device_label.trim();
    if label.is_empty() || label.chars().count() > 100 {
        return Err(Error::invalid("device", "Enter a name for the device, of at most 100 characters."));
    }
    let now = state.clock.now();
    let secret = state.random.token();
    let expires_at = now.plus_seconds(ENROLMENT_HOURS * 3600);
    let mut tx = state.db.begin().await?;
    let device = fleet::ensure_device(&mut tx, state.random.uuid(now), label, now).await?;
    let by = viewer.map(|v| v.person_id);
    fleet::insert_enrolment(
        &mut tx,
        state.random.uuid(now),
        &token_hash(&secret),
        device,
        now,
        by,
        expires_at,
    )
    .await?;
    // Whoever's device it is sees that another agent may come onto it.
    if let Some(holder) = fleet::find_holder(&mut tx, device, now).await? {
        record(&mut tx, state, viewer, "agent.prepared", holder, device).await?;
    }
    tx.commit().await?;
    Ok(secret)
}

/// What an agent keeps after enrolling.
pub struct Enrolled {
    pub agent_id: Uuid,
    pub device_id: Uuid,
    pub kid: String,
    /// Bearer token; write-only: it sends reports and reads nothing about people.
    pub token: String,
}

/// Turns a one-time secret and a public key into an agent.
pub async fn enrol(state: &AppState, secret: &str, public_key: &str, software: &Source) -> Result<Enrolled> {
    let key = URL_SAFE_NO_PAD
        .decode(public_key)
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
        .filter(|key| !key.is_weak())
        .ok_or_else(|| {
            Error::invalid("/public_key", "must be an Ed25519 public key in base64url, 43 characters")
        })?;
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let device_id = fleet::use_enrolment(&mut tx, &token_hash(secret), now).await?.ok_or(Error::Rejected(
        StatusCode::UNAUTHORIZED,
        "This enrolment secret is unknown, used already, or out of date.".into(),
    ))?;
    // The time is taken under the lock: an agent that a person couldn't see when they said "this is my computer"
    // must be younger than what they said.
    claims::lock_device(&mut tx, device_id).await?;
    let now = state.clock.now();
    let (agent_id, token) = (state.random.uuid(now), state.random.token());
    fleet::insert_agent(
        &mut tx,
        agent_id,
        device_id,
        software.as_str(),
        key.as_bytes(),
        &token_hash(&token),
        now,
    )
    .await
    .on_constraint("agent_key_once", || Error::conflict("This key belongs to an agent already."))?;
    if let Some(holder) = fleet::find_holder(&mut tx, device_id, now).await? {
        record(&mut tx, state, None, "agent.enrolled", holder, agent_id).await?;
    }
    tx.commit().await?;
    Ok(Enrolled { agent_id, device_id, kid: key_id(key.as_bytes()), token })
}

/// The agent that a bearer token belongs to.
pub async fn authenticate(state: &AppState, token: &str) -> Result<intake::AgentRow> {
    let mut db = state.db.acquire().await?;
    intake::find_agent(&mut db, &token_hash(token)).await?.ok_or(Error::Unauthenticated)
}

pub async fn revoke(state: &AppState, viewer: &Viewer, agent_id: Uuid) -> Result<()> {
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let device = fleet::revoke_agent(&mut tx, agent_id, now).await?.ok_or(Error::NotFound)?;
    if let Some(holder) = fleet::find_holder(&mut tx, device, now).await? {
        record(&mut tx, state, Some(viewer), "agent.revoked", holder, agent_id).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Makes a device this person's from now on; whoever had it before has it no longer. Answers the assignment, which
/// the person hasn't confirmed yet. Without a viewer it is the server's own doing (the example).
pub async fn assign(
    state: &AppState,
    viewer: Option<&Viewer>,
    device_id: Uuid,
    person_id: Uuid,
) -> Result<Uuid> {
    let mut tx = state.db.begin().await?;
    claims::lock_device(&mut tx, device_id).await.map_err(|_| Error::NotFound)?;
    let now = state.clock.now();
    let person = identity::find_person(&mut tx, person_id).await?;
    if person.is_none_or(|p| p.deactivated_at.is_some()) {
        return Err(Error::invalid("person", "Choose somebody who is active."));
    }
    if let Some(before) = fleet::end_assignment(&mut tx, device_id, now).await? {
        record(&mut tx, state, viewer, "device.released", before, device_id).await?;
    }
    let assignment = state.random.uuid(now);
    let by = viewer.map(|v| v.person_id);
    fleet::insert_assignment(&mut tx, assignment, device_id, person_id, now, by)
        .await
        .on_constraint("device_assignment_one_person", || {
            Error::conflict("This device was assigned a moment ago. Reload the page to see to whom.")
        })?;
    record(&mut tx, state, viewer, "device.assigned", person_id, device_id).await?;
    // What reports from it already, or may soon, was nobody's to be told of until now.
    for agent in claims::list_agents_on(&mut tx, device_id).await? {
        record(&mut tx, state, viewer, "device.has_agent", person_id, agent).await?;
    }
    if claims::is_prepared(&mut tx, device_id, now).await? {
        record(&mut tx, state, viewer, "device.is_prepared", person_id, device_id).await?;
    }
    tx.commit().await?;
    Ok(assignment)
}

/// The same for the active person with this e-mail address.
pub async fn assign_by_email(state: &AppState, viewer: &Viewer, device_id: Uuid, email: &str) -> Result<()> {
    let mut db = state.db.acquire().await?;
    let person = fleet::find_active_person(&mut db, &email.trim().to_lowercase()).await?;
    drop(db);
    match person {
        Some(person) => assign(state, Some(viewer), device_id, person).await.map(|_| ()),
        None => Err(Error::invalid("person", "Nobody active has this e-mail address.")),
    }
}

/// Takes a device off its person's name from now on.
pub async fn release(state: &AppState, viewer: &Viewer, device_id: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let before =
        fleet::end_assignment(&mut tx, device_id, state.clock.now()).await?.ok_or(Error::NotFound)?;
    record(&mut tx, state, Some(viewer), "device.released", before, device_id).await?;
    tx.commit().await?;
    Ok(())
}

async fn record(
    db: &mut PgConnection,
    state: &AppState,
    viewer: Option<&Viewer>,
    action: &'static str,
    person: Uuid,
    device: Uuid,
) -> Result<()> {
    let entry = audit::Entry { action, subject: Some(person), object: Some(device), reason: None };
    match viewer {
        Some(viewer) => audit::record(db, state, viewer, Role::Administrator, entry).await,
        None => audit::record_system(db, state, entry).await,
    }
}

/// Drops raw reports past their retention, enters the day's commitment, compares agents' counts, looks for silent
/// programs, counts findings and writes the weekly mail, once an hour, until the pool is closed.
pub async fn keep_house(state: AppState) {
    while !state.db.is_closed() {
        if drop_old_reports(&state).await.is_err() {
            tracing::warn!("old reports could not be dropped; tried again in an hour");
        }
        if super::commit_heads(&state).await.is_err() {
            tracing::warn!("the agents' reports could not be committed to; tried again in an hour");
        }
        if super::compare_counts(&state).await.is_err() {
            tracing::warn!("the agents' counts could not be compared; tried again in an hour");
        }
        if super::count_findings(&state).await.is_err() {
            tracing::warn!("findings could not be counted; tried again in an hour");
        }
        if super::mail_week(&state).await.is_err() {
            tracing::warn!("the weekly mail could not be written; tried again in an hour");
        }
        if super::find_silent(&state).await.is_err() {
            tracing::warn!("silent programs could not be looked for; tried again in an hour");
        }
        tokio::select! {
            () = state.db.close_event() => return,
            () = tokio::time::sleep(std::time::Duration::from_secs(3600)) => {}
        }
    }
}

/// Drops the partitions of days older than `RAW_REPORT_DAYS`; daily figures stay.
pub async fn drop_old_reports(state: &AppState) -> Result<()> {
    let today = state.clock.now().day(&jiff::tz::TimeZone::UTC);
    let mut db = state.db.acquire().await?;
    for name in
        intake::list_partitions_before(&mut db, today.plus_days(-state.config.raw_report_days)).await?
    {
        intake::drop_partition(&mut db, &name).await?;
    }
    let oldest = state.clock.now().plus_days(-state.config.raw_report_days);
    gaps::delete_gaps_before(&mut db, oldest).await?;
    Ok(())
}
