//! ActivityWatch's own client → gateway → a real ActivityWatch, with a person who chooses: what was observed while
//! somebody had said no is nowhere afterwards, and what may go on does.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use daylight::clock::Time;
use daylight::consent::model::Choice;
use serde_json::{Value, json};

use crate::choices::MANDATORY;
use crate::support::activitywatch::python;
use crate::support::consent::choose;
use crate::support::content;
use crate::support::gate::listen;
use crate::support::moving::until;
use crate::support::watched::Watched;
use crate::support::wire::{exchange, post};

pub const TITLES: &[(&str, &str)] = &[
    ("category", "window.titles"),
    ("source_name", "activitywatch"),
    ("granularity", "content"),
    ("choice_mode", "opt_out"),
    ("frequency", "continuous"),
    ("frequency_every", ""),
    ("max_per_day", ""),
];
pub const PROGRAMS: &[(&str, &str)] = &[
    ("source_name", "activitywatch"),
    ("choice_mode", "opt_out"),
    ("frequency", "continuous"),
    ("frequency_every", ""),
    ("max_per_day", ""),
];
/// No letter of it is changed by JSON or an address.
const CANARY: &str = "zq7canaryzq7";
const BUCKET: &str = "aw-watcher-window_pc1";

impl Watched {
    async fn client(&self, arguments: &[&str]) -> String {
        let home = self.folder.0.join("client");
        fs::create_dir_all(&home).expect("a folder");
        let shift = self.time.shift().to_string();
        let arguments = [&[shift.as_str()], arguments].concat();
        python(self.address().port(), &self.venv, &home, "gate_watcher.py", &arguments).await
    }

    /// Events with a title that touch this time.
    async fn titles_in(&self, from: Time, to: Time) -> Vec<Value> {
        let held = self.held().await.into_iter();
        let touches =
            held.filter(|(_, start, end, data)| data.get("title").is_some() && *start < to && *end > from);
        touches.map(|(.., data)| data).collect()
    }
}

fn files(folder: &Path, each: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, each) } else { each(&path) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_the_time_of_a_no_is_ever_passed_on() {
    let mut desk = Watched::new(&[TITLES, PROGRAMS]).await;
    until(60, "what is allowed goes on", async || {
        desk.client(&["beat", "2", "allowed"]).await;
        let both = json!({"app": "Writer", "title": "allowed"});
        desk.held().await.iter().any(|(.., data)| *data == both)
    })
    .await;

    // No: programs go on, titles don't; also after a restart of the gateway.
    let asked = desk.now();
    desk.choose(0, Choice::No).await;
    let refused_from = desk.now();
    desk.advance(100);
    desk.client(&["beat", "3", CANARY]).await;
    desk.close().await;
    desk.open().await;
    until(60, "programs go on", async || {
        desk.client(&["beat", "2", CANARY]).await;
        let held = desk.held().await;
        held.iter().any(|(_, from, _, data)| *from > refused_from && data == &json!({"app": "Writer"}))
    })
    .await;
    desk.client(&["late", "60", CANARY]).await;
    let honoured = async || desk.test.count("finding where kind = 'HONOURED_AT_GATEWAY'").await > 0;
    until(40, "it is reported as dropped", honoured).await;

    // Yes again: what comes late, or would grow backwards over the no, stays out.
    let before = desk.now();
    desk.choose(0, Choice::Yes).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    desk.client(&["late", "50", CANARY]).await;
    desk.client(&["late", "300", CANARY]).await;
    let (status, _) = desk.beat(BUCKET, 0, 86_000, json!({"app": "Writer", "title": "allowed"})).await;
    assert_eq!(status, 200);
    assert!(desk.titles_in(desk.now().plus_seconds(-1), desk.now().plus_seconds(9)).await.len() < 2);
    assert_eq!(desk.titles_in(refused_from, before).await, Vec::<Value>::new());

    // A no that came and went while the gateway was away.
    desk.close().await;
    desk.advance(10);
    let away = desk.now();
    choose(&desk.test, &desk.worker, desk.declared[0], Choice::No).await.expect("a choice");
    desk.advance(60);
    choose(&desk.test, &desk.worker, desk.declared[0], Choice::Yes).await.expect("a choice");
    let back = desk.now();
    desk.open().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    desk.client(&["late", "40", CANARY]).await;
    desk.beat(BUCKET, 0, 86_000, json!({"app": "Writer", "title": "allowed"})).await;
    assert_eq!(desk.titles_in(away, back).await, Vec::<Value>::new());
    desk.client(&["beat", "2", "allowed"]).await;
    assert!(!desk.titles_in(back, desk.now()).await.is_empty(), "what is allowed goes on again");

    let export = desk.export().await;
    assert!(!export.contains(CANARY), "{export}");
    assert_eq!(desk.client(&["waiting"]).await.trim(), "0");
    let mut logs = 0;
    files(&desk.folder.0.join("client"), &mut |path| {
        let is_log = path.extension().is_some_and(|e| e == "log");
        logs += u32::from(is_log);
        let queued = path.to_string_lossy().contains("persistqueue");
        // The queue is a database whose emptied pages keep their bytes, whoever is asked; that it is empty was seen.
        if !queued {
            content::assert_absent(CANARY, &fs::read(path).expect("a file"), &path.display().to_string());
        }
    });
    assert!(logs > 0, "the client has a log");
    files(&desk.folder.0.join("state"), &mut |path| {
        content::assert_absent(CANARY, &fs::read(path).expect("a file"), "the gateway's folder");
    });
    content::assert_absent(CANARY, content::rows(&desk.test.state).await.as_bytes(), "Daylight");

    let violations = "finding where kind in ('COLLECTED_AFTER_OPT_OUT', 'OPT_OUT_VIOLATION', 'UNRECOGNISED')";
    assert_eq!(desk.test.count(violations).await, 0, "since {asked}");
    let page = desk.worker.get("/me/collection").await.assert_status(200);
    assert!(page.body.contains("Stopped on the way"), "{}", page.body);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_policy_in_force_only_what_nobody_may_refuse_goes_on() {
    let presence = [&[("category", "presence"), ("source_name", "activitywatch")], MANDATORY].concat();
    let desk = Watched::new(&[TITLES, PROGRAMS, &presence]).await;
    desk.bucket(BUCKET, "currentwindow").await;
    let all = json!({"app": "Writer", "title": "a letter", "status": "afk", "notes": "of nobody's business"});
    desk.beat(BUCKET, 0, 0, all.clone()).await;
    desk.serving.abort();
    desk.advance(20 * 60);
    let (status, echo) = desk.beat(BUCKET, 0, 0, all.clone()).await;
    let echo: Value = serde_json::from_str(&echo).expect("JSON");
    assert_eq!((status, &echo["data"]), (200, &all), "the sender hears its own words");
    let held: Vec<Value> = desk.held().await.into_iter().map(|(.., data)| data).collect();
    let known = json!({"app": "Writer", "title": "a letter", "status": "afk"});
    assert_eq!(held.len(), 2);
    assert!(held.contains(&known) && held.contains(&json!({"status": "afk"})), "{held:?}");
}

/// A collector that takes its time.
async fn slow(taken: Arc<AtomicU32>) -> SocketAddr {
    let answer = async move |uri: Uri| {
        if uri.path().ends_with("heartbeat") {
            tokio::time::sleep(Duration::from_secs(4)).await;
            taken.fetch_add(1, Ordering::SeqCst);
        }
        "{}"
    };
    listen(Router::new().fallback(answer)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_is_confirmed_only_when_nothing_is_on_its_way_any_more() {
    let mut desk = Watched::new(&[TITLES]).await;
    desk.close().await;
    let taken = Arc::new(AtomicU32::new(0));
    let gate = desk.gate_before(slow(taken.clone()).await).await;
    let to: SocketAddr = gate.addresses[0];
    tokio::time::sleep(Duration::from_secs(1)).await;
    let event = json!({"timestamp": desk.now(), "data": {"title": "a letter"}});
    let path = format!("/api/0/buckets/{BUCKET}/heartbeat?pulsetime=1");
    // Its sender doesn't wait: what is on its way is on its way.
    let sent = tokio::time::timeout(Duration::from_secs(1), post(to, &path, &event)).await;
    assert!(sent.is_err() && taken.load(Ordering::SeqCst) == 0, "{sent:?}");
    let before = desk.confirmations().await;
    choose(&desk.test, &desk.worker, desk.declared[0], Choice::No).await.expect("a choice");
    until(30, "it is confirmed", async || {
        let confirmed = desk.confirmations().await > before;
        assert!(!confirmed || taken.load(Ordering::SeqCst) == 1, "confirmed while something was on its way");
        confirmed
    })
    .await;
    assert_eq!(post(to, &path, &event).await.0, 200);
    assert_eq!(taken.load(Ordering::SeqCst), 1, "nothing more is sent");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_activitywatch_is_away_nobody_is_made_to_keep_what_was_refused() {
    let mut desk = Watched::new(&[TITLES, PROGRAMS]).await;
    desk.close().await;
    let gate = desk.gate_before("127.0.0.1:1").await;
    let to = gate.addresses[0];
    let bucket = json!({"client": "aw-test", "type": "currentwindow", "hostname": "pc1"});
    let (status, _) = post(to, &format!("/api/0/buckets/{BUCKET}"), &bucket).await;
    assert_eq!(status, 200, "the client would fill its queue");
    let beat = async |data: Value| {
        let event = json!({"timestamp": desk.now(), "data": data});
        post(to, &format!("/api/0/buckets/{BUCKET}/heartbeat?pulsetime=1"), &event).await.0
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(beat(json!({"app": "Writer", "title": "a letter"})).await, 503);
    assert_eq!(beat(json!({"app": "Writer", "notes": "unheard of"})).await, 200);
    desk.choose(0, Choice::No).await;
    assert_eq!(beat(json!({"app": "Writer", "title": "a letter"})).await, 200);
    gate.stop().await;

    // ActivityWatch that forgot its buckets gets them again with the first record.
    desk.open().await;
    desk.bucket(BUCKET, "currentwindow").await;
    exchange(desk.upstream(), &format!("DELETE /api/0/buckets/{BUCKET}"), "", b"").await;
    assert_eq!(desk.beat(BUCKET, 0, 1, json!({"app": "Writer"})).await.0, 200);
    assert_eq!(desk.held().await.len(), 1);
    desk.close().await;
}
