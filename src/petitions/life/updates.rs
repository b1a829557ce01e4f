//! Updates as they are read: whose word each one is.

use super::model::lines;
use super::reading::Reading;
use crate::clock::Day;
use crate::ledger::Hash;
use crate::ledger::proof::petition::{author_message, is_signed};

pub struct Update {
    pub by_author: bool,
    pub on_day: Day,
    pub lines: Vec<String>,
    /// Of an author without a name; `None` for whoever posts with one, whose word it is that the server passes on.
    pub signed: Option<Signed>,
}

/// What shows that an update is the author's, to whoever wants to check it.
pub struct Signed {
    pub fits: bool,
    pub key: String,
    pub signature: String,
    /// What was signed: lines, each ended by LF.
    pub message: String,
}

/// The newest first.
pub fn read(it: &Reading, origin: &str) -> Vec<Update> {
    let one = |u: &super::store::UpdateRow| Update {
        by_author: u.author == "author",
        on_day: u.on_day,
        lines: lines(&u.text).into_iter().map(Into::into).collect(),
        signed: signed(it, u, origin),
    };
    it.updates.iter().map(one).collect()
}

/// The author's key stands in the petition's leaf: where the text fits the log, so does the key.
fn signed(it: &Reading, update: &super::store::UpdateRow, origin: &str) -> Option<Signed> {
    if update.author != "author" {
        return None;
    }
    let key = Hash::try_from(it.row.author_key.as_deref()?).ok()?;
    let message = author_message(origin, it.row.id, "update", &Hash::of(update.text.as_bytes()));
    let signature = update.signature.clone().unwrap_or_default();
    let fits = !it.fit().is_broken() && is_signed(&key, &message, &signature);
    Some(Signed { fits, key: key.to_string(), signature, message })
}
