//! The reading agent and the gateway on one computer: each is the other's check.

use std::time::Duration;

use daylight::clock::Random;
use daylight::collection::{compare_counts, create_enrolment};
use daylight::consent::model::Choice;
use daylight::gateways::activitywatch::{self, AgentOptions};
use serde_json::json;

use crate::gateway_activitywatch::{PROGRAMS, TITLES};
use crate::support::activitywatch::within;
use crate::support::watched::Watched;
use crate::support::wire::post;

/// More than a record for each report of both.
const PER_ROUND: i64 = 40;
const ROUNDS: i64 = 4;

/// Both count while titles are refused and a watcher goes on; `lies` lets something past the gateway.
async fn contradictions(lies: bool) -> (i64, Vec<(String, String, i64, i64)>) {
    let mut desk = Watched::new(&[TITLES, PROGRAMS]).await;
    let options = AgentOptions {
        server: format!("http://{}", desk.server),
        activitywatch: format!("http://{}", desk.upstream()),
        state_dir: desk.folder.0.join("agent"),
        interval: Duration::from_secs(10),
        secret: Some(create_enrolment(&desk.test.state, None, "desk").await.expect("a secret")),
        once: false,
        watchers: Vec::new(),
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let clock = desk.test.state.clock.clone();
    let agent = tokio::spawn(activitywatch::run(options, clock, Random::system(), stopped));
    desk.choose(0, Choice::No).await;
    desk.bucket("aw-watcher-window_pc1", "currentwindow").await;
    for round in 0..ROUNDS {
        for n in 0..PER_ROUND {
            // Each program twice: the second grows the first, with another title.
            for title in ["one letter", "another letter"] {
                let data = json!({"app": format!("Program {round} {n}"), "title": title});
                assert_eq!(desk.beat("aw-watcher-window_pc1", 0, 5, data.clone()).await.0, 200);
                if lies {
                    let event = json!({"timestamp": desk.now(), "data": data});
                    post(desk.upstream(), "/api/0/buckets/aw-watcher-window_pc1/events", &event).await;
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
    // What is new is read with a delay.
    tokio::time::sleep(Duration::from_secs(25)).await;
    drop(stop);
    within(30, "the agent ends", agent).await.expect("no panic").expect("without an error");
    desk.close().await;
    // After the lag.
    desk.advance(10 * 86_400);
    compare_counts(&desk.test.state).await.expect("compared");
    let counts = sqlx::query_as(
        "select a.software, c.category, c.taken::bigint, c.dropped::bigint from agent_count c join agent a on a.id = c.agent_id order by 1, 2",
    );
    let counts = counts.fetch_all(&desk.test.state.db).await.expect("counts");
    (desk.test.count("finding where kind = 'MISREPORT'").await, counts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_agree_about_what_passed() {
    let (found, counts) = contradictions(false).await;
    let of = |software: &str, category: &str| {
        let row = counts.iter().find(|(by, of, ..)| by.starts_with(software) && of == category);
        row.map_or((0, 0), |(_, _, taken, dropped)| (*taken, *dropped))
    };
    assert_eq!(found, 0, "{counts:?}");
    let programs = of("daylight-gateway/", "app.usage");
    assert!(
        programs.0 >= PER_ROUND * ROUNDS && programs.0 <= PER_ROUND * ROUNDS + 20 && programs.1 == 0,
        "{counts:?}"
    );
    let titles = of("daylight-gateway/", "window.titles");
    assert!(titles.0 >= 2 * PER_ROUND * ROUNDS && titles.0 == titles.1, "{counts:?}");
    assert_eq!(of("daylight-agent/", "window.titles").0, 0, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_lets_more_past_than_it_says_is_found() {
    let (found, counts) = contradictions(true).await;
    assert!(found >= 1, "{counts:?}");
}
