//! `daylight agent` obeys: what runs is what the policy allows, and whatever goes wrong ends in less.

use std::fs;

use daylight::consent::bundle::{Rule, VALID_SECONDS};
use ed25519_dalek::SigningKey;
use serde_json::json;
use uuid::Uuid;

use crate::support::dashboard::{Dashboard, policy_key, rule, until};

fn titles(collect: bool) -> [Rule; 2] {
    [rule("app.usage", true, true), rule("window.titles", collect, true)]
}

#[tokio::test]
async fn an_opt_out_ends_the_watcher_and_is_confirmed_only_when_it_is_gone() {
    let dashboard = Dashboard::start().await;
    let polite = dashboard.program("polite", "");
    // Ignores what it is asked, and so does what it started.
    let stubborn = dashboard.program("stubborn", "trap '' TERM\nsleep 600 &\necho $! >> \"$0.child\"");
    dashboard.publish(1, &titles(true));
    let watchers = [polite.watcher("polite", "window.titles"), stubborn.watcher("stubborn", "window.titles")];
    let agent = dashboard.agent(5, &watchers);
    polite.until(true).await;
    stubborn.until(true).await;
    until("the first policy is confirmed", || dashboard.confirmed() == [1]).await;

    dashboard.publish(2, &titles(false));
    polite.until(false).await;
    assert_eq!(dashboard.confirmed(), [1], "one of two still runs");
    until("the second policy is confirmed", || {
        // Asked first: the confirmation may arrive in between.
        let gone = !stubborn.runs();
        let confirmed = dashboard.confirmed() == [1, 2];
        assert!(!confirmed || !stubborn.runs(), "confirmed before it ended");
        gone && confirmed
    })
    .await;
    let child: i32 = fs::read_to_string(stubborn.beside("child")).unwrap().trim().parse().unwrap();
    let state = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "what a watcher started ends with it: {state}");

    // Reports say which policy was applied when their window ended.
    dashboard.clock.advance(100);
    until("a report", || !dashboard.reports().is_empty()).await;
    let report = dashboard.reports().pop().unwrap().report;
    assert_eq!(report.policy.unwrap().revision, 2);
    agent.stop().await;
}

#[tokio::test]
async fn the_first_alternative_whose_categories_are_all_allowed_runs() {
    let dashboard = Dashboard::start().await;
    let full = dashboard.program("full", "env > \"$0.new\" && mv \"$0.new\" \"$0.env\"");
    let lean = dashboard.program("lean", "");
    let other = dashboard.program("other", "");
    let watchers = [
        full.watcher("window", "app.usage,window.titles"),
        lean.watcher("window", "app.usage"),
        // No rule speaks of it.
        other.watcher("web", "web.urls"),
    ];
    dashboard.publish(1, &titles(true));
    let agent = dashboard.agent(300, &watchers);
    full.until(true).await;
    dashboard.publish(2, &titles(false));
    lean.until(true).await;
    assert!(!full.runs(), "never two of one name");
    dashboard.publish(3, &titles(true));
    full.until(true).await;
    assert!(!lean.runs());
    dashboard.publish(4, &[rule("app.usage", false, true), rule("window.titles", true, true)]);
    full.until(false).await;
    until("every policy is confirmed", || dashboard.confirmed() == [1, 2, 3, 4]).await;
    assert!(!lean.runs() && other.pids().is_empty());

    // Cargo has put a lot around this test, and nothing of it reaches a watcher.
    let around = fs::read_to_string(full.beside("env")).unwrap();
    assert!(around.contains("PATH=") && !around.contains("CARGO"), "{around}");
    agent.stop().await;
}

#[tokio::test]
async fn without_the_dashboard_what_is_optional_ends_with_the_policys_time() {
    let dashboard = Dashboard::start().await;
    let (optional, must) = (dashboard.program("optional", ""), dashboard.program("must", ""));
    let watchers = [optional.watcher("window", "window.titles"), must.watcher("afk", "presence")];
    let rules = [rule("window.titles", true, true), rule("presence", true, false)];
    dashboard.publish(1, &rules);
    let agent = dashboard.agent(300, &watchers);
    optional.until(true).await;
    must.until(true).await;
    until("the policy is confirmed", || dashboard.confirmed() == [1]).await;
    dashboard.set_away(true);
    dashboard.clock.advance(VALID_SECONDS - 1);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert!(optional.runs(), "it holds until its time is over");
    agent.stop().await;
    assert!(!optional.runs() && !must.runs(), "nothing outlives the agent");

    // A restart without the dashboard: what was known holds as long as it would have.
    let agent = dashboard.agent(300, &watchers);
    optional.until(true).await;
    dashboard.clock.advance(1);
    optional.until(false).await;
    assert!(must.runs());
    agent.stop().await;
    let starts = optional.pids().len();
    let agent = dashboard.agent(300, &watchers);
    until("what isn't optional runs", || must.pids().len() == 3 && must.runs()).await;
    assert_eq!(optional.pids().len(), starts, "a policy that is over allows nothing optional");

    // A clock that is set back revives nothing either.
    agent.stop().await;
    dashboard.clock.advance(-VALID_SECONDS - 3600);
    let agent = dashboard.agent(300, &watchers);
    until("what isn't optional runs", || must.pids().len() == 4 && must.runs()).await;
    assert_eq!(optional.pids().len(), starts, "it was signed in the future");
    agent.stop().await;

    dashboard.clock.advance(VALID_SECONDS + 4000);
    dashboard.publish(1, &rules);
    dashboard.set_away(false);
    let agent = dashboard.agent(300, &watchers);
    optional.until(true).await;
    assert_eq!(dashboard.confirmed(), [1], "once is enough");
    agent.stop().await;
}

#[tokio::test]
async fn what_cant_be_believed_ends_what_is_optional_also_after_a_restart() {
    let stranger = SigningKey::from_bytes(&[22; 32]);
    for case in ["rollback", "contradiction", "key", "agent", "text"] {
        let dashboard = Dashboard::start().await;
        let program = dashboard.program("program", "");
        let watchers = [program.watcher("window", "window.titles")];
        dashboard.publish(7, &titles(true));
        let agent = dashboard.agent(300, &watchers);
        program.until(true).await;
        match case {
            "rollback" => dashboard.publish(6, &titles(true)),
            "contradiction" => dashboard.publish(7, &[rule("window.titles", true, true)]),
            "key" => dashboard.publish_signed(dashboard.bundle(8, &titles(true)), &stranger),
            "agent" => {
                let other = daylight::consent::bundle::Bundle {
                    agent_id: Uuid::from_u128(3),
                    ..dashboard.bundle(8, &titles(true))
                };
                dashboard.publish_signed(other, &policy_key());
            }
            _ => dashboard.publish_text("<html>Sign in to this network</html>"),
        }
        program.until(false).await;
        agent.stop().await;

        // Not asked again by then: the server is away.
        dashboard.set_away(true);
        let agent = dashboard.agent(300, &watchers);
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert_eq!(program.pids().len(), 1, "{case}: it stays off");
        agent.stop().await;
        dashboard.set_away(false);
        dashboard.publish(8, &titles(true));
        let agent = dashboard.agent(300, &watchers);
        program.until(true).await;
        agent.stop().await;
        assert!(dashboard.confirmed().iter().all(|revision| [7, 8].contains(revision)), "{case}");
    }
}

#[tokio::test]
async fn a_rolled_back_permission_doesnt_return() {
    let dashboard = Dashboard::start().await;
    let program = dashboard.program("program", "");
    let watchers = [program.watcher("window", "window.titles")];
    let earlier = dashboard.bundle(1, &titles(true));
    dashboard.publish(2, &titles(false));
    let agent = dashboard.agent(300, &watchers);
    until("it is confirmed", || dashboard.confirmed() == [2]).await;
    dashboard.publish_signed(earlier, &policy_key());
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    agent.stop().await;
    let agent = dashboard.agent(300, &watchers);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert!(program.pids().is_empty());
    assert_eq!(dashboard.confirmed(), [2]);
    agent.stop().await;
}

#[tokio::test]
async fn a_watcher_that_ends_is_started_again_after_growing_pauses() {
    let dashboard = Dashboard::start().await;
    let program = dashboard.program("program", "exit 3");
    dashboard.publish(1, &titles(true));
    let agent = dashboard.agent(300, &[program.watcher("window", "window.titles")]);
    until("it is started again and again", || program.pids().len() >= 3).await;
    // A program that isn't there disturbs nobody.
    agent.stop().await;
    let steady = dashboard.program("steady", "");
    let watchers = ["gone:window.titles=/no/such/program".into(), steady.watcher("window", "window.titles")];
    let agent = dashboard.agent(300, &watchers);
    steady.until(true).await;
    agent.stop().await;
}

#[tokio::test]
async fn an_older_server_allows_nothing_and_its_key_is_pinned_at_first_contact() {
    let dashboard = Dashboard::start().await;
    dashboard.without_key_at_enrolment();
    dashboard.without_policies(true);
    let program = dashboard.program("program", "");
    let watchers = [program.watcher("window", "window.titles")];
    dashboard.publish(1, &titles(true));
    let agent = dashboard.agent(300, &watchers);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    agent.stop().await;
    assert!(program.pids().is_empty() && dashboard.confirmed().is_empty());

    // The server is renewed.
    dashboard.without_policies(false);
    let agent = dashboard.agent(300, &watchers);
    program.until(true).await;
    agent.stop().await;
    let kept = fs::read_to_string(dashboard.folder.0.join("agent/policy.json")).unwrap();
    assert!(kept.contains("public_key"));
}

#[tokio::test]
async fn an_agent_without_watchers_confirms_nothing_and_tells_at_once_what_is_recorded_all_the_same() {
    let dashboard = Dashboard::start().await;
    dashboard.publish(1, &titles(false));
    let agent = dashboard.agent(3600, &[]);
    let kept = dashboard.folder.0.join("agent/policy.json");
    until("the policy is known", || fs::read_to_string(&kept).is_ok_and(|text| text.contains("revision")))
        .await;
    // Nothing to report in a report's usual time, and nothing recorded after the grace.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let refused_at = dashboard.clock.now();
    dashboard.record(refused_at.plus_seconds(-5), 60, &json!({"app": "Mail", "title": "x"}));
    dashboard.clock.advance(80);
    let again = |seconds| {
        dashboard.clock.advance(seconds);
        // The agent looks at each answer of the dashboard; this spares the test twenty seconds.
        dashboard.publish(1, &titles(false));
    };
    again(0);
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    assert!(dashboard.reports().is_empty(), "how often it reports tells nobody what was chosen");

    dashboard.record(refused_at.plus_seconds(100), 3, &json!({"app": "Mail", "title": "x"}));
    again(60);
    // It may have been busy just then.
    let nudged = || {
        dashboard.publish(1, &titles(false));
        !dashboard.reports().is_empty()
    };
    until("an early report", nudged).await;
    let report = dashboard.reports().pop().unwrap().report;
    let titles = report.items.iter().find(|item| item.category.id() == "window.titles").unwrap();
    assert_eq!(titles.last_observed, Some(refused_at.plus_seconds(103)));
    assert!(report.policy.is_none() && dashboard.confirmed().is_empty());
    agent.stop().await;
}
