//! A receipt file: the record of a decision, what opens its commitment, and the proof that it stands in the log.
//!
//! Everything but the record, the opening, the salt and the proof is a rewriting of these for other people's
//! programs. [`assemble`] does it, for the server and for the verifier, which compares: nothing in a file can
//! say something else than what the log commits to. Another rewriting needs another number in [`SCHEMA`].

use serde_json::{Map, Value, json};

use super::base64url;

pub const SCHEMA: &str = "daylight-receipt/1";

/// Of a decision about a processing that rests on consent.
pub const CONSENT: &str = "consent receipt";
/// Of any other: calling it consent would say something that isn't so.
pub const CHOICE: &str = "record of a choice";

/// What a record says of its own format.
pub const CONSENT_RECORD: &str = "https://w3id.org/dpv/schema/dpv-27560#record";
const CONSENT_RECEIPT: &str = "https://w3id.org/dpv/schema/dpv-27560#receipt";

/// GDPR Art. 6(1)(a).
pub const CONSENT_BASIS: &str = "eu-gdpr:A6-1-a";

/// What stands where nobody has said anything.
pub const NOT_STATED: &str = "not stated";

/// Whether the processing that the record is about rests on consent.
pub fn rests_on_consent(record: &Value) -> bool {
    record["purposes"][0]["lawful_basis"] == CONSENT_BASIS
}

/// The file's JSON. `receipt_id` counts for consent receipts only.
pub fn assemble(
    record: &Value,
    opening: &Value,
    salt: &[u8],
    proof: Option<&str>,
    receipt_id: &str,
) -> Value {
    let mut file = Map::new();
    let mut put = |name: &str, value: Value| file.insert(name.into(), value);
    put("schema", SCHEMA.into());
    if rests_on_consent(record) {
        put("type", CONSENT.into());
        put("receipt", wrapped(record, receipt_id));
        put("kantara", kantara(record, receipt_id));
    } else {
        put("type", CHOICE.into());
        put("record", record.clone());
    }
    put("opening", opening.clone());
    put("salt", base64url(salt).into());
    put("proof", proof.into());
    Value::Object(file)
}

/// The receipt of ISO/IEC TS 27560: its own id and format around a copy of the record.
fn wrapped(record: &Value, receipt_id: &str) -> Value {
    json!({
        "@context": record["@context"],
        "@id": format!("urn:uuid:{receipt_id}"),
        "@type": "dpv:ConsentReceipt",
        "schema_version": CONSENT_RECEIPT,
        "receipt_id": receipt_id,
        "record": record,
    })
}

/// The same in the shape of Kantara's Consent Receipt 1.1; null when the decision isn't a yes, since that
/// shape can't say no and whoever reads it would take a refusal for a consent.
fn kantara(record: &Value, receipt_id: &str) -> Value {
    let (event, purpose) = (&record["event"][0], &record["purposes"][0]);
    if !["dpv:ConsentGiven", "dpv:RenewedConsentGiven"].contains(&text(&event["event_state"])) {
        return Value::Null;
    }
    let seconds = text(&event["event_time"]).parse::<jiff::Timestamp>().map_or(0, |t| t.as_second());
    let parties = || list(&record["parties"]);
    let controllers: Vec<Value> =
        parties().filter(|p| p["party_type"] == "dpv:DataController").map(controller).collect();
    let others: Vec<&str> =
        parties().filter(|p| p["party_type"] == "dpv:ThirdParty").map(|p| text(&p["party_name"])).collect();
    let data = || list(&purpose["pii_information"]);
    let special: Vec<&Value> =
        data().filter(|d| d["special_pii_category"] == true).map(|d| &d["pii_type"]).collect();
    let mut said = json!({
        "purpose": purpose["purpose"],
        "purposeCategory": purpose["purpose_type"],
        "consentType": "EXPLICIT",
        "piiCategory": data().map(|d| &d["pii_type"]).collect::<Vec<_>>(),
        "primaryPurpose": true,
        "termination": purpose["retention_period"],
        "thirdPartyDisclosure": !others.is_empty(),
    });
    if !others.is_empty() {
        said["thirdPartyName"] = others.join(", ").into();
    }
    json!({
        "version": "KI-CR-v1.1.0",
        "jurisdiction": purpose["jurisdiction"],
        "consentTimestamp": seconds,
        "collectionMethod": event["indication_method"],
        "consentReceiptID": receipt_id,
        "language": record["language"],
        "piiPrincipalId": record["pii_principal_id"],
        "piiControllers": controllers,
        "policyUrl": record["privacy_notice"]["url"],
        "services": [{"service": purpose["service"], "purposes": [said]}],
        "sensitive": !special.is_empty(),
        "spiCat": special,
    })
}

fn controller(party: &Value) -> Value {
    let contact = text(&party["party_contact"]);
    json!({
        "piiController": party["party_name"],
        "onBehalf": false,
        "contact": contact,
        "address": {"streetAddress": party["party_address"]},
        "email": if contact.contains('@') { contact } else { NOT_STATED },
        "phone": NOT_STATED,
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
