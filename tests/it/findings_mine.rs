//! A person's own findings: evidence, rule and history, and nobody else's.

use daylight::web::Role;
use serde_json::json;
use uuid::Uuid;

use crate::findings::{answer, declare, group, room};
use crate::support::agent::{Agent, item};
use crate::support::{START, TestApp};
use crate::violations::plant;

const KIND: &str = "COLLECTED_AFTER_OPT_OUT";

#[tokio::test]
async fn each_finding_has_its_evidence_rule_answer_and_history() {
    let (app, people, publisher) = room().await;
    let id: Uuid =
        sqlx::query_scalar("select id from finding").fetch_one(&app.state.db).await.expect("the finding");
    answer(&publisher, &group("acme-agent"), "0", "An accident.", "yes").await.assert_status(303);
    app.state.clock.advance(3 * 86_400);
    let worker = app.sign_in_as(people[0].0).await;
    let mine = worker.get("/me/collection").await.assert_status(200);
    assert!(mine.attributes("a", "href").contains(&"/me/findings".to_owned()));
    assert!(mine.attributes("a", "href").contains(&format!("/me/findings/{id}")));
    let list = worker.get("/me/findings").await.assert_status(200);
    assert_eq!(list.attributes("section.card", "id"), [format!("finding-{id}")]);
    let one = worker.get(&format!("/me/findings/{id}")).await.assert_status(200);
    for page in [&list, &one] {
        let text = page.select("main")[0].clone();
        for words in [
            "Collected and kept by acme-agent after you said no",
            "31,337 records collected",
            "3 days ago, 2 Nov 2026, 09:30",
            "Rule R3",
            "no for more than 90 seconds",
            "It doesn’t say that the records left the computer.",
            "An accident.",
            "First observed",
            "Answered by your employer, which clears nothing",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    let history = one.select("ol .timeline__title");
    let expected = [
        "First observed",
        "Last observed",
        "Found, when it was reported",
        "Answered by your employer, which clears nothing",
    ];
    assert_eq!(history, expected);
}

#[tokio::test]
async fn nobody_opens_anothers_finding() {
    let (app, people, _) = room().await;
    let id: Uuid =
        sqlx::query_scalar("select id from finding").fetch_one(&app.state.db).await.expect("the finding");
    let other = app.sign_in_as(people[1].0).await;
    other.get(&format!("/me/findings/{id}")).await.assert_status(404);
    let list = other.get("/me/findings").await.assert_status(200);
    assert_eq!(list.select(".empty__title"), ["Nothing was found"]);
    assert!(list.body.contains("What no agent reports can’t be found."));
    assert!(!list.body.contains(&id.to_string()) && !list.body.contains("31,337"));
    // Not with other roles either, nor as whoever answers for it.
    for role in [Role::Publisher, Role::Representative, Role::Administrator] {
        app.actor(role).await.get(&format!("/me/findings/{id}")).await.assert_status(403);
    }
    for path in ["/me/findings/nothing".to_owned(), format!("/me/findings/{}", Uuid::nil())] {
        other.get(&path).await.assert_status(404);
    }
}

#[tokio::test]
async fn what_was_observed_again_and_declared_later_stands_in_the_history() {
    let app = TestApp::new().await;
    let person = app.person("ada@example.com", &[Role::Worker]).await;
    let agent = Agent::of(&app, person).await;
    let publisher = app.actor(Role::Publisher).await;
    let mut prev: Option<String> = None;
    for (seq, start) in [(0, 0), (1, 10), (2, 1450), (3, 1460)] {
        let now = app.state.clock.now();
        let begin: jiff::Timestamp = START.parse().unwrap();
        let passed = now.jiff().as_second() - begin.as_second();
        app.state.clock.advance((start + 6) * 60 - passed);
        let mut seen = item("window.titles", "content", 2, (start, start + 5));
        seen["field"] = json!("prompt");
        let report = agent.sign(&agent.fields(seq, prev.as_deref(), (start, start + 5), json!([seen])));
        let reply = agent.post(&report).await.assert_status(201);
        prev = reply.json()["hash"].as_str().map(Into::into);
        assert!(prev.is_some(), "{}", reply.body);
    }
    declare(&app, &app.sign_in_as(publisher.id()).await).await;
    let worker = app.sign_in_as(person).await;
    let id: Uuid = sqlx::query_scalar("select id from finding where kind = 'UNDECLARED'")
        .fetch_one(&app.state.db)
        .await
        .expect("one finding for all of it");
    let page = worker.get(&format!("/me/findings/{id}")).await.assert_status(200);
    let history = page.select("ol .timeline__title");
    let expected = [
        "First observed",
        "Found, when it was reported",
        "Observed again",
        "Last observed",
        "Declared, which doesn’t clear what was found before",
    ];
    assert_eq!(history, expected, "once a day, not once a report");
    assert!(page.body.contains("the prompt itself"));
    let seen = "finding_seen s join finding f on f.id = s.finding_id where f.kind = 'UNDECLARED'";
    assert_eq!(app.count(seen).await, 1);
}

#[tokio::test]
async fn many_findings_come_in_pages_and_can_be_filtered() {
    let (app, people, publisher) = room().await;
    let (person, agent) = &people[0];
    for n in 0..22 {
        plant(&app, "OPT_OUT_VIOLATION", *person, agent, &format!("program{n}")).await;
    }
    plant(&app, "HONOURED_AT_GATEWAY", *person, agent, "acme-agent").await;
    answer(&publisher, &group("acme-agent"), "0", "An accident.", "yes").await.assert_status(303);
    let worker = app.sign_in_as(*person).await;
    let cards = async |query: &str| {
        let page = worker.get(&format!("/me/findings?{query}")).await.assert_status(200);
        page.select("section.card").len()
    };
    assert_eq!(cards("").await, 20);
    assert_eq!(cards("page=2").await, 3, "what was stopped isn’t among them");
    assert_eq!(cards(&format!("kind={KIND}")).await, 1);
    assert_eq!(cards("kind=HONOURED_AT_GATEWAY").await, 1);
    assert_eq!(cards("answer=answered").await, 1);
    assert_eq!(cards("answer=open&page=2").await, 2);
    assert_eq!(cards("category=audio").await, 0);
    let none = worker.get("/me/findings?category=audio").await.assert_status(200);
    assert_eq!(none.select(".empty__title"), ["No finding fits"]);
    let next = worker.get("/me/findings?answer=open").await.assert_status(200);
    let links = next.attributes("a", "href");
    assert!(links.contains(&"/me/findings?answer=open&page=2".to_owned()), "{links:?}");
    // The picture has its table.
    let table = next.select("table tbody tr");
    assert_eq!(table.len(), 26);
    assert_eq!(table[0], "2 Nov 2026 (so far)221", "{}", table[0]);
    assert_eq!(next.attributes("svg[role=img]", "aria-label").len(), 1);
}
