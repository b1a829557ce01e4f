//! The representatives' check: open, or refuse by a published rule. Silence opens.

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{enter_leaf, hash, lock, newest};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, FieldErrors, Result};
use crate::ledger::proof::petition::{CheckLeaf, Outcome};
use crate::ledger::{Leaf, document_hash};
use crate::notices::signs;
use crate::petitions::issuing;
use crate::petitions::life::model::{REFUSAL_WORDS, State};
use crate::petitions::life::store::writing::Opened;
use crate::petitions::life::store::{self, PetitionRow, writing};
use crate::petitions::model::{REFUSALS, threshold};
use crate::web::{Role, Viewer};

/// Why a petition is refused.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// One of the published rules'.
    pub code: &'a str,
    pub words: &'a str,
}

/// What the log's leaf about a refusal holds the hash of.
pub fn refusal_document(code: &str, words: &str) -> Value {
    json!({"code": code, "words": words})
}

/// What opening a petition now would fix: the signatures from which the employer must answer, and the close.
pub async fn terms(db: &mut PgConnection, petition: &PetitionRow, now: Time) -> Result<(i32, Time)> {
    let epoch = petition.epoch.as_deref().ok_or(Error::NotFound)?;
    // A version of the roll that came between would make this leaf one that breaks the rule.
    issuing::hold_rolls(db).await?;
    let size = store::find_roll_size(db, epoch).await?.ok_or_else(|| {
        Error::conflict("No roll of this epoch is signed by both sides, so the threshold can’t be fixed.")
    })?;
    let size = u64::try_from(size).map_err(anyhow::Error::new)?;
    let threshold = i32::try_from(threshold(size)).map_err(anyhow::Error::new)?;
    // At a full hour, when batches go into the log.
    let closes_at = now.plus_days(i64::from(petition.open_days)).plus_seconds(3_599).full_hour();
    Ok((threshold, closes_at))
}

pub async fn open(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    viewer.acting_as(&[Role::Representative]).ok_or(Error::Forbidden)?;
    state.ledger.check_signing().await?;
    let mut tx = state.db.begin().await?;
    let petition = lock(&mut tx, id).await?;
    let leaf = newest(&mut tx, id).await?;
    let leaves = super::super::integrity::Leaves::load(&mut tx, &state.ledger, &[leaf.ledger_entry]).await?;
    if !leaves.version(&petition, &leaf).is_whole() {
        return Err(Error::conflict("What stands here isn’t what the log holds, so it can’t be opened."));
    }
    open_locked(&mut tx, &petition, Some(viewer.person_id), state.clock.now()).await?;
    tx.commit().await?;
    state.ledger.settle_or_wait().await;
    Ok(())
}

/// `by` is nobody when the time for the check is over.
pub(super) async fn open_locked(
    db: &mut PgConnection,
    petition: &PetitionRow,
    by: Option<Uuid>,
    now: Time,
) -> Result<()> {
    checking(petition)?;
    let (threshold, closes_at) = terms(db, petition, now).await?;
    let leaf = Leaf::Check(CheckLeaf {
        petition: hash(&newest(db, petition.id).await?.leaf_hash)?,
        outcome: Outcome::Opened,
        code: None,
        content: None,
        threshold: u64::try_from(threshold).map_err(anyhow::Error::new)?,
        closes_at: closes_at.to_string(),
    });
    let (entry, _) = enter_leaf(db, &leaf).await?;
    let opened = Opened { id: petition.id, by, at: now, closes_at, threshold, entry: entry.0 };
    writing::open(db, opened).await?;
    Ok(())
}

fn checking(petition: &PetitionRow) -> Result<()> {
    match petition.state() {
        State::Checking => Ok(()),
        State::Draft => Err(Error::NotFound),
        _ => Err(Error::conflict("It isn’t being checked (any more).")),
    }
}

fn check_words(refusal: &Refusal<'_>) -> Result<()> {
    let mut errors = FieldErrors::default();
    if !REFUSALS.iter().any(|(code, _)| *code == refusal.code) {
        errors.add("code", "Choose the rule that it breaks.");
    }
    let [least, most] = REFUSAL_WORDS;
    if !(least..=most).contains(&refusal.words.chars().count()) {
        errors.add("words", format!("Say why, in {least} to {most} characters. Everybody reads it."));
    }
    if let Some(words) = signs::problem(refusal.words) {
        errors.add("words", words);
    }
    errors.into_result()
}

pub async fn refuse(state: &AppState, viewer: &Viewer, id: Uuid, refusal: Refusal<'_>) -> Result<()> {
    viewer.acting_as(&[Role::Representative]).ok_or(Error::Forbidden)?;
    check_words(&refusal)?;
    state.ledger.check_signing().await?;
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let petition = lock(&mut tx, id).await?;
    checking(&petition)?;
    let (threshold, _) = terms(&mut tx, &petition, now).await?;
    let leaf = Leaf::Check(CheckLeaf {
        petition: hash(&newest(&mut tx, id).await?.leaf_hash)?,
        outcome: Outcome::Refused,
        code: Some(refusal.code.into()),
        content: Some(
            document_hash(&refusal_document(refusal.code, refusal.words)).map_err(anyhow::Error::new)?,
        ),
        threshold: u64::try_from(threshold).map_err(anyhow::Error::new)?,
        // From now on nobody can sign it.
        closes_at: now.to_string(),
    });
    let (entry, _) = enter_leaf(&mut tx, &leaf).await?;
    let why = (refusal.code, refusal.words);
    writing::refuse(&mut tx, id, viewer.person_id, why, now, entry.0).await?;
    tx.commit().await?;
    state.ledger.settle_or_wait().await;
    Ok(())
}
