//! What the log's leaves about notices commit to, made anew from the rows: an export shows a row that
//! somebody has edited since.

use sqlx::PgConnection;

use super::store;
use crate::error::Result;
use crate::ledger::{Document, EntryId};

/// The documents of every publication and retraction. Notices are public: they hang on boards.
pub async fn documents(db: &mut PgConnection) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for version in store::list_all(db).await? {
        if let Some(entry) = version.ledger_entry {
            documents.push(Document { entry: EntryId(entry), public: true, content: version.document() });
        }
        if let Some(entry) = version.retraction_entry {
            documents.push(Document { entry: EntryId(entry), public: true, content: version.retraction() });
        }
    }
    documents.sort_by_key(|d| d.entry);
    Ok(documents)
}
