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
    let (_desk, collector, gate) = setting("").await;
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
    assert_eq!((status, answer.as_slice()), (200, b"{}".as_slice()));
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
    // One went on; of the four others, one was to be sent again and isn't counted.
    let counted: (i64, i64) = sqlx::query_as(
        "select sum((item->'collected'->>'count')::bigint)::bigint, coalesce(sum((item->'dropped'->>'count')::bigint), 0)::bigint
         from collection_report, jsonb_array_elements(items) item where item->>'category' = 'ai.prompt_meta'",
    )
    .fetch_one(&desk.test.state.db)
    .await
    .expect("reports");
    assert_eq!(counted, (3, 2));
}
