//! What a `consent` leaf commits to: one person's decision about one processing, opened only by who holds the
//! salt. The log learns nothing from the leaf, not even that two of them are about the same person.

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::receipt::CONSENT_BASIS;
use super::tree::Hash;

/// So that these bytes can't be the beginning of anything else that is hashed.
const DOMAIN: &[u8] = b"daylight-consent/v1\0";
const REASON_DOMAIN: &[u8] = b"daylight-consent-reason/v1\0";
const ANSWERER_DOMAIN: &[u8] = b"daylight-consent-answerer/v1\0";

/// What can be decided, and the words that say so to the person.
const STATES: [(&str, &str); 10] = [
    ("given", "you said yes"),
    ("refused", "you refused"),
    ("deferred", "you put off deciding"),
    ("withdrawn", "you withdrew your yes"),
    ("expired", "your yes ran out"),
    ("renewed", "you renewed your yes"),
    ("objected", "you objected"),
    ("upheld", "the employer upheld your objection"),
    ("overridden", "the employer overrode your objection"),
    ("contested", "you contested that your objection was overridden"),
];

/// "you refused", for `refused`; `None` for what isn't a state.
pub fn words(state: &str) -> Option<&'static str> {
    STATES.iter().find(|(id, _)| *id == state).map(|(_, words)| *words)
}

/// What is hashed together with the salt. Texts only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The person, under a name that only their own receipts use.
    pub person_ref: String,
    /// The leaf of the notice version that was shown.
    pub notice_leaf_hash: Hash,
    pub decision: Decision,
    /// RFC 3339, UTC.
    pub at: String,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    pub state: String,
    pub processing: Uuid,
    /// SHA-256 of the record's canonical JSON.
    pub record: Hash,
}

/// The term that says a state in a record, of DPV 2.3 where it has one; of consent only where the processing
/// rests on it.
pub fn term(basis: &str, state: &str) -> String {
    let term = match (basis, state) {
        (CONSENT_BASIS, "given") => "dpv:ConsentGiven",
        (CONSENT_BASIS, "refused") => "dpv:ConsentRefused",
        (CONSENT_BASIS, "deferred") => "dpv:ConsentRequestDeferred",
        (CONSENT_BASIS, "withdrawn") => "dpv:ConsentWithdrawn",
        (CONSENT_BASIS, "expired") => "dpv:ConsentExpired",
        (CONSENT_BASIS, "renewed") => "dpv:RenewedConsentGiven",
        ("eu-gdpr:A6-1-f", "objected") => "dpv:LegitimateInterestObjected",
        ("eu-gdpr:A6-1-e", "objected") => "dpv:PublicInterestObjected",
        (_, state) => return format!("daylight:{state}"),
    };
    term.into()
}

/// `SHA-256("daylight-consent/v1" ‖ 0x00 ‖ salt ‖ canonical JSON of the opening)`
pub fn commitment(salt: &[u8; 32], opening: &Value) -> Hash {
    let json = serde_json_canonicalizer::to_vec(opening).expect("an opening holds texts only");
    Hash::of(&[DOMAIN, salt, &json].concat())
}

/// `SHA-256("daylight-consent-reason/v1" ‖ 0x00 ‖ salt ‖ reason)`, which a record holds in place of a reason.
pub fn reason_hash(salt: &[u8; 32], reason: &str) -> Hash {
    Hash::of(&[REASON_DOMAIN, salt, reason.as_bytes()].concat())
}

/// `SHA-256("daylight-consent-answerer/v1" ‖ 0x00 ‖ salt ‖ name)`, in place of whoever answered an objection.
pub fn answerer_hash(salt: &[u8; 32], person_ref: &str) -> Hash {
    Hash::of(&[ANSWERER_DOMAIN, salt, person_ref.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_commitment_is_the_formula_of_the_documentation() {
        let record = Hash::of(b"{}").to_string();
        let opening = json!({"person_ref": "p", "notice_leaf_hash": record, "at": "2026-11-02T09:00:00Z",
            "decision": {"state": "refused", "record": record, "processing": Uuid::from_u128(7)}});
        let text = format!(
            "daylight-consent/v1\0{}{{\"at\":\"2026-11-02T09:00:00Z\",\"decision\":{{\"processing\":\
             \"{}\",\"record\":\"{record}\",\"state\":\"refused\"}},\"notice_leaf_hash\":\"{record}\",\
             \"person_ref\":\"p\"}}",
            "s".repeat(32),
            Uuid::from_u128(7),
        );
        assert_eq!(commitment(&[b's'; 32], &opening), Hash::of(text.as_bytes()));
        assert_ne!(commitment(&[b't'; 32], &opening), Hash::of(text.as_bytes()));
        let read: Opening = serde_json::from_value(opening).unwrap();
        assert_eq!(words(&read.decision.state), Some("you refused"));
        assert_eq!(words("agreed"), None);
    }
}
