//! The one writer of the log: gives entries their places, and signs the tree's head.
//!
//! Entries are handed in inside the transaction of what they stand for ([`super::submit`]). Whoever wants
//! to see their own in the log calls [`Ledger::settle`] after the commit: the first to come does the work for
//! all who wait, in one transaction; the rest find it done. A second instance waits on an advisory lock.
//! What a crash leaves behind is done at the next start.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, anyhow};
use axum::http::StatusCode;
use ed25519_dalek::{SigningKey, VerifyingKey};
use sqlx::{PgConnection, PgPool};
use tokio::sync::{Mutex, Notify};

use super::keys::{Refusal, Vault, judge};
use super::proof::checkpoint::Checkpoint;
use super::proof::leaf::{KeyLeaf, Leaf};
use super::proof::note::{self, Note};
use super::proof::policy::Policy;
use super::proof::tree::{Hash, empty_root, leaf_hash, root, root_of_inclusion};
use super::{store, submit, tiles};
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::error::{Error, Result};

/// Entries that one transaction places at most.
const BATCH: i64 = 4096;

/// The way to the log. Cheap to clone.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    db: PgPool,
    vault: Vault,
    origin: String,
    /// Witnesses and quorum (tlog-policy), as the administrator set them.
    witnesses: Policy,
    clock: Clock,
    random: Random,
    /// Runs begun, for whoever comes while one is under way.
    begun: AtomicU64,
    /// The newest run that ended well; held by whoever runs.
    turn: Mutex<u64>,
    signed: Notify,
}

/// Where a log stands, as its pages tell it.
#[derive(Debug, Clone)]
pub struct Standing {
    pub origin: String,
    pub size: u64,
    pub refusal: Option<Refusal>,
}

impl Ledger {
    pub fn new(db: PgPool, config: &Config, clock: Clock, random: Random) -> Self {
        Ledger(Arc::new(Inner {
            db,
            vault: Vault::new(&config.data_dir),
            origin: config.log_origin.clone(),
            witnesses: super::policy::witnesses(config).unwrap_or_default(),
            clock,
            random,
            begun: AtomicU64::new(0),
            turn: Mutex::new(0),
            signed: Notify::new(),
        }))
    }

    /// Places whatever waits and signs the head; returns when what was committed before is in the log.
    pub async fn settle(&self) -> Result<()> {
        let before = self.0.begun.load(Ordering::SeqCst);
        let mut ended = self.0.turn.lock().await;
        // A run that began after this call has seen what this caller committed.
        if *ended > before {
            return Ok(());
        }
        let run = self.0.begun.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.open().await?;
        while self.0.place().await? {}
        self.0.sign().await?;
        *ended = run;
        self.0.signed.notify_waiters();
        Ok(())
    }

    /// Like [`Ledger::settle`], for what must not fail because the log can't sign: the entry waits.
    pub async fn settle_or_wait(&self) {
        if let Err(error) = self.settle().await {
            tracing::error!(%error, "entries wait: the log can't take them now");
        }
    }

    /// 503 with the reason when the log refuses to sign.
    pub async fn check_signing(&self) -> Result<()> {
        self.0.open().await?;
        let mut db = self.0.db.acquire().await?;
        match self.0.refusal(&mut db).await? {
            Some(refusal) => Err(refused(&refusal)),
            None => Ok(()),
        }
    }

    /// Where the log stands; `None` before it was opened.
    pub async fn standing(&self, db: &mut PgConnection) -> Result<Option<Standing>> {
        let refusal = self.0.refusal(db).await?;
        Ok(match store::find_head(db).await? {
            Some(head) => Some(Standing { origin: head.origin, size: head.size as u64, refusal }),
            // A folder that remembers a log which this database has never heard of.
            None => refusal.map(|refusal| Standing {
                origin: self.0.origin.clone(),
                size: 0,
                refusal: Some(refusal),
            }),
        })
    }

    /// Of these entries the bytes of those that are under the last signed head, whatever the database says of
    /// them: the head is the folder's.
    pub async fn signed_leaves(
        &self,
        db: &mut PgConnection,
        entries: &[i64],
    ) -> Result<HashMap<i64, Vec<u8>>> {
        let Some((_, head)) = self.0.vault.last_signed()? else { return Ok(HashMap::new()) };
        let mut placed = store::list_placed(db, entries).await?;
        placed.retain(|(_, position, _)| u64::try_from(*position).is_ok_and(|index| index < head.size));
        let indexes: Vec<u64> = placed.iter().map(|(_, position, _)| *position as u64).collect();
        let Ok(paths) = tiles::inclusions(db, &indexes, head.size).await else { return Ok(HashMap::new()) };
        let is_signed = |((_, position, bytes), path): &((i64, i64, Vec<u8>), Vec<Hash>)| {
            root_of_inclusion(*position as u64, head.size, leaf_hash(bytes), path) == Some(head.root)
        };
        let signed = placed.into_iter().zip(paths).filter(is_signed);
        Ok(signed.map(|((id, _, bytes), _)| (id, bytes)).collect())
    }

    pub(super) fn witnesses(&self) -> &Policy {
        &self.0.witnesses
    }

    /// Waits until something was signed.
    pub(super) async fn signed(&self) {
        self.0.signed.notified().await;
    }

    /// Hands over to a new key: the present one signs the leaf that announces it.
    pub async fn rotate_key(&self) -> Result<VerifyingKey> {
        self.settle().await?;
        let next = SigningKey::from_bytes(&self.0.random.bytes());
        self.0.vault.keep_key(&next)?;
        let mut tx = self.0.db.begin().await?;
        store::lock_writer(&mut tx).await?;
        let head = store::find_head(&mut tx).await?.context("there is no log")?;
        let signer = self.0.key(&head)?.ok_or_else(|| refused(&Refusal::NoKey))?;
        let from = self.0.clock.now().to_string();
        let leaf = KeyLeaf::announce(&head.origin, &next.verifying_key(), &from, &signer);
        submit(&mut tx, &Leaf::Key(leaf)).await?;
        tx.commit().await?;
        self.settle().await?;
        Ok(next.verifying_key())
    }

    /// Begins a new log after a restore: its first leaf is the last signed checkpoint of the former one; the
    /// entries that are left follow, and a new key. Answers the new origin.
    pub async fn begin_again(&self) -> Result<String> {
        let mut tx = self.0.db.begin().await?;
        store::lock_writer(&mut tx).await?;
        let Some(refusal) = self.0.refusal(&mut tx).await? else {
            return Err(Error::conflict("The log signs as it should; there is no reason to begin again."));
        };
        let head = store::find_head(&mut tx).await?;
        let (note, last) = self.0.last_checkpoint(&mut tx).await?;
        if head.as_ref().is_some_and(|head| head.origin != last.origin) {
            return Err(Error::conflict(
                "The data folder and the database belong to different logs. Put the right ones together.",
            ));
        }
        if matches!(refusal, Refusal::Rewritten { .. } | Refusal::Unreadable) {
            return Err(Error::conflict(format!(
                "{} A new beginning is for what was lost, not for what was changed. Restore a backup that holds what \
                 was signed.",
                refusal.words()
            )));
        }
        let origin = next_origin(&last.origin);
        let now = self.0.clock.now();
        let key = SigningKey::from_bytes(&self.0.random.bytes());
        let public = key.verifying_key();
        let kept = match &head {
            // What was placed and never signed comes after what was.
            Some(head) => (head.size as u64).min(last.size),
            None => {
                store::insert_head(&mut tx, &origin, public.as_bytes(), empty_root(), now).await?;
                0
            }
        };
        let log = Leaf::Log { origin: origin.clone(), previous: note.to_string(), kept };
        let log = submit(&mut tx, &log).await?;
        self.0.vault.keep_key(&key)?;
        let announced = KeyLeaf::announce(&origin, &public, &now.to_string(), &key);
        let announced = submit(&mut tx, &Leaf::Key(announced)).await?;
        let entries = store::list_for_new_beginning(&mut tx, log, announced).await?;
        self.0.check_kept(&mut tx, &entries, kept).await?;
        store::begin_again(&mut tx, &origin, now).await?;
        self.0.append(&mut tx, entries, 0, public.as_bytes().to_vec()).await?;
        tx.commit().await?;
        Ok(origin)
    }
}

fn refused(refusal: &Refusal) -> Error {
    Error::Rejected(StatusCode::SERVICE_UNAVAILABLE, refusal.words().into())
}

/// `example.org/log` is followed by `example.org/log/2`.
fn next_origin(origin: &str) -> String {
    match origin.rsplit_once('/').and_then(|(base, n)| Some((base, n.parse::<u32>().ok()?))) {
        Some((base, n)) => format!("{base}/{}", n + 1),
        None => format!("{origin}/2"),
    }
}

impl Inner {
    /// Begins the log at the first start: makes its key, and announces it as the first leaf.
    async fn open(&self) -> Result<()> {
        let mut db = self.db.acquire().await?;
        if store::find_head(&mut db).await?.is_some() {
            return Ok(());
        }
        drop(db);
        let mut tx = self.db.begin().await?;
        store::lock_writer(&mut tx).await?;
        if store::find_head(&mut tx).await?.is_some() {
            return Ok(());
        }
        if let Some((_, signed)) = self.vault.last_signed()? {
            // The folder remembers a log that this database has never heard of.
            return Err(refused(&Refusal::Restored { signed: signed.size, found: 0 }));
        }
        let key = SigningKey::from_bytes(&self.random.bytes());
        self.vault.keep_key(&key)?;
        let now = self.clock.now();
        let public = key.verifying_key();
        store::insert_head(&mut tx, &self.origin, public.as_bytes(), empty_root(), now).await?;
        let leaf = Leaf::Key(KeyLeaf::announce(&self.origin, &public, &now.to_string(), &key));
        let entry = submit(&mut tx, &leaf).await?;
        // Before whatever was handed in earlier: nothing is signed before its key is announced.
        let waiting = vec![store::Waiting {
            id: entry.0,
            hash: store::find_hash(&mut tx, entry).await?,
            bytes: leaf.to_bytes().map_err(anyhow::Error::new)?,
        }];
        self.append(&mut tx, waiting, 0, public.as_bytes().to_vec()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Places one batch; answers whether more may wait.
    async fn place(&self) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        store::lock_writer(&mut tx).await?;
        let waiting = store::list_waiting(&mut tx, self.clock.now(), BATCH).await?;
        let more = waiting.len() as i64 == BATCH;
        if !waiting.is_empty() {
            // On a restored tree, what is new would stand where what was lost stood.
            if let Some(refusal) = self.refusal(&mut tx).await? {
                return Err(refused(&refusal));
            }
            let head = store::find_head(&mut tx).await?.context("there is no log")?;
            self.append(&mut tx, waiting, head.size as u64, head.public_key).await?;
        }
        tx.commit().await?;
        Ok(more)
    }

    /// Appends entries to a tree of `size`; `public_key` is the newest before them.
    async fn append(
        &self,
        db: &mut PgConnection,
        entries: Vec<store::Waiting>,
        size: u64,
        mut public_key: Vec<u8>,
    ) -> Result<()> {
        let mut edge = tiles::edge(db, size).await?;
        let mut filled = Vec::new();
        for entry in &entries {
            filled.extend(edge.push(Hash::try_from(entry.hash.as_slice()).map_err(anyhow::Error::new)?));
            if entry.bytes.len() < 2048
                && let Ok(Some(Leaf::Key(key))) = Leaf::from_bytes(&entry.bytes)
                && key.role == "log"
            {
                public_key = key.public_key.0.to_vec();
                store::insert_key(db, &public_key, &key.origin, entry.id).await?;
            }
        }
        filled.extend(tiles::partial_tiles(&edge));
        let ids: Vec<i64> = entries.iter().map(|e| e.id).collect();
        store::place_entries(db, &ids, size as i64).await?;
        store::upsert_tiles(db, &filled).await?;
        store::update_head(db, edge.size as i64, edge.root(), &public_key).await?;
        Ok(())
    }

    /// The last checkpoint this log signed: the folder's, or, where that is lost, the database's.
    async fn last_checkpoint(&self, db: &mut PgConnection) -> Result<(Note, Checkpoint)> {
        if let Some(signed) = self.vault.last_signed()? {
            return Ok(signed);
        }
        let newest = super::newest_checkpoint(db).await?.context("nothing was signed here")?;
        let note: Note = newest.parse().map_err(anyhow::Error::new)?;
        let head = note.text.parse().map_err(anyhow::Error::new)?;
        Ok((note, head))
    }

    /// What a new beginning keeps must be what the tree holds: after leaf 0, in their order.
    async fn check_kept(&self, db: &mut PgConnection, entries: &[store::Waiting], kept: u64) -> Result<()> {
        let hashes = entries.iter().skip(1).take(kept as usize).map(|entry| leaf_hash(&entry.bytes));
        if root(&hashes.collect::<Vec<_>>()) == tiles::root_at(db, kept).await? {
            return Ok(());
        }
        Err(Error::conflict(
            "The entries in the database aren't those that the tree holds. Restore a backup that holds what was signed.",
        ))
    }

    fn key(&self, head: &store::Head) -> Result<Option<SigningKey>> {
        let public: &[u8; 32] =
            head.public_key.as_slice().try_into().map_err(|_| anyhow!("the log's key"))?;
        let public = VerifyingKey::from_bytes(public).context("the log's key is no Ed25519 key")?;
        Ok(self.vault.find_key(&public)?)
    }

    /// Why nothing may be signed; `None` when all is well.
    async fn refusal(&self, db: &mut PgConnection) -> Result<Option<Refusal>> {
        match self.judge(db).await {
            // A broken log must say that it is broken.
            Err(Error::Internal(error)) => {
                tracing::error!(?error, "the log can't be read");
                Ok(Some(Refusal::Unreadable))
            }
            found => found,
        }
    }

    async fn judge(&self, db: &mut PgConnection) -> Result<Option<Refusal>> {
        let signed = self.vault.last_signed()?.map(|(_, head)| head);
        let Some(head) = store::find_head(db).await? else {
            return Ok(signed.map(|s| Refusal::Restored { signed: s.size, found: 0 }));
        };
        let size = head.size as u64;
        if signed.is_none() && !store::list_checkpoints(db, 0, None, 1).await?.is_empty() {
            return Ok(Some(Refusal::Forgotten));
        }
        // A log that began again says so itself, in its first leaf.
        let began_from = match &signed {
            Some(signed) if signed.origin != head.origin => self.began_from(db).await?,
            _ => None,
        };
        if began_from.is_some() && began_from == signed {
            return self.missing_key(&head);
        }
        let root_at = match &signed {
            Some(signed) if signed.size <= size => Some(tiles::root_at(db, signed.size).await?),
            _ => None,
        };
        if let Some(refusal) = judge(signed.as_ref(), &head.origin, size, root_at) {
            return Ok(Some(refusal));
        }
        self.missing_key(&head)
    }

    fn missing_key(&self, head: &store::Head) -> Result<Option<Refusal>> {
        Ok(if self.key(head)?.is_none() { Some(Refusal::NoKey) } else { None })
    }

    /// The former log's last tree head, where this log began again.
    async fn began_from(&self, db: &mut PgConnection) -> Result<Option<Checkpoint>> {
        let first = store::list_entries(db, 0, 1).await?.into_iter().next();
        let leaf = first.and_then(|entry| Leaf::from_bytes(&entry.bytes).ok().flatten());
        let Some(Leaf::Log { previous, .. }) = leaf else { return Ok(None) };
        let note: Option<Note> = previous.parse().ok();
        Ok(note.and_then(|note| note.text.parse().ok()))
    }

    /// Signs the head where it has grown. The folder learns of it before anybody can see the signature.
    async fn sign(&self) -> Result<()> {
        let mut tx = self.db.begin().await?;
        store::lock_writer(&mut tx).await?;
        let head = store::find_head(&mut tx).await?.context("there is no log")?;
        if let Some(refusal) = self.refusal(&mut tx).await? {
            return Err(refused(&refusal));
        }
        if !store::list_checkpoints(&mut tx, head.size, None, 1).await?.is_empty() {
            return Ok(());
        }
        let key = self.key(&head)?.ok_or_else(|| refused(&Refusal::NoKey))?;
        let root = Hash::try_from(head.root.as_slice()).map_err(anyhow::Error::new)?;
        let checkpoint = Checkpoint { origin: head.origin.clone(), size: head.size as u64, root };
        let body = checkpoint.to_string();
        let note = Note { signatures: vec![note::sign(&head.origin, &key, &body)], text: body };
        self.vault.remember_signed(&note)?;
        let line = note.signatures[0].to_string();
        store::insert_checkpoint(&mut tx, &head.origin, head.size, self.clock.now(), &note.text, &line)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Forgets the folder of an example that is thrown away.
pub fn forget_example(data_dir: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(data_dir.join("ledger")) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
