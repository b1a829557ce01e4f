//! The agent against a real ActivityWatch server, fed by ActivityWatch's own client; and a real Daylight
//! server over TCP. What matters: everything is counted, and no text that a watcher recorded is found
//! anywhere afterwards: in no table, in no file of the agent, in no line of the log.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use daylight::app::{self, AppState};
use daylight::clock::{Clock, Random};
use daylight::collection::create_enrolment;
use daylight::gateways::activitywatch::{self, AgentOptions};
use daylight::web::Role;
use tokio::task::JoinHandle;

use crate::support::activitywatch::{ActivityWatch, Folder, environment, within};
use crate::support::{TestApp, content, logs};

/// No letter of it is changed by JSON, SQL or an address.
const MARKER: &str = "zq7secretzq7";

#[tokio::test]
async fn a_real_activitywatch_is_counted_and_its_content_is_found_nowhere() {
    // This test's runtime has one thread, so the server's lines are caught as well as the agent's.
    logs::capture();
    let folder = Folder::new();
    let venv = tokio::task::spawn_blocking(environment).await.expect("the virtual environment");
    let watch = ActivityWatch::start(&venv, &folder.0).await;
    watch.feed(&venv, &folder.0, MARKER).await;

    let test = TestApp::new().await;
    // Events happen now, so this server's clock must be the real one.
    let config = test.state.config.as_ref().clone();
    let state = AppState::new(config, test.state.db.clone(), Clock::system(), Random::system());
    let (address, server) = serve(&state, "127.0.0.1:0").await;
    let secret = create_enrolment(&state, None, "Laptop 1").await.expect("a secret");
    let person = test.person("ana@example.com", &[Role::Worker]).await;
    assign(&state, person).await;

    let options = |secret: Option<&str>, once: bool| AgentOptions {
        server: format!("http://{address}"),
        activitywatch: format!("http://127.0.0.1:{}", watch.port),
        state_dir: folder.0.join("agent"),
        interval: Duration::from_secs(300),
        secret: secret.map(str::to_owned),
        once,
        watchers: Vec::new(),
    };
    let refusal = run(options(None, true)).await.expect_err("not enrolled");
    assert!(refusal.contains("--secret"), "{refusal}");
    let refusal = run(options(Some("no-such-secret"), true)).await.expect_err("a wrong secret");
    assert!(
        refusal.contains("unknown, used already, or out of date") && !refusal.contains('\n'),
        "{refusal}"
    );
    run(options(Some(&secret), true)).await.expect("the first report is taken");

    let counted = counts(&state).await;
    let at_least = [
        ("app.usage metadata", 2),
        ("code.activity metadata", 1),
        ("file.activity metadata", 1),
        ("input.key_counts count", 2),
        ("input.pointer count", 1),
        ("presence metadata", 1),
        ("unknown content", 1),
        ("web.urls content", 1),
        // Two windows, a tab, and the bucket that says it is about presence.
        ("window.titles content", 4),
    ];
    for (category, count) in at_least {
        assert!(counted.get(category).is_some_and(|n| *n >= count), "{category} in {counted:?}");
    }
    assert_eq!(counted.len(), at_least.len(), "{counted:?}");
    assert!(test.count("collection_daily").await >= 9, "the figures are the person's");

    // Enrolled already: no secret needed. The server is away: reports wait, and go out when it returns.
    let before = test.count("collection_report").await;
    server.abort();
    let _ = server.await;
    let refusal = run(options(None, true)).await.expect_err("the server is away");
    assert!(refusal.contains("took no reports"), "{refusal}");
    assert_eq!(test.count("collection_report").await, before);
    let (_, server) = serve(&state, &address.to_string()).await;
    run(options(None, true)).await.expect("what waited is taken");
    assert!(test.count("collection_report").await > before);
    assert_eq!(test.count("finding where kind in ('EQUIVOCATION', 'CLOCK_SKEW')").await, 0);

    // The loop itself, until it is told to end; ActivityWatch is gone by then.
    let port = watch.port;
    drop(watch);
    let shutdown = tokio::time::sleep(Duration::from_millis(300));
    let looping =
        activitywatch::run(options_at(port, address, &folder), Clock::system(), Random::system(), shutdown);
    within(20, "the agent ends when told to", looping).await.expect("it ends without an error");
    server.abort();

    let dump = content::rows(&state).await;
    assert!(dump.contains("window.titles"), "the dump holds the reports");
    content::assert_absent(MARKER, dump.as_bytes(), "the database");
    let mut files = 0;
    for entry in fs::read_dir(folder.0.join("agent")).expect("the agent's folder") {
        let path = entry.expect("an entry").path();
        let mode = fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        content::assert_absent(MARKER, &fs::read(&path).expect("a file"), "the agent's folder");
        files += 1;
    }
    assert!(files >= 1);
    let log = logs::captured();
    assert!(log.contains("report made"), "the log was caught");
    content::assert_absent(MARKER, log.as_bytes(), "the log");
}

fn options_at(port: u16, address: SocketAddr, folder: &Folder) -> AgentOptions {
    AgentOptions {
        server: format!("http://{address}"),
        activitywatch: format!("http://127.0.0.1:{port}"),
        state_dir: folder.0.join("agent"),
        interval: Duration::from_secs(5),
        secret: None,
        once: false,
        watchers: Vec::new(),
    }
}

async fn run(options: AgentOptions) -> Result<(), String> {
    let agent = activitywatch::run(options, Clock::system(), Random::system(), std::future::pending());
    within(60, "the agent's run", agent).await.map_err(|error| format!("{error:#}"))
}

async fn serve(state: &AppState, address: &str) -> (SocketAddr, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind(address).await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let service = app::router(state.clone()).into_make_service_with_connect_info::<SocketAddr>();
    (address, tokio::spawn(async move { axum::serve(listener, service).await.expect("the server runs") }))
}

async fn assign(state: &AppState, person: uuid::Uuid) {
    sqlx::query(
        "insert into device_assignment (id, device_id, person_id, period)
         select gen_random_uuid(), id, $1, tstzrange(now() - interval '1 day', null) from device",
    )
    .bind(person)
    .execute(&state.db)
    .await
    .expect("the device is assigned");
}

/// Records by category and granularity, over all reports as they were stored.
async fn counts(state: &AppState) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select (item->>'category') || ' ' || (item->>'granularity'), sum((item->'collected'->>'count')::bigint)::bigint
         from collection_report, jsonb_array_elements(items) item group by 1",
    )
    .fetch_all(&state.db)
    .await
    .expect("stored reports");
    rows.into_iter().collect()
}
