//! Petitions as colleagues start, support and read them.

use daylight::ledger::document_hash;
use daylight::ledger::proof::verify::{Against, verify_export};
use daylight::web::Role;
use serde_json::json;
use uuid::Uuid;

use crate::support::declaration::COMPLETE;
use crate::support::petition_life::{DEMAND, Room, TITLE, form, id};
use crate::support::{Actor, Reply, TestApp};

#[tokio::test]
async fn a_draft_is_its_authors_alone() {
    let room = Room::new().await;
    let path = room.draft().await;
    let page = room.author.get(&path).await.assert_status(303);
    assert_eq!(page.location(), format!("{path}/edit"));
    for other in [&room.worker, &room.publisher, &room.representative] {
        other.get(&path).await.assert_status(404);
        other.get(&format!("{path}/export.json")).await.assert_status(404);
    }
    room.worker.get(&format!("{path}/edit")).await.assert_status(404);
    room.worker.post(&format!("{path}/edit"), &form(&[])).await.assert_status(404);
    room.worker.post(&format!("{path}/follow"), &[]).await.assert_status(404);
    let mine = room.author.get("/petitions?show=mine").await.assert_status(200);
    assert_eq!(mine.select(".notices__title"), [TITLE]);
    assert!(room.worker.get("/petitions?show=mine").await.select(".notices__title").is_empty());
    let seen = room.author.post(&format!("{path}/edit"), &form(&[("action", "preview")])).await;
    assert_eq!(seen.assert_status(200).select("#preview-card em"), ["dark"]);
    room.author.post(&format!("{path}/delete"), &[]).await.assert_status(422);
    room.author.post(&format!("{path}/delete"), &[("delete_confirm", "yes")]).await.assert_status(303);
    room.author.get(&path).await.assert_status(404);
}

#[tokio::test]
async fn what_was_typed_comes_back_with_what_is_wrong() {
    let room = Room::new().await;
    let path = format!("{}/edit", room.draft().await);
    let short =
        form(&[("title", "Light"), ("demand", "Please"), ("action", "submit"), ("submit_confirm", "yes")]);
    let page = room.author.post(&path, &short).await.assert_status(422);
    assert_eq!(page.attributes("#title", "value"), ["Light"]);
    assert_eq!(page.select(".error-summary li").len(), 2);
    assert_eq!(page.select("#title-error"), ["Error: Use one line of 10 to 120 characters."]);
    let long = "x".repeat(2_001);
    let page = room.author.post(&path, &form(&[("demand", &long)])).await.assert_status(422);
    assert_eq!(page.select("#demand"), [long]);
    let unconfirmed = room.author.post(&path, &form(&[("action", "submit")])).await.assert_status(422);
    assert_eq!(unconfirmed.select("#submit_confirm-error"), ["Error: Tick the box to confirm."]);
    let nothing = format!("processing:{}", Uuid::nil());
    for about in ["person:1", &nothing] {
        room.author.post(&path, &form(&[("about", about)])).await.assert_status(422);
    }
    let days = form(&[("open_days", "365"), ("action", "submit"), ("submit_confirm", "yes")]);
    room.author.post(&path, &days).await.assert_status(422);
    let html = form(&[("background", "<b>x</b>"), ("action", "submit"), ("submit_confirm", "yes")]);
    room.author.post(&path, &html).await.assert_status(422);
    assert_eq!(room.app.count("petition_version").await, 0);
}

#[tokio::test]
async fn nobody_can_start_before_an_epoch_or_beyond_its_slots() {
    let app = TestApp::new().await;
    let author = app.actor(Role::Worker).await;
    let made = author.post("/petitions/start", &form(&[])).await.assert_status(303);
    let submit = form(&[("action", "submit"), ("submit_confirm", "yes")]);
    let path = made.location().split('?').next().unwrap().to_owned();
    let early = author.post(&path, &submit).await.assert_status(409);
    assert!(early.select(".error-summary")[0].contains("No epoch has begun yet"));
    assert!(author.get("/petitions/start").await.body.contains("Nobody can sign yet"));

    let room = Room::new().await;
    for slot in 1..16 {
        let author = room.app.person(&format!("author{slot}@example.com"), &[Role::Worker]).await;
        crate::support::petition::open(&room.app, author, slot, "Another petition").await;
    }
    let path = format!("{}/edit", room.draft().await);
    let full = room.author.post(&path, &submit).await.assert_status(409);
    assert!(full.select(".error-summary")[0].contains("A new epoch begins soon"));
}

#[tokio::test]
async fn five_supporters_bring_it_to_the_check_and_nobody_learns_when_the_fifth_came() {
    let room = Room::new().await;
    let path = room.seeking().await;
    let page = room.worker.get(&path).await.assert_status(200);
    assert!(page.select(".banner--info")[0].starts_with("Fewer than five so far."));
    assert_eq!(page.select("h1"), [TITLE]);
    assert!(page.select(".chip--good").contains(&"Checked".to_owned()), "the text is the one in the log");
    // Each may bring one before the others in an epoch, whatever becomes of it.
    let second = room.draft().await;
    let submit = form(&[("action", "submit"), ("submit_confirm", "yes")]);
    let refused = room.author.post(&format!("{second}/edit"), &submit).await.assert_status(409);
    assert!(refused.select(".error-summary")[0].contains("each may bring one"));
    room.support(&path, 4).await;
    room.hours(1).await;
    let four = room.worker.get(&path).await.select(".banner--info");
    assert!(four[0].starts_with("Fewer than five so far."));
    room.support(&path, 1).await;
    // Within the same hour nobody looks.
    room.hours(0).await;
    assert_eq!(room.state(&path).await, "seeking");
    room.hours(1).await;
    assert_eq!(room.state(&path).await, "checking");
    let since: String = sqlx::query_scalar(
        "select to_char(checking_since at time zone 'UTC', 'HH24:MI:SS.US') from petition where checking_since is not null",
    )
    .fetch_one(&room.app.state.db)
    .await
    .unwrap();
    assert_eq!(since, "00:00:00.000000");
    // Supporting goes on meanwhile, wherever one looks.
    assert!(room.worker.get(&path).await.body.contains("Support it"));
    let sign = room.worker.get(&format!("{path}/sign")).await.assert_status(200);
    assert_eq!(sign.select("#submit"), ["Support this petition"]);
    assert!(sign.body.contains("supporting goes on meanwhile") && sign.select("#closed").is_empty());
    // Whoever takes it promises the latest close that the rules allow: 30, 14, and 30 to 90 days from its start.
    let file = room.worker.get(&format!("{path}/petition.json")).await.assert_status(200).json();
    let until: jiff::Timestamp = file["closes_at"].as_str().expect("a moment").parse().expect("a moment");
    assert!(daylight::clock::Time::from(until) > room.app.state.clock.now().plus_days(30 + 14 + 28));
    room.support(&path, 1).await;
}

#[tokio::test]
async fn without_support_it_lapses_and_withdrawn_support_is_none() {
    let room = Room::new().await;
    let path = room.seeking().await;
    room.support(&path, 5).await;
    sqlx::query("update petition_waiting set kind = 'withdraw', mode = null, disclosure = null where key = (select key from petition_waiting limit 1)")
        .execute(&room.app.state.db)
        .await
        .unwrap();
    room.hours(24 * 30).await;
    assert_eq!(room.state(&path).await, "seeking", "the last day is a whole one");
    room.hours(24).await;
    assert_eq!(room.state(&path).await, "lapsed");
    let closed = room.worker.get("/petitions?show=closed").await;
    assert_eq!(closed.select(".notices__title"), [TITLE]);
    assert_eq!(closed.select(".chip"), ["Lapsed"]);
}

#[tokio::test]
async fn a_new_version_begins_without_signatures() {
    let room = Room::new().await;
    let path = room.seeking().await;
    room.support(&path, 5).await;
    let first = room.leaf(&path).await;
    let warned = room.author.get(&format!("{path}/edit")).await.assert_status(200);
    assert!(warned.select(".banner--warning")[0].starts_with("A new version begins with no signatures."));
    let anew = [("demand", "Open the blinds in the hall, always."), ("action", "revise"), ("version", "1")];
    let edit = format!("{path}/edit");
    room.author.post(&edit, &form(&anew)).await.assert_status(422);
    let anew = [&anew[..], &[("revise_confirm", "yes")]].concat();
    room.worker.post(&edit, &form(&anew)).await.assert_status(404);
    room.author.post(&edit, &form(&anew)).await.assert_status(303);
    // Sent a second time.
    room.author.post(&edit, &form(&anew)).await.assert_status(409);
    assert_ne!(room.leaf(&path).await, first);
    room.hours(1).await;
    assert_eq!(room.state(&path).await, "seeking", "its five signed other words");
    let page = room.worker.get(&path).await;
    assert!(page.body.contains("Version 2 (the one above)"));
    let changes = room.worker.get(&format!("{path}/changes?from=1&to=2")).await.assert_status(200);
    assert!(changes.body.contains("<ins>") && changes.body.contains("always"), "{}", changes.body);
    let bytes: Vec<u8> = sqlx::query_scalar("select bytes from ledger_entry where hash = $1")
        .bind(room.leaf(&path).await)
        .fetch_one(&room.app.state.db)
        .await
        .unwrap();
    let leaf: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(leaf["version"], 2);
    assert!(leaf["previous"].is_string());
}

#[tokio::test]
async fn an_author_gives_up_until_it_opens() {
    let room = Room::new().await;
    let path = room.checking().await;
    let give_up = format!("{path}/give-up");
    room.worker.post(&give_up, &[("give_up_confirm", "yes")]).await.assert_status(403);
    room.author.post(&give_up, &[]).await.assert_status(422);
    room.author.post(&give_up, &[("give_up_confirm", "yes")]).await.assert_status(303);
    let page = room.worker.get(&path).await.assert_status(200);
    assert!(page.select(".chip").contains(&"Given up".to_owned()));
    assert!(page.attributes("a", "href").iter().all(|h| !h.ends_with("/sign")));
    room.worker.get(&format!("{path}/petition.json")).await.assert_status(409);
    let room = Room::new().await;
    let open = room.open().await;
    let late = room.author.post(&format!("{open}/give-up"), &[("give_up_confirm", "yes")]).await;
    late.assert_status(409);
}

/// Every place that shows a number of signatures.
async fn everywhere(actor: &Actor, path: &str) -> Vec<(String, Reply)> {
    let mut found = Vec::new();
    for page in ["", "/print", "/names", "/export.json", "/export.csv"] {
        let address = format!("{path}{page}");
        found.push((address.clone(), actor.get(&address).await.assert_status(200)));
    }
    for query in ["", "?sort=most", "?sort=closing", "?q=daylight"] {
        let address = format!("/petitions{query}");
        found.push((address.clone(), actor.get(&address).await.assert_status(200)));
    }
    found
}

#[tokio::test]
async fn no_number_under_five_is_shown_anywhere() {
    let room = Room::new().await;
    let path = room.open().await;
    for viewer in [&room.worker, &room.publisher, &room.representative] {
        let none = everywhere(viewer, &path).await;
        room.counted(&path, 7, 3, 4).await;
        room.department(&path, "Dispatch", 4).await;
        room.named(&path, &format!("ada{}@example.com", viewer.id()), true).await;
        let four = everywhere(viewer, &path).await;
        for ((address, none), (_, four)) in none.iter().zip(&four) {
            let text = |r: &Reply| r.select("main").join(" ");
            assert!(!text(four).contains("Dispatch") && !text(four).contains("Ada"), "{address}");
            if !address.ends_with("csv") && !address.ends_with("json") && *address != path {
                assert_eq!(text(none), text(four), "{address} tells none from four");
            }
        }
        let json = room.worker.get(&format!("{path}/export.json")).await.json();
        assert!(json["signatures"].is_null() && json["days"][0]["signatures"].is_null());
        assert!(json["days"][0]["signed"].is_null() && json["departments"].as_array().unwrap().is_empty());
        for table in ["petition_count", "petition_department_count", "petition_signer"] {
            let sql = format!("delete from {table}");
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&room.app.state.db).await.unwrap();
        }
    }
    // Four sort as none: the order is that of time.
    let other = crate::support::petition::open(&room.app, room.worker.id(), 9, "A newer petition").await;
    room.counted(&path, 4, 0, 4).await;
    let order = room.worker.get("/petitions?sort=most").await.attributes(".notices__title a", "href");
    let newest = room.worker.get("/petitions").await.attributes(".notices__title a", "href");
    assert_eq!(order, newest);
    assert!(order.contains(&format!("/petitions/{}", other.id)));
}

#[tokio::test]
async fn counts_from_five_on_stand_on_the_page_with_a_table_behind_the_picture() {
    let room = Room::new().await;
    let path = room.open().await;
    room.counted(&path, 9, 0, 9).await;
    room.hours(24).await;
    room.counted(&path, 9, 0, 18).await;
    room.department(&path, "Dispatch", 8).await;
    room.department(&path, "Office", 7).await;
    let page = room.worker.get(&path).await.assert_status(200);
    assert_eq!(page.select("#signatures ~ .lead"), ["18 signatures; the threshold is 10"]);
    assert_eq!(page.select(".chart rect.bar").len(), 2);
    assert_eq!(page.select("table tbody tr"), ["2 Nov 202699", "3 Nov 2026918"]);
    // Three show no department: with both shown, they would be told.
    assert_eq!(page.select(".bars li"), ["Dispatch8"]);
    let json = room.worker.get(&format!("{path}/export.json")).await.json();
    assert_eq!(json["signatures"], 18);
    let csv = room.worker.get(&format!("{path}/export.csv")).await.body;
    assert!(csv.contains("all,,,18\n") && csv.contains("department,Dispatch,,8\n"), "{csv}");
}

#[tokio::test]
async fn names_are_shown_to_whom_they_were_given() {
    let room = Room::new().await;
    let path = room.open().await;
    for n in 0..6 {
        room.named(&path, &format!("public{n}@example.com"), true).await;
    }
    for n in 0..5 {
        room.named(&path, &format!("quiet{n}@example.com"), false).await;
    }
    let names = format!("{path}/names");
    // Two more signed without a name: they would be counted.
    room.counted(&path, 13, 0, 13).await;
    assert!(room.representative.get(&names).await.select("#names li").is_empty());
    sqlx::query("delete from petition_count").execute(&room.app.state.db).await.unwrap();
    room.counted(&path, 16, 0, 16).await;
    let admin = room.app.actor(Role::Administrator).await;
    for actor in [&room.worker, &room.author, &room.publisher, &admin] {
        let shown = actor.get(&names).await.assert_status(200).select("#names li");
        assert_eq!(shown.len(), 6);
        for (address, reply) in everywhere(actor, &path).await {
            assert!(!reply.body.contains("Quiet"), "{address}");
        }
    }
    let shown = room.representative.get(&names).await.select("#names li");
    assert_eq!(shown.len(), 11);
    assert!(shown.is_sorted());
    assert_eq!(shown[10], "Quiet4 Representatives only");
}

#[tokio::test]
async fn a_text_changed_by_sql_is_noticed_and_cant_be_signed() {
    let room = Room::new().await;
    let path = room.open().await;
    let json = room.worker.get(&format!("{path}/petition.json")).await.assert_status(200).json();
    assert_eq!((json["title"].as_str(), json["slot"].as_u64()), (Some(TITLE), Some(1)));
    let sign = format!("{path}/sign");
    assert!(room.worker.get(&path).await.attributes("a", "href").contains(&sign));
    for sql in [
        "update petition_version set document = jsonb_set(document, '{demand}', '\"Close all the blinds in the hall.\"')",
        "update petition set about_kind = 'notice', about_id = '00000000-0000-0000-0000-000000000001'",
        "update petition set slot = 5",
    ] {
        room.tamper("create table kept as select * from petition_version").await;
        room.tamper("create table petition_kept as select * from petition").await;
        room.tamper(sql).await;
        let page = room.worker.get(&path).await.assert_status(200);
        assert_eq!(
            page.select("#broken .banner__title"),
            ["This is not the text that was put into the log"],
            "{sql}"
        );
        assert!(!page.attributes("a", "href").contains(&sign), "{sql}");
        room.worker.get(&format!("{path}/petition.json")).await.assert_status(409);
        let form = room.worker.get(&sign).await.assert_status(200);
        assert_eq!((form.select("#broken").len(), form.select("#signing").len()), (1, 0), "{sql}");
        let answer = room.publisher.get(&format!("{path}/answer")).await.assert_status(200);
        assert_eq!(answer.select("#broken").len(), 1, "{sql}");
        assert_eq!(room.worker.get("/petitions").await.select(".chip--bad"), ["Doesn’t fit the log"]);
        room.tamper(
            "update petition_version v set document = k.document from kept k where k.leaf_hash = v.leaf_hash",
        )
        .await;
        room.tamper("update petition p set slot = k.slot, about_kind = k.about_kind, about_id = k.about_id from petition_kept k").await;
        room.tamper("drop table kept").await;
        room.tamper("drop table petition_kept").await;
    }
    assert!(room.worker.get(&path).await.select("#broken").is_empty());
    let form = room.worker.get(&sign).await;
    assert_eq!((form.select("#broken").len(), form.select("#signing").len()), (0, 1));
    for sql in [
        "update petition set threshold = 1000",
        "update petition set closes_at = closes_at + interval '1 day', threshold = 10",
        "update petition set check_entry = null",
    ] {
        room.tamper(sql).await;
        let page = room.worker.get(&path).await;
        assert_eq!(page.select("#broken-terms").len(), 1, "{sql}");
        let form = room.worker.get(&sign).await;
        assert_eq!((form.select("#broken").len(), form.select("#signing").len()), (1, 0), "{sql}");
        assert!(!page.attributes("a", "href").contains(&sign), "{sql}");
    }
}

#[tokio::test]
async fn what_it_is_about_links_both_ways() {
    let room = Room::new().await;
    let made = room.publisher.post("/register", COMPLETE).await.assert_status(303);
    let thing = made.location().split('?').next().unwrap().to_owned();
    let about = format!("processing:{}", id(&thing));
    // Drafts of HR are nobody's business.
    assert!(room.author.get(&format!("/petitions/start?about={about}")).await.select(".lead").is_empty());
    room.publisher.post(&format!("{thing}/propose"), &[("revision", "1")]).await.assert_status(303);
    let activate = [("revision", "2"), ("activate_confirm", "yes")];
    room.publisher.post(&format!("{thing}/activate"), &activate).await.assert_status(303);
    let start = room.author.get(&thing).await.attributes("#petitions ~ p a", "href");
    assert_eq!(start, [format!("/petitions/start?about={about}")]);
    let page = room.author.get(&start[0]).await.assert_status(200);
    assert!(page.attributes("a", "href").contains(&format!("/petitions/start/confidential?about={about}")));
    let fields = form(&[("about", &about)]);
    let made = room.author.post("/petitions/start", &fields).await.assert_status(303);
    let path = made.location().split("/edit").next().unwrap().to_owned();
    let submit = form(&[("about", &about), ("action", "submit"), ("submit_confirm", "yes")]);
    room.author.post(&format!("{path}/edit"), &submit).await.assert_status(303);
    assert!(room.worker.get(&path).await.attributes("main a", "href").contains(&thing));
    assert_eq!(room.worker.get(&thing).await.select("#petitions ~ ul li a"), [TITLE]);
    let only = room.worker.get(&format!("/petitions?show=seeking&about={about}")).await;
    assert_eq!(only.select(".notices__title"), [TITLE]);
    let other = format!("/petitions?show=seeking&about=processing:{}", Uuid::nil());
    assert!(room.worker.get(&other).await.select(".notices__title").is_empty());
}

#[tokio::test]
async fn lists_are_searched_followed_and_printed() {
    let room = Room::new().await;
    assert_eq!(room.worker.get("/petitions").await.select(".empty__title"), ["No petition is open"]);
    let path = room.open().await;
    assert_eq!(room.worker.get("/petitions?q=HALL+day").await.select(".notices__title"), [TITLE]);
    assert_eq!(room.worker.get("/petitions?q=night%25").await.select(".empty__title"), ["Nothing found"]);
    room.worker.post(&format!("{path}/follow"), &[]).await.assert_status(303);
    let day = 24;
    room.hours(day).await;
    let followed = room.worker.get("/petitions?show=following").await;
    assert_eq!(followed.select(".notices__title"), [TITLE]);
    assert!(!followed.select(".chip").contains(&"News".to_owned()));
    let update = [("update", "The blinds are oiled now.")];
    room.worker.post(&format!("{path}/updates"), &update).await.assert_status(403);
    room.author.post(&format!("{path}/updates"), &[("update", " ")]).await.assert_status(422);
    room.author.post(&format!("{path}/updates"), &update).await.assert_status(303);
    let council = [("update", "We have talked to the landlord.")];
    room.representative.post(&format!("{path}/updates"), &council).await.assert_status(303);
    assert!(room.worker.get("/petitions").await.select(".chip").contains(&"News".to_owned()));
    assert!(!room.author.get("/petitions").await.select(".chip").contains(&"News".to_owned()));
    let page = room.worker.get(&path).await;
    assert_eq!(page.select("#updates ~ article").len(), 2);
    assert!(page.select("#updates ~ article p.muted").iter().all(|words| words.ends_with("· not signed")));
    room.hours(day).await;
    room.worker.get(&path).await.assert_status(200);
    room.hours(day).await;
    assert!(!room.worker.get("/petitions").await.select(".chip").contains(&"News".to_owned()));
    room.worker.post(&format!("{path}/unfollow"), &[]).await.assert_status(303);
    assert_eq!(room.app.count("petition_follow").await, 0);
    assert_eq!(room.app.count("outbox").await, 0, "nothing here sends mail");
    let sheet = room.worker.get(&format!("{path}/print")).await.assert_status(200);
    assert_eq!(sheet.select("svg.board__code").len(), 1);
    assert!(sheet.body.contains(DEMAND));
}

impl Room {
    /// As if twenty had their packs: making them takes long.
    async fn crowd(&self) {
        sqlx::query(
            "insert into petition_pack (epoch, issuer, place, request, ledger_entry)
             select epoch, issuer, n, request, ledger_entry from petition_pack, generate_series(2, 19) n
             where place = 0",
        )
        .execute(&self.app.state.db)
        .await
        .unwrap();
    }

    /// What a wallet sends to start a petition without a name.
    fn confidential(&self, petition: Uuid) -> serde_json::Value {
        let document =
            json!({"title": TITLE, "demand": DEMAND, "background": "", "about": null, "open_days": 30});
        let colleague = &self.epoch.colleagues[1];
        let content = document_hash(&document).unwrap();
        let (credential, signature) =
            colleague.holder.author(&colleague.pack, petition, 1, &content).unwrap();
        json!({"petition": petition, "document": {"title": TITLE, "demand": DEMAND, "background": ""},
            "open_days": 30, "credential": credential, "signature": signature})
    }
}

#[tokio::test]
async fn a_petition_starts_without_a_name_and_nothing_tells_whose_it_is() {
    let room = Room::new().await;
    let visitor = room.app.visitor();
    let petition = room.app.state.random.opaque_id();
    let body = room.confidential(petition);
    let start = "/api/v1/petitions/start";
    // Two have their packs: that is no crowd.
    visitor.post_json(start, &body, None).await.assert_status(409);
    room.crowd().await;
    let mut other = body.clone();
    other["document"]["title"] = json!("Less daylight in the hall");
    visitor.post_json(start, &other, None).await.assert_status(403);
    let mut alone = body.clone();
    alone["credential"]["representative"] = alone["credential"]["operator"].clone();
    visitor.post_json(start, &alone, None).await.assert_status(403);
    visitor.post_json(start, &json!({"petition": petition}), None).await.assert_status(400);
    let reply = visitor.post_json(start, &body, None).await.assert_status(201);
    assert!(reply.json()["address"].as_str().unwrap().ends_with(&format!("/petitions/{petition}")));
    visitor.post_json(start, &body, None).await.assert_status(409);
    let again = room.confidential(room.app.state.random.opaque_id());
    let second = visitor.post_json(start, &again, None).await.assert_status(409);
    assert!(second.json()["detail"].as_str().unwrap().contains("A second one would tie the two"));

    // It stands on no list before the full hour; then its leaf is in the log.
    let path = format!("/petitions/{petition}");
    assert!(room.worker.get("/petitions?show=seeking").await.select(".notices__title").is_empty());
    room.hours(1).await;
    room.app.state.ledger.settle().await.unwrap();
    assert_eq!(room.worker.get("/petitions?show=seeking").await.select(".notices__title"), [TITLE]);
    let page = room.worker.get(&path).await.assert_status(200);
    assert!(page.body.contains("By a colleague who stays unnamed") && page.select("#broken").is_empty());
    assert!(page.select("#give-up").is_empty(), "nobody is known as its author");
    let row: serde_json::Value = sqlx::query_scalar("select to_jsonb(p) from petition p where id = $1")
        .bind(petition)
        .fetch_one(&room.app.state.db)
        .await
        .unwrap();
    assert!(row["author_id"].is_null());
    let text = row.to_string();
    assert!(!text.contains(&room.worker.id().to_string()));
    assert!(row["looked_at"].as_str().unwrap().contains(":00:00"), "{text}");
    assert!(row["seeking_until"].as_str().unwrap().contains("00:00"), "{text}");
    let report = verify_export(room.worker.get("/log/export").await.body.as_bytes(), &Against::default());
    assert!(!report.unwrap().is_violated());

    room.act(&path, petition).await;
}

impl Room {
    /// The author's signature stands beside what it is of.
    async fn signed_news(&self, path: &str, signature: &str) {
        let page = self.worker.get(path).await;
        assert_eq!(page.select("#updates ~ article summary"), ["Signed by the author’s key"]);
        assert!(page.body.contains(signature) && page.body.contains("daylight-author/v1"));
        let file = self.worker.get(&format!("{path}/export.json")).await.body;
        let file: serde_json::Value = serde_json::from_str(&file).unwrap();
        assert_eq!(file["updates"][0]["signature"], signature);
        for (sql, broken) in [
            ("update petition_update set text = 'We give up.'", 1),
            ("update petition_update set text = 'We have five already.'", 0),
            ("update petition_update set signature = null", 1),
        ] {
            self.tamper(sql).await;
            let page = self.worker.get(path).await;
            assert_eq!(page.select("#updates ~ article .banner--error").len(), broken, "{sql}");
        }
    }

    /// News, another version and the end, each by the key alone.
    async fn act(&self, path: &str, petition: Uuid) {
        let visitor = self.app.visitor();
        let colleague = &self.epoch.colleagues[1];
        let author = format!("/api/v1{path}/author");
        let hash = |text: &str| daylight::ledger::Hash::of(text.as_bytes());
        let news = "We have five already.";
        let by = |c: &crate::support::petition::Colleague, what: &str, text: &str| {
            c.holder.author_act(&c.pack, petition, what, &hash(text))
        };
        let act = |signature: String| json!({"act": "update", "text": news, "signature": signature});
        visitor
            .post_json(&author, &act(by(&self.epoch.colleagues[0], "update", news)), None)
            .await
            .assert_status(403);
        visitor.post_json(&author, &act(by(colleague, "give_up", news)), None).await.assert_status(403);
        for _ in 0..2 {
            visitor.post_json(&author, &act(by(colleague, "update", news)), None).await.assert_status(204);
        }
        assert_eq!(self.app.count("petition_update").await, 1, "sent again, it is the same");
        self.signed_news(path, &by(colleague, "update", news)).await;
        let document = json!({"title": TITLE, "demand": "Open the blinds, always.", "background": "", "about": null, "open_days": 90});
        let content = document_hash(&document).unwrap();
        let (credential, signature) =
            colleague.holder.author(&colleague.pack, petition, 2, &content).unwrap();
        let words = json!({"title": TITLE, "demand": "Open the blinds, always."});
        let version = json!({"act": "version", "document": words, "open_days": 90, "credential": credential,
            "signature": signature});
        visitor.post_json(&author, &version, None).await.assert_status(204);
        visitor.post_json(&author, &version, None).await.assert_status(403);
        let end = json!({"act": "give_up", "signature": by(colleague, "give_up", "")});
        visitor.post_json(&author, &end, None).await.assert_status(204);
        assert_eq!(self.state(path).await, "given_up");
        let unknown = format!("/api/v1/petitions/{}/author", Uuid::nil());
        visitor.post_json(&unknown, &end, None).await.assert_status(404);
    }
}

#[tokio::test]
async fn the_rules_are_the_programs_own_numbers() {
    let app = TestApp::new().await;
    let page = app.visitor().get("/petitions/rules").await.assert_status(200);
    let codes = page.select("#refusals ~ dl dt");
    assert_eq!(codes.len(), daylight::petitions::model::REFUSALS.len());
    assert!(page.body.contains("30, 60 or 90 days") && page.body.contains("15 in a quarter"));
}
