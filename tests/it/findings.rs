//! Findings without persons, and what the employer answers.

use daylight::collection::model::FindingKind;
use daylight::collection::{self, Answer};
use daylight::web::Role;
use serde_json::json;
use uuid::Uuid;

use crate::support::agent::{Agent, item};
use crate::support::consent;
use crate::support::{Actor, Reply, TestApp};
use crate::violations::plant;

const KIND: &str = "COLLECTED_AFTER_OPT_OUT";

/// Twelve people with a device; the first has a finding by acme-agent, which the register names.
pub async fn room() -> (TestApp, Vec<(Uuid, Agent)>, Actor) {
    let app = TestApp::new().await;
    let mut people = Vec::new();
    for n in 0..12 {
        let person = app.person(&format!("p{n}@example.com"), &[Role::Worker]).await;
        people.push((person, Agent::of(&app, person).await));
    }
    let publisher = app.actor(Role::Publisher).await;
    declare(&app, &publisher).await;
    app.state.clock.advance(30 * 60);
    plant(&app, KIND, people[0].0, &people[0].1, "acme-agent").await;
    (app, people, publisher)
}

pub async fn declare(app: &TestApp, publisher: &Actor) {
    consent::declare(app, publisher, &[("category", "window.titles"), ("source_name", "Acme-Agent")]).await;
}

pub fn group(program: &str) -> String {
    collection::group_id(FindingKind::CollectedAfterOptOut, "window.titles", program)
}

pub async fn answer(actor: &Actor, group: &str, seen: &str, reason: &str, confirm: &str) -> Reply {
    let (r, c) = (format!("reason-{group}"), format!("confirm-{group}"));
    let fields = [("group", group), ("seen", seen), ("page", "1"), (&*r, reason), (&*c, confirm)];
    actor.post("/findings/answer", &fields).await
}

#[tokio::test]
async fn a_violation_of_one_person_is_visible_and_tells_of_nobody() {
    let (app, people, publisher) = room().await;
    plant(&app, KIND, people[1].0, &people[1].1, "adas-own-spy").await;
    for actor in [&publisher, &app.actor(Role::Representative).await] {
        let page = actor.get("/findings").await.assert_status(200);
        let titles = page.select("section.card h2");
        let expected = ["Window titles, by Acme-Agent", "Window titles, by a program that isn’t declared"];
        assert_eq!(titles, expected);
        let card = &page.select("section.card")[0];
        for words in ["fewer than 5 people", "on 2 Nov 2026", "None, since 2 Nov 2026"] {
            assert!(card.contains(words), "{words}: {card}");
        }
        assert!(!page.body.contains("adas-own-spy"), "what an agent calls itself could tell whose it is");
        let open = actor.get("/organisation").await.assert_status(200);
        assert!(open.body.contains("2 groups wait for an answer"));
    }
    app.actor(Role::Administrator).await.get("/findings").await.assert_status(403);
    let admin = app.actor(Role::Administrator).await.get("/organisation").await.assert_status(200);
    assert!(!admin.body.contains("/findings"));
}

#[tokio::test]
async fn people_are_counted_in_bands_and_when_the_day_begins() {
    let (app, people, publisher) = room().await;
    for (person, agent) in &people[1..6] {
        plant(&app, KIND, *person, agent, "acme-agent").await;
    }
    let about = async |actor: &Actor| actor.get("/findings").await.assert_status(200).body;
    assert!(about(&publisher).await.contains("fewer than 5 people"), "what came today is counted tomorrow");
    app.state.clock.advance(86_400);
    let publisher = app.sign_in_as(publisher.id()).await;
    assert!(about(&publisher).await.contains("5 to 9 people"));
    for (person, agent) in &people[6..] {
        plant(&app, KIND, *person, agent, "acme-agent").await;
    }
    app.state.clock.advance(86_400);
    let publisher = app.sign_in_as(publisher.id()).await;
    assert!(about(&publisher).await.contains("all people, or almost all"));
}

#[tokio::test]
async fn where_few_people_have_a_device_a_finding_is_visible_without_a_number() {
    let app = TestApp::new().await;
    let person = app.person("ada@example.com", &[Role::Worker]).await;
    let agent = Agent::of(&app, person).await;
    app.state.clock.advance(30 * 60);
    let hr = app.actor(Role::Publisher).await;
    let empty = hr.get("/findings").await.assert_status(200);
    assert_eq!(empty.select(".empty__title"), ["Nothing was found"]);
    plant(&app, KIND, person, &agent, "acme-agent").await;
    plant(&app, "HONOURED_AT_GATEWAY", person, &agent, "acme-agent").await;
    let page = hr.get("/findings").await.assert_status(200);
    assert_eq!(page.select("section.card").len(), 1, "what was stopped on the way would tell of a choice");
    assert!(page.body.contains("fewer than ten have a device, so their number isn’t shown"));
}

#[tokio::test]
async fn an_answer_is_public_to_those_concerned_and_clears_nothing() {
    let (app, people, publisher) = room().await;
    let id = group("acme-agent");
    let reason = "An update switched it on again.\nIt is off since noon.";
    let done = answer(&publisher, &id, "0", reason, "yes").await.assert_status(303);
    assert_eq!(done.location(), format!("/findings?page=1&done=finding-answered#group-{id}"));
    let worker = app.sign_in_as(people[0].0).await;
    let rep = app.actor(Role::Representative).await;
    for (actor, path) in [
        (&publisher, "/findings"),
        (&rep, "/findings"),
        (&worker, "/me/collection"),
        (&worker, "/me/collection/window.titles"),
    ] {
        let page = actor.get(path).await.assert_status(200);
        assert!(
            page.body.contains("<p>An update switched it on again.</p><p>It is off since noon.</p>"),
            "{path}"
        );
        assert!(page.body.contains("ollected after"), "{path}: the finding stays");
        assert!(!page.body.contains("hasn’t answered") && !page.body.contains("None, since"), "{path}");
    }
    assert!(publisher.get("/organisation").await.body.contains("Nothing waits for an answer"));
    let stranger = app.sign_in_as(people[3].0).await;
    assert!(!stranger.get("/me/collection").await.body.contains("An update switched"));

    // What is found afterwards waits for an answer of its own.
    app.state.clock.advance(60);
    plant(&app, KIND, people[3].0, &people[3].1, "acme-agent").await;
    let page = rep.get("/findings").await.assert_status(200);
    assert!(!page.body.contains("None to what was found afterwards"), "others learn of it tomorrow");
    let late = stranger.get("/me/collection").await.assert_status(200);
    assert!(
        late.body.contains("An update switched")
            && late.body.contains("hasn’t answered what was found afterwards")
    );
    assert_eq!(app.count("finding").await, 2);
    app.state.clock.advance(86_400);
    let page = app.sign_in_as(rep.id()).await.get("/findings").await.assert_status(200);
    assert!(page.body.contains("None to what was found afterwards"));
}

#[tokio::test]
async fn a_form_comes_back_with_what_was_typed() {
    let (app, _, publisher) = room().await;
    let id = group("acme-agent");
    for (reason, confirm, message) in [
        ("", "yes", "Say what happened"),
        ("It was an accident", "", "Tick the box to confirm"),
        (&*"a".repeat(2001), "yes", "at most 2,000 characters"),
    ] {
        let page = answer(&publisher, &id, "0", reason, confirm).await.assert_status(422);
        assert!(page.select(".error-summary")[0].contains(message), "{message}");
        assert_eq!(page.select("textarea"), [reason]);
        assert_eq!(page.attributes(".card details", "open").len(), 1);
    }
    assert_eq!(app.count("finding_answer").await, 0);
    answer(&publisher, &id, "0", &"ä".repeat(2000), "yes").await.assert_status(303);
    let late = answer(&publisher, &id, "0", "Mine too", "yes").await.assert_status(409);
    assert!(late.body.contains("Somebody answered this in the meantime") && late.body.contains("Mine too"));
    answer(&publisher, &id, "1", "Mine too", "yes").await.assert_status(303);
    answer(&publisher, &group("nothing"), "0", "About nothing", "yes").await.assert_status(404);
    answer(&publisher, "\"><script>", "0", "About nothing", "yes").await.assert_status(404);
    assert_eq!(app.count("finding_answer").await, 2);
}

#[tokio::test]
async fn an_answer_stays_with_its_findings_when_their_program_is_named_later() {
    let app = TestApp::new().await;
    let person = app.person("ada@example.com", &[Role::Worker]).await;
    let agent = Agent::of(&app, person).await;
    let publisher = app.actor(Role::Publisher).await;
    app.state.clock.advance(30 * 60);
    plant(&app, KIND, person, &agent, "acme-agent").await;
    answer(&publisher, &group("?"), "0", "We look into it", "yes").await.assert_status(303);
    declare(&app, &publisher).await;
    let page = publisher.get("/findings").await.assert_status(200);
    assert_eq!(page.select("section.card h2"), ["Window titles, by Acme-Agent"]);
    assert!(page.body.contains("We look into it"));
}

#[tokio::test]
async fn the_database_keeps_every_answer() {
    let (app, _, publisher) = room().await;
    answer(&publisher, &group("acme-agent"), "0", "An accident", "yes").await.assert_status(303);
    for sql in [
        "update finding_answer set reason = 'nothing'",
        "delete from finding_answer",
        "truncate finding_answer",
    ] {
        let error = sqlx::query(sql).execute(&app.state.db).await.expect_err(sql);
        assert!(error.to_string().contains("permission denied"), "{sql}: {error}");
    }
    // Whoever gives the right back meets a trigger.
    sqlx::query("grant update, delete, truncate on finding_answer to current_user")
        .execute(&app.state.db)
        .await
        .expect("the owner may");
    for sql in
        ["update finding_answer set reason = 'x'", "delete from finding_answer", "truncate finding_answer"]
    {
        let error = sqlx::query(sql).execute(&app.state.db).await.expect_err(sql);
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn many_groups_come_in_pages() {
    let (app, people, publisher) = room().await;
    let (_, agent) = &people[0];
    let all = app.visitor().get("/api/v1/categories").await.assert_status(200).json();
    let categories = all["categories"].as_array().expect("a list");
    let items: Vec<_> = categories
        .iter()
        .filter_map(|c| c["id"].as_str())
        .filter(|id| *id != "unknown")
        .map(|id| item(id, "content", 1, (0, 5)))
        .collect();
    assert!(items.len() > 21);
    agent.send(&agent.fields(0, None, (0, 5), json!(items))).await.assert_status(201);
    let first = publisher.get("/findings").await.assert_status(200);
    assert_eq!(first.select("section.card").len(), 20);
    let second = publisher.get("/findings?page=2").await.assert_status(200);
    let heading = second.select("section.card h2");
    assert!(!heading.is_empty() && !first.select("section.card h2").contains(&heading[0]));
    // A form from the second page comes back on the second page.
    let last = second.attributes("section.card input[name=group]", "value")[0].clone();
    let refused = answer(&publisher, &last, "0", "", "yes").await.assert_status(422);
    assert_eq!(refused.select("section.card h2"), heading);
}

#[tokio::test]
async fn other_findings_stand_there_too() {
    let (app, people, publisher) = room().await;
    let viewer = daylight::web::Viewer {
        person_id: publisher.id(),
        session_id: Uuid::nil(),
        name: "Publisher".into(),
        roles: vec![Role::Publisher],
        time_zone: jiff::tz::TimeZone::UTC,
        signed_in_at: app.state.clock.now(),
    };
    let (person, agent) = &people[2];
    let mut abroad = item("window.titles", "content", 4, (0, 5));
    abroad["forwarded"] = json!({"count": 4, "bytes": 40});
    abroad["destination"] = json!({"host": "adas-laptop.example", "recipient": "org:x", "country": "US"});
    agent.send(&agent.fields(0, None, (0, 5), json!([abroad]))).await.assert_status(201);
    let page = publisher.get("/findings").await.assert_status(200);
    assert!(page.select("section.card .chip").contains(&"More than declared".to_owned()));
    assert!(!page.body.contains("adas-laptop"), "a host may name whose it is");
    let exceeds = collection::group_id(FindingKind::Exceeds, "window.titles", "");
    let new = Answer { group: &exceeds, seen: 0, reason: "The host was wrong." };
    collection::answer_findings(&app.state, &viewer, new).await.expect("answered");
    let mine = app.sign_in_as(*person).await.get("/me/collection/window.titles").await.assert_status(200);
    assert!(mine.body.contains("The host was wrong."));
}
