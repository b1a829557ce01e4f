//! Groups of findings: filters, the page of each, and what is kept instead of counted on each look.

use daylight::collection;
use daylight::collection::model::FindingKind;
use daylight::web::Role;
use serde_json::json;

use crate::findings::{answer, declare, group, room};
use crate::support::TestApp;
use crate::support::agent::{Agent, item};
use crate::violations::plant;

const KIND: &str = "COLLECTED_AFTER_OPT_OUT";

#[tokio::test]
async fn a_group_has_its_page() {
    let (app, _, publisher) = room().await;
    let rep = app.actor(Role::Representative).await;
    let path = format!("/findings/{}", group("acme-agent"));
    answer(&publisher, &group("acme-agent"), "0", "An accident.", "yes").await.assert_status(303);
    app.state.clock.advance(2 * 86_400);
    for actor in [app.sign_in_as(publisher.id()).await, app.sign_in_as(rep.id()).await] {
        let page = actor.get(&path).await.assert_status(200);
        let text = page.select("main")[0].clone();
        for words in [
            "Window titles, by Acme-Agent",
            "2 days ago, on 2 Nov 2026",
            "on 2 Nov 2026",
            "fewer than 5 people",
            "Rule R3",
            "An accident.",
            "Answered, which clears nothing",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        for words in ["09:1", "31,337", "laptop", "@example.com"] {
            assert!(!text.contains(words), "{words}");
        }
        assert_eq!(
            page.attributes("form[action='/findings/answer']", "method").len(),
            usize::from(actor.id() == publisher.id())
        );
    }
    let late = app.sign_in_as(rep.id()).await;
    for id in ["000000000000", "x", &"a".repeat(13)] {
        late.get(&format!("/findings/{id}")).await.assert_status(404);
    }
}

#[tokio::test]
async fn groups_can_be_filtered() {
    let (app, people, publisher) = room().await;
    plant(&app, "OPT_OUT_VIOLATION", people[1].0, &people[1].1, "acme-agent").await;
    plant(&app, "HONOURED_AT_GATEWAY", people[1].0, &people[1].1, "acme-agent").await;
    answer(&publisher, &group("acme-agent"), "0", "An accident.", "yes").await.assert_status(303);
    let cards = async |query: &str| {
        let page = publisher.get(&format!("/findings?{query}")).await.assert_status(200);
        page.select("section.card").len()
    };
    assert_eq!(cards("").await, 2);
    assert_eq!(cards(&format!("kind={KIND}")).await, 1);
    assert_eq!(cards("kind=HONOURED_AT_GATEWAY").await, 0, "it would tell of a choice");
    assert_eq!(cards("answer=open").await, 1);
    assert_eq!(cards("category=window.titles").await, 2);
    assert_eq!(cards("category=audio").await, 0);
    let honoured = collection::group_id(FindingKind::HonouredAtGateway, "window.titles", "acme-agent");
    publisher.get(&format!("/findings/{honoured}")).await.assert_status(404);
}

#[tokio::test]
async fn what_is_kept_is_what_would_be_counted() {
    let (app, people, publisher) = room().await;
    for (person, agent) in &people[1..4] {
        plant(&app, KIND, *person, agent, "acme-agent").await;
        plant(&app, KIND, *person, agent, "another").await;
    }
    answer(&publisher, &group("acme-agent"), "0", "An accident.", "yes").await.assert_status(303);
    app.state.clock.advance(600);
    plant(&app, KIND, people[5].0, &people[5].1, "acme-agent").await;
    let (_, agent) = &people[6];
    let seen = item("keystrokes.content", "content", 2, (0, 5));
    agent.send(&agent.fields(0, None, (0, 5), json!([seen]))).await;
    let different: i64 = sqlx::query_scalar(
        "with counted as (
             select f.kind, coalesce(f.category, '') as category, f.program, min(f.found_at) as found_at,
                    date_bin('15 minutes', min(f.first_at), 'epoch') as first_at,
                    date_bin('15 minutes', max(f.last_at), 'epoch') as last_at,
                    min(case when a.at is null then f.first_at when f.found_at > a.at then f.found_at
                             when f.last_at > a.at then a.at end) as open_since
             from finding f left join lateral (select max(at) as at from finding_answer a where a.kind = f.kind
                  and a.category = coalesce(f.category, '') and f.program = any (a.programs)) a on true
             where f.kind <> 'HONOURED_AT_GATEWAY' group by 1, 2, 3)
         select count(*) from counted c full join finding_group g using (kind, category, program)
         where (c.found_at, c.first_at, c.last_at, c.open_since)
               is distinct from (g.found_at, g.first_at, g.last_at, g.open_since)",
    )
    .fetch_one(&app.state.db)
    .await
    .expect("a count");
    assert_eq!(different, 0);
    assert!(app.count("finding_group").await >= 2);
}

#[tokio::test]
async fn records_are_added_by_five_peoples_at_a_time() {
    let (app, people, publisher) = room().await;
    let path = format!("/findings/{}", group("acme-agent"));
    let records = async || {
        let actor = app.sign_in_as(publisher.id()).await;
        let shown = actor.get(&path).await.assert_status(200).body.contains("100,000 or more");
        let kept: i64 = sqlx::query_scalar("select coalesce(sum(records), 0)::bigint from finding_records")
            .fetch_one(&app.state.db)
            .await
            .expect("a sum");
        assert_eq!(shown, kept > 0);
        kept / 31_337
    };
    collection::count_findings(&app.state).await.expect("counted");
    for (person, agent) in &people[1..4] {
        plant(&app, KIND, *person, agent, "acme-agent").await;
    }
    app.state.clock.advance(86_400);
    assert_eq!(records().await, 0, "four people");
    plant(&app, KIND, people[4].0, &people[4].1, "acme-agent").await;
    app.state.clock.advance(86_400);
    assert_eq!(records().await, 5);
    for (person, agent) in &people[5..9] {
        plant(&app, KIND, *person, agent, "acme-agent").await;
        app.state.clock.advance(86_400);
        assert_eq!(records().await, 5, "no difference tells of one");
    }
    plant(&app, KIND, people[9].0, &people[9].1, "acme-agent").await;
    app.state.clock.advance(86_400);
    assert_eq!(records().await, 10, "of five more");
    let page = app.sign_in_as(publisher.id()).await.get(&path).await.assert_status(200);
    assert!(!page.body.contains("313,370"), "roughly");
}

#[tokio::test]
async fn a_name_given_later_splits_no_sum() {
    let app = TestApp::new().await;
    let publisher = app.actor(Role::Publisher).await;
    let mut people = Vec::new();
    for n in 0..12 {
        let person = app.person(&format!("p{n}@example.com"), &[Role::Worker]).await;
        people.push((person, Agent::of(&app, person).await));
    }
    app.state.clock.advance(30 * 60);
    for (n, (person, agent)) in people.iter().enumerate().take(6) {
        // One person's program is another one.
        plant(&app, KIND, *person, agent, if n == 5 { "own-program" } else { "acme-agent" }).await;
    }
    app.state.clock.advance(86_400);
    let hr = app.sign_in_as(publisher.id()).await;
    let unnamed = hr.get(&format!("/findings/{}", group("?"))).await.assert_status(200);
    assert!(unnamed.body.contains("100,000 or more"), "of six");
    declare(&app, &hr).await;
    app.state.clock.advance(86_400);
    let hr = app.sign_in_as(publisher.id()).await;
    let named = hr.get(&format!("/findings/{}", group("acme-agent"))).await.assert_status(200);
    assert!(named.body.contains("5 to 9 people"));
    assert!(
        !named.body.contains("100,000 or more"),
        "their records are in the other sum: no difference tells of one"
    );
}

#[tokio::test]
async fn weeks_are_pictured_and_tell_of_no_gap() {
    let (app, people, publisher) = room().await;
    collection::count_findings(&app.state).await.expect("counted");
    app.state.clock.advance(8 * 86_400);
    // The same small group again, a week later, and a large one.
    plant(&app, KIND, people[1].0, &people[1].1, "acme-agent").await;
    for (person, agent) in &people[2..8] {
        plant(&app, "OPT_OUT_VIOLATION", *person, agent, "acme-agent").await;
    }
    app.state.clock.advance(86_400);
    let page = app.sign_in_as(publisher.id()).await.get("/findings").await.assert_status(200);
    let heads = page.select("table thead th");
    assert_eq!(heads, ["Week of", "Passed on after a no", "Collected after a no"]);
    let rows = page.select("table tbody tr");
    assert_eq!(rows[0], "9 Nov 2026 (so far)1 group, 5 to 9 people0");
    assert_eq!(rows[1], "2 Nov 202601 group, fewer than 5 people");
    assert_eq!(page.select("svg text").iter().filter(|t| *t == "1").count(), 2, "numbers, not colours alone");
}
