//! The representative's own store: one file (redb), JSON values. No table has a time or a running number: keys
//! are hashes and ids, so that the order in the file tells nothing of who came when.

use std::path::Path;

use anyhow::Context;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;

/// A table; its values are JSON.
#[derive(Clone, Copy)]
pub struct Table(TableDefinition<'static, &'static [u8], &'static [u8]>);

const fn table(name: &'static str) -> Table {
    Table(TableDefinition::new(name))
}

/// The connection, the proposal that waits, what wasn't handed over yet: one value each.
pub const ONE: Table = table("one");
/// By epoch: the roll that was signed last.
pub const ROLLS: Table = table("rolls");
/// By epoch: what was signed of it.
pub const EPOCHS: Table = table("epochs");
/// By worker_ref: code, and the key that was made known with it.
pub const WORKERS: Table = table("workers");
/// By worker_ref: why a person is doubted.
pub const CHALLENGES: Table = table("challenges");
/// By epoch and place: packs that were given out.
pub const PACKS: Table = table("packs");
/// By leaf hash: petitions that take signatures.
pub const PETITIONS: Table = table("petitions");
/// By petition and slot key: what was received. Holds no identity but what a signature with a name carries.
pub const ACTIONS: Table = table("actions");
/// By the SHA-256 of the cookie: until when somebody is signed in.
pub const SESSIONS: Table = table("sessions");

const ALL: [Table; 9] = [ONE, ROLLS, EPOCHS, WORKERS, CHALLENGES, PACKS, PETITIONS, ACTIONS, SESSIONS];

pub struct Store(Database);

/// Keys of a table with their values.
pub type Rows<T> = Vec<(Vec<u8>, T)>;

/// Several reads and writes that happen together or not at all.
pub struct Change(WriteTransaction);

impl Store {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let db = Database::create(path).with_context(|| format!("{} can't be opened", path.display()))?;
        let tx = db.begin_write()?;
        for table in ALL {
            tx.open_table(table.0)?;
        }
        tx.commit()?;
        Ok(Store(db))
    }

    pub fn find<T: DeserializeOwned>(&self, table: Table, key: &[u8]) -> anyhow::Result<Option<T>> {
        let tx: ReadTransaction = self.0.begin_read()?;
        read(&tx.open_table(table.0)?, key)
    }

    /// Every row whose key begins with `prefix`, in the order of the keys.
    pub fn list<T: DeserializeOwned>(&self, table: Table, prefix: &[u8]) -> anyhow::Result<Rows<T>> {
        let tx = self.0.begin_read()?;
        rows(&tx.open_table(table.0)?, prefix)
    }

    /// Runs `work` in one transaction: what it answers is on the disk, and where it fails nothing is.
    pub fn change<R>(&self, work: impl FnOnce(&Change) -> Result<R>) -> Result<R> {
        let tx = self.0.begin_write().map_err(anyhow::Error::new)?;
        let change = Change(tx);
        let done = work(&change)?;
        change.0.commit().map_err(anyhow::Error::new)?;
        Ok(done)
    }
}

impl Change {
    pub fn find<T: DeserializeOwned>(&self, table: Table, key: &[u8]) -> anyhow::Result<Option<T>> {
        read(&self.0.open_table(table.0)?, key)
    }

    pub fn list<T: DeserializeOwned>(&self, table: Table, prefix: &[u8]) -> anyhow::Result<Rows<T>> {
        rows(&self.0.open_table(table.0)?, prefix)
    }

    pub fn put(&self, table: Table, key: &[u8], value: &impl Serialize) -> anyhow::Result<()> {
        let value = serde_json::to_vec(value)?;
        self.0.open_table(table.0)?.insert(key, value.as_slice())?;
        Ok(())
    }

    pub fn remove(&self, table: Table, key: &[u8]) -> anyhow::Result<()> {
        self.0.open_table(table.0)?.remove(key)?;
        Ok(())
    }
}

type Bytes = &'static [u8];

fn read<T: DeserializeOwned>(
    table: &impl ReadableTable<Bytes, Bytes>,
    key: &[u8],
) -> anyhow::Result<Option<T>> {
    let Some(value) = table.get(key)? else { return Ok(None) };
    serde_json::from_slice(value.value()).map(Some).context("the store is damaged")
}

fn rows<T: DeserializeOwned>(
    table: &impl ReadableTable<Bytes, Bytes>,
    prefix: &[u8],
) -> anyhow::Result<Rows<T>> {
    let mut out = Vec::new();
    for row in table.range(prefix..)? {
        let (key, value) = row?;
        if !key.value().starts_with(prefix) {
            break;
        }
        let value = serde_json::from_slice(value.value()).context("the store is damaged")?;
        out.push((key.value().to_vec(), value));
    }
    Ok(out)
}
