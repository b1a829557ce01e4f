//! Other systems: registered in everybody's sight, told of decisions by pseudonym, at least once, and of nothing
//! else.

use std::net::TcpListener;
use std::time::Duration;

use daylight::consent::actions::{Reply, answer, enter_lapsed};
use daylight::consent::deliver_due;
use daylight::consent::model::Choice;
use daylight::consent::pseudonym::Pseudonyms;
use daylight::outbox;
use daylight::web::Role;
use uuid::Uuid;

use crate::support::consent::{OPT_IN, OPT_OUT, choose, declare, tell, viewer};
use crate::support::receiver::{Receiver, System, fill_in, register};
use crate::support::{Actor, TestApp, logs};

struct Room {
    app: TestApp,
    admin: Actor,
    publisher: Actor,
    worker: Actor,
    /// Opt-out.
    processing: Uuid,
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
        Room { app, admin, publisher, worker, processing }
    }

    async fn system(&self, name: &str, webhook: &str) -> System {
        register(&self.app, &self.admin, name, &[self.processing], webhook).await
    }

    async fn choose(&self, choice: Choice<'_>) {
        choose(&self.app, &self.worker, self.processing, choice).await.unwrap();
    }

    fn known_as(&self, system: &System) -> Uuid {
        Pseudonyms::new(&self.app.state.consent.secrets().unwrap().pseudonyms, system.id).of(self.worker.id())
    }

    async fn deliver(&self) -> usize {
        deliver_due(&self.app.state).await.unwrap()
    }
}

#[tokio::test]
async fn everybody_sees_which_systems_may_ask_and_administrators_alone_let_them() {
    let room = Room::new().await;
    let empty = room.worker.get("/systems").await.assert_status(200);
    assert_eq!(empty.select(".empty__title"), ["No system may ask"]);
    assert!(empty.attributes("main form", "action").is_empty());
    for outsider in [&room.publisher, &room.worker] {
        fill_in(outsider, "Planner", &[room.processing], "").await.assert_status(403);
    }
    let wrong = fill_in(&room.admin, "Planner", &[], "http://planner.example/").await.assert_status(422);
    assert_eq!(
        wrong.select(".error-summary a"),
        ["Choose what it is told of.", "Use https: a message must not be readable on its way."]
    );
    assert_eq!(wrong.attributes("#name", "value"), ["Planner"], "the form comes back as it was typed");
    let made = fill_in(&room.admin, "Planner", &[room.processing], "https://planner.example/hook?key=geheim")
        .await
        .assert_status(200);
    let (token, secret) = (made.select("#token").remove(0), made.select("#secret").remove(0));
    assert!(token.len() == 43 && secret.starts_with("whsec_"));
    let again = fill_in(&room.admin, "Planner", &[room.processing], "").await.assert_status(422);
    assert!(again.select(".error-summary a")[0].contains("There is, or was, a system of this name"));

    for actor in [&room.worker, &room.publisher, &room.admin] {
        let page = actor.get("/systems").await.assert_status(200);
        assert_eq!(page.select(".card__title"), ["Planner"]);
        assert!(page.body.contains("planner.example") && page.body.contains("Plans the shifts"));
        for hidden in [token.as_str(), secret.as_str(), "geheim"] {
            assert!(!page.body.contains(hidden), "{hidden} is shown once, or not at all");
        }
    }
    let log = room.worker.get("/me/access-log").await;
    assert!(log.select("tbody tr")[0].contains("Another system was registered"));
    assert!(log.select("tbody tr")[0].contains("Everybody Planner"), "{:?}", log.select("tbody tr"));
    assert_eq!(room.app.count("system where token_hash = convert_to(name, 'UTF8')").await, 0);
}

#[tokio::test]
async fn only_the_worker_learns_what_a_system_knows_them_as() {
    let room = Room::new().await;
    let system = room.system("Planner", "").await;
    let own = room.known_as(&system).to_string();
    assert!(room.worker.get("/systems").await.body.contains(&own));
    let colleague = room.app.actor(Role::Worker).await;
    let theirs = colleague.get("/systems").await;
    assert!(!theirs.body.contains(&own) && theirs.body.contains("Knows you as"));
    for actor in [&room.publisher, &room.admin] {
        let page = actor.get("/systems").await;
        assert!(!page.body.contains(&own) && !page.body.contains("Knows you as"));
    }
}

#[tokio::test]
async fn a_revoked_system_asks_no_more_and_a_new_token_ends_the_former() {
    let room = Room::new().await;
    let system = room.system("Planner", "https://planner.example/hook").await;
    let subject = room.known_as(&system);
    let query = [("category", "app.usage"), ("purpose", "dpv:EnforceSecurity")];
    let visitor = room.app.visitor();
    system.ask(&visitor, subject, &query).await.assert_status(200);
    let renew = format!("/systems/{}/renew", system.id);
    let renewed = room.admin.post(&renew, &[("what", "token")]).await.assert_status(200);
    let renewed = System { id: system.id, token: renewed.select("#token").remove(0), secret: String::new() };
    system.ask(&visitor, subject, &query).await.assert_status(401);
    renewed.ask(&visitor, subject, &query).await.assert_status(200);
    let other = room.admin.post(&renew, &[("what", "secret")]).await.assert_status(200);
    assert_ne!(other.select("#secret"), [system.secret.as_str()]);

    room.choose(Choice::No).await;
    assert_eq!(room.app.count("webhook_delivery where body is not null").await, 1);
    let revoke = format!("/systems/{}/revoke", system.id);
    let unsure = room.admin.post(&revoke, &[]).await.assert_status(422);
    assert_eq!(unsure.select(".error-summary a"), ["Tick the box to confirm."]);
    let field = format!("revoke-{}", system.id);
    room.admin.post(&revoke, &[(field.as_str(), "yes")]).await.assert_status(303);
    renewed.ask(&visitor, subject, &query).await.assert_status(401);
    assert_eq!(room.app.count("webhook_delivery").await, 0, "what it wasn't told yet is deleted");
    room.admin.post(&revoke, &[(field.as_str(), "yes")]).await.assert_status(404);
    room.choose(Choice::Yes).await;
    assert_eq!(room.app.count("webhook_delivery").await, 0);
    assert!(room.worker.get("/systems").await.body.contains("Revoked"), "it stays in sight");
    let log = room.worker.get("/me/access-log").await.select("tbody th");
    assert!(log.contains(&"A system’s leave to ask what you allow was taken back".into()), "{log:?}");
}

#[tokio::test]
async fn a_decision_is_told_signed_and_by_pseudonym_to_those_concerned_and_to_nobody_else() {
    logs::capture();
    let room = Room::new().await;
    let (receiver, other) = (Receiver::start(), Receiver::start());
    let system = room.system("Planner", &receiver.url).await;
    let elsewhere = declare(&room.app, &room.publisher, OPT_IN).await;
    register(&room.app, &room.admin, "Other", &[elsewhere], &other.url).await;

    room.choose(Choice::Later).await;
    assert_eq!(room.deliver().await, 0, "nothing changed");
    room.choose(Choice::No).await;
    assert_eq!(room.deliver().await, 1);
    room.app.state.clock.advance(61);
    room.choose(Choice::Yes).await;
    assert_eq!((room.deliver().await, room.deliver().await), (1, 0));

    let got = receiver.got();
    assert_eq!(got.len(), 2);
    assert!(other.got().is_empty(), "it isn't told of this");
    let first = got[0].json();
    let expected = serde_json::json!({
        "type": "decision.changed", "timestamp": "2026-11-02T09:00:00Z",
        "data": {"subject": room.known_as(&system), "category": "app.usage", "purpose": "dpv:EnforceSecurity",
                 "source": "acme-agent", "decision": "deny"}});
    assert_eq!(first, expected);
    assert_eq!(
        (&got[1].json()["data"]["decision"], got[1].timestamp - got[0].timestamp),
        (&"allow".into(), 61)
    );
    for message in got.iter().chain(&receiver.tests()) {
        assert!(message.is_signed_with(&system.secret), "{message:?}");
        assert!(message.id.starts_with("msg_") && !message.body.contains(&room.worker.id().to_string()));
        let forged = crate::support::receiver::Received {
            body: message.body.replace("deny", "allow "),
            ..message.clone()
        };
        assert!(forged.body == message.body || !forged.is_signed_with(&system.secret));
    }
    assert_ne!(got[0].id, got[1].id);
    // Of what has arrived nothing stays but the day, and the log says nothing at all.
    let rows: Vec<String> = sqlx::query_scalar("select row_to_json(d)::text from webhook_delivery d")
        .fetch_all(&room.app.state.db)
        .await
        .unwrap();
    assert!(
        rows.len() == 2 && rows.iter().all(|r| !r.contains("09:0") && !r.contains("subject")),
        "{rows:?}"
    );
    let log = logs::captured();
    for secret in
        ["zz-secret-query-zz", "decision.changed", &room.known_as(&system).to_string(), &system.token]
    {
        assert!(!log.contains(secret), "{secret} in the log");
    }
}

#[tokio::test]
async fn a_system_that_fails_is_tried_ever_later_with_the_same_message() {
    let room = Room::new().await;
    let receiver = Receiver::start();
    let system = room.system("Planner", &receiver.url).await;
    receiver.answer(&[500, 302]);
    room.choose(Choice::No).await;
    assert_eq!(room.deliver().await, 0);
    room.app.state.clock.advance(9);
    assert_eq!((room.deliver().await, receiver.got().len()), (0, 1), "not before its time");
    room.app.state.clock.advance(1);
    assert_eq!((room.deliver().await, receiver.got().len()), (0, 2), "a redirect is followed nowhere");
    assert_eq!(
        room.app.count("webhook_delivery where failed like 'it answered 302, and redirects%'").await,
        1
    );
    room.app.state.clock.advance(60);
    assert_eq!((room.deliver().await, receiver.got().len()), (1, 3));
    let got = receiver.got();
    assert!(got.iter().all(|m| m.id == got[0].id && m.body == got[0].body), "one message, under one id");
    assert!(got.iter().all(|m| m.is_signed_with(&system.secret)));
    assert_eq!(got[2].timestamp - got[0].timestamp, 70, "each try is signed with its own time");
}

#[tokio::test]
async fn a_system_that_is_away_is_told_when_it_is_back() {
    let room = Room::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let system = room.system("Planner", &format!("http://127.0.0.1:{port}/hook")).await;
    room.choose(Choice::No).await;
    assert_eq!(room.deliver().await, 0);
    assert_eq!(room.app.count("webhook_delivery where failed = 'it can’t be reached'").await, 1);
    let page = room.admin.get("/systems").await;
    assert!(
        page.select(".card p")
            .iter()
            .any(|p| p.contains("Can’t be told") && p.contains("it can’t be reached"))
    );
    let receiver = Receiver::on(TcpListener::bind(("127.0.0.1", port)).unwrap());
    room.app.state.clock.advance(10);
    assert_eq!(room.deliver().await, 1);
    assert!(receiver.got()[0].is_signed_with(&system.secret));
}

#[tokio::test]
async fn after_three_days_a_message_is_given_up_and_that_is_said() {
    let room = Room::new().await;
    let receiver = Receiver::start();
    room.system("Planner", &receiver.url).await;
    receiver.answer(&[503; 50]);
    room.choose(Choice::No).await;
    let begin = room.app.state.clock.now();
    let mut tries = 0;
    while room.app.count("webhook_delivery where body is not null").await == 1 {
        room.deliver().await;
        tries += 1;
        let next: Option<daylight::clock::Time> = sqlx::query_scalar("select run_at from webhook_delivery")
            .fetch_one(&room.app.state.db)
            .await
            .unwrap();
        let Some(next) = next else { break };
        assert!(tries < 30 && next > room.app.state.clock.now());
        room.app.state.clock.advance(next.seconds_since(room.app.state.clock.now()));
    }
    assert_eq!(room.app.state.clock.now().seconds_since(begin), 3 * 86_400);
    assert_eq!((receiver.got().len(), tries), (12, 12));
    assert_eq!(room.app.count("webhook_delivery where failed = 'it answered 503' and body is null").await, 1);
    let admin = room.app.sign_in_as(room.admin.id()).await;
    let page = admin.get("/systems").await.assert_status(200);
    assert!(page.select(".card p").iter().any(|p| p.starts_with("Given up")), "{}", page.body);
    // A single one isn't counted out, on any day.
    let counts = page.select(".card tbody td");
    assert!(counts.len() == 21 && counts.iter().all(|c| c == "none, or fewer than 5"), "{counts:?}");
    room.app.state.clock.advance(31 * 86_400);
    outbox::clean(&room.app.state).await.unwrap();
    assert_eq!(room.app.count("webhook_delivery").await, 0);
}

#[tokio::test]
async fn whoever_dies_on_the_way_is_followed_by_another_with_the_same_message() {
    let room = Room::new().await;
    let receiver = Receiver::start();
    room.system("Planner", &receiver.url).await;
    room.choose(Choice::No).await;
    let before: (Uuid, String) =
        sqlx::query_as("select id, body from webhook_delivery").fetch_one(&room.app.state.db).await.unwrap();
    // It is sent, and the process dies before that is recorded: as if it had claimed it and no more.
    assert_eq!(room.deliver().await, 1);
    let claimed = room.app.state.clock.now().plus_seconds(60);
    sqlx::query("update webhook_delivery set delivered = false, body = $1, run_at = $2, give_up_at = $3, attempts = 1")
        .bind(&before.1)
        .bind(claimed)
        .bind(claimed.plus_days(3))
        .execute(&room.app.state.db)
        .await
        .unwrap();
    assert_eq!(room.deliver().await, 0, "whoever claimed it has a minute");
    room.app.state.clock.advance(60);
    assert_eq!(room.deliver().await, 1);
    let got = receiver.got();
    assert_eq!((got.len(), &got[0].id), (2, &got[1].id));
    assert_eq!(got[0].id, format!("msg_{}", before.0.simple()));
    // Two instances at once send it once.
    room.choose(Choice::Yes).await;
    let (a, b) = tokio::join!(room.deliver(), room.deliver());
    assert_eq!((a + b, receiver.got().len()), (1, 3));
}

#[tokio::test]
async fn nothing_is_told_of_a_choice_that_wasnt_committed() {
    let room = Room::new().await;
    room.system("Planner", "https://planner.example/hook").await;
    sqlx::query("alter table consent_decision add constraint none check (state <> 'refused') not valid")
        .execute(&room.app.state.db)
        .await
        .unwrap();
    assert!(choose(&room.app, &room.worker, room.processing, Choice::No).await.is_err());
    assert_eq!(room.app.count("webhook_delivery").await, 0);
}

#[tokio::test]
async fn objections_and_what_runs_out_are_told_as_allow_and_deny() {
    let room = Room::new().await;
    let changes: Vec<_> = OPT_IN.iter().copied().chain([("consent_validity", "P30D")]).collect();
    let opt_in = declare(&room.app, &room.publisher, &changes).await;
    let objection =
        declare(&room.app, &room.publisher, &[("category", "presence"), ("purpose", "dpv:EnforceSecurity")])
            .await;
    tell(&room.app, room.publisher.id(), &[opt_in, objection]).await;
    let receiver = Receiver::start();
    register(&room.app, &room.admin, "Both", &[opt_in, objection], &receiver.url).await;
    choose(&room.app, &room.worker, opt_in, Choice::Yes).await.unwrap();
    let said = Choice::Object { reason: "zz-reason-zz", named: false };
    let id = choose(&room.app, &room.worker, objection, said).await.unwrap();
    let hr = viewer(&room.app, room.publisher.id(), Role::Publisher);
    answer(&room.app.state, &hr, id, Reply::Overridden, "It matters.").await.unwrap();
    room.app.state.clock.advance(31 * 86_400);
    enter_lapsed(&room.app.state).await.unwrap();
    // Three waited too long; they are tried once more, all the same.
    room.deliver().await;
    let said: Vec<String> = receiver
        .got()
        .iter()
        .map(|m| {
            format!("{} {}", m.json()["data"]["category"], m.json()["data"]["decision"]).replace('"', "")
        })
        .collect();
    let mut expected = ["app.usage allow", "presence deny", "presence allow", "app.usage deny"];
    let mut said: Vec<&str> = said.iter().map(String::as_str).collect();
    said.sort_unstable();
    expected.sort_unstable();
    assert_eq!(said, expected);
    assert!(receiver.got().iter().all(|m| !m.body.contains("zz-reason-zz") && !m.body.contains("object")));
}

#[tokio::test]
async fn tests_have_their_own_times_and_the_page_shows_nothing_of_deliveries() {
    let room = Room::new().await;
    let receiver = Receiver::start();
    let system = room.system("Planner", &receiver.url).await;
    room.deliver().await;
    assert_eq!(receiver.tests().len(), 1, "the first at once");
    assert!(receiver.tests()[0].is_signed_with(&system.secret));
    let before = room.admin.get("/systems").await.assert_status(200);
    assert!(before.body.contains("Can be told") && before.body.contains("in 1 hour"));
    receiver.answer(&[500; 4]);
    room.choose(Choice::No).await;
    room.deliver().await;
    let after = room.admin.get("/systems").await.assert_status(200);
    assert_eq!(
        before.select("main"),
        after.select("main"),
        "a delivery, failed or not, is seen by nobody that day"
    );
    room.admin.post(&format!("/systems/{}/test", system.id), &[]).await.assert_status(303);
    room.deliver().await;
    assert_eq!(receiver.tests().len(), 2);
    room.app.state.clock.advance(3_600);
    room.deliver().await;
    assert_eq!(receiver.tests().len(), 3, "and each hour");
}

#[tokio::test]
async fn the_courier_runs_until_the_pool_is_closed() {
    let room = Room::new().await;
    let receiver = Receiver::start();
    room.system("Planner", &receiver.url).await;
    room.choose(Choice::No).await;
    let running = tokio::spawn(daylight::consent::deliver(room.app.state.clone()));
    for _ in 0..500 {
        if !receiver.got().is_empty() && room.app.count("webhook_delivery where delivered").await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(receiver.got().len(), 1);
    room.app.state.db.close().await;
    tokio::time::timeout(Duration::from_secs(2), running).await.expect("it stops").expect("it didn't panic");
}

#[tokio::test]
async fn nobody_lets_a_system_in_alone() {
    let app = TestApp::new().await;
    let publisher = app.actor(Role::Publisher).await;
    let id = declare(&app, &publisher, OPT_OUT).await;
    let both = app.person("both@example.com", &[Role::Administrator, Role::Publisher]).await;
    let both = app.sign_in_as(both).await;
    fill_in(&both, "Planner", &[id], "").await.assert_status(200);
    let system: Uuid = sqlx::query_scalar("select id from system").fetch_one(&app.state.db).await.unwrap();
    let path = format!("/systems/{system}/approve");
    both.post(&path, &[]).await.assert_status(409);
    app.actor(Role::Administrator).await.post(&path, &[]).await.assert_status(403);
    let active = "system where approved_at is not null";
    assert_eq!(app.count(active).await, 0);
    let page = publisher.get("/systems").await.assert_status(200);
    assert!(page.select("main").concat().contains("until HR or a representative lets it in"));
    publisher.post(&path, &[]).await.assert_status(303);
    assert_eq!(app.count(active).await, 1);
    assert_eq!(app.count("audit_entry where action = 'system.approved' and subject_id is null").await, 1);
}
