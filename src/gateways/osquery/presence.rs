//! What was found of the catalogue since the last presence report, and the reports' way to Daylight.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::catalogue::{By, ProductId};
use crate::clock::{Clock, Time};
use crate::collection::presence::{Look, SeenProduct};
use crate::collection::report::{MAX_SKEW_SECONDS, Window};
use crate::gateways::link::server::{self, Answer, Contact};
use crate::gateways::link::state;

/// In the device's folder: reports that the server hasn't taken yet.
pub(super) const NAME: &str = "presence.json";
/// A day of reports at the usual interval.
const MAX_QUEUE: usize = 300;
/// What osquery kept for longer, while the gateway was away, says nothing of the present.
const LATEST_SECONDS: i64 = 3600;

/// What was found since the last report.
#[derive(Default)]
pub(super) struct Found(Mutex<Since>);

#[derive(Default)]
struct Since {
    first: Option<Time>,
    /// The question that is asked everywhere has been answered.
    has_looked: bool,
    products: BTreeMap<(ProductId, By), (Time, Time)>,
}

impl Found {
    /// Something was looked at, at that time; `whole` when its answer says what isn't there, too.
    pub fn look(&self, at: Time, now: Time, whole: bool) {
        let Some(at) = timely(at, now) else { return };
        let mut since = self.0.lock().expect("nobody panics while holding it");
        since.first = Some(since.first.map_or(at, |first| first.min(at)));
        since.has_looked |= whole;
    }

    /// A product of the catalogue was there.
    pub fn product(&self, product: ProductId, by: By, at: Time, now: Time) {
        let Some(at) = timely(at, now) else { return };
        let mut since = self.0.lock().expect("nobody panics while holding it");
        since.first = Some(since.first.map_or(at, |first| first.min(at)));
        let times = since.products.entry((product, by)).or_insert((at, at));
        *times = (times.0.min(at), times.1.max(at));
    }

    /// What there is to report: nothing before somebody has looked.
    fn cut(&self, now: Time) -> Option<(Window, Vec<SeenProduct>)> {
        let mut since = self.0.lock().expect("nobody panics while holding it");
        let start = since.first?;
        if now <= start || (!since.has_looked && since.products.is_empty()) {
            return None;
        }
        let done = std::mem::take(&mut *since);
        let seen = |((product, by), (first, last)): (_, (Time, Time))| SeenProduct {
            product,
            by,
            first_observed: first,
            last_observed: last,
        };
        // A look that was never finished by the question asked everywhere may be old by now.
        let start = start.max(now.plus_seconds(-LATEST_SECONDS));
        let products: Vec<SeenProduct> = done.products.into_iter().map(seen).collect();
        let inside = products.into_iter().filter(|seen| seen.first_observed >= start).collect();
        Some((Window { start, end: now }, inside))
    }
}

/// A clock may be a little ahead; nothing is said of the future, nor of what is long past.
fn timely(at: Time, now: Time) -> Option<Time> {
    (at <= now.plus_seconds(MAX_SKEW_SECONDS) && at >= now.plus_seconds(-LATEST_SECONDS)).then(|| at.min(now))
}

/// Whose presence reports these are.
pub(in crate::gateways) struct Teller {
    pub contact: Contact,
    pub key: SigningKey,
    pub agent_id: Uuid,
    pub device_id: Uuid,
    pub clock: Clock,
    pub interval: Duration,
    found: Arc<Found>,
    path: PathBuf,
    queue: VecDeque<Value>,
    failures: u32,
}

/// Whose reports a teller makes.
pub(in crate::gateways) struct Identity {
    pub key: SigningKey,
    pub agent_id: Uuid,
    pub device_id: Uuid,
}

impl Teller {
    pub(super) fn new(
        contact: Contact,
        Identity { key, agent_id, device_id }: Identity,
        found: Arc<Found>,
        path: PathBuf,
        (clock, interval): (Clock, Duration),
    ) -> anyhow::Result<Self> {
        let queue = state::read(&path)?.unwrap_or_default();
        Ok(Teller { contact, key, agent_id, device_id, clock, interval, found, path, queue, failures: 0 })
    }

    /// A report after each interval in which somebody looked; silence otherwise, which is a gap. An error means that
    /// this gateway may not report for the device any more, or can't keep what it has to say.
    pub async fn work(&mut self) -> anyhow::Result<Infallible> {
        let mut not_before = Instant::now();
        loop {
            tokio::time::sleep(self.interval).await;
            self.cut()?;
            if Instant::now() < not_before {
                continue;
            }
            if let Some(pause) = self.flush().await? {
                not_before = Instant::now() + pause;
            }
        }
    }

    /// The last report; it is sent at the next start when the server doesn't take it now.
    pub async fn end(&mut self) {
        if let Err(error) = self.cut() {
            tracing::error!("the last presence report can't be kept: {error:#}");
        }
        let _ = tokio::time::timeout(Duration::from_secs(5), self.flush()).await;
    }

    fn cut(&mut self) -> anyhow::Result<()> {
        let now = self.clock.now();
        let Some((window, products)) = self.found.cut(now) else { return Ok(()) };
        let look = Look {
            report_id: self.contact.random.uuid(now),
            agent_id: self.agent_id,
            device_id: self.device_id,
            window,
            produced_at: now,
            products,
        };
        self.queue.push_back(look.sign(&self.key)?.0);
        while self.queue.len() > MAX_QUEUE {
            self.queue.pop_front();
        }
        state::write(&self.path, &self.queue)
    }

    /// Sends what waits, oldest first; answers how long to wait before the next attempt.
    async fn flush(&mut self) -> anyhow::Result<Option<Duration>> {
        while let Some(report) = self.queue.front() {
            match self.contact.server.tell(&self.contact.identity, report).await? {
                Answer::Taken => self.failures = 0,
                Answer::Refused(status) => {
                    tracing::error!(
                        status = status.as_u16(),
                        "the server refused a presence report; it is dropped"
                    );
                }
                Answer::NotNow(why, after) => {
                    let chance =
                        f64::from(u32::from_be_bytes(self.contact.random.bytes())) / f64::from(u32::MAX);
                    let pause = server::pause(self.failures, chance, after);
                    self.failures = self.failures.saturating_add(1);
                    let waiting = self.queue.len();
                    tracing::warn!(waiting, "presence reports wait; the Daylight server: {why}");
                    return Ok(Some(pause));
                }
            }
            self.queue.pop_front();
            state::write(&self.path, &self.queue)?;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time::from(jiff::Timestamp::from_second(1_790_000_000 + second).unwrap())
    }

    #[test]
    fn nothing_is_said_before_somebody_has_looked() {
        let found = Found::default();
        assert!(found.cut(at(10)).is_none());
        found.look(at(0), at(1), false);
        assert!(found.cut(at(10)).is_none(), "one table isn't a look");
        found.look(at(2), at(3), true);
        assert!(found.cut(at(0)).is_none(), "no time has passed");
        let (window, products) = found.cut(at(10)).unwrap();
        assert_eq!((window.start, window.end), (at(0), at(10)));
        assert!(products.is_empty(), "looked and found none");
        assert!(found.cut(at(20)).is_none(), "begun anew");
    }

    #[test]
    fn a_product_is_said_to_be_there_when_it_was() {
        let (found, product) = (Found::default(), ProductId::parse("osquery").unwrap());
        for second in [5, 3, 9] {
            found.product(product, By::Process, at(second), at(9));
        }
        found.product(product, By::Process, at(9 - 4000), at(9));
        found.product(product, By::Process, at(9 + 400), at(9));
        let (window, products) = found.cut(at(10)).unwrap();
        assert_eq!(window.start, at(3));
        assert_eq!(products.len(), 1);
        assert_eq!((products[0].first_observed, products[0].last_observed), (at(3), at(9)));
    }
}
