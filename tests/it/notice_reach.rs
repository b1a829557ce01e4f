//! What others learn of who read what: counts in bands, one reminder, the export that some laws demand, and
//! questions; and all that they must never learn.

use daylight::identity::{self, NewPerson};
use daylight::notices::{ChangeClass, Version};
use daylight::web::Role;
use uuid::Uuid;

use crate::support::notice::{next, version, write};
use crate::support::smtp::Sink;
use crate::support::{Actor, TestApp, content, logs};

const CANARY: &str = "zz-canary-reason-zz";

struct Room {
    app: TestApp,
    publisher: Actor,
    representative: Actor,
    administrator: Actor,
}

impl Room {
    async fn new() -> Self {
        Self::on(TestApp::new().await).await
    }

    async fn on(app: TestApp) -> Self {
        let publisher = app.actor(Role::Publisher).await;
        let representative = app.actor(Role::Representative).await;
        let administrator = app.actor(Role::Administrator).await;
        Room { app, publisher, representative, administrator }
    }

    fn version(&self) -> Version {
        version(&self.app, self.publisher.id())
    }

    async fn worker(&self, name: &str, department: Option<&str>, jurisdiction: &str) -> Uuid {
        let email = format!("{name}@example.com");
        let person = NewPerson {
            email: &email,
            name,
            department,
            jurisdiction,
            roles: &[Role::Worker],
            ..NewPerson::default()
        };
        let mut db = self.app.state.db.acquire().await.unwrap();
        identity::add_person(&mut db, &self.app.state, &person).await.unwrap()
    }

    async fn workers(&self, department: &str, count: usize) -> Vec<Uuid> {
        let mut people = Vec::new();
        for n in 0..count {
            people.push(self.worker(&format!("{department}{n}"), Some(department), "EU").await);
        }
        people
    }

    async fn answer(&self, person: Uuid, v: &Version, verb: &str, more: &[(&str, &str)]) {
        let actor = self.app.sign_in_as(person).await;
        let page = actor.get(&path(v)).await.assert_status(200);
        let form = format!("form[action='{}/{verb}'] input", path(v));
        let (names, values) = (page.attributes(&form, "name"), page.attributes(&form, "value"));
        let mut fields: Vec<(&str, &str)> =
            names.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
        fields.extend(more);
        actor.post(&format!("{}/{verb}", path(v)), &fields).await.assert_status(303);
    }

    /// The rows of the table: who, people, delivered, viewed, acknowledged, not yet.
    async fn rows(&self, v: &Version) -> Vec<Vec<String>> {
        let page = self.publisher.get(&format!("{}/reach", path(v))).await.assert_status(200);
        let cells = page.select("tbody th, tbody td");
        cells.chunks(6).map(<[String]>::to_vec).collect()
    }

    /// Counts are those of the day before. Nobody's session ends over night.
    async fn tomorrow(&self) {
        self.app.state.clock.advance(24 * 3600);
        sqlx::query("update session set last_seen_at = $1")
            .bind(self.app.state.clock.now())
            .execute(&self.app.state.db)
            .await
            .unwrap();
    }

    /// Every page and file that the three can open about this notice, and what the server logged.
    async fn all_that_others_see(&self, v: &Version) -> String {
        let mut text = String::new();
        let notice = path(v);
        let paths = [
            "/notices".into(),
            notice.clone(),
            format!("{notice}/changes"),
            format!("{notice}/reach"),
            format!("{notice}/reach?version=1.0"),
            "/notices/questions".into(),
            "/publishing".into(),
            format!("/publishing/{}", v.notice_id),
            format!("/publishing/versions/{}", v.id),
            "/organisation".into(),
            "/people".into(),
            "/outbox".into(),
            "/agents".into(),
            "/me/access-log".into(),
            "/log/export".into(),
            "/notices.atom".into(),
            format!("/board/{}", v.notice_id),
        ];
        for actor in [&self.publisher, &self.representative, &self.administrator] {
            for path in &paths {
                text.push_str(&actor.get(path).await.body);
            }
            text.push_str(&actor.post(&format!("{notice}/acknowledgements"), &[]).await.body);
        }
        text
    }
}

fn path(v: &Version) -> String {
    format!("/notices/{}", v.notice_id)
}

#[tokio::test]
async fn small_departments_and_what_is_left_of_them_are_counted_together() {
    let room = Room::new().await;
    let (large, small) = (room.workers("Large", 14).await, room.workers("Small", 4).await);
    let v = room.version();
    write(&room.app, &v).await;
    for person in small.iter().chain(&large[..3]) {
        room.answer(*person, &v, "acknowledge", &[]).await;
    }
    assert_eq!(room.rows(&v).await[0][4], "nobody, or fewer than 5", "this day doesn't count yet");
    room.tomorrow().await;
    let few = "nobody, or fewer than 5";
    let expected = [
        "Large and Small, together",
        "18",
        "5 to 9 people",
        "5 to 9 people",
        "5 to 9 people",
        "10 to 14 people",
    ];
    assert_eq!(
        room.rows(&v).await,
        [expected],
        "four left over aren't shown, nor to be found by subtraction"
    );
    // Six more in the small one: both stand for themselves, and no total stands beside them.
    for n in 4..10 {
        room.worker(&format!("small{n}"), Some("Small"), "EU").await;
    }
    let rows = room.rows(&v).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(
        rows.iter().map(|r| (&*r[0], &*r[1], &*r[4])).collect::<Vec<_>>(),
        [("Large", "14", few), ("Small", "10", few)]
    );
    let page = room.representative.get(&format!("{}/reach", path(&v))).await.assert_status(200);
    assert!(
        page.attributes("form", "action").iter().all(|a| a == "/sign-out"),
        "representatives send nothing"
    );
    assert!(page.body.contains("Overdue, or declined"));
}

#[tokio::test]
async fn of_fewer_than_ten_nothing_is_counted() {
    let room = Room::new().await;
    let people = room.workers("Four", 4).await;
    let v = room.version();
    write(&room.app, &v).await;
    for person in people {
        room.answer(person, &v, "acknowledge", &[]).await;
    }
    room.tomorrow().await;
    let page = room.publisher.get(&format!("{}/reach", path(&v))).await.assert_status(200);
    assert!(page.select("table").is_empty() && page.body.contains("fewer than ten people"));
}

#[tokio::test]
async fn a_decline_and_its_reason_are_nobodys_business() {
    logs::capture();
    let room = Room::new().await;
    let people = room.workers("Dock", 30).await;
    let v = room.version();
    write(&room.app, &v).await;
    let (declines, acknowledges) = (&people[..4], &people[4..12]);
    for person in acknowledges {
        room.answer(*person, &v, "acknowledge", &[]).await;
    }
    room.tomorrow().await;
    let before = room.rows(&v).await;
    for person in declines {
        room.answer(*person, &v, "decline", &[("decline_reason", CANARY)]).await;
    }
    room.tomorrow().await;
    assert_eq!(room.rows(&v).await[0][4..], before[0][4..], "who declined and who is silent look the same");
    let seen = room.all_that_others_see(&v).await;
    content::assert_absent(CANARY, seen.as_bytes(), "what others see");
    assert!(!seen.contains("declined to acknowledge it."), "four are too few to be told of");
    content::assert_absent(CANARY, logs::captured().as_bytes(), "the log");

    for person in &people[12..18] {
        room.answer(*person, &v, "decline", &[]).await;
    }
    room.tomorrow().await;
    let page = room.publisher.get(&format!("{}/reach", path(&v))).await;
    assert!(page.body.contains("10 to 14 people declined to acknowledge it."), "{}", page.body);
}

#[tokio::test]
async fn the_reminder_goes_once_to_those_who_are_silent_and_tells_nobody_who_they_are() {
    let sink = Sink::start();
    let app = TestApp::with(|config| config.smtp_url = Some(sink.url.clone())).await;
    let room = Room::on(app).await;
    let people = room.workers("dock", 12).await;
    room.worker("elsewhere", None, "DE").await;
    let v = room.version();
    write(&room.app, &v).await;
    room.answer(people[0], &v, "acknowledge", &[]).await;
    room.answer(people[1], &v, "decline", &[]).await;
    let remind = format!("{}/remind", path(&v));
    room.representative.post(&remind, &[("remind_confirm", "yes")]).await.assert_status(403);
    let unsure = room.publisher.post(&remind, &[]).await.assert_status(422);
    assert_eq!(unsure.select(".error-summary a"), ["Tick the box to confirm."]);
    room.publisher.post(&remind, &[("remind_confirm", "yes")]).await.assert_status(303);
    let mut expected: Vec<String> = (2..12).map(|n| format!("dock{n}@example.com")).collect();
    expected.sort();
    let sent: Vec<String> =
        sqlx::query_scalar("select recipient from outbox where confidential order by recipient")
            .fetch_all(&room.app.state.db)
            .await
            .unwrap();
    assert_eq!(sent, expected);
    let mail = room.app.mail_to("dock5@example.com").await;
    assert!(mail.contains(&path(&v)) && mail.contains("Neither is consent"), "{mail}");
    let again = room.publisher.post(&remind, &[("remind_confirm", "yes")]).await.assert_status(409);
    assert!(again.select(".error-summary a")[0].contains("There is only one"));
    assert!(again.select("#reminder")[0].contains("was sent 2 Nov 2026"));
    assert_eq!(room.app.count("outbox").await, 10);
    // Who got one hasn't answered: the administrator's list doesn't say.
    let outbox = room.administrator.get("/outbox").await.assert_status(200);
    assert!(!outbox.body.contains("dock") && outbox.select(".empty__title") == ["No mail yet"]);
    let ids: Vec<Uuid> =
        sqlx::query_scalar("select id from outbox").fetch_all(&room.app.state.db).await.unwrap();
    assert_eq!(room.administrator.post(&format!("/outbox/{}/show", ids[0]), &[]).await.status, 409);
    assert_eq!(daylight::outbox::send_due(&room.app.state).await.unwrap(), 10);
    room.tomorrow().await;
    assert_eq!(room.rows(&v).await[0][2], "all people, or almost all", "the reminder delivers");
}

#[tokio::test]
async fn where_a_law_demands_proof_it_is_exported_and_everybody_in_it_knows() {
    let room = Room::new().await;
    let mut v = room.version();
    v.kind = "ny-52-c".into();
    v.jurisdictions = vec!["US-NY".into(), "EU".into()];
    write(&room.app, &v).await;
    let signed = room.worker("=signed", Some("Dock"), "US-NY").await;
    let silent = room.worker("silent", Some("Dock"), "US-NY").await;
    let declined = room.worker("declined", Some("Dock"), "US-NY").await;
    let european = room.worker("european", Some("Dock"), "EU").await;

    let before = room.app.sign_in_as(signed).await.get(&path(&v)).await;
    assert!(
        before.select("#proof")[0].contains("HR is shown this acknowledgement. NY Civil Rights Law §52-c")
    );
    assert!(room.app.sign_in_as(european).await.get(&path(&v)).await.select("#proof").is_empty());
    room.answer(signed, &v, "acknowledge", &[]).await;
    room.answer(european, &v, "acknowledge", &[]).await;
    room.answer(declined, &v, "decline", &[("decline_reason", CANARY)]).await;

    let export = format!("{}/acknowledgements", path(&v));
    for actor in [&room.representative, &room.administrator] {
        actor.post(&export, &[]).await.assert_status(403);
    }
    let csv = room.publisher.post(&export, &[]).await.assert_status(200);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let lines: Vec<&str> = csv.body.lines().collect();
    assert_eq!(lines.len(), 2, "{}", csv.body);
    assert!(lines[1].starts_with("'=signed,,Dock,NY Civil Rights Law §52-c,1.0,2026-11-02T09:00:00Z,en,"));
    for other in ["silent", "declined", "european", CANARY] {
        assert!(!csv.body.contains(other));
    }
    let entry = "Your acknowledgement of a notice was exported, because a law makes your employer prove it";
    let told = async |person| {
        let log = room.app.sign_in_as(person).await.get("/me/access-log").await.select("tbody th");
        log.iter().filter(|words| *words == entry).count()
    };
    assert_eq!(told(signed).await, 1);
    for other in [silent, declined, european] {
        assert_eq!(told(other).await, 0);
    }
    let reach = room.publisher.get(&format!("{}/reach", path(&v))).await;
    assert!(
        reach.select("section[aria-labelledby='proof']")[0]
            .contains("One acknowledgement of this version is on record")
    );
    // Without such a law there is no export.
    let plain = room.version();
    write(&room.app, &plain).await;
    room.publisher.post(&format!("{}/acknowledgements", path(&plain)), &[]).await.assert_status(404);
}

#[tokio::test]
async fn whom_an_export_names_is_in_no_count() {
    let room = Room::new().await;
    let people = room.workers("Dock", 11).await;
    let mut v = room.version();
    v.kind = "ny-52-c".into();
    v.jurisdictions = vec!["US-NY".into(), "EU".into()];
    write(&room.app, &v).await;
    for n in 0..3 {
        let exported = room.worker(&format!("exported{n}"), Some("Dock"), "US-NY").await;
        room.answer(exported, &v, "acknowledge", &[]).await;
    }
    for person in &people[..2] {
        room.answer(*person, &v, "acknowledge", &[]).await;
    }
    room.tomorrow().await;
    let row = room.rows(&v).await.remove(0);
    assert_eq!(row[1], "11", "with the three of the export, two of eleven could be worked out");
    assert_eq!(row[4], "nobody, or fewer than 5");
}

#[tokio::test]
async fn what_was_declined_stays_so_through_a_correction() {
    let room = Room::new().await;
    let person = room.worker("steady", None, "EU").await;
    let v = room.version();
    write(&room.app, &v).await;
    room.answer(person, &v, "decline", &[("decline_reason", CANARY)]).await;
    let corrected = next(&room.app, &v, ChangeClass::Editorial, "A comma");
    write(&room.app, &corrected).await;
    let actor = room.app.sign_in_as(person).await;
    assert!(actor.get("/notices").await.select(".site-nav .count").is_empty());
    assert!(actor.get(&path(&v)).await.select("#answer")[0].contains(CANARY), "to themselves");
    room.answer(person, &corrected, "acknowledge", &[]).await;
    assert_eq!(room.app.count("notice_acknowledgement where decline_reason is not null").await, 0);
}

#[tokio::test]
async fn who_moves_under_such_a_law_later_isnt_shown_for_what_they_said_before() {
    let room = Room::new().await;
    let mut v = room.version();
    v.kind = "ny-52-c".into();
    v.jurisdictions = vec!["US-NY".into(), "EU".into()];
    write(&room.app, &v).await;
    let moves = room.worker("moves", None, "EU").await;
    room.answer(moves, &v, "acknowledge", &[]).await;
    sqlx::query("update person set jurisdiction = 'US-NY' where id = $1")
        .bind(moves)
        .execute(&room.app.state.db)
        .await
        .unwrap();
    let csv = room.publisher.post(&format!("{}/acknowledgements", path(&v)), &[]).await.assert_status(200);
    assert!(!csv.body.contains("moves"));
}

#[tokio::test]
async fn a_question_shows_no_name_unless_the_asker_gives_it() {
    logs::capture();
    let room = Room::new().await;
    let (asker, colleague) =
        (room.worker("Quirina", None, "EU").await, room.worker("Other", None, "EU").await);
    let v = room.version();
    write(&room.app, &v).await;
    let (asker, colleague) = (room.app.sign_in_as(asker).await, room.app.sign_in_as(colleague).await);
    let ask = format!("{}/questions", path(&v));
    let id = v.id.to_string();
    let fields = |text: &'static str, who: &'static str, name: &'static str| {
        [("version_id", id.clone()), ("question", text.into()), ("who", who.into()), ("name", name.into())]
    };
    let send = async |fields: [(&str, String); 4]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        asker.post(&ask, &fields).await
    };
    send(fields("", "everybody", "")).await.assert_status(422);
    send(fields("public-unnamed", "", "")).await.assert_status(422);
    send(fields("public-unnamed", "everybody", "")).await.assert_status(303);
    room.tomorrow().await;
    send(fields("private-unnamed", "hr", "")).await.assert_status(303);
    room.tomorrow().await;

    let seen = room.all_that_others_see(&v).await;
    assert!(
        seen.contains("public-unnamed") && seen.contains("private-unnamed") && seen.contains("A colleague")
    );
    let pages = [&room.publisher, &room.representative, &room.administrator, &colleague];
    for (n, actor) in pages.into_iter().enumerate() {
        let page = actor.get(&path(&v)).await.assert_status(200);
        assert!(!page.body.contains("Quirina"));
        assert_eq!(page.body.contains("private-unnamed"), n == 0, "HR and the asker alone");
        assert!(
            page.select(".question")[0].contains("2 days ago")
                && page.select(".question")[0].contains("Not answered yet")
        );
    }
    assert!(!room.publisher.get("/notices/questions").await.body.contains("Quirina"));
    send(fields("public-named", "everybody", "yes")).await.assert_status(303);
    assert!(colleague.get(&path(&v)).await.body.contains("Quirina"));

    let list = room.publisher.get("/notices/questions").await.assert_status(200);
    assert!(list.select(".lead")[0].contains("3 questions wait"));
    let forms = list.attributes("form[action$='/answer']", "action");
    let field = list.attributes("textarea", "name");
    assert_eq!(room.publisher.post(&forms[0], &[]).await.status, 422);
    room.representative.post(&forms[0], &[(&*field[0], "An answer")]).await.assert_status(403);
    room.publisher.post(&forms[0], &[(&*field[0], "An answer")]).await.assert_status(303);
    room.publisher.post(&forms[0], &[(&*field[0], "Another")]).await.assert_status(409);
    assert!(colleague.get(&path(&v)).await.body.contains("An answer"));
    assert_eq!(room.app.count("outbox").await, 0, "a mail's recipient would tell who asked");

    let page = asker.get(&path(&v)).await;
    let withdraw = page.attributes("form[action$='/withdraw']", "action");
    assert_eq!(withdraw.len(), 2, "an answered one stays");
    colleague.post(&withdraw[0], &[]).await.assert_status(404);
    asker.post(&withdraw[0], &[]).await.assert_status(303);
    asker.post(&forms[0].replace("/answer", "/withdraw"), &[]).await.assert_status(409);
    assert!(!room.publisher.get(&path(&v)).await.body.contains("private-unnamed"));
    assert_eq!(room.app.count("notice_question where text like 'private%'").await, 0);
    assert!(asker.get(&path(&v)).await.body.contains("You withdrew a question"));
    let log = logs::captured();
    for word in ["public-unnamed", "private-unnamed", "Quirina", "An answer"] {
        assert!(!log.contains(word), "{word} in the log");
    }
}

#[tokio::test]
async fn of_a_question_nothing_but_the_day_is_kept_or_shown() {
    let room = Room::new().await;
    let asker = room.worker("Quirina", None, "EU").await;
    let v = room.version();
    write(&room.app, &v).await;
    let asker = room.app.sign_in_as(asker).await;
    let id = v.id.to_string();
    for who in ["everybody", "hr"] {
        room.app.state.clock.advance(4_321);
        let question = [("version_id", &*id), ("question", "Since when?"), ("who", who)];
        asker.post(&format!("{}/questions", path(&v)), &question).await.assert_status(303);
    }
    let (question, day) = (".question", "2026-11-02");
    for page in [
        room.publisher.get(&path(&v)).await,
        room.publisher.get("/notices/questions").await,
        asker.get("/notices").await,
    ] {
        let shown = page.attributes(&format!("{question} time, #own-questions ~ ul time"), "datetime");
        assert_eq!(shown, [day, day], "{}", page.body);
    }
    let list = room.publisher.get("/notices/questions").await;
    assert!(list.select(question).iter().all(|q| q.contains("today")));
    for id in list.attributes(question, "id") {
        let id: uuid::Uuid = id.strip_prefix("question-").unwrap().parse().unwrap();
        assert_eq!(id.get_version(), Some(uuid::Version::Random), "an id that tells no time");
    }
    let withdraw = asker.get(&path(&v)).await.attributes("form[action$='/withdraw']", "action");
    asker.post(&withdraw[0], &[]).await.assert_status(303);
    // Not in the database either.
    let rows: Vec<String> = sqlx::query_scalar("select row_to_json(q)::text from notice_question q")
        .fetch_all(&room.app.state.db)
        .await
        .unwrap();
    assert!(
        rows.len() == 2 && rows.iter().all(|r| r.contains(day) && !r.contains("T1") && !r.contains("T0")),
        "{rows:?}"
    );
}
