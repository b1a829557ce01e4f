//! Which known monitoring programs are on a computer: taken strictly, found when nobody declared them (R7), and found
//! when they are there for days and nobody says what they record.

use daylight::catalogue::{By, ProductId};
use daylight::clock::Time;
use daylight::collection;
use daylight::collection::presence::{Look, SeenProduct};
use daylight::collection::report::{self, Window};
use daylight::identity::{self, NewPerson};
use daylight::web::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::agent::{Agent, item, minute};
use crate::support::consent::declare;
use crate::support::content::{assert_absent, rows};
use crate::support::{Actor, Reply, TestApp, logs};

const SECRET: &str = "zz-my-secret-zz";

fn time(minutes: i64) -> Time {
    minute(minutes).parse::<jiff::Timestamp>().expect("a time").into()
}

/// A look in a window of these minutes that saw these products all the time.
fn look(app: &TestApp, agent: &Agent, minutes: (i64, i64), products: &[(&str, By)]) -> Look {
    let seen = |(id, by): &(&str, By)| SeenProduct {
        product: ProductId::parse(id).expect("a known product"),
        by: *by,
        first_observed: time(minutes.0),
        last_observed: time(minutes.1),
    };
    Look {
        report_id: app.state.random.uuid(app.state.clock.now()),
        agent_id: agent.id,
        device_id: agent.device_id,
        window: Window { start: time(minutes.0), end: time(minutes.1) },
        produced_at: time(minutes.1),
        products: products.iter().map(seen).collect(),
    }
}

async fn post(app: &TestApp, agent: &Agent, report: &Value) -> Reply {
    app.visitor().post_json("/api/v1/presence-reports", report, Some(&agent.token)).await
}

async fn send(app: &TestApp, agent: &Agent, look: &Look) -> Reply {
    post(app, agent, &look.sign(&agent.key).expect("signed").0).await
}

/// Signed after a change to its fields.
async fn send_changed(app: &TestApp, agent: &Agent, change: impl FnOnce(&mut Value)) -> Reply {
    let (mut value, _) =
        look(app, agent, (0, 5), &[("time-doctor", By::Process)]).sign(&agent.key).expect("signed");
    change(&mut value);
    let fields = value.as_object().expect("an object").clone();
    post(app, agent, &report::sign(fields, &agent.key).expect("signed").0).await
}

async fn room() -> (TestApp, Uuid, Agent) {
    let app = TestApp::new().await;
    let person = app.person("ada@example.com", &[Role::Worker]).await;
    let agent = Agent::of(&app, person).await;
    app.state.clock.advance(30 * 60);
    (app, person, agent)
}

async fn found(app: &TestApp, kind: &str) -> Vec<(String, String, Option<Uuid>)> {
    sqlx::query_as("select about, field, person_id from finding where kind = $1 order by about, person_id")
        .bind(kind)
        .fetch_all(&app.state.db)
        .await
        .expect("findings")
}

async fn mine(app: &TestApp, person: Uuid) -> Reply {
    app.sign_in_as(person).await.get("/me/collection").await.assert_status(200)
}

#[tokio::test]
async fn what_is_there_and_not_declared_is_found_for_its_person_and_without_one_for_others() {
    let (app, person, agent) = room().await;
    let page = mine(&app, person).await;
    assert!(page.body.contains("Nobody has looked"), "nobody looked: unknown, never green");
    let reply = send(&app, &agent, &look(&app, &agent, (0, 5), &[("time-doctor", By::Process)])).await;
    let receipt = reply.assert_status(201).json();
    assert_eq!(receipt["duplicate"], false);
    let expected = ("program:time-doctor".to_owned(), "installed".to_owned(), Some(person));
    assert_eq!(found(&app, "UNDECLARED_AGENT").await, [expected]);
    let page = mine(&app, person).await;
    for words in [
        "Time Doctor is on your computer, and no declaration names it",
        "Not declared",
        "Can run unseen",
        "the name of a running program",
        "screenshots",
    ] {
        assert!(page.body.contains(words), "{words}");
    }
    assert!(
        !page.body.contains("Nobody has looked") && !page.body.contains("The program Time Doctor records")
    );
    for role in [Role::Publisher, Role::Representative] {
        let page = app.actor(role).await.get("/findings").await.assert_status(200);
        assert_eq!(page.select("section.card h2"), ["A program that isn’t declared"]);
        assert!(!page.body.contains("time-doctor") && !page.body.contains("Ada"));
    }
    let colleague = app.person("bob@example.com", &[Role::Worker]).await;
    assert!(!mine(&app, colleague).await.body.contains("Time Doctor"));
}

#[tokio::test]
async fn a_look_that_found_nothing_says_so_and_is_no_all_clear() {
    let (app, person, agent) = room().await;
    send(&app, &agent, &look(&app, &agent, (0, 5), &[])).await.assert_status(201);
    let page = mine(&app, person).await;
    assert!(page.body.contains("none of the known products was found"));
    let chips = page.select("section[aria-labelledby=programs] .chip");
    assert!(chips.is_empty(), "{chips:?}");
    assert_eq!(app.count("finding").await, 0);
}

#[tokio::test]
async fn what_is_declared_is_not_found_and_a_later_declaration_clears_nothing() {
    let (app, person, agent) = room().await;
    let publisher = app.actor(Role::Publisher).await;
    declare(&app, &publisher, &[("source_name", "Hubstaff")]).await;
    app.state.clock.advance(30 * 60);
    let both = [("hubstaff", By::Package), ("time-doctor", By::Process), ("time-doctor", By::Package)];
    send(&app, &agent, &look(&app, &agent, (40, 50), &both)).await.assert_status(201);
    let before = found(&app, "UNDECLARED_AGENT").await;
    assert_eq!(before, [("program:time-doctor".to_owned(), "installed".to_owned(), Some(person))]);
    declare(&app, &publisher, &[("source_name", "time-doctor")]).await;
    app.state.clock.advance(30 * 60);
    send(&app, &agent, &look(&app, &agent, (70, 80), &both)).await.assert_status(201);
    assert_eq!(found(&app, "UNDECLARED_AGENT").await, before);
    let page = mine(&app, person).await;
    assert!(page.body.contains("no declaration names it"), "R9");
    assert_eq!(
        page.select("section[aria-labelledby=programs] .chip--undeclared").len(),
        0,
        "declared by now"
    );
    // What was observed before the declaration is compared with what was declared then, whenever it arrives.
    send(&app, &agent, &look(&app, &agent, (20, 30), &[("hubstaff", By::Package)])).await.assert_status(201);
    assert_eq!(found(&app, "UNDECLARED_AGENT").await.len(), 2);
}

#[tokio::test]
async fn a_declaration_counts_for_those_it_covers() {
    let (app, _, _) = room().await;
    let publisher = app.actor(Role::Publisher).await;
    let mut db = app.state.db.acquire().await.unwrap();
    let person = NewPerson {
        email: "dora@example.com",
        name: "Dora",
        department: Some("Dock"),
        roles: &[Role::Worker],
        ..NewPerson::default()
    };
    let dora = identity::add_person(&mut db, &app.state, &person).await.unwrap();
    let abroad = NewPerson { email: "nina@example.com", name: "Nina", jurisdiction: "US-NY", ..person };
    let nina = identity::add_person(&mut db, &app.state, &abroad).await.unwrap();
    let office = app.person("otto@example.com", &[Role::Worker]).await;
    let dock: Uuid = sqlx::query_scalar("select id from department where name = 'Dock'")
        .fetch_one(&app.state.db)
        .await
        .unwrap();
    drop(db);
    let dock = dock.to_string();
    declare(&app, &publisher, &[("source_name", "time-doctor"), ("departments", &dock)]).await;
    for person in [dora, nina, office] {
        let agent = Agent::of(&app, person).await;
        app.state.clock.advance(10 * 60);
        let now = app.state.clock.now().seconds_since(time(0)) / 60;
        let seen = [("time-doctor", By::Process)];
        send(&app, &agent, &look(&app, &agent, (now - 5, now), &seen)).await.assert_status(201);
    }
    let mut people: Vec<_> = found(&app, "UNDECLARED_AGENT").await.into_iter().map(|f| f.2).collect();
    people.sort();
    let mut expected = vec![Some(nina), Some(office)];
    expected.sort();
    assert_eq!(people, expected, "the declaration is for the dock, under EU law");
}

#[tokio::test]
async fn the_same_report_is_taken_once_and_no_other_under_its_id() {
    let (app, _, agent) = room().await;
    let first = look(&app, &agent, (0, 5), &[("time-doctor", By::Process)]);
    let receipt = send(&app, &agent, &first).await.assert_status(201).json();
    let before = rows(&app.state).await;
    app.state.clock.advance(60);
    let again = send(&app, &agent, &first).await.assert_status(200).json();
    assert_eq!((&again["hash"], &again["received_at"]), (&receipt["hash"], &receipt["received_at"]));
    assert_eq!(again["duplicate"], true);
    let other = Look { products: Vec::new(), ..first.clone() };
    send(&app, &agent, &other).await.assert_status(409);
    assert_eq!(rows(&app.state).await, before, "neither changed anything");

    // In whichever order reports come, they add up to the same.
    let later = look(&app, &agent, (10, 15), &[("time-doctor", By::Process)]);
    let earlier = look(&app, &agent, (6, 9), &[("time-doctor", By::Process)]);
    for look in [&later, &earlier, &later] {
        send(&app, &agent, look).await;
    }
    let spans: Vec<(Time, Time)> =
        sqlx::query_as("select first_seen, last_seen from presence").fetch_all(&app.state.db).await.unwrap();
    assert_eq!(spans, [(time(0), time(15))]);
    assert_eq!(app.count("presence_look").await, 3);
}

#[tokio::test]
async fn forged_and_foreign_reports_are_refused() {
    let (app, _, agent) = room().await;
    let other = Agent::enrol(&app, "another laptop").await;
    let fine = look(&app, &agent, (0, 5), &[("time-doctor", By::Process)]);
    // Another agent's key, its own device under my token, my device under its token.
    let forged = fine.sign(&other.key).unwrap().0;
    post(&app, &agent, &forged).await.assert_status(401);
    let elsewhere = Look { device_id: other.device_id, ..fine.clone() };
    send(&app, &agent, &elsewhere).await.assert_status(422);
    let foreign = Look { agent_id: agent.id, ..look(&app, &other, (0, 5), &[]) };
    send(&app, &other, &foreign).await.assert_status(422);
    let mut tampered = fine.sign(&agent.key).unwrap().0;
    tampered["products"] = json!([]);
    post(&app, &agent, &tampered).await.assert_status(401);
    let visitor = app.visitor();
    let signed = fine.sign(&agent.key).unwrap().0;
    visitor.post_json("/api/v1/presence-reports", &signed, None).await.assert_status(401);
    visitor.post_json("/api/v1/presence-reports", &signed, Some("nothing")).await.assert_status(401);
    // Too old to be told from a copy, and from the future.
    for minutes in [(-100 * 1440, -100 * 1440 + 5), (3 * 1440, 3 * 1440 + 5), (31, 36)] {
        send(&app, &agent, &look(&app, &agent, minutes, &[])).await.assert_status(422);
    }
    assert_eq!(
        app.count("presence").await + app.count("presence_look").await + app.count("finding").await,
        0
    );
    // A clock a little ahead is no fault, and nothing was seen after it was received.
    let ahead = look(&app, &agent, (28, 34), &[("time-doctor", By::Process)]);
    send(&app, &agent, &ahead).await.assert_status(201);
    let last: Time =
        sqlx::query_scalar("select last_at from finding").fetch_one(&app.state.db).await.expect("one");
    assert_eq!(last, app.state.clock.now());
}

#[tokio::test]
async fn content_has_no_place_in_a_report_and_is_never_repeated() {
    let (app, _, agent) = room().await;
    logs::capture();
    type Change = fn(&mut Value);
    let changes: [Change; 12] = [
        |v| v["products"][0]["product"] = SECRET.into(),
        |v| v["products"][0]["product"] = json!({ "name": SECRET }),
        |v| v["products"][0]["by"] = SECRET.into(),
        |v| v["products"][0]["path"] = SECRET.into(),
        |v| v["products"][0][SECRET] = 1.into(),
        |v| v["products"][0]["first_observed"] = SECRET.into(),
        |v| v["programs"] = json!([SECRET]),
        |v| v[SECRET] = 1.into(),
        |v| v["schema"] = SECRET.into(),
        |v| v["report_id"] = SECRET.into(),
        |v| v["window"]["title"] = SECRET.into(),
        |v| v["products"] = json!({ SECRET: 1 }),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let reply = send_changed(&app, &agent, change).await.assert_status(422);
        assert_eq!(reply.header("content-type"), "application/problem+json", "{n}");
        assert!(!reply.body.contains("secret"), "{n}: {}", reply.body);
    }
    let twice = format!(r#"{{"schema":"presence-report/1","{SECRET}":1,"{SECRET}":2}}"#);
    for body in [twice.as_str(), SECRET, "{"] {
        let bearer = format!("Bearer {}", agent.token);
        let headers = [("authorization", bearer.as_str())];
        let (path, body) = ("/api/v1/presence-reports", body.as_bytes().to_vec());
        let reply = app.visitor().post_bytes(path, "application/json", &headers, body).await;
        assert!(!reply.assert_status(400).body.contains("secret"));
    }
    assert_absent(SECRET, rows(&app.state).await.as_bytes(), "the database");
    assert_absent(SECRET, logs::captured().as_bytes(), "the log");
    assert_eq!(app.count("presence_look").await, 0);
}

#[tokio::test]
async fn a_computer_that_is_nobodys_accuses_nobody() {
    let app = TestApp::new().await;
    let agent = Agent::enrol(&app, "loan laptop").await;
    app.state.clock.advance(30 * 60);
    send(&app, &agent, &look(&app, &agent, (0, 5), &[("time-doctor", By::Process)])).await.assert_status(201);
    assert_eq!(app.count("presence where person_id is null").await, 1);
    assert_eq!(app.count("finding").await, 0);
    // What was seen before it was theirs isn't theirs, and nobody has looked since.
    let person = app.person("ada@example.com", &[Role::Worker]).await;
    collection::assign(&app.state, None, agent.device_id, person).await.unwrap();
    let page = mine(&app, person).await;
    assert!(!page.body.contains("Time Doctor") && page.body.contains("Nobody has looked"));
}

/// A declared program is seen each day at noon; what else happens on a day says `report`.
async fn days(app: &TestApp, agent: &Agent, days: i64, report: impl Fn(i64) -> Option<u32>) {
    for day in 0..days {
        let noon = day * 1440 + 180;
        app.state.clock.advance(86_400);
        let seen = [("time-doctor", By::Process)];
        send(app, agent, &look(app, agent, (noon, noon + 5), &seen)).await.assert_status(201);
        if let Some(count) = report(day) {
            let mut item = item("app.usage", "metadata", count, (noon, noon + 5));
            item["source"] = "time-doctor/1.0".into();
            let fields = agent.fields(day as u64, None, (noon, noon + 5), json!([item]));
            agent.send(&fields).await.assert_status(201);
        }
    }
}

async fn declared() -> (TestApp, Uuid, Agent, Actor) {
    let (app, person, agent) = room().await;
    let publisher = app.actor(Role::Publisher).await;
    declare(&app, &publisher, &[("source_name", "time-doctor")]).await;
    (app, person, agent, publisher)
}

async fn silent(app: &TestApp) -> usize {
    collection::find_silent(&app.state).await.expect("looked for");
    found(app, "SILENT_AGENT").await.len()
}

#[tokio::test]
async fn a_declared_program_that_nobody_reports_on_is_found_after_three_days_and_not_before() {
    let (app, person, agent, publisher) = declared().await;
    days(&app, &agent, 2, |_| None).await;
    app.state.clock.advance(4 * 86_400);
    assert_eq!(silent(&app).await, 0, "two days are too few");
    let (app, person_too, agent, publisher_too) = declared().await;
    days(&app, &agent, 3, |_| None).await;
    assert_eq!(silent(&app).await, 0, "reports may still be on their way");
    app.state.clock.advance(2 * 86_400);
    assert_eq!(silent(&app).await, 1);
    assert_eq!(silent(&app).await, 1, "found once");
    assert_eq!(found(&app, "UNDECLARED_AGENT").await.len(), 0);
    assert_eq!(found(&app, "SILENT_AGENT").await[0].2, Some(person_too));
    let page = mine(&app, person_too).await;
    assert!(page.body.contains("Time Doctor is on your computer, and nobody reports what it records"));
    let hr = app.sign_in_as(publisher_too.id()).await.get("/findings").await.assert_status(200);
    assert!(hr.select("section.card .chip").contains(&"A program that is there and says nothing".to_owned()));
    // What is reported afterwards clears nothing (R9).
    let at = 8 * 1440;
    app.state.clock.advance(5 * 86_400);
    let mut late = item("app.usage", "metadata", 3, (at, at + 5));
    late["source"] = "time-doctor/1.0".into();
    agent.send(&agent.fields(0, None, (at, at + 5), json!([late]))).await.assert_status(201);
    assert_eq!(silent(&app).await, 1);
    let _ = (person, publisher);
}

#[tokio::test]
async fn an_agent_that_reports_on_it_prevents_that_even_when_it_saw_nothing() {
    for count in [7, 0] {
        let (app, _, agent, _) = declared().await;
        days(&app, &agent, 3, |day| (day == 1).then_some(count)).await;
        app.state.clock.advance(3 * 86_400);
        assert_eq!(silent(&app).await, 0, "{count} records");
    }
}

#[tokio::test]
async fn what_was_seen_long_apart_or_was_not_declared_is_not_called_silent() {
    let (app, _, agent, _) = declared().await;
    for day in [0, 10, 20] {
        let at = day * 1440 + 180;
        let now = app.state.clock.now().seconds_since(time(at + 5));
        app.state.clock.advance((-now).max(0) + 60);
        send(&app, &agent, &look(&app, &agent, (at, at + 5), &[("time-doctor", By::Process)]))
            .await
            .assert_status(201);
    }
    app.state.clock.advance(3 * 86_400);
    assert_eq!(silent(&app).await, 0);
    let (app, _, agent) = room().await;
    days(&app, &agent, 3, |_| None).await;
    app.state.clock.advance(3 * 86_400);
    assert_eq!(silent(&app).await, 0, "it is found as undeclared");
    assert_eq!(found(&app, "UNDECLARED_AGENT").await.len(), 1);
}

#[tokio::test]
async fn what_was_seen_is_forgotten_in_time_and_findings_are_not() {
    let (app, _, agent) = room().await;
    send(&app, &agent, &look(&app, &agent, (0, 5), &[("time-doctor", By::Process)])).await.assert_status(201);
    let keep = async |days: i64| {
        let now = app.state.clock.now().plus_days(days);
        let mut db = app.state.db.acquire().await.unwrap();
        daylight::database::retention::apply(&mut db, now).await.unwrap();
        (app.count("presence").await, app.count("presence_look").await, app.count("finding").await)
    };
    assert_eq!(keep(99).await, (1, 1, 1));
    assert_eq!(keep(101).await, (1, 0, 1));
    assert_eq!(keep(401).await, (0, 0, 1));
}
