//! From somebody's no to what a report that comes after it says of them: decisions, notices and reports together.

use daylight::consent::model::Choice;
use daylight::notices::ChangeClass;
use daylight::web::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::agent::{Agent, item};
use crate::support::consent::{OPT_IN, OPT_OUT, choose, declare, tell, tell_again};
use crate::support::{Actor, TestApp, notice};

struct Room {
    app: TestApp,
    publisher: Actor,
    worker: Actor,
    agent: Agent,
}

const PLENTY: &[(&str, &str)] = &[("frequency", "continuous"), ("frequency_every", ""), ("max_per_day", "")];

impl Room {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let publisher = app.actor(Role::Publisher).await;
        let worker = app.actor(Role::Worker).await;
        let agent = Agent::of(&app, worker.id()).await;
        Room { app, publisher, worker, agent }
    }

    async fn declare(&self, changes: &[(&str, &str)]) -> Uuid {
        let changes: Vec<_> = changes.iter().chain(PLENTY).copied().collect();
        declare(&self.app, &self.publisher, &changes).await
    }

    /// Moves the clock to so many minutes after the tests' start.
    fn at(&self, minutes: i64) {
        let start: jiff::Timestamp = crate::support::START.parse().unwrap();
        let now = self.app.state.clock.now();
        self.app.state.clock.advance(minutes * 60 - now.seconds_since(start.into()));
    }

    /// Reports these records of the programs that somebody uses.
    async fn report(&self, seq: u64, prev: Option<&str>, minutes: (i64, i64), items: Value) -> String {
        self.at(minutes.1);
        let fields = self.agent.fields(seq, prev, minutes, items);
        let receipt = self.agent.send(&fields).await.assert_status(201).json();
        receipt["hash"].as_str().unwrap().to_owned()
    }

    async fn violations(&self) -> i64 {
        self.app.count("finding where kind = 'COLLECTED_AFTER_OPT_OUT'").await
    }
}

#[tokio::test]
async fn what_is_collected_after_a_no_is_on_the_page_at_once() {
    let room = Room::new().await;
    let id = room.declare(OPT_OUT).await;
    tell(&room.app, room.publisher.id(), &[id]).await;
    let programs = |minutes| json!([item("app.usage", "metadata", 3, minutes)]);
    let first = room.report(0, None, (0, 5), programs((0, 5))).await;
    assert_eq!(room.violations().await, 0);
    room.at(6);
    choose(&room.app, &room.worker, id, Choice::No).await.unwrap();
    // Within the grace an agent may not have heard of it.
    let second = room.report(1, Some(&first), (5, 7), programs((5, 7))).await;
    assert_eq!(room.violations().await, 0);
    let third = room.report(2, Some(&second), (7, 12), programs((8, 12))).await;
    assert_eq!(room.violations().await, 1);
    let page = room.worker.get("/me/collection").await.assert_status(200);
    assert!(page.select("main").concat().contains("after you said no"), "{}", page.select("main").concat());
    // A yes clears nothing, and makes nothing of what came before it.
    room.at(20);
    choose(&room.app, &room.worker, id, Choice::Yes).await.unwrap();
    let late = room.agent.fields(3, Some(&third), (12, 18), programs((13, 18)));
    room.agent.send(&late).await.assert_status(201);
    let kept: i64 = sqlx::query_scalar(
        "select sum(collected)::bigint from finding where kind = 'COLLECTED_AFTER_OPT_OUT'",
    )
    .fetch_one(&room.app.state.db)
    .await
    .unwrap();
    assert_eq!(kept, 6, "what was observed before the yes is held against the agent, though it came after");
}

#[tokio::test]
async fn an_opt_in_is_off_until_a_yes_and_again_when_the_notice_changes() {
    let room = Room::new().await;
    let id = room.declare(OPT_IN).await;
    let notice = tell(&room.app, room.publisher.id(), &[id]).await;
    let programs = |minutes| json!([item("app.usage", "metadata", 1, minutes)]);
    let first = room.report(0, None, (2, 4), programs((2, 4))).await;
    assert_eq!(room.violations().await, 1, "nobody had said yes");
    room.at(10);
    choose(&room.app, &room.worker, id, Choice::Yes).await.unwrap();
    let second = room.report(1, Some(&first), (10, 15), programs((11, 15))).await;
    let count = |app: &TestApp| {
        let db = app.state.db.clone();
        async move {
            sqlx::query_scalar::<_, i64>(
                "select sum(collected)::bigint from finding where kind = 'COLLECTED_AFTER_OPT_OUT'",
            )
            .fetch_one(&db)
            .await
            .unwrap()
        }
    };
    assert_eq!(count(&room.app).await, 1);
    tell_again(&room.app, &notice, ChangeClass::Material).await;
    room.report(2, Some(&second), (15, 20), programs((17, 20))).await;
    assert_eq!(count(&room.app).await, 2, "the yes was to the version before");
}

#[tokio::test]
async fn what_was_taken_and_dropped_is_said_to_have_been_taken() {
    let room = Room::new().await;
    let id = room.declare(OPT_OUT).await;
    tell(&room.app, room.publisher.id(), &[id]).await;
    choose(&room.app, &room.worker, id, Choice::No).await.unwrap();
    let mut dropped = item("app.usage", "metadata", 4, (5, 9));
    dropped["dropped"] = json!({"count": 4, "reason": "opt_out"});
    room.report(0, None, (5, 10), json!([dropped])).await;
    assert_eq!(room.violations().await, 0);
    assert_eq!(room.app.count("finding where kind = 'HONOURED_AT_GATEWAY'").await, 1);
    let page = room.worker.get("/me/collection").await.assert_status(200);
    assert!(page.select("main").concat().contains("never passed on"));
}

#[tokio::test]
async fn taking_the_notice_back_doesnt_take_a_no_back() {
    let room = Room::new().await;
    let id = room.declare(OPT_OUT).await;
    let told = tell(&room.app, room.publisher.id(), &[id]).await;
    room.at(1);
    choose(&room.app, &room.worker, id, Choice::No).await.unwrap();
    room.at(2);
    notice::retract(&room.app, &told, "A mistake").await;
    room.report(0, None, (5, 10), json!([item("app.usage", "metadata", 7, (5, 10))])).await;
    assert_eq!(room.violations().await, 1);
    assert_eq!(room.app.count("finding where about = 'notice'").await, 0, "the no is the worse of the two");
}

#[tokio::test]
async fn what_is_collected_when_no_notice_tells_of_it_any_more_is_found() {
    let room = Room::new().await;
    let id = room.declare(OPT_OUT).await;
    let programs = |minutes| json!([item("app.usage", "metadata", 3, minutes)]);
    let first = room.report(0, None, (0, 2), programs((0, 2))).await;
    let told = tell(&room.app, room.publisher.id(), &[id]).await;
    let second = room.report(1, Some(&first), (2, 5), programs((3, 5))).await;
    notice::retract(&room.app, &told, "A mistake").await;
    let third = room.report(2, Some(&second), (5, 6), programs((5, 6))).await;
    assert_eq!(room.app.count("finding").await, 0, "before any notice, under it, and within the grace");
    room.report(3, Some(&third), (6, 12), programs((8, 12))).await;
    assert_eq!(room.app.count("finding where kind = 'EXCEEDS' and about = 'notice'").await, 1);
    assert_eq!(room.app.count("finding").await, 1);
    let page = room.worker.get("/me/collection").await.assert_status(200);
    let words = "Collected although no notice in force told you of it";
    assert!(page.select("main").concat().contains(words), "{}", page.select("main").concat());
    assert_eq!(page.select(".heat-bad").len(), 1, "its day is red");
    let hr = room.publisher.get("/findings").await.assert_status(200);
    assert!(hr.body.contains("no notice in force told of it any more"), "{}", hr.body);
}

#[tokio::test]
async fn a_move_clears_nothing_that_came_before_it() {
    let room = Room::new().await;
    let id = room.declare(OPT_OUT).await;
    tell(&room.app, room.publisher.id(), &[id]).await;
    choose(&room.app, &room.worker, id, Choice::No).await.unwrap();
    room.at(20);
    let admin = room.app.actor(Role::Administrator).await;
    let fields =
        [("name", "Ada"), ("email", "moved@example.com"), ("jurisdiction", "US-NY"), ("roles", "worker")];
    admin.post(&format!("/people/{}", room.worker.id()), &fields).await.assert_status(303);
    assert_eq!(
        room.app.count("person_audience where since = '2026-11-02T09:20Z' and jurisdiction = 'US-NY'").await,
        1
    );
    // Observed where a no stood, reported when its author was elsewhere.
    let before = json!([item("app.usage", "metadata", 3, (5, 10))]);
    let first = room.report(0, None, (5, 10), before).await;
    assert_eq!(room.violations().await, 1);
    assert_eq!(room.app.count("finding where kind = 'UNDECLARED'").await, 0);
    // Nothing is declared where they are now.
    let after = json!([item("app.usage", "metadata", 3, (25, 30))]);
    room.report(1, Some(&first), (25, 30), after).await;
    assert_eq!(room.violations().await, 1);
    assert_eq!(room.app.count("finding where kind = 'UNDECLARED'").await, 1);
}

#[tokio::test]
async fn where_somebody_was_is_never_rewritten() {
    let room = Room::new().await;
    for sql in [
        "update person_audience set since = since - interval '1 day'",
        "delete from person_audience",
        "truncate person_audience",
    ] {
        assert!(sqlx::query(sql).execute(&room.app.state.db).await.is_err(), "{sql}");
    }
    // A change by hand is kept, too, and one of something else isn't.
    let before = room.app.count("person_audience").await;
    for sql in
        ["update person set name = 'X'", "update person set jurisdiction = 'DE' where jurisdiction = 'EU'"]
    {
        sqlx::query(sql).execute(&room.app.state.db).await.unwrap();
    }
    assert_eq!(room.app.count("person_audience").await, 2 * before);
}
