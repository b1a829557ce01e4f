//! Writing, reviewing and publishing notices, through HTTP as the people who do it.

use std::task::Poll;
use std::time::Duration;

use daylight::clock::Time;
use daylight::ledger::proof::verify::{Against, Outcome, verify_export};
use daylight::notices::{self, actions};
use daylight::web::{Role, Viewer};
use uuid::Uuid;

use crate::support::declaration::{COMPLETE, but};
use crate::support::{Actor, Reply, TestApp};

/// A privacy notice with every section that GDPR Art. 13 asks for.
pub const TEXT: &str = "We record which program is in front, to find harmful ones.\n\n\
    ## Who is responsible\n\nExample Works, 1 Harbour Street, hr@example.com.\n\n\
    ## Data protection officer\n\nDana Officer, privacy@example.com.\n\n\
    ## Your rights\n\nYou can ask for a copy of what is held about you.\n\n\
    ## Complaints\n\nYou can complain to the supervisory authority.\n\n\
    ## Automated decisions\n\nNothing is decided by a machine alone.\n";

struct Room {
    app: TestApp,
    publisher: Actor,
    second: Actor,
    representative: Actor,
    worker: Actor,
    /// An active processing for the EU.
    processing: String,
}

impl Room {
    async fn new() -> Self {
        Self::of(TestApp::new().await).await
    }

    async fn of(app: TestApp) -> Self {
        let publisher = app.actor(Role::Publisher).await;
        let reply = publisher.post("/register", COMPLETE).await.assert_status(303);
        let path = reply.location().split('?').next().unwrap().to_owned();
        publisher.post(&format!("{path}/propose"), &[("revision", "1")]).await.assert_status(303);
        let activate = [("revision", "2"), ("activate_confirm", "yes")];
        publisher.post(&format!("{path}/activate"), &activate).await.assert_status(303);
        Room {
            processing: path.rsplit('/').next().unwrap().to_owned(),
            second: app.actor(Role::Publisher).await,
            representative: app.actor(Role::Representative).await,
            worker: app.actor(Role::Worker).await,
            publisher,
            app,
        }
    }

    /// A fresh draft's path.
    async fn begin(&self, kind: &str) -> String {
        let reply = self.publisher.post("/publishing", &[("kind", kind)]).await.assert_status(303);
        reply.location().strip_suffix("/edit").unwrap().to_owned()
    }

    /// A complete form of the editor, with some fields changed.
    fn form<'a>(&'a self, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let complete = [
            ("languages", "en"),
            ("title-en", "What we record"),
            ("markdown-en", TEXT),
            ("processings", self.processing.as_str()),
            ("jurisdictions", "EU"),
            ("acknowledgement_wanted", "yes"),
            ("action", "save"),
        ];
        let kept = complete.into_iter().filter(|(name, _)| !changes.iter().any(|(n, _)| n == name));
        kept.chain(changes.iter().copied()).collect()
    }

    /// A proposed processing for another place; its id.
    async fn declared_for(&self, place: &str) -> String {
        let reply = self.publisher.post("/register", &but(&[("jurisdictions", place)])).await;
        let path = reply.assert_status(303).location().split('?').next().unwrap().to_owned();
        self.publisher.post(&format!("{path}/propose"), &[("revision", "1")]).await.assert_status(303);
        path.rsplit('/').next().unwrap().to_owned()
    }

    /// The publisher, for calling an action without a page.
    fn viewer(&self) -> Viewer {
        Viewer {
            person_id: self.publisher.id(),
            session_id: Uuid::nil(),
            name: "Publisher".into(),
            roles: vec![Role::Publisher],
            time_zone: jiff::tz::TimeZone::UTC,
            signed_in_at: self.app.state.clock.now(),
        }
    }

    async fn revision(&self, path: &str) -> String {
        let revision: i32 = sqlx::query_scalar("select revision from notice_version where id = $1")
            .bind(id_of(path))
            .fetch_one(&self.app.state.db)
            .await
            .unwrap();
        revision.to_string()
    }

    async fn state(&self, path: &str) -> String {
        sqlx::query_scalar("select state from notice_version where id = $1")
            .bind(id_of(path))
            .fetch_one(&self.app.state.db)
            .await
            .unwrap()
    }

    async fn notice(&self, path: &str) -> String {
        let id: Uuid = sqlx::query_scalar("select notice_id from notice_version where id = $1")
            .bind(id_of(path))
            .fetch_one(&self.app.state.db)
            .await
            .unwrap();
        format!("/publishing/{id}")
    }

    async fn step_as(&self, actor: &Actor, path: &str, verb: &str, fields: &[(&str, &str)]) -> Reply {
        let revision = self.revision(path).await;
        let mut all = vec![("revision", revision.as_str())];
        all.extend(fields);
        actor.post(&format!("{path}{verb}"), &all).await
    }

    async fn step(&self, path: &str, verb: &str, fields: &[(&str, &str)]) -> Reply {
        self.step_as(&self.publisher, path, verb, fields).await
    }

    async fn save(&self, path: &str, changes: &[(&str, &str)]) -> Reply {
        self.step(path, "", &self.form(changes)).await
    }

    async fn submit(&self, path: &str) {
        self.step(path, "/submit", &[]).await.assert_status(303);
    }

    async fn approve(&self, path: &str) {
        self.step(path, "/approve", &[("approve_confirm", "yes")]).await.assert_status(303);
    }

    async fn publish(&self, path: &str) -> Reply {
        self.step(path, "/publish", &[("now_confirm", "yes"), ("time_zone", "Europe/Berlin")]).await
    }

    /// A GDPR notice, saved, submitted and approved.
    async fn approved(&self, changes: &[(&str, &str)]) -> String {
        let path = self.begin("gdpr-13").await;
        self.save(&path, changes).await.assert_status(303);
        self.submit(&path).await;
        self.approve(&path).await;
        path
    }

    async fn published(&self) -> String {
        let path = self.approved(&[]).await;
        self.publish(&path).await.assert_status(303);
        path
    }

    /// A draft of the next version.
    async fn next(&self, path: &str, verb: &str, field: &str) -> String {
        let notice = self.notice(path).await;
        let reply = self.publisher.post(&format!("{notice}{verb}"), &[(field, "Better words")]).await;
        let reply = reply.assert_status(303);
        reply.location().split_once("/edit").unwrap().0.to_owned()
    }

    async fn leaves(&self) -> Vec<serde_json::Value> {
        let rows: Vec<Vec<u8>> =
            sqlx::query_scalar("select bytes from ledger_entry where position is not null order by position")
                .fetch_all(&self.app.state.db)
                .await
                .unwrap();
        let leaves = rows.iter().map(|b| serde_json::from_slice(b).unwrap());
        leaves.filter(|l: &serde_json::Value| l["t"] == "notice").collect()
    }
}

fn id_of(path: &str) -> Uuid {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_notice_lives_from_template_to_retraction() {
    let room = Room::new().await;
    let path = room.begin("gdpr-13").await;
    let editor = room.publisher.get(&format!("{path}/edit")).await.assert_status(200);
    assert!(editor.select("#preview .chip--bad").len() > 5, "a template lacks what nobody has filled in");
    room.save(&path, &[]).await.assert_status(303);
    let editor = room.publisher.get(&format!("{path}/edit")).await.assert_status(200);
    assert!(editor.select("#preview .chip--bad").is_empty(), "{:?}", editor.select("#preview .checks li"));
    assert!(editor.select("#preview .facts dd").contains(&"30 days".into()), "the register's table");
    room.submit(&path).await;
    room.approve(&path).await;
    let before = room.publisher.get(&format!("{path}/schedule")).await.assert_status(200);
    assert!(before.select("#rule")[0].contains("No law"), "{:?}", before.select("#rule"));
    room.publish(&path).await.assert_status(303);
    let page = room.publisher.get(&path).await.assert_status(200);
    assert!(page.select(".facts").join(" ").contains("Entry "), "{:?}", page.select(".facts"));

    let correction = room.next(&path, "/correct", "correct_reason").await;
    let words = TEXT.replace("harmful ones", "harmful programs");
    let corrected = [("markdown-en", words.as_str()), ("reason", "A slip of the pen")];
    room.save(&correction, &corrected).await.assert_status(303);
    room.submit(&correction).await;
    room.approve(&correction).await;
    room.publish(&correction).await.assert_status(303);
    assert_eq!(room.state(&path).await, "superseded");

    let change = room.next(&correction, "/change", "change_reason").await;
    let other = [("title-en", "What we record and why"), ("reason", "A clearer title")];
    room.save(&change, &other).await.assert_status(303);
    room.submit(&change).await;
    room.approve(&change).await;
    room.publish(&change).await.assert_status(303);
    let retracted = [("retract_reason", "It named the wrong office"), ("retract_confirm", "yes")];
    room.step(&change, "/retract", &retracted).await.assert_status(303);

    let history = room.publisher.get(&room.notice(&path).await).await.assert_status(200);
    assert_eq!(history.select(".timeline__title"), ["Version 2.0", "Version 1.1", "Version 1.0"]);
    assert!(history.select(".timeline")[0].contains("It named the wrong office"));
    let leaves = room.leaves().await;
    let told: Vec<_> = leaves.iter().map(|l| (l["version"].as_str(), l["change"].as_str())).collect();
    let expected = [("1.0", "published"), ("1.1", "corrected"), ("2.0", "changed"), ("2.0", "retracted")];
    assert_eq!(told, expected.map(|(v, c)| (Some(v), Some(c))));
    assert!(leaves[0]["previous"].is_null() && leaves[1..].iter().all(|l| l["previous"].is_string()));

    // What was retracted can be written anew.
    let again = room.next(&change, "/change", "change_reason").await;
    assert!(room.publisher.get(&again).await.assert_status(200).body.contains("Version 3.0"));
}

#[tokio::test]
async fn the_log_commits_to_what_the_rows_say() {
    let room = Room::new().await;
    let path = room.published().await;
    let retracted = [("retract_reason", "Wrong"), ("retract_confirm", "yes")];
    room.step(&path, "/retract", &retracted).await.assert_status(303);
    let mut db = room.app.state.db.acquire().await.unwrap();
    let documents = notices::documents(&mut db).await.unwrap();
    let leaves = room.leaves().await;
    assert_eq!((documents.len(), leaves.len()), (2, 2));
    for (document, leaf) in documents.iter().zip(&leaves) {
        let hash = daylight::ledger::document_hash(&document.content).unwrap();
        assert_eq!(leaf["content"], hash.to_string());
        assert!(document.public);
    }
    let content = &documents[0].content;
    assert_eq!(content["version"], "1.0");
    assert_eq!(content["texts"][0]["markdown"], TEXT);
    let fields = content["processings"][0]["fields"].as_array().unwrap();
    assert!(fields.iter().any(|f| f["id"] == "retention" && f["value"] == "30 days"));
    assert_eq!(content["publish_at"], content["effective_at"]);
}

#[tokio::test]
async fn every_mistake_comes_back_with_what_was_typed() {
    let room = Room::new().await;
    room.publisher.post("/publishing", &[("kind", "nonsense")]).await.assert_status(422);
    let path = room.begin("gdpr-13").await;
    let long = "x".repeat(201);
    let wrong = [("title-en", long.as_str()), ("jurisdictions", "MARS"), ("markdown-en", "Typed words")];
    let reply = room.save(&path, &wrong).await.assert_status(422);
    assert_eq!(reply.select("textarea#markdown-en"), ["Typed words"]);
    for field in reply.attributes(".error-summary a", "href") {
        assert!(!reply.select(&field).is_empty(), "{field} leads nowhere");
    }
    assert_eq!(reply.select(".error-summary a").len(), 2);

    let unknown = Uuid::from_u128(7).to_string();
    room.save(&path, &[("processings", unknown.as_str())]).await.assert_status(422);
    room.save(&path, &[("departments", unknown.as_str())]).await.assert_status(422);
    room.save(&path, &[("action", "add-language"), ("add_language", "xx")]).await.assert_status(422);
    room.save(&path, &[("action", "remove-en")]).await.assert_status(422);
    room.save(&path, &[("action", "add-language"), ("add_language", "de")]).await.assert_status(303);
    let editor = room.publisher.get(&format!("{path}/edit")).await.assert_status(200);
    assert_eq!(editor.attributes("input[name=languages]", "value"), ["de", "en"]);

    let refused = room.step(&path, "/submit", &[]).await.assert_status(422);
    assert!(refused.select("#missing")[0].contains("Write the text in German."));
    room.step(&path, "/approve", &[("approve_confirm", "yes")]).await.assert_status(409);
    room.step(&path, "/delete", &[]).await.assert_status(422);
    room.step(&path, "/delete", &[("delete_confirm", "yes")]).await.assert_status(303);
    assert_eq!(room.app.count("notice").await, 0);
    room.publisher.get(&format!("{path}/edit")).await.assert_status(404);
}

#[tokio::test]
async fn placeholders_pictures_and_html_keep_a_draft_from_review() {
    let room = Room::new().await;
    let path = room.begin("gdpr-13").await;
    for (added, words) in [
        ("Write to [[e-mail address]].", "line 23: replace [[e-mail address]]"),
        ("![A picture](https://example.com/a.png)", "Line 23"),
        ("<script>alert(1)</script>", "Line 23"),
    ] {
        let text = format!("{TEXT}\n{added}\n");
        room.save(&path, &[("markdown-en", text.as_str())]).await.assert_status(303);
        let refused = room.step(&path, "/submit", &[]).await.assert_status(422);
        let missing = refused.select("#missing li").join("\n");
        assert!(missing.to_lowercase().contains(&words.to_lowercase()), "{words} isn't in {missing}");
        assert!(!refused.body.contains("<script>alert"), "nothing that was typed runs");
        assert_eq!(room.state(&path).await, "draft");
    }
    // Without a processing nothing says how long anything is kept.
    room.save(&path, &[("processings", "")]).await.assert_status(303);
    let refused = room.step(&path, "/submit", &[]).await.assert_status(422);
    assert!(refused.select("#missing")[0].contains("How long it is kept (GDPR Art. 13(2)(a))"));
}

#[tokio::test]
async fn a_preview_stores_nothing() {
    let room = Room::new().await;
    let path = room.begin("gdpr-13").await;
    let typed = room.form(&[("markdown-en", "## Your rights\n\n**Bold** words, long enough to count.\n")]);
    let whole = room.step(&path, "/preview", &typed).await.assert_status(200);
    assert_eq!(whole.select("#preview .prose strong"), ["What we record", "Bold"]);
    assert_eq!(whole.select("textarea#markdown-en").len(), 1);
    let part = room.step(&path, "/preview", &[typed.clone(), vec![("part", "preview")]].concat()).await;
    let part = part.assert_status(200);
    assert!(part.select("textarea").is_empty() && part.select(".prose strong").len() == 2);
    assert_eq!(room.revision(&path).await, "1");
}

#[tokio::test]
async fn a_stale_autosave_is_refused_and_nothing_is_lost() {
    let room = Room::new().await;
    let path = room.begin("gdpr-13").await;
    let autosave = format!("{path}/autosave");
    let save = |actor: &'static str, revision: &'static str, title: &'static str| {
        let form = [room.form(&[("title-en", title)]), vec![("revision", revision)]].concat();
        let actor = if actor == "second" { &room.second } else { &room.publisher };
        let autosave = &autosave;
        async move { actor.post(autosave, &form).await }
    };
    let saved = save("first", "1", "First").await.assert_status(200);
    assert_eq!(saved.json()["revision"], 2);
    // The answer got lost, and the same comes again; nothing is saved twice.
    assert_eq!(save("first", "1", "First").await.assert_status(200).json()["revision"], 2);
    save("second", "1", "First").await.assert_status(409);
    let stale = save("second", "1", "Second").await.assert_status(409);
    assert!(stale.json()["detail"].as_str().unwrap().contains("somebody else"));
    assert!(room.publisher.get(&format!("{path}/edit")).await.body.contains("First"));
    let form = [room.form(&[("title-en", "Second")]), vec![("revision", "1")]].concat();
    let page = room.second.post(&path, &form).await.assert_status(409);
    assert_eq!(page.attributes("#title-en", "value"), ["Second"]);
    assert_eq!(page.attributes("input[name=revision]", "value"), ["2"], "the next try knows of it");
    let wrong = [room.form(&[("jurisdictions", "MARS")]), vec![("revision", "2")]].concat();
    let wrong = room.publisher.post(&autosave, &wrong).await.assert_status(422);
    assert_eq!(wrong.json()["detail"], "Choose from the list.");
    let old = [("revision", "1")];
    room.publisher.post(&format!("{path}/submit"), &old).await.assert_status(409);

    // Nor when it was submitted while somebody was writing.
    room.submit(&path).await;
    let late = room.save(&path, &[("title-en", "Late")]).await.assert_status(409);
    assert_eq!(late.attributes("#title-en", "value"), ["Late"]);
    assert!(late.select("#newest")[0].contains("no draft any more"));
}

#[tokio::test]
async fn each_sees_and_does_what_is_theirs() {
    let room = Room::new().await;
    let path = room.begin("gdpr-13").await;
    room.save(&path, &[]).await.assert_status(303);
    let notice = room.notice(&path).await;
    for page in [path.clone(), notice.clone(), "/publishing".into(), format!("{path}/edit")] {
        room.worker.get(&page).await.assert_status(403);
    }
    let public = notice.replace("/publishing/", "/notices/");
    room.worker.get(&public).await.assert_status(404);
    room.representative.get(&path).await.assert_status(404);
    room.representative.get(&notice).await.assert_status(404);
    assert!(room.representative.get("/publishing").await.select(".empty__title")[0].contains("submitted"));
    let answer = [("answer", "agree")];
    room.step_as(&room.representative, &path, "/answer", &answer).await.assert_status(404);
    for verb in ["", "/submit", "/approve", "/schedule", "/publish", "/unschedule", "/discard", "/retract"] {
        for actor in [&room.worker, &room.representative] {
            room.step_as(actor, &path, verb, &[]).await.assert_status(403);
        }
    }
    room.step(&path, "/answer", &answer).await.assert_status(403);

    room.submit(&path).await;
    let page = room.representative.get(&path).await.assert_status(200);
    assert!(page.select(".facts dd").contains(&"30 days".into()) && page.body.contains("Dana Officer"));
    assert_eq!(room.representative.get("/publishing").await.select("tbody th a"), ["What we record"]);
    room.worker.get(&public).await.assert_status(404);
    room.representative.get(&format!("{path}/edit")).await.assert_status(403);
}

#[tokio::test]
async fn a_second_person_reviews_where_that_is_set() {
    let room = Room::of(TestApp::with(|config| config.review_notices = true).await).await;
    let path = room.begin("gdpr-13").await;
    room.save(&path, &[]).await.assert_status(303);
    room.submit(&path).await;
    let approve = [("approve_confirm", "yes")];
    let refused = room.step(&path, "/approve", &approve).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("You wrote at this"));
    let silent = [("return_comment", " ")];
    room.step_as(&room.second, &path, "/return", &silent).await.assert_status(422);
    let comment = [("return_comment", "Name the authority")];
    room.step_as(&room.second, &path, "/return", &comment).await.assert_status(303);
    assert!(room.publisher.get(&path).await.body.contains("Name the authority"));
    room.save(&path, &[("title-en", "Named")]).await.assert_status(303);
    room.submit(&path).await;
    room.step_as(&room.second, &path, "/approve", &approve).await.assert_status(303);
    assert_eq!(room.state(&path).await, "approved");

    // Whoever wrote a word of it is an author, too.
    let other = room.begin("gdpr-13").await;
    room.save(&other, &[]).await.assert_status(303);
    let form = room.form(&[("title-en", "By two")]);
    room.step_as(&room.second, &other, "", &form).await.assert_status(303);
    room.submit(&other).await;
    room.step_as(&room.second, &other, "/approve", &approve).await.assert_status(409);

    // Nor does setting it aside make anybody's own words somebody else's.
    let aside = [("discard_reason", "Anew")];
    let anew = room.step_as(&room.second, &path, "/discard", &aside).await.assert_status(303);
    let copy = anew.location().split_once("/edit").unwrap().0.to_owned();
    room.submit(&copy).await;
    room.step(&copy, "/approve", &approve).await.assert_status(409);
}

#[tokio::test]
async fn in_germany_nothing_is_approved_without_the_works_council() {
    let room = Room::new().await;
    let processing = room.declared_for("DE").await;
    let covered = ("processings", processing.as_str());
    let path = room.begin("gdpr-13").await;
    room.save(&path, &[("jurisdictions", "DE"), covered]).await.assert_status(303);
    room.submit(&path).await;
    let approve = [("approve_confirm", "yes")];
    let refused = room.step(&path, "/approve", &approve).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("BetrVG §87(1) 6"));
    let silent = [("answer", "object"), ("comment", "")];
    room.step_as(&room.representative, &path, "/answer", &silent).await.assert_status(422);
    let objection = [("answer", "object"), ("comment", "Too long")];
    room.step_as(&room.representative, &path, "/answer", &objection).await.assert_status(303);
    let refused = room.step(&path, "/approve", &approve).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("objected"));
    assert!(refused.select(".timeline")[0].contains("Too long"), "their words stand on the page");
    room.step_as(&room.representative, &path, "/answer", &[("answer", "agree")]).await.assert_status(303);

    // A yes is for exactly this text.
    room.step(&path, "/return", &[]).await.assert_status(303);
    let other = [("jurisdictions", "DE"), covered, ("title-en", "Another title")];
    room.save(&path, &other).await.assert_status(303);
    room.step(&path, "/delete", &[("delete_confirm", "yes")]).await.assert_status(409);
    room.submit(&path).await;
    room.step(&path, "/approve", &approve).await.assert_status(409);
    room.step_as(&room.representative, &path, "/answer", &[("answer", "agree")]).await.assert_status(303);
    room.approve(&path).await;

    // In France any answer will do.
    let france = room.begin("gdpr-13").await;
    room.save(&france, &[("jurisdictions", "FR")]).await.assert_status(303);
    let refused = room.step(&france, "/submit", &[]).await.assert_status(422);
    assert!(refused.select("#missing")[0].contains("is declared for European Union, which isn’t ticked"));
    let processing = room.declared_for("FR").await;
    let covered = ("processings", processing.as_str());
    room.save(&france, &[("jurisdictions", "FR"), covered]).await.assert_status(303);
    room.submit(&france).await;
    room.step(&france, "/approve", &approve).await.assert_status(409);
    room.step_as(&room.representative, &france, "/answer", &objection).await.assert_status(303);
    room.approve(&france).await;
}

#[tokio::test]
async fn in_new_south_wales_people_are_told_fourteen_days_before() {
    let room = Room::new().await;
    let processing = room.declared_for("AU-NSW").await;
    let path = room.approved(&[("jurisdictions", "AU-NSW"), ("processings", processing.as_str())]).await;
    let page = room.publisher.get(&format!("{path}/schedule")).await.assert_status(200);
    let rule = &page.select("#rule")[0];
    assert!(rule.contains("14 days") && rule.contains("16 Nov 2026, 09:00"), "{rule}");
    // The tests begin on 2 November 2026 at 9 in the morning.
    let early = [
        ("now_confirm", "yes"),
        ("time_zone", "UTC"),
        ("now_effective_date", "2026-11-15"),
        ("now_effective_time", "10:00"),
    ];
    let refused = room.step(&path, "/publish", &early).await.assert_status(422);
    let words = &refused.select(".error-summary")[0];
    for part in ["New South Wales", "s 10", "14 days", "16 Nov 2026, 09:00"] {
        assert!(words.contains(part), "{part} isn't in {words}");
    }
    assert_eq!(refused.attributes("#now_effective_date", "value"), ["2026-11-15"]);
    let plan = [
        ("later_confirm", "yes"),
        ("time_zone", "Australia/Sydney"),
        ("publish_date", "2026-11-10"),
        ("publish_time", "08:00"),
        ("effective_date", "2026-11-23"),
    ];
    let refused = room.step(&path, "/schedule", &plan).await.assert_status(422);
    assert!(refused.select(".error-summary")[0].contains("24 Nov 2026, 08:00"));
    room.publish(&path).await.assert_status(303);
    let effective: Time = sqlx::query_scalar("select effective_at from notice_version")
        .fetch_one(&room.app.state.db)
        .await
        .unwrap();
    assert_eq!(effective.to_string(), "2026-11-16T09:00:00Z", "the first possible moment");
}

#[tokio::test]
async fn a_correction_is_of_words_only() {
    let room = Room::new().await;
    let path = room.published().await;
    let correction = room.next(&path, "/correct", "correct_reason").await;
    let editor = room.publisher.get(&format!("{correction}/edit")).await.assert_status(200);
    assert!(editor.select("fieldset#jurisdictions").is_empty());
    let because = ("reason", "Better words");
    let unchanged = room.save(&correction, &[because]).await.assert_status(303);
    assert!(unchanged.location().contains("notice-saved"));
    let refused = room.step(&correction, "/submit", &[]).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("Nothing differs from version 1.0"));
    for change in
        [("jurisdictions", "GB"), ("processings", ""), ("acknowledgement_wanted", ""), ("title-en", "Fine")]
    {
        let status = if change.0 == "title-en" { 303 } else { 422 };
        let reply = room.save(&correction, &[because, change]).await.assert_status(status);
        if status == 422 {
            assert!(reply.select(".error-summary")[0].contains("words only"));
        }
    }
    // Another version can't be begun beside it.
    let notice = room.notice(&path).await;
    let again = room.publisher.post(&format!("{notice}/change"), &[("change_reason", "More")]).await;
    assert!(again.assert_status(409).select(".error-summary")[0].contains("being written"));

    // When the register says something else by now, it is no correction any more.
    let register = format!("/register/{}", room.processing);
    let longer = [but(&[("retention", "P90D")]), vec![("revision", "3"), ("reason", "Disputes")]].concat();
    room.publisher.post(&register, &longer).await.assert_status(303);
    let refused = room.step(&correction, "/submit", &[]).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("Kept for: 30 days → 90 days"));
    let page = room.publisher.get(&notice).await.assert_status(200);
    assert!(page.select("#drifted")[0].contains("Kept for: 30 days → 90 days"));
}

#[tokio::test]
async fn a_notice_never_says_what_the_register_doesnt() {
    let room = Room::new().await;
    let path = room.begin("gdpr-13").await;
    room.save(&path, &[]).await.assert_status(303);
    room.submit(&path).await;
    let register = format!("/register/{}", room.processing);
    let longer = [but(&[("retention", "P90D")]), vec![("revision", "3"), ("reason", "Disputes")]].concat();
    room.publisher.post(&register, &longer).await.assert_status(303);
    let refused = room.step(&path, "/approve", &[("approve_confirm", "yes")]).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("Kept for: 30 days → 90 days"));
    room.step(&path, "/return", &[]).await.assert_status(303);
    room.submit(&path).await;
    room.approve(&path).await;
    let shorter = [but(&[("retention", "P60D")]), vec![("revision", "4"), ("reason", "Less")]].concat();
    room.publisher.post(&register, &shorter).await.assert_status(303);
    room.publish(&path).await.assert_status(409);
    let anew = room.step(&path, "/discard", &[("discard_reason", "The register changed")]).await;
    let draft = anew.assert_status(303).location().split_once("/edit").unwrap().0.to_owned();
    room.submit(&draft).await;
    room.approve(&draft).await;
    room.publish(&draft).await.assert_status(303);
    assert_eq!(room.state(&path).await, "retracted");
    let history = room.publisher.get(&room.notice(&path).await).await;
    assert_eq!(history.select(".timeline__title"), ["Version 1.0", "Version 1.0"]);
}

#[tokio::test]
async fn the_database_refuses_to_rewrite_what_was_approved() {
    let room = Room::new().await;
    let approved = room.approved(&[]).await;
    room.step(&approved, "/publish", &[]).await.assert_status(422);
    let check = async |statements: &[&'static str]| {
        for sql in statements {
            let refused = sqlx::query(*sql).execute(&room.app.state.db).await.unwrap_err();
            let code = refused.into_database_error().unwrap().code().unwrap().into_owned();
            assert!(["23001", "23514"].contains(&code.as_str()), "{sql}: {code}");
        }
    };
    check(&[
        "update notice_text set markdown = 'x'",
        "delete from notice_text",
        "insert into notice_text select id, 'de', 'x', 'x' from notice_version",
        "update notice_version set field_table = '[]'",
        "update notice_version set content = '{}'",
        "update notice_version set jurisdictions = '{GB}'",
        "update notice_version set state = 'draft'",
        "delete from notice_version",
        "update notice_review set comment = 'x'",
        "delete from notice_review",
    ])
    .await;
    room.publish(&approved).await.assert_status(303);
    check(&[
        "update notice_version set effective_at = effective_at - interval '1 day'",
        "update notice_version set published_at = null, ledger_entry = null",
        "update notice_version set state = 'approved'",
    ])
    .await;
}

#[tokio::test]
async fn what_is_scheduled_is_published_at_its_time_and_not_before() {
    let room = Room::new().await;
    let path = room.approved(&[]).await;
    let plan = |date: &'static str| {
        [
            ("later_confirm", "yes"),
            ("time_zone", "Europe/Berlin"),
            ("publish_date", date),
            ("publish_time", "12:00"),
        ]
    };
    let past = room.step(&path, "/schedule", &plan("2026-11-01")).await.assert_status(422);
    assert!(past.select(".error-summary")[0].contains("in the past"));
    room.step(&path, "/schedule", &plan("2026-13-01")).await.assert_status(422);
    room.step(&path, "/schedule", &[("later_confirm", "yes"), ("time_zone", "Mars")])
        .await
        .assert_status(422);
    room.step(&path, "/schedule", &plan("2026-11-02")).await.assert_status(303);
    assert_eq!(room.state(&path).await, "scheduled");
    room.step(&path, "/unschedule", &[]).await.assert_status(303);
    room.step(&path, "/schedule", &plan("2026-11-02")).await.assert_status(303);

    let state = &room.app.state;
    assert_eq!(actions::publish_due(state).await.unwrap(), 0);
    // Noon in Berlin is 11 in UTC; the tests begin at 9.
    state.clock.advance(2 * 3600 - 1);
    assert_eq!(actions::publish_due(state).await.unwrap(), 0);
    state.clock.advance(1);
    let (one, other) = tokio::join!(actions::publish_due(state), actions::publish_due(state));
    assert_eq!(one.unwrap() + other.unwrap(), 1, "two instances publish it once");
    assert_eq!(room.state(&path).await, "published");
    assert_eq!(room.leaves().await.len(), 1);
}

#[tokio::test]
async fn a_late_publication_keeps_the_days_that_the_law_gives() {
    let room = Room::new().await;
    let processing = room.declared_for("AU-NSW").await;
    let path = room.approved(&[("jurisdictions", "AU-NSW"), ("processings", processing.as_str())]).await;
    let plan = [
        ("later_confirm", "yes"),
        ("time_zone", "UTC"),
        ("publish_date", "2026-11-02"),
        ("publish_time", "10:00"),
        ("effective_date", "2026-11-16"),
        ("effective_time", "10:00"),
    ];
    room.step(&path, "/schedule", &plan).await.assert_status(303);
    // The server was off for two days.
    room.app.state.clock.advance(2 * 86_400 + 3600);
    assert_eq!(actions::publish_due(&room.app.state).await.unwrap(), 1);
    let effective: Time = sqlx::query_scalar("select effective_at from notice_version")
        .fetch_one(&room.app.state.db)
        .await
        .unwrap();
    assert_eq!(effective.to_string(), "2026-11-18T10:00:00Z");
}

#[tokio::test]
async fn a_scheduled_notice_that_fails_holds_up_none_behind_it() {
    let room = Room::new().await;
    let (broken, fine) = (room.approved(&[]).await, room.approved(&[]).await);
    for (path, time) in [(&broken, "10:00"), (&fine, "10:30")] {
        let plan = [
            ("later_confirm", "yes"),
            ("time_zone", "UTC"),
            ("publish_date", "2026-11-02"),
            ("publish_time", time),
        ];
        room.step(path, "/schedule", &plan).await.assert_status(303);
    }
    // Such as after going back to a program that doesn't know its kind yet.
    sqlx::query(
        "update notice set kind = 'unknown' where id = (select notice_id from notice_version where id = $1)",
    )
    .bind(id_of(&broken))
    .execute(&room.app.state.db)
    .await
    .unwrap();
    room.app.state.clock.advance(2 * 3600);
    assert_eq!(actions::publish_due(&room.app.state).await.unwrap(), 1);
    assert_eq!(
        (room.state(&broken).await, room.state(&fine).await),
        ("scheduled".into(), "published".into())
    );
}

#[tokio::test]
async fn a_scheduled_notice_that_the_register_contradicts_is_held_back() {
    let room = Room::new().await;
    let path = room.approved(&[]).await;
    let plan = [
        ("later_confirm", "yes"),
        ("time_zone", "UTC"),
        ("publish_date", "2026-11-02"),
        ("publish_time", "10:00"),
    ];
    room.step(&path, "/schedule", &plan).await.assert_status(303);
    let register = format!("/register/{}", room.processing);
    let longer = [but(&[("retention", "P90D")]), vec![("revision", "3"), ("reason", "Disputes")]].concat();
    room.publisher.post(&register, &longer).await.assert_status(303);
    room.app.state.clock.advance(3600);
    assert_eq!(actions::publish_due(&room.app.state).await.unwrap(), 0);
    assert_eq!(room.state(&path).await, "approved");
    let page = room.publisher.get(&path).await.assert_status(200);
    assert!(page.select(".banner--error")[0].contains("Kept for: 30 days → 90 days"));
    assert!(room.leaves().await.is_empty());
}

#[tokio::test]
async fn two_publishers_at_once_publish_once() {
    let room = Room::new().await;
    let path = room.approved(&[]).await;
    let revision = room.revision(&path).await;
    let form = [("revision", revision.as_str()), ("now_confirm", "yes"), ("time_zone", "UTC")];
    let address = format!("{path}/publish");
    let (one, other) = tokio::join!(room.publisher.post(&address, &form), room.second.post(&address, &form));
    let mut statuses = [one.status, other.status];
    statuses.sort();
    assert_eq!(statuses, [303, 409]);
    assert_eq!(room.leaves().await.len(), 1);
}

#[tokio::test]
async fn where_the_law_wants_an_acknowledgement_it_is_no_choice() {
    let room = Room::new().await;
    let path = room.begin("ny-52-c").await;
    let editor = room.publisher.get(&format!("{path}/edit")).await.assert_status(200);
    assert_eq!(editor.attributes("#jurisdictions input[checked]", "value"), ["US-NY"]);
    assert!(editor.select("p#acknowledgement_wanted")[0].contains("§52-c"));
    let unticked = [("jurisdictions", "US-NY"), ("acknowledgement_wanted", "")];
    room.save(&path, &unticked).await.assert_status(303);
    let wanted: bool = sqlx::query_scalar("select acknowledgement_wanted from notice_version")
        .fetch_one(&room.app.state.db)
        .await
        .unwrap();
    assert!(wanted);
}

/// Drops what is going on when it has to wait once more than `waits` times.
async fn cut_off<F: Future>(waits: usize, future: F) -> Option<F::Output> {
    let (mut future, mut left) = (std::pin::pin!(future), waits);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn a_publication_cut_off_at_any_moment_is_whole_or_none() {
    let room = Room::new().await;
    let path = room.approved(&[]).await;
    let state = &room.app.state;
    let viewer = room.viewer();
    let mut cut = 0;
    loop {
        let seen = room.revision(&path).await.parse().unwrap();
        let publication = actions::publish_now(state, &viewer, id_of(&path), seen, None, "UTC");
        let whole = cut_off(cut, publication).await;
        // What was cut off may still be committed, or taken back.
        let busy = "pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()";
        while room.app.count(busy).await > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (told, entries, state_then, visible): (i64, i64, String, i64) = sqlx::query_as(
            "select (select count(*) from notice_version v join ledger_entry e on e.id = v.ledger_entry),
                    (select count(*) from ledger_entry where convert_from(bytes, 'utf8') like '%\"t\":\"notice\"%'),
                    (select state from notice_version where id = $1),
                    (select count(*) from notice_version_visible)",
        )
        .bind(id_of(&path))
        .fetch_one(&state.db)
        .await
        .unwrap();
        assert_eq!(told, entries, "state and leaf stand together or not at all");
        assert_eq!(state_then, if entries == 1 { "published" } else { "approved" });
        assert!(visible <= entries && (whole.is_none() || visible == 1));
        // What the next start does.
        state.ledger.settle().await.unwrap();
        assert_eq!(room.app.count("notice_version_visible").await, entries);
        let export = room.app.visitor().get("/log/export").await.assert_status(200).body;
        let report = verify_export(export.as_bytes(), &Against::default()).unwrap();
        assert!(!report.is_violated(), "{:?}", report.findings);
        if entries == 1 {
            break;
        }
        cut += 1;
    }
    assert!(cut > 1, "it was cut off at more than one moment");
}

#[tokio::test]
async fn a_notice_edited_by_sql_is_caught() {
    let room = Room::new().await;
    let path = room.published().await;
    let export = || async { room.app.visitor().get("/log/export").await.assert_status(200).body };
    let report = verify_export(export().await.as_bytes(), &Against::default()).unwrap();
    assert!(!report.is_violated(), "{:?}", report.findings);
    let leaf: i64 = sqlx::query_scalar("select leaf_position from notice_version_visible")
        .fetch_one(&room.app.state.db)
        .await
        .unwrap();
    for statement in [
        "update notice_version set effective_at = effective_at - interval '1 day'",
        "update notice_version set published_at = published_at - interval '70 days'",
        "update notice_version set field_table = replace(field_table::text, '30 days', '90 days')::jsonb",
        "update notice_text set markdown = replace(markdown, 'harmful', 'slow')",
    ] {
        let mut tx = room.app.state.db.begin().await.unwrap();
        // Whoever runs the database can switch its triggers off.
        for table in ["notice_text", "notice_version"] {
            let off = format!("alter table {table} disable trigger user");
            sqlx::query(sqlx::AssertSqlSafe(off)).execute(&mut *tx).await.unwrap();
        }
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
        let documents = notices::documents(&mut tx).await.unwrap();
        let hash = daylight::ledger::document_hash(&documents[0].content).unwrap().to_string();
        assert_ne!(room.leaves().await[0]["content"], hash, "{statement}");
        if statement.contains("notice_text") {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
    }
    let report = verify_export(export().await.as_bytes(), &Against::default()).unwrap();
    let violated: Vec<_> = report.findings.iter().filter(|f| f.outcome == Outcome::Violated).collect();
    assert_eq!(violated.iter().map(|f| f.leaf).collect::<Vec<_>>(), [Some(leaf as u64)], "{violated:?}");
    assert_eq!(room.state(&path).await, "published");
}

/// What a notice of a pause or of its end must say.
const PAUSED: &str = "## What is paused\n\nCounting of programs on every computer.\n\n\
    ## Why and since when\n\nFor an audit, since this morning at nine.\n\n\
    ## What happens to earlier records\n\nThey are kept for thirty days, as before.\n\n\
    ## What begins again\n\nCounting of programs on every computer.\n\n\
    ## Why and from when\n\nThe audit is done; it begins tomorrow at nine.\n\n\
    ## What is different\n\nNothing is different from before the pause.\n";

#[tokio::test]
async fn only_what_is_paused_is_told_to_be_paused() {
    let room = Room::new().await;
    let proposed = room.declared_for("AU-NSW").await;
    let register = format!("/register/{}", room.processing);
    let path = room.begin("paused").await;
    let text = ("markdown-en", PAUSED);
    let refused = async |covered: &str, places: &str, words: &str| {
        room.save(&path, &[text, ("processings", covered), ("jurisdictions", places)])
            .await
            .assert_status(303);
        let editor = room.publisher.get(&format!("{path}/edit")).await.assert_status(200);
        assert!(editor.select("#preview")[0].contains(words), "{}", editor.select("#preview")[0]);
        let missing = room.step(&path, "/submit", &[]).await.assert_status(422).select("#missing").remove(0);
        assert!(missing.contains(words), "{words} isn't in {missing}");
    };
    refused("", "EU", "Pick what it is about").await;
    refused(&room.processing, "EU", "is active in the register").await;
    // Under the title of a pause nothing begins that people should have been told of before.
    refused(&proposed, "AU-NSW", "is proposed in the register").await;

    let step = async |verb: &str, revision: &str, field: &str| {
        let fields = [("revision", revision), (field, "An audit")];
        room.publisher.post(&format!("{register}/{verb}"), &fields).await
    };
    step("pause", "3", "pause_reason").await.assert_status(303);
    room.save(&path, &[text]).await.assert_status(303);
    room.submit(&path).await;
    room.approve(&path).await;
    room.publish(&path).await.assert_status(303);
    // It says what has stopped; nothing begins again by it, nor by better words for it.
    let again = step("resume", "4", "resume_reason").await.assert_status(409);
    assert!(again.body.contains("People must be told first"));

    let resumed = room.begin("resumed").await;
    room.save(&resumed, &[text, ("processings", &proposed), ("jurisdictions", "AU-NSW")])
        .await
        .assert_status(303);
    let missing = room.step(&resumed, "/submit", &[]).await.assert_status(422).select("#missing").remove(0);
    assert!(missing.contains("must be paused or active"), "{missing}");
    room.save(&resumed, &[text]).await.assert_status(303);
    room.submit(&resumed).await;
    room.approve(&resumed).await;
    let late = room.next(&path, "/correct", "correct_reason").await;
    let other = PAUSED.replace("this morning", "today");
    room.save(&late, &[("markdown-en", &other), ("reason", "A slip")]).await.assert_status(303);
    room.submit(&late).await;
    room.approve(&late).await;
    room.publish(&resumed).await.assert_status(303);
    step("resume", "4", "resume_reason").await.assert_status(303);
    let refused = room.publish(&late).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("is active in the register"));
}

#[tokio::test]
async fn better_words_dont_tell_that_it_begins_again() {
    let room = Room::new().await;
    let path = room.published().await;
    room.app.state.clock.advance(60);
    let register = format!("/register/{}", room.processing);
    let pause = [("revision", "3"), ("pause_reason", "An audit")];
    room.publisher.post(&format!("{register}/pause"), &pause).await.assert_status(303);
    let correction = room.next(&path, "/correct", "correct_reason").await;
    let words = TEXT.replace("harmful ones", "harmful programs");
    room.save(&correction, &[("markdown-en", &words), ("reason", "A slip")]).await.assert_status(303);
    room.submit(&correction).await;
    room.approve(&correction).await;
    room.publish(&correction).await.assert_status(303);
    let resume = [("revision", "4"), ("resume_reason", "It is over")];
    let refused = room.publisher.post(&format!("{register}/resume"), &resume).await.assert_status(409);
    assert!(refused.body.contains("People must be told first"));
}

#[tokio::test]
async fn signs_that_nobody_sees_are_named_and_nothing_is_lost() {
    let room = Room::new().await;
    let path = room.begin("gdpr-13").await;
    let text = format!("{TEXT}\nWe \u{2067}never\u{2069} look &#x202e;yltcerid.\n");
    let hidden = [("title-en", "What we \u{202e}drocer"), ("markdown-en", text.as_str())];
    room.save(&path, &hidden).await.assert_status(303);
    let missing = room.step(&path, "/submit", &[]).await.assert_status(422).select("#missing").remove(0);
    for words in [
        "English, title: There is an invisible sign, U+202E (right-to-left override)",
        "English: Line 23: There is an invisible sign, U+2067 (right-to-left isolate)",
        "English: Line 23: There is an invisible sign, U+202E",
    ] {
        assert!(missing.contains(words), "{words} isn't in {missing}");
    }
    let editor = room.publisher.get(&format!("{path}/edit")).await.assert_status(200);
    assert!(editor.select("textarea#markdown-en")[0].contains('\u{2067}'), "what was typed is there");

    // Persian and Hindi can't be written without these.
    room.save(&path, &[("title-en", "می\u{200c}خواهیم")]).await.assert_status(303);
    room.submit(&path).await;
    let comment = [("return_comment", "Say\nmo\u{200b}re")];
    let refused = room.step(&path, "/return", &comment).await.assert_status(422);
    let words = "Line 2: There is an invisible sign, U+200B (zero width space)";
    assert!(refused.select(".error-summary")[0].contains(words));
    assert!(refused.select("#return_comment")[0].contains("mo\u{200b}re"));
    let answer = [("answer", "agree"), ("comment", "Fi\u{2060}ne")];
    let refused = room.step_as(&room.representative, &path, "/answer", &answer).await.assert_status(422);
    assert!(refused.select(".error-summary")[0].contains("U+2060 (word joiner)"));
    room.approve(&path).await;
    room.publish(&path).await.assert_status(303);
    let retract = [("retract_reason", "\u{feff}Wrong"), ("retract_confirm", "yes")];
    room.step(&path, "/retract", &retract).await.assert_status(422);
    let notice = room.notice(&path).await;
    let correct = [("correct_reason", "\u{202d}Wrong")];
    room.publisher.post(&format!("{notice}/correct"), &correct).await.assert_status(422);
    let correction = room.next(&path, "/correct", "correct_reason").await;
    let reason = [("title-en", "Better"), ("reason", "Well\u{202c}")];
    room.save(&correction, &reason).await.assert_status(303);
    let missing =
        room.step(&correction, "/submit", &[]).await.assert_status(422).select("#missing").remove(0);
    assert!(missing.contains("Why it differs: Line 1: There is an invisible sign, U+202C"), "{missing}");
}

#[tokio::test]
async fn whoever_reviews_is_told_when_a_correction_is_another_text() {
    let room = Room::new().await;
    let path = room.published().await;
    let correction = room.next(&path, "/correct", "correct_reason").await;
    let reason = ("reason", "Typing mistakes");
    let slip = TEXT.replace("harmful ones", "harmful programs");
    room.save(&correction, &[("markdown-en", &slip), reason]).await.assert_status(303);
    assert!(room.publisher.get(&correction).await.assert_status(200).select("#rewritten").is_empty());
    let other: Vec<&str> = TEXT
        .split("\n\n")
        .map(|p| {
            if p.starts_with("##") {
                p
            } else {
                "You have no rights at all here, and nobody to ask about that."
            }
        })
        .collect();
    let other = other.join("\n\n");
    room.save(&correction, &[("markdown-en", &other), reason]).await.assert_status(303);
    room.submit(&correction).await;
    for actor in [&room.second, &room.representative] {
        let page = actor.get(&correction).await.assert_status(200);
        assert!(page.select("#rewritten")[0].contains("it has to be a new version"), "{}", page.body);
    }
}
