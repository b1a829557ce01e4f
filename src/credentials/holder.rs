//! What a wallet does: ask for a pack, keep its tokens, sign and withdraw. No I/O: the command line, the example
//! and the tests bring the requests to the issuers; the browser does the same in its own script.

use anyhow::{anyhow, ensure};
use ed25519_dalek::{Signer as _, SigningKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::blinding::{self, Blinded};
use super::seed::Seed;
use super::wire::{ActionRequest, EnrolRequest, PackRequest, PackResponse, Signer};
use crate::ledger::proof::petition::{
    Credential, Disclosure, EpochLeaf, Issuer, IssuerRole, Mode, SLOTS, SignLeaf, author_message,
    enrol_message, is_signed, issue_message, petition_message, request_hash, sign_message, signer_commitment,
    signer_message, withdraw_message,
};
use crate::ledger::proof::token::{self, TokenKey, challenge_digest};
use crate::ledger::proof::tree::Hash;
use crate::ledger::proof::{base64url, from_base64url};

/// Tokens of one epoch, from both issuers, in the order of the slots; base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    pub epoch: String,
    pub group: String,
    /// Place in the roll.
    pub index: u64,
    pub operator: Vec<String>,
    pub representative: Vec<String>,
}

/// A wallet for the log of one dashboard.
#[derive(Debug, Clone)]
pub struct Holder {
    pub seed: Seed,
    /// The log's origin.
    pub origin: String,
}

/// A pack that was asked for and not answered yet.
pub struct Asked {
    pub request: PackRequest,
    slots: Vec<(TokenKey, Vec<u8>, Blinded)>,
}

fn sign(key: &SigningKey, message: &str) -> String {
    base64url(&key.sign(message.as_bytes()).to_bytes())
}

fn public(key: &SigningKey) -> Hash {
    Hash(key.verifying_key().to_bytes())
}

/// The issuer with this role.
pub fn issuer(epoch: &EpochLeaf, role: IssuerRole) -> &Issuer {
    match role {
        IssuerRole::Operator => &epoch.operator,
        IssuerRole::Representative => &epoch.representative,
    }
}

impl Holder {
    pub fn identity(&self) -> Hash {
        public(&self.seed.identity_key())
    }

    /// Makes the identity key known to the issuer with this name.
    pub fn enrol(&self, issuer: &str, worker_ref: Uuid, code: Option<String>) -> EnrolRequest {
        let key = self.seed.identity_key();
        let id_key = public(&key);
        let signature = sign(&key, &enrol_message(&self.origin, issuer, worker_ref, &id_key));
        EnrolRequest { worker_ref, id_key, signature, code }
    }

    /// Asks an issuer for the whole pack of an epoch. The same request each time: see `Seed::blinding_stream`.
    pub fn ask(&self, epoch: &EpochLeaf, role: IssuerRole, index: u64) -> anyhow::Result<Asked> {
        let issuer = issuer(epoch, role);
        ensure!(issuer.keys.len() as u64 == SLOTS, "the epoch doesn't have a key for each slot");
        let mut slots = Vec::new();
        for (slot, key) in (0..).zip(&issuer.keys) {
            let key = TokenKey::parse(key)?;
            let challenge = challenge_digest(&issuer.name, &epoch.epoch, &epoch.group, slot, &self.origin);
            let nonce = public(&self.seed.slot_key(&epoch.epoch, &epoch.group, slot));
            let input = token::input(&nonce.0, &challenge, &key.id()).to_vec();
            let stream = self.seed.blinding_stream(&epoch.epoch, &epoch.group, slot, &key);
            let blinded = blinding::blind(&key, &input, &stream)?;
            slots.push((key, input, blinded));
        }
        let hash = request_hash(slots.iter().map(|(_, _, b)| b.message.as_slice()));
        let message = issue_message(&self.origin, &epoch.epoch, &issuer.name, index, &hash);
        let request = PackRequest {
            epoch: epoch.epoch.clone(),
            index,
            blinded: slots.iter().map(|(_, _, b)| base64url(&b.message)).collect(),
            signature: sign(&self.seed.identity_key(), &message),
        };
        Ok(Asked { request, slots })
    }

    /// What to sign with in this slot.
    fn credential(&self, pack: &Pack, slot: u64) -> anyhow::Result<(SigningKey, Credential)> {
        let at = usize::try_from(slot)?;
        let token =
            |tokens: &[String]| tokens.get(at).cloned().ok_or_else(|| anyhow!("there is no slot {slot}"));
        let key = self.seed.slot_key(&pack.epoch, &pack.group, slot);
        let credential = Credential {
            key: public(&key),
            operator: token(&pack.operator)?,
            representative: token(&pack.representative)?,
        };
        Ok((key, credential))
    }

    /// Signs a version of a petition; `disclosure` other than nobody's is a signature with one's name.
    pub fn sign(
        &self,
        pack: &Pack,
        (petition, slot): (Hash, u64),
        number: u64,
        disclosure: Disclosure,
        worker_ref: Uuid,
    ) -> anyhow::Result<ActionRequest> {
        let (key, credential) = self.credential(pack, slot)?;
        let mode = if disclosure == Disclosure::Nobody { Mode::Confidential } else { Mode::Named };
        let salt = self.seed.signer_salt(&petition, number);
        let signer = (mode == Mode::Named).then(|| signer_commitment(&salt, worker_ref));
        let mut leaf =
            SignLeaf { petition, number, mode, disclosure, signer, credential, signature: String::new() };
        leaf.signature = sign(&key, &sign_message(&self.origin, &leaf));
        let signer = signer.map(|_| Signer {
            index: pack.index,
            salt: base64url(&salt),
            signature: sign(&self.seed.identity_key(), &signer_message(&self.origin, &leaf)),
        });
        let SignLeaf { credential, signature, .. } = leaf;
        Ok(ActionRequest::Sign { petition, number, mode, disclosure, credential, signature, signer })
    }

    pub fn withdraw(&self, pack: &Pack, (petition, slot): (Hash, u64), number: u64) -> ActionRequest {
        let key = self.seed.slot_key(&pack.epoch, &pack.group, slot);
        let signature = sign(&key, &withdraw_message(&self.origin, &petition, number));
        ActionRequest::Withdraw { petition, number, key: public(&key), signature }
    }

    /// Stands for the author of a petition without a name: slot 0's credential, and a signature over the text.
    pub fn author(
        &self,
        pack: &Pack,
        petition: Uuid,
        version: u64,
        content: &Hash,
    ) -> anyhow::Result<(Credential, String)> {
        let (key, credential) = self.credential(pack, crate::ledger::proof::petition::START_SLOT)?;
        Ok((credential, sign(&key, &petition_message(&self.origin, petition, version, content))))
    }

    /// What an author without a name signs later: an update, or the end of the petition.
    pub fn author_act(&self, pack: &Pack, petition: Uuid, what: &str, content: &Hash) -> String {
        let key = self.seed.slot_key(&pack.epoch, &pack.group, crate::ledger::proof::petition::START_SLOT);
        sign(&key, &author_message(&self.origin, petition, what, content))
    }
}

impl Asked {
    /// The tokens from the issuer's answer; refuses an answer that doesn't verify.
    pub fn finish(&self, answer: &PackResponse) -> anyhow::Result<Vec<String>> {
        ensure!(answer.signed.len() == self.slots.len(), "the issuer's answer is incomplete");
        let tokens = self.slots.iter().zip(&answer.signed).map(|((key, input, blinded), signed)| {
            Ok(base64url(&blinding::finalize(key, input, blinded, &from_base64url(signed)?)?))
        });
        tokens.collect()
    }
}

/// Whether a request is as its identity key signed it.
pub fn is_asked_by(id_key: &Hash, origin: &str, issuer: &str, request: &PackRequest) -> anyhow::Result<Hash> {
    let blinded = request.blinded.iter().map(|b| from_base64url(b)).collect::<Result<Vec<_>, _>>()?;
    let hash = request_hash(blinded.iter().map(Vec::as_slice));
    let message = issue_message(origin, &request.epoch, issuer, request.index, &hash);
    ensure!(is_signed(id_key, &message, &request.signature), "the request isn't signed by the person's key");
    Ok(hash)
}
