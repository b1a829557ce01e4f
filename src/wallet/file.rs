//! The wallet's file.

use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::credentials::holder::{Holder, Pack};
use crate::credentials::seed::Seed;
use crate::ledger::files;
use crate::ledger::proof::petition::EpochLeaf;
use crate::ledger::proof::tree::Hash;

/// What the wallet keeps. Readable by its owner only.
#[derive(Serialize, Deserialize)]
pub struct Wallet {
    /// The seed, as its recovery code.
    code: String,
    pub pinned: Option<Pinned>,
    #[serde(default)]
    pub packs: Vec<Kept>,
    #[serde(default)]
    pub signed: Vec<Signed>,
}

/// A dashboard and its representative's server as they were at the first use: what changes later is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    pub server: String,
    /// The log's origin.
    pub origin: String,
    /// The log's policy.txt.
    pub policy: String,
    pub operator_key: Hash,
    pub worker_ref: Uuid,
    pub representative: Option<PinnedRepresentative>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedRepresentative {
    pub server: String,
    pub name: String,
    pub key: Hash,
}

/// A pack with the epoch it is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    pub leaf: EpochLeaf,
    pub pack: Pack,
}

/// What was last done about a version of a petition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Signed {
    pub petition: Hash,
    pub title: String,
    pub number: u64,
    pub withdrawn: bool,
    /// Signed with one's name, now or before; what isn't known was without.
    #[serde(default)]
    pub named: bool,
}

impl Wallet {
    pub fn new(seed: &Seed) -> Self {
        Wallet { code: seed.to_code(), pinned: None, packs: Vec::new(), signed: Vec::new() }
    }

    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let text = files::read(path)?.with_context(|| {
            format!("there is no wallet at {}; make one with daylight wallet init", path.display())
        })?;
        serde_json::from_str(&text).map_err(|_| anyhow!("{} is no wallet, or is damaged", path.display()))
    }

    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        files::write(path, &serde_json::to_string_pretty(self)?)
    }

    /// Writes a new wallet; never over another.
    pub fn create(&self, path: &Path) -> anyhow::Result<()> {
        ensure!(!path.exists(), "{} is there already; burn it first, if you mean to", path.display());
        self.save(path)
    }

    pub fn code(&self) -> &str {
        &self.code
    }

    pub fn seed(&self) -> anyhow::Result<Seed> {
        Seed::from_code(&self.code).context("the wallet's seed is damaged")
    }

    pub fn pinned(&self) -> anyhow::Result<&Pinned> {
        self.pinned.as_ref().context("this wallet knows no server yet; use daylight wallet enrol first")
    }

    pub fn holder(&self) -> anyhow::Result<Holder> {
        Ok(Holder { seed: self.seed()?, origin: self.pinned()?.origin.clone() })
    }

    /// The number of this petition's next action.
    pub fn next_number(&self, petition: &Hash) -> u64 {
        self.signed.iter().find(|s| s.petition == *petition).map_or(1, |s| s.number.saturating_add(1))
    }

    pub fn remember(&mut self, done: Signed) {
        self.signed.retain(|s| s.petition != done.petition);
        self.signed.push(done);
    }
}
