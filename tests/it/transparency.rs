//! `daylight verify` and the code below it, judged by what others made: public vectors, and the logs of the
//! independent verifier.

use std::fs;
use std::process::Command;

use daylight::ledger;
use daylight::ledger::proof::checkpoint::Checkpoint;
use daylight::ledger::proof::note::{Check, Key, Note};
use daylight::ledger::proof::tree::{Hash, is_consistent, leaf_hash, root, root_of_inclusion};
use daylight::ledger::proof::verify::{Against, verify_export};
use daylight::web::Role;
use serde_json::Value;

use crate::support::transparency::{Case, cases, succeed};
use crate::support::{TestApp, fresh_folder, notice, python};

fn vectors() -> Value {
    serde_json::from_str(include_str!("support/vectors/transparency.json")).expect("the vectors are JSON")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("{name} is a list"))
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("hexadecimal");
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16);
    text.as_bytes().chunks(2).map(|pair| byte(pair).expect("hexadecimal")).collect()
}

fn hash(value: &Value) -> Hash {
    Hash::try_from(hex(value).as_slice()).expect("32 bytes")
}

fn hashes(value: &Value, name: &str) -> Vec<Hash> {
    list(value, name).iter().map(hash).collect()
}

#[test]
fn the_tree_is_the_one_of_rfc_6962() {
    let merkle = &vectors()["merkle"];
    let leaves: Vec<Hash> = list(merkle, "leaves").iter().map(|leaf| leaf_hash(&hex(leaf))).collect();
    let roots = hashes(merkle, "roots");
    for (size, expected) in roots.iter().enumerate() {
        assert_eq!(root(&leaves[..size]), *expected, "size {size}");
    }
    for case in list(merkle, "inclusion") {
        let (index, size) =
            (case["index"].as_u64().expect("an index"), case["size"].as_u64().expect("a size"));
        let found = root_of_inclusion(index, size, leaves[index as usize], &hashes(case, "proof"));
        assert_eq!(found, Some(roots[size as usize]), "{case}");
    }
    for case in list(merkle, "consistency") {
        let (first, second) =
            (case["first"].as_u64().expect("a size"), case["second"].as_u64().expect("a size"));
        let (old, new) = (roots[first as usize], roots[second as usize]);
        assert!(is_consistent(first, old, second, new, &hashes(case, "proof")), "{case}");
    }
}

#[test]
fn keys_notes_and_checkpoints_are_those_of_c2sp() {
    let vectors = vectors();
    for case in list(&vectors, "keys") {
        let key = case["vkey"].as_str().expect("a key").parse::<Key>();
        assert_eq!(key.is_ok(), case["valid"] == true, "{case}: {key:?}");
        if let Ok(key) = key {
            assert_eq!(key.to_string(), case["vkey"].as_str().expect("a key"));
        }
    }
    for case in list(&vectors, "notes") {
        let note = case["note"].as_str().expect("a note").parse::<Note>();
        assert_eq!(note.is_ok(), case["parses"] == true, "{}: {note:?}", case["source"]);
        let Ok(note) = note else { continue };
        assert_eq!(note.text, case["text"].as_str().expect("a text"));
        assert_eq!(note.signatures.len(), list(case, "signatures").len());
        for check in list(case, "checks") {
            let key: Key = check["vkey"].as_str().expect("a key").parse().expect("a valid key");
            let holds = matches!(key.check(&note), Check::Valid(_));
            assert_eq!(holds, check["holds"] == true, "{}: {key}", case["source"]);
        }
        if let Some(expected) = case.get("checkpoint") {
            let checkpoint: Checkpoint = note.text.parse().expect("a checkpoint");
            assert_eq!(checkpoint.origin, expected["origin"].as_str().expect("an origin"));
            assert_eq!(checkpoint.size, expected["size"].as_u64().expect("a size"));
            assert_eq!(checkpoint.root, hash(&expected["root"]));
        }
    }
}

#[test]
fn canonical_json_is_that_of_rfc_8785() {
    for case in list(&vectors(), "canonical") {
        let value: Value = serde_json::from_str(case["input"].as_str().expect("JSON")).expect("JSON");
        let written = serde_json_canonicalizer::to_string(&value).expect("it can be written");
        assert_eq!(written, case["output"].as_str().expect("JSON"), "{}", case["source"]);
    }
}

/// The exit status, and the leaves that the report names.
fn verify(name: &str, case: &Case) -> (i32, Vec<u64>, String) {
    let (folder, _) = cases();
    let mut command = Command::new(env!("CARGO_BIN_EXE_daylight"));
    command.current_dir(folder).args(["verify", "--json"]);
    match &case.export {
        Some(export) => command.args([export.as_str(), "--proof", name]),
        None => command.arg(name),
    };
    let others = [("--policy", &case.policy), ("--since", &case.since), ("--petition", &case.petition)];
    for (option, file) in others {
        if let Some(file) = file {
            command.args([option, file]);
        }
    }
    let output = command.output().expect("it runs");
    let code = output.status.code().expect("it ends by itself");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if code == 2 {
        return (code, Vec::new(), String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let report: Value = serde_json::from_str(&said).expect("a report");
    let violated = list(&report, "findings").iter().filter(|f| f["outcome"] == "violated");
    (code, violated.filter_map(|f| f["leaf"].as_u64()).collect(), said)
}

#[test]
fn the_command_judges_the_independent_verifiers_logs_as_it_does() {
    let (folder, cases) = cases();
    assert!(fs::read_dir(folder).expect("the folder").count() > cases.len());
    for (name, case) in cases {
        let (code, leaves, said) = verify(name, case);
        match case.exit {
            // What one program can't read because its parts don't add up, the other may call violated.
            2 => assert!(code > 0, "{name}, {}: {said}", case.about),
            exit => assert_eq!(code, exit, "{name}, {}: {said}", case.about),
        }
        if let (1, Some(leaf)) = (case.exit, case.leaf) {
            assert!(leaves.contains(&leaf), "{name}, {}: leaf {leaf}, not {leaves:?}\n{said}", case.about);
        }
        if let Some((first, last)) = case.between {
            let inside = leaves.iter().any(|leaf| (first..=last).contains(leaf));
            assert!(inside, "{name}, {}: {first} to {last}, not {leaves:?}\n{said}", case.about);
        }
    }
}

#[tokio::test]
async fn a_worker_s_download_is_checked_without_any_of_this_code() {
    let app = TestApp::new().await;
    let publisher = app.person("hr@example.com", &[Role::Publisher]).await;
    notice::write(&app, &notice::version(&app, publisher)).await;
    let worker = app.actor(Role::Worker).await;
    let page = worker.get("/notices").await.assert_status(200);
    let notice = page.attributes("main a", "href").into_iter().find(|a| a.starts_with("/notices/"));
    let page = worker.get(&notice.expect("the notice is listed")).await.assert_status(200);
    let proof = page.attributes("main a", "href").into_iter().find(|a| a.ends_with("/proof"));
    let proof = worker.get(&proof.expect("each version has its proof")).await.assert_status(200).body;
    let policy = app.visitor().get("/log/policy.txt").await.assert_status(200).body;
    let key = policy.split_whitespace().find(|word| word.matches('+').count() >= 2).expect("a key");

    let folder = fresh_folder();
    fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let file = write("notice.tlog-proof", &proof);
    let said = succeed(python::verifier().arg("proof").arg(file).args(["--vkey", key]));
    assert!(said.ends_with("HOLDS\n"), "{said}");
    let export = worker.get("/log/export").await.assert_status(200).body;
    let (export, policy) = (write("log.export", &export), write("log.policy", &policy));
    let said = succeed(python::verifier().arg("export").arg(&export).arg("--policy").arg(&policy));
    assert!(said.ends_with("HOLDS\n"), "{said}");

    // The notice's words changed by SQL, with the log left alone.
    sqlx::raw_sql(
        "alter table notice_text disable trigger user;
         update notice_text set markdown = replace(markdown, '30 days', '300 days')",
    )
    .execute(&app.state.db)
    .await
    .expect("whoever owns the database can");
    let changed = app.visitor().get("/log/export").await.assert_status(200).body;
    let changed = write("changed.export", &changed);
    let output = python::verifier().arg("export").arg(&changed).arg("--policy").arg(&policy).output();
    let output = output.expect("python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && said.ends_with("VIOLATED at leaf 1\n"), "{said}");
}

#[tokio::test]
async fn what_the_database_says_of_a_notice_isnt_believed_by_itself() {
    let app = TestApp::new().await;
    let publisher = app.person("hr@example.com", &[Role::Publisher]).await;
    let version = notice::version(&app, publisher);
    notice::write(&app, &version).await;
    let worker = app.actor(Role::Worker).await;
    let path = format!("/notices/{}", version.notice_id);
    assert!(worker.get(&path).await.body.contains("Checked"));
    let run = async |statements: &'static str| {
        sqlx::raw_sql(statements).execute(&app.state.db).await.expect("whoever owns the database can");
    };
    // The words and the leaf that commits to them, rewritten together: the head isn't in the database.
    run("alter table notice_text disable trigger user; alter table ledger_entry disable trigger user").await;
    run("update notice_text set markdown = replace(markdown, '30 days', '300 days')").await;
    let forged = notice::Version {
        texts: vec![notice::text(
            "en",
            "How we watch programs",
            "## Why\n\nWe keep it for 300 days to find faults.",
        )],
        ..version.clone()
    };
    let leaf = ledger::Leaf::Notice {
        notice: version.notice_id,
        version: "1.0".into(),
        change: ledger::NoticeChange::Published,
        previous: None,
        content: ledger::document_hash(&forged.document()).expect("a document"),
    };
    sqlx::query("update ledger_entry set bytes = $1, hash = sha256('\\x00'::bytea || $1) where position = 1")
        .bind(leaf.to_bytes().expect("a leaf"))
        .execute(&app.state.db)
        .await
        .expect("whoever owns the database can");
    let page = worker.get(&path).await.assert_status(200);
    assert!(page.body.contains("300 days") && page.body.contains("Doesn’t fit"), "{}", page.body);

    // Hidden: its document is missed.
    run("alter table notice_version disable trigger user").await;
    run("update notice_version set state = 'approved', ledger_entry = null, published_at = null").await;
    let export = app.visitor().get("/log/export").await.assert_status(200).body;
    let report = verify_export(export.as_bytes(), &Against::default()).expect("it can be read");
    assert!(report.to_string().contains("is missing"), "{report}");
}
