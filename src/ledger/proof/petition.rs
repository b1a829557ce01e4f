//! What petitions put into the log, and the texts that are signed for it. A leaf names nobody: a signature
//! stands for the holder of a slot's key.

use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tree::{Hash, root};
use super::{Fault, from_base64url};

/// Slots of an epoch: one is for starting a petition without one's name, each other for one petition.
pub const SLOTS: u64 = 16;

/// The slot whose key stands for the author of a petition that was started without a name.
pub const START_SLOT: u64 = 0;

/// Fewer signatures than these are never told apart.
pub const FEW: u64 = 5;

/// Signatures from which the employer must answer: a tenth of the roll, ten at least. Logs are judged by it, so that
/// another rule must leave what was opened before it as it is.
pub fn threshold(roll: u64) -> u64 {
    roll.div_ceil(10).max(10)
}

/// Who signs tokens: the operator of the server, or the workers' representative on a machine of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuerRole {
    Operator,
    Representative,
}

impl IssuerRole {
    pub const BOTH: [IssuerRole; 2] = [IssuerRole::Operator, IssuerRole::Representative];

    pub fn id(self) -> &'static str {
        match self {
            IssuerRole::Operator => "operator",
            IssuerRole::Representative => "representative",
        }
    }
}

/// An issuer's keys of an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// RFC 9577 issuer name.
    pub name: String,
    /// [`SLOTS`] moduli, base64url; the key of slot n is the nth.
    pub keys: Vec<String>,
}

/// A time in which the same people may sign with the same credentials: a quarter, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochLeaf {
    /// `2026-Q4`, `2026-Q4.2`
    pub epoch: String,
    pub group: String,
    pub operator: Issuer,
    pub representative: Issuer,
    /// Leaf hash of the epoch before.
    pub previous: Option<Hash>,
    /// Ed25519 by the representative over [`epoch_message`], base64url.
    pub signature: String,
}

/// A version of an epoch's roll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollLeaf {
    pub epoch: String,
    /// 1, 2, 3, …
    pub version: u64,
    pub size: u64,
    /// RFC 6962 root over the [`roll_commitment`]s, in the order of the roll.
    pub root: Hash,
    /// Ed25519 by the representative over [`roll_message`], base64url.
    pub signature: String,
}

/// A pack of credentials was given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueLeaf {
    pub epoch: String,
    pub issuer: IssuerRole,
    /// Place in the roll, from 0.
    pub index: u64,
    /// SHA-256 of the blinded messages, in the order of the slots.
    pub request: Hash,
    /// Of the representative's packs: Ed25519 by them over [`issue_message`].
    pub signature: Option<String>,
}

/// Who holds a key without a name, proved by both issuers' tokens for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The slot's Ed25519 key, which is both tokens' nonce.
    pub key: Hash,
    /// The token's authenticator, base64url.
    pub operator: String,
    pub representative: String,
}

/// A version of a petition's text, from which on it can be supported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PetitionLeaf {
    pub petition: Uuid,
    pub version: u64,
    /// Leaf hash of the version before.
    pub previous: Option<Hash>,
    pub content: Hash,
    pub epoch: String,
    pub slot: u64,
    /// Of an author without a name: the credential of slot 0 and a signature over [`petition_message`].
    pub author: Option<Credential>,
    pub signature: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Opened,
    Refused,
}

/// What the check against the published rules came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckLeaf {
    pub petition: Hash,
    pub outcome: Outcome,
    /// Of a refusal: which published rule.
    pub code: Option<String>,
    /// Of a refusal: SHA-256 of the canonical JSON `{"code","words"}`.
    pub content: Option<Hash>,
    /// Signatures from which the employer must answer; fixed here.
    pub threshold: u64,
    /// RFC 3339, UTC.
    pub closes_at: String,
}

/// The threshold is reached, and the employer's clock runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReachedLeaf {
    pub petition: Hash,
    /// Signatures in the log that stand here.
    pub signatures: u64,
    /// RFC 3339, UTC; fixed here.
    pub answer_due_at: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Named,
    Confidential,
}

impl Mode {
    pub fn id(self) -> &'static str {
        match self {
            Mode::Named => "named",
            Mode::Confidential => "confidential",
        }
    }
}

/// Who sees a name, and whether the department stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disclosure {
    Nobody,
    Everyone,
    EveryoneWithDepartment,
    Representatives,
    RepresentativesWithDepartment,
}

impl Disclosure {
    pub fn id(self) -> &'static str {
        match self {
            Disclosure::Nobody => "nobody",
            Disclosure::Everyone => "everyone",
            Disclosure::EveryoneWithDepartment => "everyone_with_department",
            Disclosure::Representatives => "representatives",
            Disclosure::RepresentativesWithDepartment => "representatives_with_department",
        }
    }

    pub fn has_department(self) -> bool {
        matches!(self, Disclosure::EveryoneWithDepartment | Disclosure::RepresentativesWithDepartment)
    }

    pub fn fits(self, mode: Mode) -> bool {
        (self == Disclosure::Nobody) == (mode == Mode::Confidential)
    }
}

/// A signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignLeaf {
    /// Leaf hash of the version that was signed.
    pub petition: Hash,
    /// Of this key's actions on this version, growing: an old one can't be put in again.
    pub number: u64,
    pub mode: Mode,
    pub disclosure: Disclosure,
    /// With a name: [`signer_commitment`].
    pub signer: Option<Hash>,
    pub credential: Credential,
    /// Ed25519 by the credential's key over [`sign_message`], base64url.
    pub signature: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithdrawLeaf {
    pub petition: Hash,
    pub number: u64,
    pub key: Hash,
    /// Ed25519 by the key over [`withdraw_message`], base64url.
    pub signature: String,
}

/// A version of the employer's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerLeaf {
    /// Leaf hash of the version that is answered.
    pub petition: Hash,
    /// 1, 2, 3, …
    pub number: u64,
    pub previous: Option<Hash>,
    pub content: Hash,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseLeaf {
    pub petition: Hash,
    /// Signatures in the log that stand; none where fewer than [`FEW`] signed.
    pub signatures: u64,
}

/// `SHA-256("daylight-roll/v1" ‖ 0 ‖ salt ‖ canonical JSON {id_pk, worker_ref})`; `id_pk` is base64url, and empty
/// for somebody who has made no key yet.
pub fn roll_commitment(salt: &[u8; 32], worker_ref: Uuid, id_key: Option<&Hash>) -> Hash {
    let id_key = id_key.map(Hash::to_string).unwrap_or_default();
    let json = format!("{{\"id_pk\":\"{id_key}\",\"worker_ref\":\"{worker_ref}\"}}");
    Hash::of(&[b"daylight-roll/v1\0", &salt[..], json.as_bytes()].concat())
}

/// The root that a [`RollLeaf`] holds.
pub fn roll_root(commitments: &[Hash]) -> Hash {
    let leaves: Vec<Hash> = commitments.iter().map(|c| super::tree::leaf_hash(&c.0)).collect();
    root(&leaves)
}

/// `SHA-256("daylight-signer/v1" ‖ 0 ‖ salt ‖ worker_ref)`: what the log holds in place of a name.
pub fn signer_commitment(salt: &[u8; 32], worker_ref: Uuid) -> Hash {
    Hash::of(&[b"daylight-signer/v1\0", &salt[..], worker_ref.to_string().as_bytes()].concat())
}

/// SHA-256 of a pack's blinded messages, one after the other.
pub fn request_hash<'a>(blinded: impl IntoIterator<Item = &'a [u8]>) -> Hash {
    let all: Vec<u8> = blinded.into_iter().flatten().copied().collect();
    Hash::of(&all)
}

pub fn epoch_message(origin: &str, leaf: &EpochLeaf) -> String {
    let keys = |issuer: &Issuer| Hash::of(issuer.keys.join("\n").as_bytes());
    let EpochLeaf { epoch, group, operator, representative, .. } = leaf;
    format!(
        "daylight-epoch/v1\n{origin}\n{epoch}\n{group}\n{}\n{}\n{}\n{}\n",
        operator.name,
        keys(operator),
        representative.name,
        keys(representative)
    )
}

pub fn roll_message(origin: &str, epoch: &str, version: u64, size: u64, root: &Hash) -> String {
    format!("daylight-roll/v1\n{origin}\n{epoch}\n{version}\n{size}\n{root}\n")
}

/// Signed by the worker's identity key when asking for a pack, and by the representative for the log.
pub fn issue_message(origin: &str, epoch: &str, issuer: &str, index: u64, request: &Hash) -> String {
    format!("daylight-issue/v1\n{origin}\n{epoch}\n{issuer}\n{index}\n{request}\n")
}

/// Signed by the worker's identity key when it is made known to an issuer.
pub fn enrol_message(origin: &str, issuer: &str, worker_ref: Uuid, id_key: &Hash) -> String {
    format!("daylight-enrol/v1\n{origin}\n{issuer}\n{worker_ref}\n{id_key}\n")
}

pub fn petition_message(origin: &str, petition: Uuid, version: u64, content: &Hash) -> String {
    format!("daylight-petition/v1\n{origin}\n{petition}\n{version}\n{content}\n")
}

pub fn sign_message(origin: &str, leaf: &SignLeaf) -> String {
    let SignLeaf { petition, number, mode, disclosure, signer, .. } = leaf;
    let signer = signer.map_or_else(|| "-".to_owned(), |hash| hash.to_string());
    format!(
        "daylight-sign/v1\n{origin}\n{petition}\n{}\n{}\n{number}\n{signer}\n",
        mode.id(),
        disclosure.id()
    )
}

/// Signed by the worker's identity key: that the name beside this slot's key is theirs.
pub fn signer_message(origin: &str, leaf: &SignLeaf) -> String {
    let key = leaf.credential.key;
    format!("daylight-signer/v1\n{key}\n{}", sign_message(origin, leaf))
}

pub fn withdraw_message(origin: &str, petition: &Hash, number: u64) -> String {
    format!("daylight-withdraw/v1\n{origin}\n{petition}\n{number}\n")
}

/// What an author without a name signs to change, post or end something of theirs; `what` says which.
pub fn author_message(origin: &str, petition: Uuid, what: &str, content: &Hash) -> String {
    format!("daylight-author/v1\n{origin}\n{petition}\n{what}\n{content}\n")
}

/// A receiver's promise that a leaf will stand in the log.
pub fn promise_message(origin: &str, leaf: &Hash, include_by: &str) -> String {
    format!("daylight-promise/v1\n{origin}\n{leaf}\n{include_by}\n")
}

/// Whether the key signed the message; `signature` is base64url.
pub fn is_signed(key: &Hash, message: &str, signature: &str) -> bool {
    let signature = from_base64url(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
    let key = VerifyingKey::from_bytes(&key.0).ok();
    key.zip(signature).is_some_and(|(key, s)| key.verify_strict(message.as_bytes(), &s).is_ok())
}

/// A token's authenticator as a leaf writes it.
pub fn authenticator(text: &str) -> Result<Vec<u8>, Fault> {
    from_base64url(text)
}
