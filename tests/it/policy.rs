//! What agents are told, and what they confirm.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use daylight::app::AppState;
use daylight::clock::Time;
use daylight::consent::bundle::{Bundle, Confirmation, PolicyKey};
use daylight::consent::model::Choice;
use daylight::web::Role;
use ed25519_dalek::SigningKey;
use serde_json::json;
use uuid::Uuid;

use crate::support::agent::Agent;
use crate::support::consent::{OPT_OUT, choose, declare, tell};
use crate::support::{Actor, Reply, TestApp};

const MANDATORY: &[(&str, &str)] = &[
    ("choice_mode", "mandatory"),
    ("category", "presence"),
    ("purpose", "daylight:Attendance"),
    ("legal_basis", "eu-gdpr:A6-1-c"),
    ("mandatory_citation", "Working Time Act"),
    ("mandatory_contact", "hr@example.com"),
    ("mandatory_review_date", "2027-06-01"),
];

struct Room {
    app: TestApp,
    worker: Actor,
    agent: Agent,
    /// Opt-out, and mandatory.
    optional: Uuid,
    mandatory: Uuid,
}

impl Room {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let publisher = app.actor(Role::Publisher).await;
        let worker = app.actor(Role::Worker).await;
        let optional = declare(&app, &publisher, OPT_OUT).await;
        let mandatory = declare(&app, &publisher, MANDATORY).await;
        tell(&app, publisher.id(), &[optional, mandatory]).await;
        let agent = Agent::of(&app, worker.id()).await;
        app.state.consent.reload().await.unwrap();
        Room { app, worker, agent, optional, mandatory }
    }

    async fn ask(&self, agent: &Agent, id: Uuid, etag: Option<&str>, wait: u64) -> Reply {
        let mut request = Request::get(format!("/api/v1/policy/{id}?wait={wait}"))
            .header("authorization", format!("Bearer {}", agent.token));
        if let Some(etag) = etag {
            request = request.header("if-none-match", etag);
        }
        self.app.visitor().send(request, Body::empty()).await
    }

    async fn bundle(&self, agent: &Agent) -> (Bundle, String) {
        let reply = self.ask(agent, agent.id, None, 0).await.assert_status(200);
        let key: PolicyKey = serde_json::from_value(
            self.app.visitor().get("/api/v1/policy-key").await.assert_status(200).json(),
        )
        .unwrap();
        let bundle = Bundle::read(reply.body.as_bytes(), &key.key().unwrap()).expect("signed by the server");
        assert_eq!(bundle.agent_id, agent.id);
        (bundle, reply.header("etag").to_owned())
    }

    async fn confirm(&self, bundle: &Bundle, key: &SigningKey) -> Reply {
        self.confirm_at(bundle, key, self.app.state.clock.now()).await
    }

    async fn confirm_at(&self, bundle: &Bundle, key: &SigningKey, applied_at: Time) -> Reply {
        let confirmation = Confirmation::of(&bundle.reference(), self.agent.id, applied_at);
        let body = serde_json::to_value(confirmation.sign(key).unwrap()).unwrap();
        let path = format!("/api/v1/policy/{}/confirmations", self.agent.id);
        self.app.visitor().post_json(&path, &body, Some(&self.agent.token)).await
    }
}

fn collects(bundle: &Bundle, processing: Uuid) -> bool {
    bundle.rules.iter().find(|r| r.processing == processing).expect("a rule").collect
}

#[tokio::test]
async fn a_decision_makes_a_new_revision_that_a_waiting_agent_hears_of() {
    let room = Room::new().await;
    let (first, etag) = room.bundle(&room.agent).await;
    assert!(collects(&first, room.optional) && collects(&first, room.mandatory));
    assert_eq!(first.revision, 1);
    let lines: Vec<bool> = first.rules.iter().map(|r| r.optional).collect();
    assert!(lines.contains(&true) && lines.contains(&false));
    room.ask(&room.agent, room.agent.id, Some(&etag), 0).await.assert_status(304);
    let waiting = room.ask(&room.agent, room.agent.id, Some(&etag), 20);
    let deciding = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        choose(&room.app, &room.worker, room.optional, Choice::No).await.unwrap();
    };
    let (reply, ()) = tokio::join!(waiting, deciding);
    let body: serde_json::Value = reply.assert_status(200).json();
    assert_eq!(body["revision"], 2);
    let (second, _) = room.bundle(&room.agent).await;
    assert!(!collects(&second, room.optional) && collects(&second, room.mandatory));
    choose(&room.app, &room.worker, room.optional, Choice::Yes).await.unwrap();
    let (third, _) = room.bundle(&room.agent).await;
    assert_eq!(third.revision, 3, "what is the same as before is a later revision all the same");
    assert!(collects(&third, room.optional));
    room.app.state.clock.advance(6 * 60);
    let (again, later) = room.bundle(&room.agent).await;
    assert_eq!((again.revision, again.content_hash()), (3, third.content_hash()));
    assert_ne!(later, etag);
    assert!(again.not_after > third.not_after);
}

#[tokio::test]
async fn an_agent_on_a_device_that_nobody_called_theirs_learns_nothing() {
    let room = Room::new().await;
    let strange = Agent::enrol(&room.app, "somebody's, they say").await;
    daylight::collection::assign(&room.app.state, None, strange.device_id, room.worker.id()).await.unwrap();
    let (before, _) = room.bundle(&strange).await;
    assert!(!collects(&before, room.optional) && collects(&before, room.mandatory));
    choose(&room.app, &room.worker, room.optional, Choice::No).await.unwrap();
    choose(&room.app, &room.worker, room.optional, Choice::Yes).await.unwrap();
    let (after, _) = room.bundle(&strange).await;
    assert_eq!((after.revision, after.content_hash()), (before.revision, before.content_hash()));
    let nobodys = Agent::enrol(&room.app, "a spare").await;
    let (empty, _) = room.bundle(&nobodys).await;
    assert!(empty.rules.is_empty());
}

#[tokio::test]
async fn what_may_be_objected_to_is_denied_on_a_device_that_nobody_called_theirs() {
    let room = Room::new().await;
    let publisher = room.app.actor(Role::Publisher).await;
    let changes: Vec<_> = MANDATORY.iter().filter(|(name, _)| *name != "legal_basis").copied().collect();
    let changes =
        [&changes[..], &[("legal_basis", "eu-gdpr:A6-1-f"), ("category", "device.inventory")]].concat();
    let objectable = declare(&room.app, &publisher, &changes).await;
    tell(&room.app, publisher.id(), &[objectable]).await;
    room.app.state.consent.reload().await.unwrap();
    let strange = Agent::enrol(&room.app, "somebody's, they say").await;
    daylight::collection::assign(&room.app.state, None, strange.device_id, room.worker.id()).await.unwrap();
    let (before, _) = room.bundle(&strange).await;
    assert!(!collects(&before, objectable) && collects(&before, room.mandatory));
    let (own, _) = room.bundle(&room.agent).await;
    assert!(collects(&own, objectable), "on their own device it is on until they object");
    let object = Choice::Object { reason: "My work needs none of it.", named: false };
    choose(&room.app, &room.worker, objectable, object).await.unwrap();
    let (after, _) = room.bundle(&strange).await;
    assert_eq!((after.revision, after.content_hash()), (before.revision, before.content_hash()));
    let (own, _) = room.bundle(&room.agent).await;
    assert!(!collects(&own, objectable));
}

#[tokio::test]
async fn a_policy_is_its_own_agents_alone() {
    let room = Room::new().await;
    let other = Agent::enrol(&room.app, "another").await;
    room.ask(&other, room.agent.id, None, 0).await.assert_status(404);
    let none = Request::get(format!("/api/v1/policy/{}", room.agent.id));
    room.app.visitor().send(none, Body::empty()).await.assert_status(401);
    room.worker.get(&format!("/api/v1/policy/{}", room.agent.id)).await.assert_status(401);
    sqlx::query("update agent set revoked_at = now() where id = $1")
        .bind(room.agent.id)
        .execute(&room.app.state.db)
        .await
        .unwrap();
    room.ask(&room.agent, room.agent.id, None, 0).await.assert_status(401);
}

#[tokio::test]
async fn a_confirmation_counts_for_what_the_agent_was_told() {
    let room = Room::new().await;
    let (bundle, _) = room.bundle(&room.agent).await;
    room.confirm(&bundle, &room.agent.key).await.assert_status(201);
    room.confirm(&bundle, &room.agent.key).await.assert_status(200);
    room.confirm(&bundle, &SigningKey::from_bytes(&[3; 32])).await.assert_status(401);
    let never = Bundle { revision: 9, ..bundle.clone() };
    room.confirm(&never, &room.agent.key).await.assert_status(409);
    let other = Bundle { rules: Vec::new(), ..bundle };
    room.confirm(&other, &room.agent.key).await.assert_status(409);
    let path = format!("/api/v1/policy/{}/confirmations", room.agent.id);
    let visitor = room.app.visitor();
    visitor
        .post_json(&path, &json!({"schema": "policy-confirmation/1"}), Some(&room.agent.token))
        .await
        .assert_status(401);
    assert_eq!(room.app.count("policy_confirmation").await, 1);
}

#[tokio::test]
async fn a_confirmation_from_another_age_is_refused() {
    let room = Room::new().await;
    let (bundle, _) = room.bundle(&room.agent).await;
    let made_at = room.app.state.clock.now();
    room.app.state.clock.advance(1_000);
    let long_ago: Time = "2001-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().into();
    let far: Time = "2099-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().into();
    for (applied_at, words) in [
        (long_ago, "before this revision was made"),
        (made_at.plus_seconds(-301), "before this revision was made"),
        (made_at.plus_seconds(1_301), "in the future"),
        (far, "in the future"),
    ] {
        let reply = room.confirm_at(&bundle, &room.agent.key, applied_at).await.assert_status(422);
        assert!(reply.body.contains(words) && reply.body.contains("/applied_at"), "{}", reply.body);
    }
    assert_eq!(room.app.count("policy_confirmation").await, 0);
    room.confirm_at(&bundle, &room.agent.key, made_at.plus_seconds(-300)).await.assert_status(201);
}

#[tokio::test]
async fn an_instance_that_hears_nothing_tells_nothing() {
    let room = Room::new().await;
    let silent = daylight::consent::FRESH_FOR + Duration::from_secs(1);
    room.app.state.consent.heard(tokio::time::Instant::now() - silent);
    room.ask(&room.agent, room.agent.id, None, 0).await.assert_status(503);
}

/// Another instance on the same database and folder, whose memory is as old as it was made.
async fn another(room: &Room) -> AppState {
    let state = &room.app.state;
    let other =
        AppState::new((*state.config).clone(), state.db.clone(), state.clock.clone(), state.random.clone());
    other.consent.reload().await.unwrap();
    other
}

#[tokio::test]
async fn an_instance_with_an_old_memory_rolls_nothing_back() {
    let room = Room::new().await;
    let (first, _) = room.bundle(&room.agent).await;
    let old = another(&room).await;
    choose(&room.app, &room.worker, room.optional, Choice::No).await.unwrap();
    let (second, _) = room.bundle(&room.agent).await;
    assert!(!collects(&second, room.optional) && second.revision > first.revision);
    let elsewhere = room.app.on(old);
    let request = Request::get(format!("/api/v1/policy/{}", room.agent.id))
        .header("authorization", format!("Bearer {}", room.agent.token));
    let reply = elsewhere.send(request, Body::empty()).await.assert_status(200);
    let told: serde_json::Value = reply.json();
    assert_eq!(told["revision"], second.revision);
}

#[tokio::test]
async fn every_instance_hears_of_a_decision_within_a_second() {
    let room = Room::new().await;
    let other = another(&room).await;
    let feed = tokio::spawn(daylight::consent::keep_fresh(other.clone()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let person = room.worker.id();
    let allowed = |state: &AppState| {
        let now = state.clock.now();
        state.consent.read(|s| {
            let rule = s.rules.rules.iter().find(|r| r.processing() == room.optional).unwrap();
            s.people.ask(rule, person, now).allows()
        })
    };
    assert!(allowed(&other));
    choose(&room.app, &room.worker, room.optional, Choice::No).await.unwrap();
    let since = tokio::time::Instant::now();
    while allowed(&other) {
        assert!(since.elapsed() < Duration::from_secs(1), "still allowed after a second");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // What is changed behind the application's back is heard of, too.
    sqlx::query("update person set jurisdiction = 'US-NY' where id = $1")
        .bind(person)
        .execute(&room.app.state.db)
        .await
        .unwrap();
    let now = room.app.state.clock.now();
    let moved = || {
        other.consent.read(|s| {
            let rule = s.rules.rules.iter().find(|r| r.processing() == room.optional).unwrap();
            s.people.ask(rule, person, now) == daylight::consent::model::Why::NotDeclared
        })
    };
    let since = tokio::time::Instant::now();
    while !moved() {
        assert!(since.elapsed() < Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    feed.abort();
}

#[tokio::test]
async fn many_waiting_agents_leave_connections_to_others() {
    let room = Room::new().await;
    let mut agents = vec![(room.agent.id, room.agent.token.clone(), room.bundle(&room.agent).await.1)];
    for _ in 0..12 {
        let agent = Agent::of(&room.app, room.worker.id()).await;
        agents.push((agent.id, agent.token.clone(), room.bundle(&agent).await.1));
    }
    let waiting = futures_util::future::join_all(agents.iter().map(|(id, token, etag)| {
        let request = Request::get(format!("/api/v1/policy/{id}?wait=20"))
            .header("authorization", format!("Bearer {token}"))
            .header("if-none-match", etag);
        let visitor = room.app.visitor();
        async move { visitor.send(request, Body::empty()).await.status }
    }));
    let deciding = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        choose(&room.app, &room.worker, room.optional, Choice::No).await.unwrap();
    };
    // The pool has four connections; thirteen agents wake at once, and each needs a new revision.
    let (statuses, ()) = tokio::join!(waiting, deciding);
    assert_eq!(statuses, [200; 13]);
}

#[tokio::test]
async fn a_feed_that_never_rests_is_fresh_all_the_same() {
    let room = Room::new().await;
    let feed = tokio::spawn(daylight::consent::keep_fresh(room.app.state.clone()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    room.app.state.consent.heard(tokio::time::Instant::now() - Duration::from_secs(9));
    let begin = tokio::time::Instant::now();
    // Never a second without news: what was heard of must not be forgotten over it.
    while begin.elapsed() < Duration::from_millis(2_500) {
        sqlx::query("update person set deactivated_at = null where id = $1")
            .bind(room.worker.id())
            .execute(&room.app.state.db)
            .await
            .unwrap();
        sqlx::query("select pg_notify('daylight_consent', 'rules')")
            .execute(&room.app.state.db)
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(room.app.state.consent.is_fresh());
    feed.abort();
}
