//! What holds of any reports in any order: a copy or another order changes no sum, and what is left out or taken away
//! makes nothing look better.

use std::collections::BTreeMap;

use daylight::collection::report;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use daylight::web::Role;

use crate::support::agent::{Agent, item};
use crate::support::consent::declare;
use crate::support::{Actor, TestApp};

/// Half a day each; two whole days and the rest of today.
const WINDOWS: usize = 5;
/// Declared, declared, never declared.
const CATEGORIES: [&str; 3] = ["app.usage", "presence", "clipboard"];

struct Room {
    app: TestApp,
    worker: Actor,
    agent: Agent,
}

impl Room {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let publisher = app.actor(Role::Publisher).await;
        for category in &CATEGORIES[..2] {
            let plain = [("frequency", "continuous"), ("frequency_every", ""), ("max_per_day", "")];
            declare(&app, &publisher, &[&[("category", *category)], &plain[..]].concat()).await;
        }
        let worker = app.actor(Role::Worker).await;
        let agent = Agent::of(&app, worker.id()).await;
        Room { app, worker, agent }
    }

    /// One chain of signed reports: a count of each category for each window, `None` where it isn't watched.
    fn reports(&self, counts: &[[Option<u32>; 3]]) -> Vec<Value> {
        let mut prev: Option<String> = None;
        let mut reports = Vec::new();
        for (n, counts) in counts.iter().enumerate() {
            let window = (n as i64 * 720, (n as i64 + 1) * 720);
            let items: Vec<Value> = CATEGORIES
                .iter()
                .zip(counts)
                .filter_map(|(category, count)| Some(item(category, "metadata", (*count)?, window)))
                .collect();
            let fields = self.agent.fields(n as u64, prev.as_deref(), window, json!(items));
            let fields = fields.as_object().expect("an object").clone();
            let (report, hash) = report::sign(fields, &self.agent.key).expect("signed");
            prev = Some(hash.to_string());
            reports.push(report);
        }
        reports
    }

    async fn send(&self, reports: impl IntoIterator<Item = &Value>) {
        for report in reports {
            let status = self.agent.post(report).await.status;
            assert!([200, 201].contains(&status), "{status}");
        }
    }

    /// Each category's status as its page says it.
    async fn statuses(&self) -> BTreeMap<&'static str, String> {
        let worker = self.app.sign_in_as(self.worker.id()).await;
        let mut statuses = BTreeMap::new();
        for category in CATEGORIES {
            let page = worker.get(&format!("/me/collection/{category}")).await.assert_status(200);
            statuses.insert(category, page.select("main .chip").first().cloned().unwrap_or_default());
        }
        statuses
    }

    /// Everything that is added up, without ids and times of arrival.
    async fn sums(&self) -> Vec<String> {
        let mut sums = Vec::new();
        for sql in [
            "select row_to_json(t)::text from (select day, category, source, granularity, collected, collected_bytes,
                 forwarded, dropped, first_observed, last_observed, reports from collection_daily order by 1, 2, 3) t",
            "select row_to_json(t)::text from (select day, category, seconds from coverage_daily order by 1, 2) t",
            "select row_to_json(t)::text from (select kind, category, about, field, first_at, last_at, collected,
                 dropped, reports from finding order by 1, 2, 3, 4, 5) t",
        ] {
            sums.extend(sqlx::query_scalar::<_, String>(sql).fetch_all(&self.app.state.db).await.expect("rows"));
        }
        sums
    }
}

fn is_fine(status: &str) -> bool {
    ["As declared", "Not seen"].contains(&status)
}

fn counts() -> impl Strategy<Value = Vec<[Option<u32>; 3]>> {
    let count = prop_oneof![1 => Just(None), 3 => Just(Some(0)), 2 => (1u32..20).prop_map(Some)];
    prop::collection::vec([count.clone(), count.clone(), count], WINDOWS)
}

fn some<T>(runner: &mut TestRunner, strategy: impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).expect("a case").current()
}

#[tokio::test]
async fn any_order_and_any_copies_give_the_same_sums() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..6 {
        let counts = some(&mut runner, counts());
        let expected = {
            let room = Room::new().await;
            room.app.state.clock.advance(WINDOWS as i64 * 12 * 3600);
            room.send(&room.reports(&counts)).await;
            room.sums().await
        };
        assert!(expected.len() > WINDOWS, "there is something to compare");
        let order = some(&mut runner, Just((0..WINDOWS).collect::<Vec<_>>()).prop_shuffle());
        let copies = some(&mut runner, prop::collection::vec(0..WINDOWS, 0..4));
        let room = Room::new().await;
        room.app.state.clock.advance(WINDOWS as i64 * 12 * 3600);
        let reports = room.reports(&counts);
        let first = order.iter().chain(copies.iter().filter(|copy| order[0] == **copy));
        room.send(first.map(|n| &reports[*n])).await;
        room.send(copies.iter().map(|n| &reports[*n])).await;
        assert_eq!(room.sums().await, expected, "{order:?} and then {copies:?}");
    }
}

#[tokio::test]
async fn all_at_once_give_the_same_sums_as_one_after_the_other() {
    let counts = vec![[Some(3), Some(0), None]; 30];
    let mut sums = Vec::new();
    for at_once in [false, true] {
        let room = Room::new().await;
        room.app.state.clock.advance(30 * 12 * 3600);
        let reports = room.reports(&counts);
        if at_once {
            // The writer takes whatever waits: batches that hold several of one chain, last ones first.
            let posts = reports.iter().rev().chain(&reports).map(|report| room.agent.post(report));
            for reply in futures_util::future::join_all(posts).await {
                assert!([200, 201].contains(&reply.status), "{}", reply.status);
            }
        } else {
            room.send(&reports).await;
        }
        sums.push(room.sums().await);
    }
    assert_eq!(sums[0], sums[1]);
}

#[tokio::test]
async fn a_report_that_never_comes_leaves_its_time_unknown() {
    let mut runner = TestRunner::deterministic();
    let mut were_fine = 0;
    for _ in 0..4 {
        let counts = some(&mut runner, counts());
        let all = Room::new().await;
        all.app.state.clock.advance(WINDOWS as i64 * 12 * 3600);
        all.send(&all.reports(&counts)).await;
        let whole = all.statuses().await;
        were_fine += whole.values().filter(|s| is_fine(s)).count();
        // The last window ends today, which nothing rests on yet.
        let withheld = some(&mut runner, 0..WINDOWS - 1);
        let room = Room::new().await;
        room.app.state.clock.advance(WINDOWS as i64 * 12 * 3600);
        let reports = room.reports(&counts);
        room.send(reports.iter().enumerate().filter(|(n, _)| *n != withheld).map(|(_, r)| r)).await;
        for (category, status) in room.statuses().await {
            assert!(!is_fine(&status), "{category} is {status} without window {withheld} of {counts:?}");
        }
        // The same where the report comes and its window is shorter than the time.
        let mut cut = counts.clone();
        cut[withheld] = [None; 3];
        let room = Room::new().await;
        room.app.state.clock.advance(WINDOWS as i64 * 12 * 3600);
        room.send(&room.reports(&cut)).await;
        for (category, status) in room.statuses().await {
            assert!(!is_fine(&status), "{category} is {status} unwatched in window {withheld} of {counts:?}");
        }
    }
    // So that the test can fail.
    let room = Room::new().await;
    room.app.state.clock.advance(WINDOWS as i64 * 12 * 3600);
    room.send(&room.reports(&[[Some(1), Some(0), Some(0)]; WINDOWS])).await;
    were_fine += room.statuses().await.values().filter(|s| is_fine(s)).count();
    assert!(were_fine >= 3, "{were_fine}");
}

#[tokio::test]
async fn rows_that_somebody_deletes_make_nothing_better() {
    let rank = |status: &str| match status {
        "Undeclared" => 0,
        "More than declared" => 1,
        "Unknown" => 2,
        _ => 3,
    };
    for (sql, goes) in [
        ("delete from collection_report", true),
        ("delete from coverage_daily", true),
        ("delete from agent_chain", true),
        ("delete from agent_chain_gap", true),
        ("delete from agent_uncovered", true),
        ("delete from finding", false),
    ] {
        let room = Room::new().await;
        room.app.state.clock.advance(WINDOWS as i64 * 12 * 3600);
        let reports = room.reports(&[[Some(1), None, Some(1)]; WINDOWS]);
        room.send(&reports).await;
        let (before, sums) = (room.statuses().await, room.sums().await);
        assert_eq!(sqlx::query(sql).execute(&room.app.state.db).await.is_ok(), goes, "{sql}");
        for (category, status) in room.statuses().await {
            assert!(rank(&status) <= rank(&before[category]), "{sql}: {category} is {status}");
        }
        if sql == "delete from collection_report" {
            // A report whose original is gone isn't counted a second time.
            for report in &reports {
                room.agent.post(report).await.assert_status(409);
            }
            assert_eq!(room.sums().await, sums);
        }
    }
}

#[tokio::test]
async fn a_late_report_is_told_from_a_copy_only_for_as_long_as_raw_reports_are_kept() {
    let room = Room::new().await;
    room.app.state.clock.advance(WINDOWS as i64 * 12 * 3600);
    let reports = room.reports(&[[Some(1), Some(0), None]; WINDOWS]);
    room.send([&reports[0], &reports[3]]).await;
    assert_eq!(room.app.count("agent_chain_gap").await, 1);
    room.send([&reports[2]]).await;
    assert_eq!(room.app.count("agent_chain_gap where first_seq = 1 and last_seq = 1").await, 1);
    room.app.state.clock.advance((room.app.state.config.raw_report_days + 1) * 24 * 3600);
    daylight::collection::drop_old_reports(&room.app.state).await.expect("dropped");
    room.agent.post(&reports[1]).await.assert_status(409);
}
