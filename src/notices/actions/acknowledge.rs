//! Receipt of information. Nothing here is consent, and no choice of anybody is changed by it.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::AppState;
use crate::error::{Error, Result};
use crate::identity;
use crate::notices::integrity;
use crate::notices::model::Version;
use crate::notices::reader::{Reader, Standing, standing};
use crate::notices::signs;
use crate::notices::store::reading::{HeadRow, Shown};
use crate::notices::store::{self, reading};
use crate::web::Viewer;

pub const REASON_LENGTH: usize = 2_000;

const ACKNOWLEDGED: &str = "You have acknowledged this version already; that stays on record.";

/// What stood on the page that the form was on.
#[derive(Debug)]
pub struct Seen<'a> {
    pub version: Uuid,
    pub language: &'a str,
    /// SHA-256 of the version's document, in hexadecimal digits.
    pub content: &'a str,
}

/// What an answer is about, checked: the newest version, whole, and asked of this person.
struct Asked {
    head: HeadRow,
    reader: Reader,
    content_sha256: [u8; 32],
    standing: Standing,
}

async fn asked(
    db: &mut PgConnection,
    state: &AppState,
    viewer: &Viewer,
    notice: Uuid,
    seen: &Seen<'_>,
) -> Result<Asked> {
    let head = reading::list_heads(db, Some(notice)).await?.into_iter().next().ok_or(Error::NotFound)?;
    let version: Version = store::find_version(db, head.version_id).await?.ok_or(Error::NotFound)?;
    if head.version_id != seen.version {
        return Err(Error::conflict("A newer version was published meanwhile. Please read that one."));
    }
    let found = integrity::check(db, &state.ledger, &version).await?;
    if !found.is_whole() || found.hex() != seen.content {
        return Err(Error::conflict(
            "The text here isn’t the one that was published, so it can’t be acknowledged or declined.",
        ));
    }
    if version.text(seen.language).is_none() {
        return Err(Error::conflict("This version doesn’t exist in that language."));
    }
    let person = identity::find_person(db, viewer.person_id).await?.ok_or(Error::NotFound)?;
    let reader = Reader::of(&person);
    let receipts = reading::list_receipts(db, reader.id, Some(notice)).await?;
    let standing = standing(&reader, &head, &receipts);
    if !head.acknowledgement_wanted || matches!(standing, Standing::NotConcerned | Standing::Retracted) {
        return Err(Error::conflict("Nothing is asked of you about this notice."));
    }
    Ok(Asked { head, reader, content_sha256: found.content_sha256, standing })
}

/// Records that the person has read the version shown. A decline before is gone with it.
pub async fn acknowledge(state: &AppState, viewer: &Viewer, notice: Uuid, seen: Seen<'_>) -> Result<()> {
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let asked = asked(&mut tx, state, viewer, notice, &seen).await?;
    if matches!(asked.standing, Standing::Acknowledged(_)) {
        return Ok(());
    }
    reading::clear_declined(&mut tx, notice, asked.head.major, viewer.person_id).await?;
    let shown = Shown {
        version: asked.head.version_id,
        person: viewer.person_id,
        language: seen.language,
        content_sha256: &asked.content_sha256,
    };
    let law = asked.head.proof_demanded(&asked.reader);
    reading::upsert_acknowledged(&mut tx, shown, law, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Records that the person doesn't want to acknowledge it. The reason is for themselves: nobody is shown it.
pub async fn decline(
    state: &AppState,
    viewer: &Viewer,
    notice: Uuid,
    seen: Seen<'_>,
    reason: Option<&str>,
) -> Result<()> {
    if reason.is_some_and(|r| r.chars().count() > REASON_LENGTH) {
        return Err(Error::invalid("decline_reason", format!("Use at most {REASON_LENGTH} characters.")));
    }
    if let Some(words) = reason.and_then(signs::problem) {
        return Err(Error::invalid("decline_reason", words));
    }
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let asked = asked(&mut tx, state, viewer, notice, &seen).await?;
    if matches!(asked.standing, Standing::Acknowledged(_)) {
        return Err(Error::conflict(ACKNOWLEDGED));
    }
    let shown = Shown {
        version: asked.head.version_id,
        person: viewer.person_id,
        language: seen.language,
        content_sha256: &asked.content_sha256,
    };
    // In another tab it may have been acknowledged since it was looked at above.
    if !reading::upsert_declined(&mut tx, shown, reason, now).await? {
        return Err(Error::conflict(ACKNOWLEDGED));
    }
    tx.commit().await?;
    Ok(())
}

/// Records that the list of notices showed these versions to somebody.
pub async fn deliver(state: &AppState, person: Uuid, versions: &[Uuid]) -> Result<()> {
    let mut tx = state.db.begin().await?;
    reading::insert_delivered(&mut tx, versions, &[person], state.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Records that a worker opened the page of a version.
pub async fn view(
    state: &AppState,
    person: Uuid,
    version: Uuid,
    language: &str,
    content_sha256: &[u8],
) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let shown = Shown { version, person, language, content_sha256 };
    reading::upsert_viewed(&mut tx, shown, state.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// The newest version of a notice, and the hash that its page's forms carry.
pub async fn newest(state: &AppState, notice: Uuid) -> Result<(Uuid, String)> {
    let mut db = state.db.acquire().await?;
    let heads = reading::list_heads(&mut db, Some(notice)).await?;
    let version = heads.first().ok_or(Error::NotFound)?.version_id;
    let shown = store::find_version(&mut db, version).await?.ok_or(Error::NotFound)?;
    Ok((version, integrity::check(&mut db, &state.ledger, &shown).await?.hex()))
}
