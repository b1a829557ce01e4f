//! OpenTelemetry's real programs through the gateway: Gemini CLI from npm and the SDK from PyPI send, a collector from
//! PyPI takes. What matters: the collector gets what is allowed and nothing else, and what was kept back is counted.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use daylight::consent::model::Choice;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::support::activitywatch::within;
use crate::support::consent::OPT_OUT;
use crate::support::gate::{Desk, Gate, site};
use crate::support::otlp::{Collector, gemini, sdk, stub_model};
use crate::support::{TestApp, content, logs};

const SECRET: &str = "zq7secretzq7";

fn meta<'a>(source: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mine = [("category", "ai.prompt_meta"), ("source_name", source), ("granularity", "metadata")];
    mine.into_iter().chain(more.iter().copied()).collect()
}

/// A gateway before a collector at the desk of somebody for whom this is declared.
async fn setting(declared: &[(&str, &str)]) -> (Desk, Collector, Gate) {
    let desk = Desk::today(TestApp::new().await, &[declared]).await;
    let collector = Collector::start(&desk.folder.0).await;
    let site = site("otlp", collector.address, "recipient = 'org:acme'\ncountry = 'DE'");
    let gate = desk.gate(&(desk.device("desk").await + &site)).await;
    (desk, collector, gate)
}

/// Gemini CLI as a worker starts it who was told that prompts aren't logged.
async fn ask_gemini(home: &Path, gateway: SocketAddr, model: SocketAddr, flag: bool) {
    let (node, script) = gemini().await;
    let settings = json!({
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "telemetry": {"enabled": true, "target": "local", "otlpEndpoint": format!("http://{gateway}"),
            "otlpProtocol": "http", "logPrompts": false},
        "privacy": {"usageStatisticsEnabled": false},
        "general": {"disableAutoUpdate": true, "disableUpdateNag": true},
    });
    fs::create_dir_all(home.join(".gemini")).expect("a folder");
    fs::write(home.join(".gemini/settings.json"), settings.to_string()).expect("written");
    let prompt = format!("{SECRET} what is two and two");
    let mut command = Command::new(node);
    command.arg(script).args(["-m", "gemini-2.5-flash"]).current_dir(home).env_clear();
    if flag {
        command.args(["-p", &prompt]);
    }
    command
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("GEMINI_API_KEY", "dummy")
        .env("GEMINI_CLI_TRUST_WORKSPACE", "true")
        .env("GOOGLE_GEMINI_BASE_URL", format!("http://{model}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().expect("Gemini CLI starts");
    let mut input = child.stdin.take().expect("an input");
    if !flag {
        input.write_all(prompt.as_bytes()).await.expect("it reads");
    }
    drop(input);
    let output = within(120, "Gemini CLI ends", child.wait_with_output()).await.expect("its output");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("Four."), "{said}\n{errors}");
}

const LEAK: &str = "finding where kind = 'UNDECLARED' and category = 'ai.prompt_content'
     and field = 'process.command_args'";

/// Kind, category and field of each.
async fn found(desk: &Desk) -> Vec<String> {
    sqlx::query_scalar("select concat_ws(' ', kind, category, field) from finding")
        .fetch_all(&desk.test.state.db)
        .await
        .expect("findings")
}

#[tokio::test]
async fn a_prompt_that_gemini_cli_leaks_through_its_command_line_stops_here_and_is_named() {
    logs::capture();
    let (desk, collector, gate) = setting(&meta("gemini-cli", &[])).await;
    let gateway = gate.addresses[0];
    let model = stub_model().await;
    let home = desk.folder.0.join("home");

    ask_gemini(&home, gateway, model, false).await;
    for meta in ["gemini_cli.user_prompt", "prompt_length", "gemini_cli.token.usage", "gemini-2.5-flash"] {
        collector.until(meta).await;
    }
    desk.reported().await;
    let forwarded = "collection_report, jsonb_array_elements(items) item
         where item->>'category' = 'ai.prompt_meta' and (item->'forwarded'->>'count')::int > 5";
    assert!(desk.test.count(forwarded).await >= 1, "the collector's are counted as passed on");
    assert_eq!(desk.test.count(LEAK).await, 0, "nothing leaks from a prompt on standard input");
    // What the model is told before, the worker’s own files among it, is sent in spite of the setting.
    let content: Vec<String> =
        found(&desk).await.into_iter().filter(|f| f.contains("ai.prompt_content")).collect();
    let told = |finding: &String| {
        ["gen_ai.system_instructions", "gen_ai.tool.definitions"].iter().any(|field| finding.ends_with(field))
    };
    assert!(content.iter().all(told), "{content:?}");

    ask_gemini(&home, gateway, model, true).await;
    desk.until(LEAK, 1).await;
    desk.reported().await;
    let found = found(&desk).await;
    for kind in ["OPT_OUT_VIOLATION", "UNRECOGNISED", "EQUIVOCATION", "CLOCK_SKEW"] {
        assert!(found.iter().all(|finding| !finding.starts_with(kind)), "{found:?}");
    }
    let got = collector.got();
    for gone in [SECRET, "process.command_args", "gen_ai.system_instructions", "host.name"] {
        content::assert_absent(gone, got.as_bytes(), "the collector");
    }
    desk.assert_nowhere(SECRET, &logs::captured()).await;
}

/// The SDK in a program that runs on.
struct Sender {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Sender {
    async fn start(gateway: SocketAddr) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/otlp_sdk.py");
        let mut child = Command::new(sdk().await)
            .args(["-B", script, &format!("http://{gateway}"), SECRET])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python starts");
        let input = child.stdin.take().expect("an input");
        let output = BufReader::new(child.stdout.take().expect("an output")).lines();
        Sender { child, input, output }
    }

    async fn ask(&mut self, model: &str) {
        self.input.write_all(format!("{model}\n").as_bytes()).await.expect("it reads");
        let done = within(60, "it is sent", self.output.next_line()).await.expect("an output");
        assert_eq!(done.as_deref(), Some("done"));
    }

    /// What it wrote into its log.
    async fn end(self) -> String {
        drop(self.input);
        let output = within(60, "python ends", self.child.wait_with_output()).await.expect("its output");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

#[tokio::test]
async fn what_an_sdk_sends_during_a_no_never_reaches_the_collector() {
    let (desk, collector, gate) = setting(&meta("opentelemetry", OPT_OUT)).await;
    let gateway = gate.addresses[0];

    let mut sender = Sender::start(gateway).await;
    sender.ask("model-one").await;
    collector.until("gen_ai.user.message").await;
    collector.until("gen_ai.client.operation.duration").await;
    collector.until("chat model-one").await;

    desk.choose(0, Choice::No).await;
    sender.ask("model-two").await;
    desk.choose(0, Choice::Yes).await;
    let before = collector.got();
    sender.ask("model-three").await;
    collector.until("chat model-three").await;
    // Time for whatever else might come.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let log = sender.end().await;

    let got = collector.got();
    content::assert_absent(SECRET, got.as_bytes(), "the collector");
    content::assert_absent("model-two", got.as_bytes(), "the collector");
    let after = &got[before.len()..];
    // What this counter holds was counted during the no as well; the other one is of the new model alone.
    assert!(!after.contains("gen_ai.client.operation.duration"), "{after}");
    assert!(after.contains("gen_ai.client.token.usage"), "{after}");
    assert!(after.contains("gen_ai.user.message"), "{after}");
    content::assert_absent(SECRET, log.as_bytes(), "the program's log");
    for word in ["Retrying", "Transient", "Failed", "retry"] {
        assert!(!log.contains(word), "{log}");
    }
    desk.reported().await;
    content::assert_absent(SECRET, content::rows(&desk.test.state).await.as_bytes(), "the database");
    let stopped = "collection_report, jsonb_array_elements(items) item
         where item->>'category' = 'ai.prompt_meta' and item->'dropped'->>'reason' = 'opt_out'";
    assert!(desk.test.count(stopped).await >= 1);
    assert_eq!(desk.test.count("finding where kind = 'OPT_OUT_VIOLATION'").await, 0);
}
