//! What the log publishes under `/log/`: C2SP tlog-tiles, the policy, proofs, and the export.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, mpsc};

use super::proof::tree::{TILE, to_bytes};
use super::{export, policy, proofs, store, tiles};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::web::{Page, Path};

const TEXT: &str = "text/plain; charset=utf-8";
/// Downloads of the whole log at once: nobody needs an account for one, and each holds a part in memory.
static EXPORTS: Semaphore = Semaphore::const_new(16);

const FOREVER: &str = "public, max-age=31536000, immutable";

/// `/log/checkpoint`
pub async fn checkpoint(State(state): State<AppState>) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let note = proofs::newest(&mut db).await?.note();
    Ok(([(CONTENT_TYPE, TEXT)], note).into_response())
}

/// `/log/policy.txt`
pub async fn policy_file(State(state): State<AppState>) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    Ok(([(CONTENT_TYPE, TEXT)], policy::text(&mut db, &state).await?).into_response())
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Hashes(u32),
    Entries,
}

/// Reads `<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`; `None` for any other spelling.
fn tile_path(path: &str) -> Option<(Wanted, u64, usize)> {
    let (kind, rest) = path.split_once('/')?;
    let wanted = match kind {
        "entries" => Wanted::Entries,
        level => Wanted::Hashes(plain(level).filter(|l| *l < 64)? as u32),
    };
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, plain(width).filter(|w| (1..TILE as u64).contains(w))? as usize),
        None => (rest, TILE),
    };
    let mut value: u64 = 0;
    let parts: Vec<&str> = number.split('/').collect();
    for (i, part) in parts.iter().enumerate() {
        let digits = if i + 1 < parts.len() { part.strip_prefix('x')? } else { part };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        value = value.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    let shortest = parts.len() == 1 || parts[0] != "x000";
    (shortest && value < 1 << 40).then_some((wanted, value, width))
}

/// A decimal without leading zeros.
fn plain(text: &str) -> Option<u64> {
    let fine = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if fine { text.parse().ok() } else { None }
}

/// `/log/tile/…`
pub async fn tile(State(state): State<AppState>, Path(path): Path<String>) -> Result<Response> {
    let (wanted, number, width) = tile_path(&path).ok_or(Error::NotFound)?;
    let mut db = state.db.acquire().await?;
    let bytes = match wanted {
        Wanted::Hashes(level) => {
            let hashes = tiles::tile(&mut db, level, number, width).await?.ok_or(Error::NotFound)?;
            to_bytes(&hashes)
        }
        Wanted::Entries => {
            let entries = store::list_entries(&mut db, (number * TILE as u64) as i64, width as i64).await?;
            if entries.len() < width {
                return Err(Error::NotFound);
            }
            bundle(&entries)
        }
    };
    let headers = [(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, FOREVER)];
    Ok((headers, bytes).into_response())
}

/// Entries, each after its length as 16 bits, big end first.
fn bundle(entries: &[store::EntryRow]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend((entry.bytes.len() as u16).to_be_bytes());
        out.extend(&entry.bytes);
    }
    out
}

/// `/log/entries/{index}/proof`
pub async fn proof(State(state): State<AppState>, Path(index): Path<i64>) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let proof = proofs::of_entry(&mut db, index, state.ledger.witnesses()).await?;
    let name = format!("attachment; filename=\"entry-{index}.tlog-proof\"");
    Ok(([(CONTENT_TYPE, TEXT.to_owned()), (CONTENT_DISPOSITION, name)], proof.to_string()).into_response())
}

/// `/log/export`: everything, as one file. Whoever is signed in gets the documents of the register too.
pub async fn export_file(State(state): State<AppState>, page: Page) -> Result<Response> {
    let busy = || {
        Error::Rejected(
            StatusCode::SERVICE_UNAVAILABLE,
            "Many are downloading the log. Please try again soon.".into(),
        )
    };
    let place = EXPORTS.try_acquire().map_err(|_| busy())?;
    let mut db = state.db.acquire().await?;
    let export = export::prepare(&mut db, &state, page.viewer.is_some()).await?;
    drop(db);
    let name = format!("attachment; filename=\"daylight-log-{}.jsonl\"", export.size());
    let (sender, mut receiver) = mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        let _place = place;
        // A reader who left needs nothing more.
        if let Err(error) = export.write(&state.db, &sender).await {
            tracing::warn!(%error, "an export of the log was cut off");
            let _ = sender.send(Bytes::from_static(b"cut off: this file is incomplete")).await;
        }
    });
    let parts = futures_util::stream::poll_fn(move |context| {
        receiver.poll_recv(context).map(|part| part.map(Ok::<_, std::convert::Infallible>))
    });
    let headers = [(CONTENT_TYPE, "application/jsonl".to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(parts)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tile_paths_have_one_spelling() {
        assert_eq!(tile_path("0/000"), Some((Wanted::Hashes(0), 0, 256)));
        assert_eq!(tile_path("1/x001/x234/067"), Some((Wanted::Hashes(1), 1_234_067, 256)));
        assert_eq!(tile_path("entries/x001/000.p/255"), Some((Wanted::Entries, 1000, 255)));
        for wrong in [
            "",
            "0",
            "0/",
            "0/0",
            "0/0000",
            "00/000",
            "64/000",
            "0/001/000",
            "0/x000/001",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/",
            "x/000",
            "0/-01",
            "entries/x1/000",
            "0/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(tile_path(wrong), None, "{wrong}");
        }
    }
}
