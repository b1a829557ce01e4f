//! What the log's leaves about petitions commit to, made anew from the rows.

use serde_json::Value;
use sqlx::PgConnection;

use super::store;
use crate::error::Result;
use crate::ledger::{Document, EntryId};

/// The texts and the answers. Petitions are read among colleagues, so none is public.
///
/// The text of a refused petition is given to nobody. It must be counted all the same: `daylight verify` compares how
/// many documents a file lacks with how many its header says are withheld, so that none goes missing unseen. A
/// document without content is one that is withheld from everybody.
pub async fn documents(db: &mut PgConnection) -> Result<Vec<Document>> {
    let rows = store::list_documents(db).await?;
    let document = |row: store::DocumentRow| Document {
        entry: EntryId(row.entry),
        public: false,
        content: if row.withheld { Value::Null } else { row.content },
    };
    Ok(rows.into_iter().map(document).collect())
}
