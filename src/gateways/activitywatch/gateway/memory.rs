//! What the adapter remembers between requests: what buckets call themselves, and whether the next heartbeat continues
//! the last one. Of an event's content it holds a keyed hash, whose key is this process's own and never written down.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::clock::{Random, Time};
use crate::collection::report::Source;
use crate::gateways::gate::device;

/// A machine has a dozen; a thousand would be somebody's attempt to fill the memory.
const MAX_BUCKETS: usize = 256;

pub(super) struct Memory {
    key: [u8; 32],
    source: Mutex<Option<Source>>,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

/// A bucket as its watcher describes it: names and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    pub kind: String,
    pub client: String,
    pub hostname: String,
}

#[derive(Default)]
struct Bucket {
    kind: Option<String>,
    /// What a watcher asked for: made again when ActivityWatch hasn't got it.
    wanted: Option<Description>,
    /// The newest that passed, and the newest that didn't.
    last: [Option<Last>; 2],
}

/// The end of a series of heartbeats with equal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Last {
    hash: [u8; 32],
    from: Time,
    to: Time,
    /// The report's window in which it was counted last.
    window: u64,
}

impl Memory {
    pub fn new(random: &Random) -> Self {
        let (source, buckets) = (Mutex::default(), Mutex::default());
        Memory { key: random.bytes(), source, buckets }
    }

    pub fn source(&self) -> Option<Source> {
        self.source.lock().expect("nobody panics while holding it").clone()
    }

    /// `version` as ActivityWatch says it.
    pub fn learn_version(&self, version: Option<&str>) -> Source {
        let source = device::source(super::super::PROGRAM, version);
        *self.source.lock().expect("nobody panics while holding it") = Some(source.clone());
        source
    }

    pub fn kind(&self, bucket: &str) -> Option<String> {
        self.buckets().get(bucket)?.kind.clone()
    }

    pub fn learn_kind(&self, bucket: &str, kind: &str) {
        self.change(bucket, |known| known.kind = Some(kind.to_owned()));
    }

    pub fn want(&self, bucket: &str, description: &Description) {
        self.change(bucket, |known| {
            known.wanted = Some(description.clone());
            // ActivityWatch may have it by another kind.
            known.kind = None;
        });
    }

    pub fn wanted(&self, bucket: &str) -> Option<Description> {
        self.buckets().get(bucket)?.wanted.clone()
    }

    pub fn all_wanted(&self) -> Vec<(String, Description)> {
        let buckets = self.buckets();
        buckets.iter().filter_map(|(id, known)| Some((id.clone(), known.wanted.clone()?))).collect()
    }

    /// The state of the series `which` after data observed from `from` to `to`, and whether it was counted in this
    /// window already: ActivityWatch grows one event out of what comes within `pulsetime`, and whoever reads it there
    /// counts that once.
    pub fn continues(
        &self,
        bucket: &str,
        which: usize,
        data: &Map<String, Value>,
        (from, to): (Time, Time),
        pulsetime: f64,
        window: u64,
    ) -> (Last, bool) {
        let mut new = Last { hash: self.hash(data), from, to, window };
        let last = self.buckets().get(bucket).and_then(|known| known.last[which]);
        let Some(last) = last.filter(|last| {
            let gap = from.jiff().duration_since(last.to.jiff()).as_secs_f64();
            last.hash == new.hash && last.from <= from && gap <= pulsetime
        }) else {
            return (new, false);
        };
        (new.from, new.to) = (last.from, last.to.max(to));
        (new, last.window == window)
    }

    pub fn remember(&self, bucket: &str, which: usize, last: Last) {
        self.change(bucket, |known| known.last[which] = Some(last));
    }

    fn hash(&self, data: &Map<String, Value>) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("any length is a key");
        mac.update(serde_json::to_string(data).unwrap_or_default().as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn change(&self, bucket: &str, change: impl FnOnce(&mut Bucket)) {
        let mut buckets = self.buckets();
        if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(bucket) {
            buckets.pop_first();
        }
        change(buckets.entry(bucket.to_owned()).or_default());
    }

    fn buckets(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.lock().expect("nobody panics while holding it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(second: i64) -> Time {
        Time::from(jiff::Timestamp::from_second(1_790_000_000 + second).expect("a time"))
    }

    #[test]
    fn a_series_counts_once_in_each_window() {
        let memory = Memory::new(&Random::seeded(1));
        let beat = |title: &str, second: i64, window: u64| {
            let data = json!({"title": title});
            let data = data.as_object().expect("an object");
            let (last, counted) = memory.continues("b", 0, data, (at(second), at(second)), 5.0, window);
            memory.remember("b", 0, last);
            counted
        };
        assert!(!beat("a", 0, 1) && beat("a", 4, 1) && beat("a", 9, 1), "grown together");
        assert!(!beat("a", 12, 2) && beat("a", 13, 2), "another report");
        assert!(!beat("a", 19, 2), "too late");
        assert!(!beat("b", 20, 2) && !beat("a", 21, 2), "something else in between");
        assert!(!beat("a", 20, 2), "older than what is there");
    }

    #[test]
    fn no_more_than_so_many_buckets_are_remembered() {
        let memory = Memory::new(&Random::seeded(1));
        for n in 0..1000 {
            memory.learn_kind(&format!("b{n}"), "currentwindow");
        }
        assert_eq!(memory.buckets().len(), MAX_BUCKETS);
        assert!(memory.kind("b999").is_some());
    }
}
