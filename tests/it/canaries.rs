//! Canaries: who sees them, where they are found, and what is never said or kept.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use daylight::canaries::command;
use daylight::web::Role;

use crate::support::content::{assert_absent, rows};
use crate::support::{Actor, Reply, TestApp, logs};

/// A representative and the address of a canary of theirs.
async fn room() -> (TestApp, Actor, String) {
    let app = TestApp::new().await;
    let rep = app.actor(Role::Representative).await;
    let path = rep.post("/canaries", &[]).await.assert_status(303).location().to_owned();
    (app, rep, path)
}

async fn typed(actor: &Actor, path: &str) -> String {
    actor.get(path).await.assert_status(200).select("h1")[0].clone()
}

async fn search(actor: &Actor, label: &str, program: &str, file: &[u8]) -> Reply {
    actor.upload_form("/canaries/search", &[("label", label), ("program", program)], file).await
}

/// What the page of a search says.
async fn searched(actor: &Actor, program: &str, file: &[u8]) -> String {
    let done = search(actor, "An export of October", program, file).await.assert_status(303);
    actor.get(done.location()).await.assert_status(200).select("main")[0].clone()
}

const USED: &[(&str, &str)] = &[
    ("place", "Typed into a note"),
    ("program", "ActivTrak"),
    ("category", "window.titles"),
    ("by", "worker"),
];

#[tokio::test]
async fn a_canary_is_planned_used_searched_and_found() {
    let (app, rep, path) = room().await;
    let state = async |actor: &Actor| actor.get(&path).await.assert_status(200).select(".chip")[0].clone();
    assert_eq!(state(&rep).await, "Planned");
    let token = typed(&rep, &path).await;
    assert_eq!(token.split(' ').map(str::len).collect::<Vec<_>>(), [5, 5, 5, 6], "{token}");
    rep.post(&format!("{path}/use"), USED).await.assert_status(303);
    assert_eq!(state(&rep).await, "Used");
    rep.post(&format!("{path}/use"), USED).await.assert_status(409);
    let text = searched(&rep, "", b"nothing here\n").await;
    for words in
        ["Not found in 13 bytes", "Looked for, and not found", "doesn’t mean that it was never recorded"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(text.matches("not collected").count(), 1, "but to say that it isn’t said");
    assert!(text.contains("It never says that it was not collected"));
    assert_eq!(state(&rep).await, "Searched, not found");
    let colleague = app.actor(Role::Representative).await;
    let file = format!("Email,Titlebar\nx@y.example,\"a {token}\"\n");
    let text = searched(&colleague, "activtrak", file.as_bytes()).await;
    assert!(text.contains("Found once in") && text.contains("Line 2, byte"), "{text}");
    assert!(text.contains("in titlebar, as plain text"), "{text}");
    assert_eq!(state(&rep).await, "Found");
    let page = rep.get(&path).await.assert_status(200).select("main")[0].clone();
    for words in ["An export of October", "Typed into a note, in ActivTrak: Window titles. By: Worker."] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[tokio::test]
async fn it_is_found_as_programs_write_it() {
    let (_app, rep, path) = room().await;
    let token = typed(&rep, &path).await;
    let joined = token.replace(' ', "-");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(format!("log {joined}\n").as_bytes()).expect("packed");
    let wide: Vec<u8> = format!("a {token} b").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (file, how) in [
        (format!("{{\"a\":\"{}\"}}", token.replace(' ', "\\u0020")).into_bytes(), "as JSON escapes"),
        (format!("GET /?q={}", token.replace(' ', "%20")).into_bytes(), "as URL encoding"),
        (format!("{{\"a\":\"{}\"}}", STANDARD.encode(format!("some {token}"))).into_bytes(), "as base64"),
        (wide, "as UTF-16"),
        (packed.finish().expect("packed"), "unpacked from gzip"),
        (joined.to_uppercase().into_bytes(), "as plain text"),
    ] {
        let text = searched(&rep, "", &file).await;
        assert!(text.contains("Found once") && text.contains(how), "{how}: {text}");
    }
}

#[tokio::test]
async fn nobody_but_representatives_sees_that_there_are_any() {
    let (app, rep, path) = room().await;
    let token = typed(&rep, &path).await;
    for role in [Role::Worker, Role::Publisher, Role::Administrator] {
        let actor = app.actor(role).await;
        for address in ["/canaries", &path] {
            let page = actor.get(address).await.assert_status(403);
            assert!(!page.body.contains(&token));
        }
        actor.post("/canaries", &[]).await.assert_status(403);
        search(&actor, "x", "", b"x").await.assert_status(403);
        for page in ["/organisation", "/findings", "/imports", "/me/collection", "/me/access-log"] {
            assert!(!actor.get(page).await.body.contains("anar"), "{page} as {role}");
        }
    }
    assert!(rep.get("/organisation").await.body.contains("href=\"/canaries\""));
    assert!(rep.get("/canaries").await.body.contains("can read them"), "it says who else can");
}

#[tokio::test]
async fn of_what_is_searched_nothing_is_kept_and_no_log_has_a_canary() {
    logs::capture();
    let (app, rep, path) = room().await;
    let token = typed(&rep, &path).await;
    const MARKER: &str = "quagga7391";
    let file = format!("{MARKER},{MARKER}\n{MARKER},{token} {MARKER}\n");
    let mut bodies = searched(&rep, "activtrak", file.as_bytes()).await;
    bodies += &search(&rep, "", "", file.as_bytes()).await.assert_status(422).body;
    bodies += &search(&rep, "Label", MARKER, b"").await.assert_status(422).body;
    let url = format!("https://logs.example/{MARKER}?q={}", token.replace(' ', "-"));
    let fields = [("url", url.as_str()), ("reader_label", "A log")];
    bodies += &rep.post("/canaries/read", &fields).await.assert_status(422).body;
    // The program's field comes back as typed by its author, who alone sees it.
    let bodies = bodies.replace(&format!("value=\"{MARKER}\""), "");
    assert_absent(MARKER, bodies.as_bytes(), "an answer");
    let database = rows(&app.state).await;
    assert_absent(MARKER, database.as_bytes(), "the database");
    let log = logs::captured();
    for form in [token.clone(), token.replace(' ', "-"), token.replace(' ', "")] {
        assert_absent(&form, log.as_bytes(), "the log");
    }
    assert_absent(MARKER, log.as_bytes(), "the log");
}

#[tokio::test]
async fn a_deletion_is_asked_first_and_leaves_that_there_was_one() {
    let (app, rep, path) = room().await;
    let token = typed(&rep, &path).await;
    rep.post(&format!("{path}/use"), USED).await.assert_status(303);
    assert!(searched(&rep, "", token.as_bytes()).await.contains("Found once"));
    let asked = rep.post(&format!("{path}/delete"), &[]).await.assert_status(422);
    assert!(asked.select(".error-summary")[0].contains("Tick the box"));
    rep.post(&format!("{path}/delete"), &[("delete_confirm", "yes")]).await.assert_status(303);
    rep.post(&format!("{path}/delete"), &[("delete_confirm", "yes")]).await.assert_status(404);
    let page = rep.get(&path).await.assert_status(200);
    let history = page.select(".timeline__title");
    assert_eq!(history, ["Deleted", "Made"]);
    assert!(!page.body.contains("Typed into a note") && !page.body.contains("ActivTrak"));
    assert!(!rows(&app.state).await.contains(&token.replace(' ', "")));
    assert_eq!(app.count("canary_hit").await + app.count("canary_result").await, 0);
    let left: i64 = sqlx::query_scalar(
        "select count(*) from canary where category is not null or program <> '' or place <> ''
                or used_at is not null or used_by <> '' or token is not null",
    )
    .fetch_one(&app.state.db)
    .await
    .expect("counted");
    assert_eq!((left, app.count("canary").await), (0, 1));
    rep.post("/canaries", &[]).await.assert_status(303);
    assert!(searched(&rep, "", token.as_bytes()).await.contains("Not found"));
}

/// A small file that unpacks to much keeps no other page waiting, and its search ends with its reader.
#[tokio::test]
async fn a_bomb_stops_nobody_else() {
    let (_app, rep, path) = room().await;
    let token = typed(&rep, &path).await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0; 1 << 20];
    (0..400).for_each(|_| packed.write_all(&zeros).expect("packed"));
    let bomb = packed.finish().expect("packed");
    let soon = std::time::Duration::from_secs(15);
    let others = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let page = tokio::time::timeout(soon, rep.get("/canaries")).await;
        page.expect("other pages are answered meanwhile").assert_status(200);
    };
    tokio::select! {
        _ = search(&rep, "a", "", &bomb) => panic!("so fast?"),
        _ = search(&rep, "b", "", &bomb) => panic!("so fast?"),
        () = others => {}
    }
    // Both are gone: their places are free.
    let next = tokio::time::timeout(soon, searched(&rep, "", token.as_bytes())).await;
    assert!(next.expect("a free place").contains("Found once"));
}

#[tokio::test]
async fn what_was_not_searched_is_said() {
    let (_app, rep, _) = room().await;
    for (file, words) in [
        (&b"PK\x03\x04 cut off"[..], "damaged, or cut off"),
        (b"%PDF-1.7 and so on", "is packed itself, or a PDF"),
        (b"7z\xbc\xaf\x27\x1c and so on", "is packed itself, or a PDF"),
    ] {
        let text = searched(&rep, "", file).await;
        assert!(text.contains(words) && text.contains("not to its end"), "{words}: {text}");
    }
}

#[tokio::test]
async fn forms_come_back_with_what_was_typed() {
    let (_app, rep, path) = room().await;
    for (change, words) in [
        (("place", ""), "Say in one line"),
        (("by", "ada@example.com"), "Choose the role"),
        (("category", "vole"), "Choose one of the list"),
        (("day", "2031-01-01"), "neither in the future"),
    ] {
        let mut fields: Vec<(&str, &str)> = USED.iter().copied().filter(|f| f.0 != change.0).collect();
        fields.push(change);
        let page = rep.post(&format!("{path}/use"), &fields).await.assert_status(422);
        assert!(page.select(".error-summary")[0].contains(words), "{words}");
        assert_eq!(page.attributes("#program", "value"), ["ActivTrak"]);
    }
    let long = "a".repeat(101);
    search(&rep, &long, "", b"x").await.assert_status(422);
    let large = vec![b'a'; 50 * 1024 * 1024 + 1];
    let page = search(&rep, "Large", "slack", &large).await.assert_status(413);
    assert_eq!(page.attributes("#label", "value"), ["Large"]);
    assert_eq!(page.attributes("#program option[selected]", "value"), ["slack"]);
}

#[tokio::test]
async fn the_server_reads_no_address_that_it_may_not() {
    let (_, rep, _) = room().await;
    let read = async |rep: &Actor, url: &str| {
        let fields = [("url", url), ("reader_label", "A log")];
        let page = rep.post("/canaries/read", &fields).await.assert_status(422);
        assert!(!page.body.contains("evil"), "it doesn't come back");
        page.select(".error-summary")[0].clone()
    };
    assert!(read(&rep, "https://logs.example/").await.contains("allowed no host"));
    let app = TestApp::with(|c| c.canary_reader_hosts = vec!["logs.example".into()]).await;
    let rep = app.actor(Role::Representative).await;
    rep.post("/canaries", &[]).await.assert_status(303);
    for (url, words) in [
        ("http://logs.example/", "Use https"),
        ("https://127.0.0.1/", "Use a host’s name"),
        ("https://[::ffff:127.0.0.1]/", "Use a host’s name"),
        ("https://2130706433/", "Use a host’s name"),
        ("https://169.254.169.254/latest/", "Use a host’s name"),
        ("https://localhost/", "hasn’t allowed"),
        ("https://logs.example.evil.example/", "hasn’t allowed"),
        ("https://logs.example@evil.example/", "Leave the name"),
        ("https://evil.example#@logs.example/", "hasn’t allowed"),
        ("https://logs.example:22/", "port"),
        ("file:///etc/passwd", "Use https"),
        ("evil", "Enter an address"),
    ] {
        let said = read(&rep, url).await;
        assert!(said.contains(words), "{url}: {said}");
    }
    // A host that is allowed, and that no resolver knows.
    assert!(read(&rep, "https://logs.example/").await.contains("did not answer"));
    assert_eq!(app.count("canary_search").await, 0);
}

#[test]
fn the_command_looks_on_ones_own_machine() {
    let token = "lusab-gutih-tugad-482913".to_owned();
    let find = |tokens: &[String], input: &[u8]| {
        let mut out = Vec::new();
        let found = command::find(tokens, &mut &input[..], &mut out);
        (found, String::from_utf8(out).expect("text"))
    };
    let (found, out) = find(std::slice::from_ref(&token), b"a\nb lusab gutih tugad 482913");
    assert!(found.expect("read") && out.contains("canary 1: byte 4, line 2, as plain text"), "{out}");
    assert!(!out.contains("lusab"), "what it prints can be passed on");
    let (found, out) = find(std::slice::from_ref(&token), b"nothing");
    assert!(!found.expect("read") && out.contains("not found") && out.contains("searched 7 bytes"), "{out}");
    assert!(find(&["vole".to_owned()], b"").0.is_err());
}
