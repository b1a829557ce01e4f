//! Which term of the Data Privacy Vocabulary 2.3 says what. Words of our own begin with `daylight:`, where the
//! vocabulary has none; a choice that isn't consent is never called consent.

use serde_json::{Value, json};

use crate::register::{Category, ChoiceMode, Jurisdiction, LegalBasis};

/// Prefixes, and fields whose values are texts or objects.
const NAMES: [(&str, &str); 35] = [
    ("dpv", "https://w3id.org/dpv#"),
    ("pd", "https://w3id.org/dpv/pd#"),
    ("ai", "https://w3id.org/dpv/ai#"),
    ("loc", "https://w3id.org/dpv/loc#"),
    ("eu-gdpr", "https://w3id.org/dpv/legal/eu/gdpr#"),
    ("dct", "http://purl.org/dc/terms/"),
    ("daylight", "urn:daylight:"),
    ("record_id", "dct:identifier"),
    ("receipt_id", "dct:identifier"),
    ("record", "dpv:hasRecordOfActivity"),
    ("pii_principal_id", "dpv:hasDataSubject"),
    ("privacy_notice", "dpv:hasNotice"),
    ("title", "dct:title"),
    ("version", "dct:hasVersion"),
    ("language", "dct:language"),
    ("description", "dct:description"),
    ("purposes", "dpv:hasProcess"),
    ("purpose", "dct:description"),
    ("pii_information", "dpv:hasPersonalData"),
    ("pii_type", "@type"),
    ("pii_attribute_id", "dct:identifier"),
    ("pii_controllers", "dpv:hasDataController"),
    ("retention_period", "dpv:hasDuration"),
    ("service", "dpv:hasService"),
    ("jurisdiction", "dpv:hasJurisdiction"),
    ("recipient_third_parties", "dpv:hasRecipient"),
    ("party_id", "dct:identifier"),
    ("party_name", "dpv:hasName"),
    ("party_address", "dpv:hasAddress"),
    ("party_contact", "dpv:hasContact"),
    ("party_type", "@type"),
    ("event_time", "dct:date"),
    ("validity_duration", "dct:valid"),
    ("entity_id", "dpv:isImplementedByEntity"),
    ("indication_method", "dpv:hasIndicationMethod"),
];

/// Fields whose values are terms or addresses.
const LINKS: [(&str, &str); 7] = [
    ("schema_version", "dct:conformsTo"),
    ("url", "dct:source"),
    ("purpose_type", "dpv:hasPurpose"),
    ("lawful_basis", "dpv:hasLegalBasis"),
    ("processing_method", "dpv:hasProcessing"),
    ("storage_locations", "dpv:hasLocation"),
    ("privacy_rights", "dpv:hasRight"),
];

/// The meaning of each field, for programs that read JSON-LD.
pub fn context(basis: Option<LegalBasis>) -> Value {
    let (status, control, kind) = match basis {
        Some(LegalBasis::Consent) => ("dpv:hasConsentStatus", "dpv:hasConsentControl", "dpv:hasLegalBasis"),
        _ => ("dpv:hasStatus", "daylight:control", "daylight:event-type"),
    };
    let names = NAMES.into_iter().map(|(name, term)| (name, term.into()));
    let own = [("parties", "daylight:party"), ("event", "daylight:event"), ("withdrawal_method", control)];
    let own = own.into_iter().map(|(name, term)| (name, term.into()));
    let by_basis = [("event_state", status), ("event_type", kind)];
    let links = LINKS.into_iter().chain(by_basis);
    let links = links.map(|(name, term)| (name, json!({"@id": term, "@type": "@id"})));
    names.chain(own).chain(links).map(|(name, term)| (name.to_owned(), term)).collect()
}

/// Whether what is recorded falls under GDPR Art. 9(1) by itself.
pub fn is_special(category: Category) -> bool {
    category.id() == "biometric"
}

/// Whether a person can keep the data from being taken.
pub fn is_optional(mode: ChoiceMode) -> bool {
    matches!(mode, ChoiceMode::OptIn | ChoiceMode::OptOut)
}

/// Whether the controller brought this state about, and not the person.
pub fn is_the_controllers(state: &str) -> bool {
    ["expired", "upheld", "overridden"].contains(&state)
}

/// What kind of act the decision was.
pub fn event_type(basis: Option<LegalBasis>, mode: ChoiceMode) -> &'static str {
    match (basis, mode) {
        (Some(LegalBasis::Consent), _) => "dpv:ExplicitlyExpressedConsent",
        (_, ChoiceMode::OptIn) => "dpv:OptingInToProcess",
        (_, ChoiceMode::OptOut) => "dpv:OptingOutFromProcess",
        (_, ChoiceMode::Objection | ChoiceMode::Mandatory) => "dpv:ObjectingToProcess",
    }
}

/// How a person takes back or refuses.
pub fn withdrawal(basis: Option<LegalBasis>, mode: ChoiceMode) -> &'static str {
    match (basis, mode) {
        (Some(LegalBasis::Consent), _) => "dpv:WithdrawConsent",
        (_, ChoiceMode::OptIn) => "dpv:WithdrawingFromProcess",
        (_, ChoiceMode::OptOut) => "dpv:OptingOutFromProcess",
        (_, ChoiceMode::Objection | ChoiceMode::Mandatory) => "dpv:ObjectingToProcess",
    }
}

/// The same in words.
pub fn withdrawal_words(basis: Option<LegalBasis>, mode: ChoiceMode) -> &'static str {
    match withdrawal(basis, mode) {
        "dpv:ObjectingToProcess" => {
            "an objection on the page of your choices in Daylight, which the employer must answer"
        }
        _ => "on the page of your choices in Daylight, in one step, without giving reasons",
    }
}

/// Articles of the GDPR that give the person a right here; none where the GDPR doesn't apply.
pub fn rights(basis: Option<LegalBasis>, jurisdiction: &str) -> Vec<&'static str> {
    if Jurisdiction::find(jurisdiction).is_none_or(|law| law.data_law != "GDPR") {
        return Vec::new();
    }
    let mut rights = vec!["eu-gdpr:A15", "eu-gdpr:A16", "eu-gdpr:A17", "eu-gdpr:A18"];
    rights.extend(match basis {
        Some(LegalBasis::Consent) => &["eu-gdpr:A7-3", "eu-gdpr:A20"][..],
        Some(LegalBasis::Contract) => &["eu-gdpr:A20"],
        Some(LegalBasis::PublicTask | LegalBasis::LegitimateInterests) => &["eu-gdpr:A21"],
        _ => &[],
    });
    rights.push("eu-gdpr:A77");
    rights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::proof::consent::term;

    /// Looked up in the vocabulary's own files, release 2.3; `dpv:ConsentTerminated`, which guides mention,
    /// isn't there.
    const STATES: [&str; 8] = [
        "dpv:ConsentGiven",
        "dpv:ConsentRefused",
        "dpv:ConsentRequestDeferred",
        "dpv:ConsentWithdrawn",
        "dpv:ConsentExpired",
        "dpv:RenewedConsentGiven",
        "dpv:LegitimateInterestObjected",
        "dpv:PublicInterestObjected",
    ];

    #[test]
    fn states_are_terms_of_the_vocabulary_or_our_own_and_consent_is_said_of_consent_only() {
        let states = ["given", "refused", "deferred", "withdrawn", "expired", "renewed"];
        let objections = ["objected", "upheld", "overridden", "contested"];
        for basis in LegalBasis::ALL {
            for state in states.iter().chain(&objections) {
                let term = term(basis.id(), state);
                assert!(STATES.contains(&term.as_str()) || term == format!("daylight:{state}"), "{term}");
                assert!(*basis == LegalBasis::Consent || !term.contains("Consent"), "{basis:?} {term}");
            }
            for mode in ChoiceMode::ALL {
                let terms = [event_type(Some(*basis), *mode), withdrawal(Some(*basis), *mode)];
                let named = terms.iter().all(|term| term.contains("Consent"));
                assert_eq!(named, *basis == LegalBasis::Consent, "{terms:?}");
            }
        }
    }

    #[test]
    fn each_field_has_one_meaning_and_rights_follow_the_law_of_the_place() {
        let context = context(Some(LegalBasis::Consent));
        assert_eq!(context.as_object().map(serde_json::Map::len), Some(NAMES.len() + LINKS.len() + 5));
        assert!(rights(Some(LegalBasis::Consent), "DE").contains(&"eu-gdpr:A7-3"));
        assert!(rights(Some(LegalBasis::LegitimateInterests), "EU").contains(&"eu-gdpr:A21"));
        assert!(rights(Some(LegalBasis::Consent), "US-NY").is_empty());
    }
}
