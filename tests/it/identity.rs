//! Signing in and out, sessions, one's own account.

use axum::body::Body;
use axum::http::Request;
use daylight::web::Role;
use futures_util::future::join_all;

use crate::support::{Actor, PASSWORD, Reply, TestApp};

const ADA: &str = "ada@example.com";

async fn sign_in(actor: &Actor, email: &str, password: &str) -> Reply {
    actor.post("/sign-in", &[("email", email), ("password", password), ("next", "/me/account")]).await
}

/// Signed in is who gets their account page.
async fn assert_signed_out(actor: &Actor) {
    let reply = actor.get("/me/account").await.assert_status(303);
    assert_eq!(reply.location(), "/sign-in?next=/me/account");
}

#[tokio::test]
async fn a_visitor_is_sent_to_the_sign_in_page_and_somebody_signed_in_is_not() {
    let app = TestApp::new().await;
    let visitor = app.visitor();
    assert_eq!(visitor.get("/").await.assert_status(303).location(), "/sign-in");
    assert_eq!(visitor.get("/sign-in").await.assert_status(200).select("h1"), ["Sign in"]);
    let worker = app.actor(Role::Worker).await;
    assert_eq!(worker.get("/").await.assert_status(303).location(), "/me/collection");
    assert_eq!(worker.get("/sign-in").await.assert_status(303).location(), "/");
    let reply = visitor.get("/me/access-log?page=2").await.assert_status(303);
    assert_eq!(reply.location(), "/sign-in?next=/me/access-log%3Fpage%3D2");
}

#[tokio::test]
async fn signing_in_leads_to_no_other_site() {
    let app = TestApp::new().await;
    let worker = app.actor(Role::Worker).await;
    for next in ["%2F%09%2Fevil.example", "%2F%0B%2Fevil.example", "%2F%5Cevil.example", "%2F%2Fevil.example"]
    {
        let reply = worker.get(&format!("/sign-in?next={next}")).await.assert_status(303);
        assert_eq!(reply.location(), "/", "{next}");
    }
}

#[tokio::test]
async fn signing_in_and_out() {
    let app = TestApp::new().await;
    app.person_with_password(ADA, &[Role::Worker]).await;
    let ada = app.visitor();
    let reply = sign_in(&ada, " Ada@Example.com ", PASSWORD).await.assert_status(303);
    assert_eq!(reply.location(), "/me/account");
    let cookie = reply.header("set-cookie");
    assert!(cookie.starts_with("daylight="), "{cookie}");
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(flag), "{flag} in {cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains("Domain"), "{cookie}");
    let page = ada.get("/me/account").await.assert_status(200);
    assert_eq!(page.select("h1"), ["Your account"]);
    assert!(page.select("dd").contains(&"Ada".into()));

    let reply = ada.post("/sign-out", &[]).await.assert_status(303);
    assert_eq!(reply.location(), "/sign-in?done=signed-out");
    assert_eq!(app.count("session").await, 0);
    assert_signed_out(&ada).await;
}

#[tokio::test]
async fn behind_https_the_cookie_is_secure_and_tied_to_the_host() {
    let app = TestApp::with(|config| config.base_url = "https://daylight.example".into()).await;
    app.person_with_password(ADA, &[Role::Worker]).await;
    let ada = app.visitor();
    let reply = sign_in(&ada, ADA, PASSWORD).await.assert_status(303);
    let cookie = reply.header("set-cookie");
    assert!(cookie.starts_with("__Host-daylight="), "{cookie}");
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/", "Secure"] {
        assert!(cookie.contains(flag), "{flag} in {cookie}");
    }
    ada.get("/me/account").await.assert_status(200);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_look_the_same() {
    let app = TestApp::new().await;
    app.person_with_password(ADA, &[Role::Worker]).await;
    // Has an account, and no password yet.
    app.person("bob@example.com", &[Role::Worker]).await;
    let gone = app.person_with_password("cyd@example.com", &[Role::Worker]).await;
    let admin = app.actor(Role::Administrator).await;
    admin.post(&format!("/people/{gone}/deactivate"), &[]).await.assert_status(303);

    let mut pages = Vec::new();
    for (email, password) in [
        (ADA, "three boats at night"),
        ("nobody@example.com", "three boats at night"),
        ("bob@example.com", ""),
        ("bob@example.com", "three boats at night"),
        ("cyd@example.com", PASSWORD),
    ] {
        let reply = sign_in(&app.visitor(), email, password).await.assert_status(422);
        assert_eq!(reply.header("set-cookie"), "");
        let nonce = reply.attributes("script", "nonce").pop().expect("a script");
        if !password.is_empty() {
            pages.push(reply.body.replace(email, "EMAIL").replace(&nonce, "NONCE"));
        }
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "the pages differ");
    assert!(pages[0].contains("The e-mail address and the password don&#39;t go together."));
}

#[tokio::test]
async fn guessing_is_slowed_down_for_known_and_unknown_accounts() {
    let app = TestApp::new().await;
    app.person_with_password(ADA, &[Role::Worker]).await;
    for email in [ADA, "nobody@example.com"] {
        for _ in 0..10 {
            sign_in(&app.visitor(), email, "a wrong guess").await.assert_status(422);
        }
        let refused = sign_in(&app.visitor(), email, PASSWORD).await.assert_status(429);
        assert_eq!(refused.select("h1"), ["Sign in"]);
    }
    app.state.clock.advance(15 * 60 + 1);
    sign_in(&app.visitor(), ADA, PASSWORD).await.assert_status(303);
    assert_eq!(app.count("sign_in_failure where at > '2026-11-02T09:10Z'").await, 0);
}

#[tokio::test]
async fn guessing_at_the_same_moment_is_slowed_down_as_well() {
    let app = TestApp::new().await;
    let ada = app.person_with_password(ADA, &[Role::Worker]).await;
    let judged = |replies: Vec<Reply>| replies.iter().filter(|r| r.status == 422).count();
    let guess = async || sign_in(&app.visitor(), ADA, "a wrong guess").await;
    assert_eq!(judged(join_all((0..80).map(|_| guess())).await), 10);

    app.state.clock.advance(15 * 60 + 1);
    let here = app.sign_in_as(ada).await;
    let new = "four kites in the rain";
    let fields = [("current", "a wrong guess"), ("password", new), ("again", new)];
    let guess = async || here.post("/me/account/password", &fields).await;
    assert_eq!(judged(join_all((0..30).map(|_| guess())).await), 10);
}

#[tokio::test]
async fn a_flood_of_tries_is_told_to_come_back_later() {
    let app = TestApp::new().await;
    app.person_with_password(ADA, &[Role::Worker]).await;
    let emails: Vec<String> = (0..80).map(|n| format!("nobody{n}@example.com")).collect();
    let guess = async |email| sign_in(&app.visitor(), email, "a wrong guess").await;
    let replies = join_all(emails.iter().map(|email| guess(email))).await;
    let (busy, judged): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 503);
    assert_eq!((busy.len(), judged.len()), (46, 34));
    assert!(judged.iter().all(|reply| reply.status == 422));
    assert_eq!(busy[0].header("retry-after"), "5");
    assert!(busy[0].select(".lead")[0].starts_with("Many people are signing in just now."));
    assert_eq!(app.count("sign_in_failure").await, 34, "what isn't judged isn't counted");
    sign_in(&app.visitor(), ADA, PASSWORD).await.assert_status(303);
}

#[tokio::test]
async fn a_session_ends_when_it_lies_idle_and_at_its_last_day() {
    let app = TestApp::new().await;
    let idle = app.actor(Role::Worker).await;
    idle.get("/me/account").await.assert_status(200);
    app.state.clock.advance(12 * 3600 + 1);
    assert_signed_out(&idle).await;

    let busy = app.actor(Role::Worker).await;
    for _ in 0..30 {
        app.state.clock.advance(11 * 3600);
        busy.get("/me/account").await.assert_status(200);
    }
    app.state.clock.advance(6 * 3600);
    assert_signed_out(&busy).await;
}

#[tokio::test]
async fn one_ends_ones_own_sessions_and_nobody_elses() {
    let app = TestApp::new().await;
    let ada = app.person(ADA, &[Role::Worker]).await;
    let (here, there) = (app.sign_in_as(ada).await, app.sign_in_as(ada).await);
    let other = app.actor(Role::Worker).await;

    let page = here.get("/me/account").await.assert_status(200);
    let ends = page.attributes("form[action$='/end']", "action");
    assert_eq!((ends.len(), page.select(".chip")), (2, vec!["this one".to_owned()]));
    for end in &ends {
        other.post(end, &[]).await.assert_status(404);
    }
    let own = page.attributes(".card:has(.chip) form", "action");
    let end_there = ends.iter().find(|end| **end != own[0]).expect("the other session");
    let reply = here.post(end_there, &[]).await.assert_status(303);
    assert_eq!(reply.location(), "/me/account?done=session-ended");
    assert_signed_out(&there).await;
    let page = here.get("/me/account").await.assert_status(200);
    assert_eq!(page.attributes("form[action$='/end']", "action"), own);
    let reply = here.post(&own[0], &[]).await.assert_status(303);
    assert_eq!(reply.location(), "/sign-in?done=signed-out");
    assert_signed_out(&here).await;
}

#[tokio::test]
async fn what_another_site_sends_is_refused() {
    let app = TestApp::new().await;
    let worker = app.actor(Role::Worker).await;
    let kind = "application/x-www-form-urlencoded";
    let cross = [("sec-fetch-site", "cross-site")];
    let refused = worker.post_bytes("/sign-out", kind, &cross, Vec::new()).await.assert_status(403);
    assert!(refused.body.contains("came from another site"));
    let request =
        Request::post("/sign-out").header("origin", "https://evil.example").header("host", "localhost");
    worker.send(request, Body::empty()).await.assert_status(403);
    worker.get("/me/account").await.assert_status(200);
}

#[tokio::test]
async fn changing_the_password_ends_every_other_session() {
    let app = TestApp::new().await;
    let ada = app.person_with_password(ADA, &[Role::Worker]).await;
    let (here, there) = (app.sign_in_as(ada).await, app.sign_in_as(ada).await);
    let change = async |current, new, again| {
        let fields = [("current", current), ("password", new), ("again", again)];
        here.post("/me/account/password", &fields).await
    };
    let new = "four kites in the rain";
    let reply = change("a wrong guess", new, new).await.assert_status(422);
    assert_eq!(reply.select(".error-summary li"), ["That isn't your present password."]);
    change(PASSWORD, "short", "short").await.assert_status(422);
    change(PASSWORD, new, "another one").await.assert_status(422);
    there.get("/me/account").await.assert_status(200);

    change(PASSWORD, new, new).await.assert_status(303);
    here.get("/me/account").await.assert_status(200);
    assert_signed_out(&there).await;
    sign_in(&app.visitor(), ADA, PASSWORD).await.assert_status(422);
    sign_in(&app.visitor(), ADA, new).await.assert_status(303);

    let log = here.get("/me/access-log").await.assert_status(200);
    assert_eq!(log.select("td[data-label='By']"), ["Whoever had your link or your present password"]);
    for _ in 0..10 {
        change("a wrong guess", new, new).await.assert_status(422);
    }
    change(new, PASSWORD, PASSWORD).await.assert_status(429);
}

#[tokio::test]
async fn the_time_zone_is_ones_own() {
    let app = TestApp::new().await;
    let worker = app.actor(Role::Worker).await;
    let page = worker.get("/me/account").await.assert_status(200);
    assert!(page.attributes("datalist option", "value").contains(&"Europe/Berlin".into()));
    worker.post("/me/account/time-zone", &[("time_zone", "Mars/Olympus")]).await.assert_status(422);
    worker.post("/me/account/time-zone", &[("time_zone", "Asia/Tokyo")]).await.assert_status(303);
    let page = worker.get("/me/account").await.assert_status(200);
    assert!(page.body.contains("2 Nov 2026, 18:00"), "nine in the morning in UTC");
    worker.post("/me/account/time-zone", &[("time_zone", "")]).await.assert_status(303);
    assert!(worker.get("/me/account").await.body.contains("2 Nov 2026, 09:00"));
}

#[tokio::test]
async fn every_answer_is_guarded_and_the_nonce_is_the_scripts() {
    let app = TestApp::new().await;
    let visitor = app.visitor();
    let mut nonces = Vec::new();
    for path in ["/sign-in", "/sign-in", "/nowhere"] {
        let reply = visitor.get(path).await;
        let policy = reply.header("content-security-policy").to_owned();
        for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"]
        {
            assert!(policy.contains(part), "{part} in {policy}");
        }
        assert!(!policy.contains("unsafe"));
        let nonce = reply.attributes("script", "nonce").pop().expect("a script with a nonce");
        assert!(policy.contains(&format!("script-src 'nonce-{nonce}'")), "{nonce} in {policy}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("referrer-policy"), "same-origin");
        assert!(reply.attributes("[style]", "style").is_empty());
        nonces.push(nonce);
    }
    nonces.dedup();
    assert_eq!(nonces.len(), 3, "a nonce is used once");
}
