//! What one more person's finding changes for HR: nothing within a band, on no page, feed, message or mail.

use std::collections::BTreeMap;

use daylight::collection;
use daylight::consent::deliver_due;
use daylight::web::Role;

use crate::findings::{group, room};
use crate::findings_feed::listening;
use crate::support::TestApp;
use crate::support::receiver::Receiver;
use crate::support::sweep::text;
use crate::violations::plant;

const KIND: &str = "COLLECTED_AFTER_OPT_OUT";

/// Everything that HR can see of findings, on two days and a Monday, with so many people concerned.
async fn look(concerned: usize) -> BTreeMap<String, String> {
    let (app, people, publisher) = room().await;
    let rep = app.actor(Role::Representative).await;
    let receiver = Receiver::start();
    listening(&app, &receiver.url).await;
    collection::count_findings(&app.state).await.expect("counted");
    let mut seen = BTreeMap::new();
    for (person, agent) in &people[1..concerned] {
        plant(&app, KIND, *person, agent, "acme-agent").await;
    }
    for day in 0..8 {
        for (name, id) in [("publisher", publisher.id()), ("representative", rep.id())] {
            let actor = app.sign_in_as(id).await;
            for path in ["/findings", "/findings/feed.atom", "/organisation", "/systems"] {
                seen.insert(format!("{day} {name} {path}"), told(&actor.get(path).await));
            }
            let path = format!("/findings/{}", group("acme-agent"));
            seen.insert(format!("{day} {name} group"), told(&actor.get(&path).await));
        }
        app.state.clock.advance(86_400);
        collection::count_findings(&app.state).await.expect("counted");
        collection::mail_week(&app.state).await.expect("written");
        deliver_due(&app.state).await.expect("sent");
    }
    let bodies: Vec<String> = receiver.got().iter().map(|m| m.body.clone()).collect();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    seen.insert("messages".into(), bodies.join("\n"));
    let mails: Vec<String> = sqlx::query_scalar("select body from outbox order by body")
        .fetch_all(&app.state.db)
        .await
        .expect("the mails");
    assert!(!mails.is_empty());
    seen.insert("mails".into(), mails.join("\n"));
    seen
}

/// Without the reader's own made-up name, which is random.
fn told(reply: &crate::support::Reply) -> String {
    let lines = text(reply);
    lines
        .lines()
        .filter(|line| !line.contains("/me/account") && !line.contains("<time") || line.contains("card"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn one_more_within_a_band_changes_nothing_anywhere() {
    let (six, seven) = (look(6).await, look(7).await);
    for (place, was) in &six {
        let is = &seven[place];
        let new: Vec<&str> = is.lines().filter(|line| !was.contains(*line)).collect();
        assert!(was == is || new.is_empty(), "{place}: {new:#?}");
    }
    assert!(six.values().any(|page| page.contains("5 to 9 people")), "it is counted at all");
    assert!(six["messages"].contains("findings.changed") && six["mails"].contains("New: 1"));
}

#[tokio::test]
async fn a_first_finding_tells_what_it_may() {
    let (none, one) = (look_without().await, look(1).await);
    assert_ne!(none, one["0 publisher /findings"], "a violation of one is visible");
    for (place, page) in one.iter() {
        for words in ["p0@example.com", "31,337", "09:10", "laptop", "P0"] {
            assert!(!page.contains(words), "{words} in {place}");
        }
    }
}

async fn look_without() -> String {
    let app = TestApp::new().await;
    let page = app.actor(Role::Publisher).await.get("/findings").await.assert_status(200);
    page.body
}

#[tokio::test]
async fn the_same_again_each_day_is_no_news() {
    let (app, people, publisher) = room().await;
    let receiver = Receiver::start();
    listening(&app, &receiver.url).await;
    collection::count_findings(&app.state).await.expect("counted");
    for day in 0..5_i32 {
        app.state.clock.advance(86_400);
        // It was at work on all days but one.
        if day != 2 {
            plant_day(&app, &people[0], day).await;
        }
        collection::count_findings(&app.state).await.expect("counted");
        deliver_due(&app.state).await.expect("sent");
    }
    assert_eq!(receiver.got().len(), 1, "days at work would tell who it is");
    let hr = app.sign_in_as(publisher.id()).await;
    let history = hr.get(&format!("/findings/{}", group("acme-agent"))).await.select(".timeline__title");
    assert_eq!(history, ["First observed", "Found, when it was reported", "Last observed until now"]);
}

/// The same kind of finding on another day.
async fn plant_day(app: &TestApp, (person, agent): &(uuid::Uuid, crate::support::agent::Agent), day: i32) {
    let now = app.state.clock.now();
    sqlx::query(
        "insert into finding (id, kind, person_id, agent_id, category, about, day, first_at, last_at, found_at,
                refused_since, window_start, window_end, collected, forwarded, dropped, reports)
         values ($1, $2, $3, $4, 'window.titles', 'program:acme-agent', date '2026-11-03' + $6::integer, $5, $5, $5, $5,
                 $5, $5, 3, 0, 0, 1)",
    )
    .bind(app.state.random.uuid(now))
    .bind(KIND)
    .bind(person)
    .bind(agent.id)
    .bind(now)
    .bind(day)
    .execute(&app.state.db)
    .await
    .expect("a finding");
}
