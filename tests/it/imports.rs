//! Vendors' own exports: counted, dropped, and held against what agents reported.

use daylight::web::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::content::{assert_absent, rows};
use crate::support::{Actor, Reply, TestApp, logs};

/// Twelve workers, p0 to p11, and a publisher.
pub async fn room() -> (TestApp, Vec<Uuid>, Actor) {
    let app = TestApp::new().await;
    let mut people = Vec::new();
    for n in 0..12 {
        people.push(app.person(&format!("p{n}@example.com"), &[Role::Worker]).await);
    }
    let publisher = app.actor(Role::Publisher).await;
    (app, people, publisher)
}

pub fn activtrak(rows: &[(&str, &str)]) -> String {
    let mut text = "Email,Date/Time,Executable,Titlebar,Url\n".to_owned();
    rows.iter().for_each(|(who, when)| text += &format!("{who},{when},a.exe,Some title,\n"));
    text
}

/// One row each of the first `n` people, on the tests' first day.
pub fn of_people(n: usize) -> String {
    let rows: Vec<_> = (0..n).map(|n| (format!("p{n}@example.com"), "2026-11-02T08:00:00Z")).collect();
    activtrak(&rows.iter().map(|(who, when)| (who.as_str(), *when)).collect::<Vec<_>>())
}

pub async fn upload(actor: &Actor, format: &str, file: &[u8]) -> Reply {
    actor.upload_form("/imports", &[("format", format)], file).await
}

/// The box of the step that can't be undone.
pub const TAKE: &[(&str, &str)] = &[("take_confirm", "yes")];

/// Uploads, and answers the dry run's address.
pub async fn dry_run(actor: &Actor, format: &str, file: &[u8]) -> String {
    upload(actor, format, file).await.assert_status(303).location().to_owned()
}

pub async fn take(actor: &Actor, format: &str, file: &[u8]) -> String {
    let path = dry_run(actor, format, file).await;
    actor.post(&format!("{path}/confirm"), TAKE).await.assert_status(303);
    path
}

async fn counts(app: &TestApp) -> Vec<(String, String, String, i64)> {
    sqlx::query_as(
        "select p.email, c.day::text, c.category, c.records from vendor_count c join person p on p.id = c.person_id
         order by 1, 2, 3",
    )
    .fetch_all(&app.state.db)
    .await
    .expect("counts")
}

fn expect(list: &[(&str, &str, &str, i64)]) -> Vec<(String, String, String, i64)> {
    list.iter().map(|(a, b, c, n)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned(), *n)).collect()
}

#[tokio::test]
async fn a_dry_run_says_what_was_understood_and_counts_nothing() {
    let (app, _, publisher) = room().await;
    let mut text = of_people(7);
    text += "stranger@elsewhere.example,2026-11-01T08:00:00Z,a.exe,,\n";
    text += "p1@example.com,yesterday,a.exe,,\n";
    text += ",2026-11-01T08:00:00Z,a.exe,,\n";
    text += "p1@example.com,2031-01-01T08:00:00Z,a.exe,,\n";
    text += "p1@example.com,2026-11-01T08:00:00Z,,,\n";
    text += "p1@example.com,too few\n";
    let path = dry_run(&publisher, "activtrak/activity-log", text.as_bytes()).await;
    let page = publisher.get(&path).await.assert_status(200);
    let stats = page.select(".stat");
    let expected =
        ["13rows in the file", "8understood", "4not understood", "1of no known kindcounted as nothing"];
    assert_eq!(stats[..4], expected);
    assert_eq!(stats[4], "none, or fewer than 5not matchedabout nobody on the roll");
    for words in [
        "Line 10, column 2 (date/time): isn’t a time that could be read",
        "Line 11, column 1 (email): names nobody",
        "Line 12, column 2 (date/time): is in the future",
        "Line 14: has another number of columns",
        "Column 3 (executable): Programs you use",
        "5 to 9 people",
        "1 Nov 2026 to 2 Nov 2026",
        "unverified",
    ] {
        assert!(page.select("main")[0].contains(words), "{words}: {}", page.select("main")[0]);
    }
    for value in ["stranger", "yesterday", "too few", "Some title", "a.exe", "p1@"] {
        assert!(!page.body.contains(value), "{value}");
    }
    assert_eq!(app.count("vendor_count").await, 0);
    publisher.post(&format!("{path}/confirm"), TAKE).await.assert_status(303);
    assert_eq!(app.count("vendor_count").await, 14);
    assert_eq!(app.count("vendor_import_count").await, 0);
    publisher.post(&format!("{path}/confirm"), TAKE).await.assert_status(409);
}

#[tokio::test]
async fn a_dry_run_is_its_authors_and_lasts_an_hour() {
    let (app, _, publisher) = room().await;
    let path = dry_run(&publisher, "activtrak/activity-log", of_people(6).as_bytes()).await;
    let other = app.actor(Role::Publisher).await;
    other.get(&path).await.assert_status(404);
    for verb in ["confirm", "discard"] {
        other.post(&format!("{path}/{verb}"), TAKE).await.assert_status(404);
    }
    app.state.clock.advance(3601);
    assert_eq!(app.count("vendor_import").await, 1, "house-keeping has not come by");
    publisher.get(&path).await.assert_status(404);
    publisher.post(&format!("{path}/confirm"), TAKE).await.assert_status(410);
    publisher.post(&format!("{path}/confirm"), &[]).await.assert_status(410);
    let second = dry_run(&publisher, "activtrak/activity-log", of_people(6).as_bytes()).await;
    assert_eq!(app.count("vendor_import").await, 1, "the first is forgotten");
    publisher.post(&format!("{second}/discard"), &[]).await.assert_status(303);
    assert_eq!(app.count("vendor_import").await + app.count("vendor_import_count").await, 0);
    assert_eq!(app.count("vendor_count").await, 0);
}

#[tokio::test]
async fn every_documented_shape_is_counted() {
    let (app, _, publisher) = room().await;
    let reports = json!({"kind": "admin#reports#activities", "items": [
        {"id": {"time": "2026-10-01T23:30:00.000Z", "applicationName": "drive"}, "actor": {"email": "P0@example.com"},
         "events": [{"type": "access", "name": "edit"}, {"type": "access", "name": "view"}]},
        {"id": {"time": "2026-10-01T10:00:00Z", "applicationName": "gmail"}, "actor": {"email": "p0@example.com"},
         "events": [{"name": "delivery"}]},
        {"id": {"time": "2026-10-01T10:00:00Z", "applicationName": "admin"}, "actor": {"email": "p0@example.com"},
         "events": [{"name": "CREATE_USER"}]}], "nextPageToken": "x"});
    let slack = json!({"entries": [
        {"id": "a", "date_create": 1_790_850_600, "action": "file_downloaded",
         "actor": {"type": "user", "user": {"id": "W1", "name": "P", "email": "p1@example.com"}}},
        {"id": "b", "date_create": 1_790_850_600, "action": "user_login",
         "actor": {"type": "user", "user": {"id": "W1", "email": "p1@example.com"}}},
        {"id": "c", "date_create": 1_790_850_600, "action": "pref.who_can_post",
         "actor": {"type": "user", "user": {"id": "W1", "email": "p1@example.com"}}}]});
    let screenshots = json!({"screenshots": [
        {"id": 1, "user_id": 77, "recorded_at": "2026-10-01T10:00:00Z", "url": "https://x.example/1"},
        {"id": 2, "user_id": 77, "recorded_at": "2026-10-01T10:05:00Z"}],
        "users": [{"id": 77, "name": "P", "email": "p2@example.com"}]});
    let activities = json!({"users": [{"id": 77, "email": "p3@example.com"}], "activities": [
        {"id": 1, "user_id": 77, "starts_at": "2026-10-01T10:00:00Z", "keyboard": 200, "mouse": 0, "tracked": 600}]});
    let tools = json!({"tool_usages": [
        {"id": 1, "user_id": 77, "date": "2026-10-01", "tool_type": "application", "name": "Thing"},
        {"id": 2, "user_id": 77, "date": "2026-10-01", "tool_type": "url", "name": "x.example"}],
        "users": [{"id": 77, "email": "p4@example.com"}]});
    for (format, value) in [
        ("google-workspace/reports", reports),
        ("slack/audit", slack),
        ("hubstaff/screenshots", screenshots),
        ("hubstaff/activities", activities),
        ("hubstaff/tool-usages", tools),
    ] {
        take(&publisher, format, value.to_string().as_bytes()).await;
    }
    let hubstaff =
        "Member;Email;Date;App;URL\nX;p5@example.com;01.10.2026;Thing;\nX;p5@example.com;01.10.2026;;u\n";
    take(&publisher, "hubstaff/activities-csv", hubstaff.as_bytes()).await;
    let drive = "\u{feff}Event,Title,Date,Actor\nView,\"a \"\"b\"\"\nc, d\",2026-10-01T10:00:00+02:00,p6@example.com\n";
    take(&publisher, "google-workspace/drive-log", drive.as_bytes()).await;
    let gmail = "Event\tOwner\tDate\tSubject\nSend\tp7@example.com\t2026-10-01 10:00:00 UTC\t=HYPERLINK(1)\n";
    take(&publisher, "google-workspace/gmail-log", gmail.as_bytes()).await;
    let (a, b) = ("2026-10-01", "p");
    let mail = |n: u32| format!("{b}{n}@example.com");
    let own = |n: u32, category: &str, records: i64| (mail(n), a.to_owned(), category.to_owned(), records);
    assert_eq!(
        counts(&app).await,
        [
            own(0, "comms.metadata", 1),
            own(0, "file.activity", 2),
            own(1, "file.activity", 1),
            own(1, "presence", 1),
            own(2, "screen.image", 2),
            own(3, "input.key_counts", 1),
            own(3, "presence", 1),
            own(4, "app.usage", 1),
            own(4, "web.domains", 1),
            own(5, "app.usage", 1),
            own(5, "web.urls", 1),
            own(6, "file.activity", 1),
            own(7, "comms.metadata", 1),
        ]
    );
}

#[tokio::test]
async fn days_are_the_persons() {
    let (app, people, publisher) = room().await;
    sqlx::query("update person set time_zone = 'Asia/Tokyo' where id = $1")
        .bind(people[1])
        .execute(&app.state.db)
        .await
        .expect("moved");
    let at = "2026-10-01T20:00:00Z";
    let text = activtrak(&[("p0@example.com", at), ("p1@example.com", at)]);
    take(&publisher, "activtrak/activity-log", text.as_bytes()).await;
    let days: Vec<String> = counts(&app).await.into_iter().map(|c| c.1).collect();
    assert_eq!(days, ["2026-10-01", "2026-10-01", "2026-10-02", "2026-10-02"]);
    // What names no zone is read in the one that was chosen.
    let local = activtrak(&[("p2@example.com", "2026-10-01 23:30:00")]);
    let fields = [("format", "activtrak/activity-log"), ("zone", "America/New_York")];
    let path = publisher.upload_form("/imports", &fields, local.as_bytes()).await.assert_status(303);
    publisher.post(&format!("{}/confirm", path.location()), TAKE).await.assert_status(303);
    assert_eq!(counts(&app).await[4].1, "2026-10-02");
}

#[tokio::test]
async fn the_same_file_twice_and_overlapping_files_change_nothing_for_the_smaller() {
    let (app, _, publisher) = room().await;
    let one = ("p0@example.com", "2026-10-01T10:00:00Z");
    let many = activtrak(&[one, one, one]);
    take(&publisher, "activtrak/activity-log", many.as_bytes()).await;
    let before = counts(&app).await;
    assert_eq!(
        before,
        expect(&[
            ("p0@example.com", "2026-10-01", "app.usage", 3),
            ("p0@example.com", "2026-10-01", "window.titles", 3)
        ])
    );
    let again = dry_run(&publisher, "activtrak/activity-log", many.as_bytes()).await;
    assert!(publisher.get(&again).await.body.contains("This very file was taken on"));
    publisher.post(&format!("{again}/confirm"), TAKE).await.assert_status(303);
    assert_eq!(counts(&app).await, before);
    take(&publisher, "activtrak/activity-log", activtrak(&[one]).as_bytes()).await;
    assert_eq!(counts(&app).await, before, "half a day takes nothing away");
    take(&publisher, "activtrak/activity-log", activtrak(&[one; 5]).as_bytes()).await;
    assert_eq!(counts(&app).await[0].3, 5, "the larger stays, and they don't add up");
}

#[tokio::test]
async fn what_cant_be_read_is_refused_in_words_and_never_quoted() {
    let (app, _, publisher) = room().await;
    let wide: Vec<u8> = of_people(2).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bad: &[(&str, &[u8], &str)] = &[
        ("activtrak/activity-log", &wide, "UTF-16"),
        ("activtrak/activity-log", b"", "Choose a file"),
        ("activtrak/activity-log", b"Email,Date\np\xff@x,1\n", "isn’t UTF-8: line 2"),
        ("activtrak/activity-log", b"\x1f\x8b\x08aaaa", "compressed"),
        ("activtrak/activity-log", b"Email,Date/Time,Executable\n", "no records"),
        ("activtrak/activity-log", b"vole,newt,shrew\n1,2,3\n", "doesn’t know which columns"),
        ("slack/audit", b"{\"entries\":[{\"vole\":", "isn’t the JSON"),
        ("slack/audit", b"{\"entries\":\"vole\"}", "isn’t the JSON"),
        ("slack/audit", b"{\"voles\":[]}", "has no “entries”"),
        ("slack/audit", b"\"vole\"", "isn’t the JSON"),
        ("", b"Email\n", "Choose which export"),
        ("vole/shrew", b"Email\n", "Choose which export"),
    ];
    for (format, file, words) in bad {
        let page = upload(&publisher, format, file).await.assert_status(422);
        assert!(
            page.select(".error-summary")[0].contains(words),
            "{words}: {}",
            page.select(".error-summary")[0]
        );
        assert!(!page.body.contains("vole") && !page.body.contains("shrew"), "{words}");
    }
    let large = vec![b'a'; 20 * 1024 * 1024 + 1];
    upload(&publisher, "slack/audit", &large).await.assert_status(413);
    assert_eq!(app.count("vendor_import").await, 0);
    let deep = format!("{{\"entries\":[{}{}]}}", "[".repeat(5000), "]".repeat(5000));
    upload(&publisher, "slack/audit", deep.as_bytes()).await.assert_status(422);
}

#[tokio::test]
async fn columns_can_be_chosen_by_number() {
    let (app, _, publisher) = room().await;
    let text = "wer;wann;was\np0@example.com;3/4/2026;x\np1@example.com;3/4/2026;\n";
    let page = upload(&publisher, "activtrak/activity-log", text.as_bytes()).await.assert_status(422);
    let options = page.select("#who option");
    assert_eq!(
        options,
        ["By its name in the first line", "Column 1", "Column 2", "Column 3"],
        "by number only"
    );
    let fields = [
        ("format", "activtrak/activity-log"),
        ("who", "1"),
        ("when", "2"),
        ("what", "3"),
        ("category", "app.usage"),
        ("order", "day"),
    ];
    let reply = publisher.upload_form("/imports", &fields, text.as_bytes()).await.assert_status(303);
    publisher.post(&format!("{}/confirm", reply.location()), TAKE).await.assert_status(303);
    assert_eq!(counts(&app).await, expect(&[("p0@example.com", "2026-04-03", "app.usage", 1)]));
}

#[tokio::test]
async fn of_small_groups_no_number_is_shown() {
    let (app, _, publisher) = room().await;
    let few = of_people(3) + "p0@example.com,2026-11-02T08:00:00Z,a.exe,t,\n".repeat(31_334).as_str();
    let path = take(&publisher, "activtrak/activity-log", few.as_bytes()).await;
    let rep = app.actor(Role::Representative).await;
    for actor in [&publisher, &rep] {
        for path in ["/imports", path.as_str()] {
            let page = actor.get(path).await.assert_status(200);
            assert!(page.body.contains("fewer than 5 people"), "{path}");
            for number in ["31,337", "31337", "62,674", "p0@"] {
                assert!(!page.body.contains(number), "{number} at {path}");
            }
        }
    }
    let path = dry_run(&publisher, "activtrak/activity-log", few.as_bytes()).await;
    let page = publisher.get(&path).await.assert_status(200);
    assert!(page.body.contains("Programs you use") && !page.body.contains("Programs you use: "));
}

#[tokio::test]
async fn everybody_sees_their_own_counts_alone() {
    let (app, people, publisher) = room().await;
    let mut text = of_people(8);
    text += "p0@example.com,2026-11-02T08:00:00Z,a.exe,t,\n".repeat(4_321).as_str();
    take(&publisher, "activtrak/activity-log", text.as_bytes()).await;
    let own = app.sign_in_as(people[0]).await;
    let page = own.get("/me/imports").await.assert_status(200);
    let row = &page.select("tbody tr")[0];
    for words in
        ["2 Nov 2026", "4,322", "an export of ActivTrak that HR uploaded on 2 Nov 2026", "unverified"]
    {
        assert!(row.contains(words), "{words}: {row}");
    }
    let mine = own.get("/me/collection").await.assert_status(200);
    assert!(mine.body.contains("8,644 records of 1 day, from an export of ActivTrak that HR uploaded"));
    assert!(own.get("/me/access-log").await.body.contains("An export of a monitoring product"));
    let other = app.sign_in_as(people[1]).await;
    for path in ["/me/imports", "/me/collection", "/me/access-log"] {
        assert!(!other.get(path).await.assert_status(200).body.contains("4,322"), "{path}");
    }
    let stranger = app.sign_in_as(people[11]).await;
    assert!(stranger.get("/me/imports").await.body.contains("Nothing so far"));
    assert!(!stranger.get("/me/access-log").await.body.contains("with records about you"));
    for role in [Role::Worker, Role::Administrator] {
        app.actor(role).await.get("/imports").await.assert_status(403);
    }
}

/// A marker in every field of every format comes to no table, page or log line.
#[tokio::test]
async fn nothing_of_a_file_is_kept() {
    logs::capture();
    let (app, _, publisher) = room().await;
    const MARKER: &str = "quagga7391";
    let columns = "Email,User,Date/Time,Executable,Application,Titlebar,Url,Productivity,quagga7391\n";
    let rows_of = |who: &str, when: &str| {
        format!(
            "{who},{MARKER},{when},{MARKER},{MARKER},=cmd|{MARKER},https://{MARKER}.example/,{MARKER},{MARKER}\n"
        )
    };
    let mut csv = columns.to_owned();
    csv += &rows_of("p0@example.com", "2026-11-02T08:00:00Z");
    csv += &rows_of(MARKER, "2026-11-02T08:00:00Z");
    csv += &rows_of("p0@example.com", MARKER);
    csv += &format!("{MARKER},{MARKER}\n");
    let entry = |who: &str, when: Value| {
        json!({"id": MARKER, "date_create": when, "action": format!("file_{MARKER}"), MARKER: {MARKER: MARKER},
               "actor": {"user": {"email": who, "name": MARKER}}, "entity": {"file": {"title": MARKER}}})
    };
    let slack = json!({"entries": [entry("p0@example.com", json!(1_793_610_000)), entry(MARKER, json!(1_793_610_000)),
                                   entry("p0@example.com", json!(MARKER)), {"action": MARKER}], MARKER: MARKER});
    let mut bodies = String::new();
    for (format, file) in [("activtrak/activity-log", csv.clone()), ("slack/audit", slack.to_string())] {
        let path = take(&publisher, format, file.as_bytes()).await;
        bodies += &publisher.get(&path).await.body;
        let path = dry_run(&publisher, format, file.as_bytes()).await;
        bodies += &publisher.get(&path).await.body;
    }
    // Broken ones too, and a mapping that points anywhere.
    for file in [
        format!("{{\"entries\":[{{\"a\":\"{MARKER}\"}},{MARKER}]}}"),
        format!("{{\"entries\":\"{MARKER}\"}}"),
    ] {
        bodies += &upload(&publisher, "slack/audit", file.as_bytes()).await.assert_status(422).body;
    }
    bodies +=
        &upload(&publisher, "activtrak/activity-log", format!("{MARKER}\n{MARKER}\n").as_bytes()).await.body;
    for who in ["1", "2", "9", "0", "99999"] {
        let fields = [("format", "activtrak/activity-log"), ("who", who), ("when", "9"), ("what", "9")];
        bodies += &publisher.upload_form("/imports", &fields, csv.as_bytes()).await.body;
    }
    assert!(app.count("vendor_count").await > 0);
    assert_absent(MARKER, bodies.as_bytes(), "an answer");
    assert_absent(MARKER, rows(&app.state).await.as_bytes(), "the database");
    assert_absent(MARKER, logs::captured().as_bytes(), "the log");
}
