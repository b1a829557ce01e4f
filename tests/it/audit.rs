//! The access log: what others did about me.

use daylight::web::Role;

use crate::support::TestApp;

#[tokio::test]
async fn people_see_what_was_done_about_them_and_in_which_role() {
    let app = TestApp::new().await;
    let worker = app.actor(Role::Worker).await;
    let page = worker.get("/me/access-log").await.assert_status(200);
    assert_eq!(page.select(".empty__title"), ["Nobody has opened anything about you yet"]);

    let admin = app.actor(Role::Administrator).await;
    app.state.clock.advance(60);
    admin.get("/people").await.assert_status(200);
    app.state.clock.advance(60);
    admin.get(&format!("/people/{}", worker.id())).await.assert_status(200);
    let page = worker.get("/me/access-log").await.assert_status(200);
    assert_eq!(page.select("tbody th"), ["Your account page was opened", "The list of people was opened"]);
    assert_eq!(page.select("tbody td[data-label='By']"), ["Administrator", "Administrator"]);
    assert_eq!(page.select("tbody td[data-label='Whom it concerns']"), ["You", "Everybody"]);
    assert_eq!(page.attributes("tbody time", "datetime"), ["2026-11-02T09:02:00Z", "2026-11-02T09:01:00Z"]);

    // What one did oneself isn't news, and what was before one's account doesn't concern one.
    let page = admin.get("/me/access-log").await.assert_status(200);
    assert!(page.select("tbody th").is_empty());
    app.state.clock.advance(60);
    let newcomer = app.actor(Role::Worker).await;
    assert!(newcomer.get("/me/access-log").await.assert_status(200).select("tbody th").is_empty());
}

#[tokio::test]
async fn an_import_stands_in_the_log_of_those_it_changed() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let ada = app.person("ada@example.com", &[Role::Worker]).await;
    let reply = admin.upload("/people/import", "file", "r.csv", b"email,name\nada@example.com,Ada O\n").await;
    let path = reply.assert_status(303).location().to_owned();
    admin.post(&format!("{path}/apply"), &[]).await.assert_status(303);
    let page = app.sign_in_as(ada).await.get("/me/access-log").await.assert_status(200);
    let mut done = page.select("tbody th");
    done.sort();
    assert_eq!(done, ["The roll was imported", "Your account was changed"]);
    assert!(page.select("td[data-label='Why']").contains(&"Import of the roll".into()));
}

#[tokio::test]
async fn the_log_is_paged() {
    let app = TestApp::new().await;
    let worker = app.actor(Role::Worker).await;
    let admin = app.actor(Role::Administrator).await;
    for _ in 0..51 {
        app.state.clock.advance(1);
        admin.get(&format!("/people/{}", worker.id())).await.assert_status(200);
    }
    let page = worker.get("/me/access-log").await.assert_status(200);
    assert_eq!(page.select("tbody tr").len(), 50);
    let next = page.attributes("a[rel=next]", "href").remove(0);
    assert_eq!(worker.get(&next).await.assert_status(200).select("tbody tr").len(), 1);
}

#[tokio::test]
async fn the_log_can_only_grow() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    admin.get("/people").await.assert_status(200);
    for sql in ["update audit_entry set action = 'x'", "delete from audit_entry"] {
        let refused = sqlx::query(sql).execute(&app.state.db).await.expect_err("append-only");
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}
