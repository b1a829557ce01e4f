//! The agent between two servers that are played: what it says of time off, and what it does when it is
//! refused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::{get, post};
use daylight::clock::{Clock, Random};
use daylight::collection::report::ParsedReport;
use daylight::gateways::activitywatch::{self, AgentOptions};
use serde_json::{Value, json};

use crate::support::activitywatch::{Folder, within};

/// Both servers in one, played: what ActivityWatch holds, and what Daylight answers to each report.
#[derive(Clone, Default)]
struct Played {
    /// Start and end of the events of one window watcher.
    events: Arc<Mutex<Vec<(&'static str, i64)>>>,
    answers: Arc<Mutex<Vec<u16>>>,
    away: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<ParsedReport>>>,
}

impl Played {
    async fn serve(&self) -> String {
        let (events, agent) = (self.clone(), self.clone());
        let ids = r#"{"agent_id":"0192f3a0-0000-7000-8000-000000000002","device_id":"0192f3a0-0000-7000-8000-000000000004","kid":"k","token":"t"}"#;
        let router = Router::new()
            .route("/api/0/info", get(|| async { r#"{"version":"v0.13.1 (rust)"}"# }))
            .route("/api/0/buckets/", get(|| async { r#"{"a/b c":{"type":"currentwindow"}}"# }))
            .route("/api/0/buckets/a%2Fb%20c/events", get(async move || events.held()))
            .route("/api/v1/agents", post(async move || (StatusCode::CREATED, ids)))
            .route("/api/v1/collection-reports", post(async move |body: Bytes| agent.answer(&body)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn held(&self) -> (StatusCode, String) {
        if self.away.load(Ordering::Relaxed) {
            return (StatusCode::BAD_GATEWAY, String::new());
        }
        let events = self.events.lock().expect("held for a copy only");
        let json = events.iter().map(|(at, seconds)| {
            json!({"timestamp": format!("2026-11-02T{at}+00:00"), "duration": seconds, "data": {"app": "Mail"}})
        });
        (StatusCode::OK, Value::from_iter(json).to_string())
    }

    fn answer(&self, body: &[u8]) -> StatusCode {
        let status = self.answers.lock().expect("held for a copy only").pop().unwrap_or(201);
        if status == 201 {
            let parsed = ParsedReport::read(body).expect("a report as the API wants it");
            self.taken.lock().expect("held for a copy only").push(parsed);
        }
        StatusCode::from_u16(status).expect("a status")
    }

    /// Windows of what was taken, in minutes after midnight, and the records in each.
    fn windows(&self) -> Vec<(i64, i64, u32)> {
        let taken = self.taken.lock().expect("held for a copy only");
        let minute = |time: daylight::clock::Time| time.jiff().as_second().rem_euclid(86_400) / 60;
        let row = |p: &ParsedReport| {
            let (window, items) = (p.report.window, &p.report.items);
            (minute(window.start), minute(window.end), items.iter().map(|i| i.collected.count).sum())
        };
        taken.iter().map(row).collect()
    }
}

fn options(played: &str, folder: &Folder, seconds: u64, once: bool) -> AgentOptions {
    AgentOptions {
        server: played.into(),
        activitywatch: played.into(),
        state_dir: folder.0.join("agent"),
        interval: Duration::from_secs(seconds),
        secret: Some("any".into()),
        once,
        watchers: Vec::new(),
    }
}

async fn once(played: &str, folder: &Folder, clock: &Clock) -> Result<(), String> {
    let options = options(played, folder, 300, true);
    let agent = activitywatch::run(options, clock.clone(), Random::system(), std::future::pending());
    within(60, "the agent's run", agent).await.map_err(|error| format!("{error:#}"))
}

fn nine() -> Clock {
    Clock::fixed("2026-11-02T09:00:10Z".parse::<jiff::Timestamp>().expect("a time").into())
}

#[tokio::test]
async fn after_time_off_only_what_watchers_lived_through_is_reported() {
    let (played, folder, clock) = (Played::default(), Folder::new(), nine());
    let address = played.serve().await;
    *played.events.lock().expect("free") = vec![("08:50:00", 600)];
    once(&address, &folder, &clock).await.expect("the first report");
    // A new agent looks back for one interval.
    assert_eq!(played.windows(), [(535, 540, 1)]);

    // The machine is off from 10:00 to 22:30, and the agent starts again at 23:00.
    clock.advance(14 * 3600);
    *played.events.lock().expect("free") = vec![("08:50:00", 4_200), ("22:30:00", 1_800)];
    once(&address, &folder, &clock).await.expect("the rest");
    let late = played.windows()[1..].to_vec();
    let (day, evening) = late.split_at(11);
    let reach = |windows: &[(i64, i64, u32)]| (windows[0].0, windows[windows.len() - 1].1);
    assert_eq!((reach(day), reach(evening)), ((540, 604), (1_350, 1_380)));
    // In pieces as short as if it had run all the time: one late item can't hide an earlier one.
    assert!(late.iter().all(|(start, end, count)| end - start <= 6 && *count == 1), "{late:?}");
    let taken = played.taken.lock().expect("free");
    let seqs: Vec<u64> = taken.iter().map(|p| p.report.seq).collect();
    assert_eq!(seqs[..4], [0, 0, 1, 2], "each start begins a chain");
    assert_eq!(taken[2].report.prev_hash, Some(taken[1].hash));
    assert_eq!(taken[2].report.items[0].source.as_str(), "activitywatch/v0.13.1rust");
}

#[tokio::test]
async fn a_busy_server_is_asked_again_a_refused_report_dropped_and_a_revoked_agent_stops() {
    let (played, folder, clock) = (Played::default(), Folder::new(), nine());
    let address = played.serve().await;
    *played.events.lock().expect("free") = vec![("08:50:00", 7_200)];
    let answer =
        |statuses: &[u16]| *played.answers.lock().expect("free") = statuses.iter().rev().copied().collect();

    answer(&[429]);
    let error = once(&address, &folder, &clock).await.expect_err("busy");
    assert!(error.contains("1 wait"), "{error}");
    clock.advance(300);
    answer(&[409, 201]);
    once(&address, &folder, &clock).await.expect("the one that waited is dropped, the new one taken");
    assert_eq!(played.windows(), [(540, 545, 1)]);
    clock.advance(300);
    answer(&[401]);
    let error = once(&address, &folder, &clock).await.expect_err("revoked");
    assert!(error.contains("no longer knows this agent"), "{error}");
    // Kept, should the server have been wrong.
    once(&address, &folder, &clock).await.expect("welcome again");
    assert_eq!(played.windows().len(), 2);

    // Somebody else's server gets nothing from this agent.
    let error = once("http://localhost:1", &folder, &clock).await.expect_err("another server");
    assert!(error.contains("another --state folder"), "{error}");
}

#[tokio::test]
async fn a_running_agent_says_that_it_is_there_and_later_what_it_could_not_read() {
    let (played, folder, clock) = (Played::default(), Folder::new(), nine());
    let address = played.serve().await;
    let options = options(&address, &folder, 5, false);
    let agent = activitywatch::run(options, clock.clone(), Random::system(), std::future::pending());
    let agent = tokio::spawn(agent);
    let taken = async |count: usize| {
        let enough = async {
            while played.taken.lock().expect("free").len() < count {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        within(40, "reports are taken", enough).await;
    };
    // Nothing was watched while the agent started; from then on it was there, and no watcher was.
    tokio::time::sleep(Duration::from_secs(1)).await;
    clock.advance(70);
    played.answers.lock().expect("free").push(503);
    taken(1).await;
    // ActivityWatch is away, and delivers later what its watchers kept meanwhile.
    played.away.store(true, Ordering::Relaxed);
    clock.advance(60);
    taken(2).await;
    *played.events.lock().expect("free") = vec![("09:01:20", 100)];
    played.away.store(false, Ordering::Relaxed);
    clock.advance(60);
    taken(3).await;
    agent.abort();
    let windows = played.windows();
    assert_eq!(windows[..3], [(540, 541, 0), (541, 542, 0), (541, 542, 1)], "{windows:?}");
    let seqs: Vec<u64> = played.taken.lock().expect("free").iter().map(|p| p.report.seq).collect();
    assert_eq!(seqs[..3], [0, 1, 2]);
}
