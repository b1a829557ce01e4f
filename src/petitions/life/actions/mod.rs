//! What changes petitions; each function is one transaction.

mod answer;
mod check;
mod clock;
pub mod confidential;
mod drafts;
mod follow;
mod submit;
mod updates;

pub use answer::answer;
pub use check::{Refusal, open, refusal_document, refuse, terms};
pub use clock::{advance, close};
pub use drafts::{delete, insert, save};
pub use follow::{follow, seen, unfollow};
pub use submit::{give_up, revise, submit};
pub use updates::update;

use jiff::tz::TimeZone;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{About, AboutKind, Document, State};
use super::store::{self, PetitionRow, VersionRow};
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::error::{Error, Result};
use crate::ledger::proof::petition::{Credential, PetitionLeaf};
use crate::ledger::{self, EntryId, Hash, Leaf, document_hash};
use crate::petitions::model::SEEKING_DAYS;

pub const NOT_NOW: &str = "It stands elsewhere by now. Look at the petition again.";

/// The petition, held until the transaction ends.
async fn lock(db: &mut PgConnection, id: Uuid) -> Result<PetitionRow> {
    if !store::lock(db, id).await? {
        return Err(Error::NotFound);
    }
    store::find(db, id).await?.ok_or(Error::NotFound)
}

/// As [`lock`], for its author with a name: for everybody else a draft isn't there.
async fn lock_own(db: &mut PgConnection, id: Uuid, author: Uuid) -> Result<PetitionRow> {
    let row = lock(db, id).await?;
    match (row.is_by(author), row.state()) {
        (true, _) => Ok(row),
        (false, State::Draft) => Err(Error::NotFound),
        (false, _) => Err(Error::Forbidden),
    }
}

/// The version that is signed.
async fn newest(db: &mut PgConnection, petition: Uuid) -> Result<VersionRow> {
    store::list_versions(db, petition).await?.into_iter().next().ok_or(Error::NotFound)
}

fn hash(bytes: &[u8]) -> Result<Hash> {
    Ok(Hash::try_from(bytes).map_err(anyhow::Error::new)?)
}

/// The organisation's day.
fn today(state: &AppState) -> Day {
    state.clock.now().day(&state.config.time_zone)
}

/// The end of the last day of support. Whole days: a moment could be laid beside a session.
fn seeking_until(now: Time, zone: &TimeZone) -> Time {
    now.day(zone).plus_days(SEEKING_DAYS + 1).start(zone)
}

/// A text as it will stand in the log.
struct Text<'a> {
    petition: Uuid,
    version: i32,
    previous: Option<Hash>,
    document: &'a Document,
    epoch: &'a str,
    slot: i32,
    /// Of an author without a name.
    author: Option<(Credential, String)>,
}

/// Hands in a version's leaf and keeps its text.
async fn enter(db: &mut PgConnection, text: Text<'_>, now: Time) -> Result<()> {
    let document = serde_json::to_value(text.document).map_err(anyhow::Error::new)?;
    let content = document_hash(&document).map_err(anyhow::Error::new)?;
    let confidential = text.author.is_some();
    let (author, signature) = text.author.unzip();
    let leaf = Leaf::Petition(PetitionLeaf {
        petition: text.petition,
        version: u64::try_from(text.version).map_err(anyhow::Error::new)?,
        previous: text.previous,
        content,
        epoch: text.epoch.into(),
        slot: u64::try_from(text.slot).map_err(anyhow::Error::new)?,
        author,
        signature,
    });
    // Who watches the log must not be able to lay a confidential author's leaf beside a session: it waits for the full
    // hour, among whatever else an hour brings. Support is sought for thirty days; an hour of it is a small price.
    let entry = match confidential {
        true => ledger::submit_for_the_hour(db, &leaf, now).await?,
        false => ledger::submit(db, &leaf).await?,
    };
    let leaf_hash = ledger::leaf_hash_of(db, entry).await?;
    let new = store::writing::NewVersion {
        petition: text.petition,
        version: text.version,
        document: &document,
        content: &content.0,
        leaf_hash: &leaf_hash.0,
        entry: entry.0,
    };
    store::writing::insert_version(db, new).await?;
    Ok(())
}

async fn enter_leaf(db: &mut PgConnection, leaf: &Leaf) -> Result<(EntryId, Hash)> {
    let entry = ledger::submit(db, leaf).await?;
    Ok((entry, ledger::leaf_hash_of(db, entry).await?))
}

/// The lowest slot that no petition of the epoch has.
async fn free_slot(db: &mut PgConnection, epoch: &str) -> Result<i32> {
    let taken = store::writing::lock_taken_slots(db, epoch).await?;
    let slots = i32::try_from(crate::ledger::proof::petition::SLOTS).map_err(anyhow::Error::new)?;
    (1..slots).find(|slot| !taken.contains(slot)).ok_or_else(|| {
        Error::conflict(
            "Every credential of this epoch has its petition. A new epoch begins soon; then yours can start.",
        )
    })
}

async fn epoch(db: &mut PgConnection, now: Time) -> Result<store::EpochRow> {
    store::find_epoch(db, now).await?.ok_or_else(|| {
        Error::conflict(
            "No epoch has begun yet: the representatives’ server must be connected, and must have signed the roll, \
             before anybody can sign. Your draft stays.",
        )
    })
}

/// Refuses what doesn't stand here, or isn't anybody's business yet.
async fn check_about(db: &mut PgConnection, about: Option<About>) -> Result<()> {
    match about {
        Some(about) if super::about::find(db, about).await?.is_none() => Err(Error::invalid(
            "about",
            "What it is about isn’t there (any more). Choose again, or leave it out.",
        )),
        _ => Ok(()),
    }
}

/// `processing:UUID`, `notice:UUID` or nothing, as a form sends it.
pub fn parse_about(text: &str) -> Result<Option<About>> {
    match text.trim() {
        "" => Ok(None),
        text => About::parse(text)
            .map(Some)
            .ok_or_else(|| Error::invalid("about", "Choose from the list, or leave it out.")),
    }
}

/// As a program sends it.
pub fn about_of(kind: Option<&str>, id: Option<Uuid>) -> Result<Option<About>> {
    match (kind, id) {
        (None, None) => Ok(None),
        (Some(kind), Some(id)) => {
            let kind = AboutKind::parse(kind);
            let kind = kind.ok_or_else(|| Error::invalid("/about_kind", "is processing or notice"))?;
            Ok(Some(About { kind, id }))
        }
        _ => Err(Error::invalid("/about_id", "about_kind and about_id come together")),
    }
}
