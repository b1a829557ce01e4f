//! The agent's loop: read, sign, keep, send.
//!
//! Two marks tell what may be said about the past. *Covered until* is kept in the state file: how far
//! ActivityWatch has been read. What lies behind it is read later, after sleep or downtime, since the
//! watchers' events show whether they lived; nothing is said of time in which they didn't. *Present since*
//! is known to this process alone: from there on a report without items says "I was here, and no watcher
//! was". A machine that slept was not watched, although this process never ended.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::ActivityWatch;
use super::coverage::{self, SILENCE};
use super::model::{self, Bucket};
use super::policy::Policies;
use super::refusals::Refusals;
use super::server::{self, Answer, Contact};
use super::state::{State, StateFile};
use crate::clock::{Clock, Time};
use crate::collection::report::{self, Item, Source, Window};

/// Seconds for which the newest events are left alone: watchers send them in small batches.
const SETTLING: i64 = 10;
/// Read at once.
const STRIDE: i64 = 6 * 3600;
/// How far back the agent reads after it was away. Older records are a gap.
const MAX_CATCH_UP: i64 = 7 * 24 * 3600;
/// Reports that wait for the server. When it is full nothing new is read: ActivityWatch keeps it.
const MAX_QUEUE: usize = 500;
/// While something is refused, it is looked this often whether it is recorded all the same.
const GLANCE: Duration = Duration::from_secs(20);

pub(super) struct Reporter {
    activitywatch: ActivityWatch,
    contact: Contact,
    file: StateFile,
    state: State,
    key: SigningKey,
    pub policies: Arc<Policies>,
    refusals: Refusals,
    clock: Clock,
    interval: Duration,
    present_since: Time,
    failures: u32,
}

impl Reporter {
    pub fn new(
        activitywatch: ActivityWatch,
        contact: Contact,
        file: StateFile,
        state: State,
        policies: Arc<Policies>,
        clock: Clock,
        interval: Duration,
    ) -> anyhow::Result<Self> {
        let key = state.key()?;
        let present_since = clock.now();
        // What was refused before this start has been so for long enough.
        let refusals = Refusals::new(policies.refused(), present_since);
        Ok(Reporter {
            activitywatch,
            contact,
            file,
            state,
            key,
            policies,
            refusals,
            clock,
            interval,
            present_since,
            failures: 0,
        })
    }

    pub async fn report_once(&mut self) -> anyhow::Result<()> {
        self.observe().await?;
        let Err(_) = self.flush().await? else { return Ok(()) };
        anyhow::bail!("the Daylight server took no reports; {} wait", self.state.queue.len())
    }

    pub async fn work(&mut self) -> anyhow::Result<Infallible> {
        let mut news = self.policies.subscribe();
        loop {
            let next = Instant::now() + self.interval;
            let read = self.observe().await;
            let mut sent = self.flush().await?;
            if let Err(error) = read {
                tracing::warn!("{error:#}; this time is a gap until it can be read");
            }
            while Instant::now() < next {
                let mut wake = match sent {
                    Ok(()) => next,
                    Err(pause) => next.min(Instant::now() + pause),
                };
                if sent.is_ok() && !self.refusals.is_empty() {
                    wake = wake.min(Instant::now() + GLANCE);
                }
                tokio::select! {
                    () = tokio::time::sleep_until(wake) => {}
                    _ = news.changed() => {}
                }
                if sent.is_err() && wake <= Instant::now() && wake < next {
                    sent = self.flush().await?;
                }
                // When the server is away there is nobody to be told early, and the queue must last.
                let early = sent.is_ok() && self.sees_what_is_refused().await;
                self.refusals.update(
                    self.policies.refused(),
                    self.policies.grace_seconds(),
                    self.clock.now(),
                );
                if early {
                    break;
                }
            }
        }
    }

    /// Whether something was recorded in spite of a refusal and isn't reported yet.
    async fn sees_what_is_refused(&self) -> bool {
        let until = self.clock.now().plus_seconds(-SETTLING);
        let since = self.state.covered_until.unwrap_or(until).max(until.plus_seconds(-STRIDE));
        let window = Window { start: since, end: until };
        if self.refusals.is_empty() || since >= until {
            return false;
        }
        // An error is told when the next report is due.
        self.activitywatch
            .read(window)
            .await
            .is_ok_and(|reading| self.refusals.are_broken(&reading.buckets, window))
    }

    /// Reads what is new and puts signed reports into the queue.
    async fn observe(&mut self) -> anyhow::Result<()> {
        let interval = i64::try_from(self.interval.as_secs()).unwrap_or(STRIDE).min(STRIDE);
        let until = self.clock.now().plus_seconds(-SETTLING);
        if until.seconds_since(self.present_since) > interval + 90 {
            // The machine slept: nobody was present, and nobody knows since when somebody is.
            self.present_since = until;
        }
        // A new agent looks back for one interval; what is older belongs to the time before it.
        // A mark in the future was made by a clock that was wrong then.
        let covered = self.state.covered_until.filter(|mark| *mark <= until.plus_seconds(3600));
        let from = covered.unwrap_or(until.plus_seconds(-interval));
        let mut from = from.max(until.plus_seconds(-MAX_CATCH_UP));
        while from < until {
            if self.state.queue.len() >= MAX_QUEUE {
                tracing::warn!(
                    waiting = self.state.queue.len(),
                    "too many reports wait for the server; reading pauses"
                );
                return Ok(());
            }
            let mut end = until.min(from.plus_seconds(STRIDE));
            if from < self.present_since && self.present_since < end {
                end = self.present_since;
            }
            let window = Window { start: from, end };
            // Further back, so that a watcher between two heartbeats is known to live.
            let reach = Window { start: from.plus_seconds(-SILENCE), end };
            match self.activitywatch.read(reach).await {
                Ok(reading) => self.add(&reading.buckets, &reading.source, window)?,
                Err(error) => {
                    // Not marked as covered: watchers that couldn't deliver meanwhile will, and it is read then.
                    self.say_present(until)?;
                    return Err(error);
                }
            }
            from = end;
        }
        self.present_since = self.present_since.max(until);
        Ok(())
    }

    /// Reports for what was read about a window that lies wholly before or after `present_since`.
    fn add(&mut self, buckets: &[Bucket], source: &Source, window: Window) -> anyhow::Result<()> {
        let present = window.start >= self.present_since;
        let longest = i64::try_from(self.interval.as_secs()).unwrap_or(STRIDE);
        for mut window in coverage::windows(buckets, window, longest, self.refusals.changes()) {
            let items = model::items(buckets, window, source);
            if !present && !buckets.iter().any(|b| b.is_live_throughout(window)) {
                // Something was recorded while no watcher with a heartbeat lived: no more than its own time.
                let Some(narrow) = coverage::narrow(&items, window) else { continue };
                window = narrow;
            }
            self.report(window, &items)?;
        }
        self.state.covered_until = Some(window.end);
        self.file.save(&self.state)
    }

    /// "I was here, and saw nothing of any category."
    fn say_present(&mut self, until: Time) -> anyhow::Result<()> {
        if self.present_since < until {
            self.report(Window { start: self.present_since, end: until }, &[])?;
            self.present_since = until;
            self.file.save(&self.state)?;
        }
        Ok(())
    }

    fn report(&mut self, window: Window, items: &[Item]) -> anyhow::Result<()> {
        let now = self.clock.now();
        let fields = json!({
            "schema": "collection-report/1",
            "report_id": self.contact.random.uuid(now),
            "agent_id": self.state.agent_id,
            "boot_id": self.state.boot_id,
            "seq": self.state.seq,
            "prev_hash": self.state.prev_hash,
            "device_id": self.state.device_id,
            "window": window,
            "produced_at": now,
            "policy": self.policies.applied_by(window.end),
            "items": items,
        });
        let Value::Object(fields) = fields else { unreachable!("written as an object above") };
        let (report, hash) = report::sign(fields, &self.key)?;
        let counts = items.iter().map(|i| format!("{}={}", i.category, i.collected.count));
        tracing::info!(seq = self.state.seq, counts = counts.collect::<Vec<_>>().join(" "), "report made");
        self.state.queue.push_back(report);
        self.state.seq += 1;
        self.state.prev_hash = Some(hash);
        Ok(())
    }

    /// Sends what waits, oldest first. Inner error: how long to wait. Outer error: stop for good.
    async fn flush(&mut self) -> anyhow::Result<Result<(), Duration>> {
        let mut done = 0;
        let result = loop {
            let Some(report) = self.state.queue.front() else { break Ok(()) };
            match self.contact.server.send(&self.contact.identity, report).await? {
                Answer::Taken => self.failures = 0,
                Answer::Refused(status) => {
                    let seq = report["seq"].as_u64();
                    tracing::error!(
                        status = status.as_u16(),
                        seq,
                        "the server refused a report; it is dropped"
                    );
                }
                Answer::NotNow(why, after) => {
                    let (pause, waiting) = (self.pause(after), self.state.queue.len());
                    tracing::warn!(
                        waiting,
                        seconds = pause.as_secs(),
                        "the Daylight server: {why}; trying again"
                    );
                    break Err(pause);
                }
            }
            self.state.queue.pop_front();
            done += 1;
            // Not after each: what is sent twice after a crash gets the same receipt.
            if done % 20 == 0 {
                self.file.save(&self.state)?;
            }
        };
        if done > 0 {
            self.file.save(&self.state)?;
        }
        Ok(result)
    }

    fn pause(&mut self, after: Option<Duration>) -> Duration {
        let chance = f64::from(u32::from_be_bytes(self.contact.random.bytes())) / f64::from(u32::MAX);
        let pause = server::pause(self.failures, chance, after);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}
