//! Proposes epochs and versions of the roll to the representative.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::model::{self, GROUP};
use super::store::epochs::{self, EpochRow, Proposed};
use super::store::representative::{self, RepresentativeRow};
use super::store::roll::{self, EntryRow, WaitingRoll};
use super::store::{lock, wallets};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::Result;
use crate::ledger::Hash;
use crate::ledger::proof::petition::{SLOTS, roll_commitment, roll_root};

/// Proposes what is due: the next epoch, or a version of the roll with whoever came or made a key.
pub async fn propose(state: &AppState) -> Result<()> {
    let mut db = state.db.acquire().await?;
    let Some(server) = representative::find(&mut db).await? else { return Ok(()) };
    let next = due(&mut db, state, &server).await?;
    drop(db);
    if let Some(next) = &next {
        // Before any lock is held: making keys takes seconds.
        state.petitions.keys().open(&next.name).await?;
    }
    let mut tx = state.db.begin().await?;
    lock(&mut tx).await?;
    for person in wallets::list_without(&mut tx).await? {
        wallets::ensure(&mut tx, person, state.random.opaque_id()).await?;
    }
    if next.is_some() && due(&mut tx, state, &server).await? == next {
        open(&mut tx, &server, next.as_ref()).await?;
    }
    if let Some(epoch) = epochs::find_newest(&mut tx).await? {
        fill(&mut tx, state, &epoch).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// An epoch in use, by its name; the newest where none is given.
pub async fn find_in_use(db: &mut PgConnection, now: Time, name: Option<&str>) -> Result<Option<EpochRow>> {
    let Some(name) = name else { return Ok(epochs::find_begun(db).await?) };
    match epochs::list_in_use(db, now).await?.iter().any(|epoch| epoch == name) {
        true => Ok(epochs::find(db, name).await?),
        false => Ok(None),
    }
}

/// Days after an epoch's end for which its roll is kept: somebody could still ask how a count came about.
const KEPT_DAYS: i64 = 365;

/// Forgets rolls whose time is over.
pub async fn forget(state: &AppState) -> Result<()> {
    let mut tx = state.db.begin().await?;
    epochs::forget(&mut tx, state.clock.now().plus_days(-KEPT_DAYS)).await?;
    tx.commit().await?;
    Ok(())
}

/// An epoch that is to be proposed.
#[derive(Debug, PartialEq, Eq)]
struct Next {
    name: String,
    number: i32,
    ends_at: Time,
    /// A proposal of a time that is over, or to a server that was replaced.
    instead_of: Option<String>,
}

/// The epoch that is due: when there is none, the newest is over or its slots are used up, or another
/// representative's server has come.
async fn due(db: &mut PgConnection, state: &AppState, server: &RepresentativeRow) -> Result<Option<Next>> {
    let now = state.clock.now();
    let newest = epochs::find_newest(db).await?;
    if let Some(epoch) = &newest {
        let same_server =
            epoch.representative_key == server.public_key && epoch.representative_name == server.name;
        let is_used_up = epochs::count_slots(db, &epoch.epoch).await? >= SLOTS as i64 - 1;
        if same_server && now < epoch.ends_at && !is_used_up {
            return Ok(None);
        }
    }
    let (quarter, ends_at) = model::quarter(now, &state.config.time_zone);
    let proposed = newest.as_ref().filter(|epoch| epoch.leaf.is_none());
    let instead_of = proposed.map(|epoch| epoch.epoch.clone());
    let mut taken = epochs::list_names(db).await?;
    taken.retain(|name| Some(name) != instead_of.as_ref());
    let name = model::free_name(&quarter, &taken);
    let number = newest.as_ref().map_or(1, |epoch| epoch.number + i32::from(instead_of.is_none()));
    Ok(Some(Next { name, number, ends_at, instead_of }))
}

async fn open(db: &mut PgConnection, server: &RepresentativeRow, next: Option<&Next>) -> Result<()> {
    let Some(next) = next else { return Ok(()) };
    if let Some(former) = &next.instead_of {
        epochs::delete_proposed(db, former).await?;
    }
    let proposed = Proposed {
        epoch: &next.name,
        number: next.number,
        group: GROUP,
        representative: server.id,
        ends_at: next.ends_at,
    };
    Ok(epochs::insert(db, proposed).await?)
}

/// Brings the version that waits for a signature up to date.
async fn fill(db: &mut PgConnection, state: &AppState, epoch: &EpochRow) -> Result<()> {
    let signed = roll::find_signed(db, &epoch.epoch).await?.map_or(0, |(version, _)| version);
    let entries = roll::list(db, &epoch.epoch).await?;
    let changed = match signed {
        0 => begin_anew(db, state, epoch, &entries).await?,
        _ => grow(db, state, epoch, &entries, signed + 1).await?,
    };
    if !changed {
        return Ok(());
    }
    let entries = roll::list(db, &epoch.epoch).await?;
    let root = root_of(&entries)?.0.to_vec();
    let size = i32::try_from(entries.len()).map_err(anyhow::Error::new)?;
    let waiting = WaitingRoll { version: signed + 1, size, root };
    Ok(roll::propose(db, &epoch.epoch, &waiting).await?)
}

/// The first version: every worker there is, until it is signed.
async fn begin_anew(
    db: &mut PgConnection,
    state: &AppState,
    epoch: &EpochRow,
    entries: &[EntryRow],
) -> Result<bool> {
    let workers = wallets::list_workers(db).await?;
    let stands = entries.iter().map(|e| (e.person_id, e.worker_ref, &e.id_key));
    if stands.eq(workers.iter().map(|w| (w.person_id, w.worker_ref, &w.id_key))) {
        return Ok(false);
    }
    roll::delete_proposed(db, &epoch.epoch).await?;
    let entries: Vec<EntryRow> = (0..)
        .zip(workers)
        .map(|(place, worker)| EntryRow {
            place,
            person_id: worker.person_id,
            worker_ref: worker.worker_ref,
            id_key: worker.id_key,
            salt: state.random.bytes::<32>().to_vec(),
            version: 1,
        })
        .collect();
    roll::upsert(db, &epoch.epoch, &entries).await?;
    Ok(true)
}

/// A later version: new keys at their places, newcomers after everybody. Leavers stay: nobody is removed from an
/// epoch that has begun, or who is missing would tell on whom the signatures are.
async fn grow(
    db: &mut PgConnection,
    state: &AppState,
    epoch: &EpochRow,
    entries: &[EntryRow],
    version: i32,
) -> Result<bool> {
    let mut changed = Vec::new();
    for (place, id_key) in roll::list_new_keys(db, &epoch.epoch).await? {
        let Some(entry) = entries.iter().find(|e| e.place == place) else { continue };
        let salt = state.random.bytes::<32>().to_vec();
        changed.push(EntryRow { id_key: Some(id_key), salt, version, ..entry.clone() });
    }
    let known: BTreeSet<_> = entries.iter().map(|e| e.person_id).collect();
    let newcomers = wallets::list_workers(db).await?.into_iter().filter(|w| !known.contains(&w.person_id));
    let first = i32::try_from(entries.len()).map_err(anyhow::Error::new)?;
    changed.extend((first..).zip(newcomers).map(|(place, worker)| EntryRow {
        place,
        person_id: worker.person_id,
        worker_ref: worker.worker_ref,
        id_key: worker.id_key,
        salt: state.random.bytes::<32>().to_vec(),
        version,
    }));
    roll::upsert(db, &epoch.epoch, &changed).await?;
    Ok(!changed.is_empty())
}

fn root_of(entries: &[EntryRow]) -> Result<Hash> {
    let commitments = entries.iter().map(|entry| {
        let salt: [u8; 32] = entry.salt.as_slice().try_into().map_err(anyhow::Error::new)?;
        let id_key = entry.id_key.as_deref().map(Hash::try_from).transpose().map_err(anyhow::Error::new)?;
        Ok(roll_commitment(&salt, entry.worker_ref, id_key.as_ref()))
    });
    Ok(roll_root(&commitments.collect::<Result<Vec<_>>>()?))
}
