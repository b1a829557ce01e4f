//! A petition as files: counts, and what everybody reads.

use axum::Json;
use axum::extract::State as FromState;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::State;
use super::reading::Reading;
use super::store;
use crate::app::AppState;
use crate::credentials::wire::OpenPetition;
use crate::error::{Error, Result};
use crate::ledger::Hash;
use crate::ledger::proof::base64url;
use crate::ledger::proof::petition::EpochLeaf;
use crate::petitions::model::latest_close;
use crate::web::{Path, Viewer};

/// What is readable for this viewer and not refused.
async fn load(state: &AppState, id: Uuid) -> Result<Reading> {
    let it = Reading::load(&mut *state.db.acquire().await?, state, id).await?;
    if it.row.state() == State::Refused { Err(Error::NotFound) } else { Ok(it) }
}

fn fits(fit: super::integrity::Fit) -> &'static str {
    match fit {
        super::integrity::Fit::Whole => "as in the log",
        super::integrity::Fit::Waiting => "not in the log yet",
        super::integrity::Fit::Broken => "not what is in the log",
    }
}

/// Numbers under five are null, everywhere.
fn document(it: &Reading, address: &str) -> Result<Value> {
    let leaf = Hash::try_from(&it.newest().leaf_hash[..]).map_err(anyhow::Error::new)?;
    Ok(json!({
        "petition": it.row.id,
        "address": address,
        "state": it.row.state,
        "standing": it.standing.words(),
        "author": it.author,
        "author_key": it.row.author_key.as_deref().map(base64url),
        "version": it.row.version,
        "text": it.document,
        "text_is": fits(it.fit()),
        "leaf_hash": leaf.to_string(),
        "log_entry": it.newest().position,
        "opened_at": it.row.opened_at,
        "closes_at": it.row.closes_at,
        "closed_at": it.row.closed_at,
        "signatures": it.total,
        "threshold": it.row.threshold,
        "reached_at": it.row.reached_at,
        "answer_due_at": it.row.answer_due_at,
        "answer_due_is": it.row.answer_due_at.map(|_| fits(it.clock)),
        "days": it.days.iter()
            .map(|d| json!({"day": d.day, "signed": d.signed, "signatures": d.total})).collect::<Vec<_>>(),
        "departments": it.departments.iter()
            .map(|(name, n)| json!({"department": name, "signatures": n})).collect::<Vec<_>>(),
        "updates": it.updates.iter()
            .map(|u| json!({"day": u.on_day, "by": u.author, "text": u.text, "signature": u.signature})).collect::<Vec<_>>(),
        "answers": it.answers.iter()
            .map(|(a, fit)| json!({"number": a.number, "at": a.dated().unwrap_or(a.at), "text": a.document["text"], "text_is": fits(*fit),
                "log_entry": a.position})).collect::<Vec<_>>(),
    }))
}

pub async fn json(
    FromState(state): FromState<AppState>,
    _: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let it = load(&state, id).await?;
    let document = document(&it, &format!("{}/petitions/{id}", state.config.base_url))?;
    let name = format!("attachment; filename=\"petition-{id}.json\"");
    Ok(([(header::CONTENT_DISPOSITION, name)], Json(document)).into_response())
}

/// A name that a table program can't take for a formula.
fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t']) { format!("'{text}") } else { text.into() }
}

fn table(it: &Reading) -> anyhow::Result<Vec<u8>> {
    let number = |n: Option<i64>| n.map_or_else(|| "fewer than 5".to_owned(), |n| n.to_string());
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(["what", "of", "signed", "signatures"])?;
    out.write_record(["all", "", "", &number(it.total)])?;
    for day in &it.days {
        let signed = day.signed.map_or_else(|| "not shown".to_owned(), |n| n.to_string());
        out.write_record(["day", &day.day.to_string(), &signed, &number(day.total)])?;
    }
    for (name, n) in &it.departments {
        out.write_record(["department", &plain(name), "", &n.to_string()])?;
    }
    out.into_inner().map_err(|e| anyhow::anyhow!("csv: {}", e.error()))
}

pub async fn csv(FromState(state): FromState<AppState>, _: Viewer, Path(id): Path<Uuid>) -> Result<Response> {
    let body = table(&load(&state, id).await?)?;
    let name = format!("attachment; filename=\"petition-{id}.csv\"");
    let head =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((head, body).into_response())
}

/// A petition as wallets read it; `None` while it takes no signatures, and where its text or its terms aren't those in
/// the log.
pub async fn find_signable(
    db: &mut PgConnection,
    state: &AppState,
    id: Uuid,
) -> Result<Option<OpenPetition>> {
    let it = Reading::load(db, state, id).await?;
    let (row, version) = (&it.row, it.newest());
    let found = row.epoch.clone().zip(row.slot).filter(|_| it.takes_signatures());
    let Some((epoch, slot)) = found else { return Ok(None) };
    let leaf = store::find_epoch_leaf(db, &epoch).await?.ok_or(Error::NotFound)?;
    let leaf: EpochLeaf = serde_json::from_value(leaf).map_err(anyhow::Error::new)?;
    Ok(Some(OpenPetition {
        petition: row.id,
        leaf_hash: Hash::try_from(&version.leaf_hash[..]).map_err(anyhow::Error::new)?,
        title: it.document.title.clone(),
        epoch,
        group: leaf.group,
        slot: u64::try_from(slot).map_err(anyhow::Error::new)?,
        closes_at: latest_close(row.closes_at, row.seeking_until, row.open_days, state.clock.now()),
    }))
}

/// For `daylight wallet`.
pub async fn petition(
    FromState(state): FromState<AppState>,
    _: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Json<OpenPetition>> {
    let found = find_signable(&mut *state.db.acquire().await?, &state, id).await?;
    found.map(Json).ok_or_else(|| {
        Error::conflict(
            "This petition takes no signatures now, or what stands here isn’t what the log holds.",
        )
    })
}
