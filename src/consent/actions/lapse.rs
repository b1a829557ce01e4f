//! A yes that has run out. It counts no more from that moment on; the row only says so, for the history and
//! the log.

use super::{Step, add};
use crate::app::AppState;
use crate::consent::cases;
use crate::consent::model::State;
use crate::consent::store::decisions;
use crate::consent::tell::tell_systems;
use crate::error::{Error, Result};
use crate::notices;

/// Taken at once.
const AT_ONCE: i64 = 200;

/// Enters what has run out; answers how many.
pub async fn enter_lapsed(state: &AppState) -> Result<usize> {
    let now = state.clock.now();
    let mut db = state.db.acquire().await?;
    let lapsed = decisions::list_lapsed(&mut db, now, AT_ONCE).await?;
    drop(db);
    let mut entered = 0;
    for id in lapsed {
        let mut tx = state.db.begin().await?;
        let Some(decision) = decisions::find(&mut tx, id).await? else { continue };
        let (audience, case) = cases::find(&mut tx, decision.person_id, decision.processing_id, now).await?;
        let told = notices::find_told(&mut tx, &state.ledger, decision.version_id).await?;
        let step = Step {
            person: decision.person_id,
            state: State::Expired,
            by_role: "system",
            by_id: None,
            until: None,
            reason: None,
            named: false,
            due_at: None,
            language: decision.language.clone(),
            text_sha256: decision.text_sha256.as_slice().try_into().map_err(anyhow::Error::new)?,
            terms: decision.terms,
            told: &told,
        };
        match add(&mut tx, state, &audience, &case, step).await {
            Ok(made) => tell_systems(&mut tx, state, &made).await?,
            // Another instance has, or its person has said yes again.
            Err(Error::Conflict(_)) => continue,
            Err(error) => return Err(error),
        }
        tx.commit().await?;
        state.consent.refresh(&[decision.person_id]).await;
        entered += 1;
    }
    Ok(entered)
}
