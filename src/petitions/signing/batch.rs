//! Batches: at fixed times, five or more at once, in an order that tells nothing.

use sqlx::PgConnection;

use super::store::{self, WaitingRow};
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::error::Result;
use crate::ledger;
use crate::ledger::proof::tree::Hash;
use crate::petitions::model::{FEW, RESERVE, batch_size};

/// Leaves that one transaction enters at most.
const PART: i64 = 10_000;

/// The last full hour before `now`, in seconds since 1970; in the example every minute, so that people see it.
fn turn(state: &AppState, now: Time) -> i64 {
    let every = if state.config.demo { 60 } else { 3600 };
    now.jiff().as_second().div_euclid(every)
}

/// Publishes at a full hour what waits, once for each hour.
pub async fn publish_due(state: &AppState) -> Result<()> {
    let now = state.clock.now();
    let turn = turn(state, now);
    if state.petitions.is_published(turn) {
        return Ok(());
    }
    publish(state, now).await?;
    state.petitions.set_published(turn);
    Ok(())
}

async fn publish(state: &AppState, now: Time) -> Result<()> {
    let mut db = state.db.acquire().await?;
    let due = store::list_due(&mut db, FEW as i64 + RESERVE, now).await?;
    drop(db);
    let day = now.day(&state.config.time_zone);
    for (petition, waiting) in due {
        let mut left = batch_size(waiting, false);
        while left > 0 {
            // Also the last part of many must not be small.
            let part = if left < 2 * PART { left } else { PART };
            let mut tx = state.db.begin().await?;
            store::lock_publisher(&mut tx).await?;
            // Another instance may have been here.
            let part = part.min(batch_size(store::count_waiting(&mut tx, &petition).await?, false));
            if part > 0 {
                enter(&mut tx, &petition, part, day).await?;
            }
            tx.commit().await?;
            left = if part > 0 { left - part } else { 0 };
        }
    }
    state.ledger.settle_or_wait().await;
    Ok(())
}

/// No batch goes into the log until the caller's transaction ends.
pub async fn hold_batches(db: &mut PgConnection) -> Result<()> {
    Ok(store::lock_publisher(db).await?)
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
