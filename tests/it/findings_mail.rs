//! The mail of Monday morning.

use daylight::collection;
use daylight::outbox;
use daylight::web::Role;

use crate::findings::{answer, declare, group, room};
use crate::support::TestApp;
use crate::support::agent::Agent;
use crate::support::smtp::Sink;
use crate::violations::plant;

const KIND: &str = "COLLECTED_AFTER_OPT_OUT";
const WEEK: i64 = 7 * 86_400;

#[tokio::test]
async fn a_summary_comes_once_on_monday_and_says_nothing_of_persons() {
    let (app, people, publisher) = room().await;
    let rep = app.actor(Role::Representative).await;
    answer(&publisher, &group("acme-agent"), "0", "An accident.", "yes").await.assert_status(303);
    for (person, agent) in &people[1..7] {
        plant(&app, "OPT_OUT_VIOLATION", *person, agent, "acme-agent").await;
    }
    // The tests begin on a Monday at nine: this week's mail is about the week before.
    collection::mail_week(&app.state).await.expect("written");
    let count = async || app.count("outbox").await;
    assert_eq!(count().await, 2);
    let body: String =
        sqlx::query_scalar("select body from outbox limit 1").fetch_one(&app.state.db).await.expect("a mail");
    assert!(body.contains("Nothing new.") && body.contains("- none"), "{body}");
    app.state.clock.advance(3 * 86_400);
    collection::mail_week(&app.state).await.expect("written");
    assert_eq!(count().await, 2, "once a week");

    app.state.clock.advance(WEEK - 3 * 86_400 - 3 * 3600);
    collection::mail_week(&app.state).await.expect("written");
    assert_eq!(count().await, 2, "not before seven");
    app.state.clock.advance(3 * 3600);
    for _ in 0..2 {
        collection::mail_week(&app.state).await.expect("written");
    }
    collection::mail_week(&app.restarted().state).await.expect("written");
    assert_eq!(count().await, 4);
    let body: String = sqlx::query_scalar("select body from outbox order by id desc limit 1")
        .fetch_one(&app.state.db)
        .await
        .expect("a mail");
    for words in [
        "2 Nov 2026 to 8 Nov 2026",
        "New: 2",
        "- Passed on after a no: Window titles, by Acme-Agent (found on 2 Nov 2026)",
        "Answered: 1",
        "Still without an answer: 1",
        "(open for 7 days)",
        "- Collected after a no: 1",
        "/findings",
    ] {
        assert!(body.contains(words), "{words}: {body}");
    }
    for words in ["people", "p0@", "31,337", "09:"] {
        assert!(!body.contains(words), "{words}: {body}");
    }
    let rep = app.sign_in_as(rep.id()).await;
    rep.post("/findings/mail", &[("mail", "no")]).await.assert_status(303);
    assert!(rep.get("/findings").await.body.contains("you don’t get it"));
    app.state.clock.advance(WEEK);
    collection::mail_week(&app.state).await.expect("written");
    assert_eq!(count().await, 5, "the publisher’s alone");
}

#[tokio::test]
async fn a_workers_mail_is_asked_for_and_tells_a_number_alone() {
    let sink = Sink::start();
    let app = TestApp::with(|config| config.smtp_url = Some(sink.url.clone())).await;
    let publisher = app.actor(Role::Publisher).await;
    declare(&app, &publisher).await;
    let mut people = Vec::new();
    for name in ["ada", "bob", "cyd"] {
        let person = app.person(&format!("{name}@example.com"), &[Role::Worker]).await;
        people.push((person, Agent::of(&app, person).await));
    }
    for (person, _) in &people[..2] {
        let worker = app.sign_in_as(*person).await;
        assert!(worker.get("/me/findings").await.body.contains("You get no mail about findings."));
        worker.post("/me/findings/mail", &[("mail", "yes")]).await.assert_status(303);
        assert!(worker.get("/me/findings").await.body.contains("Stop this mail"));
    }
    // Ada asked and has two, and one that was stopped; Bob asked and has none; Cyd has one and didn’t ask.
    for (n, kind) in [(0, KIND), (0, "OPT_OUT_VIOLATION"), (0, "HONOURED_AT_GATEWAY"), (2, KIND)] {
        plant(&app, kind, people[n].0, &people[n].1, "acme-agent").await;
    }
    app.state.clock.advance(WEEK);
    collection::mail_week(&app.state).await.expect("written");
    outbox::send_due(&app.state).await.expect("sent");
    let mails = sink.mails();
    let to =
        |address: &str| mails.iter().filter(|m| m.contains(&format!("To: {address}"))).collect::<Vec<_>>();
    let ada = to("ada@example.com");
    assert_eq!(ada.len(), 1);
    assert!(ada[0].contains("You have 2 new findings") && ada[0].contains("/me/findings"), "{}", ada[0]);
    for words in ["indow", "acme", "Acme", "after a no", "assed on"] {
        assert!(!ada[0].contains(words), "{words}: {}", ada[0]);
    }
    assert!(to("bob@example.com").is_empty() && to("cyd@example.com").is_empty());
    // Administrators don’t see that she got one.
    let admin = app.actor(Role::Administrator).await;
    let list = admin.get("/outbox").await.assert_status(200);
    assert!(!list.body.contains("ada@example.com"));
    app.state.clock.advance(WEEK);
    collection::mail_week(&app.state).await.expect("written");
    outbox::send_due(&app.state).await.expect("sent");
    let again = sink.mails().iter().filter(|m| m.contains("To: ada@example.com")).count();
    assert_eq!(again, 1, "nothing new, no mail");
}
