//! The agent's loop: read, sign, keep, send.
//!
//! Two marks tell what may be said about the past. *Covered until* is kept in the state file: how far
//! ActivityWatch has been read. What lies behind it is read later, after sleep or downtime, since the
//! watchers' events show whether they lived; nothing is said of time in which they didn't. *Present since*
//! is known to this process alone: from there on a report without items says "I was here, and no watcher
//! was". A machine that slept was not watched, although this process never ended.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::ActivityWatch;
use super::coverage::{self, SILENCE};
use super::model::{self, Bucket};
use super::server::{self, Answer, Server};
use super::state::{State, StateFile};
use crate::clock::{Clock, Random, Time};
use crate::collection::report::{self, Item, Source, Window};

pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

/// Seconds for which the newest events are left alone: watchers send them in small batches.
const SETTLING: i64 = 10;
/// Read at once; also the longest window of a report.
const STRIDE: i64 = 6 * 3600;
/// How far back the agent reads after it was away. Older records are a gap.
const MAX_CATCH_UP: i64 = 7 * 24 * 3600;
/// Reports that wait for the server. When it is full nothing new is read: ActivityWatch keeps it.
const MAX_QUEUE: usize = 500;

pub struct AgentOptions {
    /// Daylight's address; https, unless it is this machine.
    pub server: String,
    /// ActivityWatch's address on this machine, usually `http://127.0.0.1:5600`.
    pub activitywatch: String,
    /// Where the key, the token and unsent reports are kept.
    pub state_dir: PathBuf,
    pub interval: Duration,
    /// One-time enrolment secret; needed in the first run only.
    pub secret: Option<String>,
    /// Report once, send everything, and end; an error when something couldn't be sent.
    pub once: bool,
}

/// Runs until `shutdown` completes. An error is one line for the person who started it.
pub async fn run(
    options: AgentOptions,
    clock: Clock,
    random: Random,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut shutdown = pin!(shutdown);
    let once = options.once;
    let mut agent = tokio::select! {
        () = &mut shutdown => return Ok(()),
        agent = Agent::start(options, clock, random) => agent?,
    };
    // Dropping what runs is safe at any point: the state file is written whole, and a report that was sent
    // without hearing the answer is sent again and gets the same receipt.
    tokio::select! {
        () = &mut shutdown => Ok(()),
        result = agent.work(once) => result,
    }
}

struct Agent {
    activitywatch: ActivityWatch,
    server: Server,
    file: StateFile,
    state: State,
    key: SigningKey,
    clock: Clock,
    random: Random,
    interval: Duration,
    present_since: Time,
    failures: u32,
}

impl Agent {
    async fn start(options: AgentOptions, clock: Clock, random: Random) -> anyhow::Result<Self> {
        let activitywatch = ActivityWatch::new(&options.activitywatch)?;
        let server = Server::new(&options.server)?;
        anyhow::ensure!(
            options.interval >= Duration::from_secs(5),
            "the interval: must be 5 seconds or more"
        );
        let file = StateFile::open(&options.state_dir)?;
        let boot_id = random.uuid(clock.now());
        let mut state = match file.load()? {
            Some(state) => state,
            None => {
                let secret = options.secret.as_deref().context(
                    "this agent isn't enrolled: ask an administrator for an enrolment secret and give it with --secret",
                )?;
                let key = SigningKey::from_bytes(&random.bytes());
                let enrolled = server.enrol(secret, &key).await?;
                tracing::info!(agent = %enrolled.agent_id, "enrolled");
                State::new(server.address().into(), &key, enrolled, boot_id)
            }
        };
        anyhow::ensure!(
            state.server == server.address(),
            "this agent is enrolled at {}: use another --state folder to enrol elsewhere",
            state.server
        );
        // Each start begins a chain of its own; reports that wait keep the run they were made in.
        (state.boot_id, state.seq, state.prev_hash) = (boot_id, 0, None);
        file.save(&state)?;
        let key = state.key()?;
        let present_since = clock.now();
        let interval = options.interval;
        Ok(Agent {
            activitywatch,
            server,
            file,
            state,
            key,
            clock,
            random,
            interval,
            present_since,
            failures: 0,
        })
    }

    async fn work(&mut self, once: bool) -> anyhow::Result<()> {
        loop {
            let next = Instant::now() + self.interval;
            let read = self.observe().await;
            let mut sent = self.flush().await?;
            if once {
                read?;
                return match sent {
                    Ok(()) => Ok(()),
                    Err(_) => {
                        anyhow::bail!("the Daylight server took no reports; {} wait", self.state.queue.len())
                    }
                };
            }
            if let Err(error) = read {
                tracing::warn!("{error:#}; this time is a gap until it can be read");
            }
            while Instant::now() < next {
                let wake = match sent {
                    Ok(()) => next,
                    Err(pause) => next.min(Instant::now() + pause),
                };
                tokio::time::sleep_until(wake).await;
                if wake < next {
                    sent = self.flush().await?;
                }
            }
        }
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
        for mut window in coverage::windows(buckets, window) {
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
            "report_id": self.random.uuid(now),
            "agent_id": self.state.agent_id,
            "boot_id": self.state.boot_id,
            "seq": self.state.seq,
            "prev_hash": self.state.prev_hash,
            "device_id": self.state.device_id,
            "window": window,
            "produced_at": now,
            "policy": null,
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
            match self.server.send(&self.state, report).await? {
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
        let chance = f64::from(u32::from_be_bytes(self.random.bytes())) / f64::from(u32::MAX);
        let pause = server::pause(self.failures, chance, after);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}
