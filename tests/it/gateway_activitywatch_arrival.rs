//! What a collector got is counted whatever it answers, nothing goes there long after it was decided, and it doesn't
//! hear of what may not pass, not even of a bucket.

use std::net::SocketAddr;
use std::time::Duration;

use daylight::consent::model::Choice;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::gateway_activitywatch::{PROGRAMS, TITLES};
use crate::support::consent::choose;
use crate::support::moving::until;
use crate::support::stub::Stub;
use crate::support::watched::Watched;
use crate::support::wire::{post, raw};

const BUCKET: &str = "aw-watcher-window_pc1";
const ELSEWHERE: &str = "recipient = 'org:acme'\ncountry = 'DE'";

async fn beat(desk: &Watched, to: SocketAddr, data: Value) -> u16 {
    let event = json!({"timestamp": desk.now(), "data": data});
    post(to, &format!("/api/0/buckets/{BUCKET}/heartbeat?pulsetime=1"), &event).await.0
}

/// Of all reports: how many records of programs came, went on and didn't.
async fn programs(desk: &Watched) -> (i64, i64, i64) {
    sqlx::query_as(
        "select coalesce(sum((item->'collected'->>'count')::bigint), 0)::bigint,
                coalesce(sum((item->'forwarded'->>'count')::bigint), 0)::bigint,
                coalesce(sum((item->'dropped'->>'count')::bigint), 0)::bigint
         from collection_report, jsonb_array_elements(items) item where item->>'category' = 'app.usage'",
    )
    .fetch_one(&desk.test.state.db)
    .await
    .expect("stored reports")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_arrived_counts_whatever_is_answered() {
    let mut desk = Watched::new(&[TITLES, PROGRAMS]).await;
    desk.close().await;
    // Elsewhere: it keeps what it gets, and says that it doesn't.
    let stub = Stub::always(503).await;
    let running = desk.gate_with(stub.address, ELSEWHERE).await;
    assert_eq!(beat(&desk, running.addresses[0], json!({"app": "One"})).await, 502);
    assert_eq!(beat(&desk, running.addresses[0], json!({"app": "Two", "notes": "unheard of"})).await, 200);
    running.stop().await;
    assert!(stub.got().iter().any(|got| got.contains("\"Two\"")));
    assert_eq!(programs(&desk).await, (2, 2, 0));

    // On this machine: no answer says nothing of what is there, a refusal is believed.
    let stub = Stub::always(0).await;
    let running = desk.gate_with(stub.address, "").await;
    assert_eq!(beat(&desk, running.addresses[0], json!({"app": "Three"})).await, 503);
    assert_eq!(beat(&desk, running.addresses[0], json!({"app": "Four", "notes": "unheard of"})).await, 200);
    running.stop().await;
    assert_eq!(programs(&desk).await, (4, 2, 0));
    let stub = Stub::always(500).await;
    let running = desk.gate_with(stub.address, "").await;
    assert_eq!(beat(&desk, running.addresses[0], json!({"app": "Five"})).await, 502);
    assert_eq!(beat(&desk, running.addresses[0], json!({"app": "Six", "notes": "unheard of"})).await, 200);
    running.stop().await;
    assert_eq!(programs(&desk).await, (5, 2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_its_way_at_the_end_is_waited_for_and_counted() {
    let mut desk = Watched::new(&[TITLES, PROGRAMS]).await;
    desk.close().await;
    let stub = Stub::start(|line| {
        let slow = if line.contains("heartbeat") { 4 } else { 0 };
        (Duration::from_secs(slow), 200)
    })
    .await;
    let running = desk.gate_with(stub.address, ELSEWHERE).await;
    let sent = beat(&desk, running.addresses[0], json!({"app": "Writer"}));
    assert!(tokio::time::timeout(Duration::from_secs(1), sent).await.is_err(), "its sender went away");
    running.stop().await;
    assert_eq!(programs(&desk).await, (1, 1, 0));
}

/// Its sender is slower than the gateway waits for at its end: nobody would count what became of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_after_the_last_report_goes_nowhere() {
    let mut desk = Watched::new(&[TITLES, PROGRAMS]).await;
    desk.close().await;
    let stub = Stub::always(200).await;
    let running = desk.gate_with(stub.address, ELSEWHERE).await;
    let event = json!({"timestamp": desk.now(), "data": {"app": "Writer"}}).to_string();
    let head = format!(
        "POST /api/0/buckets/{BUCKET}/heartbeat?pulsetime=1 HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        event.len()
    );
    let mut sender = TcpStream::connect(running.addresses[0]).await.expect("a connection");
    sender.write_all(head.as_bytes()).await.expect("it reads");
    running.stop().await;
    // The connection may be closed by now.
    let _ = sender.write_all(event.as_bytes()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!stub.got().iter().any(|got| got.contains("heartbeat")), "{:?}", stub.got());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_doesnt_wait_for_a_server_that_takes_reports_slowly() {
    let mut desk = Watched::new(&[TITLES, PROGRAMS]).await;
    desk.close().await;
    let stub = Stub::always(200).await;
    let running = desk.gate_with(stub.address, ELSEWHERE).await;
    let mut held = desk.test.state.db.begin().await.expect("a transaction");
    sqlx::query("lock table collection_report in access exclusive mode")
        .execute(&mut *held)
        .await
        .expect("held");
    // A report is on its way every five seconds.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let before = desk.confirmations().await;
    choose(&desk.test, &desk.worker, desk.declared[1], Choice::No).await.expect("a choice");
    until(10, "the no is obeyed", async || desk.confirmations().await > before).await;
    assert_eq!(beat(&desk, running.addresses[0], json!({"app": "Writer"})).await, 200);
    assert!(!stub.got().iter().any(|got| got.contains("Writer")));
    held.rollback().await.expect("let go");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_given_up_before_a_no_can_be_confirmed_without_it() {
    let mut desk = Watched::new(&[TITLES, PROGRAMS]).await;
    desk.close().await;
    // Which buckets there are it says so late that a no may be in force by then.
    let stub = Stub::start(|line| {
        let slow = if line.contains("/buckets") { 42 } else { 0 };
        (Duration::from_secs(slow), 200)
    })
    .await;
    let running = desk.gate_with(stub.address, "").await;
    let event = json!({"timestamp": desk.now(), "duration": 0, "data": {"app": "Writer"}});
    let bucket = json!({"id": "new", "type": "currentwindow", "client": "aw-test", "hostname": "pc1", "events": [event]});
    let export = json!({"buckets": {"new": bucket}});
    let sent = post(running.addresses[0], "/api/0/import", &export);
    assert!(tokio::time::timeout(Duration::from_secs(1), sent).await.is_err(), "its sender went away");
    tokio::time::sleep(Duration::from_secs(44)).await;
    assert!(stub.got().iter().any(|got| got.starts_with("GET /api/0/buckets/ ")), "{:?}", stub.got());
    assert!(!stub.got().iter().any(|got| got.contains("import")), "{:?}", stub.got());
    running.stop().await;
    assert_eq!(programs(&desk).await, (1, 0, 1), "it is lost, and said to be");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_hears_of_a_bucket_before_something_in_it_may_pass() {
    let mut desk = Watched::new(&[TITLES, PROGRAMS]).await;
    desk.choose(0, Choice::No).await;
    desk.choose(1, Choice::No).await;
    desk.close().await;
    let stub = Stub::always(200).await;
    let running = desk.gate_with(stub.address, ELSEWHERE).await;
    let to = running.addresses[0];
    let told = json!({"type": "he-complained-to-HR", "client": "aw-test", "hostname": "about-his-boss", "created": desk.now()});
    for _ in 0..2 {
        assert_eq!(post(to, "/api/0/buckets/Salary-talk-with-Bob", &told).await.0, 200);
    }
    assert_eq!(beat(&desk, to, json!({"app": "Writer", "title": "a letter", "language": "x"})).await, 200);
    for place in ["info", "buckets/", "buckets/Salary-talk-with-Bob"] {
        let request = format!("GET /api/0/{place} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
        let answer = raw(to, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(place == "info" || answer.contains("he-complained-to-HR"), "{answer}");
    }
    assert_eq!(stub.got(), Vec::<String>::new());
    running.stop().await;

    // ActivityWatch gets a bucket with its first record, also when the gateway was started anew since it was described.
    desk.open().await;
    desk.bucket("other", "made.up").await;
    desk.bucket("silent", "made.up").await;
    desk.choose(1, Choice::Yes).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(desk.beat("silent", 0, 1, json!({"title": "a letter"})).await.0, 200);
    assert_eq!(desk.export().await.matches("\"type\"").count(), 0, "{}", desk.export().await);
    for bucket in [BUCKET, "other"] {
        assert_eq!(desk.beat(bucket, 0, 1, json!({"app": "Writer", "title": "a letter"})).await.0, 200);
    }
    let export: Value = serde_json::from_str(&desk.export().await).expect("JSON");
    let kinds: Vec<_> = export["buckets"].as_object().expect("buckets").iter().collect();
    let kinds: Vec<_> = kinds.iter().map(|(id, bucket)| (id.as_str(), bucket["type"].as_str())).collect();
    assert_eq!(kinds, [(BUCKET, Some("currentwindow")), ("other", Some("made.up"))]);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_no_activity_and_an_address_no_site() {
    let desk = Watched::new(&[SITES, CODE]).await;
    desk.bucket("editor", "app.editor.activity").await;
    desk.bucket("web", "web.tab.current").await;
    for (bucket, data) in [
        ("editor", json!({"file": "/home/ana/letter.odt", "project": "/home/ana", "language": "text"})),
        ("web", json!({"domain": "https://intranet.example/hr/complaint?id=7"})),
        ("web", json!({"domain": "intranet.example"})),
    ] {
        assert_eq!(desk.beat(bucket, 0, 0, data).await.0, 200);
    }
    let mut held: Vec<String> = desk.held().await.iter().map(|(.., data)| data.to_string()).collect();
    held.sort();
    assert_eq!(held, [r#"{"domain":"intranet.example"}"#, r#"{"language":"text"}"#]);
}

const SITES: &[(&str, &str)] =
    &[("category", "web.domains"), ("source_name", "activitywatch"), ("choice_mode", "opt_out")];
const CODE: &[(&str, &str)] =
    &[("category", "code.activity"), ("source_name", "activitywatch"), ("choice_mode", "opt_out")];
