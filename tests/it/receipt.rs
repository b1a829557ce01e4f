//! What a worker holds of a decision: other people's parsers read it, a schema describes it, and two programs
//! that share no code find every change to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use daylight::ledger;
use daylight::ledger::proof::policy::Policy;
use daylight::ledger::proof::verify::verify_receipt;
use serde_json::{Value, json};

use crate::support::receipts::{CHOICES, Choice, decided, entered, policy, proved, written};
use crate::support::{TestApp, fresh_folder, python};

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/receipt.schema.json");
const GIVEN: Choice = CHOICES[0];
const REFUSED: Choice = CHOICES[1];
const OPTED_OUT: Choice = CHOICES[3];

/// Files in a folder of their own.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = fresh_folder();
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("policy.txt"), policy(true)).expect("a file");
        Folder(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(format!("{name}.receipt.json"));
        fs::write(&path, text).expect("a file");
        path
    }

    /// What `daylight verify --receipt` and the independent verifier say: exit status and text.
    fn judge(&self, file: &Path, with_policy: bool) -> [(i32, String); 2] {
        let mut daylight = Command::new(env!("CARGO_BIN_EXE_daylight"));
        daylight.args(["verify", "--receipt"]).arg(file);
        let mut python = python::verifier();
        python.arg("receipt").arg(file);
        [daylight, python].map(|mut command| {
            if with_policy {
                command.arg("--policy").arg(self.0.join("policy.txt"));
            }
            let output = command.output().expect("it runs");
            let said = [output.stdout, output.stderr].concat();
            (output.status.code().expect("it ends by itself"), String::from_utf8_lossy(&said).into_owned())
        })
    }
}

/// What the schema's validator says of each.
fn shapes(files: &[PathBuf]) -> Vec<String> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/shape.py");
    let venv = python::environment("jsonschema", &["jsonschema==4.26.0"]);
    let output = Command::new(venv.join("bin/python")).args(["-B", program, SCHEMA]).args(files).output();
    let output = output.expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn receipts_fit_their_schema_and_survive_other_peoples_parsers() {
    let folder = Folder::new();
    let good: Vec<_> = CHOICES.iter().map(|choice| folder.write(choice.0, &proved(*choice, 40))).collect();
    let waiting = folder.write("waiting", &written(GIVEN, None));
    for (file, said) in
        good.iter().chain([&waiting]).zip(shapes(&[good.clone(), vec![waiting.clone()]].concat()))
    {
        assert_eq!(said, "valid", "{}", file.display());
        let text = fs::read_to_string(file).expect("a file");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(serde_json_canonicalizer::to_string(&value).expect("JSON"), text, "a round trip");
    }
}

#[test]
fn the_schema_refuses_what_a_receipt_must_not_say() {
    let folder = Folder::new();
    let changed = |name: &str, choice: Choice, pointer: &str, to: Value| {
        let mut file: Value = serde_json::from_str(&proved(choice, 40)).expect("JSON");
        let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
        let parent = file.pointer_mut(parent).expect("a place").as_object_mut().expect("an object");
        match to {
            Value::Null if last != "kantara" => drop(parent.remove(last)),
            to => drop(parent.insert(last.into(), to)),
        }
        folder.write(name, &file.to_string())
    };
    let event = "/receipt/record/event/0/event_state";
    let purpose = "/receipt/record/purposes/0/storage_locations";
    let twice = proved(GIVEN, 40).replacen('{', r#"{"schema":"daylight-receipt/1","#, 1);
    // Each with the place, or the words, that the validator must name.
    let wrong = [
        (changed("terminated", REFUSED, event, json!("dpv:ConsentTerminated")), "event_state"),
        (
            changed("no-principal", REFUSED, "/receipt/record/pii_principal_id", Value::Null),
            "pii_principal_id",
        ),
        (changed("no-locations", REFUSED, purpose, Value::Null), "storage_locations"),
        (changed("more", REFUSED, "/receipt/record/name", json!("Ada")), "'name' was unexpected"),
        (
            changed("claimed", OPTED_OUT, "/record/event/0/event_state", json!("dpv:ConsentGiven")),
            "event_state",
        ),
        (changed("kantara-for-a-choice", OPTED_OUT, "/kantara", json!({})), "'kantara' was unexpected"),
        (changed("kantara-of-a-refusal", REFUSED, "/kantara", json!({})), "$.kantara"),
        (changed("kantara-missing", GIVEN, "/kantara", Value::Null), "$.kantara"),
        (changed("half-a-second", GIVEN, "/kantara/consentTimestamp", json!(1.5)), "consentTimestamp"),
        (folder.write("twice", &twice), "a key occurs twice"),
    ];
    let files: Vec<_> = wrong.iter().map(|(file, _)| file.clone()).collect();
    for ((file, place), said) in wrong.iter().zip(shapes(&files)) {
        assert!(said.contains(place), "{}: {said}", file.display());
    }
}

#[test]
fn a_receipt_that_holds_says_in_words_what_it_proves() {
    let folder = Folder::new();
    for choice in CHOICES {
        let file = folder.write(choice.0, &proved(choice, 40));
        let [(code, said), (other, also)] = folder.judge(&file, true);
        assert!(code == 0 && other == 0, "{}: {said}\n{also}", choice.0);
        assert!(also.ends_with("HOLDS\n"), "{also}");
        let state = if choice.3 == "given" { "said yes" } else { choice.3 };
        let state = if state == "withdrawn" { "withdrew your yes" } else { state };
        for words in [
            "This proves:",
            "On 2 November 2026 at 09:00:00 UTC this decision was recorded: you ",
            state,
            "which programs you use, recorded by activitywatch, to keep systems and data secure",
            "The text you saw has the hash sha256:0707",
            "It stands in the log log.example.com/works at index 1, among 3.",
            "2 November 2026 at 09:00:40 UTC rests on the clock of the witness council",
            "This doesn't prove:",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}

#[test]
fn without_a_policy_nobodys_signature_counts_and_it_says_so() {
    let folder = Folder::new();
    let file = folder.write("given", &proved(GIVEN, 40));
    let [(code, said), (other, also)] = folder.judge(&file, false);
    assert!(code == 0 && other == 0, "{said}\n{also}");
    for words in ["isn't checked against anything you trust", "nobody whose key you gave", "operator's word"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("This proves:"), "{said}");
    assert!(also.contains("NOT CHECKED  proof's signatures"), "{also}");

    fs::write(folder.0.join("policy.txt"), policy(false)).expect("a file");
    let [(code, said), (other, _)] = folder.judge(&file, true);
    assert!(code == 0 && other == 0 && said.contains("The day rests on the operator's word"), "{said}");
}

#[test]
fn what_cant_be_read_or_waits_is_told_apart_from_what_is_violated() {
    let folder = Folder::new();
    let given = proved(GIVEN, 40);
    for (name, text, words) in [
        ("waiting", written(GIVEN, None), "holds no proof"),
        ("twice", given.replacen('{', r#"{"schema":"daylight-receipt/1","#, 1), "a key occurs twice"),
        ("deep-twice", given.replacen(r#""state":"#, r#""state":"given","state":"#, 1), "a key occurs twice"),
        ("cut", given[..given.len() - 9].to_owned(), "not JSON"),
        ("other", given.replace("daylight-receipt/1", "daylight-receipt/2"), "not a receipt"),
    ] {
        let [(code, said), (other, also)] = folder.judge(&folder.write(name, &text), true);
        assert!(code == 2 && other == 2 && said.contains(words), "{name}: {said}\n{also}");
    }
    let early = folder.write("early", &proved(GIVEN, -3600));
    let [(code, said), (other, also)] = folder.judge(&early, true);
    assert!(code == 1 && other == 1 && said.contains("before the time"), "{said}\n{also}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_daylight"));
    let output = command.args(["verify", "x.export", "--receipt"]).arg(&early).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "a receipt is checked by itself");
}

#[test]
fn what_the_operator_entered_must_agree_with_itself() {
    let folder = Folder::new();
    let (_, record, opening) = decided(REFUSED);
    let judge = |name: &str, text: &str, expected: i32| {
        for (code, said) in folder.judge(&folder.write(name, text), true) {
            assert_eq!(code, expected, "{name}: {said}");
        }
    };
    judge("entered", &entered(&record, &opening), 0);
    // A refusal that other people's programs would read as a consent; and other contradictions.
    for (name, pointer, to) in [
        ("state", "/event/0/event_state", "dpv:ConsentGiven"),
        ("word", "/event/0/state", "given"),
        ("person", "/pii_principal_id", "p-0000"),
        ("time", "/event/0/event_time", "2026-11-03T09:00:00Z"),
        ("notice", "/privacy_notice/leaf_hash", "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU"),
        ("processing", "/processing/id", "00000000-0000-0000-0000-000000000003"),
        ("basis", "/purposes/0/lawful_basis", "eu-gdpr:A6-1-f"),
    ] {
        let mut other = record.clone();
        *other.pointer_mut(pointer).expect("a place") = to.into();
        judge(name, &entered(&other, &opening), 1);
    }
    // Changed without the operator: the log's entry commits to something else.
    let mut forged: Value = serde_json::from_str(&entered(&record, &opening)).expect("JSON");
    let honest: Value = serde_json::from_str(&proved(GIVEN, 40)).expect("JSON");
    forged["proof"] = honest["proof"].clone();
    judge("other-entry", &forged.to_string(), 1);
    // By somebody who signs a log of their own.
    let stranger = policy(true).replace("log log.example.com/works", "# ");
    fs::write(folder.0.join("policy.txt"), stranger).expect("a file");
    judge("stranger", &proved(REFUSED, 40), 1);
}

/// A text with one bit of its middle changed.
fn flipped(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let middle = (bytes.len() / 2..bytes.len()).chain(0..bytes.len() / 2);
    let at = middle.into_iter().find(|i| bytes[*i].is_ascii_alphanumeric()).expect("a letter or a digit");
    bytes[at] ^= 1;
    String::from_utf8(bytes).expect("still UTF-8")
}

/// The place of a text inside the part: its first, in the order of names.
fn text_in(part: &mut Value) -> Option<&mut Value> {
    match part {
        Value::String(text) if text.bytes().any(|b| b.is_ascii_alphanumeric()) => Some(part),
        Value::Array(list) => list.iter_mut().find_map(text_in),
        Value::Object(members) => members.values_mut().find_map(text_in),
        _ => None,
    }
}

#[test]
fn a_flipped_byte_in_any_part_is_found_by_both() {
    let folder = Folder::new();
    for choice in [GIVEN, REFUSED, OPTED_OUT] {
        let file: Value = serde_json::from_str(&proved(choice, 40)).expect("JSON");
        let names: Vec<String> = file.as_object().expect("an object").keys().cloned().collect();
        for name in names {
            let mut spoiled = file.clone();
            match text_in(&mut spoiled[&name]) {
                Some(text) => *text = flipped(text.as_str().expect("a text")).into(),
                None => spoiled[&name] = json!({}),
            }
            let path = folder.write(&format!("{}-{name}", choice.0), &spoiled.to_string());
            let expected = if name == "schema" { 2 } else { 1 };
            for (code, said) in folder.judge(&path, true) {
                assert_eq!(code, expected, "{} {name}: {said}", choice.0);
            }
        }
    }
}

#[test]
fn every_byte_of_a_receipt_counts() {
    let policy: Policy = policy(true).parse().expect("a policy");
    // A file that can't be read doesn't hold either.
    let holds = |bytes: &[u8]| verify_receipt(bytes, Some(&policy)).is_ok_and(|report| !report.is_violated());
    let good = proved(GIVEN, 40).into_bytes();
    assert!(holds(&good));
    for at in 0..good.len() {
        let mut spoiled = good.clone();
        spoiled[at] ^= 1;
        let around = String::from_utf8_lossy(&spoiled[at.saturating_sub(20)..good.len().min(at + 20)]);
        assert!(!holds(&spoiled), "byte {at}: {around}");
    }
}

#[tokio::test]
async fn a_servers_own_log_proves_a_receipt() {
    let app = TestApp::new().await;
    let (leaf, ..) = decided(REFUSED);
    let mut tx = app.state.db.begin().await.expect("a transaction");
    ledger::submit(&mut tx, &leaf).await.expect("the leaf is valid");
    tx.commit().await.expect("a commit");
    app.state.ledger.settle().await.expect("the log signs");
    let visitor = app.visitor();
    assert!(
        visitor.get("/log").await.assert_status(200).body.contains("Commitment to one person’s decision")
    );
    let proof = visitor.get("/log/entries/1/proof").await.assert_status(200).body;
    let policy = visitor.get("/log/policy.txt").await.assert_status(200).body;
    let folder = Folder::new();
    fs::write(folder.0.join("policy.txt"), policy).expect("a file");
    let file = folder.write("refused", &written(REFUSED, Some(&proof)));
    for (code, said) in folder.judge(&file, true) {
        assert_eq!(code, 0, "{said}");
    }
    let export = visitor.get("/log/export").await.assert_status(200).body;
    assert!(!export.contains("p-7f3a") && !export.contains("refused"), "the log tells nothing of it");
}
