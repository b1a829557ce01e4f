//! The program killed while it publishes: what is there afterwards is whole.

use std::env;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use daylight::ledger::proof::verify::{Against, verify_export};
use daylight::notices::State;
use daylight::web::Role;
use sha2::{Digest, Sha256};
use sqlx::ConnectOptions;
use uuid::Uuid;

use crate::support::{TestApp, notice};

/// Killed with the test, also with one that fails.
struct Server(Child, SocketAddr);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// The program on the test's database and data folder.
    async fn start(app: &TestApp) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
        let url = app.state.db.connect_options().to_url_lossy();
        let child = Command::new(env!("CARGO_BIN_EXE_daylight"))
            .arg("serve")
            .env_clear()
            .env("DATABASE_URL", url.as_str())
            .env("DATABASE_POOL_SIZE", "4")
            .env("DATA_DIR", &app.state.config.data_dir)
            .env("LISTEN", address.to_string())
            .env("LOG_LEVEL", "error")
            .env("LOG_ORIGIN", &app.state.config.log_origin)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("it runs");
        let server = Server(child, address);
        let deadline = Instant::now() + Duration::from_secs(30);
        while !reqwest::get(format!("http://{address}/readyz")).await.is_ok_and(|r| r.status().is_success()) {
            assert!(Instant::now() < deadline, "the program starts");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server
    }
}

/// A session of the real clock, which the program keeps.
async fn session(app: &TestApp, person: Uuid) -> String {
    let token = app.state.random.token();
    sqlx::query(
        "insert into session (id, token_hash, person_id, created_at, last_seen_at, expires_at, browser)
         values ($1, $2, $3, now(), now(), now() + interval '1 day', 'Firefox on Linux')",
    )
    .bind(Uuid::from_u128(7))
    .bind(Sha256::digest(token.as_bytes()).to_vec())
    .bind(person)
    .execute(&app.state.db)
    .await
    .expect("the session is valid");
    format!("daylight={token}")
}

async fn settled(app: &TestApp) -> bool {
    let waiting = app.count("ledger_entry where position is null").await;
    let signed =
        app.count("ledger_checkpoint c join ledger_log l on l.origin = c.origin and l.size = c.size").await;
    waiting == 0 && signed == 1
}

#[tokio::test]
async fn killed_at_any_moment_a_publication_is_whole_or_not_there() {
    let app = TestApp::new().await;
    let publisher = app.person("hr@example.com", &[Role::Publisher]).await;
    let cookie = session(&app, publisher).await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let mut versions = Vec::new();
    for round in 0..16u64 {
        let mut version = notice::version(&app, publisher);
        (version.state, version.publish_at, version.effective_at) = (State::Approved, None, None);
        version.processings.clear();
        version.field_table = Some(Vec::new());
        version.published_at = None;
        notice::write(&app, &version).await;
        versions.push(version.id);
        let mut server = Server::start(&app).await;
        let url = format!("http://{}/publishing/versions/{}/publish", server.1, version.id);
        let request = client
            .post(url)
            .header("cookie", &cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body("revision=1&time_zone=UTC&now_confirm=yes");
        let answer = tokio::spawn(request.send());
        // Later and later, until the last is answered.
        tokio::time::sleep(Duration::from_millis(round * round / 3)).await;
        if round == 15 {
            assert_eq!(answer.await.expect("no panic").expect("an answer").status().as_u16(), 303);
        }
        server.0.kill().expect("it runs");
        server.0.wait().expect("it ends");
    }

    let _server = Server::start(&app).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !settled(&app).await {
        assert!(Instant::now() < deadline, "what waited gets its place at the next start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let published = app.count("notice_version where state = 'published'").await;
    let whole = app
        .count(
            "notice_version v join ledger_entry e on e.id = v.ledger_entry
             where v.state = 'published' and e.position is not null and v.published_at is not null",
        )
        .await;
    let untouched = app
        .count("notice_version where state = 'approved' and ledger_entry is null and published_at is null")
        .await;
    assert!(published >= 1, "the last one was answered");
    assert_eq!(whole, published);
    assert_eq!(untouched, versions.len() as i64 - published);
    // One leaf each, and the key's.
    assert_eq!(app.count("ledger_entry").await, published + 1);
    for id in versions {
        let state: String = sqlx::query_scalar("select state from notice_version where id = $1")
            .bind(id)
            .fetch_one(&app.state.db)
            .await
            .expect("the version");
        let notice: Uuid = sqlx::query_scalar("select notice_id from notice_version where id = $1")
            .bind(id)
            .fetch_one(&app.state.db)
            .await
            .expect("the version");
        let status = if state == "published" { 200 } else { 404 };
        app.visitor().get(&format!("/board/{notice}")).await.assert_status(status);
    }
    let export = app.visitor().get("/log/export").await.assert_status(200).body;
    let report = verify_export(export.as_bytes(), &Against::default()).expect("it can be read");
    assert!(!report.is_violated(), "{report}");
}
