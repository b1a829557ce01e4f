//! The record of a decision, field by field.

use uuid::Uuid;

use super::record::{Facts, Kept, NoticeRef, opening, record};
use crate::ledger::document_hash;
use crate::ledger::proof::consent::Opening;
use crate::ledger::proof::leaf::canonical;
use crate::ledger::proof::receipt::NOT_STATED;
use crate::register::{
    Category, ChoiceMode, LegalBasis, ProcessingContent, Purpose, Recipient, RecipientKind,
};

/// What 27560 asks for, by the place where it stands.
const MANDATORY: [(&str, &[&str]); 6] = [
    ("", &["schema_version", "record_id", "pii_principal_id", "privacy_notice", "language", "purposes"]),
    (
        "/purposes/0",
        &[
            "purpose",
            "pii_information",
            "pii_controllers",
            "storage_locations",
            "retention_period",
            "jurisdiction",
            "recipient_third_parties",
            "withdrawal_method",
        ],
    ),
    ("/purposes/0/pii_information/0", &["pii_type"]),
    ("/parties/0", &["party_id", "party_name", "party_address", "party_contact", "party_type"]),
    ("/parties/1", &["party_id", "party_name", "party_address", "party_contact", "party_type"]),
    ("/event/0", &["event_time", "validity_duration", "entity_id", "event_type", "event_state"]),
];

fn content(basis: LegalBasis, mode: ChoiceMode) -> ProcessingContent {
    let (category, purpose) = ("app.usage", "dpv:EnforceSecurity");
    let (category, purpose) = (Category::parse(category).unwrap(), Purpose::parse(purpose).unwrap());
    let recipient = Recipient {
        name: "Example Cloud".into(),
        kind: RecipientKind::Processor,
        country: "DE".into(),
        host: None,
    };
    ProcessingContent {
        legal_basis: Some(basis),
        choice_mode: Some(mode),
        recipients: vec![recipient],
        storage_location: "DE".into(),
        retention: "P30D".into(),
        ..ProcessingContent::new(category, purpose, "activitywatch")
    }
}

fn facts<'a>(content: &'a ProcessingContent, state: &'a str) -> Facts<'a> {
    Facts {
        record_id: Uuid::from_u128(1),
        person_ref: "p-1",
        controller: "Example Works",
        controller_contact: "",
        content,
        processing: Uuid::from_u128(2),
        processing_revision: 3,
        mode: content.choice_mode.unwrap(),
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
        at: "2026-11-02T09:00:00Z".parse::<jiff::Timestamp>().unwrap().into(),
        jurisdiction: "DE",
        kept: Kept {
            salt: &[9; 32],
            number: 1,
            by_role: "worker",
            by_person: None,
            version: Uuid::from_u128(5),
            major: 1,
            declared_sha256: [8; 32],
            allowed_before: false,
            allowed_after: state == "given",
            until: None,
            reason: None,
            named: false,
            due_at: None,
        },
    }
}

#[test]
fn every_mandatory_field_is_there_and_what_nobody_stated_is_said_not_to_be() {
    let content = content(LegalBasis::Consent, ChoiceMode::OptIn);
    let record = record(&facts(&content, "given"));
    for (place, names) in MANDATORY {
        let object = record.pointer(place).unwrap_or_else(|| panic!("{place}"));
        for name in names {
            assert!(object.get(name).is_some_and(|v| !v.is_null() && v != ""), "{place} {name}");
        }
    }
    assert_eq!(record["parties"][0]["party_contact"], NOT_STATED);
    assert_eq!(record["event"][0]["event_state"], "dpv:ConsentGiven");
    assert_eq!(record["event"][0]["validity_duration"], "2026-11-02T09:00:00Z/..");
    let bytes = serde_json_canonicalizer::to_vec(&record).unwrap();
    assert_eq!(canonical(&bytes), Ok(record), "whole numbers only, and the same after a round trip");
}

#[test]
fn a_choice_that_isnt_consent_is_never_called_so() {
    let content = content(LegalBasis::LegitimateInterests, ChoiceMode::OptOut);
    let record = record(&facts(&content, "refused"));
    assert!(!record.to_string().contains("Consent"), "{record}");
    assert_eq!(record["event"][0]["event_state"], "daylight:refused");
    assert_eq!(record["event"][0]["event_type"], "dpv:OptingOutFromProcess");
}

#[test]
fn the_mode_is_the_one_that_held_for_the_person() {
    let content = content(LegalBasis::LegitimateInterests, ChoiceMode::OptOut);
    let record = record(&Facts { mode: ChoiceMode::OptIn, ..facts(&content, "given") });
    assert_eq!(record["processing"]["choice_mode"], "opt_in");
    assert_eq!(record["event"][0]["event_type"], "dpv:OptingInToProcess");
    assert_eq!(record["purposes"][0]["withdrawal_method"]["@type"], "dpv:WithdrawingFromProcess");
}

#[test]
fn the_opening_commits_to_the_record() {
    let content = content(LegalBasis::Consent, ChoiceMode::OptIn);
    let facts = facts(&content, "withdrawn");
    let made = record(&facts);
    let opened: Opening = serde_json::from_value(opening(&facts, &made)).unwrap();
    assert_eq!(Ok(opened.decision.record), document_hash(&made));
    assert_eq!((opened.decision.state.as_str(), opened.person_ref.as_str()), ("withdrawn", "p-1"));
}
