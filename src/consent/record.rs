//! The record of one decision, in the fields of ISO/IEC TS 27560:2023, as JSON-LD in terms of the W3C Data
//! Privacy Vocabulary 2.3.
//!
//! It is made once, when the decision is made, and kept as it is: the log commits to its hash. What nobody has
//! stated is "not stated" and never made up. Where the specification says "one or more" there are lists: the
//! vocabulary's own guide repeats keys, which isn't JSON that two parsers read alike. Numbers are whole.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::terms;
use crate::clock::Time;
use crate::ledger::document_hash;
use crate::ledger::proof::consent::{answerer_hash, reason_hash, term};
use crate::ledger::proof::receipt::{CONSENT_RECORD, NOT_STATED};
use crate::register::{ChoiceMode, LegalBasis, ProcessingContent, Recipient, RecipientKind, country_name};
use crate::web::times::hex;

/// The version of a notice that was shown when the decision was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRef {
    pub notice: Uuid,
    /// `major.minor`
    pub version: String,
    pub title: String,
    /// BCP 47, of the text that was shown.
    pub language: String,
    /// What the notice's leaf names as its content.
    pub content_sha256: [u8; 32],
    pub leaf_hash: [u8; 32],
    pub url: String,
}

/// All that a record says.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    pub record_id: Uuid,
    /// The person, under a name that only their own receipts use.
    pub person_ref: &'a str,
    pub controller: &'a str,
    /// An address or a mail address; empty when nobody stated one.
    pub controller_contact: &'a str,
    pub content: &'a ProcessingContent,
    pub processing: Uuid,
    pub processing_revision: i32,
    /// The one that held for this person; the law of their place may ask for more than is declared.
    pub mode: ChoiceMode,
    pub notice: NoticeRef,
    /// SHA-256 of the exact words of the choice as they were shown.
    pub text_sha256: [u8; 32],
    /// One of the states of a decision, such as `refused`.
    pub state: &'a str,
    pub at: Time,
    pub jurisdiction: &'a str,
    pub kept: Kept<'a>,
}

/// What else the row of a decision holds that decides something or is shown, so that nobody can change it there
/// without its being seen.
#[derive(Debug, Clone)]
pub struct Kept<'a> {
    pub salt: &'a [u8; 32],
    /// 1, 2, 3, … for each person and processing.
    pub number: i32,
    pub by_role: &'a str,
    /// Who answered an objection, under the name that only their own receipts use.
    pub by_person: Option<&'a str>,
    pub version: Uuid,
    pub major: i32,
    /// Of the register's content that was decided on.
    pub declared_sha256: [u8; 32],
    pub allowed_before: bool,
    pub allowed_after: bool,
    pub until: Option<Time>,
    pub reason: Option<&'a str>,
    pub named: bool,
    pub due_at: Option<Time>,
}

impl Kept<'_> {
    /// The record's `decision`. A reason and whoever answered are salted hashes: the record can be shown without
    /// them.
    pub fn said(&self) -> Value {
        json!({
            "number": self.number,
            "by_role": self.by_role,
            "by_person_hash": self.by_person.map(|person| answerer_hash(self.salt, person)),
            "notice_version_id": self.version,
            "notice_major": self.major,
            "declared_sha256": URL_SAFE_NO_PAD.encode(self.declared_sha256),
            "allowed_before": self.allowed_before,
            "allowed_after": self.allowed_after,
            "until": self.until,
            "reason_hash": self.reason.map(|reason| reason_hash(self.salt, reason)),
            "named": self.named,
            "due_at": self.due_at,
        })
    }
}

/// How a decision is made; said of each, since there is no other way.
const INDICATED: &str = "by the person's own action on the page of their choices in Daylight";

/// The person's party in the record.
const PERSON: &str = "dpv:DataSubject";

/// The record, as it is kept.
pub fn record(facts: &Facts) -> Value {
    let consent = facts.content.legal_basis == Some(LegalBasis::Consent);
    let (kind, schema, notice) = if consent {
        ("dpv:ConsentRecord", CONSENT_RECORD, "dpv:ConsentNotice")
    } else {
        ("dpv:DataProcessingRecord", "urn:daylight:choice-record:1", "dpv:PrivacyNotice")
    };
    json!({
        "@context": terms::context(facts.content.legal_basis),
        "@id": urn(facts.record_id),
        "@type": kind,
        "schema_version": schema,
        "record_id": facts.record_id,
        "pii_principal_id": facts.person_ref,
        "privacy_notice": {
            "@id": urn(facts.notice.notice),
            "@type": notice,
            "title": facts.notice.title,
            "version": facts.notice.version,
            "url": facts.notice.url,
            "content_sha256": URL_SAFE_NO_PAD.encode(facts.notice.content_sha256),
            "leaf_hash": URL_SAFE_NO_PAD.encode(facts.notice.leaf_hash),
        },
        "language": facts.notice.language,
        "processing": {
            "id": facts.processing,
            "revision": facts.processing_revision,
            "choice_mode": facts.mode.id(),
        },
        "decision": facts.kept.said(),
        "purposes": [purpose(facts)],
        "parties": parties(facts),
        "event": [event(facts)],
    })
}

/// What is hashed with the salt, for this record.
pub fn opening(facts: &Facts, record: &Value) -> Value {
    let record = document_hash(record).expect("a record holds texts and small whole numbers");
    json!({
        "person_ref": facts.person_ref,
        "notice_leaf_hash": URL_SAFE_NO_PAD.encode(facts.notice.leaf_hash),
        "decision": {"state": facts.state, "processing": facts.processing, "record": record},
        "at": facts.at,
    })
}

/// The processing, as 27560 describes a purpose.
fn purpose(facts: &Facts) -> Value {
    let content = facts.content;
    let locations = match content.storage_location.as_str() {
        "" => vec![NOT_STATED.to_owned()],
        country => vec![format!("loc:{country}")],
    };
    let control = terms::withdrawal(content.legal_basis, facts.mode);
    let mut purpose = json!({
        "@type": "dpv:Process",
        "purpose": content.purpose.words(),
        "purpose_type": [content.purpose.id()],
        "lawful_basis": content.legal_basis.map_or(NOT_STATED, |basis| basis.id()),
        "pii_information": [data(facts)],
        "pii_controllers": [CONTROLLER],
        "collection_method": content.visibility.map_or(NOT_STATED, |visibility| visibility.words()),
        "processing_method": ["dpv:Collect", "dpv:Store"],
        "storage_locations": locations,
        "retention_period": stated(&content.retention),
        "service": content.source.name,
        "jurisdiction": facts.jurisdiction,
        "recipient_third_parties": (0..content.recipients.len()).map(recipient_id).collect::<Vec<_>>(),
        "withdrawal_method": {
            "@type": control,
            "description": terms::withdrawal_words(content.legal_basis, facts.mode),
        },
        "privacy_rights": terms::rights(content.legal_basis, facts.jurisdiction),
    });
    let optional = [
        ("impact_assessment", &content.dpia_url),
        ("works_agreement", &content.works_agreement_url),
        ("geographic_restrictions", &content.transfer_safeguard),
    ];
    for (name, text) in optional {
        if let Some(text) = text {
            purpose[name] = text.as_str().into();
        }
    }
    if let Some(contact) = &content.objection_contact {
        purpose["withdrawal_method"]["contact"] = contact.as_str().into();
    }
    purpose
}

fn data(facts: &Facts) -> Value {
    let content = facts.content;
    let category = content.category;
    let mut data = json!({
        "pii_type": category.dpv(),
        // Else the term is the nearest that the vocabulary has above it.
        "pii_type_is_exact": category.dpv_exact(),
        "pii_attribute_id": category.id(),
        "description": category.words(),
        "fields": stated(&content.fields),
        "pii_optional": terms::is_optional(facts.mode),
        "sensitive_pii_category": category.sensitivity_words(),
        "special_pii_category": terms::is_special(category),
    });
    if let Some(granularity) = content.granularity {
        data["granularity"] = granularity.id().into();
    }
    data
}

const CONTROLLER: &str = "controller";

fn recipient_id(index: usize) -> String {
    format!("recipient-{}", index + 1)
}

fn parties(facts: &Facts) -> Vec<Value> {
    let controller = json!({
        "party_id": CONTROLLER,
        "party_name": stated(facts.controller),
        "party_address": NOT_STATED,
        "party_contact": stated(facts.controller_contact),
        "party_type": "dpv:DataController",
    });
    let recipient = |(index, recipient): (usize, &Recipient)| {
        let kind = match recipient.kind {
            RecipientKind::Internal => "dpv:Recipient",
            RecipientKind::Processor => "dpv:DataProcessor",
            RecipientKind::ThirdParty => "dpv:ThirdParty",
        };
        json!({
            "party_id": recipient_id(index),
            "party_name": stated(&recipient.name),
            "party_address": country_name(&recipient.country).unwrap_or(NOT_STATED),
            "party_contact": recipient.host.as_deref().unwrap_or(NOT_STATED),
            "party_type": kind,
        })
    };
    let recipients = facts.content.recipients.iter().enumerate().map(recipient);
    std::iter::once(controller).chain(recipients).collect()
}

fn event(facts: &Facts) -> Value {
    let basis = facts.content.legal_basis;
    let by = if terms::is_the_controllers(facts.state) { CONTROLLER } else { PERSON };
    let indicated = if by == PERSON { INDICATED } else { "recorded by the controller in Daylight" };
    // An interval of ISO 8601; two dots for an end that is open.
    let until = facts.kept.until.filter(|_| facts.state != "deferred");
    let until = until.map_or("..".into(), |until| until.to_string());
    json!({
        "event_time": facts.at,
        "validity_duration": format!("{}/{until}", facts.at),
        "entity_id": if by == PERSON { facts.person_ref } else { CONTROLLER },
        "event_type": terms::event_type(basis, facts.mode),
        "event_state": term(basis.map_or(NOT_STATED, |basis| basis.id()), facts.state),
        "state": facts.state,
        "indication_method": indicated,
        "text_sha256": format!("sha256:{}", hex(&facts.text_sha256)),
    })
}

fn stated(text: &str) -> &str {
    if text.trim().is_empty() { NOT_STATED } else { text }
}

fn urn(id: Uuid) -> String {
    format!("urn:uuid:{id}")
}
