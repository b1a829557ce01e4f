//! A word that is nowhere else, in every field of every agent's protocol, well-formed and not: afterwards no byte of it is
//! in the database's files, its write-ahead log, a dump, a log line, the gateway's folder, an answer to a fault or an export.

use std::net::SocketAddr;

use daylight::clock::Clock;
use daylight::web::Role;
use serde_json::{Value, json};

use crate::support::gate::{Collector, Desk, Gate, site};
use crate::support::{alone, content, logs, wire};

/// Letters and digits, so that no encoding but a whole one changes it.
const WORD: &str = "qx7canaryqx7";

/// Numbers each canary: what is found says where it came from.
struct Canaries(u32);

impl Canaries {
    fn next(&mut self) -> String {
        self.0 += 1;
        format!("{WORD}n{:04}", self.0)
    }

    /// The same document once for each text in it, value or key, with a canary in that place.
    fn spread(&mut self, document: &Value) -> Vec<Value> {
        let mut places = Vec::new();
        list(document, &mut Vec::new(), &mut places);
        let mut documents = Vec::new();
        for place in places {
            for key in [false, true] {
                let mut copy = document.clone();
                if put(&mut copy, &place, key, &self.next()) {
                    documents.push(copy);
                }
            }
        }
        documents
    }
}

fn list(value: &Value, path: &mut Vec<String>, places: &mut Vec<Vec<String>>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, v)| (n.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    if !path.is_empty() {
        places.push(path.clone());
    }
    for (key, child) in children {
        path.push(key);
        list(child, path, places);
        path.pop();
    }
}

/// Puts the canary at this place, or makes it the name of the place.
fn put(document: &mut Value, place: &[String], key: bool, canary: &str) -> bool {
    let (last, before) = place.split_last().expect("a place");
    let mut at = document;
    for step in before {
        at = match at {
            Value::Array(items) => &mut items[step.parse::<usize>().expect("a number")],
            other => &mut other[step.as_str()],
        };
    }
    match at {
        Value::Object(fields) if key => {
            let value = fields.remove(last).unwrap_or_default();
            fields.insert(canary.into(), value);
            true
        }
        Value::Object(fields) => {
            fields.insert(last.clone(), canary.into());
            true
        }
        Value::Array(items) if !key => {
            items[last.parse::<usize>().expect("a number")] = canary.into();
            true
        }
        _ => false,
    }
}

/// What each kind of agent sends; the times are filled in by the caller.
fn documents(now: &str, seconds: f64) -> Vec<(usize, &'static str, Value)> {
    let nanos = format!("{}", (seconds * 1e9) as u64);
    let event = json!({"id": null, "timestamp": now, "duration": 0.0,
        "data": {"app": "Editor", "title": "A letter", "url": "https://x.example/", "status": "afk", "presses": 3}});
    let attributes = json!([
        {"key": "process.command_args", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}},
        {"key": "service.name", "value": {"stringValue": "gemini-cli"}},
        {"key": "user.email", "value": {"stringValue": "a@b.example"}},
    ]);
    let logs = json!({"resourceLogs": [{"resource": {"attributes": attributes.clone()}, "schemaUrl": "https://x.example",
        "scopeLogs": [{"scope": {"name": "s", "version": "1"}, "logRecords": [{"timeUnixNano": nanos,
            "severityText": "INFO", "eventName": "e", "body": {"stringValue": "User prompt."},
            "attributes": [{"key": "prompt", "value": {"stringValue": "p"}},
                {"key": "model", "value": {"stringValue": "m"}}]}]}]}]});
    let traces = json!({"resourceSpans": [{"resource": {"attributes": attributes.clone()}, "scopeSpans": [{"scope": {"name": "s"},
        "spans": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "traceState": "a=b",
            "name": "n", "kind": 1, "startTimeUnixNano": nanos, "endTimeUnixNano": nanos,
            "attributes": [{"key": "gen_ai.prompt", "value": {"stringValue": "p"}}],
            "events": [{"timeUnixNano": nanos, "name": "e", "attributes": []}],
            "status": {"message": "m", "code": 1}}]}]}]});
    let metrics = json!({"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [{"scope": {"name": "s"},
        "metrics": [{"name": "gemini_cli.token.usage", "description": "d", "unit": "u", "sum": {"aggregationTemporality": 1,
            "isMonotonic": true, "dataPoints": [{"startTimeUnixNano": nanos, "timeUnixNano": nanos, "asInt": "4",
                "attributes": [{"key": "model", "value": {"stringValue": "m"}}]}]}}]}]}]});
    let beat = json!({"entity": "/home/a/secret.rs", "type": "file", "category": "coding", "time": seconds, "project": "p",
        "branch": "b", "language": "Rust", "dependencies": ["d"], "lines": 10, "lineno": 1, "cursorpos": 1,
        "is_write": true, "user_agent": "wakatime/13.1.0 (Linux) Python3 vim/8"});
    let bucket = json!({"client": "c", "type": "currentwindow", "hostname": "h"});
    let import = json!({"buckets": {"aw-watcher-window_h": {"id": "aw-watcher-window_h", "type": "currentwindow", "client": "c",
        "hostname": "h", "created": now, "data": {}, "events": [event]}}});
    vec![
        (0, "/api/0/buckets/aw-watcher-window_h", bucket),
        (0, "/api/0/buckets/aw-watcher-window_h/heartbeat?pulsetime=5", event.clone()),
        (0, "/api/0/buckets/aw-watcher-window_h/events", json!([event])),
        (0, "/api/0/buckets/aw-watcher-window_h/events", event),
        (0, "/api/0/import", import),
        (0, "/api/0/settings/startOfDay", json!({"a": "b"})),
        (0, "/api/0/query", json!({"query": ["RETURN = 1;"], "timeperiods": ["2026-01-01/2026-01-02"]})),
        (1, "/v1/logs", logs),
        (1, "/v1/traces", traces),
        (1, "/v1/metrics", metrics),
        (2, "/users/current/heartbeats", beat.clone()),
        (2, "/users/current/heartbeats.bulk", json!([beat])),
    ]
}

/// A device at a gateway with all kinds of agents, whose collectors take everything; nothing is declared.
async fn setting() -> (Desk, alone::Alone, Gate) {
    logs::capture();
    let (app, database) = alone::start().await;
    let desk = Desk::today(app, &[]).await;
    let collector = Collector::start(|_| (200, "{}".to_owned())).await;
    let site = |kind| site(kind, collector.address, "");
    let sites = ["activitywatch", "otlp", "wakatime"].map(site).concat();
    let gate = desk.gate(&(desk.device("desk").await + &sites)).await;
    (desk, database, gate)
}

fn request(to: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    wire::request(to, &format!("POST {path}"), headers, body)
}

const JSON: &str = "Content-Type: application/json\r\n";

#[tokio::test]
async fn a_word_in_any_field_of_any_protocol_is_nowhere_afterwards() {
    let (desk, database, gate) = setting().await;
    let mut canaries = Canaries(0);
    let now = Clock::system().now();
    let seconds = now.jiff().as_millisecond() as f64 / 1000.0;
    let (mut sent, mut faults) = (0, Vec::new());
    for (site, path, document) in documents(&now.to_string(), seconds) {
        let to = gate.addresses[site];
        let mut requests: Vec<Vec<u8>> = Vec::new();
        for document in canaries.spread(&document) {
            requests.push(request(to, path, JSON, document.to_string().as_bytes()));
        }
        let whole = document.to_string();
        let canary = canaries.next();
        requests.extend([
            // Not JSON any more, keys twice, cut off, another encoding, another type.
            request(to, path, JSON, whole.replacen('{', &format!("{{{canary}"), 1).as_bytes()),
            request(to, path, JSON, whole.replacen('{', &format!("{{\"x\":\"{canary}\",\"x\":1,"), 1).as_bytes()),
            request(to, path, JSON, format!("\"{canary}").as_bytes()),
            request(to, path, JSON, format!("[\"{canary}\"]").as_bytes()),
            request(to, path, "Content-Type: application/x-protobuf\r\n", format!("\n\u{e}{canary}").as_bytes()),
            request(to, path, &format!("{JSON}Content-Encoding: gzip\r\n"), canary.as_bytes()),
            request(to, path, &format!("Content-Type: text/{canary}\r\n"), whole.as_bytes()),
            request(to, path, &format!("{JSON}Authorization: Basic {canary}\r\n"), whole.as_bytes()),
            request(to, path, &format!("{JSON}Cookie: {canary}\r\nUser-Agent: {canary}\r\nX-Machine-Name: {canary}\r\nReferer: {canary}\r\n"), whole.as_bytes()),
            request(to, &format!("/{canary}"), JSON, whole.as_bytes()),
            request(to, &format!("{path}/{canary}"), JSON, whole.as_bytes()),
            request(to, &format!("{}?{canary}={canary}", path.split('?').next().unwrap_or(path)), JSON, whole.as_bytes()),
            request(to, &path.replace("window_h", &canary), JSON, whole.as_bytes()),
            format!("{canary} / HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n").into_bytes(),
            format!("POST {path} HTTP/1.1\r\nHost: {canary}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").into_bytes(),
            format!("POST {path} {canary}\r\n\r\n").into_bytes(),
        ]);
        for request in requests {
            let answer = wire::raw(to, &request).await;
            sent += 1;
            // ActivityWatch echoes a record to whoever sent it; no fault repeats anything.
            if !answer.starts_with("HTTP/1.1 2") {
                faults.push(answer);
            }
        }
    }
    assert!(sent > 400 && faults.len() > 50, "{sent} sent, {} refused", faults.len());
    for fault in &faults {
        content::assert_absent(WORD, fault.as_bytes(), "an answer to a fault");
    }
    // The next report is there, and what was sent is counted.
    desk.until("collection_report where items::text like '%dropped%'", 1).await;
    for path in ["/me/collection", "/api/v1/me/collection", "/me/findings", "/api/v1/me/report-commitments"] {
        content::assert_absent(WORD, desk.worker.get(path).await.body.as_bytes(), path);
    }
    content::assert_absent(WORD, content::rows(&desk.test.state).await.as_bytes(), "a dump");
    let mut files = database.files(&desk.test).await;
    alone::collect(&desk.folder.0, &mut files);
    for (path, bytes) in &files {
        content::assert_absent(WORD, bytes, &path.display().to_string());
    }
    content::assert_absent(WORD, logs::captured().as_bytes(), "the log");
}

#[tokio::test]
async fn what_the_database_is_told_is_found_in_its_files() {
    let (app, database) = alone::start().await;
    app.person(&format!("{WORD}@example.com"), &[Role::Worker]).await;
    let found = |files: Vec<(std::path::PathBuf, Vec<u8>)>| {
        let holds = |bytes: &Vec<u8>| bytes.windows(WORD.len()).any(|w| w == WORD.as_bytes());
        files
            .iter()
            .filter(|(_, bytes)| holds(bytes))
            .map(|(path, _)| path.display().to_string())
            .collect::<Vec<_>>()
    };
    let found = found(database.files(&app).await);
    assert!(found.iter().any(|path| path.contains("pg_wal")), "so that the other test can fail: {found:?}");
}
