//! The keys of petitions' slots, parsed once: what they are never changes.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use sqlx::PgConnection;

use super::store;
use crate::credentials::action::Slot;
use crate::error::Result;
use crate::ledger::proof::tree::Hash;

/// A version of a petition, for checking actions.
pub struct Signable {
    pub slot: Slot,
    pub epoch: String,
}

/// By leaf hash. As many as there are versions of petitions.
#[derive(Default)]
pub struct Slots(RwLock<HashMap<Hash, Arc<Signable>>>);

impl Slots {
    /// The version with this leaf; `None` where there is none.
    pub async fn find(
        &self,
        db: &mut PgConnection,
        origin: &str,
        leaf: &Hash,
    ) -> Result<Option<Arc<Signable>>> {
        let Some(row) = store::find_version(db, leaf).await? else { return Ok(None) };
        let Some(slot) = Slot::of(origin, &row.leaf.0, row.slot.unsigned_abs().into(), *leaf) else {
            return Ok(None);
        };
        let found = Arc::new(Signable { slot, epoch: row.epoch });
        self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(*leaf, found.clone());
        Ok(Some(found))
    }

    /// The version where it is known already.
    pub fn known(&self, leaf: &Hash) -> Option<Arc<Signable>> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(leaf).cloned()
    }
}
