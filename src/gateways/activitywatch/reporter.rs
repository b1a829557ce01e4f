//! The agent's loop: read, report, send.
//!
//! Two marks tell what may be said about the past. *Covered until* is kept in the state file: how far
//! ActivityWatch has been read. What lies behind it is read later, after sleep or downtime, since the
//! watchers' events show whether they lived; nothing is said of time in which they didn't. *Present since*
//! is known to this process alone: from there on a report without items says "I was here, and no watcher
//! was". A machine that slept was not watched, although this process never ended.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::PROGRAM;
use super::client::ActivityWatch;
use super::coverage::{self, SILENCE};
use super::model::{self, Bucket};
use super::refusals::Refusals;
use crate::clock::{Clock, Time};
use crate::collection::report::{Item, Source, Window};
use crate::gateways::link::outgoing::Outgoing;
use crate::gateways::link::policy::Policies;

/// Seconds for which the newest events are left alone: watchers send them in small batches.
const SETTLING: i64 = 10;
/// Read at once.
const STRIDE: i64 = 6 * 3600;
/// How far back the agent reads after it was away. Older records are a gap.
const MAX_CATCH_UP: i64 = 7 * 24 * 3600;
/// While something is refused, it is looked this often whether it is recorded all the same.
const GLANCE: Duration = Duration::from_secs(20);

pub(super) struct Reporter {
    activitywatch: ActivityWatch,
    outgoing: Outgoing,
    pub policies: Arc<Policies>,
    refusals: Refusals,
    clock: Clock,
    interval: Duration,
    present_since: Time,
}

impl Reporter {
    pub fn new(
        activitywatch: ActivityWatch,
        outgoing: Outgoing,
        policies: Arc<Policies>,
        clock: Clock,
        interval: Duration,
    ) -> Self {
        let present_since = clock.now();
        // What was refused before this start has been so for long enough.
        let refusals = Refusals::new(policies.refused(PROGRAM), present_since);
        Reporter { activitywatch, outgoing, policies, refusals, clock, interval, present_since }
    }

    pub async fn report_once(&mut self) -> anyhow::Result<()> {
        self.observe().await?;
        let Err(_) = self.outgoing.flush().await? else { return Ok(()) };
        anyhow::bail!("the Daylight server took no reports; {} wait", self.outgoing.waiting())
    }

    pub async fn work(&mut self) -> anyhow::Result<Infallible> {
        let mut news = self.policies.subscribe();
        loop {
            let next = Instant::now() + self.interval;
            let read = self.observe().await;
            let mut sent = self.outgoing.flush().await?;
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
                    sent = self.outgoing.flush().await?;
                }
                // When the server is away there is nobody to be told early, and the queue must last.
                let early = sent.is_ok() && self.sees_what_is_refused().await;
                self.refusals.update(
                    self.policies.refused(PROGRAM),
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
        let since = self.outgoing.state.covered_until.unwrap_or(until).max(until.plus_seconds(-STRIDE));
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
        let covered = self.outgoing.state.covered_until.filter(|mark| *mark <= until.plus_seconds(3600));
        let from = covered.unwrap_or(until.plus_seconds(-interval));
        let mut from = from.max(until.plus_seconds(-MAX_CATCH_UP));
        while from < until {
            // ActivityWatch keeps what isn't read.
            if self.outgoing.is_full() {
                tracing::warn!(
                    waiting = self.outgoing.waiting(),
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
        self.outgoing.state.covered_until = Some(window.end);
        self.outgoing.save()
    }

    /// "I was here, and saw nothing of any category."
    fn say_present(&mut self, until: Time) -> anyhow::Result<()> {
        if self.present_since < until {
            self.report(Window { start: self.present_since, end: until }, &[])?;
            self.present_since = until;
            self.outgoing.save()?;
        }
        Ok(())
    }

    fn report(&mut self, window: Window, items: &[Item]) -> anyhow::Result<()> {
        self.outgoing.report(window, items, self.policies.applied_by(window.end))
    }
}
