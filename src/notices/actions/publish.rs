//! Publishing and retracting: state and leaf in one transaction, so that there is a whole publication or none.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Times, allow, check_register, check_times, lock, lock_any, publisher, reasoned};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::ledger::{self, Hash, Leaf, NoticeChange};
use crate::notices::life::{State, Step};
use crate::notices::model::{ChangeClass, Version};
use crate::notices::store::{self, Publication};
use crate::web::Viewer;

/// Publishes an approved version at once; `effective` is the first possible moment where it isn't chosen.
pub async fn publish_now(
    state: &AppState,
    viewer: &Viewer,
    id: Uuid,
    seen: i32,
    effective: Option<Time>,
    zone: &str,
) -> Result<()> {
    publisher(viewer)?;
    state.ledger.check_signing().await?;
    let mut tx = state.db.begin().await?;
    let version = lock(&mut tx, id, seen).await?;
    allow(&version, Step::Publish)?;
    let now = super::now_for(state, &version);
    let times = Times { publish: now, effective, zone: zone.into() };
    let effective = check_times(&version, &times)?;
    check_former(&mut tx, &version).await?;
    check_register(&mut tx, &version).await?;
    write(&mut tx, &version, &times, effective, now).await?;
    tx.commit().await?;
    state.ledger.settle_or_wait().await;
    Ok(())
}

/// Publishes whatever is scheduled and due; answers how many. Several instances may run it at once: each
/// takes other notices. What can't be published goes back to approved, with the reason. What fails otherwise is
/// tried again at the next look, and holds up nothing that comes after it in line.
pub async fn publish_due(state: &AppState) -> Result<usize> {
    let (mut published, mut failed) = (0, Vec::new());
    loop {
        let mut tx = state.db.begin().await?;
        let Some(id) = store::lock_due(&mut tx, state.clock.now(), &failed).await? else { break };
        // Nothing is committed while the log refuses to sign: it is tried again.
        state.ledger.check_signing().await?;
        let version = lock_any(&mut tx, id).await?;
        let now = super::now_for(state, &version);
        // Another instance may have published it until the lock was ours.
        if version.state == State::Scheduled && version.publish_at.is_some_and(|at| at <= now) {
            match publish_scheduled(&mut tx, &version, now).await {
                Ok(()) => published += 1,
                Err(Error::Conflict(words)) => store::unschedule(&mut tx, id, Some(&words), now).await?,
                // Nothing is written before these: what comes after it in line must not wait for it.
                Err(Error::Invalid(errors)) => {
                    let words = errors.iter().next().map(|e| e.message.to_string()).unwrap_or_default();
                    store::unschedule(&mut tx, id, Some(&words), now).await?;
                }
                Err(error) => {
                    tracing::warn!(version = %id, %error, "a scheduled notice could not be published; tried again soon");
                    failed.push(id);
                    continue;
                }
            }
        }
        tx.commit().await?;
    }
    if published > 0 {
        state.ledger.settle_or_wait().await;
    }
    Ok(published)
}

async fn publish_scheduled(db: &mut PgConnection, version: &Version, now: Time) -> Result<()> {
    check_former(db, version).await?;
    check_register(db, version).await?;
    let planned = version.publish_at.unwrap_or(now);
    let mut times = Times { publish: now, effective: None, zone: version.time_zone.clone() };
    // When the server was late, what the law gives people begins late, too.
    let first = check_times(version, &times)?;
    let effective = version.effective_at.map_or(first, |chosen| chosen.max(first));
    times.publish = planned;
    write(db, version, &times, effective, now).await
}

/// A correction needs what it corrects.
async fn check_former(db: &mut PgConnection, version: &Version) -> Result<()> {
    let Some((id, number)) = version.supersedes else { return Ok(()) };
    let former = store::find_version(db, id).await?.ok_or(Error::NotFound)?;
    if version.class == ChangeClass::Editorial && former.state != State::Published {
        return Err(Error::conflict(format!(
            "Version {number}, which this corrects, was retracted. Set this aside and write a new version."
        )));
    }
    Ok(())
}

async fn write(
    db: &mut PgConnection,
    version: &Version,
    times: &Times,
    effective: Time,
    now: Time,
) -> Result<()> {
    let mut published = version.clone();
    published.publish_at = Some(times.publish);
    published.effective_at = Some(effective);
    published.time_zone = times.zone.clone();
    published.published_at = Some(now);
    let change = match (version.supersedes, version.class) {
        (None, _) => NoticeChange::Published,
        (Some(_), ChangeClass::Editorial) => NoticeChange::Corrected,
        (Some(_), ChangeClass::Material) => NoticeChange::Changed,
    };
    let entry = submit(db, &published, change, &published.document()).await?;
    let publication = Publication {
        id: version.id,
        notice_id: version.notice_id,
        publish_at: times.publish,
        effective_at: effective,
        time_zone: &times.zone,
        published_at: now,
        ledger_entry: entry,
    };
    store::publish(db, &publication).await
}

async fn submit(
    db: &mut PgConnection,
    version: &Version,
    change: NoticeChange,
    document: &serde_json::Value,
) -> Result<i64> {
    let previous = store::last_leaf(db, version.notice_id).await?;
    let previous = previous.as_deref().map(Hash::try_from).transpose().map_err(anyhow::Error::new)?;
    let leaf = Leaf::Notice {
        notice: version.notice_id,
        version: version.number.to_string(),
        change,
        previous,
        content: ledger::document_hash(document).map_err(anyhow::Error::new)?,
    };
    Ok(ledger::submit(db, &leaf).await?.0)
}

/// Takes back what is published. It stays readable, marked as retracted, with the reason.
pub async fn retract(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32, reason: &str) -> Result<()> {
    publisher(viewer)?;
    let reason = reasoned(reason, "retract_reason")?;
    state.ledger.check_signing().await?;
    let mut tx = state.db.begin().await?;
    let version = lock(&mut tx, id, seen).await?;
    allow(&version, Step::Retract)?;
    let now = super::now_for(state, &version);
    let mut retracted = version.clone();
    retracted.retracted_at = Some(now);
    retracted.retraction_reason = Some(reason.into());
    let entry = submit(&mut tx, &retracted, NoticeChange::Retracted, &retracted.retraction()).await?;
    store::retract(&mut tx, id, reason, Some(entry), now).await?;
    tx.commit().await?;
    state.ledger.settle_or_wait().await;
    Ok(())
}
