//! What somebody takes along: their receipts, the export of everything, and the same for programs.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::card::{Board, Card};
use super::choices::accept;
use super::receipt::receipt;
use super::store::decisions::{self, Decision};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::ledger;
use crate::web::{Path, Viewer, times};

/// The receipt of one decision; another person's is not found.
pub async fn download(
    State(state): State<AppState>,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let decision = decisions::find(&mut db, id).await?.ok_or(Error::NotFound)?;
    if decision.person_id != viewer.person_id {
        return Err(Error::NotFound);
    }
    let file = receipt_of(&mut db, &state, &decision).await?;
    let name = format!("{}-{}.receipt.json", decision.state.id(), decision.at.jiff().strftime("%Y-%m-%d"));
    as_file(&file, &name)
}

async fn receipt_of(db: &mut PgConnection, state: &AppState, d: &Decision) -> Result<Value> {
    let proof = match d.leaf_position {
        Some(position) => ledger::proof_text(db, &state.ledger, position).await?,
        None => None,
    };
    Ok(receipt(&d.record, &d.opening, &d.salt, proof.as_deref(), receipt_id(d.id)))
}

/// Another id than the record's, and the same at every download.
fn receipt_id(decision: Uuid) -> Uuid {
    let hash: [u8; 32] =
        Sha256::digest([b"daylight-receipt-id/1\0", &decision.as_bytes()[..]].concat()).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

fn as_file(value: &Value, name: &str) -> Result<Response> {
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, serde_json::to_string_pretty(value).map_err(anyhow::Error::new)?).into_response())
}

/// Everything: decisions, the words they were made on, receipts.
pub async fn export(State(state): State<AppState>, viewer: Viewer) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let made = decisions::list(&mut db, &[viewer.person_id], None).await?;
    let mut list = Vec::with_capacity(made.len());
    for decision in &made {
        list.push(exported(decision, receipt_of(&mut db, &state, decision).await?));
    }
    let mut hashes: Vec<Vec<u8>> = made.iter().map(|d| d.text_sha256.clone()).collect();
    hashes.sort();
    hashes.dedup();
    let texts = decisions::list_texts(&mut db, &hashes).await?;
    drop(db);
    let texts: Map<String, Value> = texts.into_iter().map(|(hash, text)| (named(&hash), text)).collect();
    let file = json!({
        "schema": "daylight-choices/1",
        "exported_at": state.clock.now(),
        "person_ref": state.consent.person_ref(viewer.person_id)?,
        "decisions": list,
        "texts": texts,
    });
    as_file(&file, "my-choices.json")
}

fn named(hash: &[u8]) -> String {
    format!("sha256:{}", times::hex(hash))
}

fn exported(d: &Decision, receipt: Value) -> Value {
    json!({
        "id": d.id,
        "processing": d.processing_id,
        "number": d.number,
        "state": d.state.id(),
        "at": d.at,
        "by": d.by_role,
        "purpose": d.purpose,
        "notice": {"id": d.terms.notice, "version_id": d.version_id, "major": d.terms.major},
        "language": d.language,
        "text": named(&d.text_sha256),
        "declared": named(&d.terms.content),
        "allowed_before": d.allowed_before,
        "allowed_after": d.allowed_after,
        "until": d.until,
        "reason": d.reason,
        "named": d.named,
        "due_at": d.due_at,
        "log_index": d.leaf_position,
        "receipt": receipt,
    })
}

#[derive(Serialize, ToSchema)]
pub struct ChoicesResponse {
    choices: Vec<ChoiceResponse>,
}

/// One processing that is in force for you.
#[derive(Serialize, ToSchema)]
pub struct ChoiceResponse {
    processing: Uuid,
    #[schema(example = "app.usage")]
    category: &'static str,
    #[schema(example = "dpv:EnforceSecurity")]
    purpose: &'static str,
    /// The program that records.
    source: String,
    /// `opt_in`, `opt_out`, `objection` or `mandatory`; as your law has it.
    #[schema(example = "opt_out")]
    mode: &'static str,
    /// Whether it may be collected about you now.
    allowed: bool,
    /// Why, such as `given`, `refused` or `not_told`.
    why: &'static str,
    /// Whether your answer is wanted.
    waiting: bool,
    /// What you, or the employer about your objection, decided last; without "remind me later".
    decided: Option<&'static str>,
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<Time>,
    /// Until when a yes counts.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
    /// When an open objection must be answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    answer_due_at: Option<Time>,
    notice: Option<NoticeResponse>,
}

#[derive(Serialize, ToSchema)]
pub struct NoticeResponse {
    id: Uuid,
    #[schema(example = "1.0")]
    version: String,
}

/// Your choices
///
/// Every processing that is in force for you, and where you stand with it. Decisions are made on the page, beside the words they are made on.
#[utoipa::path(get, path = "/api/v1/me/choices", tag = "Worker", security(("session" = [])),
    responses((status = 200, body = ChoicesResponse)))]
pub async fn choices(State(state): State<AppState>, viewer: Viewer, headers: HeaderMap) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let board = Board::load(&mut db, &state, viewer.person_id, accept(&headers)).await?;
    drop(db);
    Ok(Json(ChoicesResponse { choices: board.cards.iter().map(choice).collect() }).into_response())
}

fn choice(card: &Card) -> ChoiceResponse {
    let content = card.case.rule.content();
    let counting = card.case.counting();
    let notice =
        |c: &crate::notices::Coverage| NoticeResponse { id: c.notice, version: c.number.to_string() };
    ChoiceResponse {
        processing: card.id(),
        category: content.category.id(),
        purpose: content.purpose.id(),
        source: content.source.name.clone(),
        mode: card.case.mode.id(),
        allowed: card.case.why.allows(),
        why: card.case.why.id(),
        waiting: card.is_open,
        decided: counting.map(|d| d.state.id()),
        decided_at: counting.map(|d| d.at),
        until: card.case.held.and_then(|h| h.until),
        answer_due_at: card.due(),
        notice: card.case.covering.as_ref().map(notice),
    }
}
