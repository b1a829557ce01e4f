//! What is collected after somebody said no: what they see of it, and that nobody else sees that it is theirs.

use daylight::app::route_table;
use daylight::clock::Time;
use daylight::collection;
use daylight::web::Role;
use serde_json::json;
use uuid::Uuid;

use crate::support::agent::{Agent, item, minute};
use crate::support::{START, TestApp};

/// No other number on any page.
const RECORDS: i64 = 31_337;

fn at(minutes: i64) -> Time {
    minute(minutes).parse::<jiff::Timestamp>().expect("a time").into()
}

/// A finding about a no, as the intake writes it: observed over ten minutes, on the tests' first day.
pub async fn plant(app: &TestApp, kind: &str, person: Uuid, agent: &Agent, program: &str) -> Uuid {
    let id = app.state.random.uuid(app.state.clock.now());
    let kept = kind != "HONOURED_AT_GATEWAY";
    sqlx::query(
        "insert into finding (id, kind, person_id, agent_id, category, about, day, first_at, last_at, found_at,
                refused_since, window_start, window_end, collected, forwarded, dropped, reports)
         values ($1, $2, $3, $4, 'window.titles', $5, $6::date, $7, $8, $9, $10, $7, $8, $11, 0, $12, 2)",
    )
    .bind(id)
    .bind(kind)
    .bind(person)
    .bind(agent.id)
    .bind(format!("program:{program}"))
    .bind(at(10).day(&jiff::tz::TimeZone::UTC))
    .bind(at(10))
    .bind(at(20))
    .bind(app.state.clock.now())
    .bind(at(0))
    .bind(RECORDS)
    .bind(if kept { 0 } else { RECORDS })
    .execute(&app.state.db)
    .await
    .expect("a finding");
    id
}

async fn room() -> (TestApp, Uuid, Agent) {
    let app = TestApp::new().await;
    let person = app.person("quillon@example.com", &[Role::Worker]).await;
    let agent = Agent::of(&app, person).await;
    app.state.clock.advance(30 * 60);
    (app, person, agent)
}

#[tokio::test]
async fn the_person_sees_it_first_with_its_evidence() {
    let (app, person, agent) = room().await;
    plant(&app, "COLLECTED_AFTER_OPT_OUT", person, &agent, "acme-agent").await;
    let page = app.sign_in_as(person).await.get("/me/collection").await.assert_status(200);
    assert_eq!(page.select("main h2")[0], "Collected or passed on after you said no", "above all else");
    let told = &page.select("main .timeline li")[0];
    for words in [
        "Window titles: Collected and kept by acme-agent after you said no",
        "2 Nov 2026, 09:10",
        "You had said no since 2 Nov 2026, 09:00:00; the grace of 90 seconds ended at 09:01:30.",
        "31,337 records collected, 0 dropped, 0 passed on, in 2 reports",
        "2 Nov 2026, 09:10:00 to 2 Nov 2026, 09:20:00",
        "signed by the agent acme-agent/4.2 on laptop",
        "Your employer hasn’t answered this, since 2 Nov 2026",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(page.select(".stat--attention"), ["1Collected after you said no"]);
    assert_eq!(page.select("article .chip"), ["Collected after you said no"]);
    assert_eq!(page.select(".heat-bad").len(), 1, "its day is red");
    let page = app.sign_in_as(person).await.get("/me/collection/window.titles").await.assert_status(200);
    assert_eq!(page.select("main .chip")[0], "Collected after you said no");
    assert_eq!(page.select("tbody tr")[0], "2 Nov 2026 (so far)unknownyes");

    let other = app.actor(Role::Worker).await.get("/me/collection").await.assert_status(200);
    assert!(!other.body.contains("after you said no</h2>") && !other.body.contains("31,337"));
}

#[tokio::test]
async fn nobody_else_sees_that_it_is_theirs_on_any_page() {
    let (app, person, agent) = room().await;
    let finding = plant(&app, "OPT_OUT_VIOLATION", person, &agent, "acme-agent").await;
    plant(&app, "HONOURED_AT_GATEWAY", person, &agent, "acme-agent").await;
    app.state.clock.advance(86_400);
    let device: String = sqlx::query_scalar("select label from device where id = $1")
        .bind(agent.device_id)
        .fetch_one(&app.state.db)
        .await
        .expect("its device");
    let telling = [RECORDS.to_string(), "31,337".into(), finding.to_string(), "09:10".into()];
    let naming = ["quillon".to_owned(), "Quillon".into(), person.to_string(), agent.id.to_string(), device];
    for role in [Role::Publisher, Role::Representative, Role::Administrator, Role::Worker] {
        let actor = app.actor(role).await;
        for route in route_table().iter().filter(|r| r.method == "GET" && !r.path.contains("{*")) {
            let path = route
                .path
                .replace("{id}", &person.to_string())
                .replace("{category}", "window.titles")
                .replace("{index}", "0")
                .replace("{token}", "none");
            let reply = actor.get(&path).await;
            for words in &telling {
                assert!(!reply.body.contains(words), "{words} at {path} as {role}");
            }
            // Administrators assign devices and so know whose they are; they get no findings.
            if role == Role::Administrator {
                assert!(!reply.body.contains("Passed on after a no"), "{path}");
                continue;
            }
            for words in &naming {
                assert!(!reply.body.contains(words), "{words} at {path} as {role}");
            }
        }
    }
}

#[tokio::test]
async fn a_violation_can_be_neither_removed_nor_made_smaller() {
    let (app, person, agent) = room().await;
    plant(&app, "COLLECTED_AFTER_OPT_OUT", person, &agent, "acme-agent").await;
    for sql in [
        "delete from finding",
        "truncate finding",
        "update finding set collected = collected - 1",
        "update finding set collected = null",
        "update finding set dropped = dropped - 1",
        "update finding set refused_since = refused_since + interval '1 hour'",
        "update finding set refused_since = null",
        "update finding set window_start = window_start + interval '1 hour'",
        "update finding set window_end = null",
        "update finding set day = day + 1",
        "update finding set reports = 0",
        "update finding set kind = 'HONOURED_AT_GATEWAY'",
    ] {
        assert!(sqlx::query(sql).execute(&app.state.db).await.is_err(), "{sql}");
    }
    let more = "update finding set collected = collected + 1, reports = reports + 1";
    sqlx::query(more).execute(&app.state.db).await.expect("evidence may grow");
}

#[tokio::test]
async fn what_was_stopped_is_said_to_have_been_taken() {
    let (app, person, agent) = room().await;
    plant(&app, "HONOURED_AT_GATEWAY", person, &agent, "acme-agent").await;
    let page = app.sign_in_as(person).await.get("/me/collection").await.assert_status(200);
    let words = "Stopped on the way: 31,337 records were taken and dropped, never passed on";
    assert!(page.body.contains(words), "{}", page.body);
    assert!(page.body.contains("this is the agent’s own word"));
    assert!(page.select(".heat-bad").is_empty() && page.select(".card--attention").is_empty());
    assert!(!page.body.to_lowercase().contains("not collected"));

    // Another agent on the same computer, which watched the same hours.
    let other = app.state.random.uuid(app.state.clock.now());
    for (agent, dropped) in [(agent.id, RECORDS), (other, RECORDS - 1)] {
        sqlx::query(
            "insert into agent_count values ('2026-11-02', $1, $2, 'window.titles', 'acme-agent', $3,
             '2026-11-02T09:00Z', '2026-11-02T17:00Z', 28800, $4, $4, 5)",
        )
        .bind(Uuid::nil())
        .bind(person)
        .bind(agent)
        .bind(dropped)
        .execute(&app.state.db)
        .await
        .expect("a count");
    }
    let page = app.sign_in_as(person).await.get("/me/collection/window.titles").await.assert_status(200);
    assert!(page.body.contains("An independent count, by another agent on the same computer, agrees"));
    sqlx::query("update agent_count set dropped = 0 where agent_id = $1")
        .bind(other)
        .execute(&app.state.db)
        .await
        .expect("a count");
    let page = app.sign_in_as(person).await.get("/me/collection/window.titles").await.assert_status(200);
    assert!(page.body.contains("counted differently, so this is not borne out"));
}

#[tokio::test]
async fn what_is_passed_on_says_when_it_was_observed() {
    let (_app, _, agent) = room().await;
    let mut sent = item("app.usage", "metadata", 0, (0, 5));
    sent["forwarded"] = json!({"count": 3, "bytes": 3});
    sent["destination"] = json!({"host": "x.example", "recipient": "org:x", "country": "DE"});
    agent.send(&agent.fields(0, None, (0, 5), json!([sent]))).await.assert_status(422);
}

/// Two agents on one device, reporting every hour of a day on what one program takes.
async fn two_agents(second: impl Fn(i64) -> Option<u32>) -> (TestApp, Uuid) {
    let app = TestApp::new().await;
    let person = app.person("ada@example.com", &[Role::Worker]).await;
    let first = Agent::of(&app, person).await;
    let device: String = sqlx::query_scalar("select label from device where id = $1")
        .bind(first.device_id)
        .fetch_one(&app.state.db)
        .await
        .expect("its device");
    let other = Agent::enrol(&app, &device).await;
    assert_eq!(other.device_id, first.device_id);
    for hour in 0..8 {
        let w = (hour * 60, (hour + 1) * 60);
        app.state.clock.advance(3600);
        let fields = first.fields(hour as u64 * 2, None, w, json!([item("window.titles", "content", 50, w)]));
        first.send(&fields).await.assert_status(201);
        if let Some(count) = second(hour) {
            let items = json!([item("window.titles", "content", count, w)]);
            other.send(&other.fields(hour as u64 * 2, None, w, items)).await.assert_status(201);
        }
    }
    (app, person)
}

async fn misreports(app: &TestApp) -> i64 {
    collection::compare_counts(&app.state).await.expect("compared");
    app.count("finding where kind = 'MISREPORT'").await
}

#[tokio::test]
async fn an_agent_that_counts_less_than_the_one_beside_it_is_found_after_the_lag() {
    let (app, person) = two_agents(|_| Some(0)).await;
    app.state.clock.advance(86_400);
    assert_eq!(misreports(&app).await, 0, "reports may still be on their way");
    app.state.clock.advance(86_400);
    assert_eq!(misreports(&app).await, 1);
    assert_eq!(misreports(&app).await, 1, "found once");
    let page = app.sign_in_as(person).await.get("/me/collection/window.titles").await.assert_status(200);
    assert!(page.body.contains("Two agents on your computer count differently what acme-agent collects"));
    assert!(
        page.body
            .contains("counted 0 records, in 8 reports; acme-agent/4.2 on the same computer counted 400")
    );
    assert_ne!(page.select("main .chip")[0], "As declared");
    let hr = app.actor(Role::Publisher).await.get("/findings").await.assert_status(200);
    assert!(hr.select("section.card .chip").contains(&"Counts that contradict each other".to_owned()));

    // What became due was compared: a day isn't looked at twice.
    let through: Vec<String> =
        sqlx::query_scalar("select through::text from agent_count_compared where lag_hours = 24")
            .fetch_all(&app.state.db)
            .await
            .expect("how far");
    assert_eq!(through, ["2026-11-02"], "{START}");
    app.state.clock.advance(120 * 86_400);
    misreports(&app).await;
    assert_eq!(app.count("agent_count").await, 0, "counts are kept for 100 days");
}

#[tokio::test]
async fn nobody_is_accused_for_an_hour_that_wasnt_watched_or_a_record_a_report() {
    for second in [
        // Fell asleep for an hour; counts a record less in each report.
        (|hour| (hour != 3).then_some(0)) as fn(i64) -> Option<u32>,
        |_| Some(48),
        |hour| (hour < 6).then_some(50),
    ] {
        let (app, _) = two_agents(second).await;
        app.state.clock.advance(3 * 86_400);
        assert_eq!(misreports(&app).await, 0);
    }
}

#[tokio::test]
async fn a_device_with_one_agent_keeps_no_counts_to_compare() {
    let (app, _, agent) = room().await;
    let w = (0, 5);
    agent
        .send(&agent.fields(0, None, w, json!([item("app.usage", "metadata", 9, w)])))
        .await
        .assert_status(201);
    assert_eq!(app.count("agent_count").await, 0);
}
