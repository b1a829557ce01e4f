//! The transparency log as outsiders, features and a restored backup meet it.

use daylight::ledger::proof::note::Note;
use daylight::ledger::proof::policy::Policy;
use daylight::ledger::proof::tlog_proof::TlogProof;
use daylight::ledger::proof::tree::{Edge, leaf_hash};
use daylight::ledger::proof::verify::{Against, Finding, Outcome, Report, verify_export, verify_proof};
use daylight::ledger::witness::{Witness, WitnessOptions};
use daylight::ledger::{self, Hash, Leaf};
use daylight::web::Role;

use crate::support::declaration::COMPLETE;
use crate::support::{TestApp, notice};

/// A kind that needs no document.
fn leaf(number: u32) -> Leaf {
    Leaf::Report { day: "2026-01-01".into(), root: Hash::of(&number.to_be_bytes()) }
}

pub async fn submit(app: &TestApp, number: u32) -> ledger::EntryId {
    let mut tx = app.state.db.begin().await.expect("a transaction");
    let entry = ledger::submit(&mut tx, &leaf(number)).await.expect("the leaf is valid");
    tx.commit().await.expect("a commit");
    entry
}

#[tokio::test]
async fn entries_get_places_in_the_order_they_were_handed_in() {
    let app = TestApp::new().await;
    let entries = [submit(&app, 1).await, submit(&app, 2).await];
    app.state.ledger.settle().await.expect("the log signs");
    let mut db = app.state.db.acquire().await.expect("a connection");
    let mut places = Vec::new();
    for entry in entries {
        places.push(ledger::position_of(&mut db, entry).await.expect("the entry"));
    }
    // The key announces itself first.
    assert_eq!(places, [Some(1), Some(2)]);
    let standing = app.state.ledger.standing(&mut db).await.expect("the log").expect("it is open");
    assert_eq!((standing.size, standing.refusal), (3, None));
}

#[tokio::test]
async fn many_who_wait_share_the_work() {
    let app = TestApp::new().await;
    let mut tasks = Vec::new();
    for number in 0..40 {
        submit(&app, number).await;
        let ledger = app.state.ledger.clone();
        tasks.push(tokio::spawn(async move { ledger.settle().await }));
    }
    for task in tasks {
        task.await.expect("no panic").expect("the log signs");
    }
    assert_eq!(app.count("ledger_entry where position is not null").await, 41);
    assert_eq!(app.count("ledger_entry").await, 41);
}

pub async fn filled(leaves: u32) -> TestApp {
    let app = TestApp::new().await;
    app.state.ledger.settle().await.expect("the log opens");
    for number in 1..leaves {
        submit(&app, number).await;
    }
    app.state.ledger.settle().await.expect("the log signs");
    app
}

pub async fn text(app: &TestApp, path: &str) -> String {
    app.visitor().get(path).await.assert_status(200).body
}

pub fn check(export: &str, against: &Against) -> Report {
    verify_export(export.as_bytes(), against).expect("it can be read")
}

pub fn violations(report: &Report) -> Vec<&Finding> {
    report.findings.iter().filter(|f| f.outcome == Outcome::Violated).collect()
}

pub async fn sql(app: &TestApp, statements: &'static str) {
    sqlx::raw_sql(statements).execute(&app.state.db).await.expect("the statements run");
}

#[tokio::test]
async fn an_export_holds_and_every_proof_with_it() {
    for size in [1, 2, 255, 256, 257, 600] {
        let app = filled(size).await;
        let export = text(&app, "/log/export").await;
        let policy: Policy = text(&app, "/log/policy.txt").await.parse().expect("a policy");
        let report = check(&export, &Against { policy: Some(policy.clone()), ..Against::default() });
        assert!(!report.is_violated(), "{size}: {report}");
        assert_eq!(report.size, u64::from(size));
        for index in [0, size / 2, size - 1] {
            let proof = text(&app, &format!("/log/entries/{index}/proof")).await;
            let proof: TlogProof = proof.parse().expect("a proof");
            let report = verify_proof(&proof, &policy, None).expect("it can be read");
            assert!(!report.is_violated(), "{size}/{index}: {report}");
        }
        app.visitor().get(&format!("/log/entries/{size}/proof")).await.assert_status(404);
    }
}

#[tokio::test]
async fn tiles_and_bundles_are_what_other_programs_build_the_tree_from() {
    let app = filled(300).await;
    let checkpoint = text(&app, "/log/checkpoint").await;
    let visitor = app.visitor();
    let mut edge = Edge::default();
    for (path, width) in [("entries/000", 256), ("entries/001.p/44", 44)] {
        // A leaf is ASCII here, so the reply's text holds its bytes; its length's first byte is 0.
        let reply = visitor.get(&format!("/log/tile/{path}")).await.assert_status(200);
        assert_eq!(reply.header("content-type"), "application/octet-stream");
        assert!(reply.header("cache-control").contains("immutable"));
        let leaves: Vec<&str> = reply.body.split('{').skip(1).collect();
        assert_eq!(leaves.len(), width);
        for leaf in leaves {
            let end = leaf.rfind('}').expect("an object");
            edge.push(leaf_hash(format!("{{{}}}", &leaf[..end]).as_bytes()));
        }
    }
    assert_eq!(checkpoint.lines().nth(1), Some("300"));
    assert_eq!(checkpoint.lines().nth(2), Some(edge.root().base64().as_str()));
    for (path, status) in [
        ("0/000", 200),
        ("0/001.p/44", 200),
        ("0/001.p/10", 200),
        ("1/000.p/1", 200),
        ("0/001", 404),
        ("0/001.p/45", 404),
        ("1/000.p/2", 404),
        ("2/000.p/1", 404),
        ("entries/002.p/1", 404),
        ("nonsense", 404),
    ] {
        visitor.get(&format!("/log/tile/{path}")).await.assert_status(status);
    }
}

#[tokio::test]
async fn a_row_changed_by_sql_is_named() {
    let app = filled(6).await;
    sql(&app, "alter table ledger_entry disable trigger user").await;
    sql(&app, "update ledger_entry set bytes = replace(bytes::text, '32303236', '32303237')::bytea where position = 3").await;
    let export = text(&app, "/log/export").await;
    let report = check(&export, &Against::default());
    assert_eq!(violations(&report).first().and_then(|f| f.leaf), Some(3), "{report}");

    // With its hash, in the row and in the tile, so that the file agrees with itself.
    sql(
        &app,
        "update ledger_entry set hash = sha256('\\x00'::bytea || bytes) where position = 3;
         update ledger_tile set hashes = substr(hashes, 1, 96) || (select hash from ledger_entry where position = 3)
             || substr(hashes, 129) where level = 0",
    )
    .await;
    let report = check(&text(&app, "/log/export").await, &Against::default());
    let words = violations(&report).iter().map(|f| f.words.clone()).collect::<Vec<_>>();
    assert!(words.iter().any(|w| w.contains("changed after the log had signed")), "{report}");
    // And the log itself notices before it signs again.
    submit(&app, 9).await;
    let refused = app.state.ledger.settle().await.expect_err("it isn't what was signed");
    assert!(refused.to_string().contains("refuses"), "{refused}");
    let page = app.visitor().get("/log").await.assert_status(200);
    assert!(page.select("[role=alert]")[0].contains("refuses to sign"));
}

#[tokio::test]
async fn earlier_checkpoints_tell_a_rollback_and_a_fork() {
    let app = filled(4).await;
    let early: Note = text(&app, "/log/checkpoint").await.parse().expect("a note");
    let before = text(&app, "/log/export").await;
    for number in 10..15 {
        submit(&app, number).await;
        app.state.ledger.settle().await.expect("the log signs");
    }
    let late: Note = text(&app, "/log/checkpoint").await.parse().expect("a note");
    let after = text(&app, "/log/export").await;
    let since = |note: &Note| Against { since: vec![note.clone()], ..Against::default() };
    assert!(!check(&after, &since(&early)).is_violated());
    let report = check(&before, &since(&late));
    assert!(violations(&report).iter().any(|f| f.words.contains("rolled back")), "{report}");

    // Another log under the same name with the same key: a fork, shown to somebody else.
    let mut forked = early.clone();
    let line = early.text.lines().nth(2).expect("a root").to_owned();
    forked.text = early.text.replace(&line, &Hash::of(b"another tree").base64());
    assert!(check(&after, &since(&forked)).is_violated(), "its signature isn't the log's");
}

#[tokio::test]
async fn a_new_key_is_announced_and_signs_from_then_on() {
    let app = filled(3).await;
    let old_policy: Policy = text(&app, "/log/policy.txt").await.parse().expect("a policy");
    let old_proof: TlogProof = text(&app, "/log/entries/1/proof").await.parse().expect("a proof");
    app.state.ledger.rotate_key().await.expect("a new key");
    submit(&app, 50).await;
    app.state.ledger.settle().await.expect("the log signs with it");
    let export = text(&app, "/log/export").await;
    let report = check(&export, &Against { policy: Some(old_policy), ..Against::default() });
    assert!(!report.is_violated(), "who trusts the old key trusts the one it announced: {report}");
    let policy: Policy = text(&app, "/log/policy.txt").await.parse().expect("a policy");
    assert_eq!(policy.logs.len(), 2);
    assert!(
        !verify_proof(&old_proof, &policy, None).expect("readable").is_violated(),
        "old proofs stay good"
    );
    let new_proof: TlogProof = text(&app, "/log/entries/4/proof").await.parse().expect("a proof");
    assert!(!verify_proof(&new_proof, &policy, None).expect("readable").is_violated());
}

#[tokio::test]
async fn a_witness_cosigns_what_continues_what_it_saw() {
    let folder = std::env::temp_dir().join(format!("daylight-witness-{}", std::process::id()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let seed = daylight::clock::Random::seeded(7);
    // The log's key is known once the log is open; the witness's, once it is.
    let key_of = |policy: &str| policy.lines().find_map(|l| l.strip_prefix("log ")).map(str::to_owned);
    let scout = filled(1).await;
    let policy = text(&scout, "/log/policy.txt").await;
    let log_key = key_of(&policy).expect("a key").split(' ').next().expect("a key").to_owned();
    let options = WitnessOptions {
        name: "witness.example".into(),
        logs: vec![log_key.parse().expect("a key")],
        folder: folder.clone(),
        listen: address,
    };
    let witness = Witness::open(&options, scout.state.clock.clone(), &seed).expect("a witness");
    let key = witness.verifier_key();
    let service = std::sync::Arc::new(witness).router();
    tokio::spawn(async move { axum::serve(listener, service).await });

    // The same seed makes the same key: this log is the one that the witness knows.
    let app = TestApp::with(|config| {
        config.witnesses = Some(format!("witness w1 {key} http://{address}\nquorum w1\n"));
    })
    .await;
    app.state.ledger.settle().await.expect("the log opens");
    assert_eq!(key_of(&text(&app, "/log/policy.txt").await).map(|k| k.starts_with(&log_key)), Some(true));
    tokio::spawn(ledger::keep(app.state.clone()));
    for number in 1..4 {
        submit(&app, number).await;
        app.state.ledger.settle().await.expect("the log signs");
        let wanted = (number + 1).to_string();
        let mut cosigned = false;
        for _ in 0..200 {
            let note = text(&app, "/log/checkpoint").await;
            cosigned = note.lines().nth(1) == Some(&wanted) && note.contains("witness.example");
            if cosigned {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(cosigned, "the witness cosigns {wanted} entries");
    }
    let policy: Policy = text(&app, "/log/policy.txt").await.parse().expect("a policy");
    let export = text(&app, "/log/export").await;
    let report = check(&export, &Against { policy: Some(policy), ..Against::default() });
    assert!(!report.is_violated(), "{report}");
    let witnesses = report.findings.iter().find(|f| f.check == "witnesses").expect("a finding");
    assert_eq!(witnesses.outcome, Outcome::Holds, "{report}");

    // What doesn't continue it is refused, each with the status that the specification names.
    let client = reqwest::Client::new();
    let note = text(&app, "/log/checkpoint").await;
    let own: String =
        note.lines().filter(|l| !l.contains("witness.example")).fold(String::new(), |all, l| all + l + "\n");
    let url = format!("http://{address}/add-checkpoint");
    for (body, status) in [
        (format!("old 0\n\n{own}"), 409),
        (format!("old 4\n\n{own}"), 200),
        (format!("old 5\n\n{own}"), 400),
        (format!("old 04\n\n{own}"), 400),
        (format!("old 4\n\n{}", own.replacen("/log", "/other", 1)), 404),
        (format!("old 4\n\n{}", own.replacen("\n4\n", "\n5\n", 1)), 403),
        ("nonsense".into(), 400),
    ] {
        let answer = client.post(&url).body(body.clone()).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{body}");
        if status == 409 {
            assert_eq!(answer.headers()["content-type"], "text/x.tlog.size");
            assert_eq!(answer.text().await.expect("a size"), "4\n");
        }
    }
    // A second log under the same name and key that isn't a continuation.
    let split = filled(6).await;
    let note = text(&split, "/log/checkpoint").await;
    let answer = client.post(&url).body(format!("old 4\n\n{note}")).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 422, "a split view isn't cosigned");
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn steps_of_the_register_stand_in_the_log_with_their_documents() {
    let app = TestApp::new().await;
    let publisher = app.actor(Role::Publisher).await;
    let created = publisher.post("/register", COMPLETE).await.assert_status(303);
    let path = created.location().split('?').next().expect("a path").to_owned();
    let step = async |verb: &str, revision: &str, fields: &[(&str, &str)]| {
        let fields = [fields, &[("revision", revision)]].concat();
        publisher.post(&format!("{path}/{verb}"), &fields).await.assert_status(303);
    };
    step("propose", "1", &[]).await;
    step("activate", "2", &[("activate_confirm", "yes")]).await;
    step("pause", "3", &[("pause_reason", "Under review")]).await;
    notice::cover(&app, publisher.id(), &path).await;
    step("resume", "4", &[("resume_reason", "Reviewed")]).await;
    step("end", "5", &[("end_confirm", "yes"), ("end_reason", "No longer needed")]).await;
    let worker = app.actor(Role::Worker).await;
    let export = worker.get("/log/export").await.assert_status(200).body;
    let report = check(&export, &Against::default());
    assert!(!report.is_violated(), "{report}");
    let kinds = ["\"activated\"", "\"t\":\"pause\"", "\"t\":\"resume\"", "\"ended\""];
    assert!(kinds.iter().all(|kind| export.contains(kind)), "{export}");
    assert!(!text(&app, "/log/export").await.contains("Under review"), "reasons are for signed-in people");
    assert!(export.contains("Under review"));
    let page = worker.get(&path).await.assert_status(200);
    assert!(page.attributes(".timeline a", "href").contains(&"/log/entries/2".into()));

    // Somebody with the database's password makes the pause say something else.
    sql(&app, "alter table processing_revision disable trigger user").await;
    sql(&app, "update processing_revision set reason = 'Nothing happened' where change = 'paused'").await;
    let report = check(&worker.get("/log/export").await.body, &Against::default());
    let found = violations(&report);
    assert_eq!(
        found.iter().map(|f| (f.check, f.leaf)).collect::<Vec<_>>(),
        [("documents", Some(2))],
        "{report}"
    );
}

#[tokio::test]
async fn every_bit_of_an_export_counts() {
    let app = filled(4).await;
    let early: Note = text(&app, "/log/checkpoint").await.parse().expect("a note");
    submit(&app, 5).await;
    app.state.ledger.settle().await.expect("the log signs");
    let policy: Policy = text(&app, "/log/policy.txt").await.parse().expect("a policy");
    let against = Against { policy: Some(policy), since: vec![early], ..Against::default() };
    let export = text(&app, "/log/export").await;
    assert!(!check(&export, &against).is_violated());
    let bytes = export.as_bytes();
    // The policy inside the file doesn’t count when one is given.
    let header = export.lines().next().expect("a header");
    let policy_at = header.find("\"policy\":\"").expect("a policy");
    let policy_end = policy_at + header[policy_at + 10..].find('"').expect("its end") + 10;
    for at in (0..bytes.len()).filter(|at| !(policy_at..=policy_end).contains(at)) {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        let noticed = match verify_export(changed.as_slice(), &against) {
            Err(_) => true,
            Ok(report) => report.is_violated(),
        };
        let around = String::from_utf8_lossy(&bytes[at.saturating_sub(20)..(at + 20).min(bytes.len())]);
        assert!(noticed, "byte {at}, in {around:?}");
    }
}
