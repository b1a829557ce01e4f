//! For which stretches of time a watcher lived, and the windows that may be reported from that.
//!
//! A category with count 0 says "watched, and saw nothing", and the server counts the whole window as
//! watched. So windows are cut where a watcher starts or stops, and a zero is said only for a watcher that
//! lived through the window. Life is read off the events: `aw-watcher-window` writes every second,
//! `aw-watcher-afk` every 5 s (its events may end up to 180 s ago, while it waits for input), the input
//! watcher writes zeros, `aw-watcher-web` writes every 60 s. Editors write only when somebody works in
//! them: their silence says nothing, so they count what they recorded and never give a zero.
//!
//! A watcher that stops is believed for [`SILENCE`] more; that is the most that a window claims too much.

use super::model::Bucket;
use crate::clock::Time;
use crate::collection::report::{Item, Window};

/// Seconds after which a silent watcher counts as stopped: longer than the 180 s of `aw-watcher-afk`.
pub(super) const SILENCE: i64 = 240;
/// Watchers start a few seconds after one another; cuts closer than this would make slivers.
const SLACK: i64 = 60;

const WITH_HEARTBEAT: [&str; 4] = ["currentwindow", "afkstatus", "os.hid.input", "web.tab.current"];

pub(super) fn has_heartbeat(bucket_type: &str) -> bool {
    WITH_HEARTBEAT.contains(&bucket_type)
}

/// An event's time; `start == end` when it has no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub start: Time,
    pub end: Time,
}

impl Span {
    /// Whether something of it lies in [start, end).
    pub fn touches(self, window: Window) -> bool {
        self.start < window.end && (self.start >= window.start || self.end > window.start)
    }
}

impl Bucket {
    /// When its watcher lived, in order; ends include the silence that is still believed.
    fn lives(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = self.events.iter().map(|e| e.span).collect();
        spans.sort_unstable();
        let mut lives: Vec<Span> = Vec::new();
        for span in spans {
            let end = span.end.plus_seconds(SILENCE);
            match lives.last_mut() {
                Some(life) if span.start <= life.end => life.end = life.end.max(end),
                _ => lives.push(Span { start: span.start, end }),
            }
        }
        lives
    }

    /// Up to [`SLACK`] at each end.
    pub fn is_live_throughout(&self, window: Window) -> bool {
        let slack = SLACK.min(window.end.seconds_since(window.start) / 2);
        self.has_heartbeat
            && self.lives().iter().any(|life| {
                life.start <= window.start.plus_seconds(slack) && life.end >= window.end.plus_seconds(-slack)
            })
    }
}

/// Cuts [start, end) at these `changes`, where a watcher starts or stops, and so that nothing is much longer
/// than `longest` seconds: an item has one time for all its records, and the server judges by it.
pub(super) fn windows(buckets: &[Bucket], whole: Window, longest: i64, changes: &[Time]) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut start = whole.start;
    let inside = changes.iter().filter(|change| **change > whole.start && **change < whole.end);
    for end in inside.chain([&whole.end]) {
        for window in at_lives(buckets, Window { start, end: *end }) {
            windows.extend(evenly(window, longest));
        }
        start = *end;
    }
    windows
}

fn at_lives(buckets: &[Bucket], whole: Window) -> Vec<Window> {
    let mut cuts: Vec<Time> = buckets
        .iter()
        .filter(|bucket| bucket.has_heartbeat)
        .flat_map(Bucket::lives)
        .flat_map(|life| [life.start, life.end])
        .collect();
    cuts.sort_unstable();
    let mut windows = Vec::new();
    let mut start = whole.start;
    for cut in cuts {
        if cut >= start.plus_seconds(SLACK) && cut <= whole.end.plus_seconds(-SLACK) {
            windows.push(Window { start, end: cut });
            start = cut;
        }
    }
    if start < whole.end {
        windows.push(Window { start, end: whole.end });
    }
    windows
}

fn evenly(window: Window, longest: i64) -> impl Iterator<Item = Window> {
    let seconds = window.end.seconds_since(window.start);
    let parts = (seconds - 1).max(0) / (longest.max(1) + SLACK) + 1;
    let at = move |n: i64| {
        if n == parts { window.end } else { window.start.plus_seconds(seconds * n / parts) }
    };
    (0..parts).map(move |n| Window { start: at(n), end: at(n + 1) })
}

/// The part of a window in which its items were observed; `None` when nothing was.
pub(super) fn narrow(items: &[Item], window: Window) -> Option<Window> {
    let start = items.iter().filter_map(|i| i.first_observed).min()?;
    let last = items.iter().filter_map(|i| i.last_observed).max()?;
    // A report's window can't be empty.
    Some(Window { start, end: last.min(window.end).max(start.plus_seconds(1)) })
}

#[cfg(test)]
mod tests {
    use super::super::model::Seen;
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from(jiff::Timestamp::from_second(1_790_000_000 + seconds).unwrap())
    }

    fn window(start: i64, end: i64) -> Window {
        Window { start: at(start), end: at(end) }
    }

    fn bucket(has_heartbeat: bool, events: &[(i64, i64)]) -> Bucket {
        let seen = |(start, end): &(i64, i64)| Seen {
            span: Span { start: at(*start), end: at(*end) },
            parts: vec![],
        };
        Bucket { has_heartbeat, events: events.iter().map(seen).collect() }
    }

    #[test]
    fn an_event_touches_each_window_once_and_its_end_belongs_to_the_window_before() {
        let span = |start, end| Span { start: at(start), end: at(end) };
        assert!(span(0, 0).touches(window(0, 10)) && !span(10, 10).touches(window(0, 10)));
        assert!(span(5, 10).touches(window(0, 10)) && !span(5, 10).touches(window(10, 20)));
        assert!(span(-50, 50).touches(window(0, 10)) && span(-50, 50).touches(window(10, 20)));
        assert!(!span(-50, 0).touches(window(0, 10)));
    }

    #[test]
    fn windows_are_cut_where_a_watcher_starts_and_stops() {
        let watcher = bucket(true, &[(1_000, 1_500), (1_600, 2_000), (9_000, 9_100)]);
        let cut = windows(std::slice::from_ref(&watcher), window(0, 9_300), 86_400, &[]);
        let ends: Vec<i64> = cut.iter().map(|w| w.end.seconds_since(at(0))).collect();
        assert_eq!(ends, [1_000, 2_000 + SILENCE, 9_000, 9_300]);
        let live: Vec<bool> = cut.iter().map(|w| watcher.is_live_throughout(*w)).collect();
        assert_eq!(live, [false, true, false, true]);
        assert!(cut.windows(2).all(|pair| pair[0].end == pair[1].start));
    }

    #[test]
    fn an_editor_makes_no_cuts_and_its_silence_is_no_zero() {
        let editor = bucket(false, &[(100, 4_000)]);
        assert_eq!(windows(std::slice::from_ref(&editor), window(0, 9_000), 86_400, &[]).len(), 1);
        assert!(!editor.is_live_throughout(window(200, 500)));
    }

    #[test]
    fn windows_are_no_longer_than_asked_and_hold_no_change() {
        let ends = |whole, longest, changes: &[i64]| -> Vec<i64> {
            let changes: Vec<Time> = changes.iter().map(|n| at(*n)).collect();
            let cut = windows(&[], whole, longest, &changes);
            assert!(cut.windows(2).all(|pair| pair[0].end == pair[1].start));
            cut.iter().map(|w| w.end.seconds_since(at(0))).collect()
        };
        assert_eq!(ends(window(0, 302), 300, &[]), [302], "a little late makes no sliver");
        assert_eq!(ends(window(0, 900), 300, &[]), [300, 600, 900]);
        assert_eq!(ends(window(0, 400), 300, &[]), [200, 400]);
        assert_eq!(ends(window(0, 300), 300, &[-5, 0, 290, 300, 310]), [290, 300]);
        assert_eq!(ends(window(0, 20), 5, &[7]), [7, 20]);
    }

    #[test]
    fn watchers_that_start_together_make_one_cut() {
        let both = [bucket(true, &[(1_000, 5_000)]), bucket(true, &[(1_003, 5_000)])];
        let cut = windows(&both, window(0, 3_000), 86_400, &[]);
        assert_eq!(cut.len(), 2);
        assert!(both.iter().all(|b| b.is_live_throughout(cut[1])));
    }
}
