//! The employer's answer: dated, in the log, and never rewritten. A second one stands above the first.

use serde_json::json;
use uuid::Uuid;

use super::{enter_leaf, hash, lock, newest};
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::ledger::proof::petition::AnswerLeaf;
use crate::ledger::{Leaf, document_hash};
use crate::notices::{markdown, signs};
use crate::petitions::life::integrity::Leaves;
use crate::petitions::life::model::{ANSWER, State, thousands};
use crate::petitions::life::store::writing::{self, NewAnswer};
use crate::petitions::life::store::{self};
use crate::web::{Role, Viewer};

fn check(text: &str) -> Result<()> {
    let mut errors = FieldErrors::default();
    let [least, most] = ANSWER;
    if !(least..=most).contains(&text.chars().count()) {
        errors.add("text", format!("Use {least} to {} characters.", thousands(most)));
    }
    for words in markdown::problems(text).into_iter().chain(signs::problem(text)) {
        errors.add("text", words);
    }
    errors.into_result()
}

/// `seen` is the number of the newest answer that the writer has seen; 0 for none.
pub async fn answer(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32, text: &str) -> Result<()> {
    viewer.acting_as(&[Role::Publisher]).ok_or(Error::Forbidden)?;
    check(text)?;
    state.ledger.check_signing().await?;
    let mut tx = state.db.begin().await?;
    let petition = lock(&mut tx, id).await?;
    match petition.state() {
        State::Draft => return Err(Error::NotFound),
        state if !state.was_opened() => {
            return Err(Error::conflict("It isn’t open yet, or never will be: there is nothing to answer."));
        }
        _ => {}
    }
    let former = store::list_answers(&mut tx, id).await?.into_iter().next();
    let number = former.as_ref().map_or(0, |a| a.number);
    if number != seen {
        return Err(Error::conflict("Somebody else has answered meanwhile. Read that answer first."));
    }
    let number = number + 1;
    let version = newest(&mut tx, id).await?;
    let leaves = Leaves::load(&mut tx, &state.ledger, &[version.ledger_entry]).await?;
    if leaves.version(&petition, &version).is_broken() {
        return Err(Error::conflict(
            "What stands here isn’t what the log holds, so nobody can tell what this would answer.",
        ));
    }
    let petition_leaf = version.leaf_hash;
    let at = state.clock.now().full_minute();
    let document = json!({"petition": id, "number": number, "at": at, "text": text});
    let content = document_hash(&document).map_err(anyhow::Error::new)?;
    let leaf = Leaf::Answer(AnswerLeaf {
        petition: hash(&petition_leaf)?,
        number: u64::try_from(number).map_err(anyhow::Error::new)?,
        previous: former.map(|a| hash(&a.leaf_hash)).transpose()?,
        content,
    });
    let (entry, leaf_hash) = enter_leaf(&mut tx, &leaf).await?;
    let new = NewAnswer {
        petition: id,
        number,
        petition_leaf: &petition_leaf,
        document: &document,
        content: &content.0,
        leaf_hash: &leaf_hash.0,
        by: viewer.person_id,
        at,
        entry: entry.0,
    };
    writing::insert_answer(&mut tx, new).await?;
    tx.commit().await?;
    state.ledger.settle_or_wait().await;
    Ok(())
}
