//! Codes on paper, keys that workers make known with them, and packs of credentials.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::codes;
use super::dashboard::missing;
use super::model::Signed;
use super::server::{Representative, locked};
use super::store::{PACKS, PETITIONS, WORKERS};
use crate::credentials::holder::is_asked_by;
use crate::credentials::wire::{EnrolRequest, OpenPetition, PackRequest, PackResponse, RollEntry};
use crate::error::{Error, Result};
use crate::ledger::proof::petition::{SLOTS, enrol_message, is_signed};
use crate::ledger::proof::token::MODULUS_LENGTH;
use crate::ledger::proof::tree::Hash;
use crate::ledger::proof::{base64url, from_base64url};

use axum::http::StatusCode;

/// Wrong codes for one person in an hour, after which further wrong ones are answered without a hint. The right one is
/// always taken: whoever could lock it would keep colleagues from their credentials, and nobody guesses 80 random bits.
const GUESSES: u32 = 10;

/// What is kept of a worker besides their place on the roll.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Worker {
    /// SHA-256 of the code.
    pub code: Option<Hash>,
    /// The code was used.
    pub used: bool,
    /// The identity key that was made known with it.
    pub id_key: Option<Hash>,
}

/// A pack that was given out; what was in it isn't kept, since the same request gets the same answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Given {
    pub epoch: String,
    pub index: u64,
    pub request: Hash,
    /// The dashboard has its notice.
    pub told: bool,
}

/// A strip of paper for one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strip {
    pub worker_ref: Uuid,
    pub name: String,
    pub department: Option<String>,
    pub code: String,
}

fn place(epoch: &str, index: u64) -> Vec<u8> {
    [epoch.as_bytes(), &[0], &index.to_be_bytes()].concat()
}

fn forbidden(words: &'static str) -> Error {
    Error::Rejected(StatusCode::FORBIDDEN, words.into())
}

/// In the same time whatever they are.
fn same(a: &Hash, b: &Hash) -> bool {
    std::hint::black_box(a.0.iter().zip(&b.0).fold(0, |all, (a, b)| all | (a ^ b))) == 0
}

impl Representative {
    /// Everybody who is proposed or signed: whom codes are for.
    pub(super) fn people(&self) -> Result<Vec<RollEntry>> {
        let mut people = self.proposal()?.map(|p| p.entries).unwrap_or_default();
        if people.is_empty() {
            people = self.kept().newest_roll().map(|roll| roll.entries.clone()).unwrap_or_default();
        }
        people.sort_by(|a, b| (&a.name, a.worker_ref).cmp(&(&b.name, b.worker_ref)));
        Ok(people)
    }

    pub(super) fn worker(&self, worker_ref: Uuid) -> Result<Worker> {
        Ok(self.0.store.find(WORKERS, worker_ref.as_bytes())?.unwrap_or_default())
    }

    /// Makes a code for everybody who has none. They are shown now and never again.
    pub fn issue_codes(&self) -> Result<Vec<Strip>> {
        let people = self.people()?;
        self.0.store.change(|change| {
            let mut strips = Vec::new();
            for person in people {
                let key = person.worker_ref.into_bytes();
                let worker: Worker = change.find(WORKERS, &key)?.unwrap_or_default();
                if worker.code.is_none() {
                    let code = codes::make(&self.0.random);
                    change.put(
                        WORKERS,
                        &key,
                        &Worker { code: Some(Hash(codes::digest(&code))), ..worker },
                    )?;
                    strips.push(strip(person, code));
                }
            }
            Ok(strips)
        })
    }

    /// Makes a new code for one person; the old one stops working. A key made known before stays until the new
    /// code is used.
    pub fn renew_code(&self, worker_ref: Uuid) -> Result<Strip> {
        let person = self.people()?.into_iter().find(|p| p.worker_ref == worker_ref);
        let person = person.ok_or(Error::NotFound)?;
        let code = codes::make(&self.0.random);
        let worker = self.worker(worker_ref)?;
        let renewed = Worker { code: Some(Hash(codes::digest(&code))), used: false, ..worker };
        self.0.store.change(|change| Ok(change.put(WORKERS, worker_ref.as_bytes(), &renewed)?))?;
        locked(&self.0.guesses).remove(&worker_ref);
        Ok(strip(person, code))
    }

    /// Makes a worker's key known, against their code. The same request again gets the same answer.
    pub(super) fn enrol(&self, request: &EnrolRequest) -> Result<()> {
        let dashboard = self.dashboard().ok_or(Error::NotFound)?;
        let EnrolRequest { worker_ref, id_key, signature, code } = request;
        let known: Option<Worker> = self.0.store.find(WORKERS, worker_ref.as_bytes())?;
        let kept = known.as_ref().and_then(|worker| worker.code).unwrap_or(Hash([0; 32]));
        let typed = Hash(codes::digest(code.as_deref().unwrap_or_default()));
        if !same(&typed, &kept) {
            return Err(self.wrong_code(*worker_ref, known.is_some()));
        }
        let message = enrol_message(&dashboard.origin, &self.0.options.name, *worker_ref, id_key);
        if !is_signed(id_key, &message, signature) {
            return Err(forbidden("The request isn’t signed by the key it names."));
        }
        self.0.store.change(|change| {
            let worker: Worker = change.find(WORKERS, worker_ref.as_bytes())?.unwrap_or_default();
            if worker.used {
                return match worker.id_key.as_ref() == Some(id_key) {
                    true => Ok(()),
                    false => Err(Error::conflict("This code was used already. Ask for a new one.")),
                };
            }
            let others = change.list::<Worker>(WORKERS, b"")?;
            let taken = others.iter().any(|(key, other)| {
                other.id_key.as_ref() == Some(id_key) && key.as_slice() != worker_ref.as_bytes()
            });
            if taken {
                return Err(Error::conflict("Somebody else has made this key known."));
            }
            let now = Worker { used: true, id_key: Some(*id_key), ..worker };
            Ok(change.put(WORKERS, worker_ref.as_bytes(), &now)?)
        })
    }

    /// Counts a wrong code, and says what to tell whoever typed it.
    fn wrong_code(&self, worker_ref: Uuid, is_known: bool) -> Error {
        let hour = self.now().jiff().as_second() / 3600;
        let mut guesses = locked(&self.0.guesses);
        guesses.retain(|_, guess| guess.0 == hour);
        let mut tried = 0;
        if is_known {
            let guess = guesses.entry(worker_ref).or_insert((hour, 0));
            guess.1 = guess.1.saturating_add(1);
            tried = guess.1;
        }
        if tried > GUESSES {
            let words = "Too many wrong codes were tried for this person. The right one is still taken; ask your \
                         representative for a new one if you have lost it.";
            return Error::Rejected(StatusCode::TOO_MANY_REQUESTS, words.into());
        }
        forbidden("This isn’t the code that your representative gave you. Check it letter by letter.")
    }

    /// An epoch whose packs are given out: the newest where none is named; else one whose end lies ahead, or of which
    /// petitions are kept here. Who brings a wallet back from paper must be able to withdraw what they signed with it.
    pub(super) fn epoch_in_use(&self, name: Option<&str>) -> Result<Signed> {
        let kept = self.kept();
        let newest = kept.begun().ok_or(Error::NotFound)?;
        let Some(name) = name.filter(|name| *name != newest.leaf.epoch) else { return Ok(newest.clone()) };
        let named =
            kept.epochs.get(name).filter(|signed| signed.leaf_hash.is_some()).ok_or(Error::NotFound)?;
        let petitions = self.0.store.list::<OpenPetition>(PETITIONS, b"")?;
        let is_in_use = self.now() < named.ends_at || petitions.iter().any(|(_, it)| it.epoch == name);
        if is_in_use { Ok(named.clone()) } else { Err(Error::NotFound) }
    }

    /// Gives a pack to whoever's key was made known here and stands on the signed roll.
    pub(super) fn give_pack(&self, request: &PackRequest) -> Result<PackResponse> {
        let dashboard = self.dashboard().ok_or(Error::NotFound)?;
        let kept = self.kept();
        let epoch = &self.epoch_in_use(Some(&request.epoch))?.leaf.epoch;
        let nobody = || forbidden("This place on the roll isn’t yours, or its key isn’t known here yet.");
        let roll = kept.rolls.get(epoch).ok_or_else(|| missing("a roll"))?;
        let entry = roll.at(request.index).ok_or_else(nobody)?;
        let id_key = entry.id_key.ok_or_else(nobody)?;
        if self.worker(entry.worker_ref)?.id_key != Some(id_key) {
            return Err(nobody());
        }
        if self.challenges()?.contains_key(&entry.worker_ref) {
            return Err(forbidden(
                "Your representative has a question about your place on the roll. Ask them.",
            ));
        }
        let name = &self.0.options.name;
        let hash = is_asked_by(&id_key, &dashboard.origin, name, request).map_err(|_| nobody())?;
        let blinded = blinded(request)?;
        let key = place(epoch, request.index);
        let refuse_other = |given: Option<Given>| match given {
            Some(given) if given.request != hash => {
                Err(Error::conflict("Another pack was given out for this place."))
            }
            other => Ok(other),
        };
        refuse_other(self.0.store.find(PACKS, &key)?)?;
        let signed = self.token_keys(epoch)?.sign_pack(&blinded, &self.0.random);
        let signed =
            signed.map_err(|_| Error::invalid("/blinded", "A blinded message isn’t below its key."))?;
        self.0.store.change(|change| {
            if refuse_other(change.find(PACKS, &key)?)?.is_none() {
                let (epoch, index) = (epoch.clone(), request.index);
                change.put(PACKS, &key, &Given { epoch, index, request: hash, told: false })?;
            }
            Ok(())
        })?;
        Ok(PackResponse { signed: signed.iter().map(|s| base64url(s)).collect() })
    }
}

fn strip(person: RollEntry, code: String) -> Strip {
    Strip { worker_ref: person.worker_ref, name: person.name, department: person.department, code }
}

fn blinded(request: &PackRequest) -> Result<Vec<Vec<u8>>> {
    let messages = request.blinded.iter().map(|text| from_base64url(text).ok());
    let messages: Option<Vec<Vec<u8>>> = messages.collect();
    messages
        .filter(|m| m.len() as u64 == SLOTS && m.iter().all(|m| m.len() == MODULUS_LENGTH))
        .ok_or_else(|| Error::invalid("/blinded", "A pack holds one message of 256 bytes for each slot."))
}
