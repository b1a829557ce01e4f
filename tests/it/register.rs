//! The register, through HTTP as the people who use it.

use daylight::register::{self, Category, Granularity, State};
use daylight::web::Role;

use crate::support::declaration::{COMPLETE, but};
use crate::support::{Actor, Reply, TestApp, notice};

struct Room {
    app: TestApp,
    publisher: Actor,
    representative: Actor,
    worker: Actor,
}

impl Room {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let publisher = app.actor(Role::Publisher).await;
        let representative = app.actor(Role::Representative).await;
        let worker = app.actor(Role::Worker).await;
        Room { app, publisher, representative, worker }
    }

    /// A new draft's path.
    async fn draft(&self, fields: &[(&str, &str)]) -> String {
        let reply = self.publisher.post("/register", fields).await.assert_status(303);
        reply.location().split('?').next().unwrap().to_owned()
    }

    /// A step by the publisher, a minute after the one before; the revision is the newest one.
    async fn step(&self, path: &str, verb: &str, fields: &[(&str, &str)]) -> Reply {
        self.step_as(&self.publisher, path, verb, fields).await
    }

    async fn step_as(&self, actor: &Actor, path: &str, verb: &str, fields: &[(&str, &str)]) -> Reply {
        self.app.state.clock.advance(60);
        let revision = self.revision(path).await.to_string();
        let mut all = vec![("revision", revision.as_str())];
        all.extend(fields);
        actor.post(&format!("{path}{verb}"), &all).await
    }

    async fn revision(&self, path: &str) -> i32 {
        let id: uuid::Uuid = path.rsplit('/').next().unwrap().parse().unwrap();
        sqlx::query_scalar("select revision from processing where id = $1")
            .bind(id)
            .fetch_one(&self.app.state.db)
            .await
            .unwrap()
    }

    async fn active(&self, fields: &[(&str, &str)]) -> String {
        let path = self.draft(fields).await;
        self.step(&path, "/propose", &[]).await.assert_status(303);
        self.step(&path, "/activate", &[("activate_confirm", "yes")]).await.assert_status(303);
        path
    }
}

#[tokio::test]
async fn a_processing_lives_from_draft_to_end_and_its_history_stays() {
    let room = Room::new().await;
    let path = room.draft(COMPLETE).await;
    room.step(&path, "/propose", &[]).await.assert_status(303);
    let agreed = [("answer", "agree"), ("comment", "Fine with us")];
    room.step_as(&room.representative, &path, "/answer", &agreed).await.assert_status(303);
    room.step(&path, "/activate", &[("activate_confirm", "yes")]).await.assert_status(303);
    room.step(&path, "/pause", &[("pause_reason", "An audit")]).await.assert_status(303);
    let paused = room.worker.get(&path).await.assert_status(200);
    assert!(paused.select(".banner--warning")[0].contains("An audit"));
    let resume = [("resume_reason", "The audit is done")];
    let refused = room.step(&path, "/resume", &resume).await.assert_status(409);
    assert!(refused.body.contains("People must be told first"), "nothing comes back unannounced");
    notice::cover(&room.app, room.publisher.id(), &path).await;
    room.step(&path, "/resume", &resume).await.assert_status(303);
    let changed = [but(&[("retention", "P90D")]), vec![("reason", "Longer disputes")]].concat();
    room.step(&path, "", &changed).await.assert_status(303);
    let ended = [("end_reason", "The product is gone"), ("end_confirm", "yes")];
    room.step(&path, "/end", &ended).await.assert_status(303);

    let page = room.worker.get(&path).await.assert_status(200);
    let steps = ["Ended", "Changed", "Resumed", "Paused", "Activated", "Representatives agreed", "Proposed"];
    assert_eq!(page.select(".timeline__title"), steps, "the draft isn't part of what others see");
    assert_eq!(page.select("#revision-7 li"), ["Kept for: 30 days → 90 days"]);
    assert!(page.select("#revision-7")[0].contains("Longer disputes"));
    let people: Vec<String> =
        sqlx::query_scalar("select name from person").fetch_all(&room.app.state.db).await.unwrap();
    for entry in page.select(".timeline__item") {
        assert!(!people.iter().any(|name| entry.contains(name.as_str())), "a role, never a name: {entry}");
    }

    let mut db = room.app.state.db.acquire().await.unwrap();
    let declarations = register::list_declarations(&mut db).await.unwrap();
    let revisions: Vec<i32> = declarations.iter().map(|d| d.revision).collect();
    assert_eq!(revisions, [4, 6, 7]);
    assert!(declarations.iter().all(|d| d.state == State::Active && d.to.is_some()));
    let first = &declarations[0];
    assert_eq!(first.granularity(), Granularity::Metadata);
    assert!(first.content.source.matches("Acme-Agent/4.2") && first.applies_to(None, "EU"));
    let then = register::declarations_in_force(&mut db, first.from).await.unwrap();
    assert_eq!(then.len(), 1);
    let now = register::declarations_in_force(&mut db, room.app.state.clock.now()).await.unwrap();
    assert!(now.is_empty());
}

#[tokio::test]
async fn a_draft_may_be_incomplete_but_activation_names_what_the_law_asks_for() {
    let room = Room::new().await;
    let few = [("category", "screen.image"), ("purpose", "dpv:EnforceSecurity"), ("source_name", "shots")];
    let path = room.draft(&few).await;
    room.step(&path, "/propose", &[]).await.assert_status(303);
    let refused = room.step(&path, "/activate", &[("activate_confirm", "yes")]).await.assert_status(422);
    let missing = refused.select("#missing li").join("\n");
    for article in [
        "Art. 13(1)(c)",
        "Art. 13(1)(e)",
        "Art. 13(1)(f)",
        "Art. 13(2)(a)",
        "Art. 13(2)(b)",
        "Art. 14(1)(d)",
        "Art. 35",
        "Say whose law",
    ] {
        assert!(missing.contains(article), "{article} isn't in\n{missing}");
    }
    assert_eq!(refused.select(".error-summary a").len(), 1);
    room.worker.get(&path).await.assert_status(404);
}

#[tokio::test]
async fn every_mistake_comes_back_with_its_line_and_what_was_typed() {
    let room = Room::new().await;
    let recipients = "Acme | friend | IE\nBeta | processor | Atlantis\nGamma";
    let wrong = but(&[
        ("recipients", recipients),
        ("retention", "ninety days"),
        ("max_per_day", "many"),
        ("dpia_url", "javascript:alert(1)"),
        ("category", "app.misuse"),
    ]);
    let reply = room.publisher.post("/register", &wrong).await.assert_status(422);
    let errors = reply.select(".error-summary a").join("\n");
    for words in [
        "Line 1: the kind",
        "Line 2: the country",
        "Line 3: write name",
        "ISO 8601",
        "whole number",
        "web address",
    ] {
        assert!(errors.contains(words), "{words} isn't in\n{errors}");
    }
    assert_eq!(reply.select("textarea#recipients")[0], recipients.replace('\n', " "));
    assert_eq!(reply.attributes("input#source_name", "value"), ["acme-agent"]);
    assert_eq!(reply.attributes("#visibility option[selected]", "value"), ["visible"]);
    assert_eq!(reply.attributes("#jurisdictions input[checked]", "value"), ["EU"]);
    for field in reply.attributes(".error-summary a", "href") {
        assert!(!reply.select(&field).is_empty(), "{field} leads nowhere");
    }
    assert_eq!(room.app.count("processing").await, 0);
}

#[tokio::test]
async fn in_germany_nothing_starts_without_the_works_council() {
    let room = Room::new().await;
    let germany = but(&[("jurisdictions", "DE"), ("works_agreement_url", "https://intranet.example/bv")]);
    let path = room.draft(&germany).await;
    room.step(&path, "/propose", &[]).await.assert_status(303);
    let activate = [("activate_confirm", "yes")];
    let refused = room.step(&path, "/activate", &activate).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("BetrVG §87(1) 6"));

    let silent = [("answer", "object"), ("comment", " ")];
    room.step_as(&room.representative, &path, "/answer", &silent).await.assert_status(422);
    let objection = [("answer", "object"), ("comment", "Too long")];
    room.step_as(&room.representative, &path, "/answer", &objection).await.assert_status(303);
    room.step(&path, "/activate", &activate).await.assert_status(409);
    room.step_as(&room.representative, &path, "/answer", &[("answer", "agree")]).await.assert_status(303);

    let longer =
        [germany.clone(), vec![("reason", "A little more"), ("transfer_safeguard", "None needed")]].concat();
    room.step(&path, "", &longer).await.assert_status(303);
    room.step(&path, "/activate", &activate).await.assert_status(409);
    room.step_as(&room.representative, &path, "/answer", &[("answer", "agree")]).await.assert_status(303);
    room.step(&path, "/activate", &activate).await.assert_status(303);

    // What is in force can't slip away from what was agreed.
    let slip = [germany, vec![("reason", "Simpler")]].concat();
    room.step(&path, "", &slip).await.assert_status(303);
    let other = [
        but(&[
            ("jurisdictions", "DE"),
            ("works_agreement_url", "https://intranet.example/bv"),
            ("retention", "P9Y"),
        ]),
        vec![("reason", "More")],
    ]
    .concat();
    let refused = room.step(&path, "", &other).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("pause it"));
}

#[tokio::test]
async fn in_new_south_wales_workers_are_told_fourteen_days_before() {
    let room = Room::new().await;
    // The tests begin on 2 November 2026.
    let path = room.draft(&but(&[("jurisdictions", "AU-NSW"), ("notice_given_on", "2026-11-01")])).await;
    room.step(&path, "/propose", &[]).await.assert_status(303);
    let refused = room.step(&path, "/activate", &[("activate_confirm", "yes")]).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("15 Nov 2026"));
    // The session ends by lying idle, so a fresh one activates.
    room.app.state.clock.advance(14 * 86_400);
    let publisher = room.app.actor(Role::Publisher).await;
    room.step_as(&publisher, &path, "/activate", &[("activate_confirm", "yes")]).await.assert_status(303);
}

#[tokio::test]
async fn a_stale_form_changes_nothing_and_keeps_what_was_typed() {
    let room = Room::new().await;
    let path = room.draft(COMPLETE).await;
    let first = [but(&[("necessity", "First")]), vec![("revision", "1")]].concat();
    room.publisher.post(&path, &first).await.assert_status(303);
    let second = [but(&[("necessity", "Second")]), vec![("revision", "1")]].concat();
    let stale = room.publisher.post(&path, &second).await.assert_status(409);
    assert_eq!(stale.select("textarea#necessity"), ["Second"]);
    assert!(stale.select("#newest")[0].contains("revision 2"));
    assert_eq!(stale.attributes("input[name=revision]", "value"), ["2"]);
    assert!(room.publisher.get(&path).await.body.contains("First"));
    let wrong = [but(&[("retention", "x")]), vec![("revision", "1")]].concat();
    let invalid = room.publisher.post(&path, &wrong).await.assert_status(422);
    assert_eq!(invalid.attributes("input[name=revision]", "value"), ["1"], "a mistake doesn't make it fresh");
    let old = [("revision", "1")];
    let refused = room.publisher.post(&format!("{path}/propose"), &old).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("in the meantime"));
}

#[tokio::test]
async fn each_sees_and_does_what_is_theirs() {
    let room = Room::new().await;
    let draft = room.draft(COMPLETE).await;
    for actor in [&room.worker, &room.representative] {
        actor.get(&draft).await.assert_status(404);
        assert!(actor.get("/register").await.assert_status(200).select("tbody tr").is_empty());
        actor.get("/register/new").await.assert_status(403);
        actor.post("/register", COMPLETE).await.assert_status(403);
        for verb in ["", "/propose", "/activate", "/pause", "/resume", "/end", "/delete"] {
            actor.post(&format!("{draft}{verb}"), &[("revision", "1")]).await.assert_status(403);
        }
    }
    let answer = [("revision", "1"), ("answer", "agree")];
    room.representative.post(&format!("{draft}/answer"), &answer).await.assert_status(404);
    for actor in [&room.worker, &room.publisher] {
        actor.post(&format!("{draft}/answer"), &answer).await.assert_status(403);
    }
    room.app.visitor().get("/api/v1/register").await.assert_status(401);

    room.step(&draft, "/propose", &[]).await.assert_status(303);
    room.worker.get(&draft).await.assert_status(404);
    room.representative.get(&draft).await.assert_status(200);
    room.step(&draft, "/end", &[("end_reason", "No"), ("end_confirm", "yes")]).await.assert_status(303);
    room.worker.get(&draft).await.assert_status(404);
    assert!(room.worker.get("/register").await.select(".empty__title")[0].contains("Nothing is declared"));
}

#[tokio::test]
async fn drafts_can_be_deleted_and_nothing_else() {
    let room = Room::new().await;
    let draft = room.draft(COMPLETE).await;
    room.step(&draft, "/delete", &[]).await.assert_status(422);
    room.step(&draft, "/delete", &[("delete_confirm", "yes")]).await.assert_status(303);
    room.publisher.get(&draft).await.assert_status(404);
    let active = room.active(COMPLETE).await;
    room.step(&active, "/delete", &[("delete_confirm", "yes")]).await.assert_status(409);
}

#[tokio::test]
async fn the_database_refuses_to_rewrite_history() {
    let room = Room::new().await;
    room.active(COMPLETE).await;
    for sql in [
        "update processing_revision set reason = 'x' where state = 'active'",
        "update processing_revision set state = 'active' where state = 'draft'",
        "delete from processing_revision where state = 'active'",
        "delete from processing",
    ] {
        let refused = sqlx::query(sql).execute(&room.app.state.db).await.unwrap_err();
        let code = refused.into_database_error().unwrap().code().unwrap().into_owned();
        assert!(["23001", "23503"].contains(&code.as_str()), "{sql}: {code}");
    }
}

#[tokio::test]
async fn what_is_active_is_found_by_people_and_programs() {
    let room = Room::new().await;
    let path = room.active(COMPLETE).await;
    room.active(&but(&[("category", "presence"), ("source_name", "beta")])).await;
    let found = |query: &'static str| {
        let worker = &room.worker;
        async move { worker.get(&format!("/register?{query}")).await.assert_status(200).select("tbody th a") }
    };
    assert_eq!(found("").await.len(), 2);
    assert_eq!(found("q=BETA+security").await, ["Presence and working hours"]);
    assert_eq!(found("category=app.usage&state=active").await, ["Programs you use"]);
    assert!(found("state=ended").await.is_empty());
    let page = room.worker.get(&path).await.assert_status(200);
    assert!(page.select("h2").contains(&"Your choice".to_owned()));
    assert!(page.select("#next-steps").is_empty(), "a worker is offered no step");
    let json = room.worker.get("/api/v1/register").await.assert_status(200).json();
    let listed = json["processings"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["content"]["category"], "app.usage");
    assert_eq!(listed[0]["content_sha256"].as_str().unwrap().len(), 64);
    let categories = room.worker.get("/categories").await.assert_status(200);
    assert_eq!(categories.select("tbody tr").len(), Category::all().count());
}

#[tokio::test]
async fn what_cannot_be_refused_says_why() {
    let room = Room::new().await;
    let mandatory = but(&[
        ("choice_mode", "mandatory"),
        ("legal_basis", "eu-gdpr:A6-1-c"),
        ("mandatory_citation", "Working Time Act §16"),
        ("mandatory_contact", "hr@example.com"),
        ("mandatory_review_date", "2027-06-30"),
        ("objection_contact", ""),
    ]);
    let path = room.active(&mandatory).await;
    let banner = room.worker.get(&path).await.select("#mandatory").remove(0);
    let told = [
        "You cannot refuse this",
        "To notice harmful software",
        "Working Time Act",
        "hr@example.com",
        "30 Jun 2027",
    ];
    for words in told {
        assert!(banner.contains(words), "{words} isn't in {banner}");
    }
}

#[tokio::test]
async fn a_review_that_is_due_stops_activation_and_shows_when_overdue() {
    let room = Room::new().await;
    let due = |day| {
        but(&[
            ("choice_mode", "mandatory"),
            ("mandatory_citation", "Working Time Act §16"),
            ("mandatory_contact", "hr@example.com"),
            ("mandatory_review_date", day),
        ])
    };
    let path = room.draft(&due("2026-11-02")).await;
    room.step(&path, "/propose", &[]).await.assert_status(303);
    let activate = [("activate_confirm", "yes")];
    let refused = room.step(&path, "/activate", &activate).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("review was due"));
    let later = [due("2026-11-03"), vec![("reason", "Reviewed")]].concat();
    room.step(&path, "", &later).await.assert_status(303);
    room.step(&path, "/activate", &activate).await.assert_status(303);
    assert!(room.worker.get(&path).await.select(".chip--bad").is_empty());
    room.app.state.clock.advance(2 * 86_400);
    let worker = room.app.actor(Role::Worker).await;
    assert_eq!(worker.get(&path).await.select(".chip--bad"), ["Review overdue"]);
}

#[tokio::test]
async fn nobody_answers_their_own_proposal() {
    let room = Room::new().await;
    let path = room.draft(COMPLETE).await;
    room.step(&path, "/propose", &[]).await.assert_status(303);
    let both = room.app.person("both@example.com", &[Role::Publisher, Role::Representative]).await;
    let both = room.app.sign_in_as(both).await;
    let refused = room.step_as(&both, &path, "/answer", &[("answer", "agree")]).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("can't answer"));
    assert!(both.get(&path).await.select("#comment").is_empty(), "the form isn't offered");
}

#[tokio::test]
async fn a_text_area_s_line_ends_are_no_change_and_nul_is_no_text() {
    let room = Room::new().await;
    let path = room.active(&but(&[("fields", "One\nTwo")])).await;
    let same = [but(&[("fields", "One\r\nTwo")]), vec![("reason", "None")]].concat();
    let refused = room.step(&path, "", &same).await.assert_status(422);
    assert!(refused.select(".error-summary")[0].contains("Nothing was changed"));
    room.step(&path, "/pause", &[("pause_reason", "a\0b")]).await.assert_status(400);
}
