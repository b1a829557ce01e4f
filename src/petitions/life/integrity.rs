//! Whether what stands here is what the log holds: texts, answers, refusals, terms and the clock are hashed or compared anew with the
//! leaf under the log's last signed head, which isn't in the database.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::PgConnection;

use super::actions::refusal_document;
use super::model::{About, Document};
use super::store::{AnswerRow, PetitionRow, VersionRow};
use crate::clock::Time;
use crate::error::Result;
use crate::ledger::proof::leaf::Leaf;
use crate::ledger::proof::petition::Outcome;
use crate::ledger::proof::tree::leaf_hash;
use crate::ledger::{Ledger, document_hash};

/// What a comparison with the log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Whole,
    /// It isn't under a signed head yet.
    Waiting,
    Broken,
}

impl Fit {
    pub fn is_whole(self) -> bool {
        self == Fit::Whole
    }

    pub fn is_broken(self) -> bool {
        self == Fit::Broken
    }

    pub fn is_waiting(self) -> bool {
        self == Fit::Waiting
    }
}

/// Leaves under the last signed head, by entry.
pub struct Leaves(HashMap<i64, Vec<u8>>);

impl Leaves {
    pub async fn load(db: &mut PgConnection, ledger: &Ledger, entries: &[i64]) -> Result<Self> {
        Ok(Leaves(ledger.signed_leaves(db, entries).await?))
    }

    fn fit(&self, entry: i64, placed: bool, fits: impl FnOnce(&[u8], Leaf) -> bool) -> Fit {
        let Some(bytes) = self.0.get(&entry) else {
            return if placed { Fit::Broken } else { Fit::Waiting };
        };
        match Leaf::from_bytes(bytes) {
            Ok(Some(leaf)) => match fits(bytes, leaf) {
                true => Fit::Whole,
                false => Fit::Broken,
            },
            _ => Fit::Broken,
        }
    }

    /// A version's text, and the terms in it.
    pub fn version(&self, petition: &PetitionRow, version: &VersionRow) -> Fit {
        self.fit(version.ledger_entry, version.position.is_some(), |bytes, leaf| {
            let Leaf::Petition(leaf) = leaf else { return false };
            let slot = petition.slot.and_then(|s| u64::try_from(s).ok());
            leaf.petition == petition.id
                && leaf.version == u64::try_from(version.version).unwrap_or(0)
                && Some(leaf.slot) == slot
                && Some(&leaf.epoch) == petition.epoch.as_ref()
                && leaf.author.as_ref().map(|a| &a.key.0[..]) == petition.author_key.as_deref()
                && leaf_hash(bytes).0[..] == version.leaf_hash[..]
                && holds(&version.document, leaf.content.0)
                && (version.version != petition.version || same_terms(petition, &version.document))
        })
    }

    pub fn answer(&self, petition_leaf: &[u8], answer: &AnswerRow) -> Fit {
        self.fit(answer.ledger_entry, answer.position.is_some(), |_, leaf| {
            let Leaf::Answer(leaf) = leaf else { return false };
            leaf.petition.0[..] == *petition_leaf
                && leaf.number == u64::try_from(answer.number).unwrap_or(0)
                && answer.dated() == Some(answer.at)
                && holds(&answer.document, leaf.content.0)
        })
    }

    /// A refusal's rule and words.
    pub fn refusal(&self, petition: &PetitionRow, petition_leaf: &[u8]) -> Fit {
        let Some(entry) = petition.check_entry else { return Fit::Broken };
        self.fit(entry, petition.check_position.is_some(), |_, leaf| {
            let Leaf::Check(leaf) = leaf else { return false };
            let (code, words) = (petition.refusal_code.as_deref(), petition.refusal_words.as_deref());
            let said = refusal_document(code.unwrap_or_default(), words.unwrap_or_default());
            leaf.outcome == Outcome::Refused
                && leaf.petition.0[..] == *petition_leaf
                && leaf.code.as_deref() == code
                && leaf.content.is_some_and(|content| holds(&said, content.0))
        })
    }

    /// The employer's clock, and until when it runs: what the log says counts, also against the row.
    pub fn clock(&self, petition: &PetitionRow, petition_leaf: &[u8]) -> (Fit, Option<Time>) {
        let row = petition.answer_due_at;
        let Some(entry) = petition.reached_entry else {
            let fit = if row.is_none() && petition.reached_at.is_none() { Fit::Whole } else { Fit::Broken };
            return (fit, row);
        };
        let mut due = row;
        let fit = self.fit(entry, petition.reached_position.is_some(), |_, leaf| {
            let Leaf::Reached(leaf) = leaf else { return false };
            if leaf.petition.0[..] != *petition_leaf {
                return false;
            }
            due = leaf.answer_due_at.parse().ok().map(jiff::Timestamp::into);
            due.is_some() && due == row
        });
        (fit, due)
    }

    /// The threshold and the close, as the check fixed them.
    pub fn terms(&self, petition: &PetitionRow, petition_leaf: &[u8]) -> Fit {
        let Some((entry, placed)) = petition.check_entry.zip(Some(petition.check_position.is_some())) else {
            return if petition.opened_at.is_some() { Fit::Broken } else { Fit::Waiting };
        };
        self.fit(entry, placed, |_, leaf| {
            let Leaf::Check(leaf) = leaf else { return false };
            let threshold = petition.threshold.and_then(|t| u64::try_from(t).ok());
            leaf.outcome == Outcome::Opened
                && leaf.petition.0[..] == *petition_leaf
                && Some(leaf.threshold) == threshold
                && Some(leaf.closes_at) == petition.closes_at.as_ref().map(Time::to_string)
        })
    }
}

fn holds(document: &Value, content: [u8; 32]) -> bool {
    document_hash(document).is_ok_and(|hash| hash.0 == content)
}

/// What the row says beside the text must be what the text says.
fn same_terms(petition: &PetitionRow, document: &Value) -> bool {
    let said = Document::read(document);
    let about = About::of(petition.about_kind.as_deref(), petition.about_id);
    (document.get("about").is_none() || said.about == about)
        && (document.get("open_days").is_none() || said.open_days == petition.open_days)
}
