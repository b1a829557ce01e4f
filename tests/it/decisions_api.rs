//! What another system is answered when it asks whether data may be used.

use std::time::Duration;

use daylight::app::AppState;
use daylight::consent::model::Choice;
use daylight::consent::pseudonym::Pseudonyms;
use daylight::web::Role;
use uuid::Uuid;

use crate::support::consent::{OPT_IN, OPT_OUT, choose, declare, tell};
use crate::support::receiver::{System, register};
use crate::support::{Actor, TestApp};

const QUERY: &[(&str, &str)] = &[("category", "app.usage"), ("purpose", "dpv:EnforceSecurity")];
const TRAINING: &[(&str, &str)] = &[("category", "app.usage"), ("purpose", "ai:ModelTraining")];

struct Room {
    app: TestApp,
    admin: Actor,
    publisher: Actor,
    worker: Actor,
    /// Opt-out.
    processing: Uuid,
    system: System,
}

impl Room {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let admin = app.actor(Role::Administrator).await;
        let publisher = app.actor(Role::Publisher).await;
        let worker = app.actor(Role::Worker).await;
        let processing = declare(&app, &publisher, OPT_OUT).await;
        tell(&app, publisher.id(), &[processing]).await;
        app.state.consent.reload().await.unwrap();
        let system = register(&app, &admin, "Planner", &[processing], "").await;
        Room { app, admin, publisher, worker, processing, system }
    }

    fn known_as(&self, person: Uuid, system: &System) -> Uuid {
        Pseudonyms::new(&self.app.state.consent.secrets().unwrap().pseudonyms, system.id).of(person)
    }

    /// "allow known"
    async fn ask(&self, query: &[(&str, &str)]) -> String {
        said(self.system.ask(&self.app.visitor(), self.known_as(self.worker.id(), &self.system), query).await)
    }

    async fn choose(&self, processing: Uuid, choice: Choice<'_>) {
        choose(&self.app, &self.worker, processing, choice).await.unwrap();
    }
}

fn said(reply: crate::support::Reply) -> String {
    let json = reply.assert_status(200).json();
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(2), "{json}");
    format!("{} {}", json["decision"], json["reason"]).replace('"', "")
}

#[tokio::test]
async fn a_choice_is_answered_and_nothing_of_what_led_to_it() {
    let room = Room::new().await;
    assert_eq!(room.ask(QUERY).await, "allow known");
    room.choose(room.processing, Choice::No).await;
    assert_eq!(room.ask(QUERY).await, "deny known");
    room.choose(room.processing, Choice::Yes).await;
    assert_eq!(room.ask(QUERY).await, "allow known");
    // Never asked, refused, taken back, and objected to read the same.
    let opt_in = declare(&room.app, &room.publisher, OPT_IN).await;
    let objection = declare(&room.app, &room.publisher, &[("category", "presence")]).await;
    tell(&room.app, room.publisher.id(), &[opt_in, objection]).await;
    room.app.state.consent.reload().await.unwrap();
    let system = register(&room.app, &room.admin, "All", &[opt_in, objection], "").await;
    let subject = room.known_as(room.worker.id(), &system);
    let ask = async |query| said(system.ask(&room.app.visitor(), subject, query).await);
    assert_eq!(ask(TRAINING).await, "deny known");
    for choice in [Choice::No, Choice::Yes, Choice::No] {
        room.choose(opt_in, choice).await;
        let expected = if choice == Choice::Yes { "allow known" } else { "deny known" };
        assert_eq!(ask(TRAINING).await, expected);
    }
    room.choose(objection, Choice::Object { reason: "Mine.", named: true }).await;
    let presence = [("category", "presence"), ("purpose", "dpv:EnforceSecurity")];
    assert_eq!(ask(&presence).await, "deny known");
}

#[tokio::test]
async fn whoever_isnt_known_and_whom_it_doesnt_concern_read_the_same() {
    let room = Room::new().await;
    let visitor = room.app.visitor();
    // In Germany nothing is declared; in the EU's other places it is, and no notice tells of it.
    let elsewhere = room.app.person("elsewhere@example.com", &[Role::Worker]).await;
    sqlx::query("update person set jurisdiction = 'DE' where id = $1")
        .bind(elsewhere)
        .execute(&room.app.state.db)
        .await
        .unwrap();
    let gone = room.app.person("gone@example.com", &[Role::Worker]).await;
    sqlx::query("update person set deactivated_at = now() where id = $1")
        .bind(gone)
        .execute(&room.app.state.db)
        .await
        .unwrap();
    let untold =
        declare(&room.app, &room.publisher, &[("category", "presence"), ("choice_mode", "opt_out")]).await;
    room.app.state.consent.reload().await.unwrap();
    let other = register(&room.app, &room.admin, "Other", &[room.processing, untold], "").await;
    let mut replies = Vec::new();
    for subject in [
        Uuid::from_u128(7),
        Uuid::nil(),
        room.worker.id(),
        room.known_as(room.worker.id(), &room.system),
        room.known_as(elsewhere, &other),
        room.known_as(gone, &other),
    ] {
        replies.push(other.ask(&visitor, subject, QUERY).await.assert_status(200));
    }
    let untold = [("category", "presence"), ("purpose", "dpv:EnforceSecurity")];
    replies.push(other.ask(&visitor, room.known_as(room.worker.id(), &other), &untold).await);
    // What it may not ask about, and what nobody declares.
    replies.push(room.system.ask(&visitor, room.known_as(room.worker.id(), &room.system), &untold).await);
    replies.push(other.ask(&visitor, room.known_as(room.worker.id(), &other), TRAINING).await);
    for reply in &replies {
        assert_eq!(reply.body, r#"{"decision":"deny","reason":"known"}"#);
        assert_eq!(reply.status, 200);
        let names = |r: &crate::support::Reply| r.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(reply), names(&replies[0]));
        assert_eq!(reply.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn what_isnt_in_the_taxonomy_or_no_system_asks_is_refused() {
    let room = Room::new().await;
    let visitor = room.app.visitor();
    let subject = room.known_as(room.worker.id(), &room.system);
    for query in [
        [("category", "dreams"), ("purpose", "dpv:EnforceSecurity")],
        [("category", "app.usage"), ("purpose", "dpv:Fun")],
    ] {
        let problem = room.system.ask(&visitor, subject, &query).await.assert_status(422);
        assert!(!problem.body.contains("dreams") && !problem.body.contains("Fun"), "{}", problem.body);
    }
    let stranger = System { id: Uuid::nil(), token: "x".repeat(43), secret: String::new() };
    stranger.ask(&visitor, subject, QUERY).await.assert_status(401);
    visitor
        .get(&format!("/api/v1/decision?subject={subject}&category=app.usage&purpose=dpv:EnforceSecurity"))
        .await
        .assert_status(401);
    let field = format!("revoke-{}", room.system.id);
    let revoke = format!("/systems/{}/revoke", room.system.id);
    room.admin.post(&revoke, &[(field.as_str(), "yes")]).await.assert_status(303);
    room.system.ask(&visitor, subject, QUERY).await.assert_status(401);
}

#[tokio::test]
async fn without_a_source_all_of_them_must_allow() {
    let room = Room::new().await;
    let second: Vec<_> = OPT_OUT.iter().copied().chain([("source_name", "Beta-Agent/2")]).collect();
    let second = declare(&room.app, &room.publisher, &second).await;
    tell(&room.app, room.publisher.id(), &[second]).await;
    room.app.state.consent.reload().await.unwrap();
    assert_eq!(room.ask(QUERY).await, "deny known", "one that it isn't told of could be meant");
    let from = |source| [QUERY, &[("source", source)]].concat();
    assert_eq!(room.ask(&from("acme-agent/4.2")).await, "allow known");
    let system = register(&room.app, &room.admin, "Both", &[room.processing, second], "").await;
    let subject = room.known_as(room.worker.id(), &system);
    let ask = async |query: &[(&str, &str)]| said(system.ask(&room.app.visitor(), subject, query).await);
    assert_eq!(ask(QUERY).await, "allow known");
    room.choose(second, Choice::No).await;
    assert_eq!(ask(QUERY).await, "deny known");
    assert_eq!(ask(&from("acme-agent")).await, "allow known");
    assert_eq!(ask(&from("BETA-AGENT/3")).await, "deny known");
    assert_eq!(ask(&from("gamma-agent")).await, "deny known");
}

#[tokio::test]
async fn a_memory_that_may_be_old_denies() {
    let room = Room::new().await;
    assert_eq!(room.ask(QUERY).await, "allow known");
    let silent = daylight::consent::FRESH_FOR + Duration::from_secs(1);
    room.app.state.consent.heard(tokio::time::Instant::now() - silent);
    assert_eq!(room.ask(QUERY).await, "deny stale");
    // A server that knows nothing yet doesn't know the token either, and says so.
    let fresh = another(&room);
    let subject = room.known_as(room.worker.id(), &room.system);
    room.system.ask(&room.app.on(fresh), subject, QUERY).await.assert_status(503);
}

fn another(room: &Room) -> AppState {
    let state = &room.app.state;
    AppState::new((*state.config).clone(), state.db.clone(), state.clock.clone(), state.random.clone())
}

#[tokio::test]
async fn another_instance_answers_by_a_decision_within_a_second() {
    let room = Room::new().await;
    let other = another(&room);
    let feed = tokio::spawn(daylight::consent::keep_fresh(other.clone()));
    let visitor = room.app.on(other.clone());
    let subject = room.known_as(room.worker.id(), &room.system);
    let ask = async || {
        let reply = room.system.ask(&visitor, subject, QUERY).await;
        reply.json()["decision"].as_str().unwrap_or("not yet").to_owned()
    };
    let until = async |expected: &str| {
        let since = tokio::time::Instant::now();
        while ask().await != expected {
            assert!(since.elapsed() < Duration::from_secs(1), "not {expected} within a second");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    while !other.consent.is_fresh() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    until("allow").await;
    room.choose(room.processing, Choice::No).await;
    until("deny").await;
    room.choose(room.processing, Choice::Yes).await;
    until("allow").await;
    // Revoking reaches it as well.
    let field = format!("revoke-{}", room.system.id);
    let revoke = format!("/systems/{}/revoke", room.system.id);
    room.admin.post(&revoke, &[(field.as_str(), "yes")]).await.assert_status(303);
    let since = tokio::time::Instant::now();
    while room.system.ask(&visitor, subject, QUERY).await.status != 401 {
        assert!(since.elapsed() < Duration::from_secs(1), "a revoked token still counts after a second");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    feed.abort();
}
