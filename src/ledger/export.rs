//! The whole log as one file, streamed in parts.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Bytes;
use sqlx::{PgConnection, PgPool};
use tokio::sync::mpsc::Sender;

use super::proof::checkpoint::Checkpoint;
use super::proof::export::{DocumentLine, FORMAT, Header, Writer};
use super::proof::tree::{TILE, from_bytes};
use super::{policy, proofs, store};
use crate::app::{self, AppState};
use crate::error::Result;

/// Entries that are read at once.
const PART: i64 = 2 * TILE as i64;

/// How long a reader may leave a part unread: a download that stands still gives its place to others.
const PATIENCE: Duration = Duration::from_secs(60);

/// Older checkpoints that are given along, the newest ones: they tell which leaf was changed.
const CHECKPOINTS: i64 = 1000;

pub struct Export {
    header: Header,
    checkpoints: Vec<String>,
    documents: Vec<DocumentLine>,
}

/// Gathers all but the entries; `everything` with the documents that aren't public.
pub async fn prepare(db: &mut PgConnection, state: &AppState, everything: bool) -> Result<Export> {
    let newest = proofs::newest(db).await?;
    let head: Checkpoint = newest.body.parse().map_err(anyhow::Error::new)?;
    let mut checkpoints: Vec<String> = store::list_checkpoints(db, 0, Some(newest.size), CHECKPOINTS)
        .await?
        .iter()
        .map(|row| row.note())
        .collect();
    checkpoints.reverse();
    let former = store::list_former_checkpoints(db, CHECKPOINTS).await?;
    let checkpoints: Vec<String> = former.iter().map(|row| row.note()).chain(checkpoints).collect();
    let all = app::documents(db).await?;
    let ids: Vec<i64> = all.iter().map(|d| d.entry.0).collect();
    let places: HashMap<i64, i64> = store::list_positions(db, &ids).await?.into_iter().collect();
    let (mut documents, mut withheld) = (Vec::new(), 0);
    for document in all {
        match places.get(&document.entry.0) {
            Some(place)
                if *place < newest.size && (everything || document.public) && !document.content.is_null() =>
            {
                documents.push(DocumentLine { leaf: *place as u64, content: document.content });
            }
            Some(place) if *place < newest.size => withheld += 1,
            _ => {}
        }
    }
    documents.sort_by_key(|d| d.leaf);
    let header = Header {
        format: FORMAT.into(),
        origin: head.origin,
        policy: policy::text(db, state).await?,
        checkpoint: newest.note(),
        leaves: head.size,
        tiles: head.size.div_ceil(TILE as u64),
        checkpoints: checkpoints.len() as u64,
        documents: documents.len() as u64,
        withheld,
    };
    Ok(Export { header, checkpoints, documents })
}

impl Export {
    pub fn size(&self) -> u64 {
        self.header.leaves
    }

    /// Writes it, part by part; ends early when nobody listens any more.
    pub async fn write(&self, db: &PgPool, sender: &Sender<Bytes>) -> Result<()> {
        let mut out = Writer(Vec::new());
        out.header(&self.header).map_err(anyhow::Error::new)?;
        let size = self.header.leaves as i64;
        for first in (0..size).step_by(PART as usize) {
            let mut db = db.acquire().await?;
            for entry in store::list_entries(&mut db, first, PART.min(size - first)).await? {
                out.leaf(&entry.bytes).map_err(anyhow::Error::new)?;
            }
            drop(db);
            if !send(&mut out, sender).await {
                return Ok(());
            }
        }
        for first in (0..self.header.tiles).step_by(16) {
            let mut db = db.acquire().await?;
            let places: Vec<(u32, u64)> =
                (first..self.header.tiles.min(first + 16)).map(|n| (0, n)).collect();
            let mut rows = store::list_tiles(&mut db, &places).await?;
            rows.sort_by_key(|row| row.number);
            for row in rows {
                let mut hashes = from_bytes(&row.hashes).map_err(anyhow::Error::new)?;
                // It may have grown since the checkpoint.
                hashes.truncate((size - row.number * TILE as i64) as usize);
                out.tile(&hashes).map_err(anyhow::Error::new)?;
            }
            drop(db);
            if !send(&mut out, sender).await {
                return Ok(());
            }
        }
        for note in &self.checkpoints {
            out.checkpoint(note).map_err(anyhow::Error::new)?;
        }
        for document in &self.documents {
            out.document(document).map_err(anyhow::Error::new)?;
        }
        send(&mut out, sender).await;
        Ok(())
    }
}

async fn send(out: &mut Writer<Vec<u8>>, sender: &Sender<Bytes>) -> bool {
    let part = std::mem::take(&mut out.0).into();
    tokio::time::timeout(PATIENCE, sender.send(part)).await.is_ok_and(|sent| sent.is_ok())
}
