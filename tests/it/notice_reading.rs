//! Reading notices, through HTTP as those who read, answer and ask.

use daylight::notices::life::State;
use daylight::notices::{ChangeClass, Version};
use daylight::web::Role;

use crate::support::notice::{covered, next, retract, text, version, write};
use crate::support::{Actor, Reply, TestApp};

struct Room {
    app: TestApp,
    publisher: Actor,
    worker: Actor,
}

impl Room {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let publisher = app.actor(Role::Publisher).await;
        let worker = app.actor(Role::Worker).await;
        Room { app, publisher, worker }
    }

    fn version(&self) -> Version {
        version(&self.app, self.publisher.id())
    }

    async fn published(&self) -> Version {
        let v = self.version();
        write(&self.app, &v).await;
        v
    }

    /// Version 2.0: kept for 90 days.
    async fn changed(&self, former: &Version) -> Version {
        self.app.state.clock.advance(3600);
        let mut v = next(&self.app, former, ChangeClass::Material, "Disputes take longer");
        v.field_table = Some(vec![covered("90 days")]);
        v.texts[0].markdown = "## Why\n\nWe keep it for 90 days to find faults.".into();
        write(&self.app, &v).await;
        v
    }

    async fn unread(&self) -> Vec<String> {
        self.worker.get("/me/account").await.assert_status(200).select(".site-nav .count")
    }
}

fn path(v: &Version) -> String {
    format!("/notices/{}", v.notice_id)
}

/// Sends the form as it stands on the page.
async fn answer(actor: &Actor, v: &Version, verb: &str, more: &[(&str, &str)]) -> Reply {
    let page = actor.get(&path(v)).await.assert_status(200);
    let form = format!("form[action='{}/{verb}'] input", path(v));
    let (names, values) = (page.attributes(&form, "name"), page.attributes(&form, "value"));
    let mut fields: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
    fields.extend(more);
    actor.post(&format!("{}/{verb}", path(v)), &fields).await
}

#[tokio::test]
async fn a_worker_reads_what_is_new_and_says_so() {
    let room = Room::new().await;
    assert_eq!(room.worker.get("/notices").await.select(".empty__title"), ["No notice is published yet"]);
    let v = room.published().await;
    assert_eq!(room.unread().await, ["1 to read"]);
    let list = room.worker.get("/notices").await.assert_status(200);
    assert_eq!(list.select("h2")[0], "New 1");
    assert_eq!(list.select(".notices__title"), ["How we watch programs"]);

    let page = room.worker.get(&path(&v)).await.assert_status(200);
    assert_eq!(page.select("h1"), ["How we watch programs"]);
    assert_eq!(page.select("article.prose h2"), ["Why"]);
    let card = page.select("#answer").remove(0);
    assert!(
        card.contains("It is not consent") && card.contains("Nobody is shown what you in particular did")
    );
    assert!(page.select(".chip--good").iter().any(|c| c == "Checked"));
    assert!(page.attributes("a", "href").contains(&"/log/entries/1/proof".to_owned()), "{}", page.body);

    answer(&room.worker, &v, "acknowledge", &[]).await.assert_status(303);
    let page = room.worker.get(&path(&v)).await.assert_status(200);
    assert_eq!(page.select("#answer h2"), ["You have said that you read this"]);
    assert!(page.attributes("form", "action").iter().all(|a| !a.ends_with("acknowledge")));
    assert!(room.unread().await.is_empty());
    assert_eq!(room.worker.get("/notices").await.select("h2")[0], "In force");
    let shown: (String, i32) =
        sqlx::query_as("select language, length(content_sha256) from notice_acknowledgement")
            .fetch_one(&room.app.state.db)
            .await
            .unwrap();
    assert_eq!(shown, ("en".into(), 32));
    // Twice is once, and it stays on record.
    let again = room.worker.post(&format!("{}/acknowledge", path(&v)), &[]).await;
    assert_eq!(again.status, 409);
    assert_eq!(answer(&room.worker, &v, "decline", &[]).await.status, 409);
    let sql = "update notice_acknowledgement set acknowledged_at = null";
    assert!(sqlx::query(sql).execute(&room.app.state.db).await.is_err());
}

#[tokio::test]
async fn a_material_version_asks_anew_and_shows_what_changed() {
    let room = Room::new().await;
    let first = room.published().await;
    answer(&room.worker, &first, "acknowledge", &[]).await.assert_status(303);
    let second = room.changed(&first).await;
    assert_eq!(room.unread().await, ["1 to read"]);
    let list = room.worker.get("/notices").await.assert_status(200);
    assert_eq!(list.select("h2")[0], "Changed since you last acknowledged 1");
    assert!(list.select(".notices__item")[0].contains("Disputes take longer"));

    let page = room.worker.get(&path(&second)).await.assert_status(200);
    assert_eq!(page.select("#changed-title"), ["What changed since version 1.0, which you acknowledged"]);
    assert_eq!(page.select("#changed .facts del"), ["before: 2 Nov 2026, 09:00", "before: 30 days"]);
    assert_eq!(page.select("#changed .facts ins"), ["now: 2 Nov 2026, 10:00", "now: 90 days"]);
    assert_eq!(
        page.select("#changed .diff__block").last().unwrap(),
        "We keep it for removed: 30 added: 90 days to find faults."
    );
    assert_eq!(page.select(".timeline__title").len(), 2);
    answer(&room.worker, &second, "acknowledge", &[]).await.assert_status(303);
    assert!(room.unread().await.is_empty());

    let link = format!("{}/changes?from=1.0&to=2.0", path(&second));
    let compared = room.worker.get(&link).await.assert_status(200);
    assert_eq!(compared.select(".diff del"), ["removed: 30"]);
    let other_way = room.worker.get(&format!("{}/changes?from=2.0&to=1.0", path(&second))).await;
    assert_eq!(other_way.select("h1"), ["What changed from 1.0 to 2.0"]);
    room.worker.get(&format!("{}/changes?from=3.0", path(&second))).await.assert_status(404);
    let old = room.worker.get(&format!("{}?version=1.0", path(&second))).await.assert_status(200);
    assert!(old.select("article.prose")[0].contains("30 days"));
    assert!(old.select(".chip--unknown").contains(&"Earlier version".to_owned()));
    assert!(old.select("#answer form").is_empty());
}

#[tokio::test]
async fn a_correction_asks_nothing_and_says_so() {
    let room = Room::new().await;
    let first = room.published().await;
    answer(&room.worker, &first, "acknowledge", &[]).await.assert_status(303);
    let mut corrected = next(&room.app, &first, ChangeClass::Editorial, "A comma");
    corrected.texts[0].markdown.push_str(" Indeed.");
    write(&room.app, &corrected).await;
    assert!(room.unread().await.is_empty());
    let list = room.worker.get("/notices").await;
    assert_eq!(list.select("h2")[0], "In force");
    assert!(list.select(".notices__item")[0].contains("Words were corrected"));
    let page = room.worker.get(&path(&first)).await;
    assert!(page.body.contains("nothing is asked anew") && page.body.contains("A comma"));
    assert!(!page.body.contains("What it says is the same"), "that is HR's word, not the server's");
    assert_eq!(page.select("#changed ins"), ["added: Indeed."], "{:?}", page.select("#changed"));
    assert!(page.select("#answer form").is_empty());
    // The former form is out of date for whoever hasn't answered.
    let late = room.app.actor(Role::Worker).await;
    let page = late.get(&path(&first)).await;
    assert_eq!(page.select("#answer h2"), ["Have you read this?"]);
    // Whether it is but words, everybody sees for themselves.
    assert_eq!(page.select("#changed-title"), ["What changed since version 1.0"]);
    assert_eq!(page.select("#changed ins"), ["added: Indeed."]);
}

#[tokio::test]
async fn declining_is_a_choice_that_can_be_taken_back() {
    let room = Room::new().await;
    let v = room.published().await;
    let long = "x".repeat(2_001);
    let refused = answer(&room.worker, &v, "decline", &[("decline_reason", &long)]).await.assert_status(422);
    assert!(refused.select(".error-summary a")[0].contains("2000"));
    answer(&room.worker, &v, "decline", &[("decline_reason", "My own reason")]).await.assert_status(303);
    assert!(room.unread().await.is_empty(), "nobody is nagged");
    let page = room.worker.get(&path(&v)).await;
    assert!(page.select("#answer")[0].contains("My own reason"));
    answer(&room.worker, &v, "acknowledge", &[]).await.assert_status(303);
    let page = room.worker.get(&path(&v)).await;
    assert!(!page.body.contains("My own reason"));
    assert_eq!(
        room.app
            .count("notice_acknowledgement where declined_at is not null or decline_reason is not null")
            .await,
        0
    );
}

#[tokio::test]
async fn a_form_of_an_older_version_is_refused() {
    let room = Room::new().await;
    let first = room.published().await;
    let page = room.worker.get(&path(&first)).await;
    let values = page.attributes("form[action$='/acknowledge'] input", "value");
    room.changed(&first).await;
    let fields = [("version_id", &*values[0]), ("shown_language", &*values[1]), ("content", &*values[2])];
    let reply = room.worker.post(&format!("{}/acknowledge", path(&first)), &fields).await.assert_status(409);
    assert!(reply.select(".error-summary a")[0].contains("newer version"));
    assert_eq!(room.app.count("notice_acknowledgement where acknowledged_at is not null").await, 0);
}

#[tokio::test]
async fn only_those_whom_it_concerns_are_asked() {
    let room = Room::new().await;
    let mut v = room.version();
    v.jurisdictions = vec!["AU-NSW".into()];
    write(&room.app, &v).await;
    assert!(room.unread().await.is_empty());
    assert_eq!(room.worker.get("/notices").await.select("h2")[0], "For others");
    let page = room.worker.get(&path(&v)).await.assert_status(200);
    assert!(page.select("#answer").is_empty() && page.body.contains("not for you"));
    let content = daylight::notices::model::sha256(&v.document()).unwrap();
    let content: String = content.iter().map(|b| format!("{b:02x}")).collect();
    let id = v.id.to_string();
    let fields = [("version_id", &*id), ("shown_language", "en"), ("content", &*content)];
    let reply = room.worker.post(&format!("{}/acknowledge", path(&v)), &fields).await.assert_status(409);
    assert!(reply.select(".error-summary a")[0].contains("Nothing is asked of you"));
}

#[tokio::test]
async fn the_language_is_the_readers() {
    let room = Room::new().await;
    let mut v = room.version();
    v.texts = vec![
        text("de", "Was wir aufzeichnen", "Wir behalten es."),
        text("en", "What we record", "We keep it."),
    ];
    write(&room.app, &v).await;
    let reply = async |language: &str, query: &str| {
        let request =
            axum::http::Request::get(format!("{}{query}", path(&v))).header("accept-language", language);
        room.worker.send(request, axum::body::Body::empty()).await.assert_status(200)
    };
    let german = reply("de-AT,en;q=0.5", "").await;
    assert_eq!(german.select("h1"), ["Was wir aufzeichnen"]);
    assert_eq!(german.attributes("article.prose", "lang"), ["de"]);
    assert_eq!(reply("de", "?language=en").await.select("h1"), ["What we record"]);
    let other = reply("fr", "").await;
    assert_eq!(other.select("h1"), ["What we record"]);
    assert!(other.select(".languages")[0].contains("isn’t there in the language"));
}

#[tokio::test]
async fn a_retraction_stands_with_its_reason() {
    let room = Room::new().await;
    let v = room.published().await;
    retract(&room.app, &v, "It named the wrong program").await;
    assert!(room.unread().await.is_empty());
    assert_eq!(room.worker.get("/notices").await.select("h2")[0], "Retracted");
    let page = room.worker.get(&path(&v)).await.assert_status(200);
    assert!(page.select(".banner--warning")[0].contains("It named the wrong program"));
    assert!(page.select("#answer").is_empty());
    assert!(page.select(".chip").contains(&"Checked".to_owned()));
    let visitor = room.app.visitor();
    let board = visitor.get(&format!("/board/{}", v.notice_id)).await.assert_status(200);
    assert!(board.select(".banner--warning")[0].contains("wrong program"));
    assert!(visitor.get("/notices.atom").await.body.contains("Retracted: It named the wrong program"));
}

#[tokio::test]
async fn what_isnt_published_is_nowhere() {
    let room = Room::new().await;
    let mut hidden = Vec::new();
    for (n, state) in
        [State::Draft, State::InReview, State::Approved, State::Scheduled].into_iter().enumerate()
    {
        let mut v = room.version();
        v.state = state;
        v.texts = vec![text("en", &format!("canary-title-{n}"), "canary-text")];
        write(&room.app, &v).await;
        hidden.push(v);
    }
    // Committed, but not in the log yet: a crash could have come in between.
    let waiting = room.published().await;
    sqlx::query("update ledger_entry set position = null where id = (select max(id) from ledger_entry)")
        .execute(&room.app.state.db)
        .await
        .unwrap();
    hidden.push(waiting);
    let visitor = room.app.visitor();
    let everybody = [&room.worker, &room.publisher, &room.app.actor(Role::Administrator).await];
    for v in &hidden {
        for actor in everybody {
            actor.get(&path(v)).await.assert_status(404);
            actor.get(&format!("{}/changes", path(v))).await.assert_status(404);
        }
        room.publisher.get(&format!("{}/reach", path(v))).await.assert_status(404);
        room.publisher
            .post(&format!("{}/remind", path(v)), &[("remind_confirm", "yes")])
            .await
            .assert_status(404);
        room.publisher.post(&format!("{}/acknowledgements", path(v)), &[]).await.assert_status(404);
        room.worker.post(&format!("{}/acknowledge", path(v)), &[]).await.assert_status(404);
        let question = [("version_id", &*v.id.to_string()), ("question", "Hm?"), ("who", "everybody")];
        room.worker.post(&format!("{}/questions", path(v)), &question).await.assert_status(404);
        visitor.get(&format!("/board/{}", v.notice_id)).await.assert_status(404);
    }
    let feed = visitor.get("/notices.atom").await.assert_status(200);
    assert!(!feed.body.contains("canary") && !feed.body.contains("<entry>"), "{}", feed.body);
    assert!(room.worker.get("/notices").await.select(".notices__item").is_empty());
}

#[tokio::test]
async fn a_text_edited_in_the_database_is_never_shown_as_published() {
    let room = Room::new().await;
    let v = room.published().await;
    for sql in [
        "alter table notice_text disable trigger user",
        "update notice_text set markdown = replace(markdown, '30 days', '300 days')",
        "alter table notice_text enable trigger user",
    ] {
        sqlx::query(sql).execute(&room.app.state.db).await.unwrap();
    }
    let page = room.worker.get(&path(&v)).await.assert_status(200);
    assert_eq!(page.select("#broken .banner__title"), ["This is not the text that was published"]);
    assert!(
        page.select("#answer form").is_empty()
            && page.select(".chip--bad").contains(&"Doesn’t fit".to_owned())
    );
    let visitor = room.app.visitor();
    let board = visitor.get(&format!("/board/{}", v.notice_id)).await.assert_status(200);
    assert_eq!(board.select(".banner--error .banner__title"), ["This is not the text that was published"]);
    let feed = visitor.get("/notices.atom").await.body;
    assert!(!feed.contains("300 days") && feed.contains("isn’t what was published"));
    assert!(room.worker.get("/notices").await.select(".notices__item")[0].contains("Doesn’t fit the log"));
    let content = page.select(".mono").pop().unwrap();
    let fields = [("version_id", &*v.id.to_string()), ("shown_language", "en"), ("content", &*content)];
    room.worker.post(&format!("{}/acknowledge", path(&v)), &fields).await.assert_status(409);
    assert_eq!(
        room.app
            .count("notice_acknowledgement where acknowledged_at is not null or viewed_at is not null")
            .await,
        0
    );
    let compared = room.changed(&v).await;
    let page = room.worker.get(&format!("{}/changes?from=1.0&to=2.0", path(&compared))).await;
    assert!(page.select(".banner--error")[0].contains("isn’t the one that was published"));
}

#[tokio::test]
async fn what_hr_writes_can_only_be_read() {
    let room = Room::new().await;
    let hostile = "<script>alert(1)</script>\n\n![x](https://x.example/p.png)\n\n[x](javascript:alert(1))\n\n<img src=x onerror=alert(1)>";
    let mut v = room.version();
    v.texts = vec![text("en", "<script>alert(2)</script>", hostile)];
    v.reason = Some("<b onmouseover=alert(3)>".into());
    write(&room.app, &v).await;
    let visitor = room.app.visitor();
    let second = room.changed(&v).await;
    let question = [
        ("version_id", &*second.id.to_string()),
        ("question", "<script>alert(4)</script>"),
        ("who", "everybody"),
    ];
    room.worker.post(&format!("{}/questions", path(&v)), &question).await.assert_status(303);
    let board = format!("/board/{}", v.notice_id);
    for page in [
        room.worker.get("/notices").await,
        room.worker.get(&path(&v)).await,
        room.worker.get(&format!("{}?version=1.0", path(&v))).await,
        room.worker.get(&format!("{}/changes", path(&v))).await,
        room.publisher.get("/notices/questions").await,
        room.publisher.get(&format!("{}/reach", path(&v))).await,
        visitor.get(&board).await,
    ] {
        let page = page.assert_status(200);
        assert_eq!(
            page.attributes("script", "src").len(),
            page.select("script").len(),
            "only our own scripts"
        );
        assert!(page.attributes("img", "src").iter().all(|src| src.starts_with("/static/")));
        assert!(
            page.attributes("a", "href").iter().all(|href| !href.to_lowercase().starts_with("javascript:"))
        );
        for attribute in ["onmouseover", "onerror", "style"] {
            assert!(page.attributes(&format!("[{attribute}]"), attribute).is_empty());
        }
    }
    let feed = visitor.get("/notices.atom").await.assert_status(200);
    assert!(
        feed.body.contains("&#60;script&#62;alert(2)") || feed.body.contains("&lt;script&gt;alert(2)"),
        "{}",
        feed.body
    );
    assert!(!feed.body.contains("<script") && !feed.body.contains("<img"));
}

#[tokio::test]
async fn the_board_and_the_feed_are_for_everybody() {
    let room = Room::new().await;
    let first = room.published().await;
    let second = room.changed(&first).await;
    let visitor = room.app.visitor();
    let board = visitor.get(&format!("/board/{}", second.notice_id)).await.assert_status(200);
    assert_eq!(board.select("h1"), ["How we watch programs"]);
    assert!(board.select("article")[0].contains("90 days"));
    assert_eq!(board.attributes("svg[role='img']", "aria-label"), ["QR code that leads to this page"]);
    assert!(board.select(".facts")[0].contains("2.0"));
    let hash = board.select(".board__hash").remove(0).replace(' ', "");
    let whole = room.worker.get(&path(&second)).await;
    assert!(hash.len() == 16 && whole.body.contains(&hash), "{hash}");
    let feed = visitor.get("/notices.atom").await.assert_status(200);
    assert_eq!(feed.header("content-type"), "application/atom+xml; charset=utf-8");
    assert!(feed.body.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>"));
    assert_eq!(feed.body.matches("<entry>").count(), 2);
    assert!(feed.body.contains(&format!("<id>urn:uuid:{}</id>", second.id)));
    assert!(feed.body.contains("<updated>2026-11-02T10:00:00Z</updated>"));
    assert!(feed.body.contains("<author><name>Example Works</name></author>"));
    visitor.get(&format!("/board/{}", uuid::Uuid::nil())).await.assert_status(404);
}

/// What two tabs do: the second waits for the first, which acknowledges.
#[tokio::test]
async fn a_decline_beside_an_acknowledgement_is_refused_with_words() {
    let room = Room::new().await;
    let v = room.published().await;
    room.worker.get(&path(&v)).await.assert_status(200);
    let mut first = room.app.state.db.begin().await.unwrap();
    sqlx::query("update notice_acknowledgement set acknowledged_at = viewed_at")
        .execute(&mut *first)
        .await
        .unwrap();
    let acknowledge = async {
        let waits = "pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        while room.app.count(waits).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        first.commit().await.unwrap();
    };
    let (reply, ()) = tokio::join!(answer(&room.worker, &v, "decline", &[]), acknowledge);
    let words = reply.assert_status(409).select(".error-summary a").remove(0);
    assert!(words.contains("You have acknowledged this version already"), "{words}");
    assert_eq!(room.app.count("notice_acknowledgement where acknowledged_at is not null").await, 1);
}

#[tokio::test]
async fn questions_and_answers_hold_no_sign_that_nobody_sees() {
    let room = Room::new().await;
    let v = room.published().await;
    let (id, ask) = (v.id.to_string(), format!("{}/questions", path(&v)));
    let question =
        |text: &'static str| [("version_id", id.clone()), ("question", text.into()), ("who", "hr".into())];
    let send = async |fields: [(&str, String); 3]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        room.worker.post(&ask, &fields).await
    };
    let refused = send(question("Since\nwhen\u{202e}?")).await.assert_status(422);
    assert!(refused.select(".error-summary a")[0].contains("Line 2: There is an invisible sign, U+202E"));
    assert!(refused.select("textarea#question")[0].contains("when\u{202e}?"), "what was typed is there");
    send(question("Since when?")).await.assert_status(303);
    let list = room.publisher.get("/notices/questions").await.assert_status(200);
    let (to, field) =
        (&list.attributes("form[action$='/answer']", "action")[0], &list.attributes("textarea", "name")[0]);
    let refused = room.publisher.post(to, &[(field, "To\u{2066}day")]).await.assert_status(422);
    assert!(refused.select(".error-summary a")[0].contains("U+2066 (left-to-right isolate)"));
    assert!(refused.select("textarea")[0].contains("To\u{2066}day"));
    let declined = answer(&room.worker, &v, "decline", &[("decline_reason", "N\u{200b}o")]).await;
    assert!(declined.assert_status(422).select(".error-summary a")[0].contains("U+200B"));
}

#[tokio::test]
async fn reading_goes_on_when_nothing_can_be_written() {
    let room = Room::new().await;
    let v = room.published().await;
    for sql in [
        "create function full_disk() returns trigger language plpgsql as $$ begin raise exception 'full'; end $$",
        "create trigger full_disk before insert on notice_acknowledgement execute function full_disk()",
    ] {
        sqlx::query(sql).execute(&room.app.state.db).await.unwrap();
    }
    let list = room.worker.get("/notices").await.assert_status(200);
    assert_eq!(list.select(".notices__title"), ["How we watch programs"]);
    room.worker.get(&path(&v)).await.assert_status(200);
}
