//! The gateway between WakaTime's own client (PyPI) and a collector. WakaTime's server can't be run here: a stand-in
//! answers as its documentation says. What matters: what somebody refused is nowhere afterwards, not at the collector,
//! not in the client's queue and log, not at the gateway; and nothing is lost that may go on.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use daylight::consent::model::Choice;
use flate2::Compression;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, USER_AGENT};
use serde_json::{Value, json};

use crate::support::gate::{Collector, Desk, Gate, Got, site};
use crate::support::stub::Stub;
use crate::support::{content, logs, python};

const CODE: &[(&str, &str)] =
    &[("category", "code.activity"), ("source_name", "wakatime"), ("choice_mode", "opt_out")];
const FILES: &[(&str, &str)] =
    &[("category", "file.activity"), ("source_name", "wakatime"), ("choice_mode", "opt_out")];

/// No letter of it is changed by JSON, SQL or an address.
const MARKER: &str = "zq7secretzq7";
const ROUTE: &str = "/api/v1/users/current/heartbeats";

/// The gateway of this desk before this collector; at an address of former times, or at any.
async fn open(desk: &Desk, device: &str, collector: &Collector, listen: &str) -> Gate {
    open_before(desk, device, collector.address, listen).await
}

async fn open_before(desk: &Desk, device: &str, collector: SocketAddr, listen: &str) -> Gate {
    let more = "headers_file = 'wakatime.headers'\nrecipient = 'org:acme'\ncountry = 'DE'";
    let site = site("wakatime", format!("{collector}/compat/v1"), more);
    desk.gate(&(device.to_owned() + &site.replace("127.0.0.1:0", listen))).await
}

/// Answers as WakaTime's documentation says: the next request with these statuses, of several heartbeats in one with
/// one each, and all others with 201.
fn wakatime(next: &[u16]) -> impl FnMut(&Got) -> (u16, String) + use<> {
    let mut next = next.to_vec();
    move |got| {
        let statuses = std::mem::take(&mut next);
        if let [status] = statuses[..] {
            return (status, "zz-collector-says-zz".to_owned());
        }
        let sent: Value = serde_json::from_slice(&got.body).unwrap_or_default();
        let one = |(i, heartbeat): (usize, &Value)| {
            let status = statuses.get(i).copied().unwrap_or(201);
            json!([{"data": {"id": i, "entity": heartbeat["entity"]}, "error": "zz-collector-says-zz"}, status])
        };
        let answer = match sent.as_array() {
            Some(all) => json!({"responses": all.iter().enumerate().map(one).collect::<Vec<_>>()}),
            None => json!({"data": {"id": 1, "entity": sent["entity"]}}),
        };
        (201, answer.to_string())
    }
}

/// The client of one machine: its home, queue and log.
struct Client<'a> {
    desk: &'a Desk,
    venv: PathBuf,
    home: PathBuf,
}

impl<'a> Client<'a> {
    async fn of(desk: &'a Desk) -> Self {
        let made = tokio::task::spawn_blocking(|| python::environment("wakatime", &["wakatime==13.1.0"]));
        let home = desk.folder.0.join("home");
        fs::create_dir_all(&home).expect("a home");
        Client { desk, venv: made.await.expect("the virtual environment"), home }
    }

    /// Reports that a file was worked on now, and at the `more` times; answers the client's exit code.
    async fn work(&self, gateway: &str, file: &str, more: &[i64], options: &[&str]) -> i32 {
        let file = self.home.join(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        // What a text names isn't read out of it, so that nothing in its heartbeat is refused.
        let text = if file.extension().is_some_and(|e| e == "txt") {
            "1\n2\n"
        } else {
            "import zq7library\nx = 1\n"
        };
        fs::write(&file, text).expect("a file");
        let entity = file.display().to_string();
        let extra =
            more.iter().map(|time| json!({"entity": entity, "entity_type": "file", "timestamp": time}));
        fs::write(self.home.join("extra"), json!(extra.collect::<Vec<_>>()).to_string() + "\n")
            .expect("a file");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/wakatime_client.py");
        let mut command = tokio::process::Command::new(self.venv.join("bin/python"));
        command.arg("-B").arg(script).args(["--entity", &entity, "--time", &self.desk.seconds().to_string()]);
        command.args(["--key", "12345678-1234-4123-8123-123456789abc", "--api-url", gateway]);
        command
            .args(["--hostname", "zq7machine", "--project", "zq7project", "--timeout", "20"])
            .args(options);
        if !more.is_empty() {
            command.arg("--extra-heartbeats");
        }
        let stdin = fs::File::open(self.home.join("extra")).expect("the file");
        command.env_clear().env("HOME", &self.home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let output = command.stdin(Stdio::from(stdin)).kill_on_drop(true).output();
        let output = tokio::time::timeout(std::time::Duration::from_secs(60), output).await.expect("in time");
        let output = output.expect("python runs");
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("Traceback"), "{said}");
        output.status.code().expect("a code")
    }

    /// What waits in its queue, and what stands in its log.
    fn kept(&self) -> (String, String) {
        let script = "import sqlite3, sys\nrows = sqlite3.connect(sys.argv[1]).execute('select heartbeat from heartbeat_2')\nprint(''.join(row[0] + chr(10) for row in rows))";
        let output = std::process::Command::new(self.venv.join("bin/python"))
            .args(["-c", script])
            .arg(self.home.join(".wakatime.db"))
            .output()
            .expect("python runs");
        let queue = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (queue, fs::read_to_string(self.home.join(".wakatime.log")).unwrap_or_default())
    }

    fn assert_kept_nothing(&self, when: &str) {
        let (queue, log) = self.kept();
        assert_eq!(queue, "", "{when}");
        content::assert_absent(MARKER, log.as_bytes(), &format!("the client's log, {when}"));
    }
}

fn url(gateway: &Gate) -> String {
    format!("http://{}{ROUTE}.bulk", gateway.addresses[0])
}

#[tokio::test]
async fn what_is_refused_reaches_neither_the_collector_nor_the_clients_own_queue() {
    // One thread, so that the gateway's lines are caught as well as the server's.
    logs::capture();
    let desk = Desk::new(&[CODE, FILES]).await;
    let device = desk.device("desk").await;
    let client = Client::of(&desk).await;
    let collector = Collector::start(wakatime(&[])).await;
    fs::write(desk.folder.0.join("wakatime.headers"), "Authorization: Basic upstream-key\n")
        .expect("headers");
    let gateway = open(&desk, &device, &collector, "127.0.0.1:0").await;
    let (address, listen) = (url(&gateway), gateway.addresses[0].to_string());

    // All that is declared is allowed: the path goes on; the machine's name, its key and the libraries don't.
    desk.advance(30);
    assert_eq!(client.work(&address, "open/letter.py", &[desk.seconds() - 5], &[]).await, 0);
    let got = collector.got();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].path, "/compat/v1/users/current/heartbeats.bulk");
    assert_eq!(got[0].headers[AUTHORIZATION.as_str()], "Basic upstream-key");
    assert_eq!(got[0].json().as_array().map(Vec::len), Some(2));
    assert!(got[0].json()[0]["entity"].as_str().unwrap().ends_with("open/letter.py"));
    assert_eq!(got[0].json()[0]["project"], "zq7project");
    assert_eq!(got[0].json()[0]["language"], "Python");
    for hidden in ["zq7machine", "zq7library", "12345678-1234", "glibc"] {
        assert!(!collector.text().contains(hidden), "{hidden}: {}", collector.text());
    }
    client.assert_kept_nothing("after a success");

    // No paths: the activity goes on.
    desk.choose(1, Choice::No).await;
    desk.advance(30);
    assert_eq!(client.work(&address, &format!("{MARKER}/a.py"), &[], &["--write"]).await, 0);
    let reduced = collector.got()[1].json();
    assert_eq!((&reduced[0]["entity"], &reduced[0]["is_write"]), (&json!("HIDDEN.py"), &json!(true)));
    assert!(reduced[0].get("project").is_none() && reduced[0]["lines"] == 2, "{reduced}");
    client.assert_kept_nothing("after a reduced one");

    // No activity: nothing goes on, and the client is content.
    desk.choose(0, Choice::No).await;
    desk.advance(30);
    let refused_at = desk.seconds();
    let plugin = ["--plugin", "vim/9.0 vim-wakatime/8.0"];
    assert_eq!(
        client.work(&address, &format!("{MARKER}/b.py"), &[refused_at - 2, refused_at - 1], &plugin).await,
        0
    );
    assert_eq!(collector.got().len(), 2);
    client.assert_kept_nothing("after a no");

    // The gateway is away: the client keeps what it has, and brings it after the next yes. It is dropped then.
    desk.advance(5);
    gateway.stop().await;
    assert_ne!(client.work(&address, &format!("{MARKER}/c.py"), &[], &[]).await, 0);
    assert!(client.kept().0.contains(MARKER), "the client keeps what it can't deliver");
    let gateway = open(&desk, &device, &collector, &listen).await;
    desk.advance(30);
    desk.choose(0, Choice::Yes).await;
    desk.choose(1, Choice::Yes).await;
    desk.advance(30);
    assert_eq!(client.work(&address, "open/letter.py", &[refused_at], &[]).await, 0);
    let got = collector.got();
    assert_eq!(got.len(), 3, "of the late ones none goes on: {got:?}");
    assert_eq!(got[2].json().as_array().map(Vec::len), Some(1), "nor does the one beside the new one");
    client.assert_kept_nothing("after the yes");

    // The collector is out of order. What may go on waits at the client; what holds something refused doesn't.
    collector.answer(wakatime(&[500]));
    assert_ne!(client.work(&address, "open/later.txt", &[], &[]).await, 0);
    assert!(client.kept().0.contains("open/later.txt"));
    collector.answer(wakatime(&[500]));
    assert_eq!(client.work(&address, &format!("{MARKER}/d.py"), &[], &plugin).await, 0);
    let (queue, log) = client.kept();
    content::assert_absent(MARKER, (queue + &log).as_bytes(), "the client's files");
    desk.advance(5);
    assert_eq!(client.work(&address, "open/letter.py", &[], &[]).await, 0);
    client.assert_kept_nothing("after the collector's return");
    assert!(collector.text().contains("open/later.txt"), "nothing is lost that may go on");
    assert!(!client.kept().1.contains("zz-collector-says-zz"));

    desk.advance(5);
    gateway.stop().await;
    // The one exception was sent while it was allowed, and not taken.
    let exception = |got: &Got| String::from_utf8_lossy(&got.body).contains("d.py");
    let taken: Vec<_> = collector.got().into_iter().filter(|got| !exception(got)).collect();
    content::assert_absent(MARKER, format!("{taken:?}").as_bytes(), "the collector");
    let log = logs::captured();
    assert!(log.contains("report made"), "the log was caught");
    for hidden in [MARKER, "zq7project", "zq7machine", "zq7library", "upstream-key", "open/letter"] {
        desk.assert_nowhere(hidden, &log).await;
    }
    let counts = desk.counts().await;
    let count = |name: &str| counts.iter().find(|(n, ..)| n == name).map(|(_, c, f, d)| (*c, *f, *d));
    let passed: usize = collector.got().iter().map(|got| got.json().as_array().map_or(0, Vec::len)).sum();
    // Also those that it says it didn't take.
    let passed = i64::try_from(passed).unwrap();
    assert_eq!(count("code.activity"), Some((passed, passed, 0)), "{counts:?}");
    assert_eq!(count("code.activity opt_out"), Some((3, 0, 3)), "{counts:?}");
    // The late one, and the one beside the new one.
    assert_eq!(count("code.activity filtered"), Some((2, 0, 2)), "{counts:?}");
    assert_eq!(count("file.activity entity"), Some((passed - 1, passed - 1, 0)), "{counts:?}");
    assert!(
        count("file.activity entity opt_out")
            .is_some_and(|(_, forwarded, dropped)| forwarded == 0 && dropped >= 4)
    );
    assert!(
        count("code.content not_declared").is_some() && count("app.usage not_declared").is_some(),
        "{counts:?}"
    );
    assert_eq!(
        desk.test.count("finding where kind in ('EQUIVOCATION', 'CLOCK_SKEW', 'OPT_OUT_VIOLATION')").await,
        0
    );
}

fn heartbeat(desk: &Desk, name: &str) -> Value {
    json!({
        "time": desk.seconds(), "entity": format!("/home/{name}.rs"), "type": "file", "category": "coding",
        "language": "Rust", "lines": 3, "user_agent": "wakatime/v1.102.1 (linux-6.1-x86_64) go1.24 Unknown/0",
    })
}

/// A site whose own client is `reqwest`, with what the collector gets and answers.
struct Site {
    desk: Desk,
    collector: Collector,
    gateway: Gate,
    http: reqwest::Client,
}

impl Site {
    async fn start() -> Self {
        let desk = Desk::new(&[CODE, FILES]).await;
        let device = desk.device("desk").await;
        let collector = Collector::start(wakatime(&[])).await;
        fs::write(desk.folder.0.join("wakatime.headers"), "").expect("headers");
        let gateway = open(&desk, &device, &collector, "127.0.0.1:0").await;
        desk.advance(30);
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Site { desk, collector, gateway, http }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.gateway.addresses[0]);
        self.http
            .request(method.parse().expect("a method"), url)
            .header(USER_AGENT, "wakatime/v1.102.1 (linux-6.1-x86_64) go1.24 zq7secretzq7/1")
            .header(AUTHORIZATION, "Basic agents-key")
            .header("x-machine-name", MARKER)
            .header("timezone", MARKER)
    }

    async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let reply = self.request("POST", path).body(body).send().await.expect("an answer");
        let status = reply.status().as_u16();
        (status, serde_json::from_str(&reply.text().await.expect("a body")).unwrap_or_default())
    }
}

#[tokio::test]
async fn every_heartbeat_has_its_answer_in_its_place() {
    let site = Site::start().await;
    let bulk = format!("{ROUTE}.bulk");
    let (good, mut odd) = (heartbeat(&site.desk, "good"), heartbeat(&site.desk, MARKER));
    odd["type"] = json!("thought");
    let mut old = heartbeat(&site.desk, MARKER);
    old["time"] = json!(site.desk.seconds() - 100_000);
    let mut rich = heartbeat(&site.desk, "rich");
    rich["surprise"] = json!(MARKER);
    let body = json!([odd, good, old, "nothing", rich, good]).to_string();
    let taken = json!([{"data": {}}, 201]);
    let (status, answer) = site.post(&bulk, body.clone()).await;
    assert_eq!((status, &answer["responses"]), (201, &json!(vec![&taken; 6])));
    let got = site.collector.got();
    assert_eq!(got[0].json().as_array().map(Vec::len), Some(3));
    assert_eq!(
        got[0].headers[AUTHORIZATION.as_str()],
        "Basic agents-key",
        "without a key of the gateway's own"
    );
    assert!(!site.collector.text().contains(MARKER), "{}", site.collector.text());

    // Of those that went on the first isn't taken, the second held something refused, the third has no answer.
    site.collector.answer(wakatime(&[429, 500, 99]));
    let (status, answer) = site.post(&bulk, body.clone()).await;
    let failed = |status: u16| json!([{"error": "not taken"}, status]);
    let expected = json!([taken, failed(429), taken, taken, taken, failed(502)]);
    assert_eq!((status, &answer["responses"]), (201, &expected));

    // All of it: who held nothing refused hears of it.
    site.collector.answer(wakatime(&[503]));
    let (status, answer) = site.post(&bulk, body).await;
    let expected = json!([taken, failed(503), taken, taken, taken, failed(503)]);
    assert_eq!((status, &answer["responses"]), (201, &expected));
    site.collector.answer(wakatime(&[401]));
    let (status, answer) = site.post(&bulk, json!([good, good]).to_string()).await;
    assert_eq!((status, &answer), (401, &json!({"error": "not taken"})));

    // One alone, at both addresses; and gzip.
    for path in [ROUTE, "/users/current/heartbeats"] {
        assert_eq!(site.post(path, good.to_string()).await, (201, json!({"data": {}})));
        let got = site.collector.got().pop().expect("a request");
        assert_eq!(got.path, "/compat/v1/users/current/heartbeats");
        assert_eq!(got.json()["entity"], "/home/good.rs");
    }
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut packer, good.to_string().as_bytes()).expect("packed");
    let packed = packer.finish().expect("packed");
    let reply =
        site.request("POST", ROUTE).header(CONTENT_ENCODING, "gzip").body(packed).send().await.expect("sent");
    assert_eq!(reply.status().as_u16(), 201);
    let before = site.collector.got().len();
    assert_eq!(site.post(ROUTE, odd.to_string()).await, (201, json!({"data": {}})));
    assert_eq!(site.collector.got().len(), before);
    site.gateway.stop().await;
}

#[tokio::test]
async fn what_nobody_understands_is_dropped_and_other_doors_are_shut() {
    logs::capture();
    let site = Site::start().await;
    let bulk = format!("{ROUTE}.bulk");
    let twice = format!(
        "[{{\"entity\": \"/a.rs\", \"entity\": \"{MARKER}\", \"time\": {}}}, {{}}]",
        site.desk.seconds()
    );
    let (status, answer) = site.post(&bulk, twice).await;
    assert_eq!((status, answer["responses"].as_array().map(Vec::len)), (201, Some(2)));
    let many = json!(vec![heartbeat(&site.desk, MARKER); 1001]).to_string();
    let (status, answer) = site.post(&bulk, many).await;
    assert_eq!((status, answer["responses"].as_array().map(Vec::len)), (201, Some(1001)));
    // Without a record that could be answered: the only status after which nothing is kept.
    for body in
        ["".to_owned(), MARKER.into(), format!("{{\"{MARKER}\": 1, \"{MARKER}\": 2}}"), "x".repeat(1 << 21)]
    {
        let (status, answer) = site.post(&bulk, body).await;
        assert_eq!((status, answer), (400, json!({"error": "not taken"})));
    }
    let denied = json!({"error": "Daylight's gateway doesn't pass this on"});
    for (method, path) in [
        ("GET", "/api/v1/users/current/statusbar/today"),
        ("GET", "/api/v1/users/current/heartbeats?date=2026-11-02"),
        ("GET", "/api/v1/users/current/summaries"),
        ("POST", "/api/v1/users/current/file_experts"),
        ("POST", "/api/v1/plugins/errors"),
        ("DELETE", "/api/v1/users/current/heartbeats.bulk"),
        ("PUT", ROUTE),
        ("POST", "//api/v1/users/current/heartbeats"),
        ("POST", "/api/v1/users/%63urrent/heartbeats"),
        ("POST", "/api/v1/users/current/heartbeats/"),
        ("POST", "/"),
    ] {
        let reply = site.request(method, path).body(MARKER).send().await.expect("an answer");
        assert_eq!(reply.status().as_u16(), 404, "{method} {path}");
        assert_eq!(reply.json::<Value>().await.expect("JSON"), denied, "{method} {path}");
    }
    assert!(site.collector.got().is_empty(), "{}", site.collector.text());
    site.desk.advance(5);
    site.gateway.stop().await;
    let counts = site.desk.counts().await;
    let expected = [("unknown filtered".to_owned(), 1006, 0, 1006)];
    // The 2 MiB are refused unseen or read; either way they are one.
    assert_eq!(counts.iter().map(|(n, ..)| n).collect::<Vec<_>>(), ["unknown filtered"], "{counts:?}");
    assert!(counts[0].1 >= expected[0].1 && counts[0].2 == 0 && counts[0].1 == counts[0].3, "{counts:?}");
    let log = logs::captured();
    site.desk.assert_nowhere(MARKER, &log).await;
}

#[tokio::test]
async fn what_was_sent_counts_when_its_sender_has_gone_and_what_was_not_does_not() {
    let desk = Desk::new(&[CODE, FILES]).await;
    fs::write(desk.folder.0.join("wakatime.headers"), "").expect("headers");
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let send = async |gateway: &Gate, seconds: u64| {
        desk.advance(30);
        let body = heartbeat(&desk, "good").to_string();
        let url = format!("http://{}{ROUTE}", gateway.addresses[0]);
        let patience = std::time::Duration::from_secs(seconds);
        http.post(url).timeout(patience).body(body).send().await.map(|reply| reply.status().as_u16())
    };
    // Nobody is there.
    let device = desk.device("desk").await;
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    let gateway = open_before(&desk, &device, nobody, "127.0.0.1:0").await;
    assert_eq!(send(&gateway, 20).await.expect("an answer"), 503);
    desk.advance(5);
    gateway.stop().await;
    assert_eq!(desk.counts().await, Vec::new());

    let stub = Stub::start(|_| (std::time::Duration::from_secs(4), 201)).await;
    let gateway = open_before(&desk, &device, stub.address, "127.0.0.1:0").await;
    assert!(send(&gateway, 1).await.is_err(), "its sender went away");
    assert_eq!(stub.got().len(), 1);
    desk.advance(5);
    gateway.stop().await;
    let counts = desk.counts().await;
    assert_eq!(counts[0], ("code.activity".into(), 1, 1, 0), "{counts:?}");
    assert_eq!(counts[1], ("file.activity entity".into(), 1, 1, 0), "{counts:?}");
}

#[tokio::test]
async fn a_web_page_writes_nothing() {
    let site = Site::start().await;
    let body = heartbeat(&site.desk, MARKER).to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "text/plain; application/json", ""] {
        let request = site.request("POST", ROUTE).header("content-type", kind).body(body.clone());
        assert_eq!(request.send().await.expect("an answer").status().as_u16(), 415, "{kind}");
    }
    assert!(site.collector.got().is_empty(), "{}", site.collector.text());
    let request = site.request("POST", ROUTE).header("content-type", "application/json; charset=utf-8");
    assert_eq!(request.body(body).send().await.expect("an answer").status().as_u16(), 201);
    site.desk.advance(5);
    site.gateway.stop().await;
    assert!(
        site.desk.counts().await.iter().all(|(_, came, ..)| *came == 1),
        "nothing is made of a page's words"
    );
}
