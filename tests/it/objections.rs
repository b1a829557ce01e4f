//! The desk where objections are answered: what HR and representatives see of them, and what they never do.

use daylight::consent::actions::objections::mail_publishers;
use daylight::consent::model::Choice;
use daylight::identity::{self, NewPerson};
use daylight::web::Role;
use uuid::Uuid;

use crate::support::consent::{choose, declare, tell};
use crate::support::{Actor, Reply, TestApp};

const REASON: &str = "I care for my mother from home.";
const GROUNDS: &str = "Fraud was found twice this year.";

struct Room {
    app: TestApp,
    publisher: Actor,
    representative: Actor,
    worker: Actor,
    processing: Uuid,
}

impl Room {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let publisher = app.actor(Role::Publisher).await;
        let representative = app.actor(Role::Representative).await;
        let person = NewPerson {
            email: "quirina@example.com",
            name: "Quirina Quandt",
            department: Some("Zeppelin Dock"),
            roles: &[Role::Worker],
            ..NewPerson::default()
        };
        let mut db = app.state.db.acquire().await.unwrap();
        let person = identity::add_person(&mut db, &app.state, &person).await.unwrap();
        drop(db);
        let worker = app.sign_in_as(person).await;
        let processing = declare(&app, &publisher, &[]).await;
        tell(&app, publisher.id(), &[processing]).await;
        Room { app, publisher, representative, worker, processing }
    }

    async fn object(&self, named: bool) -> Uuid {
        self.choose(Choice::Object { reason: REASON, named }).await
    }

    async fn choose(&self, choice: Choice<'_>) -> Uuid {
        choose(&self.app, &self.worker, self.processing, choice).await.unwrap()
    }

    /// Nobody's session ends over night.
    async fn days_later(&self, days: i64) {
        self.app.state.clock.advance(days * 86_400);
        sqlx::query("update session set last_seen_at = $1, expires_at = $2")
            .bind(self.app.state.clock.now())
            .bind(self.app.state.clock.now().plus_days(14))
            .execute(&self.app.state.db)
            .await
            .unwrap();
    }

    async fn desk(&self) -> Reply {
        self.publisher.get("/objections").await.assert_status(200)
    }

    async fn answer(&self, id: Uuid, fields: &[(&str, &str)]) -> Reply {
        self.publisher.post(&format!("/objections/{id}"), fields).await
    }
}

#[tokio::test]
async fn an_objection_is_seen_the_day_after_without_name_time_or_place() {
    let room = Room::new().await;
    let before = room.desk().await;
    assert!(before.select(".lead")[0].starts_with("No objection waits"));
    room.app.state.clock.advance(4_321);
    let id = room.object(false).await;
    assert_eq!(
        room.desk().await.select("main"),
        before.select("main"),
        "whoever watches learns no time of day"
    );
    room.publisher.get(&format!("/objections/{id}")).await.assert_status(404);
    room.answer(id, &[("reply", "uphold"), ("reason", "Yes.")]).await.assert_status(404);
    room.days_later(1).await;

    for actor in [&room.publisher, &room.representative] {
        for path in [
            "/objections".to_owned(),
            format!("/objections/{id}"),
            format!("/objections?processing={}", room.processing),
        ] {
            let page = actor.get(&path).await.assert_status(200);
            assert!(page.body.contains(REASON) && page.body.contains("A colleague"), "{path}");
            for hidden in
                ["Quirina", "Quandt", "Zeppelin", "example.com", &room.worker.id().to_string(), "10:12", "T1"]
            {
                assert!(!page.body.contains(hidden), "{hidden} in {path}\n{}", page.body);
            }
            assert!(page.attributes("main time", "datetime").iter().all(|t| t.len() == 10), "days alone");
        }
    }
    let page = room.desk().await;
    assert_eq!(page.attributes("main time", "datetime"), ["2026-11-02", "2026-12-02"]);
    assert_eq!(Uuid::get_version(&id), Some(uuid::Version::Random), "an id that tells no time");
    let other = format!("/objections?processing={}", Uuid::from_u128(5));
    assert!(!room.publisher.get(&other).await.body.contains(REASON));
    assert!(
        room.representative
            .get(&format!("/objections/{id}"))
            .await
            .attributes("main form", "action")
            .is_empty()
    );
    room.representative.post(&format!("/objections/{id}"), &[("reply", "uphold")]).await.assert_status(403);
    // Its author sees that it was opened, and as whom.
    let log = room.worker.get("/me/access-log").await.select("tbody tr");
    assert!(
        log.iter()
            .any(|row| row.starts_with("Your objection was opened") && row.contains("Publisher (HR) You"))
    );
}

#[tokio::test]
async fn a_name_that_was_given_is_shown_to_those_who_answer() {
    let room = Room::new().await;
    let id = room.object(true).await;
    room.days_later(1).await;
    for path in ["/objections".to_owned(), format!("/objections/{id}")] {
        let page = room.publisher.get(&path).await.assert_status(200);
        assert!(page.body.contains("Quirina Quandt, Zeppelin Dock"), "{path}");
        assert!(!page.body.contains("quirina@") && !page.body.contains(&room.worker.id().to_string()));
        let page = room.representative.get(&path).await.assert_status(200);
        assert!(
            page.body.contains(REASON) && !page.body.contains("Quirina") && !page.body.contains("Zeppelin")
        );
    }
}

#[tokio::test]
async fn an_override_gives_its_grounds_is_confirmed_and_can_be_contested() {
    let room = Room::new().await;
    let id = room.object(false).await;
    room.days_later(1).await;
    let nothing = room.answer(id, &[]).await.assert_status(422);
    assert_eq!(nothing.select(".error-summary a").len(), 2);
    let hasty = room.answer(id, &[("reply", "override")]).await.assert_status(422);
    assert_eq!(
        hasty.select(".error-summary a"),
        ["Say which compelling legitimate grounds override theirs.", "Tick the box to confirm."]
    );
    let unsure = room.answer(id, &[("reply", "override"), ("reason", GROUNDS)]).await.assert_status(422);
    assert_eq!(unsure.select("textarea"), [GROUNDS], "the form comes back as it was typed");
    assert_eq!(unsure.attributes("option[selected]", "value"), ["override"]);
    let fields = [("reply", "override"), ("reason", GROUNDS), ("override_confirm", "yes")];
    let done = room.answer(id, &fields).await.assert_status(303);
    assert_eq!(done.location(), "/objections?done=objection-answered");
    let again = room.answer(id, &fields).await.assert_status(409);
    assert!(again.select(".error-summary a")[0].starts_with("Nothing waits for an answer here any more"));
    let desk = room.desk().await;
    assert!(desk.select(".lead")[0].starts_with("No objection waits"));
    assert!(
        desk.select(".question__answer")[0].contains(&format!("Overridden: it goes on 3 Nov 2026 {GROUNDS}"))
    );
    room.publisher.get(&format!("/objections/{id}")).await.assert_status(404);

    let contest = room.choose(Choice::Contest { reason: "That was another office." }).await;
    assert!(!room.desk().await.body.contains("another office"));
    room.days_later(1).await;
    let desk = room.desk().await;
    assert!(desk.select(".card")[0].contains("Contests an answer"));
    let page = room.publisher.get(&format!("/objections/{contest}")).await.assert_status(200);
    assert!(page.body.contains(GROUNDS) && page.body.contains("another office"));
    room.answer(contest, &[("reply", "uphold"), ("reason", "You are right.")]).await.assert_status(303);
    let answered = room.desk().await.select(".question__answer");
    assert_eq!(answered.len(), 2);
    assert!(answered[0].starts_with("Upheld: it stopped 4 Nov 2026 You are right."), "the newest first");
}

#[tokio::test]
async fn one_that_was_taken_back_meanwhile_isnt_answered_and_the_text_comes_back() {
    let room = Room::new().await;
    let id = room.object(false).await;
    room.days_later(1).await;
    let before = room.desk().await;
    room.choose(Choice::Yes).await;
    assert_eq!(
        room.desk().await.select("main"),
        before.select("main"),
        "also this isn’t seen when it happens"
    );
    let late = room.answer(id, &[("reply", "uphold"), ("reason", "Of course.")]).await.assert_status(409);
    assert_eq!(late.select("textarea"), ["Of course."]);
    room.days_later(1).await;
    assert!(!room.desk().await.body.contains(REASON));
    assert_eq!(room.app.count("consent_decision where state = 'upheld'").await, 0);
}

#[tokio::test]
async fn what_is_due_is_first_and_what_is_overdue_says_so() {
    let room = Room::new().await;
    // Later in the day by one who is first in the roll, so that no order of the day is one of the roll or the clock.
    let ids: Vec<Uuid> = {
        let mut ids = vec![room.object(false).await];
        for n in 0..6 {
            room.app.state.clock.advance(600);
            let worker = room
                .app
                .sign_in_as(room.app.person(&format!("w{n}@example.com"), &[Role::Worker]).await)
                .await;
            let reason = Choice::Object { reason: "Also mine.", named: false };
            ids.push(choose(&room.app, &worker, room.processing, reason).await.unwrap());
        }
        ids
    };
    room.days_later(1).await;
    let late = room.app.sign_in_as(room.app.person("late@example.com", &[Role::Worker]).await).await;
    let reason = Choice::Object { reason: "The newest.", named: false };
    let newest = choose(&room.app, &late, room.processing, reason).await.unwrap();
    room.days_later(1).await;
    let shown: Vec<String> = room.desk().await.attributes(".card__title a", "href");
    let mut expected: Vec<String> = ids.iter().map(|id| format!("/objections/{id}")).collect();
    expected.sort();
    expected.push(format!("/objections/{newest}"));
    assert_eq!(shown, expected, "by day, and within a day by ids that tell nothing");
    assert!(!room.desk().await.body.contains("verdue"));
    room.days_later(29).await;
    for actor in [&room.publisher, &room.representative] {
        let page = actor.get("/objections").await.assert_status(200);
        assert!(page.select(".lead")[0].ends_with("7 overdue"), "{:?}", page.select(".lead"));
        assert!(page.select(".card--attention .chip--bad")[0].contains("Overdue since 2 Dec 2026"));
    }
}

#[tokio::test]
async fn answers_come_in_pages() {
    let room = Room::new().await;
    for n in 0..23 {
        let worker =
            room.app.sign_in_as(room.app.person(&format!("w{n}@example.com"), &[Role::Worker]).await).await;
        let reason = Choice::Object { reason: "Mine.", named: false };
        choose(&room.app, &worker, room.processing, reason).await.unwrap();
    }
    room.days_later(1).await;
    for path in room.desk().await.attributes(".card__title a", "href") {
        room.publisher.post(&path, &[("reply", "uphold"), ("reason", "Yes.")]).await.assert_status(303);
    }
    let first = room.desk().await;
    assert_eq!(first.select(".question").len(), 20);
    assert_eq!(room.publisher.get("/objections?page=2").await.select(".question").len(), 3);
}

#[tokio::test]
async fn nobody_answers_their_own() {
    let app = TestApp::new().await;
    let both = app.person("both@example.com", &[Role::Publisher, Role::Worker]).await;
    let both = app.sign_in_as(both).await;
    let processing = declare(&app, &both, &[]).await;
    tell(&app, both.id(), &[processing]).await;
    let id = choose(&app, &both, processing, Choice::Object { reason: REASON, named: false }).await.unwrap();
    app.state.clock.advance(86_400);
    let both = app.sign_in_as(both.id()).await;
    let page = both.get(&format!("/objections/{id}")).await.assert_status(200);
    assert!(
        page.body.contains("you: a colleague answers it")
            && page.attributes("main form", "action").is_empty()
    );
    let tried = both.post(&format!("/objections/{id}"), &[("reply", "uphold"), ("reason", "Yes.")]).await;
    assert!(tried.assert_status(409).body.contains("This is your own objection"));
}

#[tokio::test]
async fn hr_hears_by_mail_that_one_waits_in_the_morning_and_nothing_else() {
    let room = Room::new().await;
    let mails = || room.app.count("outbox");
    let round = || mail_publishers(&room.app.state);
    round().await.unwrap();
    room.object(true).await;
    round().await.unwrap();
    assert_eq!(mails().await, 0, "the mail's time would tell the objection's");
    // 9:00 + 21:59 is 6:59.
    room.app.state.clock.advance(22 * 3600 - 60);
    round().await.unwrap();
    assert_eq!(mails().await, 0);
    room.app.state.clock.advance(60);
    let (a, b) = tokio::join!(round(), round());
    a.unwrap();
    b.unwrap();
    assert_eq!(mails().await, 1);
    let (subject, body): (String, String) =
        sqlx::query_as("select subject, body from outbox").fetch_one(&room.app.state.db).await.unwrap();
    assert_eq!(subject, "An objection waits for an answer");
    assert!(
        body.starts_with("An objection waits for an answer:") && body.trim_end().ends_with("/objections")
    );
    assert_eq!(body.lines().count(), 3);
    for _ in 0..3 {
        room.app.state.clock.advance(86_400);
        round().await.unwrap();
    }
    assert_eq!(mails().await, 1, "once for what was told of");
    let other = room.app.sign_in_as(room.app.person("other@example.com", &[Role::Worker]).await).await;
    let reason = Choice::Object { reason: REASON, named: false };
    choose(&room.app, &other, room.processing, reason).await.unwrap();
    room.app.state.clock.advance(86_400);
    round().await.unwrap();
    round().await.unwrap();
    assert_eq!(mails().await, 2);
    // One of the very day on which a mail went out isn't forgotten either.
    let third = room.app.sign_in_as(room.app.person("third@example.com", &[Role::Worker]).await).await;
    choose(&room.app, &third, room.processing, reason).await.unwrap();
    room.app.state.clock.advance(86_400);
    round().await.unwrap();
    assert_eq!(mails().await, 3);
}
