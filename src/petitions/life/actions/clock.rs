//! What time brings: support found or not, a check that nobody did, a threshold reached, a close.

use sqlx::PgConnection;
use uuid::Uuid;

use super::check::open_locked;
use super::{enter_leaf, hash, lock, newest};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::Result;
use crate::ledger::Leaf;
use crate::ledger::proof::petition::{CloseLeaf, FEW, ReachedLeaf};
use crate::petitions::life::counts as shown;
use crate::petitions::life::model::State;
use crate::petitions::life::store::{self, PetitionRow, counts, lists, writing};
use crate::petitions::model::{ANSWER_DAYS, CHECKING_DAYS, SUPPORTERS};
use crate::petitions::signing;

/// Moves every petition for which a time has come. What fails is tried again at the next look, and holds up nothing
/// else.
pub async fn advance(state: &AppState) -> Result<()> {
    let now = state.clock.now();
    let mut db = state.db.acquire().await?;
    let checked_before = now.plus_days(-CHECKING_DAYS);
    let due = lists::list_due(&mut db, now.full_hour(), checked_before, now).await?;
    let reached = lists::list_reached(&mut db).await?;
    drop(db);
    if due.is_empty() && reached.is_empty() {
        return Ok(());
    }
    // Nothing is moved while the log refuses to sign.
    state.ledger.check_signing().await?;
    for id in due {
        if let Err(error) = step(state, id).await {
            tracing::warn!(petition = %id, %error, "a petition could not be moved on; tried again soon");
        }
    }
    for id in reached {
        if let Err(error) = start_clock(state, id).await {
            tracing::warn!(petition = %id, %error, "the employer's clock could not be started; tried again soon");
        }
    }
    state.ledger.settle_or_wait().await;
    Ok(())
}

async fn start_clock(state: &AppState, id: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let petition = lock(&mut tx, id).await?;
    note_reached(&mut tx, &petition, state.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

async fn step(state: &AppState, id: Uuid) -> Result<()> {
    let now = state.clock.now();
    let found = store::find(&mut *state.db.acquire().await?, id).await?;
    if found.is_some_and(|p| p.state() == State::Open) {
        return close(state, id).await;
    }
    let mut tx = state.db.begin().await?;
    let petition = lock(&mut tx, id).await?;
    match petition.state() {
        State::Seeking => look_for_support(&mut tx, state, &petition).await?,
        State::Checking if has_waited(&petition, now) => open_locked(&mut tx, &petition, None, now).await?,
        _ => {}
    }
    tx.commit().await?;
    Ok(())
}

fn has_waited(petition: &PetitionRow, now: Time) -> bool {
    petition.checking_since.is_some_and(|since| since.plus_days(CHECKING_DAYS) <= now)
}

/// Once an hour, and with no more than the day kept: when the fifth colleague came is nobody's business.
async fn look_for_support(db: &mut PgConnection, state: &AppState, petition: &PetitionRow) -> Result<()> {
    let now = state.clock.now();
    writing::set_looked_at(db, petition.id, now.full_hour()).await?;
    let leaf = newest(db, petition.id).await?.leaf_hash;
    if counts::count_supporters(db, &leaf, SUPPORTERS).await? >= SUPPORTERS {
        let zone = &state.config.time_zone;
        writing::begin_checking(db, petition.id, now.day(zone).start(zone)).await?;
    } else if petition.seeking_until.is_some_and(|until| until <= now) {
        writing::set_state(db, petition.id, State::Lapsed.id()).await?;
    }
    Ok(())
}

/// Starts the employer's clock at the threshold, in the log. It is started once; who withdraws later doesn't stop it.
async fn note_reached(db: &mut PgConnection, petition: &PetitionRow, now: Time) -> Result<()> {
    // A batch that came between the count and the leaf would make the leaf's number a wrong one.
    signing::hold_batches(db).await?;
    let leaf = newest(db, petition.id).await?.leaf_hash;
    let total = counts::find_total(db, &leaf).await?;
    let reached = petition.threshold.is_some_and(|threshold| total >= i64::from(threshold));
    if !reached || petition.reached_at.is_some() || petition.state() != State::Open {
        return Ok(());
    }
    // To the minute, as everybody reads it.
    let due = now.plus_seconds(59).full_minute().plus_days(ANSWER_DAYS);
    let reached = Leaf::Reached(ReachedLeaf {
        petition: hash(&leaf)?,
        signatures: u64::try_from(total).map_err(anyhow::Error::new)?,
        answer_due_at: due.to_string(),
    });
    let (entry, _) = enter_leaf(db, &reached).await?;
    writing::set_reached(db, petition.id, (now, due), entry.0).await?;
    Ok(())
}

/// Closes a petition whose time is over, with the last batch in the log.
pub async fn close(state: &AppState, id: Uuid) -> Result<()> {
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let petition = lock(&mut tx, id).await?;
    if petition.state() != State::Open || petition.closes_at.is_none_or(|at| at > now) {
        return Ok(());
    }
    let leaf = newest(&mut tx, id).await?.leaf_hash;
    signing::close_out(&mut tx, state, &hash(&leaf)?).await?;
    note_reached(&mut tx, &petition, now).await?;
    let total = shown::shown(counts::find_total(&mut tx, &leaf).await?).unwrap_or(0);
    let signatures = u64::try_from(total).unwrap_or(0);
    debug_assert!(signatures == 0 || signatures >= FEW);
    let closing = Leaf::Close(CloseLeaf { petition: hash(&leaf)?, signatures });
    let (entry, _) = enter_leaf(&mut tx, &closing).await?;
    writing::close(&mut tx, id, now, entry.0).await?;
    tx.commit().await?;
    Ok(())
}
