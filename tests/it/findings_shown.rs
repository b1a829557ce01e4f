//! What others are shown of findings, and what not: nothing within a day, nothing of an export, and no more than one
//! agent may make up.

use std::time::{Duration, Instant};

use daylight::collection;
use daylight::collection::model::FindingKind;
use serde_json::{Value, json};
use sqlx::Connection;
use uuid::Uuid;

use crate::findings::{answer, group, room};
use crate::support::TestApp;
use crate::support::agent::{Agent, item};

/// The agent's own program recorded calls in these minutes; answers the report's hash.
async fn keys(agent: &Agent, seq: u64, prev: Option<&str>, minutes: (i64, i64)) -> String {
    let seen = item("audio", "content", 2, minutes);
    let sent = agent.send(&agent.fields(seq, prev, minutes, json!([seen]))).await.assert_status(201);
    sent.json()["hash"].as_str().expect("a hash").to_owned()
}

#[tokio::test]
async fn a_report_changes_nothing_for_others_until_the_day_is_over() {
    let (app, people, publisher) = room().await;
    let agent = &people[1].1;
    let hash = keys(agent, 0, None, (0, 5)).await;
    app.state.clock.advance(86_400);
    let paths = ["/findings", "/findings?answer=open", "/organisation", "/findings/feed.atom"];
    let look = async || {
        let actor = app.sign_in_as(publisher.id()).await;
        let mut seen = Vec::new();
        for path in paths {
            let page = actor.get(path).await.assert_status(200);
            seen.push((page.select("section.card"), page.select("entry"), page.select("h2")));
        }
        seen
    };
    let before = look().await;
    assert!(before[0].0.iter().any(|card| card.starts_with("Microphone")), "{:?}", before[0].0);
    keys(agent, 1, Some(&hash), (1440 + 10, 1440 + 15)).await;
    keys(&people[2].1, 0, None, (1440 + 10, 1440 + 15)).await;
    assert_eq!(look().await, before, "at which minute a computer reported is nobody's to know");
    app.state.clock.advance(86_400);
    let after = look().await;
    assert!(after[0].0.iter().any(|card| card.contains("from 2 Nov 2026 to 3 Nov 2026")), "{:?}", after[0].0);
}

/// Somebody answers, days later it happens again, and again: that is told once, until there is another answer.
#[tokio::test]
async fn what_happens_again_after_an_answer_is_told_once() {
    let (app, people, publisher) = room().await;
    let agent = &people[1].1;
    let id = collection::group_id(FindingKind::Undeclared, "audio", "");
    let told = async || -> Vec<String> {
        app.state.clock.advance(86_400);
        collection::count_findings(&app.state).await.expect("counted");
        sqlx::query_scalar(
            "select array_to_string(changes, ' ') from finding_group_day
             where kind = 'UNDECLARED' and category = 'audio' and changes <> '{}' order by day",
        )
        .fetch_all(&app.state.db)
        .await
        .expect("days")
    };
    let over = async |seen: &str| {
        let hr = app.sign_in_as(publisher.id()).await;
        answer(&hr, &id, seen, "A test of the microphones, which is over.", "yes").await.assert_status(303);
    };
    collection::count_findings(&app.state).await.expect("counted");
    let hash = keys(agent, 0, None, (0, 5)).await;
    assert_eq!(told().await, ["new"]);
    over("0").await;
    assert_eq!(told().await, ["new", "answered"]);
    assert_eq!(told().await, ["new", "answered"]);
    let hash = keys(agent, 1, Some(&hash), (3 * 1440, 3 * 1440 + 5)).await;
    assert_eq!(told().await, ["new", "answered", "open"]);
    let hash = keys(agent, 2, Some(&hash), (4 * 1440, 4 * 1440 + 5)).await;
    assert_eq!(told().await, ["new", "answered", "open"], "that it goes on would tell who was at work");
    over("1").await;
    assert_eq!(told().await, ["new", "answered", "open", "answered"]);
    keys(agent, 3, Some(&hash), (6 * 1440, 6 * 1440 + 5)).await;
    for _ in 0..4 {
        assert_eq!(told().await.len(), 4, "answering each day would tell on which days they were at work");
    }
    told().await;
    assert_eq!(told().await, ["new", "answered", "open", "answered", "open"], "of few people once a week");
}

/// The first count of a day may come an hour into it, and a night shift's reports before.
#[tokio::test]
async fn what_happened_again_today_isnt_told_of_yesterday() {
    let (app, people, publisher) = room().await;
    let agent = &people[1].1;
    let id = collection::group_id(FindingKind::Undeclared, "audio", "");
    let hash = keys(agent, 0, None, (0, 5)).await;
    let pass = async |seconds: i64| {
        app.state.clock.advance(seconds);
        collection::count_findings(&app.state).await.expect("counted");
    };
    // From 9:30 to 0:30 of the next day.
    pass(15 * 3600).await;
    let hr = app.sign_in_as(publisher.id()).await;
    answer(&hr, &id, "0", "A test of the microphones, which is over.", "yes").await.assert_status(303);
    app.state.clock.advance(3 * 86_400);
    let now = 30 + 15 * 60 + 3 * 1440;
    keys(agent, 1, Some(&hash), (now - 10, now - 5)).await;
    pass(0).await;
    assert_eq!(app.count("finding_group_day where 'open' = any(changes)").await, 0);
    pass(86_400).await;
    assert_eq!(app.count("finding_group_day where 'open' = any(changes)").await, 1);
}

#[tokio::test]
async fn a_new_group_has_its_row_at_once_and_stays_as_it_came() {
    let (_app, people, publisher) = room().await;
    let cards = async || publisher.get("/findings").await.assert_status(200).select("section.card");
    assert_eq!(cards().await.len(), 1);
    let hash = keys(&people[1].1, 0, None, (0, 5)).await;
    let new = cards().await;
    assert!(new.len() > 1);
    keys(&people[1].1, 1, Some(&hash), (10, 15)).await;
    keys(&people[2].1, 0, None, (20, 25)).await;
    assert_eq!(cards().await, new);
}

/// A finding that rests on an export alone.
async fn plant_from_export(app: &TestApp, person: Uuid, by: Uuid) -> Uuid {
    let (import, id) =
        (app.state.random.uuid(app.state.clock.now()), app.state.random.uuid(app.state.clock.now()));
    sqlx::query(
        "insert into vendor_import (id, program, format, by_id, by_role, at, expires_at, confirmed_at, file_sha256, bytes, records, people)
         values ($1, 'hubstaff', 'hubstaff/screenshots', $2, 'publisher', now(), now(), now(), '', 1, 1, 1)",
    )
    .bind(import)
    .bind(by)
    .execute(&app.state.db)
    .await
    .expect("an import");
    sqlx::query(
        "insert into finding (id, kind, person_id, category, about, first_at, last_at, found_at, import_id)
         values ($1, 'UNDECLARED', $2, 'audio', '', $3, $3, $3, $4)",
    )
    .bind(id)
    .bind(person)
    .bind(app.state.clock.now())
    .bind(import)
    .execute(&app.state.db)
    .await
    .expect("a finding");
    id
}

#[tokio::test]
async fn what_rests_on_an_export_is_told_to_its_person_alone() {
    let (app, people, publisher) = room().await;
    let first = plant_from_export(&app, people[1].0, publisher.id()).await;
    for (person, _) in &people[2..9] {
        plant_from_export(&app, *person, publisher.id()).await;
    }
    sqlx::query("update finding set last_at = last_at + interval '3 days' where category = 'audio'")
        .execute(&app.state.db)
        .await
        .expect("widened");
    app.state.clock.advance(8 * 86_400);
    collection::count_findings(&app.state).await.expect("counted");
    collection::mail_week(&app.state).await.expect("written");
    let hr = app.sign_in_as(publisher.id()).await;
    let page = hr.get("/findings").await.assert_status(200);
    assert_eq!(page.select("section.card").len(), 1);
    assert!(page.body.contains("What an uploaded export shows is told to the person alone"));
    for table in ["finding_group", "finding_group_day", "finding_week", "finding_records"] {
        let sql = format!("select count(*) from {table} where kind = 'UNDECLARED'");
        let n: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&app.state.db).await.expect("a count");
        assert_eq!(n, 0, "{table}");
    }
    let own = app.sign_in_as(people[1].0).await;
    let page = own.get(&format!("/me/findings/{first}")).await.assert_status(200);
    assert!(page.select("main")[0].contains("It rests on an uploaded export alone, unverified"));
    assert!(!page.body.contains("hasn’t answered"), "nobody else knows of it");
    let open = own.get("/me/findings?answer=open").await.assert_status(200);
    assert!(!open.body.contains(&first.to_string()));
}

#[tokio::test]
async fn writers_of_the_same_groups_wait_and_never_for_each_other() {
    let (app, people, _) = room().await;
    let insert = "insert into finding (id, kind, agent_id, category, about, first_at, last_at, found_at)
                  select gen_random_uuid(), 'UNDECLARED', $1, c, '', now(), now(), now() from unnest($2::text[]) c";
    for (_, agent) in &people[3..5] {
        for category in ["screen.video", "camera"] {
            sqlx::query(insert).bind(agent.id).bind([category]).execute(&app.state.db).await.expect("there");
        }
    }
    let mut one = app.state.db.begin().await.expect("a transaction");
    sqlx::query(insert).bind(people[1].1.id).bind(["screen.video"]).execute(&mut *one).await.expect("done");
    let (db, other) = (app.state.db.clone(), people[2].1.id);
    let two = tokio::spawn(async move {
        sqlx::query(insert).bind(other).bind(["screen.video", "camera"]).execute(&db).await.map(|_| ())
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    sqlx::query(insert).bind(people[1].1.id).bind(["camera"]).execute(&mut *one).await.expect("no deadlock");
    one.commit().await.expect("committed");
    two.await.expect("ended").expect("no deadlock");
}

#[tokio::test]
async fn many_findings_are_widened_in_time_after_one_was() {
    let (app, people, _) = room().await;
    let mut db = app.state.db.acquire().await.expect("a connection");
    sqlx::query(
        "insert into finding (id, kind, agent_id, category, about, first_at, last_at, found_at)
         select gen_random_uuid(), 'EXCEEDS', $1, 'audio', 'destination:h' || n, now(), now(), now()
         from generate_series(1, 8000) n",
    )
    .bind(people[0].1.id)
    .execute(&mut *db)
    .await
    .expect("findings");
    for n in 0..8 {
        sqlx::query("update finding set last_at = last_at + interval '1 day' where about = 'destination:h1'")
            .execute(&mut *db)
            .await
            .unwrap_or_else(|e| panic!("{n}: {e}"));
    }
    let begun = Instant::now();
    sqlx::query("update finding set last_at = last_at + interval '20 days' where category = 'audio'")
        .execute(&mut *db)
        .await
        .expect("widened");
    let took = begun.elapsed();
    println!("8,000 findings widened in {took:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    db.ping().await.expect("alive");
}

#[tokio::test]
async fn an_agent_can_name_only_so_many_things_a_day() {
    let (app, people, _) = room().await;
    let (person, agent) = &people[1];
    let items = |from: usize, minutes: (i64, i64)| -> Value {
        let one = |n: usize| {
            let mut one = item("audio", "content", 1, minutes);
            one["source"] = json!(format!("made-up-{n}/1"));
            one
        };
        (from..from + 200).map(one).collect()
    };
    let named = async || -> i64 {
        sqlx::query_scalar("select count(*) from finding where agent_id = $1 and about <> ''")
            .bind(agent.id)
            .fetch_one(&app.state.db)
            .await
            .expect("a count")
    };
    let mut prev: Option<String> = None;
    for seq in 0..3 {
        let minutes = (i64::try_from(seq).expect("small") * 5, i64::try_from(seq).expect("small") * 5 + 5);
        let fields = agent.fields(seq, prev.as_deref(), minutes, items(seq as usize * 200, minutes));
        let sent = agent.send(&fields).await.assert_status(201);
        prev = sent.json()["hash"].as_str().map(str::to_owned);
        assert_eq!(named().await, 51, "fifty, and one for the rest");
    }
    let mine = app.sign_in_as(*person).await.get("/me/findings?kind=UNDECLARED_AGENT&page=1").await;
    let pages = [mine.body, app.sign_in_as(*person).await.get("/me/collection").await.body];
    assert!(pages.iter().any(|page| page.contains("more programs in one day than can be listed")));
    app.state.clock.advance(86_400);
    let minutes = (1440, 1445);
    let fields = agent.fields(3, prev.as_deref(), minutes, items(5000, minutes));
    agent.send(&fields).await.assert_status(201);
    assert_eq!(named().await, 101, "the rest is known already");
}

#[tokio::test]
async fn an_answer_keeps_the_filter_and_the_page() {
    let (_app, people, publisher) = room().await;
    keys(&people[1].1, 0, None, (0, 5)).await;
    let filter = "kind=COLLECTED_AFTER_OPT_OUT&category=window.titles&answer=open";
    let page = publisher.get(&format!("/findings?{filter}")).await.assert_status(200);
    for (name, value) in
        [("in-kind", "COLLECTED_AFTER_OPT_OUT"), ("in-category", "window.titles"), ("in-answer", "open")]
    {
        assert_eq!(page.attributes(&format!("section.card input[name={name}]"), "value"), [value]);
    }
    let id = group("acme-agent");
    let (reason, confirm) = (format!("reason-{id}"), format!("confirm-{id}"));
    let mut fields = vec![
        ("group", id.as_str()),
        ("seen", "0"),
        ("page", "1"),
        ("in-kind", "COLLECTED_AFTER_OPT_OUT"),
        ("in-category", "window.titles"),
        ("in-answer", "open"),
        (&reason, "An accident."),
    ];
    let refused = publisher.post("/findings/answer", &fields).await.assert_status(422);
    assert_eq!(refused.select("section.card").len(), 1, "still filtered");
    assert_eq!(refused.attributes("form.filters option[selected]", "value").len(), 3);
    fields.push((&confirm, "yes"));
    let done = publisher.post("/findings/answer", &fields).await.assert_status(303);
    assert_eq!(done.location(), format!("/findings?{filter}&page=1&done=finding-answered#group-{id}"));
    // From the group's own page one comes back to it.
    let on = [("group", id.as_str()), ("seen", "1"), ("on", "group"), (&reason, "More."), (&confirm, "yes")];
    let refused = publisher.post("/findings/answer", &on[..4]).await.assert_status(422);
    assert_eq!(refused.select("textarea"), ["More."]);
    assert!(refused.body.contains("Rule R3"), "the same page");
    let done = publisher.post("/findings/answer", &on).await.assert_status(303);
    assert_eq!(done.location(), format!("/findings/{id}?done=finding-answered"));
    answer(&publisher, &id, "2", "Again.", "yes").await.assert_status(303);
}
