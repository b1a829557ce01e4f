//! Mail: written, shown where no server is configured, sent, refused, deleted.

use std::time::Duration;

use daylight::outbox;
use daylight::web::Role;

use crate::support::smtp::Sink;
use crate::support::{Actor, PASSWORD, TestApp, logs};

async fn invite(admin: &Actor, email: &str) -> String {
    let fields = [("name", "Zuleika"), ("email", email), ("jurisdiction", "EU"), ("roles", "worker")];
    let reply = admin.post("/people", &fields).await.assert_status(303);
    reply.location().trim_start_matches("/people/").trim_end_matches("?done=invited").to_owned()
}

async fn with_sink() -> (TestApp, Sink) {
    let sink = Sink::start();
    let app = TestApp::with(|config| config.smtp_url = Some(sink.url.clone())).await;
    (app, sink)
}

#[tokio::test]
async fn without_a_mail_server_a_text_is_shown_and_its_person_sees_that() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let page = admin.get("/outbox").await.assert_status(200);
    assert_eq!(page.select(".empty__title"), ["No mail yet"]);
    let invited = invite(&admin, "ada@example.com").await;
    let link = app.link_to("ada@example.com").await;

    let page = admin.get("/outbox").await.assert_status(200);
    assert_eq!(page.select("td[data-label='To']"), ["ada@example.com"]);
    assert_eq!(page.select("tbody .chip"), ["Waiting"]);
    assert!(!page.body.contains("/link/"), "the list shows no text");
    let show = page.attributes("form[action$='/show']", "action").remove(0);
    let shown = admin.post(&show, &[]).await.assert_status(200);
    assert!(shown.select("pre")[0].contains(&link));
    assert!(shown.select(".banner")[0].contains("sees in their access log that you opened it"));

    let ada = app.sign_in_as(invited.parse().expect("an id")).await;
    let log = ada.get("/me/access-log").await.assert_status(200).select("tbody th");
    let entry = "A sign-in or password link made for you was shown to an administrator";
    assert_eq!(log.iter().filter(|words| *words == entry).count(), 1);
    assert_eq!(outbox::send_due(&app.state).await.expect("a round"), 0);
    admin.post("/outbox/test", &[]).await.assert_status(409);
}

#[tokio::test]
async fn a_mail_is_sent_once_and_its_text_deleted() {
    let (app, sink) = with_sink().await;
    let admin = app.actor(Role::Administrator).await;
    invite(&admin, "ada@example.com").await;
    let link = app.link_to("ada@example.com").await;
    let page = admin.get("/outbox").await.assert_status(200);
    assert!(page.attributes("form[action$='/show']", "action").is_empty());
    let id: uuid::Uuid =
        sqlx::query_scalar("select id from outbox").fetch_one(&app.state.db).await.expect("a mail");
    admin.post(&format!("/outbox/{id}/show"), &[]).await.assert_status(409);

    assert_eq!(outbox::send_due(&app.state).await.expect("a round"), 1);
    assert_eq!(outbox::send_due(&app.state).await.expect("a round"), 0);
    let mails = sink.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains(&link) && mails[0].contains("To: ada@example.com"), "{}", mails[0]);
    assert!(mails[0].contains("Auto-Submitted: auto-generated"));
    assert_eq!(app.count("outbox where body is null and sent_at is not null").await, 1);
    assert_eq!(admin.get("/outbox").await.select("tbody .chip"), ["Sent"]);
}

#[tokio::test]
async fn two_servers_never_send_the_same_mail() {
    let (app, sink) = with_sink().await;
    let admin = app.actor(Role::Administrator).await;
    for n in 0..6 {
        invite(&admin, &format!("w{n}@example.com")).await;
    }
    let (a, b) = tokio::join!(outbox::send_due(&app.state), outbox::send_due(&app.state));
    assert_eq!(a.expect("a round") + b.expect("a round"), 6);
    assert_eq!(sink.mails().len(), 6);
}

#[tokio::test]
async fn a_refused_mail_is_tried_five_times_ever_later() {
    let (app, sink) = with_sink().await;
    sink.refused.lock().expect("the list").push("ada@example.com".into());
    let admin = app.actor(Role::Administrator).await;
    invite(&admin, "ada@example.com").await;
    invite(&admin, "bob@example.com").await;
    assert_eq!(
        outbox::send_due(&app.state).await.expect("a round"),
        1,
        "another's trouble stops nobody's mail"
    );
    for (attempt, minutes) in [(1, 1), (2, 5), (3, 30), (4, 240)] {
        assert_eq!(app.count("outbox where attempts = 1 and sent_at is not null").await, 1);
        let attempts: i32 = sqlx::query_scalar("select attempts from outbox where sent_at is null")
            .fetch_one(&app.state.db)
            .await
            .expect("the refused mail");
        assert_eq!(attempts, attempt);
        app.state.clock.advance(minutes * 60 - 1);
        outbox::send_due(&app.state).await.expect("a round");
        assert_eq!(
            app.count("outbox where attempts > 1").await,
            i64::from(attempt > 1),
            "not before its time"
        );
        app.state.clock.advance(1);
        outbox::send_due(&app.state).await.expect("a round");
    }
    let admin = app.sign_in_as(admin.id()).await;
    let page = admin.get("/outbox").await.assert_status(200);
    let states = page.select("td[data-label='State']");
    assert!(states.contains(&"Failed the mail server refused it (550)".into()), "{states:?}");
    app.state.clock.advance(86_400);
    outbox::send_due(&app.state).await.expect("a round");
    assert_eq!(app.count("outbox where attempts = 5").await, 1);
}

#[tokio::test]
async fn the_mail_server_can_be_tried_out_and_may_be_away() {
    let (app, sink) = with_sink().await;
    let admin = app.actor(Role::Administrator).await;
    admin.post("/outbox/test", &[]).await.assert_status(303);
    outbox::send_due(&app.state).await.expect("a round");
    assert!(sink.mails()[0].contains("Subject: A test mail from Daylight"));

    let app =
        TestApp::with(|config| config.smtp_url = Some(daylight::config::Secret::new("smtp://127.0.0.1:9")))
            .await;
    let admin = app.actor(Role::Administrator).await;
    admin.post("/outbox/test", &[]).await.assert_status(303);
    assert_eq!(outbox::send_due(&app.state).await.expect("a round"), 0);
    assert_eq!(app.count("outbox where failed = 'the mail server can''t be reached'").await, 1);
}

#[tokio::test]
async fn the_mailer_runs_until_the_pool_is_closed() {
    let (app, sink) = with_sink().await;
    let admin = app.actor(Role::Administrator).await;
    admin.post("/outbox/test", &[]).await.assert_status(303);
    let running = tokio::spawn(outbox::run(app.state.clone()));
    for _ in 0..500 {
        if app.count("outbox where sent_at is not null").await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(sink.mails().len(), 1);
    app.state.db.close().await;
    tokio::time::timeout(Duration::from_secs(2), running).await.expect("it stops").expect("it didn't panic");
}

#[tokio::test]
async fn what_the_tables_promise_to_delete_is_deleted() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    invite(&admin, "ada@example.com").await;
    app.visitor()
        .post("/sign-in", &[("email", "x@example.com"), ("password", "wrong")])
        .await
        .assert_status(422);
    admin
        .upload("/people/import", "file", "r.csv", b"email,name\nbob@example.com,Bob\n")
        .await
        .assert_status(303);
    let clean = async |days: i64| {
        app.state.clock.advance(days * 86_400 + 1);
        outbox::clean(&app.state).await.expect("cleaned");
    };
    outbox::clean(&app.state).await.expect("cleaned");
    let kept = "roll_import where rows is not null";
    assert_eq!(
        (app.count("sign_in_failure").await, app.count(kept).await, app.count("session").await),
        (1, 1, 1)
    );
    clean(1).await;
    assert_eq!((app.count("sign_in_failure").await, app.count(kept).await), (0, 0));
    clean(6).await;
    assert_eq!(app.count("outbox where body is not null").await, 0);
    clean(8).await;
    assert_eq!((app.count("session").await, app.count("one_time_link").await), (0, 1));
    clean(30).await;
    assert_eq!((app.count("one_time_link").await, app.count("outbox").await), (0, 1));
    clean(60).await;
    assert_eq!((app.count("outbox").await, app.count("roll_import").await), (0, 1));
}

#[tokio::test]
async fn logs_hold_no_name_no_address_and_no_secret() {
    logs::capture();
    let (app, sink) = with_sink().await;
    sink.refused.lock().expect("the list").push("xaver@example.com".into());
    let admin = app.actor(Role::Administrator).await;
    invite(&admin, "zuleika@example.com").await;
    invite(&admin, "xaver@example.com").await;
    let link = app.link_to("zuleika@example.com").await;
    outbox::send_due(&app.state).await.expect("a round");
    let visitor = app.visitor();
    visitor.post(&link, &[("password", PASSWORD), ("again", PASSWORD)]).await.assert_status(303);
    let fields = [("email", "zuleika@example.com"), ("password", "a wrong guess")];
    app.visitor().post("/sign-in", &fields).await.assert_status(422);
    admin.get("/people?q=zuleika").await.assert_status(200);
    let roll = b"email,name\nyvonne@example.com,Yvonne\nno-address,Yvonne\n";
    admin.upload("/people/import", "file", "r.csv", roll).await.assert_status(422);
    // A database error's detail would quote the row.
    sqlx::query("alter table person add constraint nobody_like_that check (name <> 'Wanda') not valid")
        .execute(&app.state.db)
        .await
        .expect("the constraint");
    let fields = [("name", "Wanda"), ("email", "wanda@example.com"), ("roles", "worker")];
    admin.post("/people", &fields).await.assert_status(500);

    let text = logs::captured();
    for expected in ["mail sent", "mail not sent", "internal error", "answered"] {
        assert!(text.contains(expected), "{expected} isn't in\n{text}");
    }
    let token = link.trim_start_matches("/link/");
    for secret in
        ["zuleika", "xaver", "yvonne", "wanda", "example.com", "boats", "wrong guess", "192.0.2.7", token]
    {
        let line = text.lines().find(|line| line.to_lowercase().contains(&secret.to_lowercase()));
        // The statement that this test itself sent names its constraint's value.
        let line = line.filter(|line| !line.contains("alter table"));
        assert!(line.is_none(), "{secret} in {line:?}");
    }
}

#[tokio::test]
async fn secrets_that_ran_out_and_idle_sessions_are_deleted() {
    let app = TestApp::new().await;
    let (idle, busy) = (app.person("idle@example.com", &[]).await, app.actor(Role::Worker).await);
    app.sign_in_as(idle).await;
    sqlx::raw_sql(
        "insert into device values (gen_random_uuid(), 'Laptop', '2026-11-02T09:00Z');
         insert into enrolment (id, secret_hash, device_id, created_at, expires_at)
         select gen_random_uuid(), '\\x00', id, created_at, created_at + interval '1 day' from device",
    )
    .execute(&app.state.db)
    .await
    .expect("an enrolment");
    for _ in 0..5 {
        app.state.clock.advance(6 * 3600);
        busy.get("/me/account").await.assert_status(200);
    }
    outbox::clean(&app.state).await.expect("a round");
    assert_eq!((app.count("session").await, app.count("enrolment").await), (1, 1));
    app.state.clock.advance(30 * 86_400);
    outbox::clean(&app.state).await.expect("a round");
    assert_eq!((app.count("session").await, app.count("enrolment").await), (0, 0));
}
