//! Checks a signature or a withdrawal as it comes in, the same way at both issuers and in both paths: what passes
//! here passes `daylight verify`.

use uuid::Uuid;

use super::wire::{ActionRequest, Signer};
use crate::ledger::proof::from_base64url;
use crate::ledger::proof::leaf::Leaf;
use crate::ledger::proof::petition::{
    Credential, EpochLeaf, IssuerRole, Mode, SignLeaf, WithdrawLeaf, authenticator, is_signed, sign_message,
    signer_commitment, signer_message, withdraw_message,
};
use crate::ledger::proof::token::{TokenKey, challenge_digest};
use crate::ledger::proof::tree::{Hash, leaf_hash};

use super::holder::issuer;

/// What a petition needs for its actions to be checked.
#[derive(Debug, Clone)]
pub struct Slot {
    pub leaf_hash: Hash,
    pub slot: u64,
    /// Of both issuers, and the digest of each one's challenge.
    keys: [(TokenKey, Hash); 2],
}

impl Slot {
    /// The slot of the version with this leaf; `None` where the epoch has no such slot.
    pub fn of(origin: &str, epoch: &EpochLeaf, slot: u64, leaf_hash: Hash) -> Option<Self> {
        let key = |role| {
            let issuer = issuer(epoch, role);
            let key = TokenKey::parse(issuer.keys.get(usize::try_from(slot).ok()?)?).ok()?;
            Some((key, challenge_digest(&issuer.name, &epoch.epoch, &epoch.group, slot, origin)))
        };
        Some(Slot { leaf_hash, slot, keys: [key(IssuerRole::Operator)?, key(IssuerRole::Representative)?] })
    }

    /// Whether both issuers signed this key for this slot.
    pub fn holds(&self, credential: &Credential) -> bool {
        let tokens = [&credential.operator, &credential.representative];
        self.keys.iter().zip(tokens).all(|((key, challenge), token)| {
            authenticator(token).is_ok_and(|bytes| key.verifies(&credential.key.0, challenge, &bytes))
        })
    }
}

/// An action as it will stand in the log.
#[derive(Debug, Clone)]
pub struct Action {
    pub key: Hash,
    pub number: u64,
    pub leaf: Leaf,
    pub bytes: Vec<u8>,
    pub leaf_hash: Hash,
}

/// Why an action isn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("It is about another version of the petition.")]
    OtherVersion,
    #[error("A mode and what is disclosed don’t fit together.")]
    Unfit,
    #[error("It isn’t signed by the key it names.")]
    Signature,
    #[error("The credential isn’t one that both issuers gave out for this petition.")]
    Credential,
    #[error("The name isn’t proved by its holder’s key.")]
    Signer,
}

/// Whose name a signature carries: from the roll, by place.
pub struct Known {
    pub worker_ref: Uuid,
    pub id_key: Hash,
}

/// Checks an action for a petition's version. `known` finds who stands at a place of the epoch's roll.
pub fn check(
    origin: &str,
    slot: &Slot,
    request: &ActionRequest,
    known: impl Fn(u64) -> Option<Known>,
) -> Result<Action, Refused> {
    let (key, number, leaf) = match request {
        ActionRequest::Sign { petition, number, mode, disclosure, credential, signature, signer } => {
            if *petition != slot.leaf_hash {
                return Err(Refused::OtherVersion);
            }
            if !disclosure.fits(*mode) || signer.is_some() != (*mode == Mode::Named) || !is_plain(*number) {
                return Err(Refused::Unfit);
            }
            let mut leaf = SignLeaf {
                petition: *petition,
                number: *number,
                mode: *mode,
                disclosure: *disclosure,
                signer: None,
                credential: credential.clone(),
                signature: signature.clone(),
            };
            let person = signer.as_ref().map(|s| named(&mut leaf, s, &known)).transpose()?;
            if !is_signed(&credential.key, &sign_message(origin, &leaf), signature) {
                return Err(Refused::Signature);
            }
            if let Some((id_key, proof)) = person
                && !is_signed(&id_key, &signer_message(origin, &leaf), &proof)
            {
                return Err(Refused::Signer);
            }
            if !slot.holds(credential) {
                return Err(Refused::Credential);
            }
            (credential.key, *number, Leaf::Sign(leaf))
        }
        ActionRequest::Withdraw { petition, number, key, signature } => {
            if *petition != slot.leaf_hash {
                return Err(Refused::OtherVersion);
            }
            if !is_plain(*number) || !is_signed(key, &withdraw_message(origin, petition, *number), signature)
            {
                return Err(Refused::Signature);
            }
            let leaf = WithdrawLeaf {
                petition: *petition,
                number: *number,
                key: *key,
                signature: signature.clone(),
            };
            (*key, *number, Leaf::Withdraw(leaf))
        }
    };
    let bytes = leaf.to_bytes().map_err(|_| Refused::Unfit)?;
    let leaf_hash = leaf_hash(&bytes);
    Ok(Action { key, number, leaf, bytes, leaf_hash })
}

/// Counted from 1; canonical JSON ends at 2^53.
fn is_plain(number: u64) -> bool {
    (1..1 << 53).contains(&number)
}

/// Puts the commitment to the signer's name into the leaf; answers their identity key and its signature.
fn named(
    leaf: &mut SignLeaf,
    signer: &Signer,
    known: &impl Fn(u64) -> Option<Known>,
) -> Result<(Hash, String), Refused> {
    let person = known(signer.index).ok_or(Refused::Signer)?;
    let salt = from_base64url(&signer.salt).ok().and_then(|bytes| bytes.try_into().ok());
    leaf.signer = Some(signer_commitment(&salt.ok_or(Refused::Signer)?, person.worker_ref));
    Ok((person.id_key, signer.signature.clone()))
}
