//! Every trick to get something past the gateway: raw HTTP against a real ActivityWatch behind it. A canary that may
//! not pass is looked for in all that ActivityWatch has, and in all that the gateway answers.

use std::io::Write;
use std::time::Duration;

use daylight::consent::model::Choice;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::gateway_activitywatch::{PROGRAMS, TITLES};
use crate::support::consent::choose;
use crate::support::watched::Watched;
use crate::support::wire::{post, raw};

/// With a blank, as a title has: names without one are allowed to watchers.
const CANARY: &str = "zq7x secret";
/// What ActivityWatch had before, and nobody gets to read or change through the gateway.
const EVIDENCE: &str = "zq9 evidence";

const URLS: &[(&str, &str)] = &[
    ("category", "web.urls"),
    ("source_name", "activitywatch"),
    ("granularity", "content"),
    ("choice_mode", "opt_out"),
];
const BUCKETS: [(&str, &str); 4] = [
    ("window", "currentwindow"),
    ("idle", "afkstatus"),
    ("editor", "app.editor.activity"),
    ("odd", "made.up"),
];

/// Titles and addresses refused, programs allowed; something is there already.
async fn desk() -> Watched {
    let desk = Watched::new(&[TITLES, URLS, PROGRAMS]).await;
    for (id, kind) in BUCKETS {
        desk.bucket(id, kind).await;
        // It would get them with their first records only.
        let bucket = json!({"client": "aw-test", "type": kind, "hostname": "pc1"});
        assert_eq!(post(desk.upstream(), &format!("/api/0/buckets/{id}"), &bucket).await.0, 200);
    }
    let event = json!({"timestamp": desk.now(), "duration": 5, "data": {"app": "Writer", "title": EVIDENCE}});
    assert_eq!(post(desk.upstream(), "/api/0/buckets/window/events", &event).await.0, 200);
    choose(&desk.test, &desk.worker, desk.declared[1], Choice::No).await.expect("a choice");
    desk.choose(0, Choice::No).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    desk
}

/// What is sent, with `@now` where the time belongs and `@host` where the address does.
#[derive(Debug, Clone)]
struct Attack {
    method: &'static str,
    target: String,
    headers: Vec<String>,
    body: Body,
    chunked: bool,
}

#[derive(Debug, Clone)]
enum Body {
    Json(Value),
    Text(String),
    /// Packed with gzip.
    Packed(String),
    /// Files of a form, by their fields' names.
    Form(Vec<(&'static str, bool, String)>),
}

impl Attack {
    fn bytes(&self, now: &str, host: &str) -> Vec<u8> {
        let mut headers = self.headers.clone();
        let body = match &self.body {
            Body::Json(value) => value.to_string().into_bytes(),
            Body::Text(text) => text.clone().into_bytes(),
            Body::Packed(text) => {
                headers.push("Content-Encoding: gzip".into());
                let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packer.write_all(text.replace("@now", now).as_bytes()).expect("packed");
                packer.finish().expect("packed")
            }
            Body::Form(parts) => {
                headers.retain(|header| !header.starts_with("Content-Type"));
                headers.push("Content-Type: multipart/form-data; boundary=edge".into());
                let part = |(name, is_file, text): &(&str, bool, String)| {
                    let file = if *is_file { "; filename=\"x.json\"" } else { "" };
                    format!(
                        "--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{text}\r\n"
                    )
                };
                (parts.iter().map(part).collect::<String>() + "--edge--\r\n").into_bytes()
            }
        };
        let body = match self.body {
            Body::Packed(_) => body,
            _ => String::from_utf8_lossy(&body).replace("@now", now).into_bytes(),
        };
        if !headers.iter().any(|header| header.starts_with("Host:")) {
            headers.push("Host: @host".into());
        }
        headers.push("Connection: close".into());
        let body = if self.chunked {
            headers.push("Transfer-Encoding: chunked".into());
            let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
            let mut chunks: Vec<u8> = body.chunks(7).flat_map(chunk).collect();
            chunks.extend(b"0\r\n\r\n");
            chunks
        } else {
            headers.push(format!("Content-Length: {}", body.len()));
            body
        };
        let head = format!("{} {} HTTP/1.1\r\n{}\r\n\r\n", self.method, self.target, headers.join("\r\n"));
        [head.replace("@host", host).into_bytes(), body].concat()
    }

    /// Whether an answer that holds the canary is the sender's own event.
    fn is_echo(&self, answer: &str) -> bool {
        let sent = match &self.body {
            Body::Json(sent) => sent.clone(),
            Body::Packed(text) => serde_json::from_str(text).expect("JSON"),
            _ => return false,
        };
        let Some((_, body)) = answer.rsplit_once("\r\n\r\n") else { return false };
        let Ok(Value::Object(mut echo)) = serde_json::from_str(body) else { return false };
        let same = echo.remove("data") == sent.get("data").cloned();
        echo.retain(|_, value| value.is_string());
        same && echo.keys().eq(["timestamp"])
    }
}

fn values() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(CANARY),
        json!(format!("https://a.example/?q={CANARY}")),
        json!([CANARY]),
        json!({"deep": [{"er": CANARY}]}),
        json!(format!("afk{CANARY}")),
        json!(7),
        Value::Null,
    ])
}

fn data() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "title",
        "url",
        "domain",
        "notes",
        CANARY,
        "status",
        "presses",
        "Title",
        "title ",
        "$category",
        "audible",
        "language",
        "data",
        "id",
    ]);
    let app = prop_oneof![
        8 => Just(json!("Writer")),
        1 => Just(json!([CANARY])),
        1 => Just(json!({"app": CANARY})),
        1 => Just(json!(true)),
    ];
    (prop::collection::btree_map(keys, values(), 0..4), prop::option::weighted(0.9, app)).prop_map(
        |(fields, app)| {
            let mut data =
                Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
            if let Some(app) = app {
                data["app"] = app;
            }
            data
        },
    )
}

fn event() -> impl Strategy<Value = Value> {
    let more = prop::sample::select(vec!["", "", "", "", "id", "title", "data2", "name", "metadata"]);
    let id = prop::sample::select(vec![json!(0), json!(1), json!("0"), json!(CANARY), json!(-1)]);
    let duration =
        prop::sample::select(vec![json!(0), json!(1.5), json!(-3), json!(CANARY), json!(1e12), json!(null)]);
    (data(), more, id, prop::option::weighted(0.2, duration)).prop_map(|(data, more, id, duration)| {
        let mut event = json!({"timestamp": "@now", "data": data});
        match more {
            "" => {}
            "id" => event["id"] = id,
            name => event[name] = json!({"x": CANARY}),
        }
        if let Some(duration) = duration {
            event["duration"] = duration;
        }
        event
    })
}

fn description() -> impl Strategy<Value = Value> {
    let name = || prop::sample::select(vec!["aw-test", "currentwindow", "afkstatus", "pc1", CANARY, ""]);
    (name(), name(), name(), any::<bool>()).prop_map(|(kind, client, hostname, more)| {
        let mut bucket = json!({"type": kind, "client": client, "hostname": hostname});
        if more {
            bucket["data"] = json!({"note": CANARY});
            bucket["name"] = json!(CANARY);
            bucket["created"] = json!(CANARY);
            bucket["events"] = json!([{"timestamp": "@now", "data": {"title": CANARY}}]);
        }
        bucket
    })
}

fn export() -> impl Strategy<Value = Value> {
    let id = prop::sample::select(vec!["new", "newer", "window", CANARY, "a/b", ".."]);
    let bucket = (description(), id.clone(), prop::collection::vec(event(), 0..3), any::<bool>());
    (id, bucket, any::<bool>()).prop_map(|(id, (mut bucket, inside, events, plain), array)| {
        if plain {
            bucket = json!({"type": "currentwindow", "client": "aw-test", "hostname": "pc1"});
        }
        bucket["id"] = json!(if plain { id } else { inside });
        bucket["created"] = json!("2026-11-02T08:00:00Z");
        bucket["events"] = json!(events);
        if array { json!({"buckets": [bucket]}) } else { json!({"buckets": {id: bucket}}) }
    })
}

fn body() -> impl Strategy<Value = Body> {
    let odd = prop::sample::select(vec![
        format!(r#"{{"timestamp":"@now","data":{{"app":"Writer"}},"data":{{"title":"{CANARY}"}}}}"#),
        format!(r#"{{"timestamp":"@now","data":{{"app":"Writer","title":"{CANARY}","\u0061pp":"x"}}}}"#),
        format!(r#"{{"timestamp":"@now","data":{{"app":"Writer","title":"{CANARY}"}},"x":NaN}}"#),
        format!(r#"{{"timestamp":"@now","data":{{"app":"Writer","title":"{CANARY}","presses":1e999}}}}"#),
        format!(r#"{{"timestamp":"@now","data":{{"app":"Writer"}}}}{{"title":"{CANARY}"}}"#),
        format!("\u{feff}{{\"timestamp\":\"@now\",\"data\":{{\"title\":\"{CANARY}\"}}}}"),
        format!(r#"{{"timestamp":"@now","data":{}"{CANARY}"{}}}"#, "[".repeat(300), "]".repeat(300)),
        format!(r#"[[{{"timestamp":"@now","data":{{"title":"{CANARY}"}}}}]]"#),
        format!("data={{\"title\":\"{CANARY}\"}}"),
        format!("\"{CANARY}\""),
        "null".into(),
        String::new(),
    ]);
    let field = prop::sample::select(vec!["buckets.json", "buckets", "file", CANARY]);
    let part = (field, any::<bool>(), export()).prop_map(|(name, is_file, e)| (name, is_file, e.to_string()));
    prop_oneof![
        8 => event().prop_map(Body::Json),
        2 => prop::collection::vec(event(), 0..3).prop_map(|list| Body::Json(list.into())),
        2 => description().prop_map(Body::Json),
        3 => export().prop_map(Body::Json),
        2 => odd.prop_map(Body::Text),
        1 => event().prop_map(|event| Body::Packed(event.to_string())),
        2 => prop::collection::vec(part, 0..3).prop_map(Body::Form),
        1 => Just(Body::Json(json!({
            "query": [format!("RETURN = \"{CANARY}\";")],
            "timeperiods": ["2026-11-01T00:00:00+00:00/2026-12-01T00:00:00+00:00"],
        }))),
    ]
}

fn target() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec![
        "/api/0/buckets/window/heartbeat",
        "/api/0/buckets/window/heartbeat",
        "/api/0/buckets/odd/heartbeat",
        "/api/0/buckets/idle/heartbeat",
        "/api/0/buckets/editor/heartbeat",
        "/api/0/buckets/odd/events",
        "/api/0/buckets/window/events",
        "/api/0/buckets/idle/events",
        "/api/0/buckets/editor/events",
        "/api/0/buckets/window/events/0",
        "/api/0/buckets/window/events/count",
        "/api/0/buckets/window/export",
        "/api/0/buckets/window",
        "/api/0/buckets/fresh",
        "/api/0/buckets/zq7x secret",
        "/api/0/buckets/",
        "/api/0/import",
        "/api/0/import",
        "/api/0/export",
        "/api/0/query/",
        "/api/0/settings/zq7x",
        "/api/0/log",
        "/api/0/info",
        "/api/0/x/../buckets/window/events",
        "/",
    ]);
    let query = prop::sample::select(vec![
        "",
        "?pulsetime=5",
        "?pulsetime=5",
        "?pulsetime=99999999",
        "?pulsetime=nan",
        "?pulsetime=5&pulsetime=1e9",
        "?force=1",
        "?pulsetime=5&title=zq7x%20secret",
        "?_method=DELETE",
    ]);
    let twist = prop::sample::select(vec![
        "", "", "", "//", "/", "absolute", "foreign", "double", "slash", "dot", "nul",
    ]);
    (path, prop::collection::vec(0..12u8, 60), query, twist).prop_map(|(path, coded, query, twist)| {
        let sign = |(at, c): (usize, char)| match (c, coded[at % coded.len()]) {
            ('/', 0) => "//".to_owned(),
            ('/', 1) if twist == "slash" => "%2f".into(),
            (' ', n) => if n > 6 { "%20" } else { "+" }.into(),
            (c, 2) if c != '/' && twist == "double" => format!("%25{:02x}", u32::from(c)),
            (c, 3) if c != '/' => format!("%{:02X}", u32::from(c)),
            (c, 4) if c != '/' => format!("%{:02x}", u32::from(c)),
            (c, _) => c.to_string(),
        };
        let path: String = path.chars().enumerate().map(sign).collect();
        match twist {
            "//" => format!("/{path}{query}"),
            "/" => format!("{path}/{query}"),
            "absolute" => format!("http://@host{path}{query}"),
            "foreign" => format!("http://evil.example{path}{query}"),
            "dot" => format!("/./x/%2e%2e{path}{query}"),
            "nul" => format!("{path}%00{query}"),
            _ => format!("{path}{query}"),
        }
    })
}

fn attack() -> impl Strategy<Value = Attack> {
    let method = prop_oneof![
        6 => Just("POST"), 1 => Just("PUT"), 1 => Just("GET"), 1 => Just("DELETE"),
        1 => prop::sample::select(vec!["HEAD", "OPTIONS", "PATCH", "TRACE", "post", "COPY"]),
    ];
    let kind = prop_oneof![
        6 => Just("Content-Type: application/json"),
        1 => prop::sample::select(vec![
            "Content-Type: application/json; charset=utf-16",
            "Content-Type: text/plain",
            "Content-Type: application/x-www-form-urlencoded",
            "Content-Type: multipart/form-data",
            "Content-Type: application/json, text/plain",
            "X-Nothing: x",
        ]),
    ];
    let more = prop::sample::select(vec![
        "X-HTTP-Method-Override: DELETE",
        "X-HTTP-Method-Override: PUT",
        "X-Original-URL: /api/0/export",
        "X-Forwarded-Host: evil.example",
        "User-Agent: zq7x secret",
        "Cookie: title=zq7x secret",
        "Origin: moz-extension://abc",
        "Origin: https://evil.example",
        "Host: evil.example",
        "Content-Encoding: br",
        "Content-Type: text/plain",
        "Expect: 100-continue",
    ]);
    let headers = (kind, prop::collection::vec(more, 0..2));
    (method, target(), headers, body(), prop::bool::weighted(0.2)).prop_map(
        |(method, target, headers, body, chunked)| {
            let headers = [headers.0].into_iter().chain(headers.1).map(str::to_owned).collect();
            Attack { method, target, headers, body, chunked }
        },
    )
}

#[test]
fn nothing_that_is_refused_gets_past_and_nothing_that_is_there_comes_back() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let desk = runtime.block_on(desk());
    let mut answers = std::collections::BTreeMap::<String, u32>::new();
    let tally = std::cell::RefCell::new(&mut answers);
    let config = Config { cases: 900, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let ran = TestRunner::new(config).run(&attack(), |attack| {
        let (answer, export) = runtime.block_on(async {
            let bytes = attack.bytes(&desk.now().to_string(), &desk.address().to_string());
            let answer = raw(desk.address(), &bytes).await;
            (answer, desk.export().await)
        });
        let status = answer.lines().next().unwrap_or("closed").to_owned();
        *tally.borrow_mut().entry(status).or_default() += 1;
        prop_assert!(!export.contains("zq7x"), "passed: {export}");
        prop_assert_eq!(export.matches(EVIDENCE).count(), 1, "what was there is untouched");
        prop_assert!(!answer.contains(EVIDENCE), "given back: {answer}");
        prop_assert!(!answer.contains("zq7x") || attack.is_echo(&answer), "answered: {answer}");
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    assert!(
        answers.len() > 5 && answers.iter().any(|(status, n)| status.contains(" 200 ") && *n > 20),
        "{answers:?}"
    );
    // Something did pass all the time, and with a yes the canary does as well: it would have been seen.
    let export = runtime.block_on(async {
        assert!(desk.held().await.len() > 4, "{}", desk.export().await);
        assert!(!desk.export().await.contains("zq7x"));
        desk.choose(0, Choice::Yes).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        desk.beat("window", 0, 1, json!({"app": "Writer", "title": CANARY})).await;
        desk.export().await
    });
    assert!(export.contains(CANARY), "the detector sees it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_http_clients_would_never_send_is_answered_safely() {
    let desk = desk().await;
    let event = json!({"timestamp": desk.now(), "data": {"app": "Writer", "title": CANARY}}).to_string();
    let host = desk.address().to_string();
    let with = |line: &str, headers: &str, body: &str| {
        format!(
            "{line}\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let to = |line: &str| with(line, &format!("Host: {host}\r\n"), &event);
    let cases = [
        (to("POST //api/0//buckets/window/heartbeat?pulsetime=1 HTTP/1.1"), "200"),
        (to("POST /%61pi/0/buckets/w%69ndow/heartbeat?pulsetime=1 HTTP/1.1"), "200"),
        (to(&format!("POST http://{host}/api/0/buckets/window/heartbeat HTTP/1.1")), "200"),
        (to("POST /api/0/buckets/window/heartbeat HTTP/1.0"), "200"),
        (to("POST http://evil.example/api/0/buckets/window/heartbeat HTTP/1.1"), "421"),
        (with("POST /api/0/buckets/window/heartbeat HTTP/1.1", "Host: evil.example\r\n", &event), "421"),
        (with("POST /api/0/buckets/window/heartbeat HTTP/1.1", "", &event), "421"),
        (to("POST /%2561pi/0/buckets/window/heartbeat HTTP/1.1"), "404"),
        (to("POST /api/0/buckets/window%2fheartbeat HTTP/1.1"), "404"),
        (to("POST /api/0/buckets\\window\\heartbeat HTTP/1.1"), "40"),
        (to("POST /api/0/export/../buckets/window/events HTTP/1.1"), "404"),
        (to("GET /api/0/export HTTP/1.1"), "404"),
        (to("GET /%61pi/0//export HTTP/1.1"), "404"),
        (to("POST /api/0/query/ HTTP/1.1"), "404"),
        (to("GET /api/0/settings HTTP/1.1"), "404"),
        (to("POST /api/0/settings/privacy_filters HTTP/1.1"), "404"),
        (to("GET /api/0/log HTTP/1.1"), "404"),
        (to("GET / HTTP/1.1"), "404"),
        (to("GET /api/swagger.json HTTP/1.1"), "404"),
        (to("GET /api/0/buckets/window/events HTTP/1.1"), "405"),
        (to("GET /api/0/buckets/window/events/0 HTTP/1.1"), "404"),
        (to("DELETE /api/0/buckets/window?force=1 HTTP/1.1"), "405"),
        (to("DELETE /api/0/buckets/window/events/0 HTTP/1.1"), "404"),
        (to("PATCH /api/0/buckets/window HTTP/1.1"), "405"),
        (to("OPTIONS * HTTP/1.1"), "404"),
        (to("CONNECT localhost:5600 HTTP/1.1"), "4"),
        ("POST /api/0/buckets/window/heartbeat HTTP/9.9\r\n\r\n".into(), "400"),
        ("zq7x secret\r\n\r\n".into(), "400"),
        (
            to("POST /api/0/buckets/window/heartbeat HTTP/1.1")
                .replace("Content-Length: ", "Content-Length: 4\r\nContent-Length: "),
            "400",
        ),
    ];
    for (request, status) in cases {
        let answer = raw(desk.address(), request.as_bytes()).await;
        let line = answer.lines().next().unwrap_or_default();
        assert!(
            line.split(' ').nth(1).is_some_and(|said| said.starts_with(status)),
            "{status}: {line}\n{request}"
        );
        assert!(!answer.contains(EVIDENCE) && (status == "200" || !answer.contains("zq7x")), "{answer}");
    }
    let recordings = raw(desk.address(), to("GET /api/0/export HTTP/1.1").as_bytes()).await;
    assert!(recordings.contains("The gateway gives no recordings back."), "{recordings}");
    let deletes = raw(desk.address(), to("DELETE /api/0/buckets/window HTTP/1.1").as_bytes()).await;
    assert!(deletes.contains("The gateway deletes nothing"), "{deletes}");
    // What clients ask before they begin.
    for (path, said) in
        [("info", "\"version\""), ("buckets/", "\"window\""), ("buckets/window", "currentwindow")]
    {
        let answer = raw(desk.address(), to(&format!("GET /api/0/{path} HTTP/1.1")).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(said), "{answer}");
        assert!(!answer.contains("last_updated") && !answer.contains(EVIDENCE), "{answer}");
    }
    let before = desk.held().await.len();
    // A browser's extension asks first; a web page isn't heard.
    let asked = with(
        "OPTIONS /api/0/buckets/window/heartbeat HTTP/1.1",
        &format!("Host: {host}\r\nOrigin: moz-extension://abc\r\n"),
        "",
    );
    let answer = raw(desk.address(), asked.as_bytes()).await.to_lowercase();
    assert!(
        answer.starts_with("http/1.1 204")
            && answer.contains("access-control-allow-origin: moz-extension://abc"),
        "{answer}"
    );
    let page = with(
        "POST /api/0/buckets/window/heartbeat HTTP/1.1",
        &format!("Host: {host}\r\nOrigin: https://evil.example\r\n"),
        &event,
    );
    assert!(raw(desk.address(), page.as_bytes()).await.starts_with("HTTP/1.1 403"));
    assert_eq!(desk.held().await.len(), before);
    let export = desk.export().await;
    assert!(!export.contains("zq7x") && export.contains(EVIDENCE), "{export}");
}
