//! Sends checkpoints to the witnesses (C2SP tlog-witness, `add-checkpoint`) and keeps what they sign.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::StatusCode;

use super::proof::checkpoint::Checkpoint;
use super::proof::note::{Check, Note, Signature};
use super::proof::policy::Witness;
use super::store::CheckpointRow;
use super::{proofs, store, tiles};
use crate::app::AppState;

/// Seconds after which a witness that didn't answer is tried again.
const EVERY: Duration = Duration::from_secs(5);
const RETRY_SECONDS: i64 = 60;

/// Places what a crash left behind and asks the witnesses, until the pool is closed.
pub async fn keep(state: AppState) {
    let client = match client() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(?error, "witnesses can't be asked");
            return;
        }
    };
    let mut told: Option<String> = None;
    let mut wait_until = vec![state.clock.now(); state.ledger.witnesses().witnesses.len()];
    while !state.db.is_closed() {
        match state.ledger.settle().await {
            Ok(()) => told = None,
            Err(_) if state.db.is_closed() => return,
            // Once, not each five seconds.
            Err(error) if told.as_deref() != Some(&error.to_string()) => {
                tracing::error!(%error, "the log");
                told = Some(error.to_string());
            }
            Err(_) => {}
        }
        for (witness, wait_until) in state.ledger.witnesses().witnesses.iter().zip(&mut wait_until) {
            if state.clock.now() < *wait_until {
                continue;
            }
            if let Err(error) = ask(&state, &client, witness).await {
                tracing::warn!(witness = witness.name, error = format!("{error:#}"), "no cosignature");
                *wait_until = state.clock.now().plus_seconds(RETRY_SECONDS);
            }
        }
        tokio::select! {
            () = state.ledger.signed() => {}
            () = tokio::time::sleep(EVERY) => {}
            () = state.db.close_event() => return,
        }
    }
}

/// No redirects: a checkpoint goes to the address that was set, and nowhere else.
fn client() -> anyhow::Result<reqwest::Client> {
    // Answers an error when somebody installed one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.timeout(Duration::from_secs(10)).build().context("the HTTP client can't be set up")
}

/// Has a witness cosign the newest checkpoint, where it hasn't.
pub(super) async fn ask(state: &AppState, client: &reqwest::Client, witness: &Witness) -> anyhow::Result<()> {
    let Some(url) = &witness.url else { return Ok(()) };
    let mut db = state.db.acquire().await?;
    let newest = proofs::newest(&mut db).await.map_err(|e| anyhow!("{e}"))?;
    let known = store::find_cosigned_by(&mut db, &witness.name).await?.map_or(0, |(size, _)| size);
    drop(db);
    if known >= newest.size {
        return Ok(());
    }
    let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
    let mut old = known as u64;
    // A witness knows best what it has seen: a second try begins there.
    for _ in 0..2 {
        let body = request(state, old, &newest).await?;
        let answer = client.post(&url).body(body).send().await.context("it can't be reached")?;
        let status = answer.status();
        let text = answer.text().await.context("its answer can't be read")?;
        match status {
            StatusCode::OK => return keep_lines(state, &newest, witness, &text).await,
            StatusCode::CONFLICT => {
                let size: u64 = text.trim().parse().context("it names no size that it knows")?;
                if size > newest.size as u64 {
                    bail!("it has seen {size} entries, more than this log's {}", newest.size);
                }
                old = size;
            }
            other => bail!("it answers {other}"),
        }
    }
    bail!("it doesn't accept the size it named itself")
}

async fn request(state: &AppState, old: u64, newest: &CheckpointRow) -> anyhow::Result<String> {
    let mut db = state.db.acquire().await?;
    let proof = tiles::consistency(&mut db, old, newest.size as u64).await.map_err(|e| anyhow!("{e}"))?;
    let lines: String = proof.iter().map(|hash| format!("{}\n", hash.base64())).collect();
    Ok(format!("old {old}\n{lines}\n{}\n{}", newest.body, newest.signature))
}

async fn keep_lines(
    state: &AppState,
    newest: &CheckpointRow,
    witness: &Witness,
    text: &str,
) -> anyhow::Result<()> {
    let checkpoint: Checkpoint = newest.body.parse()?;
    for line in text.lines() {
        let note = Note { text: newest.body.clone(), signatures: vec![Signature::parse(line)?] };
        if let Check::Valid(Some(time)) = witness.key.check(&note) {
            let at = jiff::Timestamp::from_second(time as i64).context("its time is out of range")?;
            let mut db = state.db.acquire().await?;
            let line = note.signatures[0].to_string();
            let (origin, size) = (&checkpoint.origin, newest.size);
            store::insert_cosignature(&mut db, origin, size, &witness.name, at.into(), &line).await?;
            return Ok(());
        }
    }
    bail!("it sent no signature of its own")
}
