//! Reports on their way: signed into the chain, kept in the state file until the server has taken them, and sent in
//! order.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use super::server::{self, Answer, Contact};
use super::state::{State, StateFile};
use crate::clock::Clock;
use crate::collection::report::{self, Item, MAX_ITEMS, PolicyRef, Window};

/// Reports that wait for the server.
const MAX_QUEUE: usize = 500;

pub(in crate::gateways) struct Outgoing {
    contact: Contact,
    file: StateFile,
    pub state: State,
    key: SigningKey,
    clock: Clock,
    failures: u32,
}

impl Outgoing {
    pub fn new(contact: Contact, file: StateFile, state: State, clock: Clock) -> anyhow::Result<Self> {
        let key = state.key()?;
        Ok(Outgoing { contact, file, state, key, clock, failures: 0 })
    }

    pub fn waiting(&self) -> usize {
        self.state.queue.len()
    }

    /// Nothing more should be put in until the server has taken some.
    pub fn is_full(&self) -> bool {
        self.waiting() >= MAX_QUEUE
    }

    pub fn save(&self) -> anyhow::Result<()> {
        self.file.save(&self.state)
    }

    /// Puts what was seen in this window into the queue: one report, more when there are more items than one may hold.
    /// It is kept once [`Outgoing::save`] has returned.
    pub fn report(
        &mut self,
        window: Window,
        items: &[Item],
        policy: Option<PolicyRef>,
    ) -> anyhow::Result<()> {
        let mut parts: Vec<&[Item]> = items.chunks(MAX_ITEMS).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        for items in parts {
            self.sign(window, items, policy.as_ref())?;
        }
        Ok(())
    }

    fn sign(&mut self, window: Window, items: &[Item], policy: Option<&PolicyRef>) -> anyhow::Result<()> {
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
            "policy": policy,
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
    pub async fn flush(&mut self) -> anyhow::Result<Result<(), Duration>> {
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
