//! A dry run and its end; each function is one transaction.

use axum::http::StatusCode;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::UPLOADERS;
use super::csv_file::{self, Choice, Refusal};
use super::formats::{Format, Kind, vendor};
use super::json_file;
use super::store::imports::{self as store, NewImport};
use super::tally::{Directory, Tallied, Tally};
use super::when::Reading;
use crate::app::AppState;
use crate::audit;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::web::{Role, Viewer};

/// Seconds for which a dry run waits.
pub const WAITS_SECONDS: i64 = 3600;

/// Dry runs that one person may make in an hour: each says a little about who is on the roll.
const AN_HOUR: i64 = 20;

const TRIED: &str = "export.tried";

/// Whether somebody may make one more dry run now; an error in words otherwise.
pub async fn check_rate(state: &AppState, viewer: &Viewer) -> Result<()> {
    let since = state.clock.now().plus_seconds(-3600);
    let mut db = state.db.acquire().await?;
    match audit::count_own(&mut db, viewer.person_id, TRIED, since).await? < AN_HOUR {
        true => Ok(()),
        false => Err(Error::Rejected(
            StatusCode::TOO_MANY_REQUESTS,
            "You have made 20 dry runs within an hour. Wait a little.".into(),
        )),
    }
}

pub struct Uploaded {
    pub format: &'static Format,
    pub file: Vec<u8>,
    pub choice: Choice,
    pub reading: Reading,
}

impl Uploaded {
    fn count(&self, directory: &Directory, state: &AppState, now: Time) -> Result<Tallied, Refusal> {
        let mut tally = Tally::new(directory, &self.reading, &state.config.time_zone, now);
        match self.format.kind {
            Kind::Csv => csv_file::read(&self.file, self.format, &self.choice, &mut tally)?,
            Kind::Json => json_file::read(&self.file, self.format, &mut tally)?,
        }
        if tally.plan.rows == 0 {
            return Err(Refusal::new("There are no records in this file."));
        }
        Ok(tally.finish())
    }
}

/// The role in which somebody imports.
fn role(viewer: &Viewer) -> Result<Role> {
    viewer.acting_as(UPLOADERS).ok_or(Error::Forbidden)
}

/// Counts a file and keeps the counts, for an hour; answers the dry run's id.
pub async fn prepare(state: &AppState, viewer: &Viewer, uploaded: Uploaded) -> Result<Result<Uuid, Refusal>> {
    let now = state.clock.now();
    let mut db = state.db.acquire().await?;
    let directory = store::directory(&mut db, &state.config.time_zone).await?;
    drop(db);
    let counting = {
        let state = state.clone();
        move || {
            let sha256 = Sha256::digest(&uploaded.file).to_vec();
            let tallied = uploaded.count(&directory, &state, now);
            (uploaded.format, sha256, uploaded.file.len(), tallied)
        }
    };
    // Off the threads that answer others; the file is gone when this ends.
    let counted = tokio::task::spawn_blocking(counting).await;
    let (format, sha256, bytes, tallied) =
        counted.map_err(|_| anyhow::anyhow!("the counting was cut off"))?;
    let tallied = match tallied {
        Ok(tallied) => tallied,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let id = state.random.uuid(now);
    let new = NewImport {
        id,
        program: &format.program,
        format: &format.format,
        by_id: viewer.person_id,
        by_role: role(viewer)?.id(),
        at: now,
        expires_at: now.plus_seconds(WAITS_SECONDS),
        file_sha256: &sha256,
        bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        plan: serde_json::to_value(&tallied.plan).map_err(anyhow::Error::new)?,
        days: tallied.days,
        records: tallied.records(),
        people: tallied.people,
    };
    let mut tx = state.db.begin().await?;
    store::delete_expired(&mut tx, now).await?;
    store::insert_import(&mut tx, &new).await?;
    store::insert_counts(&mut tx, id, &tallied.counts).await?;
    let reason = format!("An export of {}", vendor(&format.program));
    let entry = audit::Entry { action: TRIED, subject: None, object: Some(id), reason: Some(&reason) };
    audit::record(&mut tx, state, viewer, role(viewer)?, entry).await?;
    tx.commit().await?;
    Ok(Ok(id))
}

/// Takes a dry run's counts: of each person, day and category the most that any export held.
pub async fn confirm(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    lock_own(&mut tx, viewer, id, now).await?;
    let people = store::list_people_of(&mut tx, id).await?;
    store::merge_counts(&mut tx, id).await?;
    store::set_confirmed(&mut tx, id, now).await?;
    for person in people {
        let entry =
            audit::Entry { action: "export.imported", subject: Some(person), object: Some(id), reason: None };
        audit::record(&mut tx, state, viewer, role(viewer)?, entry).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Throws a dry run away.
pub async fn discard(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    lock_own(&mut tx, viewer, id, state.clock.now()).await?;
    store::delete_import(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether this is somebody's own dry run that still waits.
pub async fn check_own(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    lock_own(&mut tx, viewer, id, state.clock.now()).await
}

/// Somebody's own dry run that still waits; another's is not found.
async fn lock_own(db: &mut sqlx::PgConnection, viewer: &Viewer, id: Uuid, now: Time) -> Result<()> {
    let row = store::lock_import(db, id).await?;
    let row = row.filter(|row| row.by_id == viewer.person_id).ok_or(Error::NotFound)?;
    if row.is_confirmed {
        return Err(Error::conflict("These counts were taken already."));
    }
    if row.expires_at <= now {
        return Err(Error::Rejected(
            StatusCode::GONE,
            "This dry run is over: its counts were kept for an hour. Upload the file again.".into(),
        ));
    }
    Ok(())
}

pub async fn forget_expired(state: &AppState) -> Result<()> {
    let mut db = state.db.acquire().await?;
    Ok(store::delete_expired(&mut db, state.clock.now()).await?)
}
