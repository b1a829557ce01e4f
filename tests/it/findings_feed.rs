//! Findings as a feed and as messages to other systems: whole days, no persons, and nothing for whoever mustn't.

use daylight::collection;
use daylight::consent::deliver_due;
use daylight::web::Role;
use uuid::Uuid;

use crate::findings::{answer, declare, group, room};
use crate::support::TestApp;
use crate::support::receiver::{Receiver, System};
use crate::violations::plant;

const KIND: &str = "COLLECTED_AFTER_OPT_OUT";

/// A system that is told of findings and of nothing else.
pub async fn listening(app: &TestApp, webhook: &str) -> System {
    let admin = app.actor(Role::Administrator).await;
    let fields = [
        ("name", "Council's board"),
        ("purpose", "Shows findings"),
        ("findings", "yes"),
        ("webhook", webhook),
    ];
    let reply = admin.post("/systems", &fields).await.assert_status(200);
    let id: Uuid =
        sqlx::query_scalar("select id from system").fetch_one(&app.state.db).await.expect("the system");
    let rep = app.actor(Role::Representative).await;
    rep.post(&format!("/systems/{id}/approve"), &[]).await.assert_status(303);
    let shown = |css: &str| reply.select(css).into_iter().next().unwrap_or_default();
    System { id, token: shown("#token"), secret: shown("#secret") }
}

#[tokio::test]
async fn the_feed_speaks_of_days_that_are_over() {
    let (app, people, publisher) = room().await;
    plant(&app, KIND, people[1].0, &people[1].1, "<script>alert(1)</script>").await;
    let empty = publisher.get("/findings/feed.atom").await.assert_status(200);
    assert!(!empty.body.contains("<entry>"), "what was found today is known tomorrow");
    answer(&publisher, &group("acme-agent"), "0", "It was <b>us</b>.", "yes").await.assert_status(303);
    app.state.clock.advance(86_400);
    let hr = app.sign_in_as(publisher.id()).await;
    let feed = hr.get("/findings/feed.atom").await.assert_status(200);
    assert_eq!(feed.header("content-type"), "application/atom+xml; charset=utf-8");
    assert!(feed.body.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>"));
    assert_eq!(feed.body.matches("<entry>").count(), 2);
    let id = group("acme-agent");
    for words in [
        format!("/findings/{id}</id>"),
        "<title>Collected after a no: Window titles, by Acme-Agent</title>".into(),
        "<updated>2026-11-03T00:00:00Z</updated>".into(),
        "<author><name>Example Works</name></author>".into(),
        "fewer than 5 people".into(),
    ] {
        assert!(feed.body.contains(&words), "{words}: {}", feed.body);
    }
    assert!(!feed.body.contains("<script") && !feed.body.contains("<b>") && !feed.body.contains("alert"));
    assert!(!feed.body.contains("09:") && !feed.body.contains("p0@"));
    for (open, close) in [("<entry>", "</entry>"), ("<summary>", "</summary>"), ("<id>", "</id>")] {
        assert_eq!(feed.body.matches(open).count(), feed.body.matches(close).count());
    }
    // Found again on the next day by the same person's agent: the entry stays as it is until something changes.
    app.state.clock.advance(5 * 86_400);
    let later = app.sign_in_as(publisher.id()).await.get("/findings/feed.atom").await.assert_status(200);
    assert_eq!(feed.body, later.body);
}

#[tokio::test]
async fn a_reader_has_an_address_that_can_be_ended() {
    let (app, ..) = room().await;
    let rep = app.actor(Role::Representative).await;
    let made = rep.post("/findings/feed", &[]).await.assert_status(200);
    let address = made.select("#feed-address").remove(0);
    let path =
        address.strip_prefix(&app.state.config.base_url).expect("an address of this server").to_owned();
    let token = path.rsplit('/').next().expect("a token");
    assert!(token.len() > 40);
    assert!(!rep.get("/findings").await.body.contains(token), "shown once");
    let row: Vec<u8> = sqlx::query_scalar("select token_hash from finding_feed")
        .fetch_one(&app.state.db)
        .await
        .expect("a row");
    assert_eq!(row.len(), 32);
    app.state.clock.advance(86_400 + 600);
    let reader = app.visitor();
    let feed = reader.get(&path).await.assert_status(200);
    assert_eq!(feed.body.matches("<entry>").count(), 1);
    assert!(!feed.body.contains(token));
    let rep = app.sign_in_as(rep.id()).await;
    let page = rep.get("/findings").await.assert_status(200);
    assert!(page.body.contains("last used in the hour from"), "to the hour");
    reader.get("/feeds/findings/nothing").await.assert_status(404);
    // A new one ends the former; ending it ends it.
    let form = async || {
        let mark = rep.get("/findings").await.attributes("input[name=former]", "value").remove(0);
        [("former".to_owned(), mark), ("feed-renew".to_owned(), "yes".to_owned())]
    };
    let asked = form().await;
    let send = async |fields: &[(String, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        rep.post("/findings/feed", &fields).await
    };
    send(&asked[..1]).await.assert_status(422);
    reader.get(&path).await.assert_status(200);
    let made = send(&asked).await.assert_status(200);
    reader.get(&path).await.assert_status(404);
    let path = made.select("#feed-address").remove(0).replace(&app.state.config.base_url, "");
    // The same form again, as a reload sends it, makes none and ends none.
    let again = send(&asked).await.assert_status(303);
    assert_eq!(again.location(), "/findings?done=feed-shown#telling");
    reader.get(&path).await.assert_status(200);
    rep.post("/findings/feed/revoke", &[]).await.assert_status(422);
    reader.get(&path).await.assert_status(200);
    rep.post("/findings/feed/revoke", &[("feed-revoke", "yes")]).await.assert_status(303);
    reader.get(&path).await.assert_status(404);
    let log: Vec<String> = sqlx::query_scalar(
        "select action from audit_entry where subject_id = $1 and action like 'feed.%' order by action desc",
    )
    .bind(rep.id())
    .fetch_all(&app.state.db)
    .await
    .expect("entries");
    assert_eq!(log, ["feed.made", "feed.made", "feed.ended"]);
    // Nor does it outlive the role.
    let made = rep.post("/findings/feed", &[]).await.assert_status(200);
    let path = made.select("#feed-address").remove(0).replace(&app.state.config.base_url, "");
    sqlx::query("delete from person_role where person_id = $1")
        .bind(rep.id())
        .execute(&app.state.db)
        .await
        .expect("done");
    reader.get(&path).await.assert_status(404);
}

#[tokio::test]
async fn a_system_is_told_once_a_day_and_of_nobody() {
    let app = TestApp::new().await;
    let publisher = app.actor(Role::Publisher).await;
    declare(&app, &publisher).await;
    let receiver = Receiver::start();
    let system = listening(&app, &receiver.url).await;
    let person = app.person("quillon@example.com", &[Role::Worker]).await;
    let agent = crate::support::agent::Agent::of(&app, person).await;
    collection::count_findings(&app.state).await.expect("counted");
    app.state.clock.advance(30 * 60);
    plant(&app, KIND, person, &agent, "acme-agent").await;
    plant(&app, KIND, person, &agent, "quillons-own").await;
    plant(&app, "HONOURED_AT_GATEWAY", person, &agent, "acme-agent").await;
    let round = async || {
        collection::count_findings(&app.state).await.expect("counted");
        deliver_due(&app.state).await.expect("sent");
    };
    round().await;
    assert!(receiver.got().is_empty(), "the day isn’t over");
    app.state.clock.advance(86_400);
    receiver.answer(&[200, 500]);
    round().await;
    app.state.clock.advance(60);
    round().await;
    round().await;
    let got = receiver.got();
    assert!(!got.is_empty());
    let first = &got[0];
    assert!(got.iter().all(|m| m.id == first.id && m.body == first.body), "one message, tried again");
    assert!(first.is_signed_with(&system.secret));
    let said = first.json();
    assert_eq!(said["type"], "findings.changed");
    assert_eq!(said["timestamp"], "2026-11-03T00:00:00Z", "no time of day");
    assert_eq!(said["data"]["day"], "2026-11-02");
    let groups = said["data"]["groups"].as_array().expect("groups");
    assert_eq!(groups.len(), 2);
    let named = groups.iter().find(|g| g["id"] == group("acme-agent")).expect("the named one");
    assert_eq!(named["program"], "Acme-Agent");
    assert_eq!(named["kind"], KIND);
    assert_eq!(named["changes"], serde_json::json!(["new"]));
    let other = groups.iter().find(|g| g["id"] == group("?")).expect("the other");
    assert!(other["program"].is_null());
    for words in ["quillon", &person.to_string(), &agent.id.to_string(), "31337", "HONOURED"] {
        assert!(!first.body.contains(words), "{words}");
    }
    let before = got.len();
    app.state.clock.advance(86_400);
    round().await;
    assert_eq!(receiver.got().len(), before, "nothing changed");
    answer(&app.sign_in_as(publisher.id()).await, &group("acme-agent"), "0", "An accident.", "yes")
        .await
        .assert_status(303);
    app.state.clock.advance(86_400);
    round().await;
    let got = receiver.got();
    assert_eq!(got.len(), before + 1);
    assert_eq!(got[before].json()["data"]["groups"][0]["changes"], serde_json::json!(["answered"]));
}

#[tokio::test]
async fn a_system_for_findings_needs_an_address_that_is_allowed() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let mut fields = vec![("name", "Board"), ("purpose", "Shows findings"), ("findings", "yes")];
    let none = admin.post("/systems", &fields).await.assert_status(422);
    assert!(none.select(".error-summary")[0].contains("Say where it is told of findings."));
    fields.push(("webhook", "http://169.254.169.254/latest"));
    admin.post("/systems", &fields).await.assert_status(422);
    admin.post("/systems", &fields[..2]).await.assert_status(422);
    assert_eq!(app.count("system").await, 0);
}
