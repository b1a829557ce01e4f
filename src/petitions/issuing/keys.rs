//! The operator's token keys, read once an epoch.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::Mutex;

use crate::clock::Random;
use crate::credentials::issuer::IssuerKeys;
use crate::error::Result;
use crate::ledger::proof::petition::EpochLeaf;

/// Keys in use: the running epoch's, and those of one that is proposed.
const KEPT: usize = 3;

/// Reads and makes the operator's token keys, off the async threads.
pub struct OperatorKeys {
    folder: PathBuf,
    random: Random,
    /// Held while keys are made: nobody makes an epoch's twice.
    kept: Mutex<Vec<(String, Arc<IssuerKeys>)>>,
}

impl OperatorKeys {
    pub fn new(folder: PathBuf, random: Random) -> Self {
        OperatorKeys { folder, random, kept: Mutex::new(Vec::new()) }
    }

    /// The keys of an epoch that is proposed; made where there are none, which takes seconds.
    pub async fn open(&self, epoch: &str) -> Result<Arc<IssuerKeys>> {
        self.keep(epoch, |keys, name| IssuerKeys::open(&keys.0, name, &keys.1)).await
    }

    /// The keys of an epoch that has begun; never new ones, which nobody could use.
    pub async fn of(&self, leaf: &EpochLeaf) -> Result<Arc<IssuerKeys>> {
        let read = |keys: &(PathBuf, Random), name: &str| {
            IssuerKeys::read(&keys.0, name)?.with_context(|| format!("the token keys of {name} are gone"))
        };
        let keys = self.keep(&leaf.epoch, read).await?;
        match keys.as_issuer(&leaf.operator.name) == leaf.operator {
            true => Ok(keys),
            false => Err(anyhow::anyhow!("the token keys of {} aren't those of its leaf", leaf.epoch).into()),
        }
    }

    /// Makes the keys of the epoch after this one ahead.
    pub async fn prepare(&self) -> Result<()> {
        let (folder, random) = (self.folder.clone(), self.random.clone());
        let made = tokio::task::spawn_blocking(move || IssuerKeys::prepare(&folder, &random));
        Ok(made.await.context("making keys ended early")??)
    }

    async fn keep<F>(&self, epoch: &str, get: F) -> Result<Arc<IssuerKeys>>
    where
        F: FnOnce(&(PathBuf, Random), &str) -> anyhow::Result<IssuerKeys> + Send + 'static,
    {
        let mut kept = self.kept.lock().await;
        if let Some((_, keys)) = kept.iter().find(|(name, _)| name == epoch) {
            return Ok(keys.clone());
        }
        let (place, name) = ((self.folder.clone(), self.random.clone()), epoch.to_owned());
        let keys = tokio::task::spawn_blocking(move || get(&place, &name));
        let keys = Arc::new(keys.await.context("reading keys ended early")??);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((epoch.to_owned(), keys.clone()));
        Ok(keys)
    }
}
