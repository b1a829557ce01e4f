//! What goes between a wallet, the dashboard and the representative's server, as JSON. Binary is base64url
//! without padding; times are RFC 3339, UTC.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::clock::Time;
use crate::ledger::proof::leaf::KeyLeaf;
use crate::ledger::proof::petition::{Credential, Disclosure, EpochLeaf, IssuerRole, Mode};
use crate::ledger::proof::tree::Hash;

/// Bytes of a request at most.
pub const MAX_BODY: usize = 256 * 1024;

/// What an issuer says of itself: `GET /api/v1/petitions/issuer` at the dashboard, `GET /issuer` at the
/// representative's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuerInfo {
    #[schema(value_type = String)]
    pub role: IssuerRole,
    /// RFC 9577 issuer name.
    pub name: String,
    /// The log's origin.
    pub origin: String,
    /// Ed25519: what it signs its statements with.
    #[schema(value_type = String)]
    pub public_key: Hash,
    /// Address of the other issuer; null while there is none.
    pub other: Option<String>,
    /// At the representative's: its key as it announces it for the log, signed by that key; null at the dashboard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub announcement: Option<KeyLeaf>,
}

/// A key as two people compare it on two screens: the first 16 bytes of its SHA-256, in groups of four letters.
pub fn fingerprint(key: &Hash) -> String {
    let letters: String = Hash::of(&key.0).0[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let groups: Vec<&str> =
        letters.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(" ")
}

/// An epoch as a wallet reads it: `GET /api/v1/petitions/epoch` and `GET /epoch`; the newest one, or with
/// `?epoch=NAME` a former one that is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EpochInfo {
    /// As it stands in the log.
    #[schema(value_type = Object)]
    pub epoch: EpochLeaf,
    #[schema(value_type = String)]
    pub leaf_hash: Hash,
    /// C2SP tlog-proof that it stands in the log; null at the representative's.
    pub proof: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Time,
    /// Packs that both issuers gave out.
    pub packs: u64,
    /// Packs from which on one may sign without a name.
    pub packs_needed: u64,
    /// At the dashboard's, with the newest: former epochs in use, whose packs are still given out; the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<String>,
}

/// Makes a worker's identity key known. At the dashboard with a session and without a code; at the
/// representative's with a code and without a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WalletEnrolRequest)]
pub struct EnrolRequest {
    pub worker_ref: Uuid,
    #[schema(value_type = String)]
    pub id_key: Hash,
    /// By the identity key over `enrol_message`.
    pub signature: String,
    /// From the representative, on paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Where a worker stands: `GET /api/v1/me/wallet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletInfo {
    pub worker_ref: Uuid,
    /// The identity key that the dashboard knows.
    #[schema(value_type = Option<String>)]
    pub id_key: Option<Hash>,
    /// Place in the newest epoch's roll, once a countersigned version of it holds this identity key.
    pub index: Option<u64>,
    pub epoch: Option<String>,
    /// Whether another key of theirs has the running epoch's pack already: then this one counts from the next on.
    pub from_next_epoch: bool,
    /// Name and department as they would stand beside a signature with a name.
    pub name: String,
    pub department: Option<String>,
}

/// Asks for a pack: `POST /api/v1/petitions/packs` and `POST /packs`. No cookie; the identity key signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PackRequest {
    pub epoch: String,
    pub index: u64,
    /// One for each slot.
    pub blinded: Vec<String>,
    /// By the identity key over `issue_message`.
    pub signature: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PackResponse {
    /// Blind signatures, one for each slot.
    pub signed: Vec<String>,
}

/// A name beside a signature, proved by the identity key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// Place in the roll of the petition's epoch.
    pub index: u64,
    /// Opens the leaf's commitment.
    pub salt: String,
    /// By the identity key over `signer_message`.
    pub signature: String,
}

/// Signs or withdraws: `POST /api/v1/petitions/actions` and `POST /actions`. No cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum ActionRequest {
    Sign {
        #[schema(value_type = String)]
        petition: Hash,
        number: u64,
        #[schema(value_type = String)]
        mode: Mode,
        #[schema(value_type = String)]
        disclosure: Disclosure,
        #[schema(value_type = Object)]
        credential: Credential,
        signature: String,
        signer: Option<Signer>,
    },
    Withdraw {
        #[schema(value_type = String)]
        petition: Hash,
        number: u64,
        #[schema(value_type = String)]
        key: Hash,
        signature: String,
    },
}

/// A receiver's promise. Kept by the holder, or thrown away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Promise {
    /// Who promises.
    #[schema(value_type = String)]
    pub by: IssuerRole,
    /// Of the leaf that will stand in the log.
    #[schema(value_type = String)]
    pub leaf_hash: Hash,
    #[schema(value_type = String, format = DateTime)]
    pub include_by: Time,
    /// Ed25519 over `promise_message`.
    pub signature: String,
}

/// What the representative's server asks the dashboard for, with its bearer token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RollProposal {
    pub epoch: String,
    pub group: String,
    pub version: u64,
    /// The operator's keys of this epoch, where it hasn't begun yet.
    #[schema(value_type = Option<Object>)]
    pub operator: Option<crate::ledger::proof::petition::Issuer>,
    /// Leaf hash of the epoch before.
    #[schema(value_type = Option<String>)]
    pub previous: Option<Hash>,
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Time,
    pub entries: Vec<RollEntry>,
}

/// A person on the roll; the place in the list is the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RollEntry {
    pub worker_ref: Uuid,
    pub name: String,
    pub department: Option<String>,
    #[schema(value_type = Option<String>)]
    pub id_key: Option<Hash>,
    pub salt: String,
}

/// The representative's countersignature: `POST /api/v1/representative/roll`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Countersignature {
    pub epoch: String,
    pub version: u64,
    #[schema(value_type = String)]
    pub root: Hash,
    /// Over `roll_message`.
    pub signature: String,
    /// With the first version of an epoch: its whole leaf, signed.
    #[schema(value_type = Option<Object>)]
    pub begins: Option<EpochLeaf>,
}

/// A pack that the representative gave out: `POST /api/v1/representative/issues`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueNotice {
    pub epoch: String,
    pub index: u64,
    #[schema(value_type = String)]
    pub request: Hash,
    /// By the representative over `issue_message`.
    pub signature: String,
}

/// A petition that takes signatures: `GET /api/v1/petitions/open`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenPetition {
    pub petition: Uuid,
    /// Of the version that is signed.
    #[schema(value_type = String)]
    pub leaf_hash: Hash,
    pub title: String,
    pub epoch: String,
    pub group: String,
    pub slot: u64,
    #[schema(value_type = String, format = DateTime)]
    pub closes_at: Time,
}
