//! Batches: at fixed times, five or more at once, in an order that tells nothing.

use sqlx::PgConnection;

use super::store::{self, WaitingRow};
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::error::Result;
use crate::ledger;
use crate::ledger::proof::tree::Hash;
use crate::petitions::model::{FEW, RESERVE, batch_size, turn};

/// Leaves that one transaction enters at most.
const PART: i64 = 10_000;

/// Publishes what waits when a full hour has passed since the last time, or since this server began: at no other
/// moment, or a restart would make one.
pub async fn publish_due(state: &AppState) -> Result<()> {
    let now = state.clock.now();
    match state.petitions.begin_turn(turn(now, state.config.demo)) {
        true => publish(state, now).await,
        false => Ok(()),
    }
}

async fn publish(state: &AppState, now: Time) -> Result<()> {
    let mut db = state.db.acquire().await?;
    let due = store::list_due(&mut db, FEW as i64 + RESERVE, now).await?;
    drop(db);
    for (petition, waiting) in due {
        // What holds one petition up holds up no other.
        if let Err(error) = publish_one(state, &petition, waiting, now).await {
            let petition =
                Hash::try_from(petition.as_slice()).map(|hash| hash.to_string()).unwrap_or_default();
            tracing::error!(%petition, ?error, "a petition's signatures could not be published; tried again soon");
        }
    }
    state.ledger.settle_or_wait().await;
    Ok(())
}

/// No batch goes into the log until the caller's transaction ends.
pub async fn hold_batches(db: &mut PgConnection) -> Result<()> {
    Ok(store::lock_publisher(db).await?)
}

async fn publish_one(state: &AppState, petition: &[u8], waiting: i64, now: Time) -> Result<()> {
    let day = now.day(&state.config.time_zone);
    let mut left = batch_size(waiting, false);
    while left > 0 {
        // Also the last part of many must not be small.
        let part = if left < 2 * PART { left } else { PART };
        let mut tx = state.db.begin().await?;
        store::lock_publisher(&mut tx).await?;
        // Another instance may have been here.
        let part = part.min(batch_size(store::count_waiting(&mut tx, petition).await?, false));
        if part > 0 {
            enter(&mut tx, petition, part, day).await?;
        }
        tx.commit().await?;
        left = if part > 0 { left - part } else { 0 };
    }
    Ok(())
}

/// Takes the order of arrival out of what came in since the last time.
pub async fn forget_order(state: &AppState) -> Result<()> {
    if !state.petitions.intake().take_arrived() {
        return Ok(());
    }
    let mut tx = state.db.begin().await?;
    store::lock_publisher(&mut tx).await?;
    store::rewrite_waiting(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Forgets what waits for versions that never opened, or were written anew: nobody is to read who supported them.
pub async fn forget_waiting(state: &AppState) -> Result<()> {
    let mut db = state.db.acquire().await?;
    Ok(store::delete_left_over(&mut db).await?)
}

/// Publishes everything that waits for a version that takes no more, in the caller's transaction; fewer than five
/// are forgotten. Answers the signatures that stand. Call `Ledger::settle` after the commit.
pub async fn close_out(db: &mut PgConnection, state: &AppState, petition: &Hash) -> Result<i64> {
    store::lock_publisher(db).await?;
    let petition = &petition.0[..];
    let size = batch_size(store::count_waiting(db, petition).await?, true);
    if size > 0 {
        enter(db, petition, size, state.clock.now().day(&state.config.time_zone)).await?;
    }
    store::delete_waiting(db, petition).await?;
    Ok(store::find_total(db, petition).await?.into())
}

/// Puts one batch into the log and into the tables that pages read.
async fn enter(db: &mut PgConnection, petition: &[u8], size: i64, day: Day) -> Result<()> {
    let rows = store::take_waiting(db, petition, size).await?;
    let leaves: Vec<Vec<u8>> = rows.iter().map(|row| row.leaf.clone()).collect();
    let entries: Vec<i64> = ledger::submit_many(db, &leaves).await?.iter().map(|id| id.0).collect();
    store::upsert_signatures(db, petition, &rows, &entries).await?;

    let stood = |row: &&WaitingRow| row.before.as_deref() == Some("sign");
    let signs = |row: &&WaitingRow| row.kind == "sign";
    let signed = rows.iter().filter(signs).filter(|row| !stood(row)).count() as i32;
    let withdrawn = rows.iter().filter(stood).filter(|row| !signs(row)).count() as i32;
    let total = store::find_total(db, petition).await? + signed - withdrawn;
    store::add_to_count(db, petition, day, (signed, withdrawn, total)).await?;

    let keys: Vec<Vec<u8>> = rows.iter().map(|row| row.key.clone()).collect();
    let gone = store::delete_signers(db, petition, &keys).await?;
    let named: Vec<&WaitingRow> = rows.iter().filter(|row| row.signer_id.is_some()).collect();
    let come = store::insert_signers(db, petition, &named).await?;
    let change: Vec<i32> = come.iter().map(|_| 1).chain(gone.iter().map(|_| -1)).collect();
    let departments: Vec<String> = come.into_iter().chain(gone).collect();
    store::add_to_departments(db, petition, &departments, &change).await?;
    Ok(())
}
