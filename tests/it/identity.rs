//! Signing in, accounts and the roll.

use daylight::web::Role;

use crate::support::TestApp;

#[tokio::test]
async fn a_visitor_is_sent_to_the_sign_in_page_and_somebody_signed_in_is_not() {
    let app = TestApp::new().await;
    let visitor = app.visitor();
    let reply = visitor.get("/").await.assert_status(303);
    assert_eq!(reply.location(), "/sign-in");
    assert_eq!(visitor.get("/sign-in").await.assert_status(200).select("h1"), ["Sign in"]);
    let worker = app.actor(Role::Worker).await;
    assert_eq!(worker.get("/").await.assert_status(303).location(), "/me/collection");
    assert_eq!(worker.get("/sign-in").await.assert_status(303).location(), "/");
}
