//! "Is this computer yours?": who may say so, and what it does.

use daylight::collection;
use daylight::web::Role;
use serde_json::json;
use uuid::Uuid;

use crate::support::agent::{Agent, item};
use crate::support::{Actor, TestApp};

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
    room.worker.post(&room.path("confirm"), &[]).await.assert_status(303);
    room.worker.post(&room.path("confirm"), &[]).await.assert_status(303);
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
    room.worker.post(&room.path("confirm"), &[]).await.assert_status(404);
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
    room.worker.post(&room.path("confirm"), &[]).await.assert_status(303);
    let (device, admin) = (room.agent.device_id, &room.admin);
    admin.post(&format!("/devices/{device}/release"), &[]).await.assert_status(303);
    room.app.state.clock.advance(60);
    let again = collection::assign(&room.app.state, None, device, room.worker.id()).await.expect("assigned");
    assert_ne!(again, room.assignment);
    room.worker.post(&room.path("confirm"), &[]).await.assert_status(404);
    let page = room.worker.get("/me/collection").await.assert_status(200);
    assert_eq!(page.attributes("form[action$=confirm]", "action"), [format!("/me/devices/{again}/confirm")]);
}
