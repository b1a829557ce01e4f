//! Questions about notices: asked, answered, withdrawn.

use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::app::AppState;
use crate::clock::Day;
use crate::error::{Error, FieldErrors, Result};
use crate::notices::signs;
use crate::notices::store::questions::{self as store, NewQuestion};
use crate::notices::store::reading;
use crate::web::{Role, Viewer};

pub const QUESTION_LENGTH: usize = 2_000;
pub const ANSWER_LENGTH: usize = 5_000;

/// Questions of one person that may wait at a time.
const WAITING_AT_MOST: i64 = 20;

/// What a worker wants to know, and who shall see it.
#[derive(Debug)]
pub struct Question<'a> {
    pub version: Uuid,
    pub text: &'a str,
    pub public: bool,
    pub named: bool,
}

fn today(state: &AppState) -> Day {
    state.clock.now().day(&TimeZone::UTC)
}

pub async fn ask(state: &AppState, viewer: &Viewer, notice: Uuid, question: Question<'_>) -> Result<Uuid> {
    let text = question.text.trim();
    let mut errors = FieldErrors::default();
    if text.is_empty() {
        errors.add("question", "Write your question.");
    }
    if text.chars().count() > QUESTION_LENGTH {
        errors.add("question", format!("Use at most {QUESTION_LENGTH} characters."));
    }
    if let Some(words) = signs::problem(text) {
        errors.add("question", words);
    }
    errors.into_result()?;
    // Neither the id nor what is stored tells more than the day.
    let id = state.random.opaque_id();
    let mut tx = state.db.begin().await?;
    let heads = reading::list_heads(&mut tx, Some(notice)).await?;
    if !heads.iter().any(|h| h.version_id == question.version) {
        return Err(Error::NotFound);
    }
    if store::count_waiting(&mut tx, viewer.person_id).await? >= WAITING_AT_MOST {
        return Err(Error::invalid(
            "question",
            format!("{WAITING_AT_MOST} of your questions wait for an answer. Withdraw one first."),
        ));
    }
    let new = NewQuestion {
        id,
        notice,
        version: question.version,
        asked_by: viewer.person_id,
        public: question.public,
        named: question.named,
        text,
    };
    store::insert_question(&mut tx, new, today(state)).await?;
    tx.commit().await?;
    Ok(id)
}

/// Answers a question; says of which notice. No mail goes out: the list of mails would tell who asked.
pub async fn answer(state: &AppState, viewer: &Viewer, id: Uuid, text: &str) -> Result<Uuid> {
    let role = viewer.acting_as(&[Role::Publisher]).ok_or(Error::Forbidden)?;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > ANSWER_LENGTH {
        let words = format!("Write an answer of at most {ANSWER_LENGTH} characters.");
        return Err(Error::invalid(format!("answer-{id}"), words));
    }
    if let Some(words) = signs::problem(text) {
        return Err(Error::invalid(format!("answer-{id}"), words));
    }
    let mut tx = state.db.begin().await?;
    let held = store::lock_question(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if held.withdrawn {
        return Err(Error::NotFound);
    }
    if held.answered {
        return Err(Error::conflict("This question was answered already. An answer stays as it is."));
    }
    store::set_answer(&mut tx, id, text, viewer.person_id, role.id(), state.clock.now()).await?;
    tx.commit().await?;
    Ok(held.notice_id)
}

/// Withdraws one's own question while nobody has answered it; says of which notice.
pub async fn withdraw(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<Uuid> {
    let mut tx = state.db.begin().await?;
    let held = store::lock_question(&mut tx, id).await?.filter(|q| q.asked_by == viewer.person_id);
    let held = held.ok_or(Error::NotFound)?;
    if held.answered {
        return Err(Error::conflict("This question was answered meanwhile, so it stays."));
    }
    if !held.withdrawn {
        store::set_withdrawn(&mut tx, id, today(state)).await?;
    }
    tx.commit().await?;
    Ok(held.notice_id)
}
