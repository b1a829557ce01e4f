//! What a worker sees of what agents report, and what others never see.

use daylight::web::Role;
use serde_json::json;

use crate::support::agent::{Agent, item};
use crate::support::declaration::but;
use crate::support::{Actor, TestApp};

/// Declares `category` by acme-agent for the EU, in force from now on.
async fn declare(app: &TestApp, publisher: &Actor, category: &str, extra: &[(&str, &str)]) -> String {
    let mut changes = vec![
        ("category", category),
        ("frequency", "continuous"),
        ("frequency_every", ""),
        ("max_per_day", ""),
    ];
    changes.retain(|(name, _)| !extra.iter().any(|(n, _)| n == name));
    changes.extend(extra);
    let fields = but(&changes);
    let path = publisher.post("/register", &fields).await.assert_status(303).location().to_owned();
    let path = path.split('?').next().unwrap().to_owned();
    let id: uuid::Uuid = path.rsplit('/').next().unwrap().parse().unwrap();
    for (verb, more) in [("propose", None), ("activate", Some(("activate_confirm", "yes")))] {
        let revision: i32 = sqlx::query_scalar("select revision from processing where id = $1")
            .bind(id)
            .fetch_one(&app.state.db)
            .await
            .unwrap();
        let revision = revision.to_string();
        let mut fields = vec![("revision", revision.as_str())];
        fields.extend(more);
        publisher.post(&format!("{path}/{verb}"), &fields).await.assert_status(303);
    }
    path
}

struct Room {
    app: TestApp,
    publisher: Actor,
    worker: Actor,
    agent: Agent,
}

impl Room {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let publisher = app.actor(Role::Publisher).await;
        let worker = app.actor(Role::Worker).await;
        let agent = Agent::of(&app, worker.id()).await;
        Room { app, publisher, worker, agent }
    }

    async fn chip(&self, category: &str) -> String {
        // A session of its own: these tests let more time pass than one lives.
        let worker = self.app.sign_in_as(self.worker.id()).await;
        let page = worker.get(&format!("/me/collection/{category}")).await.assert_status(200);
        page.select("main .chip").first().cloned().unwrap_or_default()
    }
}

#[tokio::test]
async fn declared_is_compared_with_observed_at_the_time() {
    let room = Room::new().await;
    declare(&room.app, &room.publisher, "app.usage", &[]).await;
    room.app.state.clock.advance(300);
    let w = (0, 5);
    let mut sent_abroad = item("web.domains", "metadata", 4, w);
    sent_abroad["forwarded"] = json!({"count": 4, "bytes": 40});
    sent_abroad["destination"] = json!({"host": "elsewhere.example", "recipient": "org:x", "country": "US"});
    declare(&room.app, &room.publisher, "web.domains", &[]).await;
    let fields = room.agent.fields(
        0,
        None,
        w,
        json!([item("app.usage", "metadata", 7, w), item("window.titles", "content", 3, w), sent_abroad]),
    );
    room.agent.send(&fields).await.assert_status(201);
    let page = room.worker.get("/me/collection").await.assert_status(200);
    let titles = page.select("article h3");
    assert_eq!(titles[..2], ["Window titles".to_owned(), "Sites you visit".to_owned()], "worst first");
    // The declaration of web.domains came after it was observed, so it clears nothing (R9).
    assert_eq!(room.chip("window.titles").await, "Undeclared");
    assert_eq!(room.chip("web.domains").await, "Undeclared");
    assert_eq!(room.chip("app.usage").await, "Unknown", "five minutes are no whole day (R5)");
    let later = (5, 10);
    let mut abroad = item("web.domains", "content", 4, later);
    abroad["forwarded"] = json!({"count": 4, "bytes": 40});
    abroad["destination"] = json!({"host": "elsewhere.example", "recipient": "org:x", "country": "US"});
    room.app.state.clock.advance(300);
    room.agent.send(&room.agent.fields(1, None, later, json!([abroad]))).await.assert_status(409);
    let other = Agent::of(&room.app, room.app.actor(Role::Worker).await.id()).await;
    room.app.state.clock.advance(300);
    other.send(&other.fields(0, None, (10, 15), json!([{
        "category": "web.domains", "granularity": "content", "source": "acme-agent/4.2",
        "purpose": "ai:ModelTraining",
        "collected": {"count": 1, "bytes": 1}, "forwarded": {"count": 1, "bytes": 1},
        "destination": {"host": "elsewhere.example", "recipient": "org:x", "country": "US"},
        "first_observed": crate::support::agent::minute(10), "last_observed": crate::support::agent::minute(15),
    }]))).await.assert_status(201);
    for about in ["granularity:content", "destination:elsewhere.example", "purpose:ai:ModelTraining"] {
        let n: i64 = sqlx::query_scalar(
            "select count(*) from finding where kind = 'EXCEEDS' and about = $1 and agent_id = $2",
        )
        .bind(about)
        .bind(other.id)
        .fetch_one(&room.app.state.db)
        .await
        .unwrap();
        assert_eq!(n, 1, "{about}");
    }
}

#[tokio::test]
async fn unknown_turns_fine_only_when_whole_days_were_watched() {
    let room = Room::new().await;
    declare(&room.app, &room.publisher, "app.usage", &[]).await;
    declare(&room.app, &room.publisher, "presence", &[("max_per_day", "10")]).await;
    assert_eq!(room.chip("app.usage").await, "Unknown");
    // From the tests' start, nine in the morning, to midnight; the rest of that day nobody had the device.
    let day = |n: i64| (n * 12 * 60, (n + 1) * 12 * 60);
    for n in 0..4 {
        let w = day(n);
        let watched = [
            item("app.usage", "metadata", 1, w),
            item("presence", "metadata", if n == 3 { 11 } else { 0 }, w),
            item("clipboard", "content", 0, w),
        ];
        room.app.state.clock.advance(12 * 3600);
        room.agent.send(&room.agent.fields(n as u64 * 2, None, w, json!(watched))).await.assert_status(201);
    }
    // Two days on, of which every minute since the device was theirs was watched.
    assert_eq!(room.chip("app.usage").await, "As declared");
    assert_eq!(room.chip("clipboard").await, "Not seen");
    assert_eq!(room.chip("presence").await, "More than declared", "eleven a day where ten were declared");
    assert_eq!(room.chip("audio").await, "Unknown", "nobody watches for it");
    let worker = room.app.sign_in_as(room.worker.id()).await;
    let csv = worker.get("/me/collection/app.usage/daily.csv").await.assert_status(200);
    assert!(csv.body.starts_with("day,category,source"));
    assert_eq!(csv.body.lines().count(), 1 + 2);
    let json = worker.get("/me/collection/app.usage/daily.json").await.assert_status(200).json();
    assert_eq!(json.as_array().unwrap().len(), 2);
    let all = worker.get("/api/v1/me/collection").await.assert_status(200).json();
    assert_eq!(all.as_array().unwrap().len(), 3);
    worker.get("/me/collection/nonsense").await.assert_status(404);
    worker.get("/me/collection/nonsense/daily.csv").await.assert_status(404);
}

#[tokio::test]
async fn a_finding_can_be_neither_deleted_nor_narrowed() {
    let room = Room::new().await;
    room.app.state.clock.advance(300);
    let fields = room.agent.fields(0, None, (0, 5), json!([item("unknown", "content", 1, (0, 5))]));
    room.agent.send(&fields).await.assert_status(201);
    assert_eq!(room.app.count("finding where kind = 'UNRECOGNISED'").await, 1);
    for sql in [
        "delete from finding",
        "update finding set last_at = last_at - interval '1 hour'",
        "update finding set person_id = null",
        "update finding set kind = 'CLOCK_SKEW'",
    ] {
        assert!(sqlx::query(sql).execute(&room.app.state.db).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn a_device_that_changes_hands_tells_nobody_of_the_one_before() {
    let room = Room::new().await;
    let next = room.app.actor(Role::Worker).await;
    let email: String = sqlx::query_scalar("select email from person where id = $1")
        .bind(next.id())
        .fetch_one(&room.app.state.db)
        .await
        .unwrap();
    let admin = room.app.actor(Role::Administrator).await;
    room.app.state.clock.advance(600);
    let assign = format!("/devices/{}/assign", room.agent.device_id);
    admin.post(&assign, &[("person", "nobody@example.com")]).await.assert_status(422);
    admin.post(&assign, &[("person", &email)]).await.assert_status(303);
    let item = |w| json!([item("app.usage", "metadata", 5, w)]);
    room.app.state.clock.advance(3600);
    room.agent.send(&room.agent.fields(0, None, (0, 5), item((0, 5)))).await.assert_status(201);
    // What straddles the change of hands is nobody's.
    room.agent.send(&room.agent.fields(2, None, (5, 15), item((5, 15)))).await.assert_status(201);
    room.agent.send(&room.agent.fields(4, None, (15, 20), item((15, 20)))).await.assert_status(201);
    let of = |person| {
        let db = room.app.state.db.clone();
        async move {
            sqlx::query_scalar::<_, i64>(
                "select coalesce(sum(collected), 0)::bigint from collection_daily where person_id = $1",
            )
            .bind(person)
            .fetch_one(&db)
            .await
            .unwrap()
        }
    };
    assert_eq!((of(room.worker.id()).await, of(next.id()).await), (5, 5));
    let log = next.get("/me/access-log").await.assert_status(200);
    assert!(log.body.contains("A device was assigned to you"));
}

#[tokio::test]
async fn others_see_bands_of_five_and_never_a_person() {
    let app = TestApp::new().await;
    let mut agents = Vec::new();
    for n in 0..12 {
        let person = app.person(&format!("p{n}@example.com"), &[Role::Worker]).await;
        agents.push(Agent::of(&app, person).await);
    }
    app.state.clock.advance(300);
    for (n, agent) in agents.iter().enumerate() {
        let mut items = vec![item("app.usage", "metadata", 3, (0, 5))];
        if n < 6 {
            items.push(item("window.titles", "content", 2, (0, 5)));
        }
        if n == 0 {
            items.push(item("audio", "content", 1, (0, 5)));
        }
        agent.send(&agent.fields(0, None, (0, 5), json!(items))).await.assert_status(201);
    }
    app.state.clock.advance(86_400);
    for role in [Role::Publisher, Role::Representative, Role::Administrator] {
        let actor = app.actor(role).await;
        let page = actor.get("/organisation").await.assert_status(200);
        let rows = page.select("tbody tr");
        let row = |name: &str| rows.iter().find(|r| r.contains(name)).cloned().unwrap_or_default();
        assert!(row("Programs you use").contains("all people, or almost all"), "{rows:?}");
        assert!(row("Window titles").contains("5 to 9 people"), "{rows:?}");
        assert_eq!(rows.len(), 2, "what concerns one person has no row: {rows:?}");
        assert!(!page.body.contains("p0@example.com") && !page.body.contains(&agents[0].id.to_string()));
        actor.get("/me/collection").await.assert_status(403);
        actor.get("/me/collection/audio/daily.json").await.assert_status(403);
        actor.get("/api/v1/me/collection").await.assert_status(403);
    }
}

#[tokio::test]
async fn a_device_that_nobody_watches_keeps_everything_unknown() {
    let room = Room::new().await;
    declare(&room.app, &room.publisher, "app.usage", &[]).await;
    let second = Agent::of(&room.app, room.worker.id()).await;
    for n in 0..4 {
        let w = (n * 720, (n + 1) * 720);
        room.app.state.clock.advance(12 * 3600);
        let watched = json!([item("app.usage", "metadata", 1, w)]);
        room.agent.send(&room.agent.fields(n as u64, None, w, watched.clone())).await;
        if n == 0 {
            second.send(&second.fields(0, None, w, watched)).await.assert_status(201);
        }
    }
    assert_eq!(room.chip("app.usage").await, "Unknown");
}

#[tokio::test]
async fn time_is_covered_once_and_not_in_advance() {
    let room = Room::new().await;
    room.app.state.clock.advance(3600);
    let mut agent = room.agent;
    for _ in 0..5 {
        agent.boot_id = room.app.state.random.uuid(room.app.state.clock.now());
        let fields = agent.fields(0, None, (0, 60), json!([item("app.usage", "metadata", 0, (0, 60))]));
        agent.send(&fields).await.assert_status(201);
    }
    let ahead = agent.fields(1, None, (60, 24 * 60), json!([item("app.usage", "metadata", 0, (0, 0))]));
    agent.send(&ahead).await;
    let seconds: i64 =
        sqlx::query_scalar("select sum(seconds)::bigint from coverage_daily where category = 'app.usage'")
            .fetch_one(&room.app.state.db)
            .await
            .unwrap();
    assert_eq!(seconds, 3600);
}

#[tokio::test]
async fn a_pause_in_the_middle_of_a_window_is_seen() {
    let room = Room::new().await;
    let path = declare(&room.app, &room.publisher, "app.usage", &[]).await;
    room.app.state.clock.advance(120);
    let fields = [("revision", "3"), ("pause_reason", "The works council asked")];
    room.publisher.post(&format!("{path}/pause"), &fields).await.assert_status(303);
    room.app.state.clock.advance(180);
    let items = json!([item("app.usage", "metadata", 9, (0, 5))]);
    room.agent.send(&room.agent.fields(0, None, (0, 5), items)).await.assert_status(201);
    assert_eq!(room.chip("app.usage").await, "Undeclared");
}

#[tokio::test]
async fn a_bound_holds_over_versions_and_agents_together() {
    let room = Room::new().await;
    declare(&room.app, &room.publisher, "app.usage", &[("max_per_day", "100")]).await;
    let second = Agent::of(&room.app, room.worker.id()).await;
    room.app.state.clock.advance(300);
    for (agent, version) in [(&room.agent, "acme-agent/4.2"), (&second, "acme-agent/5.0")] {
        let mut records = item("app.usage", "metadata", 60, (0, 5));
        records["source"] = json!(version);
        agent.send(&agent.fields(0, None, (0, 5), json!([records]))).await.assert_status(201);
    }
    assert_eq!(room.chip("app.usage").await, "More than declared");
}

#[tokio::test]
async fn what_was_dropped_was_still_observed() {
    let room = Room::new().await;
    declare(&room.app, &room.publisher, "app.usage", &[]).await;
    room.app.state.clock.advance(300);
    let mut dropped = item("app.usage", "metadata", 0, (0, 5));
    dropped["dropped"] = json!({"count": 40, "reason": "filtered"});
    room.agent.send(&room.agent.fields(0, None, (0, 5), json!([dropped]))).await.assert_status(201);
    let page = room.worker.get("/me/collection/app.usage").await.assert_status(200);
    assert!(!page.body.contains("not seen"), "R4: never “not collected”");
    assert!(page.body.contains("40 dropped"));
}

#[tokio::test]
async fn nothing_is_said_of_fewer_than_five_people() {
    let room = Room::new().await;
    room.app.state.clock.advance(300);
    let fields = room.agent.fields(0, None, (0, 5), json!([item("audio", "content", 1, (0, 5))]));
    room.agent.send(&fields).await.assert_status(201);
    room.app.state.clock.advance(86_400);
    let publisher = room.app.sign_in_as(room.publisher.id()).await;
    let page = publisher.get("/organisation").await.assert_status(200);
    assert!(page.select("tbody tr").is_empty());
    assert!(!page.body.contains("Microphone"));
}

#[tokio::test]
async fn each_worker_sees_their_own_figures_alone() {
    let room = Room::new().await;
    room.app.state.clock.advance(300);
    let fields = room.agent.fields(0, None, (0, 5), json!([item("audio", "content", 31_337, (0, 5))]));
    room.agent.send(&fields).await.assert_status(201);
    let other = room.app.actor(Role::Worker).await;
    assert!(room.worker.get("/me/collection").await.body.contains("31,337"));
    let page = other.get("/me/collection").await.assert_status(200);
    assert!(!page.body.contains("31,337"));
    assert!(page.body.contains("No device of yours reports here yet"));
    assert_eq!(other.get("/api/v1/me/collection").await.json(), json!([]));
}
