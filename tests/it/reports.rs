//! Reports as agents send them, good and bad, through the API.

use daylight::collection;
use daylight::ledger::Hash;
use daylight::ledger::proof::tree::{leaf_hash, root_of_inclusion};
use daylight::web::Role;
use serde_json::{Value, json};

use crate::support::agent::{Agent, item, minute};
use crate::support::{TestApp, logs};

const W: (i64, i64) = (0, 5);

fn items() -> Value {
    json!([item("app.usage", "metadata", 12, W), item("input.key_counts", "count", 0, W)])
}

async fn setting() -> (TestApp, Agent, uuid::Uuid) {
    let app = TestApp::new().await;
    let person = app.person("ada@example.com", &[Role::Worker]).await;
    let agent = Agent::of(&app, person).await;
    app.state.clock.advance(5 * 60);
    (app, agent, person)
}

#[tokio::test]
async fn a_copy_gets_the_same_receipt_and_counts_once() {
    let (app, agent, _) = setting().await;
    let fields = agent.fields(0, None, W, items());
    let first = agent.send(&fields).await.assert_status(201).json();
    app.state.clock.advance(60);
    let again = agent.send(&fields).await.assert_status(200).json();
    assert_eq!(again["hash"], first["hash"]);
    assert_eq!(again["received_at"], first["received_at"]);
    assert_eq!((&first["duplicate"], &again["duplicate"]), (&json!(false), &json!(true)));
    let sum: i64 = sqlx::query_scalar("select sum(collected)::bigint from collection_daily")
        .fetch_one(&app.state.db)
        .await
        .unwrap();
    assert_eq!(sum, 12);
    assert_eq!(app.count("collection_report").await, 1);
}

#[tokio::test]
async fn two_truths_at_one_place_are_refused_and_recorded() {
    let (app, agent, person) = setting().await;
    agent.send(&agent.fields(0, None, W, items())).await.assert_status(201);
    let other = agent.fields(0, None, W, json!([item("app.usage", "metadata", 1, W)]));
    let problem = agent.send(&other).await.assert_status(409);
    assert_eq!(problem.header("content-type"), "application/problem+json");
    assert_eq!(app.count("finding where kind = 'EQUIVOCATION'").await, 1);
    let about: Option<uuid::Uuid> =
        sqlx::query_scalar("select person_id from finding where kind = 'EQUIVOCATION'")
            .fetch_one(&app.state.db)
            .await
            .unwrap();
    assert_eq!(about, Some(person));
    let page = app.sign_in_as(person).await.get("/me/collection").await.assert_status(200);
    assert!(
        page.body.contains("two reports that can’t both be true")
            || page.body.contains("two reports that can&#39;t both be true")
    );
}

#[tokio::test]
async fn a_chain_may_arrive_out_of_order_but_not_contradict_itself() {
    let (app, agent, _) = setting().await;
    app.state.clock.advance(60 * 60);
    let zero = agent.send(&agent.fields(0, None, W, items())).await.assert_status(201).json();
    let hash0 = zero["hash"].as_str().unwrap();
    let report1 = agent.fields(1, Some(hash0), (5, 10), json!([item("app.usage", "metadata", 3, (5, 10))]));
    let hash1 =
        daylight::collection::report::sign(report1.as_object().unwrap().clone(), &agent.key).unwrap().1;
    let report2 = agent.fields(2, Some(&hash1.to_string()), (10, 15), json!([]));
    agent.send(&report2).await.assert_status(201);
    // One that doesn't fit between its neighbours.
    let forged = agent.fields(1, Some(hash0), (5, 10), json!([item("app.usage", "metadata", 99, (5, 10))]));
    agent.send(&forged).await.assert_status(409);
    // The one that does.
    agent.send(&report1).await.assert_status(201);
    agent.send(&report1).await.assert_status(200);
    // The next must name the newest.
    agent.send(&agent.fields(3, Some(hash0), (15, 20), json!([]))).await.assert_status(409);
    assert_eq!(app.count("finding where kind = 'EQUIVOCATION'").await, 2);
    assert_eq!(app.count("collection_report").await, 3);
}

#[tokio::test]
async fn what_is_tampered_with_is_refused() {
    let (app, agent, _) = setting().await;
    let mut report = agent.sign(&agent.fields(0, None, W, items()));
    report["items"][0]["collected"]["count"] = json!(1);
    agent.post(&report).await.assert_status(401);
    let stranger = Agent::enrol(&app, "another").await;
    let fields = agent.fields(0, None, W, items());
    let foreign = stranger.sign(&fields);
    agent.post(&foreign).await.assert_status(401);
    let problem = stranger.post(&agent.sign(&fields)).await.assert_status(422).json();
    assert_eq!(problem["errors"][0]["field"], "/agent_id");
    app.visitor()
        .post_json("/api/v1/collection-reports", &agent.sign(&fields), Some("wrong"))
        .await
        .assert_status(401);
    app.visitor()
        .post_json("/api/v1/collection-reports", &agent.sign(&fields), None)
        .await
        .assert_status(401);
    assert_eq!(app.count("collection_report").await, 0);
}

#[tokio::test]
async fn bad_shapes_are_named_and_nothing_of_them_is_repeated() {
    logs::capture();
    let (app, agent, _) = setting().await;
    let secret = "Re: my divorce – Mail";
    let with = |pointer: &str, value: Value| {
        let mut fields = agent.fields(0, None, W, items());
        match fields.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                fields.pointer_mut(parent).unwrap()[key] = value;
            }
        }
        fields
    };
    for (fields, pointer) in [
        (with("/items/0/category", json!(secret)), "/items/0/category"),
        (with("/items/0/title", json!(secret)), "/items/0"),
        (with(&format!("/{secret}"), json!(1)), ""),
        (with("/items/0/source", json!(secret)), "/items/0/source"),
        (with("/items/0/granularity", json!("very")), "/items/0/granularity"),
        (with("/items/0/collected/count", json!(1.5)), "/items/0/collected/count"),
        (with("/window/end", json!(minute(26 * 60))), "/window"),
        (with("/window/end", json!(minute(-1))), "/window/end"),
        (with("/items", Value::Array(vec![item("presence", "metadata", 0, W); 201])), "/items"),
    ] {
        let reply = agent.send(&fields).await.assert_status(422);
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(reply.json()["errors"][0]["field"], pointer, "{}", reply.body);
        assert!(!reply.body.contains("divorce"), "{}", reply.body);
    }
    let bearer = format!("Bearer {}", agent.token);
    let post = async |headers: &[(&str, &str)], body: Vec<u8>| {
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend(headers);
        app.visitor().post_bytes("/api/v1/collection-reports", "application/json", &all, body).await
    };
    post(&[], format!("{{\"x\": \"{secret}\"").into_bytes()).await.assert_status(400);
    let twice = agent.sign(&agent.fields(0, None, W, items())).to_string().replacen(
        "\"seq\":0",
        "\"seq\":0,\"seq\":0",
        1,
    );
    post(&[], twice.into_bytes()).await.assert_status(400);
    post(&[], vec![b' '; 256 * 1024 + 1]).await.assert_status(413);
    post(&[("content-encoding", "gzip")], gzip(&vec![b' '; 4 * 1024 * 1024 + 1])).await.assert_status(413);
    post(&[("content-encoding", "gzip")], b"not gzip".to_vec()).await.assert_status(400);
    post(&[("content-encoding", "br")], b"x".to_vec()).await.assert_status(415);
    assert_eq!(app.count("collection_report").await, 0);
    let log = logs::captured();
    assert!(log.contains("answered"), "something was logged");
    assert!(!log.contains("divorce"), "{log}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn gzip_is_taken_and_a_wrong_clock_is_flagged() {
    let (app, agent, _) = setting().await;
    app.state.clock.advance(20 * 60);
    let report = agent.sign(&agent.fields(0, None, W, items()));
    let bearer = format!("Bearer {}", agent.token);
    let headers = [("authorization", bearer.as_str()), ("content-encoding", "gzip")];
    let body = gzip(report.to_string().as_bytes());
    let reply =
        app.visitor().post_bytes("/api/v1/collection-reports", "application/json", &headers, body).await;
    assert_eq!(reply.assert_status(201).json()["skewed"], json!(true));
    assert_eq!(
        app.count("finding where kind = 'CLOCK_SKEW'").await,
        0,
        "what waited in a queue is old, not wrong"
    );
    agent.send(&agent.fields(1, None, (5, 40), json!([]))).await;
    agent.send(&agent.fields(2, None, (10, 35), json!([]))).await.assert_status(201);
    assert_eq!(app.count("finding where kind = 'CLOCK_SKEW'").await, 1);
    let future = agent.fields(3, None, (60 * 30, 60 * 31), json!([]));
    agent.send(&future).await.assert_status(422);
}

#[tokio::test]
async fn amounts_beyond_reason_are_refused_and_stop_nobody_else() {
    let (app, agent, _) = setting().await;
    let mut huge = item("app.usage", "metadata", u32::MAX, W);
    huge["collected"]["bytes"] = json!(1u64 << 53);
    agent.send(&agent.fields(0, None, W, json!([huge]))).await.assert_status(422);
    let mut most = item("app.usage", "metadata", 1, W);
    most["collected"] = json!({"count": u32::MAX, "bytes": 1u64 << 32});
    let items = json!(vec![most; 200]);
    for seq in 0..5 {
        agent.send(&agent.fields(seq * 2, None, W, items.clone())).await.assert_status(201);
    }
    app.visitor().get("/readyz").await.assert_status(200);
    let mut without = item("app.usage", "metadata", 0, W);
    without["collected"] = json!({"count": 0, "bytes": 7});
    agent.send(&agent.fields(11, None, W, json!([without]))).await.assert_status(422);
}

#[tokio::test]
async fn an_agent_that_floods_is_told_to_wait() {
    let (_app, agent, _) = setting().await;
    let report = agent.sign(&agent.fields(0, None, W, items()));
    let mut refused = 0;
    for _ in 0..400 {
        refused += i32::from(agent.post(&report).await.status == 429);
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_secret_works_once_and_not_for_ever() {
    let app = TestApp::new().await;
    let secret = daylight::collection::create_enrolment(&app.state, None, "laptop").await.unwrap();
    let body =
        |secret: &str, key: &str| json!({"enrolment_secret": secret, "public_key": key, "software": "a/1"});
    let key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let visitor = app.visitor();
    visitor.post_json("/api/v1/agents", &body(&secret, "short"), None).await.assert_status(422);
    visitor.post_json("/api/v1/agents", &body(&secret, key), None).await.assert_status(201);
    visitor.post_json("/api/v1/agents", &body(&secret, key), None).await.assert_status(401);
    let late = daylight::collection::create_enrolment(&app.state, None, "laptop").await.unwrap();
    app.state.clock.advance(49 * 3600);
    visitor.post_json("/api/v1/agents", &body(&late, key), None).await.assert_status(401);
}

#[tokio::test]
async fn a_revoked_agent_is_refused_and_old_raw_reports_are_dropped() {
    let (app, agent, _) = setting().await;
    agent.send(&agent.fields(0, None, W, items())).await.assert_status(201);
    let admin = app.actor(Role::Administrator).await;
    admin.post(&format!("/agents/{}/revoke", agent.id), &[]).await.assert_status(303);
    agent.send(&agent.fields(1, None, (5, 10), json!([]))).await.assert_status(401);
    app.state.clock.advance(40 * 86_400);
    daylight::collection::drop_old_reports(&app.state).await.unwrap();
    assert_eq!(app.count("collection_report").await, 0);
    assert_eq!(app.count("collection_daily").await, 1, "daily figures stay");
}

#[tokio::test]
async fn many_at_once_are_all_counted() {
    let app = TestApp::new().await;
    let mut agents = Vec::new();
    for n in 0..20 {
        let person = app.person(&format!("p{n}@example.com"), &[Role::Worker]).await;
        agents.push(Agent::of(&app, person).await);
    }
    let sends = agents.iter().flat_map(|agent| {
        (0..5).map(move |seq| async move {
            let (from, to) = (seq as i64 * 5, seq as i64 * 5 + 5);
            let fields =
                agent.fields(seq * 2, None, (from, to), json!([item("presence", "metadata", 1, (from, to))]));
            agent.send(&fields).await.status
        })
    });
    let statuses = futures_util::future::join_all(sends).await;
    let taken = statuses.iter().filter(|s| **s == 201).count() as i64;
    // Late ones without a neighbour are refused; what was taken is what is stored and summed.
    assert!(taken >= 20);
    assert_eq!(app.count("collection_report").await, taken);
    let sum: i64 = sqlx::query_scalar("select sum(collected)::bigint from collection_daily")
        .fetch_one(&app.state.db)
        .await
        .unwrap();
    assert_eq!(sum, taken);
}

#[tokio::test]
async fn once_a_day_the_log_commits_to_every_agents_reports() {
    let (app, agent, person) = setting().await;
    let other = app.person("bob@example.com", &[Role::Worker]).await;
    let others = Agent::of(&app, other).await;
    let receipt = agent.send(&agent.fields(0, None, W, items())).await.assert_status(201).json();
    assert!(receipt["log_index"].is_null() && receipt["tree_head"].is_null());
    others.send(&others.fields(0, None, W, items())).await.assert_status(201);
    for _ in 0..2 {
        collection::commit_heads(&app.state).await.expect("the log takes it");
    }
    assert_eq!(app.count("report_commitment").await, 1, "once a day");

    let own =
        app.sign_in_as(person).await.get("/api/v1/me/report-commitments").await.assert_status(200).json();
    let [opening] = own.as_array().expect("a list").as_slice() else { panic!("{own}") };
    assert_eq!(opening["agent"], agent.id.to_string());
    assert_eq!(opening["size"], 2);
    // What an outsider computes from the opening is the root that the public entry holds.
    let hash = |value: &Value| value.as_str().expect("a hash").parse::<Hash>().expect("base64url");
    let opened = serde_json_canonicalizer::to_vec(&json!({
        "agent": opening["agent"], "boot": opening["boot"], "hash": opening["hash"], "seq": opening["seq"],
    }));
    let parts = [b"daylight-report/v1\0", &hash(&opening["salt"]).0[..], &opened.expect("JSON")].concat();
    let path: Vec<Hash> = opening["path"].as_array().expect("a path").iter().map(hash).collect();
    let number = opening["number"].as_u64().expect("a number");
    let root = root_of_inclusion(number, 2, leaf_hash(&Hash::of(&parts).0), &path).expect("a root");
    let entry = format!("/log/entries/{}", opening["log_index"]);
    let page = app.visitor().get(&entry).await.assert_status(200);
    assert!(page.select(".code")[0].contains(&root.to_string()));
    let export = app.visitor().get("/log/export").await.assert_status(200);
    assert!(!export.body.contains(&agent.id.to_string()), "the log names no agent");

    app.state.clock.advance(300);
    let next = agent.fields(1, receipt["hash"].as_str(), (5, 10), json!([]));
    let receipt = agent.send(&next).await.assert_status(201).json();
    assert_eq!(receipt["log_index"], opening["log_index"]);
    assert!(receipt["tree_head"].as_str().expect("a checkpoint").contains("/log\n"));
}
