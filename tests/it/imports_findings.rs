//! What comparing an export with what agents reported and the register declares says of people.

use daylight::imports::compare_imports;
use serde_json::{Value, json};

use crate::imports::{activtrak, room, take};
use crate::support::agent::{Agent, item, minute};
use crate::support::consent;
use crate::support::{Actor, TestApp};

pub async fn declare(app: &TestApp, publisher: &Actor, program: &str, category: &str) {
    let assessed = ("dpia_url", "https://example.com/assessment");
    consent::declare(app, publisher, &[("category", category), ("source_name", program), assessed]).await;
}

pub async fn found(app: &TestApp) -> Vec<(String, String, String, Option<i64>, Option<i64>)> {
    sqlx::query_as(
        "select f.kind, p.email, f.about, f.collected, f.other_collected from finding f join person p on p.id = f.person_id
         where import_id is not null order by 1, 2, 3",
    )
    .fetch_all(&app.state.db)
    .await
    .expect("findings")
}

/// Reports that cover the whole day of 3 November, in windows of four hours; `records` in the first.
pub async fn report_a_day(app: &TestApp, agent: &Agent, program: &str, records: u32, windows: i64) {
    report_a_day_of(app, agent, program, (records, 0), windows).await;
}

/// The same with so many of them dropped before they went anywhere.
pub async fn report_a_day_of(
    app: &TestApp,
    agent: &Agent,
    program: &str,
    (records, dropped): (u32, u32),
    windows: i64,
) {
    let mut prev: Option<String> = None;
    // The tests begin at 9:00 on the 2nd; the 3rd begins 15 hours later.
    for n in 0..windows {
        let span = (15 * 60 + n * 240, 15 * 60 + (n + 1) * 240);
        let mut one = item("screen.image", "count", if n == 0 { records } else { 0 }, span);
        one["source"] = json!(format!("{program}/1.0"));
        if n == 0 && dropped > 0 {
            one["dropped"] = json!({"count": dropped, "reason": "opt_out"});
        }
        let until = minute(span.1).parse::<jiff::Timestamp>().expect("a time");
        let ahead = until.as_second() - app.state.clock.now().jiff().as_second();
        app.state.clock.advance(ahead.max(0));
        let fields = agent.fields(u64::try_from(n).expect("positive"), prev.as_deref(), span, json!([one]));
        let signed = agent.sign(&fields);
        let reply = agent.post(&signed).await;
        assert!(reply.status < 300, "{}", reply.body);
        prev = reply.json()["hash"].as_str().map(str::to_owned);
    }
}

pub fn screenshots(who: &str, day: &str, number: i64) -> String {
    let list: Vec<Value> = (0..number)
        .map(|n| json!({"id": n + 1, "user_id": 7, "recorded_at": format!("{day}T{:02}:{:02}:00Z", 8 + n / 60, n % 60)}))
        .collect();
    json!({"screenshots": list, "users": [{"id": 7, "email": who}]}).to_string()
}

#[tokio::test]
async fn more_than_agents_reported_is_found_after_the_lag_and_not_before() {
    let (app, people, publisher) = room().await;
    declare(&app, &publisher, "hubstaff", "screen.image").await;
    let agent = Agent::of(&app, people[0]).await;
    let idle = Agent::of(&app, people[1]).await;
    let partly = Agent::of(&app, people[2]).await;
    report_a_day(&app, &agent, "hubstaff", 10, 6).await;
    let now = app.state.clock.now();
    for (other, windows) in [(&idle, 6), (&partly, 3)] {
        report_a_day(&app, other, "hubstaff", 0, windows).await;
    }
    assert_eq!(app.state.clock.now(), now);
    let publisher = app.sign_in_as(publisher.id()).await;
    for who in ["p0@example.com", "p1@example.com", "p2@example.com", "p3@example.com"] {
        take(&publisher, "hubstaff/screenshots", screenshots(who, "2026-11-03", 60).as_bytes()).await;
    }
    compare_imports(&app.state).await.expect("compared");
    assert_eq!(found(&app).await, [], "the day's reports are still waited for");
    app.state.clock.advance(3 * 86_400);
    compare_imports(&app.state).await.expect("compared");
    let expected = |who: &str, collected| {
        let about = "program:hubstaff".to_owned();
        ("MISREPORT".to_owned(), who.to_owned(), about, Some(collected), Some(60))
    };
    // p2's computer wasn't watched all day, and p3 has none: nobody is accused for what nobody watched.
    assert_eq!(found(&app).await, [expected("p0@example.com", 10), expected("p1@example.com", 0)]);
    compare_imports(&app.state).await.expect("compared");
    let publisher = app.sign_in_as(publisher.id()).await;
    take(&publisher, "hubstaff/screenshots", screenshots("p0@example.com", "2026-11-03", 60).as_bytes())
        .await;
    compare_imports(&app.state).await.expect("compared");
    assert_eq!(found(&app).await.len(), 2, "twice finds the same");

    let own = app.sign_in_as(people[0]).await.get("/me/collection/screen.image").await.assert_status(200);
    let told = &own.select("main .timeline li")[0];
    for words in [
        "The vendor’s own export of hubstaff holds what agents on your computer did not report",
        "agents reported 10 records, 0 of them dropped",
        "the export holds 60",
        "that HR uploaded on 4 Nov 2026",
        "unverified",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let page = publisher.get("/findings").await.assert_status(200);
    assert!(!page.body.contains("p0@"));
    assert_eq!(page.select("section.card").len(), 0, "told to the person alone");
    for sql in [
        "update finding set import_id = null",
        "delete from finding",
        "update finding set other_collected = 1",
    ] {
        assert!(sqlx::query(sql).execute(&app.state.db).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn within_the_allowance_and_of_other_units_nothing_is_claimed() {
    let (app, people, publisher) = room().await;
    declare(&app, &publisher, "hubstaff", "screen.image").await;
    let agent = Agent::of(&app, people[0]).await;
    report_a_day(&app, &agent, "hubstaff", 50, 6).await;
    let publisher = app.sign_in_as(publisher.id()).await;
    take(&publisher, "hubstaff/screenshots", screenshots("p0@example.com", "2026-11-03", 55).as_bytes())
        .await;
    app.state.clock.advance(5 * 86_400);
    compare_imports(&app.state).await.expect("compared");
    assert_eq!(found(&app).await, []);
}

#[tokio::test]
async fn what_nothing_declared_and_no_agent_reported_is_found() {
    let (app, _, publisher) = room().await;
    declare(&app, &publisher, "activtrak", "app.usage").await;
    app.state.clock.advance(2 * 86_400);
    let publisher = app.sign_in_as(publisher.id()).await;
    // After the declaration: programs are covered, titles are not. Before it: neither.
    let text =
        activtrak(&[("p0@example.com", "2026-11-03T10:00:00Z"), ("p1@example.com", "2026-11-01T10:00:00Z")]);
    take(&publisher, "activtrak/activity-log", text.as_bytes()).await;
    compare_imports(&app.state).await.expect("compared");
    let early = found(&app).await;
    assert!(early.iter().all(|f| f.1 == "p1@example.com"), "the 3rd isn't due yet: {early:?}");
    app.state.clock.advance(3 * 86_400);
    compare_imports(&app.state).await.expect("compared");
    let kinds: Vec<(String, String)> = found(&app).await.into_iter().map(|f| (f.0, f.1)).collect();
    let pair = |kind: &str, who: &str| (kind.to_owned(), who.to_owned());
    assert_eq!(
        kinds,
        [
            pair("UNDECLARED", "p0@example.com"),
            pair("UNDECLARED", "p1@example.com"),
            pair("UNDECLARED", "p1@example.com"),
            pair("UNDECLARED_AGENT", "p1@example.com"),
            pair("UNDECLARED_AGENT", "p1@example.com"),
        ]
    );
    // A day without times accuses only what was undeclared all day: the declaration began at nine.
    let text = "Email,Date,Executable\np5@example.com,2026-11-02,a.exe\np6@example.com,2026-11-01,a.exe\n";
    let publisher = app.sign_in_as(publisher.id()).await;
    take(&publisher, "activtrak/activity-log", text.as_bytes()).await;
    compare_imports(&app.state).await.expect("compared");
    let who: Vec<String> = found(&app).await.into_iter().map(|f| f.1).collect();
    assert!(!who.contains(&"p5@example.com".to_owned()) && who.contains(&"p6@example.com".to_owned()));
}
