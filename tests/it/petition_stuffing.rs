//! Whoever owns the database, and one issuer's keys, stuffs a petition: `daylight verify` names each leaf by which
//! they did.

use daylight::credentials::holder::{Holder, Pack};
use daylight::credentials::seed::Seed;
use daylight::credentials::wire::{ActionRequest, PackResponse};
use daylight::ledger::proof::leaf::Leaf;
use daylight::ledger::proof::petition::{
    CloseLeaf, Disclosure, IssueLeaf, IssuerRole, SignLeaf, WithdrawLeaf, issue_message,
};
use daylight::ledger::proof::tree::{Hash, leaf_hash};
use daylight::ledger::proof::verify::{Against, Outcome, Report, Shown, verify_export};
use daylight::ledger::proof::{base64url, from_base64url};
use daylight::web::Role;
use ed25519_dalek::Signer as _;
use uuid::Uuid;

use crate::support::petition::{self, Epoch, Open, REPRESENTATIVE, enter, representative_key, token_keys};
use crate::support::transparency::succeed;
use crate::support::{TestApp, fresh_folder, python};

/// What a visitor downloads, and what the verifier says of it.
async fn verify(app: &TestApp, against: &Against) -> (String, Report) {
    let export = app.visitor().get("/log/export").await.assert_status(200).body;
    let report = verify_export(export.as_bytes(), against).expect("it can be read");
    (export, report)
}

/// Where the leaf with this hash stands; the last place, of several.
fn place(export: &str, hash: Hash) -> u64 {
    let lines: Vec<&str> = export.lines().skip(1).collect();
    let at = lines.iter().rposition(|line| leaf_hash(line.as_bytes()) == hash);
    at.expect("the log holds it") as u64
}

/// What speaks against the log.
fn violations(report: &Report) -> Vec<(&str, Option<u64>)> {
    let found = report.findings.iter().filter(|f| f.outcome == Outcome::Violated);
    found.map(|f| (f.check, f.leaf)).collect()
}

fn as_leaf(request: ActionRequest) -> Leaf {
    match request {
        ActionRequest::Sign { petition, number, mode, disclosure, credential, signature, .. } => {
            Leaf::Sign(SignLeaf { petition, number, mode, disclosure, signer: None, credential, signature })
        }
        ActionRequest::Withdraw { petition, number, key, signature } => {
            Leaf::Withdraw(WithdrawLeaf { petition, number, key, signature })
        }
    }
}

/// Somebody's signature without a name; `slot` is that of the key they use.
fn signed(holder: &Holder, pack: &Pack, petition: &Open, slot: u64, number: u64) -> Leaf {
    let place = (petition.leaf_hash, slot);
    as_leaf(holder.sign(pack, place, number, Disclosure::Nobody, Uuid::nil()).expect("it is signed"))
}

fn by(epoch: &Epoch, n: usize, petition: &Open) -> Leaf {
    signed(&epoch.colleagues[n].holder, &epoch.colleagues[n].pack, petition, petition.slot, 1)
}

/// A person who doesn't exist, with tokens of these issuers; in place of the others' stand the operator's.
fn invented(app: &TestApp, epoch: &Epoch, issuers: &[IssuerRole]) -> (Holder, Pack) {
    let holder = Holder { seed: Seed(app.state.random.bytes()), origin: app.state.config.log_origin.clone() };
    let tokens = |role| {
        let asked = holder.ask(&epoch.leaf, role, 0).expect("a request");
        let blinded: Vec<Vec<u8>> =
            asked.request.blinded.iter().map(|b| from_base64url(b).expect("base64url")).collect();
        let answer =
            token_keys(role).sign_pack(&blinded, &app.state.random).expect("whoever has the keys can");
        let answer = PackResponse { signed: answer.iter().map(|s| base64url(s)).collect() };
        asked.finish(&answer).expect("the tokens verify")
    };
    let operator = tokens(IssuerRole::Operator);
    let representative = match issuers.contains(&IssuerRole::Representative) {
        true => tokens(IssuerRole::Representative),
        false => operator.clone(),
    };
    let (leaf, index) = (&epoch.leaf, 0);
    let pack = Pack { epoch: leaf.epoch.clone(), group: leaf.group.clone(), index, operator, representative };
    (holder, pack)
}

fn pack_given(app: &TestApp, epoch: &Epoch, issuer: IssuerRole, index: u64) -> Leaf {
    let (name, request) = (&epoch.leaf.epoch, Hash::of(b"blinded messages"));
    let message = issue_message(&app.state.config.log_origin, name, REPRESENTATIVE, index, &request);
    let signature = base64url(&representative_key().sign(message.as_bytes()).to_bytes());
    let signature = (issuer == IssuerRole::Representative).then_some(signature);
    Leaf::Issue(IssueLeaf { epoch: name.clone(), issuer, index, request, signature })
}

#[tokio::test]
async fn honest_signatures_hold_and_each_kind_of_stuffing_is_named() {
    let app = TestApp::new().await;
    let epoch = petition::begin(&app, 4).await;
    let author = epoch.colleagues[0].person;
    let one = petition::open(&app, author, 1, "More daylight").await;
    let two = petition::open(&app, epoch.colleagues[1].person, 2, "Fewer meetings").await;
    for n in 0..3 {
        enter(&app, &by(&epoch, n, &one)).await;
    }
    let them = &epoch.colleagues[2];
    let withdrawn = as_leaf(them.holder.withdraw(&them.pack, (one.leaf_hash, one.slot), 2));
    enter(&app, &withdrawn).await;
    let (_, report) = verify(&app, &Against::default()).await;
    assert_eq!(violations(&report), [], "{report}");
    let said = report.to_string();
    for words in
        ["signatures that stand: 2", "packs: 4 by the operator, 4 by the representative", "2026-Q4: 4"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }

    let them = &epoch.colleagues[3];
    let alone = |role: IssuerRole| {
        let mut leaf = by(&epoch, 3, &one);
        let Leaf::Sign(SignLeaf { credential, .. }) = &mut leaf else { unreachable!("it signs") };
        match role {
            IssuerRole::Operator => credential.representative = credential.operator.clone(),
            IssuerRole::Representative => credential.operator = credential.representative.clone(),
        }
        leaf
    };
    let (nobody, half) = invented(&app, &epoch, &[IssuerRole::Operator]);
    let mut wrong = Vec::new();
    for (check, about, leaf) in [
        ("signatures", "the operator's keys alone", signed(&nobody, &half, &one, 1, 1)),
        ("signatures", "tokens of the operator only", alone(IssuerRole::Operator)),
        ("signatures", "tokens of the representative only", alone(IssuerRole::Representative)),
        ("signatures", "tokens of another slot", signed(&them.holder, &them.pack, &one, 3, 1)),
        ("signatures", "a second slot's key", {
            let again = &epoch.colleagues[0];
            signed(&again.holder, &again.pack, &one, 4, 1)
        }),
        ("signatures", "a key once more", by(&epoch, 0, &one)),
        ("signatures", "a withdrawn signature replayed", by(&epoch, 2, &one)),
        ("signatures", "a key under another petition, with its own slot's tokens", {
            let again = &epoch.colleagues[1];
            signed(&again.holder, &again.pack, &two, 1, 7)
        }),
        ("packs", "a second pack for a place", pack_given(&app, &epoch, IssuerRole::Representative, 1)),
        ("packs", "more packs than people", pack_given(&app, &epoch, IssuerRole::Operator, 4)),
        ("packs", "more packs than people", pack_given(&app, &epoch, IssuerRole::Representative, 9)),
        (
            "tallies",
            "a close that adds some",
            Leaf::Close(CloseLeaf { petition: two.leaf_hash, signatures: 50 }),
        ),
    ] {
        let (_, hash) = enter(&app, &leaf).await;
        let (export, report) = verify(&app, &Against::default()).await;
        let at = place(&export, hash);
        if !violations(&report).contains(&(check, Some(at))) {
            wrong.push(format!("{about}: leaf {at} isn't named\n{report}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_row_put_in_by_sql_is_named() {
    let app = TestApp::new().await;
    let epoch = petition::begin(&app, 1).await;
    let one = petition::open(&app, epoch.colleagues[0].person, 1, "More daylight").await;
    let Leaf::Sign(mut leaf) = by(&epoch, 0, &one) else { unreachable!("it signs") };
    leaf.credential.operator = String::new();
    leaf.credential.representative = String::new();
    let leaf = Leaf::Sign(leaf);
    let bytes = leaf.to_bytes().expect("a leaf");
    sqlx::query("insert into ledger_entry (bytes, hash) values ($1, sha256('\\x00'::bytea || $1))")
        .bind(&bytes)
        .execute(&app.state.db)
        .await
        .expect("whoever owns the database can");
    app.state.ledger.settle().await.expect("the log signs what stands there");
    let (export, report) = verify(&app, &Against::default()).await;
    let at = place(&export, leaf_hash(&bytes));
    assert!(violations(&report).contains(&("signatures", Some(at))), "{report}");
}

/// The count that pages show comes from rows that whoever owns the database can change; the leaves don't follow.
#[tokio::test]
async fn a_displayed_count_that_the_leaves_do_not_bear_is_named() {
    let app = TestApp::new().await;
    let epoch = petition::begin(&app, 1).await;
    let one = petition::open(&app, epoch.colleagues[0].person, 1, "More daylight").await;
    enter(&app, &by(&epoch, 0, &one)).await;
    sqlx::query(
        "insert into petition_count (petition_leaf, day, signed, withdrawn, total) values ($1, '2026-11-02', 9, 0, 9)",
    )
    .bind(one.leaf_hash.0.to_vec())
    .execute(&app.state.db)
    .await
    .expect("whoever owns the database can");
    let total: i32 = sqlx::query_scalar("select total from petition_count")
        .fetch_one(&app.state.db)
        .await
        .expect("the count");
    for (signatures, holds) in [(total.to_string(), false), ("1".into(), true), ("null".into(), true)] {
        let text = format!(r#"{{"petition_leaf":"{}","signatures":{signatures}}}"#, one.leaf_hash);
        let shown: Shown = text.parse().expect("a petition's file");
        let (_, report) = verify(&app, &Against { shown: vec![shown], ..Against::default() }).await;
        assert_eq!(violations(&report).contains(&("displayed count", None)), !holds, "{report}");
    }
}

/// Both issuers' keys in one hand: what can be seen then is that more signed than packs were given out.
#[tokio::test]
async fn more_signatures_than_packs_are_named() {
    let app = TestApp::new().await;
    let epoch = petition::begin(&app, 2).await;
    let one = petition::open(&app, epoch.colleagues[0].person, 1, "More daylight").await;
    let mut last = None;
    for _ in 0..3 {
        let (holder, pack) = invented(&app, &epoch, &IssuerRole::BOTH);
        let (_, report) = verify(&app, &Against::default()).await;
        assert_eq!(violations(&report), [], "up to the packs given out it can't be told: {report}");
        last = Some(enter(&app, &signed(&holder, &pack, &one, 1, 1)).await.1);
    }
    let (export, report) = verify(&app, &Against::default()).await;
    let at = place(&export, last.expect("a third one"));
    assert_eq!(violations(&report), [("tallies", Some(at))], "{report}");
}

#[tokio::test]
async fn what_came_in_through_the_server_holds() {
    let app = TestApp::new().await;
    let epoch = petition::begin(&app, 16).await;
    let one = petition::open(&app, epoch.colleagues[0].person, 1, "More daylight").await;
    let place = (one.leaf_hash, one.slot);
    for (n, colleague) in epoch.colleagues.iter().enumerate() {
        let disclosure = [Disclosure::Nobody, Disclosure::EveryoneWithDepartment][n % 2];
        let signed = colleague.holder.sign(&colleague.pack, place, 1, disclosure, colleague.worker_ref);
        send(&app, &signed.expect("it is signed")).await;
    }
    next_hour(&app).await;
    // Whoever withdraws before the batch never stood in the log; who does so after it is taken out.
    for colleague in &epoch.colleagues {
        send(&app, &colleague.holder.withdraw(&colleague.pack, place, 2)).await;
    }
    next_hour(&app).await;
    let total: i32 = sqlx::query_scalar("select total from petition_count order by day desc limit 1")
        .fetch_one(&app.state.db)
        .await
        .expect("the count");
    assert!((1..16).contains(&total), "{total}");
    let text = format!(r#"{{"petition_leaf":"{}","signatures":{total}}}"#, one.leaf_hash);
    let shown = vec![text.parse().expect("a petition's file")];
    let (export, report) = verify(&app, &Against { shown, ..Against::default() }).await;
    assert_eq!(violations(&report), [], "{report}");
    // And for the program that shares no code with this one.
    let folder = fresh_folder();
    std::fs::create_dir_all(&folder).expect("a folder");
    let (file, count) = (folder.join("log.export"), folder.join("petition.json"));
    std::fs::write(&file, export).expect("a file");
    std::fs::write(&count, text).expect("a file");
    let said = succeed(python::verifier().arg("export").arg(file).arg("--petition").arg(count));
    assert!(said.ends_with("HOLDS\n") && said.contains("displayed count"), "{said}");
}

#[tokio::test]
async fn a_petition_s_text_changed_by_sql_is_named() {
    let app = TestApp::new().await;
    let epoch = petition::begin(&app, 1).await;
    let one = petition::open(&app, epoch.colleagues[0].person, 1, "More daylight").await;
    let worker = app.actor(Role::Worker).await;
    let read = async || {
        let export = worker.get("/log/export").await.assert_status(200).body;
        let report = verify_export(export.as_bytes(), &Against::default()).expect("it can be read");
        (export, report)
    };
    let (_, report) = read().await;
    assert_eq!(violations(&report), [], "{report}");
    sqlx::raw_sql(
        "alter table petition_version disable trigger user;
         update petition_version set document = jsonb_set(document, '{demand}', '\"Curtains.\"')",
    )
    .execute(&app.state.db)
    .await
    .expect("whoever owns the database can");
    let (export, report) = read().await;
    assert!(export.contains("Curtains."));
    let at = place(&export, one.leaf_hash);
    assert_eq!(violations(&report), [("documents", Some(at))], "{report}");
}

async fn send(app: &TestApp, action: &ActionRequest) {
    let action = serde_json::to_value(action).expect("JSON");
    app.visitor().post_json("/api/v1/petitions/actions", &action, None).await.assert_status(202);
}

async fn next_hour(app: &TestApp) {
    app.state.clock.advance(3600);
    daylight::petitions::signing::publish_due(&app.state).await.expect("published");
}
