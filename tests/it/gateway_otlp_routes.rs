//! OTLP's paths, keys and failures: what is denied, what the collector hears of, and what an agent is told.

use std::fs;

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::gate::{Collector, Desk, Gate, site};
use crate::support::wire::exchange;

const JSON: &str = "Content-Type: application/json\r\n";

/// A log record of now about a prompt; `more` are further attributes.
fn logs(more: &[(&str, &str)]) -> Vec<u8> {
    let now = daylight::clock::Clock::system().now().jiff().as_nanosecond().to_string();
    let attribute = |(key, value): &(&str, &str)| json!({"key": key, "value": {"stringValue": value}});
    let known = [("event.name", "gemini_cli.user_prompt"), ("prompt_length", "4")];
    let attributes: Vec<Value> = known.iter().chain(more).map(attribute).collect();
    let resource = json!({"attributes": [attribute(&("service.name", "gemini-cli"))]});
    let record = json!({"timeUnixNano": now, "attributes": attributes, "body": {"stringValue": "User prompt. Length: 4."}});
    json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {"name": "gemini-cli"}, "logRecords": [record]}]}]})
        .to_string()
        .into_bytes()
}

async fn setting(more: &str) -> (Desk, Collector, Gate) {
    let declared = [("category", "ai.prompt_meta"), ("source_name", "gemini-cli")];
    let desk = Desk::today(TestApp::new().await, &[&declared]).await;
    let collector = Collector::start(|_| (200, "{}".to_owned())).await;
    fs::write(desk.folder.0.join("headers"), "X-Key: only the gateway's\n").expect("written");
    let site = site("otlp", collector.address, more);
    let gate = desk.gate(&(desk.device("desk").await + &site)).await;
    (desk, collector, gate)
}

#[tokio::test]
async fn what_is_not_otlp_goes_nowhere() {
    let (desk, collector, gate) = setting("").await;
    let gateway = gate.addresses[0];
    let body = logs(&[]);
    for (first, headers, expected) in [
        ("POST /v1development/profiles", JSON, 404),
        ("POST /v1/profiles", JSON, 404),
        ("POST //v1/logs", JSON, 404),
        ("POST /v1//logs", JSON, 404),
        ("POST /v1/logs/", JSON, 404),
        ("POST /v1/./logs", JSON, 404),
        ("POST /v1/x/../logs", JSON, 404),
        ("POST /v1%2flogs", JSON, 404),
        ("POST /%76%31/logs", JSON, 404),
        ("POST /V1/logs", JSON, 404),
        ("POST /", JSON, 404),
        ("GET /v1/logs", JSON, 405),
        ("PUT /v1/logs", JSON, 405),
        ("OPTIONS /v1/logs", JSON, 405),
        ("POST /v1/logs", "", 415),
        ("POST /v1/logs", "Content-Type: text/plain\r\n", 415),
        ("POST /v1/logs", "Content-Type: application/grpc\r\n", 415),
        ("POST /v1/logs", "Content-Type: application/json\r\nContent-Type: application/x-protobuf\r\n", 415),
        ("POST /v1/logs", "Content-Type: application/json\r\nContent-Encoding: br\r\n", 415),
        ("POST /v1/logs", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", 415),
        ("POST /v1/logs", "Content-Type: application/x-protobuf\r\n", 400),
        // A web page.
        ("POST /v1/logs", "Content-Type: application/json\r\nOrigin: https://evil.example\r\n", 403),
        ("POST /v1/logs", "Content-Type: application/json\r\nOrigin: null\r\n", 403),
        // A message of another signal has nothing that this one knows.
        ("POST /v1/traces", JSON, 200),
    ] {
        let (status, answer) = exchange(gateway, first, headers, &body).await;
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(status, expected, "{first} {headers}: {answer}");
        assert!(answer.len() < 100 && !answer.contains("User prompt"), "{answer}");
    }
    let (status, _) = exchange(gateway, "POST /v1/logs", JSON, &vec![b' '; 9_000_000]).await;
    assert_eq!(status, 413);
    let deep = format!("{{\"resourceLogs\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(exchange(gateway, "POST /v1/logs", JSON, deep.as_bytes()).await.0, 400);
    assert!(collector.got().is_empty());

    let (status, answer) = exchange(gateway, "POST /v1/logs", JSON, &body).await;
    desk.reported().await;
    assert_eq!((status, answer.as_slice()), (200, b"{}".as_slice()), "{:?}", desk.counts().await);
    let gateways = collector.got();
    assert!(gateways.len() == 1 && gateways[0].path == "/v1/logs", "so that the others could have come");
}

#[tokio::test]
async fn the_collectors_key_is_the_gateways_alone() {
    let (_desk, collector, gate) = setting("headers_file = 'headers'").await;
    let gateway = gate.addresses[0];
    let headers =
        format!("{JSON}Authorization: Bearer agents\r\nCookie: a=b\r\nX-Key: agents\r\nUser-Agent: me\r\n");
    assert_eq!(exchange(gateway, "POST /v1/logs?key=agents", &headers, &logs(&[])).await.0, 200);
    let taken = &collector.got()[0];
    assert_eq!(taken.headers["x-key"], "only the gateway's");
    for name in ["authorization", "cookie", "user-agent"] {
        assert!(!taken.headers.contains_key(name), "{name}");
    }
    assert_eq!(taken.path, "/v1/logs");

    let (_desk, collector, gate) = setting("").await;
    let gateway = gate.addresses[0];
    assert_eq!(exchange(gateway, "POST /v1/logs", &headers, &logs(&[])).await.0, 200);
    assert_eq!(collector.got()[0].headers["authorization"], "Bearer agents");
    assert!(!collector.got()[0].headers.contains_key("x-key"));
}

#[tokio::test]
async fn only_a_request_without_anything_refused_is_sent_again() {
    let (desk, collector, gate) = setting("").await;
    let gateway = gate.addresses[0];
    let send = async |body: Vec<u8>| {
        let (status, answer) = exchange(gateway, "POST /v1/logs", JSON, &body).await;
        (status, String::from_utf8(answer).expect("text"))
    };
    collector.answer(|_| (503, "the collector quotes User prompt".to_owned()));
    let (status, answer) = send(logs(&[])).await;
    assert!(status == 503 && !answer.contains("User prompt"), "{status} {answer}");
    let (status, answer) = send(logs(&[("prompt", "a secret")])).await;
    assert_eq!((status, answer.as_str()), (200, "{}"), "the agent would keep the prompt for later");
    collector.answer(|_| (401, "no".to_owned()));
    assert_eq!(send(logs(&[])).await.0, 401);
    let theirs = r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"User prompt"}}"#;
    collector.answer(|_| (200, theirs.to_owned()));
    let (status, answer) = send(logs(&[])).await;
    assert!(status == 200 && answer.contains("\"2\"") && !answer.contains("User prompt"), "{answer}");

    let before = collector.got().len();
    let nothing = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "User prompt"}}]}]}]});
    let (status, answer) = send(nothing.to_string().into_bytes()).await;
    assert!(status == 200 && answer.contains(r#""rejectedLogRecords":"1""#), "{answer}");
    assert_eq!(collector.got().len(), before, "nothing was left to send");

    desk.reported().await;
    assert_eq!(counted(&desk).await, (4, 0), "all four came to the collector, whatever it answered");
}

/// How often something about prompts came in, and how often it was kept back.
async fn counted(desk: &Desk) -> (i64, i64) {
    sqlx::query_as(
        "select coalesce(sum((item->'collected'->>'count')::bigint), 0)::bigint, coalesce(sum((item->'dropped'->>'count')::bigint), 0)::bigint
         from collection_report, jsonb_array_elements(items) item where item->>'category' = 'ai.prompt_meta'",
    )
    .fetch_one(&desk.test.state.db)
    .await
    .expect("reports")
}

#[tokio::test]
async fn what_no_collector_can_have_got_comes_again_or_counts_as_dropped() {
    let declared = [("category", "ai.prompt_meta"), ("source_name", "gemini-cli")];
    let desk = Desk::today(TestApp::new().await, &[&declared]).await;
    let recorder = Collector::start(|_| (200, "{}".to_owned())).await;
    // Nobody listens on this one any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let sites = [site("otlp", closed, ""), site("otlp", recorder.address, "")];
    let devices = desk.device("one").await + &sites[0] + &desk.device("two").await + &sites[1];
    let gate = desk.gate(&devices).await;
    let gateways = &gate.addresses;
    assert_eq!(exchange(gateways[0], "POST /v1/logs", JSON, &logs(&[])).await.0, 503);
    assert_eq!(exchange(gateways[0], "POST /v1/logs", JSON, &logs(&[("prompt", "x")])).await.0, 200);

    // A sender that hangs up while the collector thinks it over.
    recorder.wait(std::time::Duration::from_secs(2));
    let body = logs(&[]);
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\nHost: {}\r\n{JSON}Content-Length: {}\r\n\r\n",
        gateways[1],
        body.len()
    );
    let mut sender = std::net::TcpStream::connect(gateways[1]).expect("it listens");
    std::io::Write::write_all(&mut sender, &[head.as_bytes(), &body].concat()).expect("sent");
    while recorder.got().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    drop(sender);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    desk.reported().await;
    assert_eq!(counted(&desk).await, (2, 1));
}

#[tokio::test]
async fn what_somebody_wrote_does_not_pass_as_a_name_a_number_or_a_link() {
    let (_desk, recorder, gate) = setting("").await;
    let gateway = gate.addresses[0];
    let text = |text: &str| json!({"stringValue": text});
    let pair = |key: &str, value: Value| json!({"key": key, "value": value});
    let list = |values: Vec<Value>| json!({"arrayValue": {"values": values}});
    let numbers = "zq7".bytes().map(|byte| json!({"intValue": byte.to_string()})).collect();
    let now = daylight::clock::Clock::system().now().jiff().as_nanosecond().to_string();
    let attributes = json!([
        pair("model", text("zq7 my salary talk with Bob")),
        pair("hook_name", text("bash /home/zq7/letter.sh")),
        pair("tool_name", list(vec![text("zq7"), text("zq7")])),
        pair("process.pid", list(numbers)),
        pair("function_name", text("zq7-one")),
        pair("function_name", text("zq7-two")),
        pair("prompt_length", json!({"intValue": "4"})),
    ]);
    let link = |attributes: Value| json!({"traceId": "7a71377a71377a71377a71377a71377a", "spanId": "7a71377a71377a71", "attributes": attributes});
    let known = link(json!([pair("prompt_length", json!({"intValue": "5"}))]));
    let mut links = vec![link(json!([])), link(json!([pair("interactive", json!({"boolValue": true}))]))];
    links.extend(vec![known; 85]);
    let span = |start: &str| {
        json!({"name": "llm_call", "traceId": "00000000000000000000000000000001", "spanId": "0000000000000001",
            "startTimeUnixNano": start, "endTimeUnixNano": now, "attributes": attributes, "links": links})
    };
    let resource = json!({"attributes": [pair("service.name", text("gemini-cli"))]});
    let scopes = json!([
        {"scope": {"name": "gemini-cli"}, "spans": [span(&now), span("0")]},
        {"scope": {"name": "com.anthropic.claude_code"}, "spans": [span(&now)]},
    ]);
    let body = json!({"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}).to_string();
    let (status, answer) = exchange(gateway, "POST /v1/traces", JSON, body.as_bytes()).await;
    assert_eq!(status, 200);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.contains(r#""rejectedSpans":"2""#), "one without a time, one of two programs: {answer}");
    let taken = recorder.got();
    let sent = String::from_utf8_lossy(&taken[0].body).into_owned();
    assert!(!sent.contains("zq7") && !sent.contains("process.pid"), "{sent}");
    assert_eq!(sent.matches("7a71377a71377a71377a71377a71377a").count(), 6, "{sent}");

    let log =
        json!({"eventName": "gemini_cli.user_prompt", "attributes": [pair("prompt_length", text("4"))]});
    let body = json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [log]}]}]});
    assert_eq!(exchange(gateway, "POST /v1/logs", JSON, body.to_string().as_bytes()).await.0, 200);
    assert_eq!(recorder.got().len(), taken.len(), "nobody knows when that was");
}

#[tokio::test]
async fn a_small_request_of_many_empty_messages_is_not_unpacked_into_memory() {
    let (_desk, recorder, gate) = setting("").await;
    let gateway = gate.addresses[0];
    let length = |mut number: usize| {
        let mut bytes = Vec::new();
        while number > 127 {
            bytes.push((number % 128) as u8 | 128);
            number /= 128;
        }
        bytes.push(number as u8);
        bytes
    };
    let within = |tag: u8, inner: &[u8]| [&[tag][..], &length(inner.len()), inner].concat();
    let body = within(0x0a, &within(0x12, &[0x12, 0x00].repeat(1_000_000)));
    let kind = "Content-Type: application/x-protobuf\r\n";
    assert_eq!(exchange(gateway, "POST /v1/traces", kind, &body).await.0, 413);
    let body = within(0x0a, &within(0x12, &[0x12, 0x00].repeat(1_000)));
    assert_eq!(exchange(gateway, "POST /v1/traces", kind, &body).await.0, 200);
    assert!(recorder.got().is_empty());
}
