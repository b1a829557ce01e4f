//! One-time links: invitation, reset, set-up.

use std::time::Duration;

use daylight::identity;
use daylight::web::Role;

use crate::support::{PASSWORD, TestApp};

const ADA: &str = "ada@example.com";

fn twice(password: &str) -> [(&str, &str); 2] {
    [("password", password), ("again", password)]
}

#[tokio::test]
async fn an_invitation_leads_to_a_password_and_works_once() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let fields =
        [("name", "Ada Okafor"), ("email", "Ada@example.com"), ("jurisdiction", "DE"), ("roles", "worker")];
    let reply = admin.post("/people", &fields).await.assert_status(303);
    assert!(reply.location().ends_with("?done=invited"));
    let link = app.link_to(ADA).await;

    // A mail scanner opens every link.
    for _ in 0..3 {
        let page = app.visitor().get(&link).await.assert_status(200);
        assert_eq!(page.select("h1"), ["Set your password"]);
    }
    let ada = app.visitor();
    ada.post(&link, &twice("short")).await.assert_status(422);
    ada.post(&link, &[("password", PASSWORD), ("again", "something else")]).await.assert_status(422);
    let reply = ada.post(&link, &twice(PASSWORD)).await.assert_status(303);
    assert_eq!(reply.location(), "/?done=password-set");
    assert!(ada.get("/me/account").await.assert_status(200).select("dd").contains(&"Ada Okafor".into()));

    app.visitor().post(&link, &twice("another long password")).await.assert_status(410);
    app.visitor().get(&link).await.assert_status(410);
    app.visitor().get("/link/made-up").await.assert_status(410);
}

#[tokio::test]
async fn a_link_ends_with_its_time_and_with_the_account() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let invite = async |email| {
        let fields = [("name", "Somebody"), ("email", email), ("jurisdiction", "EU"), ("roles", "worker")];
        let reply = admin.post("/people", &fields).await.assert_status(303);
        reply.location().trim_end_matches("?done=invited").to_owned()
    };
    invite("late@example.com").await;
    let leaver = invite("leaver@example.com").await;
    let link = app.link_to("leaver@example.com").await;
    admin.post(&format!("{leaver}/deactivate"), &[]).await.assert_status(303);
    app.visitor().post(&link, &twice(PASSWORD)).await.assert_status(410);
    let link = app.link_to("late@example.com").await;
    app.state.clock.advance(7 * 86_400 + 1);
    app.visitor().get(&link).await.assert_status(410);
}

#[tokio::test]
async fn a_reset_ends_other_sessions_and_says_nothing_about_accounts() {
    let app = TestApp::new().await;
    let id = app.person_with_password(ADA, &[Role::Worker]).await;
    let elsewhere = app.sign_in_as(id).await;
    for email in ["nobody@example.com", ADA] {
        let reply = app.visitor().post("/password/forgotten", &[("email", email)]).await.assert_status(303);
        assert_eq!(reply.location(), "/sign-in?done=reset-requested");
    }
    // The answer doesn't wait for the mail.
    for _ in 0..200 {
        if app.count("outbox").await > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(app.count("outbox").await, 1);
    let link = app.link_to(ADA).await;
    elsewhere.get("/me/account").await.assert_status(200);
    let ada = app.visitor();
    ada.post(&link, &twice("four kites in the rain")).await.assert_status(303);
    elsewhere.get("/me/account").await.assert_status(303);
    ada.get("/me/account").await.assert_status(200);
}

#[tokio::test]
async fn the_first_link_makes_the_first_administrator() {
    let app = TestApp::new().await;
    let link =
        identity::first_run_link(&app.state).await.expect("a query").expect("there is no administrator");
    let path = link.strip_prefix(&app.state.config.base_url).expect("our own address");
    let first = app.visitor();
    assert_eq!(first.get(path).await.assert_status(200).select("h1"), ["Set up Daylight"]);
    let fields = [("name", ""), ("email", "root@example.com"), ("password", PASSWORD), ("again", PASSWORD)];
    first.post(path, &fields).await.assert_status(422);
    let fields =
        [("name", "Root"), ("email", "root@example.com"), ("password", PASSWORD), ("again", PASSWORD)];
    first.post(path, &fields).await.assert_status(303);
    assert_eq!(first.get("/people").await.assert_status(200).select("tbody th"), ["Root"]);
    first.post(path, &fields).await.assert_status(410);
    assert_eq!(identity::first_run_link(&app.state).await.expect("a query"), None);
}

#[tokio::test]
async fn older_first_links_make_no_second_administrator() {
    let app = TestApp::new().await;
    let mut paths = Vec::new();
    for _ in 0..2 {
        let link = identity::first_run_link(&app.state).await.expect("a query").expect("a link");
        paths.push(link.strip_prefix(&app.state.config.base_url).expect("our own address").to_owned());
    }
    // As a server of before left them: every link open.
    sqlx::query("update one_time_link set used_at = null").execute(&app.state.db).await.expect("an update");
    let set_up = async |path: &str, email: &str| {
        let fields = [("name", "Root"), ("email", email), ("password", PASSWORD), ("again", PASSWORD)];
        app.visitor().post(path, &fields).await.status
    };
    let (one, two) = tokio::join!(set_up(&paths[0], "one@example.com"), set_up(&paths[1], "two@example.com"));
    assert_eq!((one.min(two), one.max(two)), (303, 410));
    assert_eq!(app.count("person_role where role = 'administrator'").await, 1);
    assert_eq!(app.count("one_time_link where used_at is null").await, 0);
}

#[tokio::test]
async fn an_administrator_made_meanwhile_ends_the_first_link() {
    let app = TestApp::new().await;
    let link = identity::first_run_link(&app.state).await.expect("a query").expect("a link");
    let path = link.strip_prefix(&app.state.config.base_url).expect("our own address");
    app.person("root@example.com", &[Role::Administrator]).await;
    let fields = [("name", "Eve"), ("email", "eve@example.com"), ("password", PASSWORD), ("again", PASSWORD)];
    app.visitor().post(path, &fields).await.assert_status(410);
    assert_eq!(app.count("person where email = 'eve@example.com'").await, 0);
}

#[tokio::test]
async fn a_new_first_link_ends_the_one_before() {
    let app = TestApp::new().await;
    let mut links = Vec::new();
    for _ in 0..2 {
        let link = identity::first_run_link(&app.state).await.expect("a query").expect("a link");
        links.push(link.strip_prefix(&app.state.config.base_url).expect("our own address").to_owned());
    }
    app.visitor().get(&links[0]).await.assert_status(410);
    app.visitor().get(&links[1]).await.assert_status(200);
}

#[tokio::test]
async fn a_link_in_an_old_mailbox_ends_with_a_new_invitation_or_address() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let fields = |email| [("name", "Ada"), ("email", email), ("jurisdiction", "EU"), ("roles", "worker")];
    let reply = admin.post("/people", &fields("typo@example.com")).await.assert_status(303);
    let path = reply.location().trim_end_matches("?done=invited").to_owned();
    let first = app.link_to("typo@example.com").await;
    app.state.clock.advance(60);
    admin.post(&format!("{path}/invite"), &[]).await.assert_status(303);
    let second = app.link_to("typo@example.com").await;
    app.visitor().get(&first).await.assert_status(410);
    app.visitor().get(&second).await.assert_status(200);

    app.state.clock.advance(60);
    admin.post(&path, &fields(ADA)).await.assert_status(303);
    app.visitor().post(&second, &twice(PASSWORD)).await.assert_status(410);
    let told = app.mail_to("typo@example.com").await;
    assert!(told.contains("was changed") && !told.contains(ADA), "{told}");
    let log = app.sign_in_as(path.trim_start_matches("/people/").parse().expect("an id")).await;
    let log = log.get("/me/access-log").await.assert_status(200).select("tbody th");
    assert_eq!(log.iter().filter(|words| *words == "Your e-mail address was changed").count(), 1);

    // What leaves the address as it is leaves the links as well.
    admin.post(&format!("{path}/invite"), &[]).await.assert_status(303);
    let third = app.link_to(ADA).await;
    admin.post(&path, &fields(ADA)).await.assert_status(303);
    app.visitor().get(&third).await.assert_status(200);
}

#[tokio::test]
async fn an_address_that_the_roll_changes_ends_links_as_well() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let import = async |file: &str| {
        let reply = admin.upload("/people/import", "file", "r.csv", file.as_bytes()).await;
        let path = reply.assert_status(303).location().to_owned();
        admin.post(&format!("{path}/apply"), &[]).await.assert_status(303);
    };
    import("email,name,employee_number\nold@example.com,Ada,1001\n").await;
    let link = app.link_to("old@example.com").await;
    app.state.clock.advance(60);
    import("email,name,employee_number\nada@example.com,Ada,1001\n").await;
    app.visitor().get(&link).await.assert_status(410);
    assert!(app.mail_to("old@example.com").await.contains("was changed"));
    assert_eq!(app.count("audit_entry where action = 'email.changed' and reason is not null").await, 1);
}
