//! The representative's own server against a served dashboard: pairing, the roll, codes, packs, the drop-box.

use daylight::credentials::wire::{ActionRequest, Promise};
use daylight::ledger::proof::petition::{Disclosure, IssuerRole, is_signed, promise_message};
use daylight::ledger::proof::tree::Hash;
use daylight::web::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::council::Council;
use crate::support::petition::{REPRESENTATIVE, open};

/// Runs SQL at the dashboard, as somebody who owns its database may.
async fn sql(council: &Council, statement: &'static str) {
    sqlx::query(statement).execute(&council.app.state.db).await.expect("the statement runs");
}

async fn petition(council: &Council, slot: u64) -> (Hash, u64) {
    let author = council.app.actor(Role::Worker).await.id();
    let open = open(&council.app, author, slot, "Longer breaks").await;
    // The process of its own has the machine's clock.
    sql(council, "update petition set closes_at = '2100-01-01T00:00:00Z'").await;
    (open.leaf_hash, open.slot)
}

fn confidential(council: &Council, n: usize, petition: (Hash, u64)) -> ActionRequest {
    let colleague = &council.colleagues[n];
    let who = colleague.worker_ref;
    colleague.holder.sign(&colleague.pack, petition, 1, Disclosure::Nobody, who).expect("signed")
}

#[tokio::test]
async fn the_process_gives_packs_and_hands_signatures_over_together() {
    let mut council = Council::apart(5).await;
    council.begin().await;
    for n in 0..5 {
        council.fetch_pack(n).await;
    }
    council.round().await;
    assert_eq!(council.app.count("petition_pack where issuer = 'representative'").await, 5, "it told of all");

    let petition = petition(&council, 1).await;
    council.round().await;
    for n in 0..4 {
        let reply = council.post_json("/actions", &json!(confidential(&council, n, petition))).await;
        reply.assert_status(202);
    }
    council.round().await;
    assert_eq!(council.app.count("petition_waiting").await, 0, "four wait");
    let page = council.get("/").await.assert_status(200).body;
    assert!(page.contains("fewer than five"));
    // What was received survives a crash.
    council.kill().await;
    council.start().await;
    let last = json!(confidential(&council, 4, petition));
    council.post_json("/actions", &last).await.assert_status(202);
    for _ in 0..20 {
        council.round().await;
        if council.app.count("petition_waiting").await == 5 {
            break;
        }
    }
    assert_eq!(council.app.count("petition_waiting").await, 5, "five went together");

    // It is a witness of the log as well.
    let note = council.app.visitor().get("/log/checkpoint").await.assert_status(200).body;
    let reply = council.send(Method::POST, "/add-checkpoint", &[], format!("old 0\n\n{note}")).await;
    assert!(reply.assert_status(200).body.contains(REPRESENTATIVE));
    let reply = council.send(Method::POST, "/add-checkpoint", &[], format!("old 0\n\n{note}")).await;
    assert_eq!(reply.status, 409);

    let logged = council.logged();
    for colleague in &council.colleagues {
        let key = colleague.holder.identity().to_string();
        for secret in [colleague.name.as_str(), &colleague.worker_ref.to_string(), &key] {
            assert!(!logged.contains(secret), "its log names nobody: {logged}");
        }
    }
    assert!(logged.contains("cosigned"), "its log was captured");
}

#[tokio::test]
async fn a_code_works_once_and_for_its_person() {
    let council = Council::new(2).await;
    council.connect().await;
    council.round().await;
    let codes = council.codes().await;
    assert!(council.codes().await.is_empty(), "codes are made once");
    let code = |n: usize| {
        codes.iter().find(|(name, _)| *name == council.colleagues[n].name).expect("a code").1.clone()
    };
    assert_eq!(code(0).len(), 19);
    for wrong in ["", "0000-0000-0000-0000", &code(1)] {
        let reply = council.enrol(0, wrong).await.assert_status(403);
        assert!(reply.header("content-type").contains("problem+json"), "{:?}", reply.headers);
    }
    // Small letters and spaces, as people type.
    let typed = code(0).to_lowercase().replace('-', " ");
    let first = council.enrol(0, &typed).await.assert_status(200).body;
    assert_eq!(council.enrol(0, &code(0)).await.assert_status(200).body, first, "the same again");
    let other =
        council.colleagues[1].holder.enrol(REPRESENTATIVE, council.colleagues[0].worker_ref, Some(code(0)));
    council.post_json("/enrol", &json!(other)).await.assert_status(409);
    // A signature of another key, and a key that somebody else has.
    let mut stolen = json!(council.colleagues[1].holder.enrol(
        REPRESENTATIVE,
        council.colleagues[1].worker_ref,
        Some(code(1))
    ));
    stolen["id_key"] = json!(council.colleagues[0].holder.identity());
    council.post_json("/enrol", &stolen).await.assert_status(403);
    let twice =
        council.colleagues[0].holder.enrol(REPRESENTATIVE, council.colleagues[1].worker_ref, Some(code(1)));
    council.post_json("/enrol", &json!(twice)).await.assert_status(409);
    // Guessing is told to stop, for this person alone; the right code is taken all the same: or whoever knows a
    // colleague's number could keep them out.
    for n in 0..12 {
        let wrong = council.enrol(1, "1111-1111-1111-1111").await;
        wrong.assert_status(if n < 9 { 403 } else { 429 });
    }
    council.enrol(0, "1111-1111-1111-1111").await.assert_status(403);
    council.enrol(1, &code(1)).await.assert_status(200);

    // A renewed code replaces the one before.
    let worker_ref = council.colleagues[0].worker_ref.to_string();
    let sheet = council.post("/codes/renew", &[("worker_ref", &worker_ref)]).await.assert_status(200);
    let renewed = sheet.select("article strong").into_iter().next().expect("a code");
    council.enrol(0, &code(0)).await.assert_status(403);
    council.enrol(0, &renewed).await.assert_status(200);
    let stored = council.store();
    for code in codes.iter().map(|(_, code)| code).chain([&renewed]) {
        for spelling in [code.clone(), code.replace('-', "")] {
            assert!(!holds(&stored, &spelling), "codes are kept as hashes");
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn what_only_the_records_prove_is_signed_without_anybody() {
    let mut council = Council::new(2).await;
    council.begin().await;
    let signed = || async { council.app.count("petition_roll where signature is not null").await };
    assert_eq!(signed().await, 1);
    // Somebody new: waits for a person, and until then nobody gets credentials for them.
    council.hire(9).await;
    council.round().await;
    let signed = council.app.count("petition_roll where signature is not null").await;
    assert_eq!(signed, 1, "a newcomer waits for a person");
    let codes = council.codes().await;
    council.enrol(2, &codes[0].1).await.assert_status(200);
    council.round().await;
    assert_eq!(council.app.count("petition_roll where signature is not null").await, 1);
    let page = council.get("/roll").await.body;
    assert!(page.contains(&council.colleagues[2].name) && page.contains("Added: 1"));

    // Doubted: not signed, whoever asks.
    let worker_ref = council.colleagues[2].worker_ref.to_string();
    council.post("/roll/challenge", &[("worker_ref", &worker_ref), ("reason", "")]).await.assert_status(422);
    let fields = [("worker_ref", worker_ref.as_str()), ("reason", "I never met them")];
    council.post("/roll/challenge", &fields).await.assert_status(303);
    let server = council.server.clone().expect("in this process");
    let refused = server.countersign().await.expect_err("somebody is challenged");
    assert!(refused.to_string().contains("challenged"), "{refused}");
    assert!(council.get("/roll").await.body.contains("I never met them"));
    council.post("/roll/clear", &[("worker_ref", &worker_ref)]).await.assert_status(303);
    // Nobody looked, or looked at something else.
    council.post("/roll/countersign", &[("looked", "yes"), ("seen", "")]).await.assert_status(400);
    let other = Hash::of(b"other").to_string();
    council.post("/roll/countersign", &[("looked", "yes"), ("seen", &other)]).await.assert_status(409);
    // Another name in the same place than the one that was looked at: the root is the same.
    let shown = council.get("/roll").await.attributes("input[name=seen]", "value").remove(0);
    sql(&council, "update person set name = 'Somebody Else' where email like 'worker-%'").await;
    council.round().await;
    council.post("/roll/countersign", &[("looked", "yes"), ("seen", &shown)]).await.assert_status(409);
    assert!(council.get("/roll").await.body.contains("Changed: 2"));
    council.countersign().await.assert_status(303);
    assert_eq!(council.app.count("petition_roll where signature is not null").await, 2);
    council.fetch_pack(2).await;

    // A key that comes in later and was made known here needs nobody.
    let actor = council.app.actor(Role::Worker).await;
    let _ = actor.get("/api/v1/me/wallet").await.assert_status(200);
    council.round().await;
    council.countersign().await.assert_status(303);
    let reply = actor.get("/api/v1/me/wallet").await.json();
    let holder = daylight::credentials::holder::Holder {
        seed: daylight::credentials::seed::Seed([77; 32]),
        origin: council.app.state.config.log_origin.clone(),
    };
    let worker_ref = reply["worker_ref"].as_str().expect("a reference").parse().expect("an id");
    let request = holder.enrol("127.0.0.1:8080", worker_ref, None);
    actor.post_json("/api/v1/me/wallet", &json!(request), None).await.assert_status(200);
    council.round().await;
    assert_eq!(council.app.count("petition_roll where signature is not null").await, 3, "never seen here");
    let code = council.codes().await.remove(0).1;
    let request = holder.enrol(REPRESENTATIVE, worker_ref, Some(code));
    council.post_json("/enrol", &json!(request)).await.assert_status(200);
    council.round().await;
    assert_eq!(council.app.count("petition_roll where signature is not null").await, 4, "by itself");
}

#[tokio::test]
async fn tampered_rolls_are_not_signed() {
    let mut council = Council::new(3).await;
    council.begin().await;
    council.hire(8).await;
    for tampering in [
        "update petition_roll_entry set id_key = decode(repeat('ab', 32), 'hex') where place = 0",
        "update petition_roll_entry set salt = decode(repeat('cd', 32), 'hex') where place = 1",
        "update petition_roll_entry set worker_ref = '00000000-0000-4000-8000-000000000001' where place = 2",
    ] {
        sql(&council, tampering).await;
        let server = council.server.clone().expect("in this process");
        let _ = server.tick().await;
        let refused = server.countersign().await.expect_err(tampering);
        assert!(refused.to_string().contains("can’t be signed"), "{tampering}: {refused}");
        let page = council.get("/roll").await.body;
        assert!(page.contains("Can’t be signed") && !page.contains("name=\"looked\""), "{tampering}");
    }
    assert_eq!(council.app.count("petition_roll where signature is not null").await, 1);
}

#[tokio::test]
async fn packs_are_for_keys_that_were_made_known_here() {
    let mut council = Council::new(3).await;
    council.connect().await;
    council.round().await;
    let codes = council.codes().await;
    let code = |name: &str| codes.iter().find(|(n, _)| n == name).expect("a code").1.clone();
    // The third never uses their code; the roll is signed all the same.
    for n in 0..2 {
        council.enrol(n, &code(&council.colleagues[n].name)).await.assert_status(200);
    }
    assert_eq!(council.get("/epoch").await.status, 404, "before it began");
    council.countersign().await.assert_status(303);
    let epoch = council.epoch().await;
    assert!(epoch.proof.is_none() && epoch.packs == 0 && epoch.packs_needed == 20);
    council.fetch_pack(0).await;
    assert_eq!(council.epoch().await.packs, 1);

    let ask = |n: usize, index: u64| {
        let asked = council.colleagues[n].holder.ask(&epoch.epoch, IssuerRole::Representative, index);
        json!(asked.expect("a request").request)
    };
    let place = council.colleagues[0].pack.index;
    let again = council.post_json("/packs", &ask(0, place)).await.assert_status(200).body;
    assert_eq!(council.post_json("/packs", &ask(0, place)).await.assert_status(200).body, again);
    // Somebody else's place, no place at all, a key never made known here, another epoch, a short pack.
    council.post_json("/packs", &ask(1, place)).await.assert_status(403);
    council.post_json("/packs", &ask(1, 99)).await.assert_status(403);
    let stranger = council.get(&format!("/places/{}", council.colleagues[2].holder.identity())).await;
    let stranger = stranger.assert_status(200).json()["index"].as_u64().expect("a place");
    council.post_json("/packs", &ask(2, stranger)).await.assert_status(403);
    let mut other = ask(0, place);
    other["epoch"] = json!("2031-Q1");
    council.post_json("/packs", &other).await.assert_status(404);
    // The same key with other messages, rightly signed.
    let mut changed = epoch.epoch.clone();
    changed.representative.keys.swap(0, 1);
    let asked = council.colleagues[0].holder.ask(&changed, IssuerRole::Representative, place);
    let asked = json!(asked.expect("a request").request);
    council.post_json("/packs", &asked).await.assert_status(409);
    assert_eq!(council.get("/places/nonsense").await.status, 404);
}

#[tokio::test]
async fn packs_of_a_former_epoch_are_given_while_a_petition_of_it_runs() {
    let mut council = Council::new(2).await;
    council.begin().await;
    council.fetch_pack(0).await;
    let (former, pack) = (council.epoch().await, council.colleagues[0].pack.clone());
    let petition = petition(&council, 1).await;
    council.round().await;
    let signature = confidential(&council, 0, petition);
    council.post_json("/actions", &json!(signature)).await.assert_status(202);
    // Over New Year.
    council.app.state.clock.advance(61 * 86_400);
    council.round().await;
    let server = council.server.clone().expect("in this process");
    server.countersign().await.expect("the next epoch is signed");
    council.round().await;
    assert_eq!(council.epoch().await.epoch.epoch, "2027-Q1");

    // A wallet from paper: the same keys, the same place, the same pack.
    let again = council.get("/epoch?epoch=2026-Q4").await.assert_status(200).json();
    assert_eq!(again["leaf_hash"], json!(former.leaf_hash));
    let holder = &council.colleagues[0].holder;
    let place = council.get(&format!("/places/{}?epoch=2026-Q4", holder.identity())).await;
    assert_eq!(place.assert_status(200).json(), json!({"epoch": "2026-Q4", "index": pack.index}));
    let asked = holder.ask(&former.epoch, IssuerRole::Representative, pack.index).expect("a request");
    let reply = council.post_json("/packs", &json!(asked.request)).await.assert_status(200);
    let answer = serde_json::from_str(&reply.body).expect("a pack");
    assert_eq!(asked.finish(&answer).expect("the tokens verify"), pack.representative, "byte for byte");
    let withdrawal = holder.withdraw(&pack, petition, 2);
    council.post_json("/actions", &json!(withdrawal)).await.assert_status(202);
    for path in ["/epoch", &format!("/places/{}", holder.identity())] {
        council.get(&format!("{path}?epoch=2026-Q3")).await.assert_status(404);
    }
    // Once it is over, and nothing of it is kept.
    sql(&council, "update petition set closes_at = '2026-12-01T00:00:00Z'").await;
    council.round().await;
    sql(&council, "update petition set state = 'closed', closed_at = closes_at").await;
    council.app.state.clock.advance(100 * 86_400);
    council.round().await;
    council.get("/epoch?epoch=2026-Q4").await.assert_status(404);
    council.post_json("/packs", &json!(asked.request)).await.assert_status(404);
}

#[tokio::test]
async fn the_drop_box_takes_what_both_issuers_gave_and_forgets_it() {
    let mut council = Council::new(5).await;
    council.begin().await;
    for n in 0..5 {
        council.fetch_pack(n).await;
    }
    let petition = petition(&council, 1).await;
    let first = json!(confidential(&council, 0, petition));
    council.post_json("/actions", &first).await.assert_status(404);
    council.round().await;
    let reply = council.post_json("/actions", &first).await.assert_status(202);
    let promise: Promise = serde_json::from_str(&reply.body).expect("a promise");
    let key: Hash =
        serde_json::from_value(council.get("/issuer").await.json()["public_key"].clone()).expect("a key");
    let origin = &council.app.state.config.log_origin;
    let message = promise_message(origin, &promise.leaf_hash, &promise.include_by.to_string());
    assert!(promise.by == IssuerRole::Representative && is_signed(&key, &message, &promise.signature));
    let again = council.post_json("/actions", &first).await.assert_status(202).body;
    assert_eq!(again, reply.body, "the same promise");

    // Tokens of another slot or somebody else's, another mode, a foreign signature.
    let mut wrong: Vec<Value> = Vec::new();
    for field in ["operator", "representative"] {
        let mut action = json!(confidential(&council, 1, petition));
        action["credential"][field] = json!(council.colleagues[2].pack.operator[1]);
        wrong.push(action);
    }
    wrong.push(json!(confidential(&council, 1, (petition.0, 2))));
    let mut action = json!(confidential(&council, 1, petition));
    action["number"] = json!(2);
    wrong.push(action);
    for wrong in wrong {
        council.post_json("/actions", &wrong).await.assert_status(403);
    }
    let colleague = &council.colleagues[1];
    let withdrawal = colleague.holder.withdraw(&colleague.pack, petition, 2);
    council.post_json("/actions", &json!(withdrawal)).await.assert_status(404);
    council.post_json("/actions", &json!({"action": "sign"})).await.assert_status(422);

    for n in 1..4 {
        let action = json!(confidential(&council, n, petition));
        council.post_json("/actions", &action).await.assert_status(202);
    }
    // Neither names nor what stands for people is beside an action, whoever reads the file.
    let table = actions_table(&council).await;
    assert_eq!(table.matches("\"request\":{").count(), 4);
    for colleague in &council.colleagues {
        let identity = colleague.holder.identity().to_string();
        for secret in [colleague.name.as_str(), &colleague.worker_ref.to_string(), &identity] {
            assert!(!table.contains(secret), "{secret}");
        }
    }
    council.round().await;
    assert_eq!(council.app.count("petition_waiting").await, 0);
    let colleague = &council.colleagues[4];
    let who = colleague.worker_ref;
    let named =
        colleague.holder.sign(&colleague.pack, petition, 1, Disclosure::Everyone, who).expect("signed");
    council.post_json("/actions", &json!(named)).await.assert_status(202);
    council.round().await;
    assert_eq!(council.app.count("petition_waiting").await, 5);
    let table = actions_table(&council).await;
    assert_eq!(table.matches("\"request\":null").count(), 5, "handed over and forgotten: {table}");
    // What was handed over can't come again as something else.
    assert_eq!(council.post_json("/actions", &first).await.assert_status(202).body, again);
    let colleague = &council.colleagues[0];
    let withdrawal = colleague.holder.withdraw(&colleague.pack, petition, 2);
    council.post_json("/actions", &json!(withdrawal)).await.assert_status(202);
    council.post_json("/actions", &first).await.assert_status(409);
}

/// Of five that wait four are withdrawn before anything went: the fifth would be told apart.
#[tokio::test]
async fn what_is_withdrawn_before_it_went_doesnt_count() {
    let mut council = Council::new(9).await;
    council.begin().await;
    for n in 0..9 {
        council.fetch_pack(n).await;
    }
    let petition = petition(&council, 1).await;
    council.round().await;
    let sign = |n| json!(confidential(&council, n, petition));
    let withdraw = |n: usize, number| {
        let colleague = &council.colleagues[n];
        json!(colleague.holder.withdraw(&colleague.pack, petition, number))
    };
    let waiting = || council.app.count("petition_waiting");
    for n in 0..4 {
        council.post_json("/actions", &sign(n)).await.assert_status(202);
        council.post_json("/actions", &withdraw(n, 2)).await.assert_status(202);
        council.post_json("/actions", &sign(n)).await.assert_status(409);
    }
    council.post_json("/actions", &sign(4)).await.assert_status(202);
    council.round().await;
    assert_eq!(waiting().await, 0, "one signature is no crowd");
    // Not before it is replaced either; but it is said.
    let page = council.post("/deliver", &[]).await.assert_status(200).body;
    assert!(page.contains("For 1 petition fewer than five wait."), "{page}");
    assert_eq!(waiting().await, 0);
    assert!(council.get("/").await.body.contains("fewer than five"));
    // One of those who withdrew had signed at the dashboard as well, when an answer was lost.
    council.app.visitor().post_json("/api/v1/petitions/actions", &sign(3), None).await.assert_status(202);
    for n in 5..9 {
        council.post_json("/actions", &sign(n)).await.assert_status(202);
    }
    let page = council.post("/deliver", &[]).await.assert_status(200).body;
    assert!(page.contains("Nothing waits here any more."), "{page}");
    assert_eq!(waiting().await, 6, "five signatures, and the withdrawal of the one that was known");
    assert_eq!(council.app.count("petition_waiting where kind = 'withdraw'").await, 1);
    let table = actions_table(&council).await;
    assert_eq!(table.matches("\"request\":null").count(), 9, "{table}");
    assert_eq!(table.matches("\"refused\":true").count(), 0, "what the dashboard didn't know is forgotten");
    assert_eq!(table.matches("\"number\":2").count(), 4, "so that the old signature can't come again");
    // From here on each withdrawal counts.
    council.post_json("/actions", &withdraw(4, 2)).await.assert_status(202);
    assert_eq!(actions_table(&council).await.matches("\"is_known_there\":true").count(), 6);
}

/// Keys and values of the table of actions, as one text.
async fn actions_table(council: &Council) -> String {
    use redb::{ReadableDatabase, ReadableTable};
    let copy = council.folder.join("copy.redb");
    std::fs::write(&copy, council.store()).expect("a copy");
    let db = redb::Database::create(&copy).expect("the copy opens");
    let definition = redb::TableDefinition::<&[u8], &[u8]>::new("actions");
    let tx = db.begin_read().expect("a read");
    let table = tx.open_table(definition).expect("the table");
    let rows = table.iter().expect("rows").map(|row| {
        let (key, value) = row.expect("a row");
        format!("{:?} {}\n", key.value(), String::from_utf8_lossy(value.value()))
    });
    rows.collect()
}

#[tokio::test]
async fn only_pages_of_the_dashboard_may_ask() {
    let council = Council::new(1).await;
    council.connect().await;
    let origin = |reply: &crate::support::Reply| reply.header("access-control-allow-origin").to_owned();
    let ask = |origin: String| {
        let council = &council;
        async move { council.send(Method::GET, "/issuer", &[("origin", &origin)], String::new()).await }
    };
    let ours = ask(council.dashboard.clone()).await;
    assert_eq!(origin(&ours), council.dashboard);
    assert_eq!(ours.header("access-control-allow-credentials"), "");
    for other in ["https://evil.example", "null", &format!("{}.evil.example", council.dashboard)] {
        assert_eq!(origin(&ask(other.to_owned()).await), "", "{other}");
    }
    let preflight = |path: &'static str, origin: String| {
        let council = &council;
        async move {
            let headers = [("origin", origin.as_str()), ("access-control-request-method", "POST")];
            council.send(Method::OPTIONS, path, &headers, String::new()).await.assert_status(204)
        }
    };
    for path in ["/enrol", "/packs", "/actions"] {
        let yes = preflight(path, council.dashboard.clone()).await;
        assert_eq!(origin(&yes), council.dashboard);
        assert_eq!(yes.header("access-control-allow-headers"), "content-type");
        assert_eq!(origin(&preflight(path, "https://evil.example".into()).await), "");
        // What a page may send without asking isn't read.
        let plain = council.send(Method::POST, path, &[("content-type", "text/plain")], "{}".into()).await;
        plain.assert_status(415);
        let large = "x".repeat(300 * 1024);
        let large = council.send(Method::POST, path, &[("content-type", "application/json")], large).await;
        large.assert_status(413);
    }
    assert_eq!(origin(&council.get("/").await), "", "its pages are nobody's");
}

#[tokio::test]
async fn its_pages_are_for_whoever_signed_in() {
    let council = Council::new(1).await;
    let server = council.server.clone().expect("in this process");
    let pages = ["/", "/connect", "/roll", "/codes"];
    for path in pages {
        let page = council.get(path).await.assert_status(200);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src"), "{policy}");
        assert!(!page.body.contains("<script") && !page.body.contains("style="), "{path}");
    }
    let cookie = council.forget_cookie();
    for path in pages {
        assert_eq!(council.get(path).await.status, 401, "{path}");
    }
    let posts = [
        "/connect",
        "/deliver",
        "/roll/countersign",
        "/roll/challenge",
        "/roll/clear",
        "/codes",
        "/codes/renew",
        "/sign-in-link",
    ];
    for path in posts {
        assert_eq!(council.post(path, &[]).await.status, 401, "{path}");
    }
    council.set_cookie(cookie.clone());
    for path in posts {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers = [kind, ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
        assert_eq!(council.send(Method::POST, path, &headers, String::new()).await.status, 403, "{path}");
    }
    // A link works once, and an older one not at all.
    let older = server.make_link().expect("a link");
    let link = server.make_link().expect("a link");
    let path = |link: &str| link.strip_prefix(&council.url).expect("here").to_owned();
    assert_eq!(council.get(&path(&older)).await.status, 404);
    assert_eq!(council.post(&path(&older), &[]).await.status, 404);
    council.get(&path(&link)).await.assert_status(200);
    council.post(&path(&link), &[]).await.assert_status(303);
    assert_eq!(council.post(&path(&link), &[]).await.status, 404);
    let late = server.make_link().expect("a link");
    council.app.state.clock.advance(12 * 3_600);
    assert_eq!(council.get("/").await.status, 401, "a session ends");
    council.app.state.clock.advance(12 * 3_600);
    assert_eq!(council.post(&path(&late), &[]).await.status, 404, "a link ends");
    // Signing out ends the session, not only the cookie.
    let link = server.make_link().expect("a link");
    council.post(&path(&link), &[]).await.assert_status(303);
    let cookie = council.forget_cookie();
    council.set_cookie(cookie.clone());
    council.post("/sign-out", &[]).await.assert_status(303);
    council.set_cookie(cookie);
    assert_eq!(council.get("/").await.status, 401);
}

#[tokio::test]
async fn a_folder_has_one_server_and_a_dashboard_one_key() {
    let council = Council::new(1).await;
    let options = || daylight::representative::Options {
        name: REPRESENTATIVE.into(),
        dashboard: council.dashboard.clone(),
        public_url: council.url.clone(),
        listen: "127.0.0.1:0".parse().expect("an address"),
        folder: council.folder.clone(),
        interval: std::time::Duration::from_secs(30),
    };
    let state = &council.app.state;
    let again =
        daylight::representative::Representative::open(options(), state.clock.clone(), state.random.clone());
    assert!(again.is_err_and(|e| e.to_string().contains("another")), "the folder is in use");
    council.connect().await;
    let wrong = council.post("/connect", &[("token", "nonsense")]).await.assert_status(422);
    assert!(wrong.body.contains("doesn’t know this token"));
    // The dashboard comes back with another key for its log.
    state.ledger.rotate_key().await.expect("a new key");
    let server = council.server.clone().expect("in this process");
    let refused = server.connect("nonsense").await.expect_err("it differs");
    assert!(refused.to_string().contains("change"), "{refused}");
    let page = council.post("/connect", &[("token", "nonsense")]).await.assert_status(422);
    assert!(page.body.contains("name=\"anew\""), "it asks whether that is known");
}
