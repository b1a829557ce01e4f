//! A device's reports and its obedience: cuts the tally at every interval and wherever the policy changes.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::device::Device;
use crate::gateways::link::outgoing::Outgoing;

/// How often the gateway notices that it is awake.
const TICK: Duration = Duration::from_secs(20);

pub(super) struct Reporter {
    pub device: Arc<Device>,
    pub outgoing: Outgoing,
    pub interval: Duration,
}

impl Reporter {
    /// Works until it is dropped; call [`Reporter::end`] then. An error means that this gateway may not report for the
    /// device any more, or can't keep what it learned.
    pub async fn work(&mut self) -> anyhow::Result<Infallible> {
        let mut news = self.device.policies.subscribe();
        let mut followed = None;
        let mut next = Instant::now() + self.interval;
        // What waits since a former run goes first; nothing goes before the server wants it.
        let (mut wake, mut not_before) = (Instant::now(), Instant::now());
        loop {
            let generation = self.device.policies.current().generation;
            if followed != Some(generation) {
                news.borrow_and_update();
                // Only when nothing that the former policy let through is under way has the new one been applied.
                let current = self.device.follow().await;
                if followed.is_some() {
                    self.cut()?;
                    wake = Instant::now();
                }
                followed = Some(current.generation);
                self.device.policies.applied(&current)?;
            }
            if Instant::now() >= next {
                self.cut()?;
                (wake, next) = (Instant::now(), Instant::now() + self.interval);
            }
            if Instant::now() >= wake.max(not_before) {
                match self.send(&mut news).await? {
                    Some(Ok(())) => wake = next,
                    Some(Err(pause)) => not_before = Instant::now() + pause,
                    None => continue,
                }
            }
            tokio::select! {
                _ = news.changed() => {}
                () = tokio::time::sleep_until(wake.max(not_before).min(next).min(Instant::now() + TICK)) => {}
            }
            self.device.wake();
        }
    }

    /// Sends what waits; `None` when there is a new policy first, which can't wait for a slow server. What was on its way
    /// then is sent again, and gets the same receipt.
    async fn send(&mut self, news: &mut watch::Receiver<()>) -> anyhow::Result<Option<Result<(), Duration>>> {
        let mut sending = pin!(self.outgoing.flush());
        loop {
            tokio::select! {
                sent = &mut sending => return sent.map(Some),
                _ = news.changed() => return Ok(None),
                () = tokio::time::sleep(TICK) => self.device.wake(),
            }
        }
    }

    /// A report about the time since the last one, also when nothing came: silence is a gap otherwise.
    fn cut(&mut self) -> anyhow::Result<()> {
        if self.outgoing.is_full() && self.device.uncut() < 20 * 3600 {
            // One long window says less than many, and is still true.
            tracing::warn!(
                waiting = self.outgoing.waiting(),
                "too many reports wait for the server; windows grow"
            );
            return Ok(());
        }
        if self.outgoing.is_full() {
            tracing::error!("reports of a day are lost: the server has taken none for too long");
            self.device.cut();
            return Ok(());
        }
        self.keep()
    }

    /// Puts what was counted into the queue, and the queue on the disk.
    fn keep(&mut self) -> anyhow::Result<()> {
        for (window, items) in self.device.cut() {
            let policy = self.device.policies.applied_by(window.end);
            self.outgoing.report(window, &items, policy)?;
        }
        self.outgoing.save()
    }

    /// The last report; it is sent at the next start when the server doesn't take it now. However many wait: nothing else
    /// will ever say what went on since the last one.
    pub async fn end(&mut self) {
        if let Err(error) = self.keep() {
            tracing::error!("the last report can't be kept: {error:#}");
        }
        let _ = tokio::time::timeout(Duration::from_secs(5), self.outgoing.flush()).await;
    }
}
