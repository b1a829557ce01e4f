//! One event: what it says, and what of it may go on.

use serde_json::{Map, Value, json};

use super::super::PROGRAM;
use super::super::model::{self, Part};
use crate::clock::Time;
use crate::collection::report::Source;
use crate::gateways::gate::device::Turn;
use crate::gateways::gate::tally;
use crate::register::{Category, Granularity};

/// Seconds that one event may last: a year is more than any watcher means.
const LONGEST: f64 = 366.0 * 86_400.0;

/// Seconds by which a merged event must stay clear of the time before a yes: ActivityWatch cuts times to milliseconds.
const CLEAR: f64 = 0.002;

/// An event as it was understood.
pub(super) struct Event {
    pub from: Time,
    /// As it claims; it may lie in the future.
    pub to: Time,
    duration: f64,
    pub data: Map<String, Value>,
    /// Bytes of what is no part of an event.
    strange: u64,
}

/// What became of an event's data.
pub(super) struct Verdict {
    pub passes: Map<String, Value>,
    pub passing: Vec<Part>,
    pub refused: Map<String, Value>,
    pub refusing: Vec<Part>,
    /// Since when everything that passes has been allowed.
    since: Option<Time>,
}

impl Event {
    /// `None` for what ActivityWatch's own watchers never write.
    pub fn read(value: Value) -> Option<Event> {
        let Value::Object(mut fields) = value else { return None };
        let from = time(&fields.remove("timestamp")?)?;
        let duration = match fields.remove("duration") {
            None => 0.0,
            Some(value) => value.as_f64().filter(|seconds| (0.0..=LONGEST).contains(seconds))?,
        };
        let data = match fields.remove("data") {
            None => Map::new(),
            Some(Value::Object(data)) => data,
            Some(_) => return None,
        };
        // Never passed on: an event with a number that is taken already would overwrite what stands there.
        match fields.remove("id") {
            None | Some(Value::Null | Value::Number(_)) => {}
            Some(_) => return None,
        }
        let to = from.jiff().checked_add(jiff::SignedDuration::from_micros((duration * 1e6) as i64)).ok()?;
        Some(Event { from, to: to.into(), duration, data, strange: size(fields.into_iter()) })
    }

    /// As ActivityWatch answers: the sender's own words.
    pub fn echo(&self) -> Value {
        json!({"id": null, "timestamp": self.from, "duration": self.duration, "data": self.data})
    }

    /// What of it may go on; nothing is counted yet.
    pub fn judge(&self, kind: &str, turn: &Turn, source: &Source) -> Verdict {
        let (mut passes, mut refused) = (Map::new(), Map::new());
        let (mut passing, mut refusing) = (Vec::new(), Vec::new());
        let mut since: Option<Time> = None;
        for (key, part) in model::keys(kind, &self.data) {
            let known = part.category != Category::unknown();
            let (to_map, to_parts) =
                match known && turn.would_allow(&counted(&part), source, self.from, self.to) {
                    true => {
                        since = since.max(turn.allowed_since(part.category, PROGRAM));
                        (&mut passes, &mut passing)
                    }
                    false => (&mut refused, &mut refusing),
                };
            to_map.insert(key.to_owned(), self.data[key].clone());
            to_parts.push(part);
        }
        let passing = model::sum(passing.into_iter());
        Verdict { passes, passing, refused, refusing: model::sum(refusing.into_iter()), since }
    }

    /// Puts the event's parts into the report: those that pass and those that don't, unless `counted` already.
    pub fn note(&self, verdict: &Verdict, counted_before: [bool; 2], turn: &mut Turn, source: &Source) {
        for (parts, before) in [&verdict.passing, &verdict.refusing].into_iter().zip(counted_before) {
            for part in parts {
                let counts = part.recorded && !before;
                match counts {
                    true if part.category == Category::unknown() => turn.refuse(counted(part), source),
                    true => drop(turn.decide(counted(part), source, self.from, self.to)),
                    false => drop(turn.decide_uncounted(counted(part), source, self.from, self.to)),
                }
            }
        }
        if self.strange > 0 {
            turn.refuse(unknown(self.strange), source);
        }
    }

    /// The event that goes on, made of what was understood; `None` when nothing is left.
    pub fn rest(&self, verdict: &Verdict, now: Time) -> Option<Value> {
        if verdict.passes.is_empty() {
            return None;
        }
        // A duration beyond now would claim time that somebody may yet say no to.
        let so_far = now.jiff().duration_since(self.from.jiff()).as_secs_f64().max(0.0);
        let duration = self.duration.min(so_far);
        Some(json!({"timestamp": self.from, "duration": duration, "data": verdict.passes}))
    }

    /// How far back this event may grow together with an equal one: never over a time before what it holds was
    /// allowed.
    pub fn reach(&self, verdict: &Verdict, asked: f64) -> f64 {
        let Some(since) = verdict.since else { return 0.0 };
        let room = self.from.jiff().duration_since(since.jiff()).as_secs_f64() - CLEAR;
        asked.min(room).max(0.0)
    }
}

/// A moment as ActivityWatch writes it, with its distance from UTC.
pub(super) fn time(value: &Value) -> Option<Time> {
    let time: jiff::Timestamp = value.as_str()?.parse().ok()?;
    // What Python's own dates can hold, with room for a duration.
    let fits = (0..=253_000_000_000).contains(&time.as_second());
    fits.then(|| time.into())
}

fn counted(part: &Part) -> tally::Part {
    tally::Part { category: part.category, granularity: part.granularity, bytes: part.bytes, field: None }
}

/// Something that nobody can say what it is.
pub(super) fn unknown(bytes: u64) -> tally::Part {
    let (category, granularity) = (Category::unknown(), Granularity::Content);
    tally::Part { category, granularity, bytes, field: None }
}

/// Bytes of what has content.
pub(super) fn size(fields: impl Iterator<Item = (String, Value)>) -> u64 {
    let full = fields.filter(|(_, value)| !model::is_empty(value));
    full.map(|(key, value)| (key.len() + value.to_string().len()) as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_watcher_writes_is_an_event() {
        let with = |name: &str, value: Value| {
            let mut event =
                json!({"timestamp": "2026-11-02T09:00:00.123+00:00", "duration": 1.5, "data": {"app": "x"}});
            event[name] = value;
            Event::read(event)
        };
        let event = with("id", json!(7)).expect("an event");
        assert_eq!(event.to.to_string(), "2026-11-02T09:00:01.623Z");
        assert!(event.echo()["id"].is_null() && event.strange == 0);
        assert!(with("note", json!("x")).is_some_and(|event| event.strange > 0));
        assert!(with("note", json!("")).is_some_and(|event| event.strange == 0));
        for text in ["2026-11-02T09:00:00Z", "2026-11-02T10:00:00.5+01:00", "2026-11-02T10:00:00+0100"] {
            assert!(with("timestamp", json!(text)).is_some(), "{text}");
        }
        for (name, value) in [
            ("timestamp", json!("2026-11-02T09:00:00")),
            ("timestamp", json!("yesterday")),
            ("timestamp", json!(1_790_000_000)),
            ("timestamp", json!("-000001-01-01T00:00:00Z")),
            ("timestamp", json!("9999-12-30T00:00:00Z")),
            ("duration", json!(-1)),
            ("duration", json!("1")),
            ("duration", json!(1e300)),
            ("duration", Value::Null),
            ("data", json!([])),
            ("data", json!("x")),
            ("id", json!("x")),
            ("id", json!({"x": 1})),
        ] {
            assert!(with(name, value.clone()).is_none(), "{name} {value}");
        }
        assert!(Event::read(json!([])).is_none() && Event::read(json!({"data": {}})).is_none());
    }
}
