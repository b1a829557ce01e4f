//! Receipts of made-up decisions, in a log that this file signs itself.

use daylight::clock::Time;
use daylight::consent::receipt::receipt;
use daylight::consent::record::{Facts, Kept, NoticeRef, opening, record};
use daylight::ledger::proof::checkpoint::Checkpoint;
use daylight::ledger::proof::consent::commitment;
use daylight::ledger::proof::note::{Key, Kind, Note, cosign, sign};
use daylight::ledger::proof::tlog_proof::TlogProof;
use daylight::ledger::proof::tree::{Hash, leaf_hash, root};
use daylight::ledger::{Leaf, document_hash};
use daylight::register::{
    Category, ChoiceMode, Granularity, LegalBasis, ProcessingContent, Purpose, Recipient, RecipientKind,
};
use ed25519_dalek::SigningKey;
use serde_json::Value;
use uuid::Uuid;

const ORIGIN: &str = "log.example.com/works";
const WITNESS: &str = "witness.example.org";
const SALT: [u8; 32] = [9; 32];

/// When the decisions were made: what every test begins at, in seconds since 1970.
pub const AT: u64 = 1_793_610_000;

/// A decision: what the processing rests on, how one chooses, and what was chosen.
pub type Choice = (&'static str, LegalBasis, ChoiceMode, &'static str);

/// One of each kind.
pub const CHOICES: [Choice; 5] = [
    ("given", LegalBasis::Consent, ChoiceMode::OptIn, "given"),
    ("refused", LegalBasis::Consent, ChoiceMode::OptIn, "refused"),
    ("withdrawn", LegalBasis::Consent, ChoiceMode::OptIn, "withdrawn"),
    ("opted-out", LegalBasis::LegitimateInterests, ChoiceMode::OptOut, "refused"),
    ("objected", LegalBasis::LegitimateInterests, ChoiceMode::Objection, "objected"),
];

fn content(basis: LegalBasis, mode: ChoiceMode) -> ProcessingContent {
    let category = Category::parse("app.usage").expect("a category");
    let purpose = Purpose::parse("dpv:EnforceSecurity").expect("a purpose");
    let recipient = |name: &str, kind, country: &str| Recipient {
        name: name.into(),
        kind,
        country: country.into(),
        host: None,
    };
    ProcessingContent {
        legal_basis: Some(basis),
        choice_mode: Some(mode),
        granularity: Some(Granularity::Metadata),
        fields: "the program's name and how long it was in front".into(),
        recipients: vec![
            recipient("Example Cloud", RecipientKind::Processor, "DE"),
            recipient("Büro für Zahlen", RecipientKind::ThirdParty, "FR"),
        ],
        storage_location: "DE".into(),
        retention: "P30D".into(),
        dpia_url: Some("https://example.com/dpia".into()),
        objection_contact: Some("hr@example.com".into()),
        ..ProcessingContent::new(category, purpose, "activitywatch")
    }
}

/// What the log commits to, and what the person holds: leaf, record, opening.
pub fn decided(choice: Choice) -> (Leaf, Value, Value) {
    let (_, basis, mode, state) = choice;
    let content = content(basis, mode);
    let at: Time = jiff::Timestamp::from_second(AT as i64).expect("a time").into();
    let facts = Facts {
        record_id: Uuid::from_u128(1),
        person_ref: "p-7f3a",
        controller: "Example Works",
        controller_contact: "privacy@example.com",
        content: &content,
        processing: Uuid::from_u128(2),
        processing_revision: 3,
        mode,
        notice: NoticeRef {
            notice: Uuid::from_u128(4),
            version: "1.0".into(),
            title: "How we watch programs".into(),
            language: "en".into(),
            content_sha256: [5; 32],
            leaf_hash: [6; 32],
            url: "https://example.com/notices/4".into(),
        },
        text_sha256: [7; 32],
        state,
        at,
        jurisdiction: "DE",
        kept: Kept {
            salt: &SALT,
            number: 1,
            by_role: "worker",
            by_person: None,
            version: Uuid::from_u128(5),
            major: 1,
            declared_sha256: [8; 32],
            allowed_before: false,
            allowed_after: state == "given",
            until: (state == "given").then(|| at.plus_days(365)),
            reason: (state == "objected").then_some("I work from home."),
            named: false,
            due_at: (state == "objected").then(|| at.plus_days(30)),
        },
    };
    let record = record(&facts);
    let opening = opening(&facts, &record);
    (Leaf::Consent { commitment: commitment(&SALT, &opening) }, record, opening)
}

/// The receipt's text, as it is downloaded.
pub fn written(choice: Choice, proof: Option<&str>) -> String {
    let (_, record, opening) = decided(choice);
    assembled(&record, &opening, proof)
}

/// The same with a proof that a witness cosigned `later` seconds after the decision.
pub fn proved(choice: Choice, later: i64) -> String {
    let (leaf, record, opening) = decided(choice);
    let proof = proof(leaf.to_bytes().expect("a leaf"), AT.saturating_add_signed(later));
    assembled(&record, &opening, Some(&proof))
}

/// A receipt of another record about the same, that the operator has entered into the log.
pub fn entered(record: &Value, opening: &Value) -> String {
    let mut opening = opening.clone();
    opening["decision"]["record"] = document_hash(record).expect("a record").to_string().into();
    let leaf = Leaf::Consent { commitment: commitment(&SALT, &opening) };
    assembled(record, &opening, Some(&proof(leaf.to_bytes().expect("a leaf"), AT + 40)))
}

fn assembled(record: &Value, opening: &Value, proof: Option<&str>) -> String {
    let receipt = receipt(record, opening, &SALT, proof, Uuid::from_u128(8));
    serde_json_canonicalizer::to_string(&receipt).expect("a receipt")
}

fn keys() -> [SigningKey; 2] {
    [SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32])]
}

/// The leaf stands in the middle of three.
fn proof(leaf: Vec<u8>, cosigned: u64) -> String {
    let others = [Hash::of(b"before"), Hash::of(b"after")];
    let root = root(&[others[0], leaf_hash(&leaf), others[1]]);
    let text = Checkpoint { origin: ORIGIN.into(), size: 3, root }.to_string();
    let [log, witness] = keys();
    let signatures = vec![sign(ORIGIN, &log, &text), cosign(WITNESS, &witness, &text, cosigned)];
    let checkpoint = Note { text, signatures };
    TlogProof { extra: Some(leaf), index: 1, path: others.to_vec(), checkpoint }.to_string()
}

/// Names the log and the witness; without `quorum` it asks for no witness and knows none.
pub fn policy(quorum: bool) -> String {
    let [log, witness] = keys();
    let log = Key::new(ORIGIN, Kind::Ed25519, log.verifying_key()).expect("a key");
    let witness = Key::new(WITNESS, Kind::Cosignature, witness.verifying_key()).expect("a key");
    match quorum {
        true => format!("log {log}\nwitness council {witness}\nquorum council\n"),
        false => format!("log {log}\nquorum none\n"),
    }
}
