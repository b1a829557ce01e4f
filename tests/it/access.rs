//! Who may use which route: every route there is, as every kind of visitor. A new route needs its row here.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use daylight::app::route_table;
use daylight::web::Role;

use crate::support::{TestApp, logs};

/// Method, path, and who passes the door: `p`ublic, `s`igned in, a program's `t`oken, or roles by their
/// first letter (`w`orker, `h`r publisher, `r`epresentative, `a`dministrator).
const TABLE: &[(&str, &str, &str)] = &[
    ("GET", "/", "p"),
    ("GET", "/about", "p"),
    ("GET", "/agents", "a"),
    ("GET", "/api", "p"),
    ("GET", "/api/v1/categories", "p"),
    ("GET", "/api/v1/decision", "t"),
    ("GET", "/api/v1/me/choices", "w"),
    ("GET", "/api/v1/me/collection", "w"),
    ("GET", "/api/v1/me/report-commitments", "w"),
    ("GET", "/api/v1/me/wallet", "w"),
    ("GET", "/api/v1/openapi.json", "p"),
    ("GET", "/api/v1/petitions/epoch", "p"),
    ("GET", "/api/v1/petitions/issuer", "p"),
    ("GET", "/api/v1/petitions/keys/{petition}/{key}", "p"),
    ("GET", "/api/v1/petitions/leaves/{hash}", "p"),
    ("GET", "/api/v1/petitions/places/{id_key}", "p"),
    ("GET", "/api/v1/policy-key", "p"),
    ("GET", "/api/v1/policy/{agent}", "t"),
    ("GET", "/api/v1/register", "s"),
    ("GET", "/api/v1/representative/petitions", "t"),
    ("GET", "/api/v1/representative/roll", "t"),
    ("GET", "/board/{id}", "p"),
    ("GET", "/canaries", "r"),
    ("GET", "/canaries/searches/{id}", "r"),
    ("GET", "/canaries/{id}", "r"),
    ("GET", "/catalogue", "s"),
    ("GET", "/catalogue/{id}", "s"),
    ("GET", "/categories", "s"),
    ("GET", "/feeds/findings/{token}", "t"),
    ("GET", "/findings", "hr"),
    ("GET", "/findings/feed.atom", "hr"),
    ("GET", "/findings/{group}", "hr"),
    ("GET", "/healthz", "p"),
    ("GET", "/imports", "hr"),
    ("GET", "/imports/{id}", "hr"),
    ("GET", "/link/{token}", "p"),
    ("GET", "/log", "p"),
    ("GET", "/log/checkpoint", "p"),
    ("GET", "/log/checkpoints.atom", "p"),
    ("GET", "/log/entries/{index}", "p"),
    ("GET", "/log/entries/{index}/proof", "p"),
    ("GET", "/log/export", "p"),
    ("GET", "/log/policy.txt", "p"),
    ("GET", "/log/tile/{*path}", "p"),
    ("GET", "/log/verify", "p"),
    ("GET", "/me/access-log", "s"),
    ("GET", "/me/account", "s"),
    ("GET", "/me/choices", "w"),
    ("GET", "/me/choices/export.json", "w"),
    ("GET", "/me/choices/history", "w"),
    ("GET", "/me/choices/receipts/{decision}", "w"),
    ("GET", "/me/choices/several", "w"),
    ("GET", "/me/choices/{processing}", "w"),
    ("GET", "/me/choices/{processing}/object", "w"),
    ("GET", "/me/collection", "w"),
    ("GET", "/me/collection/{category}", "w"),
    ("GET", "/me/collection/{category}/daily.csv", "w"),
    ("GET", "/me/collection/{category}/daily.json", "w"),
    ("GET", "/me/findings", "w"),
    ("GET", "/me/findings/{id}", "w"),
    ("GET", "/me/imports", "w"),
    ("GET", "/notices", "s"),
    ("GET", "/notices.atom", "p"),
    ("GET", "/notices/questions", "hr"),
    ("GET", "/notices/{id}", "s"),
    ("GET", "/notices/{id}/changes", "s"),
    ("GET", "/notices/{id}/reach", "hr"),
    ("GET", "/objections", "hr"),
    ("GET", "/objections/{id}", "hr"),
    ("GET", "/organisation", "hra"),
    ("GET", "/organisation/choices", "hr"),
    ("GET", "/outbox", "a"),
    ("GET", "/password/forgotten", "p"),
    ("GET", "/people", "a"),
    ("GET", "/people/import", "a"),
    ("GET", "/people/import/{id}", "a"),
    ("GET", "/people/new", "a"),
    ("GET", "/people/{id}", "a"),
    ("GET", "/petitions", "s"),
    ("GET", "/petitions/desk", "r"),
    ("GET", "/petitions/representative", "hra"),
    ("GET", "/petitions/rules", "p"),
    ("GET", "/petitions/start", "w"),
    ("GET", "/petitions/start/confidential", "w"),
    ("GET", "/petitions/start/named", "w"),
    ("GET", "/petitions/wallet", "w"),
    ("GET", "/petitions/{id}", "s"),
    ("GET", "/petitions/{id}/answer", "h"),
    ("GET", "/petitions/{id}/changes", "s"),
    ("GET", "/petitions/{id}/check", "r"),
    ("GET", "/petitions/{id}/edit", "w"),
    ("GET", "/petitions/{id}/export.csv", "s"),
    ("GET", "/petitions/{id}/export.json", "s"),
    ("GET", "/petitions/{id}/names", "s"),
    ("GET", "/petitions/{id}/petition.json", "s"),
    ("GET", "/petitions/{id}/print", "s"),
    ("GET", "/petitions/{id}/sign", "w"),
    ("GET", "/publishing", "hr"),
    ("GET", "/publishing/new", "h"),
    ("GET", "/publishing/versions/{id}", "hr"),
    ("GET", "/publishing/versions/{id}/edit", "h"),
    ("GET", "/publishing/versions/{id}/schedule", "h"),
    ("GET", "/publishing/{id}", "hr"),
    ("GET", "/readyz", "p"),
    ("GET", "/register", "s"),
    ("GET", "/register/new", "h"),
    ("GET", "/register/{id}", "s"),
    ("GET", "/register/{id}/edit", "h"),
    ("GET", "/sign-in", "p"),
    ("GET", "/systems", "s"),
    ("POST", "/agents", "a"),
    ("POST", "/agents/{id}/revoke", "a"),
    ("POST", "/api/v1/agents", "t"),
    ("POST", "/api/v1/collection-reports", "t"),
    ("POST", "/api/v1/me/wallet", "w"),
    ("POST", "/api/v1/petitions/actions", "p"),
    ("POST", "/api/v1/petitions/packs", "p"),
    ("POST", "/api/v1/petitions/start", "p"),
    ("POST", "/api/v1/petitions/{id}/author", "p"),
    ("POST", "/api/v1/policy/{agent}/confirmations", "t"),
    ("POST", "/api/v1/presence-reports", "t"),
    ("POST", "/api/v1/representative/actions", "t"),
    ("POST", "/api/v1/representative/issues", "t"),
    ("POST", "/api/v1/representative/roll", "t"),
    ("POST", "/canaries", "r"),
    ("POST", "/canaries/read", "r"),
    ("POST", "/canaries/search", "r"),
    ("POST", "/canaries/{id}/delete", "r"),
    ("POST", "/canaries/{id}/use", "r"),
    ("POST", "/devices/{id}/assign", "a"),
    ("POST", "/devices/{id}/release", "a"),
    ("POST", "/findings/answer", "h"),
    ("POST", "/findings/feed", "hr"),
    ("POST", "/findings/feed/revoke", "hr"),
    ("POST", "/findings/mail", "hr"),
    ("POST", "/imports", "hr"),
    ("POST", "/imports/{id}/confirm", "hr"),
    ("POST", "/imports/{id}/discard", "hr"),
    ("POST", "/link/{token}", "p"),
    ("POST", "/me/account/password", "s"),
    ("POST", "/me/account/time-zone", "s"),
    ("POST", "/me/choices/several", "w"),
    ("POST", "/me/choices/{processing}", "w"),
    ("POST", "/me/choices/{processing}/contest", "w"),
    ("POST", "/me/choices/{processing}/object", "w"),
    ("POST", "/me/devices/{assignment}/agents/{agent}/deny", "w"),
    ("POST", "/me/devices/{assignment}/confirm", "w"),
    ("POST", "/me/devices/{assignment}/deny", "w"),
    ("POST", "/me/findings/mail", "w"),
    ("POST", "/me/sessions/{id}/end", "s"),
    ("POST", "/notices/{id}/acknowledge", "w"),
    ("POST", "/notices/{id}/acknowledgements", "h"),
    ("POST", "/notices/{id}/decline", "w"),
    ("POST", "/notices/{id}/questions", "w"),
    ("POST", "/notices/{id}/remind", "h"),
    ("POST", "/objections/{id}", "h"),
    ("POST", "/outbox/test", "a"),
    ("POST", "/outbox/{id}/show", "a"),
    ("POST", "/password/forgotten", "p"),
    ("POST", "/people", "a"),
    ("POST", "/people/import", "a"),
    ("POST", "/people/import/{id}/apply", "a"),
    ("POST", "/people/{id}", "a"),
    ("POST", "/people/{id}/deactivate", "a"),
    ("POST", "/people/{id}/invite", "a"),
    ("POST", "/people/{id}/reactivate", "a"),
    ("POST", "/petitions/representative", "r"),
    ("POST", "/petitions/start", "w"),
    ("POST", "/petitions/wallet/key", "w"),
    ("POST", "/petitions/{id}/answer", "h"),
    ("POST", "/petitions/{id}/check", "r"),
    ("POST", "/petitions/{id}/delete", "w"),
    ("POST", "/petitions/{id}/edit", "w"),
    ("POST", "/petitions/{id}/follow", "s"),
    ("POST", "/petitions/{id}/give-up", "w"),
    ("POST", "/petitions/{id}/unfollow", "s"),
    ("POST", "/petitions/{id}/updates", "wr"),
    ("POST", "/publishing", "h"),
    ("POST", "/publishing/versions/{id}", "h"),
    ("POST", "/publishing/versions/{id}/answer", "r"),
    ("POST", "/publishing/versions/{id}/approve", "h"),
    ("POST", "/publishing/versions/{id}/autosave", "h"),
    ("POST", "/publishing/versions/{id}/delete", "h"),
    ("POST", "/publishing/versions/{id}/discard", "h"),
    ("POST", "/publishing/versions/{id}/preview", "h"),
    ("POST", "/publishing/versions/{id}/publish", "h"),
    ("POST", "/publishing/versions/{id}/retract", "h"),
    ("POST", "/publishing/versions/{id}/return", "h"),
    ("POST", "/publishing/versions/{id}/schedule", "h"),
    ("POST", "/publishing/versions/{id}/submit", "h"),
    ("POST", "/publishing/versions/{id}/unschedule", "h"),
    ("POST", "/publishing/{id}/change", "h"),
    ("POST", "/publishing/{id}/correct", "h"),
    ("POST", "/questions/{id}/answer", "h"),
    ("POST", "/questions/{id}/withdraw", "w"),
    ("POST", "/register", "h"),
    ("POST", "/register/{id}", "h"),
    ("POST", "/register/{id}/activate", "h"),
    ("POST", "/register/{id}/answer", "r"),
    ("POST", "/register/{id}/delete", "h"),
    ("POST", "/register/{id}/end", "h"),
    ("POST", "/register/{id}/pause", "h"),
    ("POST", "/register/{id}/propose", "h"),
    ("POST", "/register/{id}/resume", "h"),
    ("POST", "/sign-in", "p"),
    ("POST", "/sign-out", "p"),
    ("POST", "/systems", "a"),
    ("POST", "/systems/{id}/approve", "hr"),
    ("POST", "/systems/{id}/renew", "a"),
    ("POST", "/systems/{id}/revoke", "a"),
    ("POST", "/systems/{id}/test", "a"),
];

#[test]
fn the_table_is_the_routes_that_exist() {
    let mut routes: Vec<(String, &str)> =
        route_table().iter().map(|r| (r.method.to_string(), r.path)).collect();
    routes.sort();
    let table: Vec<(String, &str)> = TABLE.iter().map(|(m, p, _)| ((*m).to_owned(), *p)).collect();
    assert_eq!(routes, table);
}

#[tokio::test]
async fn every_door_opens_for_those_it_should_and_for_nobody_else() {
    let app = TestApp::new().await;
    let mut actors = BTreeMap::new();
    for (letter, role) in
        [('w', Role::Worker), ('h', Role::Publisher), ('r', Role::Representative), ('a', Role::Administrator)]
    {
        actors.insert(letter, app.actor(role).await);
    }
    let id = uuid::Uuid::nil().to_string();
    for (method, path, who) in TABLE {
        let ids = ["{id}", "{assignment}", "{processing}", "{decision}"];
        let address = ids.iter().fold((*path).to_owned(), |address, name| address.replace(name, &id));
        let address = address.replace("{token}", "nothing").replace("{category}", "audio");
        let visitor = app.visitor();
        let outside =
            if *method == "GET" { visitor.get(&address).await } else { visitor.post(&address, &[]).await };
        let door_is_shut = match outside.status {
            303 => outside.location().starts_with("/sign-in?next="),
            401 => *who != "t",
            _ => false,
        };
        assert_eq!(door_is_shut, !"pt".contains(*who), "{method} {path} from outside: {}", outside.status);
        for (letter, actor) in &actors {
            // Signing out, or ending the session, would shut the doors that come after.
            if *path == "/sign-out" {
                continue;
            }
            let reply =
                if *method == "GET" { actor.get(&address).await } else { actor.post(&address, &[]).await };
            let may = "pst".contains(*who) || who.contains(*letter);
            assert_eq!(reply.status == 403, !may, "{method} {path} as {letter}: {}", reply.status);
            assert!(reply.status < 500, "{method} {path} as {letter}: {}", reply.status);
        }
    }
}

#[tokio::test]
async fn an_error_has_the_face_that_fits_its_reader() {
    let app = TestApp::new().await;
    let visitor = app.visitor();
    let page = visitor.get("/nowhere").await.assert_status(404);
    assert_eq!(page.select("h1"), ["Not Found"]);
    let problem = visitor.get("/api/v1/nowhere").await.assert_status(404);
    assert_eq!(problem.header("content-type"), "application/problem+json");
    assert_eq!(problem.json()["status"], 404);
    assert!(problem.json()["instance"].as_str().is_some_and(|id| problem.header("x-request-id") == id));
    let worker = app.actor(Role::Worker).await;
    assert_eq!(worker.get("/people").await.assert_status(403).select("h1"), ["Forbidden"]);
    assert_eq!(worker.post("/healthz", &[]).await.status, 405);
}

#[tokio::test]
async fn the_api_is_described_as_it_is() {
    let app = TestApp::new().await;
    let document = app.visitor().get("/api/v1/openapi.json").await.assert_status(200).json();
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        described.extend(methods.as_object().unwrap().keys().map(|m| (m.to_uppercase(), path.clone())));
    }
    described.sort();
    let mut routes: Vec<(String, String)> = route_table()
        .iter()
        .filter(|r| r.path.starts_with("/api/") && !r.path.ends_with("openapi.json"))
        .map(|r| (r.method.to_string(), r.path.to_owned()))
        .collect();
    routes.sort();
    assert_eq!(described, routes);
}

#[tokio::test]
async fn a_requests_number_is_ours() {
    logs::capture();
    let app = TestApp::new().await;
    let request = Request::get("/api/v1/nowhere").header("x-request-id", "made-up");
    let reply = app.visitor().send(request, Body::empty()).await.assert_status(404);
    let id = reply.header("x-request-id");
    assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
    assert!(!reply.body.contains("made-up") && reply.body.contains(id), "{}", reply.body);
    assert!(!logs::captured().contains("made-up"));
}

#[tokio::test]
async fn without_a_database_there_is_still_a_page() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    // An error inside is still shown within the viewer's own pages.
    let page = admin.get("/people/nowhere/at-all").await.assert_status(404);
    assert!(page.attributes("nav a", "href").contains(&"/people".into()));
    app.state.db.close().await;
    for path in ["/people", "/sign-in", "/nowhere"] {
        let page = admin.get(path).await.assert_status(503);
        assert_eq!(page.select("h1"), ["Service Unavailable"]);
        assert!(page.select(".lead")[0].starts_with("The database can't be reached."));
        assert_eq!(page.header("retry-after"), "5");
    }
    let problem = admin.get("/api/v1/register").await.assert_status(503);
    assert_eq!(problem.header("content-type"), "application/problem+json");
    admin.get("/healthz").await.assert_status(200);
}

#[tokio::test]
async fn a_mistyped_address_is_one_that_there_isnt() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    for path in ["/people/x", "/people/import/x", "/people/%FF", "/link/%FF"] {
        admin.get(path).await.assert_status(404);
    }
    for path in ["/people/x", "/people/x/invite", "/people/x/deactivate", "/people/import/x/apply"] {
        admin.post(path, &[("name", "x")]).await.assert_status(404);
    }
    admin.post("/me/sessions/x/end", &[]).await.assert_status(404);
    admin.post("/outbox/x/show", &[]).await.assert_status(404);
}
