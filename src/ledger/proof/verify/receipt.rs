//! A worker's receipt: whether its parts fit together and stand in the log, and what that amounts to in words.

use serde_json::Value;

use super::super::checkpoint::Checkpoint;
use super::super::consent::{Opening, commitment, term, words};
use super::super::leaf::{Leaf, document_hash, has_plain_numbers};
use super::super::policy::Policy;
use super::super::receipt::{NOT_STATED, SCHEMA, assemble};
use super::super::tlog_proof::TlogProof;
use super::super::{Fault, from_base64url, strict};
use super::{Report, Statement, single};

const FILE: &str = "file";
const RECORD: &str = "record";
const COMMITMENT: &str = "commitment";
const DAY: &str = "day";

/// How far a witness's clock may be behind the server's.
const CLOCKS_DIFFER: i64 = 600;

const NOT_PROVEN: [&str; 6] = [
    "that the decision was kept: what agents reported afterwards stands on the person's own page",
    "that it is the last one: a later decision has a receipt of its own",
    "that consent was freely given, or that the notice was true",
    "who the person is: the receipt has a name for them that only their own receipts use",
    "that the person acted themselves: it is the server that recorded it, for whoever was signed in",
    "that nobody was shown another log, unless witnesses you trust cosigned this one",
];

/// The parts from which everything else in the file follows.
struct Parts<'a> {
    record: &'a Value,
    opening: &'a Value,
    salt: Option<[u8; 32]>,
    proof: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(file: &'a Value) -> Option<Self> {
        let record = file.get("receipt").map_or_else(|| file.get("record"), |receipt| receipt.get("record"));
        let salt = from_base64url(file.get("salt")?.as_str()?).ok();
        let proof = file.get("proof")?;
        if !proof.is_null() && !proof.is_string() {
            return None;
        }
        Some(Parts {
            record: record.filter(|r| has_its_places(r))?,
            opening: file.get("opening")?,
            salt: salt.and_then(|bytes| bytes.try_into().ok()),
            proof: proof.as_str(),
        })
    }
}

/// Whether the places are there from which it shows what the decision was about.
fn has_its_places(record: &Value) -> bool {
    let mut objects =
        ["@context", "privacy_notice", "processing", "decision"].map(|name| &record[name]).to_vec();
    objects.push(&record["event"][0]);
    objects.iter().all(|place| place.is_object()) && record["purposes"][0]["lawful_basis"].is_string()
}

/// Checks a receipt file; without a policy nobody's signature counts, and the report says so.
pub fn verify_receipt(bytes: &[u8], policy: Option<&Policy>) -> Result<Report, Fault> {
    let file = strict::parse(bytes).map_err(|e| {
        Fault::new(if e.is_data() { "a key occurs twice in an object" } else { "it is not JSON" })
    })?;
    if file["schema"] != SCHEMA {
        return Err(Fault::new(format!("it is not a receipt of the format {SCHEMA}")));
    }
    let mut report = Report { not_proven: NOT_PROVEN.to_vec(), ..Report::default() };
    let plain = has_plain_numbers(&file);
    let parts = Parts::of(&file).filter(|_| plain);
    let Some(parts) = parts else {
        report.violated(FILE, None, "its parts are missing or not of their kinds");
        return Ok(report);
    };
    judge_file(&file, &parts, &mut report);
    let opening = judge_opening(&parts, &mut report);
    let (Some(opening), Some(salt)) = (opening, parts.salt) else { return Ok(report) };
    let Some(text) = parts.proof else {
        if report.is_violated() {
            return Ok(report);
        }
        let words = "it fits together, but holds no proof: its entry was still waiting for its place in the log, \
                     and nothing is shown by it so far. Download it again";
        return Err(Fault::new(words));
    };
    let proof: TlogProof = match text.parse() {
        Ok(proof) => proof,
        Err(fault) => {
            report.violated("proof", None, fault.to_string());
            return Ok(report);
        }
    };
    judge_commitment(&proof, &salt, parts.opening, &mut report);
    let checkpoint: Option<Checkpoint> = proof.checkpoint.text.parse().ok();
    if let Some(checkpoint) = &checkpoint {
        report.origin.clone_from(&checkpoint.origin);
        report.size = checkpoint.size;
    }
    match policy {
        Some(policy) => single::judge(&proof, &report.origin.clone(), (policy, false), None, &mut report),
        None => single::judge_unsigned(&proof, &mut report),
    }
    let seen = judge_day(&opening, &proof, policy, &mut report);
    if !report.is_violated() {
        let sentences = statement(&opening, parts.record, &proof, seen, &report);
        report.statement = Statement { is_vouched: policy.is_some(), sentences };
    }
    Ok(report)
}

/// Every part is what follows from the record, the opening, the salt and the proof.
fn judge_file(file: &Value, parts: &Parts, report: &mut Report) {
    let Some(salt) = parts.salt else {
        report.violated(FILE, None, "its salt isn't 32 bytes in base64url");
        return;
    };
    let id = file["receipt"]["receipt_id"].as_str().unwrap_or_default();
    let made = assemble(parts.record, parts.opening, &salt, parts.proof, id);
    let (Some(file), Some(made)) = (file.as_object(), made.as_object()) else { return };
    let names = file.keys().chain(made.keys().filter(|name| !file.contains_key(*name)));
    for name in names.filter(|name| file.get(*name) != made.get(*name)) {
        let words = format!("its part {:?} isn't what follows from the record", shown(name));
        report.violated(FILE, None, words);
    }
    report.unless_violated(FILE, "each part is what follows from the record, and nothing else is in it");
}

/// The opening has its form, commits to the record, and says of it what it says itself.
fn judge_opening(parts: &Parts, report: &mut Report) -> Option<Opening> {
    let opening: Opening = match serde_json::from_value(parts.opening.clone()) {
        Ok(opening) => opening,
        Err(_) => {
            report.violated(RECORD, None, "the opening doesn't have exactly the members of an opening");
            return None;
        }
    };
    if document_hash(parts.record).ok() != Some(opening.decision.record) {
        report.violated(RECORD, None, "the record isn't the one that the opening commits to");
    }
    let (said, event) = (parts.opening, &parts.record["event"][0]);
    let pairs = [
        ("person", &said["person_ref"], &parts.record["pii_principal_id"]),
        ("notice", &said["notice_leaf_hash"], &parts.record["privacy_notice"]["leaf_hash"]),
        ("decision", &said["decision"]["state"], &event["state"]),
        ("processing", &said["decision"]["processing"], &parts.record["processing"]["id"]),
        ("time", &said["at"], &event["event_time"]),
    ];
    for (what, in_opening, in_record) in pairs {
        if in_opening != in_record {
            report.violated(RECORD, None, format!("its {what} isn't the one in the opening"));
        }
    }
    let basis = parts.record["purposes"][0]["lawful_basis"].as_str().unwrap_or_default();
    if event["event_state"] != term(basis, &opening.decision.state) {
        report.violated(RECORD, None, "its event_state isn't the term for the decision in the opening");
    }
    judge_decision(parts.record, &opening, report);
    let time: Option<jiff::Timestamp> = opening.at.parse().ok();
    let id = opening.decision.processing.to_string();
    let plain = said["decision"]["processing"] == id && time.is_some_and(|t| t.to_string() == opening.at);
    if !plain || words(&opening.decision.state).is_none() {
        report.violated(RECORD, None, "the opening's decision or its time isn't written as it must be");
    }
    report.unless_violated(RECORD, "the opening commits to the record, and both say the same");
    Some(opening)
}

/// What the record's `decision` says a second time agrees with where it is said first.
fn judge_decision(record: &Value, opening: &Opening, report: &mut Report) {
    let (own, notice) =
        (&record["decision"], record["privacy_notice"]["version"].as_str().unwrap_or_default());
    let major = notice.split('.').next().unwrap_or_default();
    if own["notice_major"].as_u64().map(|n| n.to_string()).as_deref() != Some(major) {
        report.violated(RECORD, None, "its decision was about another version of the notice");
    }
    let until = own["until"].as_str().filter(|_| opening.decision.state != "deferred").unwrap_or("..");
    if record["event"][0]["validity_duration"] != format!("{}/{until}", opening.at) {
        report.violated(RECORD, None, "its decision counts until another time than the event");
    }
    let answers = ["upheld", "overridden"].contains(&opening.decision.state.as_str());
    if own["by_person_hash"].is_string() != answers || own["number"].as_u64().is_none_or(|n| n == 0) {
        report.violated(RECORD, None, "its decision's number, or who made it, isn't written as it must be");
    }
}

fn judge_commitment(proof: &TlogProof, salt: &[u8; 32], opening: &Value, report: &mut Report) {
    let leaf = Leaf::Consent { commitment: commitment(salt, opening) };
    let fits = leaf.to_bytes().is_ok_and(|bytes| proof.extra.as_ref() == Some(&bytes));
    if !fits {
        let words = "the entry commits to something else than this opening with this salt";
        report.violated(COMMITMENT, Some(proof.index), words);
    }
    report.unless_violated(COMMITMENT, "the entry commits to this opening, with this salt");
}

/// Who says when: the name and the time of the first witness, or nobody but the operator.
fn judge_day(
    opening: &Opening,
    proof: &TlogProof,
    policy: Option<&Policy>,
    report: &mut Report,
) -> Option<(String, u64)> {
    let cosigned = policy.and_then(|p| p.cosignatures(&proof.checkpoint).ok()).unwrap_or_default();
    let Some((name, time)) = cosigned.into_iter().min_by_key(|(_, time)| *time) else {
        report.not_checked(DAY, "the time is the operator's word: no witness that you trust saw the entry");
        return None;
    };
    let at = opening.at.parse::<jiff::Timestamp>().map_or(i64::MAX, |t| t.as_second());
    let seen = i64::try_from(time).unwrap_or(i64::MAX);
    if seen.saturating_add(CLOCKS_DIFFER) < at {
        let words = format!("the witness {name} saw the entry before the time that the decision claims");
        report.violated(DAY, Some(proof.index), words);
    } else {
        report.holds(DAY, format!("it stood in the log when {name} cosigned, at {}", super::keys::utc(time)));
    }
    Some((name, time))
}

/// What the receipt amounts to, to the person.
fn statement(
    opening: &Opening,
    record: &Value,
    proof: &TlogProof,
    seen: Option<(String, u64)>,
    report: &Report,
) -> Vec<String> {
    let (purpose, event) = (&record["purposes"][0], &record["event"][0]);
    let notice = &record["privacy_notice"];
    let say = |value: &Value| shown(value.as_str().unwrap_or(NOT_STATED));
    let decision = words(&opening.decision.state).unwrap_or_default();
    let moment = |at: jiff::Timestamp| at.strftime("%-d %B %Y at %H:%M:%S UTC").to_string();
    let at = opening.at.parse().map(moment).unwrap_or_default();
    let day = match seen {
        Some((name, time)) => {
            let time = i64::try_from(time).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
            format!(
                "That it was recorded by {} rests on the clock of the witness {name}; that it was at {at} rests on the \
                 operator's word.",
                time.map(moment).unwrap_or_default()
            )
        }
        None => "The day rests on the operator's word: no witness that you trust saw it.".into(),
    };
    vec![
        format!(
            "On {at} this decision was recorded: {decision}. It has the number {} among those about this, which count \
             from 1.",
            record["decision"]["number"]
        ),
        format!(
            "It is about this: {}, recorded by {}, {}.",
            say(&purpose["pii_information"][0]["description"]),
            say(&purpose["service"]),
            say(&purpose["purpose"])
        ),
        format!(
            "The text you saw has the hash {}; it belongs to the notice “{}”, version {}, language {}, whose entry \
             in the log has the hash {}.",
            say(&event["text_sha256"]),
            say(&notice["title"]),
            say(&notice["version"]),
            say(&record["language"]),
            opening.notice_leaf_hash
        ),
        format!("It stands in the log {} at index {}, among {}.", report.origin, proof.index, report.size),
        day,
    ]
}

/// A file's text without what could move a terminal's cursor or turn the words around.
fn shown(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}
