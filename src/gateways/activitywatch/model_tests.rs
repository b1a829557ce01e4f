//! What is recognised in which bucket, what is counted, and that no content survives.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::client::digest;
use super::coverage::SILENCE;
use super::model::{Bucket, classify, items, source};
use crate::clock::Time;
use crate::collection::report::{Item, Window};

fn categories(kind: &str, data: Value) -> Vec<String> {
    let mut found: Vec<String> = classify(kind, &data)
        .iter()
        .filter(|p| p.recorded)
        .map(|p| format!("{} {}", p.category, p.granularity.id()))
        .collect();
    found.sort();
    found
}

fn window(start: &str, end: &str) -> Window {
    let at = |text: &str| Time::from(format!("2026-11-02T{text}Z").parse::<jiff::Timestamp>().unwrap());
    Window { start: at(start), end: at(end) }
}

fn event(at: &str, seconds: f64, data: Value) -> Value {
    json!({"id": 1, "timestamp": format!("2026-11-02T{at}+00:00"), "duration": seconds, "data": data})
}

fn report(buckets: &[Bucket], window: Window) -> Vec<Item> {
    items(buckets, window, &source("v0.12.0"))
}

fn counts(items: &[Item]) -> Vec<(&'static str, u32)> {
    items.iter().map(|i| (i.category.id(), i.collected.count)).collect()
}

#[test]
fn each_watchers_events_are_recognised() {
    let cases = [
        (
            "currentwindow",
            json!({"app": "Mail", "title": "x"}),
            vec!["app.usage metadata", "window.titles content"],
        ),
        ("afkstatus", json!({"status": "not-afk"}), vec!["presence metadata"]),
        (
            "os.hid.input",
            json!({"presses": 84, "clicks": 1, "deltaX": 3, "deltaY": 0, "scrollX": 0, "scrollY": 0}),
            vec!["input.key_counts count", "input.pointer count"],
        ),
        (
            "web.tab.current",
            json!({"url": "https://a.example/b", "title": "x", "audible": false, "incognito": true, "tabCount": 4}),
            vec!["web.urls content", "window.titles content"],
        ),
        ("web.tab.current", json!({"domain": "a.example"}), vec!["web.domains metadata"]),
        (
            "app.editor.activity",
            json!({"file": "/a/b.rs", "project": "/a", "language": "rust"}),
            vec!["code.activity metadata", "file.activity metadata"],
        ),
    ];
    for (kind, data, expected) in cases {
        assert_eq!(categories(kind, data), expected, "{kind}");
    }
}

#[test]
fn what_a_bucket_calls_itself_hides_nothing() {
    assert_eq!(
        categories("afkstatus", json!({"status": "afk", "title": "x"})),
        ["presence metadata", "window.titles content"]
    );
    assert_eq!(categories("afkstatus", json!({"url": "https://a.example/"})), ["web.urls content"]);
    for address in ["https://intranet.example/hr/complaint?id=7", "intranet.example/hr", "a letter to HR"] {
        assert_eq!(categories("web.tab.current", json!({"domain": address})), ["web.urls content"]);
    }
    for kind in ["app.editor.activity", "currentwindow"] {
        let file = json!({"file": "/home/ana/complaint.odt"});
        assert_eq!(categories(kind, file), ["file.activity metadata"], "{kind}");
    }
    // Names that promise one thing and hold another.
    for (kind, data) in [
        ("afkstatus", json!({"status": "Letter to the works council"})),
        ("afkstatus", json!({"status": {"title": "x"}})),
        ("os.hid.input", json!({"presses": "hunter2"})),
        ("os.hid.input", json!({"presses": [104, 117]})),
        ("os.hid.input", json!({"keys": "hunter2"})),
        ("web.tab.current", json!({"tabCount": "x"})),
        ("currentwindow", json!({"app": ["Mail", "title"]})),
        ("currentwindow", json!({"$category": ["Work"]})),
        ("made.up", json!({"status": "busy"})),
        ("made.up", json!("text instead of an object")),
    ] {
        assert_eq!(categories(kind, data.clone()), ["unknown content"], "{kind} {data}");
    }
    assert!(categories("made.up", json!({"empty": "", "none": null, "list": [], "object": {}})).is_empty());
}

#[test]
fn a_title_left_out_and_zero_presses_are_looked_for_and_not_recorded() {
    assert_eq!(
        categories("currentwindow", json!({"app": "Mail", "title": "excluded"})),
        ["app.usage metadata"]
    );
    let buckets = [
        digest("currentwindow", vec![event("09:00:00", 300.0, json!({"app": "Mail", "title": "excluded"}))]),
        digest("os.hid.input", vec![event("09:00:00", 300.0, json!({"presses": 0, "clicks": 0}))]),
    ];
    let items = report(&buckets, window("09:00:00", "09:05:00"));
    let mut found = counts(&items);
    found.sort_unstable();
    assert_eq!(
        found,
        [("app.usage", 1), ("input.key_counts", 0), ("input.pointer", 0), ("window.titles", 0)]
    );
    assert!(items.iter().all(|i| (i.collected.count == 0) == i.first_observed.is_none()));
}

#[test]
fn a_long_event_counts_in_each_window_it_touches_and_a_short_one_in_one() {
    let events = vec![
        event("08:58:00", 420.0, json!({"app": "Mail"})),
        event("09:05:00", 0.0, json!({"app": "Chat"})),
        event("09:10:00", 0.0, json!({"app": "Chat"})),
    ];
    let buckets = [digest("currentwindow", events)];
    let first = report(&buckets, window("09:00:00", "09:05:00"));
    assert_eq!(counts(&first), [("app.usage", 1)]);
    assert_eq!(first[0].first_observed, Some(window("09:00:00", "09:05:00").start));
    assert_eq!(first[0].last_observed, Some(window("09:00:00", "09:05:00").end));
    // The first event ended exactly here.
    let second = report(&buckets, window("09:05:00", "09:10:00"));
    assert_eq!(counts(&second), [("app.usage", 1)]);
    assert_eq!(second[0].collected.bytes, r#""Chat""#.len() as u64);
}

#[test]
fn a_watcher_that_stopped_gives_no_zero() {
    let buckets = [digest("afkstatus", vec![event("09:00:00", 60.0, json!({"status": "afk"}))])];
    let soon = window("09:01:00", "09:05:00");
    assert_eq!(soon.end.seconds_since(soon.start), SILENCE);
    assert_eq!(counts(&report(&buckets, soon)), [("presence", 0)]);
    assert!(report(&buckets, window("09:06:00", "09:11:00")).is_empty());
}

#[test]
fn unreadable_times_and_strange_versions_break_nothing() {
    let events =
        vec![json!({"timestamp": "yesterday", "data": {"title": "x"}}), event("09:00:00", -5.0, json!({}))];
    assert_eq!(digest("currentwindow", events).events.len(), 1);
    for (version, expected) in [
        ("v0.12.0b2.dev+f66fd9d", "activitywatch/v0.12.0b2.dev+f66fd9d"),
        ("v0.13.1 (rust)", "activitywatch/v0.13.1rust"),
        ("", "activitywatch/unknown"),
        ("\u{202e}/", "activitywatch/unknown"),
    ] {
        assert_eq!(source(version).as_str(), expected);
    }
}

/// Anything a watcher may write: the known keys and others, with values of any kind.
fn data(secret: &'static str) -> impl Strategy<Value = Value> {
    let text = "[a-zA-Z0-9 /:.äß漢\"\\\\-]{0,24}".prop_map(move |t| Value::from(format!("{secret}{t}")));
    let value = prop_oneof![
        4 => text.clone(),
        1 => Just(json!("afk")),
        1 => any::<u32>().prop_map(Value::from),
        1 => text.clone().prop_map(|t| json!({"deep": [t]})),
    ];
    let known = prop::sample::select(vec![
        "app", "title", "url", "domain", "status", "presses", "clicks", "file", "project", "language",
        "tabCount",
    ])
    .prop_map(str::to_owned);
    let key = prop_oneof![3 => known, 1 => "[a-z$]{1,8}".prop_map(move |k| format!("{secret}{k}"))];
    prop::collection::btree_map(key, value, 0..6)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

proptest! {
    #[test]
    fn no_text_of_an_event_is_in_a_report(
        kind in prop::sample::select(vec!["currentwindow", "afkstatus", "web.tab.current", "app.editor.activity", "S3CRET"]),
        list in prop::collection::vec(data("S3CRET"), 1..6),
    ) {
        let recorded = list.iter().any(|d| d.to_string().contains("S3CRET"));
        let events = list.into_iter().map(|d| event("09:00:00", 60.0, d)).collect();
        let items = report(&[digest(kind, events)], window("09:00:00", "09:05:00"));
        let text = serde_json::to_string(&items).unwrap();
        prop_assert!(!text.contains("S3CRET"), "{}", text);
        // And nothing is lost: what was recorded is counted somewhere.
        prop_assert!(!recorded || items.iter().any(|i| i.collected.count > 0));
    }
}
