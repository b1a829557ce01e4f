//! From a worker's no to a watcher that ends, and to a violation on their page when something is recorded all
//! the same: a real Daylight server over TCP, a real ActivityWatch server and its own client, and the agent
//! between them at its usual interval. Only the clock is the test's own: it runs as time does, and leaps
//! over the grace.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use daylight::clock::Random;
use daylight::collection::{confirm_device, create_enrolment};
use daylight::consent::model::Choice;
use daylight::gateways::activitywatch::{self, AgentOptions, DEFAULT_INTERVAL};
use daylight::web::Role;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::support::TestApp;
use crate::support::activitywatch::{ActivityWatch, Folder, environment, within};
use crate::support::consent::{choose, declare, tell};
use crate::support::gate::serve;
use crate::support::moving::{Moving, own_device, until};

const TITLES: &[(&str, &str)] = &[
    ("category", "window.titles"),
    ("source_name", "activitywatch"),
    ("granularity", "content"),
    ("choice_mode", "opt_out"),
];
const PROGRAMS: &[(&str, &str)] = &[("source_name", "activitywatch"), ("choice_mode", "opt_out")];

/// What the issue asks for: the agent follows within a minute, and what comes afterwards is shown within one.
const A_MINUTE: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_ends_the_watcher_and_what_is_recorded_afterwards_is_a_violation_on_the_page() {
    let folder = Folder::new();
    let venv = tokio::task::spawn_blocking(environment).await.expect("the virtual environment");
    let watch = ActivityWatch::start(&venv, &folder.0).await;
    let test = TestApp::new().await;
    let clock = Moving::start(test.state.clock.clone());

    let publisher = test.actor(Role::Publisher).await;
    let worker = test.actor(Role::Worker).await;
    let titles = declare(&test, &publisher, TITLES).await;
    let programs = declare(&test, &publisher, PROGRAMS).await;
    tell(&test, publisher.id(), &[titles, programs]).await;
    let secret = create_enrolment(&test.state, None, "Laptop 1").await.expect("a secret");
    let assignment = own_device(&test, "Laptop 1", worker.id()).await;
    let (address, _) = serve(&test.state).await;

    let (full, lean) = (folder.0.join("full.pids"), folder.0.join("lean.pids"));
    let command = |file: &Path, title: &str| {
        let arguments = format!("{} watch '{}' {title}", clock.shift(), file.display());
        watch.command(&venv, &folder.0, "watcher.py", &arguments)
    };
    let options = AgentOptions {
        server: format!("http://{address}"),
        activitywatch: format!("http://127.0.0.1:{}", watch.port),
        state_dir: folder.0.join("agent"),
        interval: DEFAULT_INTERVAL,
        secret: Some(secret),
        once: false,
        watchers: [
            format!("window:app.usage,window.titles={}", command(&full, "'a letter'")),
            format!("window:app.usage={}", command(&lean, "")),
        ]
        .map(|watcher| watcher.parse().expect("a watcher"))
        .into(),
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let agent =
        tokio::spawn(activitywatch::run(options, test.state.clock.clone(), Random::system(), stopped));
    until(A_MINUTE, "the agent is enrolled", async || test.count("agent").await == 1).await;
    confirm_device(&test.state, worker.id(), assignment).await.expect("confirmed");
    until(3 * A_MINUTE, "the watcher runs as allowed", async || runs(&full)).await;
    let titles_held = async || {
        let shift = clock.shift().to_string();
        let counted = watch.python(&venv, &folder.0, "watcher.py", &[&shift, "count"]).await;
        counted.trim().parse::<u32>().expect("a number")
    };
    until(3 * A_MINUTE, "a title is recorded", async || titles_held().await > 0).await;
    until(3 * A_MINUTE, "the policy is confirmed", async || test.count("policy_confirmation").await == 1)
        .await;

    // The worker says no.
    choose(&test, &worker, titles, Choice::No).await.expect("a choice");
    until(A_MINUTE, "the watcher ends", async || !runs(&full)).await;
    until(A_MINUTE, "the one that leaves titles out runs", async || runs(&lean)).await;
    until(A_MINUTE, "that is confirmed", async || test.count("policy_confirmation").await == 2).await;
    let held = titles_held().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(titles_held().await, held, "no title is recorded after a no");

    // After the grace, somebody else's watcher records one all the same.
    clock.leap(100);
    let violations = async || test.count("finding where kind = 'COLLECTED_AFTER_OPT_OUT'").await;
    assert_eq!(violations().await, 0);
    let shift = clock.shift().to_string();
    watch.python(&venv, &folder.0, "watcher.py", &[&shift, "inject"]).await;
    let injected = Instant::now();
    until(A_MINUTE, "it is a violation", async || violations().await > 0).await;
    assert!(injected.elapsed() < Duration::from_secs(A_MINUTE));
    let page = worker.get("/me/collection").await.assert_status(200);
    assert!(page.body.contains("You had said no since"), "{}", page.body);
    assert_eq!(
        test.count("finding where kind in ('EQUIVOCATION', 'CLOCK_SKEW', 'OPT_OUT_VIOLATION')").await,
        0
    );

    drop(stop);
    within(20, "the agent ends", agent).await.expect("no panic").expect("without an error");
    assert!(!runs(&lean), "no watcher outlives the agent");
}

fn runs(pids: &Path) -> bool {
    let text = fs::read_to_string(pids).unwrap_or_default();
    let pid = text.lines().last().and_then(|line| line.parse().ok());
    pid.is_some_and(|pid| kill(Pid::from_raw(pid), None).is_ok())
}
