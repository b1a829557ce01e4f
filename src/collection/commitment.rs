//! Once a day the heads of all agents' report chains enter the log, as one hash that says nothing about
//! anybody: each head is committed to with a salt of its own. Whose agent it is gets the opening, and can
//! show later that reports up to then weren't exchanged.

use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use axum::Json;
use axum::extract::State;

use super::store::commitments as store;
use super::store::fleet::list_heads;
use crate::app::AppState;
use crate::clock::Day;
use crate::error::Result;
use crate::ledger::proof::tree::{Span, inclusion_path, leaf_hash, root};
use crate::ledger::{self, Hash, Leaf};
use crate::web::Viewer;

/// Days that openings are kept.
const KEPT_DAYS: i64 = 400;

/// `SHA-256("daylight-report/v1\0" ‖ salt ‖ JCS{agent, boot, hash, seq})`
fn commitment(salt: &[u8], agent: Uuid, boot: Uuid, seq: i64, head: &Hash) -> Result<Hash> {
    let opening = json!({ "agent": agent, "boot": boot, "seq": seq, "hash": head });
    let opening = serde_json_canonicalizer::to_vec(&opening).map_err(anyhow::Error::new)?;
    let digest = Sha256::new().chain_update(b"daylight-report/v1\0").chain_update(salt).chain_update(opening);
    Ok(Hash(digest.finalize().into()))
}

fn head_hash(bytes: &[u8]) -> Result<Hash> {
    Ok(Hash::try_from(bytes).map_err(anyhow::Error::new)?)
}

/// Enters the heads of the day, unless that was done; nothing while no agent has reported.
pub async fn commit_heads(state: &AppState) -> Result<()> {
    let now = state.clock.now();
    let day = now.day(&TimeZone::UTC);
    let mut tx = state.db.begin().await?;
    store::delete_openings_before(&mut tx, day.plus_days(-KEPT_DAYS)).await?;
    if !store::is_due(&mut tx, day).await? {
        tx.commit().await?;
        return Ok(());
    }
    let mut rows = Vec::new();
    for head in list_heads(&mut tx).await? {
        let salt: [u8; 32] = state.random.bytes();
        let hash = head_hash(&head.last_hash)?;
        let commitment = commitment(&salt, head.agent_id, head.boot_id, head.last_seq, &hash)?;
        rows.push((commitment, salt, head));
    }
    if rows.is_empty() {
        return Ok(());
    }
    // In an order that says nothing of the agents.
    rows.sort_by_key(|(commitment, ..)| *commitment);
    let leaves: Vec<Hash> = rows.iter().map(|(commitment, ..)| leaf_hash(&commitment.0)).collect();
    let leaf = Leaf::Report { day: day.to_string(), root: root(&leaves) };
    let entry = ledger::submit(&mut tx, &leaf).await?;
    store::insert_commitment(&mut tx, day, now, entry).await?;
    for (number, (_, salt, head)) in rows.iter().enumerate() {
        store::insert_opening(&mut tx, day, number as i32, salt, head).await?;
    }
    tx.commit().await?;
    state.ledger.settle_or_wait().await;
    Ok(())
}

/// What opens a day's commitment for one agent.
#[derive(Serialize, ToSchema)]
pub struct Opening {
    /// UTC.
    #[schema(value_type = String, format = Date)]
    day: Day,
    /// Index of the entry in the log; its `root` is the tree below.
    log_index: Option<i64>,
    agent: Uuid,
    boot: Uuid,
    seq: i64,
    /// SHA-256 of the agent's newest report then, base64url.
    #[schema(value_type = String)]
    hash: Hash,
    /// base64url
    #[schema(value_type = String)]
    salt: Hash,
    /// Place among the day's commitments, and how many there were.
    number: usize,
    size: usize,
    /// RFC 6962 inclusion proof in the day's tree, whose leaves are the commitments.
    #[schema(value_type = Vec<String>)]
    path: Vec<Hash>,
}

/// What the log says about my agents' reports
///
/// For each device of yours that reported, how the newest daily commitment in the log opens:
/// `SHA-256("daylight-report/v1\0" ‖ salt ‖ JCS{agent, boot, hash, seq})` is a leaf of the day's tree.
#[utoipa::path(get, path = "/api/v1/me/report-commitments", tag = "Worker", security(("session" = [])), responses(
    (status = 200, body = [Opening]),
    (status = 401, body = crate::error::Problem),
    (status = 403, body = crate::error::Problem)))]
pub async fn openings(State(state): State<AppState>, viewer: Viewer) -> Result<Json<Vec<Opening>>> {
    let mut db = state.db.acquire().await?;
    let Some(newest) = store::find_newest(&mut db).await? else { return Ok(Json(Vec::new())) };
    let own = store::list_devices_of(&mut db, viewer.person_id, newest.at).await?;
    let rows = store::list_openings(&mut db, newest.day).await?;
    drop(db);
    let mut leaves = Vec::with_capacity(rows.len());
    for row in &rows {
        let hash = head_hash(&row.head)?;
        leaves.push(leaf_hash(&commitment(&row.salt, row.agent_id, row.boot_id, row.seq, &hash)?.0));
    }
    let below = |span: Span| root(&leaves[span.start as usize..span.end as usize]);
    let mut openings = Vec::new();
    for (number, row) in rows.iter().enumerate().filter(|(_, row)| own.contains(&row.device_id)) {
        openings.push(Opening {
            day: newest.day,
            log_index: newest.position,
            agent: row.agent_id,
            boot: row.boot_id,
            seq: row.seq,
            hash: head_hash(&row.head)?,
            salt: head_hash(&row.salt)?,
            number,
            size: rows.len(),
            path: inclusion_path(number as u64, rows.len() as u64).into_iter().map(below).collect(),
        });
    }
    Ok(Json(openings))
}
