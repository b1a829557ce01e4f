//! The drop-box: takes signatures and withdrawals, keeps them until they can't be told apart, and hands them over.
//!
//! What is kept is keyed by hashes and says nothing of when or from where it came; once handed over, only its
//! number and its leaf's hash are left, so that an old action can't come again.

use std::collections::HashSet;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::dashboard::missing;
use super::model::may_go;
use super::server::Representative;
use super::store::{ACTIONS, PETITIONS};
use crate::credentials::action::{self, Action, Known, Refused, Slot};
use crate::credentials::wire::{ActionRequest, OpenPetition, Promise};
use crate::error::{Error, Result};
use crate::ledger::proof::petition::{IssuerRole, promise_message};
use crate::ledger::proof::tree::Hash;

/// Actions in one request at most: it must stay below what the dashboard reads.
const PART: usize = 100;
/// Days after a petition's close from which nothing of it is kept.
const KEEP_DAYS: i64 = 30;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Received {
    number: u64,
    leaf_hash: Hash,
    /// Until it is handed over.
    request: Option<ActionRequest>,
    /// The dashboard didn't take it.
    refused: bool,
    /// The dashboard took something of this key, this or an earlier one.
    is_known_there: bool,
}

impl Received {
    fn waits(&self) -> bool {
        self.request.is_some() && !self.refused
    }

    /// A withdrawal that came before its signature was handed over: the two are nothing, and the dashboard takes none
    /// of them. It goes along with others all the same, since the signature may have come to the dashboard by another
    /// way, or its answer may have been lost.
    fn is_void(&self) -> bool {
        !self.is_known_there && matches!(self.request, Some(ActionRequest::Withdraw { .. }))
    }
}

#[derive(Deserialize)]
struct Taken {
    #[serde(default)]
    refused: Vec<(usize, String)>,
}

fn key(petition: &Hash, slot_key: &Hash) -> Vec<u8> {
    [petition.0, slot_key.0].concat()
}

fn petition_of(request: &ActionRequest) -> &Hash {
    match request {
        ActionRequest::Sign { petition, .. } | ActionRequest::Withdraw { petition, .. } => petition,
    }
}

fn refusal(why: Refused) -> Error {
    let status = match why {
        Refused::OtherVersion => StatusCode::CONFLICT,
        Refused::Unfit => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::Signature | Refused::Credential | Refused::Signer => StatusCode::FORBIDDEN,
    };
    Error::Rejected(status, why.to_string().into())
}

impl Representative {
    /// Takes an action and promises that it will stand in the log. The same one again gets the same promise.
    pub(super) fn take(&self, request: &ActionRequest) -> Result<Promise> {
        let dashboard = self.dashboard().ok_or(Error::NotFound)?;
        let petition: Option<OpenPetition> = self.0.store.find(PETITIONS, &petition_of(request).0)?;
        let petition = petition.ok_or(Error::NotFound)?;
        if self.now() >= petition.closes_at {
            return Err(Error::conflict("This petition is closed."));
        }
        let action = self.checked(&dashboard.origin, &petition, request)?;
        let key = key(&petition.leaf_hash, &action.key);
        self.0.store.change(|change| {
            let before: Option<Received> = change.find(ACTIONS, &key)?;
            match before {
                Some(before) if before.number > action.number => {
                    Err(Error::conflict("A later action of this key was received already."))
                }
                Some(before) if before.number == action.number => {
                    match before.leaf_hash == action.leaf_hash {
                        true => Ok(()),
                        false => Err(Error::conflict("Another action of this key has this number.")),
                    }
                }
                // A withdrawal proves no credential, so anybody could make them up.
                None if matches!(request, ActionRequest::Withdraw { .. }) => Err(Error::Rejected(
                    StatusCode::NOT_FOUND,
                    "This server received nothing that this key could withdraw. Send it to the dashboard."
                        .into(),
                )),
                _ => {
                    let received = Received {
                        number: action.number,
                        leaf_hash: action.leaf_hash,
                        request: Some(request.clone()),
                        refused: false,
                        is_known_there: before.is_some_and(|before| before.is_known_there),
                    };
                    Ok(change.put(ACTIONS, &key, &received)?)
                }
            }
        })?;
        let include_by = petition.closes_at;
        let message = promise_message(&dashboard.origin, &action.leaf_hash, &include_by.to_string());
        Ok(Promise {
            by: IssuerRole::Representative,
            leaf_hash: action.leaf_hash,
            include_by,
            signature: self.sign(&message),
        })
    }

    fn checked(&self, origin: &str, petition: &OpenPetition, request: &ActionRequest) -> Result<Action> {
        let kept = self.kept();
        let signed = kept.epochs.get(&petition.epoch).ok_or(Error::NotFound)?;
        let roll = kept.rolls.get(&petition.epoch).ok_or_else(|| missing("a roll"))?;
        let slot = Slot::of(origin, &signed.leaf, petition.slot, petition.leaf_hash);
        let slot = slot.ok_or_else(|| missing("a slot"))?;
        let known = |index| {
            let entry = roll.at(index)?;
            Some(Known { worker_ref: entry.worker_ref, id_key: entry.id_key? })
        };
        action::check(origin, &slot, request, known).map_err(refusal)
    }

    /// Reads which petitions take signatures. What a version's slot and epoch are is settled when it is first seen.
    pub(super) async fn fetch_petitions(&self) -> Result<()> {
        let (_, token) = self.connected()?;
        let answer = self.get_with(&token, "/api/v1/representative/petitions").await?;
        let open: Vec<OpenPetition> = answer.read("petitions")?;
        let long_ago = self.now().plus_days(-KEEP_DAYS);
        self.0.store.change(|change| {
            for petition in open {
                let key = petition.leaf_hash.0;
                let before: Option<OpenPetition> = change.find(PETITIONS, &key)?;
                let is_other = |b: OpenPetition| (b.epoch, b.slot) != (petition.epoch.clone(), petition.slot);
                if before.is_some_and(is_other) {
                    return Err(Error::conflict(
                        "The dashboard names another slot of a petition than before.",
                    ));
                }
                change.put(PETITIONS, &key, &petition)?;
            }
            for (leaf_hash, petition) in change.list::<OpenPetition>(PETITIONS, b"")? {
                if petition.closes_at < long_ago {
                    for (key, _) in change.list::<Received>(ACTIONS, &leaf_hash)? {
                        change.remove(ACTIONS, &key)?;
                    }
                    change.remove(PETITIONS, &leaf_hash)?;
                }
            }
            Ok(())
        })
    }

    /// Hands over what may go, petition by petition. Answers what went wrong first; a petition whose signatures the
    /// dashboard can't take holds up no other.
    pub(super) async fn deliver(&self) -> Result<()> {
        let petitions = self.0.store.list::<OpenPetition>(PETITIONS, b"")?;
        let mut done = Ok(());
        for (leaf_hash, petition) in petitions {
            let mut waiting = self.0.store.list::<Received>(ACTIONS, &leaf_hash)?;
            waiting.retain(|(_, received)| received.waits());
            // Among four that are nothing, the fifth would be told.
            let count = waiting.iter().filter(|(_, received)| !received.is_void()).count();
            // Where nothing else waits, they go before the close.
            let count = count.max(usize::from(!waiting.is_empty()));
            if !may_go(count, petition.closes_at, self.now()) {
                continue;
            }
            // Not by key and not by arrival: the order in which they will stand in the log.
            waiting.sort_by_key(|(_, received)| received.leaf_hash.0);
            // Parts of even size, so that none is small.
            let parts = waiting.len().div_ceil(PART);
            for part in waiting.chunks(waiting.len().div_ceil(parts)) {
                done = done.and(self.hand_over(part).await);
            }
        }
        done
    }

    /// Hands over at once what may go, and answers for how many petitions fewer than five wait, and stay.
    pub async fn deliver_now(&self) -> Result<usize> {
        let _turn = self.0.turn.lock().await;
        self.fetch_petitions().await?;
        self.deliver().await?;
        let rows = self.0.store.list::<Received>(ACTIONS, b"")?;
        let waiting = rows.iter().filter(|(_, r)| r.waits() && !r.is_void());
        // A key begins with its petition's leaf hash.
        let petitions: HashSet<&[u8]> = waiting.filter_map(|(key, _)| key.get(..32)).collect();
        Ok(petitions.len())
    }

    async fn hand_over(&self, part: &[(Vec<u8>, Received)]) -> Result<()> {
        let (_, token) = self.connected()?;
        let requests: Vec<&ActionRequest> = part.iter().filter_map(|(_, r)| r.request.as_ref()).collect();
        let answer = self.post_with(&token, "/api/v1/representative/actions", &requests).await?;
        let taken: Taken = answer.read("signatures")?;
        let refused: Vec<usize> = taken.refused.into_iter().map(|(place, _)| place).collect();
        self.0.store.change(|change| {
            for (place, (key, sent)) in part.iter().enumerate() {
                let refused = refused.contains(&place);
                let is_known_there = sent.is_known_there || !refused;
                let Some(now) = change.find::<Received>(ACTIONS, key)? else { continue };
                // What came meanwhile waits for the next time.
                if now != *sent {
                    change.put(ACTIONS, key, &Received { is_known_there, ..now })?;
                    continue;
                }
                let refused = refused && !sent.is_void();
                let request = sent.request.clone().filter(|_| refused);
                change.put(ACTIONS, key, &Received { request, refused, is_known_there, ..now })?;
            }
            Ok(())
        })
    }

    /// Signatures that wait, and those that the dashboard didn't take.
    pub(super) fn waiting(&self) -> Result<(usize, usize)> {
        let rows = self.0.store.list::<Received>(ACTIONS, b"")?;
        let refused = rows.iter().filter(|(_, r)| r.refused).count();
        let waiting = rows.iter().filter(|(_, r)| r.waits() && !r.is_void()).count();
        Ok((waiting, refused))
    }
}
