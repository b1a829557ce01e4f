//! Signatures on their way into the log.

use std::collections::BTreeSet;

use daylight::credentials::wire::{ActionRequest, Signer};
use daylight::ledger::proof::base64url;
use daylight::ledger::proof::leaf::Leaf;
use daylight::ledger::proof::petition::{Disclosure, SignLeaf, signer_commitment, signer_message};
use daylight::petitions::signing;
use daylight::web::Role;
use ed25519_dalek::Signer as _;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::petition::{self, Colleague, Epoch, Open};
use crate::support::{Reply, TestApp};

const PATH: &str = "/api/v1/petitions/actions";

fn sign(one: &Colleague, open: &Open, number: u64, disclosure: Disclosure) -> Value {
    let request = one.holder.sign(&one.pack, (open.leaf_hash, open.slot), number, disclosure, one.worker_ref);
    serde_json::to_value(request.expect("signed")).expect("JSON")
}

fn withdraw(one: &Colleague, open: &Open, number: u64) -> Value {
    let request: ActionRequest = one.holder.withdraw(&one.pack, (open.leaf_hash, open.slot), number);
    serde_json::to_value(request).expect("JSON")
}

async fn send(app: &TestApp, action: &Value) -> Reply {
    app.visitor().post_json(PATH, action, None).await
}

async fn set_up(count: usize) -> (TestApp, Epoch, Open) {
    let app = TestApp::new().await;
    let epoch = petition::begin(&app, count).await;
    let open = petition::open(&app, epoch.colleagues[0].person, 1, "More daylight").await;
    (app, epoch, open)
}

async fn next_hour(app: &TestApp) {
    app.state.clock.advance(3600);
    signing::publish_due(&app.state).await.expect("published");
}

async fn total(app: &TestApp, open: &Open) -> i32 {
    sqlx::query_scalar("select total from petition_count where petition_leaf = $1 order by day desc limit 1")
        .bind(open.leaf_hash.0.to_vec())
        .fetch_optional(&app.state.db)
        .await
        .expect("a query")
        .unwrap_or_default()
}

#[tokio::test]
async fn two_hundred_requests_with_one_credential_are_one_signature() {
    let (app, epoch, open) = set_up(1).await;
    let mine = sign(&epoch.colleagues[0], &open, 1, Disclosure::Nobody);
    let visitors: Vec<_> = (0..200).map(|_| app.visitor()).collect();
    let replies = join_all(visitors.iter().map(|v| v.post_json(PATH, &mine, None))).await;
    assert!(replies.iter().all(|r| r.status == 202), "{:?}", replies.iter().find(|r| r.status != 202));
    let promises: BTreeSet<String> = replies.iter().map(|r| r.body.clone()).collect();
    assert_eq!(promises.len(), 1, "the same promise for all");
    assert_eq!(app.count("petition_waiting").await, 1);
}

#[tokio::test]
async fn what_makes_it_one_is_a_constraint() {
    let (app, epoch, open) = set_up(1).await;
    let one = &epoch.colleagues[0];
    // Two servers on one database, each with a writer of its own, know nothing of each other.
    let other = app.restarted();
    let (a, b) = (sign(one, &open, 1, Disclosure::Nobody), sign(one, &open, 2, Disclosure::Everyone));
    let (first, second) = tokio::join!(send(&app, &a), send(&other, &b));
    assert!(first.status == 202 || first.status == 409, "{}", first.body);
    assert_eq!(second.status, 202, "{}", second.body);
    assert_eq!(app.count("petition_waiting").await, 1);
    for (table, constraint) in
        [("petition_waiting", "petition_waiting_once"), ("petition_signature", "petition_signature_once")]
    {
        let twice = format!("insert into {table} select * from {table}");
        if table == "petition_waiting" {
            let refused = sqlx::query(sqlx::AssertSqlSafe(twice)).execute(&app.state.db).await.unwrap_err();
            assert_eq!(refused.as_database_error().and_then(|e| e.constraint()), Some(constraint));
        }
        let there: i64 =
            sqlx::query_scalar("select count(*) from pg_constraint where conname = $1 and contype = 'p'")
                .bind(constraint)
                .fetch_one(&app.state.db)
                .await
                .expect("a count");
        assert_eq!(there, 1);
    }
    sqlx::query("alter table petition_waiting drop constraint petition_waiting_once")
        .execute(&app.state.db)
        .await
        .expect("dropped");
    let without = send(&app, &sign(one, &open, 3, Disclosure::Nobody)).await;
    assert_eq!(without.status, 500, "without the constraint nothing is taken");
}

#[tokio::test]
async fn batches_are_never_small_and_their_order_tells_nothing() {
    let (app, epoch, open) = set_up(23).await;
    let mut arrived = Vec::new();
    let mut counts = vec![0];
    let mut published = 0;
    for (n, one) in epoch.colleagues.iter().enumerate() {
        let reply = send(&app, &sign(one, &open, 1, Disclosure::Nobody)).await;
        assert_eq!(reply.status, 202, "{}", reply.body);
        arrived.push(reply.json()["leaf_hash"].as_str().expect("a hash").to_owned());
        if n % 3 == 2 {
            next_hour(&app).await;
            let now = total(&app, &open).await;
            assert!(now == published || now - published >= 5, "{published} then {now}");
            published = now;
            counts.push(now);
        }
    }
    assert!((10..23).contains(&published), "{published}");
    let mut tx = app.state.db.begin().await.expect("a transaction");
    let closed = signing::close_out(&mut tx, &app.state, &open.leaf_hash).await.expect("closed");
    tx.commit().await.expect("committed");
    app.state.ledger.settle().await.expect("signed");
    assert_eq!(closed, 23);
    assert!(23 - published >= 5, "the last batch is no smaller");
    counts.push(23);
    // No two snapshots differ by one to four.
    for a in &counts {
        for b in &counts {
            assert!((a - b).abs() == 0 || (a - b).abs() >= 5, "{counts:?}");
        }
    }
    let leaves: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select e.position, e.hash from petition_signature s join ledger_entry e on e.id = s.ledger_entry order by 1")
            .fetch_all(&app.state.db)
            .await
            .expect("leaves");
    let order: Vec<usize> = leaves
        .iter()
        .map(|(_, hash)| {
            let text = base64url(hash);
            arrived.iter().position(|a| *a == text).expect("one that arrived")
        })
        .collect();
    assert_eq!(order.len(), 23);
    // Within a batch the order is that of the hashes.
    let mut at = 0;
    for pair in counts.windows(2).filter(|pair| pair[1] > pair[0]) {
        let size = (pair[1] - pair[0]) as usize;
        let batch: Vec<_> = leaves[at..at + size].iter().map(|(_, hash)| hash.clone()).collect();
        assert!(batch.is_sorted(), "a batch is sorted by its leaves' hashes");
        at += size;
    }
}

#[tokio::test]
async fn fewer_than_five_are_never_published() {
    let (app, epoch, open) = set_up(4).await;
    for one in &epoch.colleagues {
        assert_eq!(send(&app, &sign(one, &open, 1, Disclosure::Everyone)).await.status, 202);
    }
    next_hour(&app).await;
    let mut tx = app.state.db.begin().await.expect("a transaction");
    let closed = signing::close_out(&mut tx, &app.state, &open.leaf_hash).await.expect("closed");
    tx.commit().await.expect("committed");
    assert_eq!(closed, 0);
    for table in ["petition_waiting", "petition_signature", "petition_signer", "petition_count"] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn withdrawing_lowers_the_count_and_only_the_key_can() {
    let (app, epoch, open) = set_up(20).await;
    for one in &epoch.colleagues[..15] {
        send(&app, &sign(one, &open, 1, Disclosure::EveryoneWithDepartment)).await;
    }
    next_hour(&app).await;
    assert_eq!(total(&app, &open).await, 10);
    assert_eq!(app.count("petition_signer").await, 10);
    let is_published = |one: &Colleague| {
        let key = one.holder.seed.slot_key("2026-Q4", "all", 1).verifying_key().to_bytes();
        let path = format!("/api/v1/petitions/keys/{}/{}", open.leaf_hash, base64url(&key));
        let visitor = app.visitor();
        async move { visitor.get(&path).await }
    };
    let mut gone = Vec::new();
    for one in &epoch.colleagues[..15] {
        let reply = is_published(one).await;
        if reply.status == 200 && gone.len() < 5 {
            assert_eq!(reply.json()["kind"], "sign");
            // Somebody else's key, this key's own number, then the real thing.
            let other = &epoch.colleagues[19];
            let mut forged = withdraw(other, &open, 2);
            forged["key"] = withdraw(one, &open, 2)["key"].clone();
            assert_eq!(send(&app, &forged).await.status, 403);
            let behind = send(&app, &withdraw(one, &open, 1)).await;
            assert_eq!((behind.status, behind.json()["number"].clone()), (409, json!(1)));
            assert_eq!(send(&app, &withdraw(one, &open, 2)).await.status, 202);
            gone.push(one);
        }
    }
    for one in &epoch.colleagues[15..] {
        send(&app, &sign(one, &open, 1, Disclosure::Nobody)).await;
    }
    next_hour(&app).await;
    let mut tx = app.state.db.begin().await.expect("a transaction");
    let closed = signing::close_out(&mut tx, &app.state, &open.leaf_hash).await.expect("closed");
    tx.commit().await.expect("committed");
    assert_eq!(closed, 15);
    assert_eq!(app.count("petition_signer").await, 10, "names of those who withdrew are gone");
    for one in gone {
        assert_eq!(is_published(one).await.json()["kind"], "withdraw");
        // The old signature, which everybody can read in the log, brings nothing back.
        let again = send(&app, &sign(one, &open, 1, Disclosure::EveryoneWithDepartment)).await;
        assert_eq!(again.status, 409);
    }
}

#[tokio::test]
async fn nobody_can_probe_whether_somebody_signed() {
    let (app, epoch, open) = set_up(3).await;
    let [signer, other, third] = &epoch.colleagues[..] else { panic!("three") };
    send(&app, &sign(signer, &open, 1, Disclosure::Nobody)).await;
    // With somebody's place, name and everything but the key, answers are those for somebody who didn't sign.
    let attempts = |victim: &Colleague| {
        let mut named = sign(third, &open, 1, Disclosure::Everyone);
        named["signer"]["index"] = json!(victim.pack.index);
        let mut key = sign(third, &open, 1, Disclosure::Nobody);
        key["credential"]["key"] = sign(victim, &open, 9, Disclosure::Nobody)["credential"]["key"].clone();
        let mut gone = withdraw(third, &open, 2);
        gone["key"] = key["credential"]["key"].clone();
        [named, key, gone]
    };
    for (signed, unsigned) in attempts(signer).iter().zip(&attempts(other)) {
        let (a, b) = (send(&app, signed).await, send(&app, unsigned).await);
        assert_eq!((a.status, &a.body), (b.status, &b.body));
        assert_eq!(a.status, 403);
    }
    let key = |one: &Colleague| {
        sign(one, &open, 9, Disclosure::Nobody)["credential"]["key"].as_str().expect("a key").to_owned()
    };
    let path = |one| format!("/api/v1/petitions/keys/{}/{}", open.leaf_hash, key(one));
    let (a, b) = (app.visitor().get(&path(signer)).await, app.visitor().get(&path(other)).await);
    assert_eq!((a.status, b.status), (404, 404), "what waits is nobody's business");
}

#[tokio::test]
async fn colleagues_behind_one_address_all_get_in_and_nobody_gets_mail() {
    let (app, epoch, open) = set_up(40).await;
    let before = app.count("outbox").await;
    let actions: Vec<Value> =
        epoch.colleagues.iter().map(|c| sign(c, &open, 1, Disclosure::Nobody)).collect();
    let visitors: Vec<_> = actions.iter().map(|_| app.visitor()).collect();
    // The test's clients all come from one address.
    let replies = join_all(visitors.iter().zip(&actions).map(|(v, a)| v.post_json(PATH, a, None))).await;
    assert!(replies.iter().all(|r| r.status == 202));
    assert_eq!(app.count("petition_waiting").await, 40);
    assert_eq!(app.count("outbox").await, before);
    assert_eq!(app.count("audit_entry").await, 0);
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let (app, epoch, open) = set_up(1).await;
    let good = sign(&epoch.colleagues[0], &open, 1, Disclosure::Nobody);
    let spoil = |path: &str, value: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(path).expect("a member") = value;
        bad
    };
    for (bad, status) in [
        (json!({}), 422),
        (json!([]), 422),
        (spoil("/number", json!(0)), 422),
        (spoil("/number", json!(-1)), 422),
        (spoil("/number", json!(1u64 << 53)), 422),
        (spoil("/mode", json!("named")), 422),
        (spoil("/disclosure", json!("everyone")), 422),
        (spoil("/petition", json!("x")), 422),
        (spoil("/petition", good["credential"]["key"].clone()), 404),
        (spoil("/signature", json!("")), 403),
        (spoil("/credential/operator", good["credential"]["representative"].clone()), 403),
        (spoil("/credential/representative", json!("!!")), 403),
    ] {
        let reply = send(&app, &bad).await;
        assert_eq!(reply.status, status, "{bad}: {}", reply.body);
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
    let doubled = good.to_string().replacen("\"number\":1", "\"number\":2,\"number\":1", 1);
    let reply = app.visitor().post_bytes(PATH, "application/json", &[], doubled.into_bytes()).await;
    assert_eq!(reply.status, 422);
    let long = app.visitor().post_bytes(PATH, "application/json", &[], vec![b' '; 9000]).await;
    assert_eq!(long.status, 413);
    assert_eq!(app.count("petition_waiting").await, 0);
    // After the close, and for a version that is no longer the newest.
    app.state.clock.advance(61 * 86_400);
    assert_eq!(send(&app, &good).await.status, 409);
}

#[tokio::test]
async fn what_the_log_holds_reads_as_the_leaves_say() {
    let (app, epoch, open) = set_up(10).await;
    for (n, one) in epoch.colleagues.iter().enumerate() {
        let disclosure = if n % 2 == 0 { Disclosure::Nobody } else { Disclosure::Representatives };
        send(&app, &sign(one, &open, 1, disclosure)).await;
    }
    next_hour(&app).await;
    let bytes: Vec<Vec<u8>> = sqlx::query_scalar(
        "select e.bytes from petition_signature s join ledger_entry e on e.id = s.ledger_entry",
    )
    .fetch_all(&app.state.db)
    .await
    .expect("leaves");
    assert_eq!(bytes.len(), 5);
    for leaf in bytes {
        let Some(Leaf::Sign(leaf)) = Leaf::from_bytes(&leaf).expect("canonical") else {
            panic!("a signature")
        };
        assert_eq!(leaf.signer.is_some(), leaf.disclosure != Disclosure::Nobody);
    }
    let hash: Vec<u8> = sqlx::query_scalar("select leaf_hash from petition_signature limit 1")
        .fetch_one(&app.state.db)
        .await
        .expect("one");
    let path = format!("/api/v1/petitions/leaves/{}", base64url(&hash));
    assert!(app.visitor().get(&path).await.body.starts_with("c2sp.org/tlog-proof@v1"));
}

#[tokio::test]
async fn the_representative_delivers_what_it_received() {
    let (app, epoch, open) = set_up(3).await;
    let actions: Vec<Value> =
        epoch.colleagues.iter().map(|c| sign(c, &open, 1, Disclosure::Nobody)).collect();
    let mut list = actions.clone();
    list[1]["signature"] = json!("x");
    let path = "/api/v1/representative/actions";
    assert_eq!(app.visitor().post_json(path, &json!(list), Some("wrong")).await.status, 401);
    let worker = app.actor(Role::Worker).await;
    assert_eq!(worker.post_json(path, &json!(list), None).await.status, 401);
    sqlx::query("update representative_server set token_hash = $1")
        .bind(daylight::identity::token_hash("secret"))
        .execute(&app.state.db)
        .await
        .expect("a token");
    let reply = app.visitor().post_json(path, &json!(list), Some("secret")).await;
    assert_eq!(reply.json()["taken"], 2, "{}", reply.body);
    assert_eq!(reply.json()["refused"][0][0], 1);
    assert_eq!(app.visitor().post_json(path, &json!(actions), Some("secret")).await.json()["taken"], 3);
    assert_eq!(app.count("petition_waiting").await, 3);
}

#[tokio::test]
async fn withdrawals_that_anybody_made_up_single_nobody_out() {
    let (app, epoch, open) = set_up(12).await;
    let [signer, others @ ..] = &epoch.colleagues[..] else { panic!("twelve") };
    // A withdrawal needs no credential: these keys are nobody's on this petition.
    let made_up: Vec<Value> = others[..9].iter().map(|c| withdraw(c, &open, 2)).collect();
    assert_eq!(send(&app, &sign(signer, &open, 1, Disclosure::Nobody)).await.status, 202);
    for action in &made_up {
        let reply = send(&app, action).await.assert_status(409);
        assert!(reply.body.contains("Nothing of this key is known here."), "{}", reply.body);
    }
    assert_eq!(app.count("petition_waiting").await, 1);
    next_hour(&app).await;
    assert_eq!((app.count("petition_signature").await, app.count("petition_count").await), (0, 0));
    // One of what waits is taken, also in the same moment as its signature, and then one more of the same key.
    let (one, two) = (sign(&others[9], &open, 1, Disclosure::Nobody), withdraw(&others[9], &open, 2));
    let (first, second) = tokio::join!(send(&app, &one), send(&app, &two));
    assert!([202, 409].contains(&first.status), "{}", first.body);
    assert!([202, 409].contains(&second.status), "{}", second.body);
    assert_eq!(send(&app, &two).await.status, 202);
    assert_eq!(send(&app, &withdraw(&others[9], &open, 3)).await.status, 202);
    assert_eq!(app.count("petition_waiting where kind = 'withdraw'").await, 1);
    assert_eq!(app.count("petition_waiting").await, 2);
}

#[tokio::test]
async fn one_name_stands_beside_one_key_and_holds_up_nobody() {
    let (app, epoch, open) = set_up(24).await;
    let [first, second, ..] = &epoch.colleagues[..] else { panic!("two") };
    // The first vouches for the second's key, too.
    let vouched = |number: u64| {
        let petition = (open.leaf_hash, open.slot);
        let salt = second.holder.seed.signer_salt(&open.leaf_hash, number);
        let own = second.holder.sign(&second.pack, petition, number, Disclosure::Everyone, first.worker_ref);
        let ActionRequest::Sign { petition, mode, disclosure, credential, signature, .. } =
            own.expect("signed")
        else {
            panic!("a signature")
        };
        let leaf = SignLeaf {
            petition,
            number,
            mode,
            disclosure,
            signer: Some(signer_commitment(&salt, first.worker_ref)),
            credential: credential.clone(),
            signature: signature.clone(),
        };
        let proof = first
            .holder
            .seed
            .identity_key()
            .sign(signer_message(&app.state.config.log_origin, &leaf).as_bytes());
        let signer = Signer {
            index: first.pack.index,
            salt: base64url(&salt),
            signature: base64url(&proof.to_bytes()),
        };
        let request = ActionRequest::Sign {
            petition,
            number,
            mode,
            disclosure,
            credential,
            signature,
            signer: Some(signer),
        };
        serde_json::to_value(request).expect("JSON")
    };
    assert_eq!(send(&app, &sign(first, &open, 1, Disclosure::Everyone)).await.status, 202);
    assert_eq!(send(&app, &vouched(1)).await.status, 409, "while the first waits");
    for one in &epoch.colleagues[2..] {
        send(&app, &sign(one, &open, 1, Disclosure::Nobody)).await;
    }
    next_hour(&app).await;
    assert_eq!(send(&app, &vouched(1)).await.status, 409, "whether or not it is published");
    // Were it there all the same, the name would stay where it was, and the batch would go out.
    sqlx::query("drop index petition_waiting_signer_once").execute(&app.state.db).await.expect("dropped");
    sqlx::query("delete from petition_signer").execute(&app.state.db).await.expect("deleted");
    let forced = send(&app, &vouched(2)).await;
    assert!([202, 409].contains(&forced.status), "{}", forced.body);
    let mut tx = app.state.db.begin().await.expect("a transaction");
    let closed = signing::close_out(&mut tx, &app.state, &open.leaf_hash).await.expect("closed");
    tx.commit().await.expect("committed");
    assert!(closed >= 23, "{closed}");
}

#[tokio::test]
async fn nobody_reads_who_supported_what_never_opened() {
    let (app, epoch, open) = set_up(6).await;
    for one in &epoch.colleagues {
        send(&app, &sign(one, &open, 1, Disclosure::Everyone)).await;
    }
    assert_eq!(app.count("petition_waiting").await, 6);
    for (state, left) in [("open", 6), ("given_up", 0)] {
        sqlx::query("update petition set state = $1")
            .bind(state)
            .execute(&app.state.db)
            .await
            .expect("a state");
        signing::forget_waiting(&app.state).await.expect("forgotten");
        assert_eq!(app.count("petition_waiting").await, left, "{state}");
    }
}
