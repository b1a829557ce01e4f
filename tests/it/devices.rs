//! "Is this computer yours?": who may say so, and what it does.

use axum::body::Body;
use axum::http::Request;
use daylight::collection;
use daylight::consent::model::Choice;
use daylight::web::Role;
use serde_json::json;
use uuid::Uuid;

use crate::support::agent::{Agent, item};
use crate::support::consent::{OPT_OUT, choose, declare, tell};
use crate::support::{Actor, Reply, TestApp};

struct Room {
    app: TestApp,
    admin: Actor,
    worker: Actor,
    agent: Agent,
    assignment: Uuid,
}

impl Room {
    /// A device that an administrator has just put on a worker's name.
    async fn new() -> Self {
        let app = TestApp::new().await;
        let (admin, worker) = (app.actor(Role::Administrator).await, app.actor(Role::Worker).await);
        let agent = Agent::enrol(&app, "the grey laptop").await;
        let email: String = sqlx::query_scalar("select email from person where id = $1")
            .bind(worker.id())
            .fetch_one(&app.state.db)
            .await
            .expect("an address");
        let path = format!("/devices/{}/assign", agent.device_id);
        admin.post(&path, &[("person", &email)]).await.assert_status(303);
        let assignment = sqlx::query_scalar("select id from device_assignment")
            .fetch_one(&app.state.db)
            .await
            .expect("one");
        app.state.clock.advance(60);
        Room { app, admin, worker, agent, assignment }
    }

    fn path(&self, verb: &str) -> String {
        format!("/me/devices/{}/{verb}", self.assignment)
    }

    /// Says that the computer is theirs, having seen these agents.
    async fn confirm(&self, agents: &[Uuid]) -> Reply {
        let fields: Vec<(&str, String)> = agents.iter().map(|id| ("agent", id.to_string())).collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, id)| (*name, id.as_str())).collect();
        self.worker.post(&self.path("confirm"), &fields).await
    }

    async fn confirmed(&self) -> i64 {
        self.app.count("device_assignment where confirmed_at is not null").await
    }
}

#[tokio::test]
async fn a_person_is_asked_until_they_say_that_it_is_theirs() {
    let room = Room::new().await;
    let asked = "Is this computer yours: the grey laptop?";
    let page = room.worker.get("/me/collection").await.assert_status(200);
    assert!(page.select("h2").contains(&asked.to_owned()));
    assert!(page.body.contains("learn nothing of your choices"));
    assert!(room.admin.get("/agents").await.body.contains("hasn’t said yet that it is theirs"));
    room.confirm(&[room.agent.id]).await.assert_status(303);
    room.confirm(&[room.agent.id]).await.assert_status(303);
    assert_eq!(room.confirmed().await, 1);
    let page = room.worker.get("/me/collection?done=device-confirmed").await.assert_status(200);
    assert!(!page.select("h2").contains(&asked.to_owned()));
    assert!(page.body.contains("On record: this is your computer."));
    assert!(!room.admin.get("/agents").await.body.contains("hasn’t said yet"));
}

#[tokio::test]
async fn nobody_answers_for_somebody_else() {
    let room = Room::new().await;
    let other = room.app.actor(Role::Worker).await;
    for verb in ["confirm", "deny"] {
        other.post(&room.path(verb), &[]).await.assert_status(404);
        room.admin.post(&room.path(verb), &[]).await.assert_status(403);
    }
    assert_eq!(room.confirmed().await, 0);
    let error = collection::confirm_device(&room.app.state, other.id(), room.assignment).await;
    assert!(error.is_err());
}

#[tokio::test]
async fn a_no_takes_it_off_their_name_and_whoever_assigned_it_is_told() {
    let room = Room::new().await;
    room.worker.post(&room.path("deny"), &[]).await.assert_status(303);
    room.worker.post(&room.path("deny"), &[]).await.assert_status(404);
    room.confirm(&[room.agent.id]).await.assert_status(404);
    let page = room.worker.get("/me/collection").await.assert_status(200);
    assert!(
        page.body.contains("You said that it isn’t yours.") && !page.body.contains("Is this computer yours")
    );
    assert_eq!(room.app.count("audit_entry where action = 'device.denied'").await, 2);
    let log = room.admin.get("/me/access-log").await.assert_status(200);
    assert!(log.body.contains("Somebody to whom you had assigned a device said that it isn’t theirs"));
    assert!(room.admin.get("/agents").await.body.contains("whoever had it last said that it isn’t theirs"));
    // What it reports from now on is nobody's.
    room.app.state.clock.advance(600);
    let fields = room.agent.fields(0, None, (5, 10), json!([item("audio", "content", 5, (5, 10))]));
    room.agent.send(&fields).await.assert_status(201);
    assert_eq!(room.app.count("collection_daily").await, 0);
}

#[tokio::test]
async fn a_device_that_comes_back_is_asked_about_again() {
    let room = Room::new().await;
    room.confirm(&[room.agent.id]).await.assert_status(303);
    let (device, admin) = (room.agent.device_id, &room.admin);
    admin.post(&format!("/devices/{device}/release"), &[]).await.assert_status(303);
    room.app.state.clock.advance(60);
    let again = collection::assign(&room.app.state, None, device, room.worker.id()).await.expect("assigned");
    assert_ne!(again, room.assignment);
    room.confirm(&[room.agent.id]).await.assert_status(404);
    let page = room.worker.get("/me/collection").await.assert_status(200);
    assert_eq!(page.attributes("form[action$=confirm]", "action"), [format!("/me/devices/{again}/confirm")]);
}

/// What an agent's bundle says of one processing.
async fn collects(app: &TestApp, agent: &Agent, processing: Uuid) -> bool {
    app.state.consent.reload().await.expect("fresh");
    let request = Request::get(format!("/api/v1/policy/{}", agent.id))
        .header("authorization", format!("Bearer {}", agent.token));
    let bundle = app.visitor().send(request, Body::empty()).await.assert_status(200).json();
    let rules = bundle["rules"].as_array().expect("rules");
    let rule = rules.iter().find(|r| r["processing"] == processing.to_string()).expect("a rule");
    rule["collect"].as_bool().expect("yes or no")
}

async fn count_of(app: &TestApp, person: Uuid, action: &str) -> i64 {
    sqlx::query_scalar("select count(*) from audit_entry where subject_id = $1 and action = $2")
        .bind(person)
        .bind(action)
        .fetch_one(&app.state.db)
        .await
        .expect("a count")
}

#[tokio::test]
async fn an_agent_that_comes_after_the_confirmation_learns_nothing_until_it_is_called_right() {
    let app = TestApp::new().await;
    let (admin, worker) = (app.actor(Role::Administrator).await, app.actor(Role::Worker).await);
    let publisher = app.actor(Role::Publisher).await;
    let optional = declare(&app, &publisher, OPT_OUT).await;
    tell(&app, publisher.id(), &[optional]).await;
    // Two secrets before the device is anybody's; one is used, and the other kept.
    let agent = Agent::enrol(&app, "the grey laptop").await;
    let kept = collection::create_enrolment(&app.state, None, "the grey laptop").await.expect("a secret");
    let email: String = sqlx::query_scalar("select email from person where id = $1")
        .bind(worker.id())
        .fetch_one(&app.state.db)
        .await
        .expect("an address");
    admin
        .post(&format!("/devices/{}/assign", agent.device_id), &[("person", &email)])
        .await
        .assert_status(303);
    let log = worker.get("/me/access-log").await.assert_status(200);
    assert!(log.body.contains("from which an agent reports already"), "{}", log.body);
    assert!(log.body.contains("for which a secret waits"));
    app.state.clock.advance(60);
    let page = worker.get("/me/collection").await.assert_status(200);
    let action = page.attributes("form[action$=confirm]", "action")[0].clone();
    let shown = page.attributes("form[action$=confirm] input[name=agent]", "value");
    assert_eq!(shown, [agent.id.to_string()]);
    assert!(!collects(&app, &agent, optional).await);
    worker.post(&action, &[("agent", &shown[0])]).await.assert_status(303);
    assert!(collects(&app, &agent, optional).await);

    app.state.clock.advance(60);
    let spy = Agent::enrol_with(&app, &kept, "spy/1.0").await;
    assert_eq!(spy.device_id, agent.device_id);
    assert_eq!(count_of(&app, worker.id(), "agent.enrolled").await, 1, "the holder is told");
    assert!(!collects(&app, &spy, optional).await && collects(&app, &agent, optional).await);
    choose(&app, &worker, optional, Choice::No).await.unwrap();
    assert!(!collects(&app, &spy, optional).await && !collects(&app, &agent, optional).await);
    choose(&app, &worker, optional, Choice::Yes).await.unwrap();
    assert!(!collects(&app, &spy, optional).await && collects(&app, &agent, optional).await);
    let revisions: i64 = sqlx::query_scalar("select max(revision) from agent_policy where agent_id = $1")
        .bind(spy.id)
        .fetch_one(&app.state.db)
        .await
        .expect("a revision");
    assert_eq!(revisions, 1, "no decision showed in what it was told");

    let page = worker.get("/me/collection").await.assert_status(200);
    let asked = "Another program reports from your computer the grey laptop".to_owned();
    assert!(page.select("h2").contains(&asked), "{:?}", page.select("h2"));
    assert!(page.body.contains("Another program, spy/1.0,"));
    assert_eq!(page.attributes("form[action$=confirm] input[name=agent]", "value"), [spy.id.to_string()]);
    // A yes to what was shown isn't one to what came meanwhile; nor is the first form's.
    worker.post(&action, &[("agent", &shown[0])]).await.assert_status(409);
    assert!(!collects(&app, &spy, optional).await);

    let deny = |agent: Uuid| action.replace("/confirm", &format!("/agents/{agent}/deny"));
    app.actor(Role::Worker).await.post(&deny(spy.id), &[]).await.assert_status(404);
    worker.post(&deny(agent.id), &[]).await.assert_status(404);
    worker.post(&deny(spy.id), &[]).await.assert_status(303);
    worker.post(&deny(spy.id), &[]).await.assert_status(404);
    let request = Request::get(format!("/api/v1/policy/{}", spy.id))
        .header("authorization", format!("Bearer {}", spy.token));
    app.visitor().send(request, Body::empty()).await.assert_status(401);
    for person in [worker.id(), admin.id()] {
        assert_eq!(count_of(&app, person, "agent.denied").await, 1);
    }
    assert!(collects(&app, &agent, optional).await, "the computer is still theirs");
    assert!(!worker.get("/me/collection").await.select("h2").contains(&asked));
}

#[tokio::test]
async fn a_later_agent_that_is_called_right_is_told_like_the_first() {
    let room = Room::new().await;
    let publisher = room.app.actor(Role::Publisher).await;
    let optional = declare(&room.app, &publisher, OPT_OUT).await;
    tell(&room.app, publisher.id(), &[optional]).await;
    room.confirm(&[]).await.assert_status(409);
    room.confirm(&[room.agent.id]).await.assert_status(303);
    room.app.state.clock.advance(60);
    let second = Agent::enrol(&room.app, "the grey laptop").await;
    let third = Agent::enrol(&room.app, "the grey laptop").await;
    let page = room.worker.get("/me/collection").await.assert_status(200);
    assert!(
        page.select("h2").contains(&"Other programs report from your computer the grey laptop".to_owned())
    );
    room.confirm(&[second.id]).await.assert_status(409);
    assert!(!collects(&room.app, &second, optional).await);
    room.confirm(&[third.id, second.id]).await.assert_status(303);
    for agent in [&room.agent, &second, &third] {
        assert!(collects(&room.app, agent, optional).await);
    }
    assert!(!room.worker.get("/me/collection").await.body.contains("Is that right?"));
}
