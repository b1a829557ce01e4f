//! Uploads that are made up to learn something about somebody.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, header};
use daylight::imports::compare_imports;
use daylight::web::Role;
use uuid::Uuid;

use crate::imports::{TAKE, activtrak, dry_run, of_people, room, take, upload};
use crate::imports_findings::{declare, found, report_a_day, report_a_day_of, screenshots};
use crate::support::agent::Agent;
use crate::support::{Actor, TestApp};

async fn live_in(app: &TestApp, person: Uuid, zone: &str) {
    sqlx::query("update person set time_zone = $2 where id = $1")
        .bind(person)
        .bind(zone)
        .execute(&app.state.db)
        .await
        .expect("moved");
}

/// Somebody whose data was stopped, and somebody whose data wasn't: the same upload about both says the same.
#[tokio::test]
async fn a_made_up_export_doesnt_tell_who_said_no() {
    let (app, people, publisher) = room().await;
    declare(&app, &publisher, "hubstaff", "screen.image").await;
    let (stopped, idle) = (Agent::of(&app, people[0]).await, Agent::of(&app, people[1]).await);
    report_a_day_of(&app, &stopped, "hubstaff", (10, 10), 6).await;
    report_a_day(&app, &idle, "hubstaff", 0, 6).await;
    let publisher = app.sign_in_as(publisher.id()).await;
    for who in ["p0@example.com", "p1@example.com"] {
        take(&publisher, "hubstaff/screenshots", screenshots(who, "2026-11-03", 60).as_bytes()).await;
    }
    app.state.clock.advance(3 * 86_400);
    compare_imports(&app.state).await.expect("compared");
    let who: Vec<String> = found(&app).await.into_iter().map(|f| f.1).collect();
    assert_eq!(who, ["p1@example.com"], "of the one whose data was stopped nothing is said");
    let alone: bool =
        sqlx::query_scalar("select bool_and((import_id is not null) = (agent_id is null)) from finding")
            .fetch_one(&app.state.db)
            .await
            .expect("findings");
    assert!(alone, "what rests on an export is nobody else's, and says so");
}

#[tokio::test]
async fn a_dry_run_doesnt_tell_where_somebody_is() {
    let (app, people, publisher) = room().await;
    let at = "2026-11-01T13:30:00Z";
    let names: Vec<String> = (0..6).map(|n| format!("p{n}@example.com")).collect();
    let rows = |n: usize| activtrak(&names[..n].iter().map(|who| (who.as_str(), at)).collect::<Vec<_>>());
    let days = async |actor: &Actor, text: &str| {
        let path = dry_run(actor, "activtrak/activity-log", text.as_bytes()).await;
        actor.get(&path).await.assert_status(200).select("dl.facts dd")[0].clone()
    };
    let before = (days(&publisher, &rows(1)).await, days(&publisher, &rows(6)).await);
    assert!(before.0.contains("not shown") && before.1.contains("1 Nov 2026 to 1 Nov 2026"), "{before:?}");
    for person in &people[..6] {
        live_in(&app, *person, "Pacific/Kiritimati").await;
    }
    assert_eq!((days(&publisher, &rows(1)).await, days(&publisher, &rows(6)).await), before);
    // Tomorrow where they are, or yesterday: whether it is in the future doesn't depend on it either.
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        live_in(&app, people[0], zone).await;
        for (when, faulty) in [("2026-11-02T20:00:00Z", "0"), ("2026-11-03T06:00:00Z", "1")] {
            let text = activtrak(&[("p0@example.com", when)]);
            let path = dry_run(&publisher, "activtrak/activity-log", text.as_bytes()).await;
            let page = publisher.get(&path).await.assert_status(200);
            assert_eq!(page.select(".stat__number")[2], faulty, "{when} in {zone}");
            assert!(!page.select("main")[0].contains("Line 2"), "about few no line is named");
        }
    }
}

#[tokio::test]
async fn what_a_dry_run_matched_is_told_in_bands() {
    let (_app, _, publisher) = room().await;
    let text = of_people(7) + &"x@elsewhere.example,2026-11-01T08:00:00Z,a.exe,,\n".repeat(11);
    let path = dry_run(&publisher, "activtrak/activity-log", text.as_bytes()).await;
    let page = publisher.get(&path).await.assert_status(200);
    assert!(page.select(".stat")[4].starts_with("10 to 14"), "{:?}", page.select(".stat"));
    assert_eq!(page.select("dl.facts dd")[2], "10 to 14", "14 records");
}

#[tokio::test]
async fn dry_runs_are_on_record_and_limited() {
    let (app, people, publisher) = room().await;
    for _ in 0..20 {
        dry_run(&publisher, "activtrak/activity-log", of_people(6).as_bytes()).await;
    }
    let refused = upload(&publisher, "activtrak/activity-log", of_people(6).as_bytes()).await;
    refused.assert_status(429);
    type Entry = (Option<Uuid>, String, Option<Uuid>, Option<String>);
    let entries: Vec<Entry> = sqlx::query_as(
        "select actor_id, actor_role, subject_id, reason from audit_entry where action = 'export.tried'",
    )
    .fetch_all(&app.state.db)
    .await
    .expect("entries");
    let entry =
        (Some(publisher.id()), "publisher".to_owned(), None, Some("An export of ActivTrak".to_owned()));
    assert_eq!(entries, vec![entry; 20]);
    let log = app.sign_in_as(people[11]).await.get("/me/access-log").await.assert_status(200);
    assert!(log.body.contains("was uploaded for a dry run") && log.body.contains("An export of ActivTrak"));
    let other = app.actor(Role::Representative).await;
    dry_run(&other, "activtrak/activity-log", of_people(6).as_bytes()).await;
    app.state.clock.advance(3601);
    dry_run(&publisher, "activtrak/activity-log", of_people(6).as_bytes()).await;
}

#[tokio::test]
async fn counts_are_taken_only_once_the_box_is_ticked() {
    let (app, _, publisher) = room().await;
    let path = dry_run(&publisher, "activtrak/activity-log", of_people(6).as_bytes()).await;
    let asked = publisher.post(&format!("{path}/confirm"), &[]).await.assert_status(422);
    assert!(asked.select(".error-summary")[0].contains("Tick the box"));
    assert!(asked.body.contains("A dry run"));
    assert_eq!(app.count("vendor_count").await, 0);
    publisher.post(&format!("{path}/confirm"), TAKE).await.assert_status(303);
}

#[tokio::test]
async fn of_a_too_large_file_the_form_stays() {
    let (_app, _, publisher) = room().await;
    let fields =
        [("format", "activtrak/activity-log"), ("who", "2"), ("zone", "Asia/Tokyo"), ("order", "day")];
    let large = vec![b'a'; 20 * 1024 * 1024 + 1];
    let page = publisher.upload_form("/imports", &fields, &large).await.assert_status(413);
    assert_eq!(page.attributes("#zone", "value"), ["Asia/Tokyo"]);
    assert_eq!(page.attributes("#format option[selected]", "value"), ["activtrak/activity-log"]);
    assert_eq!(page.attributes("#who option[selected]", "value"), ["2"]);
    assert_eq!(page.attributes("input[name=order][checked]", "value"), ["day"]);
}

/// Uploads that send nothing keep nobody of another role waiting.
#[tokio::test]
async fn hr_cant_keep_representatives_out() {
    let (app, _, publisher) = room().await;
    let rep = app.actor(Role::Representative).await;
    let silent = async || {
        let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let request = Request::post("/imports")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=x")
            .header("sec-fetch-site", "same-origin");
        publisher.send(request, body).await
    };
    tokio::select! {
        _ = silent() => panic!("it ended"),
        _ = silent() => panic!("it ended"),
        _ = silent() => panic!("it ended"),
        () = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            dry_run(&rep, "activtrak/activity-log", of_people(6).as_bytes()).await;
        } => {}
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("it waits for HR"),
    }
}
