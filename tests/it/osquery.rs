//! The gateway as osquery's TLS server, with an emulator of osquery: osquery itself isn't here, and nothing of this says
//! what it really does. What matters: of all that comes in, only products of the catalogue are ever said to be there, and
//! nobody is looked at who refused it.

use std::fs;
use std::time::Duration;

use daylight::consent::model::Choice;
use flate2::Compression;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, USER_AGENT};
use serde_json::{Value, json};

use crate::support::gate::{Desk, Gate};
use crate::support::{logs, python};

const INVENTORY: &[(&str, &str)] =
    &[("category", "device.inventory"), ("source_name", "osquery"), ("choice_mode", "opt_out")];
const SECTION: &str = "osquery_secret_file = 'osquery.secret'\n\
    [osquery]\nlisten = '127.0.0.1:0'\ntls_cert = 'tls.pem'\ntls_key = 'tls.key'\n";
const SECRET: &str = "a secret of some length";
const MARKER: &str = "zq7secretzq7";

/// What speaks as osquery would.
struct Emulator {
    desk: Desk,
    gateway: Gate,
    http: reqwest::Client,
}

impl Emulator {
    async fn start(declared: &[&[(&str, &str)]]) -> Self {
        logs::capture();
        let desk = Desk::new(declared).await;
        let folder = desk.folder.0.clone();
        let made = tokio::task::spawn_blocking(move || python::certificate(&folder)).await;
        made.expect("a certificate");
        fs::write(desk.folder.0.join("osquery.secret"), format!("{SECRET}\n")).expect("the secret");
        let gateway = desk.gate(&(desk.device("desk").await + SECTION)).await;
        desk.advance(30);
        let ca = fs::read(desk.folder.0.join("ca.pem")).expect("the authority");
        let ca = reqwest::Certificate::from_pem(&ca).expect("a certificate");
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().expect("a client");
        Emulator { desk, gateway, http }
    }

    fn request(&self, path: &str) -> reqwest::RequestBuilder {
        let url = format!("https://{}{path}", self.gateway.addresses[0]);
        self.http.post(url).header(USER_AGENT, "osquery/5.12.1")
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.request(path).body(body.to_string())).await
    }

    async fn enrol(&self) -> String {
        let details = json!({"osquery_info": {"version": MARKER}, "system_info": {"hostname": MARKER}});
        let body = json!({"enroll_secret": SECRET, "host_identifier": MARKER, "platform_type": "9", "host_details": details});
        let (status, answer) = self.post("/enroll", &body).await;
        assert_eq!((status, &answer["node_invalid"]), (200, &json!(false)));
        answer["node_key"].as_str().expect("a key").to_owned()
    }

    async fn schedule(&self, key: &str) -> Value {
        let (status, answer) = self.post("/config", &json!({"node_key": key})).await;
        assert_eq!((status, &answer["node_invalid"]), (200, &json!(false)));
        answer["schedule"].clone()
    }

    /// An entry as osquery logs it: every text a marker, and the column that was asked for.
    fn snapshot(&self, query: &str, names: &[&str]) -> Value {
        let row = |name: &&str| json!({"name": name, "path": MARKER, "cmdline": MARKER, "pid": "1"});
        json!({
            "name": query, "action": "snapshot", "snapshot": names.iter().map(row).collect::<Vec<_>>(),
            "hostIdentifier": MARKER, "calendarTime": MARKER, "unixTime": self.desk.seconds(), "epoch": 0,
            "counter": 0, "numerics": false, "decorations": {"host_uuid": MARKER},
        })
    }

    async fn log(&self, key: &str, data: Value) {
        let body = json!({"node_key": key, "log_type": "result", "data": data});
        assert_eq!(self.post("/log", &body).await, (200, json!({})));
    }

    async fn until(&self, count: i64, from: &'static str) {
        self.desk.until(from, count).await;
        assert_eq!(self.desk.test.count(from).await, count, "{from}");
    }
}

async fn presence(desk: &Desk) -> Vec<(String, String)> {
    let sql = "select product, by from presence order by product, by";
    sqlx::query_as(sql).fetch_all(&desk.test.state.db).await.expect("presence")
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let reply = request.send().await.expect("an answer");
    let status = reply.status().as_u16();
    (status, serde_json::from_str(&reply.text().await.expect("a body")).unwrap_or_default())
}

#[tokio::test]
async fn known_programs_are_said_to_be_there_and_every_row_is_forgotten() {
    let osquery = Emulator::start(&[INVENTORY]).await;
    let wrong = json!({"enroll_secret": MARKER, "host_identifier": "x"});
    assert_eq!(osquery.post("/enroll", &wrong).await, (200, json!({"node_invalid": true})));
    let key = osquery.enrol().await;
    let schedule = osquery.schedule(&key).await;
    let query = schedule["daylight_processes"]["query"].as_str().expect("a query");
    assert!(query.contains("'aw-server'"), "{query}");
    let by_header = osquery.request("/config").header(AUTHORIZATION, format!("NodeKey {key}")).body("{}");
    assert_eq!(answer(by_header).await.1["schedule"], schedule);

    // One that is declared, one that isn't, and what is nobody's business.
    let rows = ["osqueryd", "aw-server", MARKER, "aw-server ", "AW-SERVER", "aw"];
    let entries = [
        osquery.snapshot("daylight_processes", &rows),
        osquery.snapshot("daylight_deb_packages", &[MARKER, "aw-server"]),
        osquery.snapshot("daylight_chrome_extensions", &[MARKER]),
    ];
    osquery.desk.advance(5);
    osquery.log(&key, json!(entries)).await;
    osquery.desk.advance(5);
    osquery.until(1, "presence_look").await;
    let expected = [("activitywatch", "package"), ("activitywatch", "process"), ("osquery", "process")];
    assert_eq!(presence(&osquery.desk).await, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    osquery.until(1, "finding where kind = 'UNDECLARED_AGENT' and about = 'program:activitywatch'").await;
    assert_eq!(osquery.desk.test.count("finding where kind = 'UNDECLARED_AGENT'").await, 1);

    // Looked, and found none: said as well. A single table isn't a look.
    osquery.log(&key, json!([osquery.snapshot("daylight_deb_packages", &[])])).await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(osquery.desk.test.count("presence_look").await, 1);
    osquery.log(&key, json!([osquery.snapshot("daylight_processes", &[])])).await;
    osquery.desk.advance(5);
    osquery.until(2, "presence_look").await;
    assert_eq!(presence(&osquery.desk).await.len(), 3);

    // Other forms, packed; what is gone again isn't there.
    let mut added = osquery.snapshot("daylight_apps", &[]);
    added["columns"] = json!({"name": "com.rescuetime.RescueTime", "path": MARKER});
    added["action"] = json!("added");
    added.as_object_mut().expect("an object").remove("snapshot");
    let mut removed = added.clone();
    removed["action"] = json!("removed");
    removed["columns"]["name"] = json!("com.desktime.DeskTime");
    let body = json!({"node_key": key, "log_type": "result", "data": [added, removed]}).to_string();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut packer, body.as_bytes()).expect("packed");
    let packed = packer.finish().expect("packed");
    let request = osquery.request("/log").header(CONTENT_ENCODING, "gzip").body(packed);
    assert_eq!(answer(request).await, (200, json!({})));
    osquery.desk.advance(5);
    osquery.until(3, "presence_look").await;
    assert_eq!(presence(&osquery.desk).await.len(), 4);

    osquery.desk.advance(5);
    osquery.gateway.stop().await;
    let counts = osquery.desk.counts().await;
    assert_eq!(counts, [("device.inventory filtered".to_owned(), 11, 0, 11)], "all came, none went anywhere");
    let sources = osquery
        .desk
        .test
        .count("collection_report where items @> '[{\"source\": \"osquery/5.12.1\"}]'")
        .await;
    assert!(sources > 0);
    let log = logs::captured();
    for hidden in [MARKER, SECRET, &key, key.split_once('.').expect("a name").1] {
        osquery.desk.assert_nowhere(hidden, &log).await;
    }
}

#[tokio::test]
async fn who_refuses_is_not_looked_at() {
    let osquery = Emulator::start(&[INVENTORY]).await;
    let key = osquery.enrol().await;
    osquery.desk.choose(0, Choice::No).await;
    assert_eq!(osquery.schedule(&key).await, json!({}));
    osquery.desk.advance(30);
    // It asks for nothing any more and hands in all the same, late ones too.
    let late = osquery.snapshot("daylight_processes", &["aw-server", "SFProc"]);
    osquery.log(&key, json!([late])).await;
    osquery.desk.advance(30);
    osquery.desk.choose(0, Choice::Yes).await;
    assert_ne!(osquery.schedule(&key).await, json!({}));
    osquery.log(&key, json!([late])).await;
    let mut ahead = osquery.snapshot("daylight_processes", &["aw-server"]);
    ahead["unixTime"] = json!(osquery.desk.seconds() + 3600);
    osquery.log(&key, json!([ahead])).await;
    osquery.desk.advance(5);
    tokio::time::sleep(Duration::from_secs(7)).await;
    osquery.gateway.stop().await;
    assert_eq!(osquery.desk.test.count("presence_look").await, 0);
    assert!(presence(&osquery.desk).await.is_empty());
    let counts = osquery.desk.counts().await;
    let expected = [("device.inventory filtered", 3), ("device.inventory opt_out", 2)];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count, 0, count)));
}

#[tokio::test]
async fn without_a_declaration_nothing_is_asked_and_what_nobody_asked_is_unknown() {
    let osquery = Emulator::start(&[]).await;
    let key = osquery.enrol().await;
    assert_eq!(osquery.schedule(&key).await, json!({}));
    osquery.log(&key, json!([osquery.snapshot("daylight_processes", &["aw-server"])])).await;
    osquery.log(&key, json!([osquery.snapshot(MARKER, &["aw-server"]), MARKER, {}])).await;
    osquery.log(&key, json!(MARKER)).await;
    let status =
        json!({"node_key": key, "log_type": "status", "data": [{"message": MARKER, "filename": MARKER}]});
    assert_eq!(osquery.post("/log", &status).await, (200, json!({})));

    // Whoever isn't known, and what isn't JSON.
    for path in ["/config", "/log"] {
        for wrong in [json!({"node_key": "desk.x"}), json!({"node_key": MARKER}), json!({}), json!([])] {
            assert_eq!(
                osquery.post(path, &wrong).await,
                (200, json!({"node_invalid": true})),
                "{path} {wrong}"
            );
        }
        let odd = osquery.request(path).body(format!("{{\"node_key\": \"{MARKER}"));
        assert_eq!(answer(odd).await, (400, json!({})));
        let twice =
            osquery.request(path).body(format!("{{\"node_key\": \"{key}\", \"node_key\": \"{MARKER}\"}}"));
        assert_eq!(answer(twice).await, (400, json!({})));
        let large = osquery.request(path).body(vec![b' '; 5 << 20]);
        assert_eq!(answer(large).await.0, 413);
    }
    for path in ["/distributed/read", "/distributed/write", "/carve/start", "/Enroll", "//log", "/"] {
        assert_eq!(
            osquery.post(path, &json!({"node_key": key, "x": MARKER})).await,
            (404, json!({})),
            "{path}"
        );
    }

    // A key ends with the file that knows it, while the gateway runs.
    fs::remove_file(osquery.desk.folder.0.join("state/desk/osquery.json")).expect("the keys");
    assert_eq!(
        osquery.post("/config", &json!({"node_key": key})).await,
        (200, json!({"node_invalid": true}))
    );
    let newer = osquery.enrol().await;
    assert_ne!(newer, key);
    osquery.schedule(&newer).await;

    osquery.desk.advance(5);
    osquery.gateway.stop().await;
    let counts = osquery.desk.counts().await;
    let expected = [("device.inventory not_declared", 1), ("unknown filtered", 4)];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count, 0, count)));
    assert_eq!(osquery.desk.test.count("presence_look").await, 0);
    let log = logs::captured();
    osquery.desk.assert_nowhere(MARKER, &log).await;
}
