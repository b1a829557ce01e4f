//! One device at the gate: what its person allows at this moment, and what has come in since the last report.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::tally::{Entry, Part, Tally};
use super::upstream::{Reply, Unreached};
use crate::clock::{Clock, Time};
use crate::collection::report::{Destination, DropReason, Item, Source, Window};
use crate::gateways::link::policy::{Current, Policies};
use crate::register::{Category, Purpose};

/// How often it is looked whether a request that the former policy decided has ended.
const GLANCE: Duration = Duration::from_millis(10);
/// Longer than any request may take ([`super::upstream::ERRAND`]).
const LAST_TURN: Duration = Duration::from_secs(60);

pub(in crate::gateways) struct Device {
    pub policies: Arc<Policies>,
    pub clock: Clock,
    now: RwLock<Arc<Current>>,
    tally: Mutex<(u64, Tally)>,
    closed: AtomicBool,
    /// Held by whatever was begun and isn't over.
    errands: Arc<()>,
}

impl Device {
    pub fn new(policies: Arc<Policies>, clock: Clock) -> Self {
        let tally = Mutex::new((0, Tally::new(clock.now())));
        let now = RwLock::new(Arc::new(policies.current()));
        Device { policies, clock, now, tally, closed: AtomicBool::new(false), errands: Arc::default() }
    }

    /// Nothing passes until the server is heard again: it no longer knows this device's gateway, or what it says
    /// can't be kept.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.policies.lose_touch();
    }

    /// Says that the gateway is awake.
    pub fn wake(&self) {
        self.tally().1.wake(self.clock.now());
    }

    /// Does what a request asks for to its end, whether or not its sender still listens: what is on its way to the
    /// collector is counted.
    pub fn run<T: Send + 'static>(&self, errand: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        let hold = self.errands.clone();
        tokio::spawn(async move {
            let done = errand.await;
            drop(hold);
            done
        })
    }

    /// Waits until nothing is under way that a request began, so that the last report counts it.
    pub async fn rest(&self) {
        let_go(&self.errands).await;
    }

    /// How often it was cut, and what was counted since.
    fn tally(&self) -> MutexGuard<'_, (u64, Tally)> {
        self.tally.lock().expect("nobody panics while holding it")
    }

    /// A request's hold on the policy as it is: until it is over, that policy doesn't count as replaced.
    fn current(&self) -> Arc<Current> {
        if self.closed.load(Ordering::SeqCst) {
            return Arc::default();
        }
        self.now.read().expect("nobody panics while holding it").clone()
    }

    /// Decides by the newest policy from now on, and answers it once nothing that the former one decided is under way.
    pub async fn follow(&self) -> Arc<Current> {
        let new = Arc::new(self.policies.current());
        if new.is_heard() {
            self.closed.store(false, Ordering::SeqCst);
        }
        let old = {
            let mut now = self.now.write().expect("nobody panics while holding it");
            std::mem::replace(&mut *now, new.clone())
        };
        if !let_go(&old).await {
            tracing::error!("a request takes longer than any may; the policy counts as applied all the same");
        }
        new
    }

    /// What was counted since the last time, with its windows.
    pub fn cut(&self) -> Vec<(Window, Vec<Item>)> {
        let mut tally = self.tally();
        let cut = tally.1.take(self.clock.now());
        tally.0 += cut.len() as u64;
        cut
    }

    /// Seconds since the last cut.
    pub fn uncut(&self) -> i64 {
        self.tally().1.age(self.clock.now())
    }

    /// Grows with each cut: what lasts counts once in each window.
    pub fn window(&self) -> u64 {
        self.tally().0
    }
}

/// Waits until nobody else holds it, for as long as a request may take; answers whether nobody does.
async fn let_go<T>(held: &Arc<T>) -> bool {
    let deadline = tokio::time::Instant::now() + LAST_TURN;
    while Arc::strong_count(held) > 1 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(GLANCE).await;
    }
    Arc::strong_count(held) == 1
}

/// One kind of agent on a device, and where its records go.
pub(in crate::gateways) struct Site {
    pub device: Arc<Device>,
    pub upstream: super::upstream::Upstream,
    pub destination: Option<Destination>,
    pub purpose: Option<Purpose>,
}

/// One request: its records are judged by one policy, and counted once it is known what became of them. Dropped
/// without a word it counts nothing: whoever sent it hears that it failed, and sends it again.
pub(in crate::gateways) struct Turn {
    site: Arc<Site>,
    current: Arc<Current>,
    pub now: Time,
    noted: Vec<Noted>,
}

struct Noted {
    part: Part,
    source: Source,
    outcome: Result<(), DropReason>,
    /// False for what was counted in this window already.
    counts: bool,
}

impl Site {
    pub fn turn(self: &Arc<Self>) -> Turn {
        let (current, now) = (self.device.current(), self.device.clock.now());
        Turn { site: self.clone(), current, now, noted: Vec::new() }
    }

    /// Whether what was sent may be with the collector. One elsewhere may keep what it says it refuses, and nobody would
    /// ever know: any answer counts. One on this machine is believed when it refuses: nothing has left, and a count of
    /// what isn't there would accuse the agent that counts behind it.
    pub fn may_have_arrived(&self, sent: &Result<Reply, Unreached>) -> bool {
        match sent {
            Ok(reply) => reply.is_success() || self.destination.is_some(),
            Err(unreached) => unreached.may_have_arrived,
        }
    }
}

impl Turn {
    /// Whether this part of a record that was observed from `from` to `to` may go on; it will be counted either way.
    pub fn decide(&mut self, part: Part, source: &Source, from: Time, to: Time) -> bool {
        self.note(part, source, (from, to), true)
    }

    /// As [`Turn::decide`], for what records nothing, or goes on with a record that was counted in this window already.
    pub fn decide_uncounted(&mut self, part: Part, source: &Source, from: Time, to: Time) -> bool {
        self.note(part, source, (from, to), false)
    }

    fn note(&mut self, part: Part, source: &Source, span: (Time, Time), counts: bool) -> bool {
        let outcome = self.current.judge(&part.what(source.program(), self.site.purpose), span, self.now);
        self.noted.push(Noted { part, source: source.clone(), outcome, counts });
        outcome.is_ok()
    }

    /// What [`Turn::decide`] will say.
    pub fn would_allow(&self, part: &Part, source: &Source, from: Time, to: Time) -> bool {
        let what = part.what(source.program(), self.site.purpose);
        self.current.judge(&what, (from, to), self.now).is_ok()
    }

    /// As [`Turn::decide`], for what can't go on whoever allows it, because nobody could say what it is or where it
    /// would end.
    pub fn refuse(&mut self, part: Part, source: &Source) {
        self.noted.push(Noted {
            part,
            source: source.clone(),
            outcome: Err(DropReason::Filtered),
            counts: true,
        });
    }

    /// Since when records of this category may go on without a break; `None` while they may not.
    pub fn allowed_since(&self, category: Category, program: &str) -> Option<Time> {
        let what = crate::gateways::link::policy::What { category, program, purpose: self.site.purpose };
        self.current.allowed_since(&what, self.now)
    }

    /// Whether anything at all of this program may go on.
    pub fn lets_something_pass(&self, program: &str) -> bool {
        Category::all().any(|category| self.allowed_since(category, program).is_some())
    }

    /// Whether anything noted so far may not go on.
    pub fn has_refused(&self) -> bool {
        self.noted.iter().any(|n| n.outcome.is_err())
    }

    /// What was allowed has gone to the collector, whatever that answered, or nothing was. Only a connection that
    /// never came about keeps a record here: an answer is the collector's word, and it may keep what it refuses.
    pub fn done(self) {
        self.count(None);
    }

    /// Nothing reached the upstream, and the agent was told that all is well: it would keep what was refused in a
    /// queue on the disk otherwise.
    pub fn lost(self) {
        self.count(Some(DropReason::Filtered));
    }

    fn count(self, instead: Option<DropReason>) {
        let generation = self.current.generation;
        let mut tally = self.site.device.tally();
        for Noted { part, source, outcome, .. } in self.noted.into_iter().filter(|noted| noted.counts) {
            let outcome = match instead {
                Some(reason) => outcome.and(Err(reason)),
                None => outcome,
            };
            let (purpose, destination) = (self.site.purpose, self.site.destination.clone());
            tally.1.add(Entry { part, source, purpose, destination, outcome, generation }, self.now);
        }
    }
}

/// A program and its version as a report's source. A version that isn't made like one could be anything.
pub(in crate::gateways) fn source(program: &'static str, version: Option<&str>) -> Source {
    let fits = |text: &&str| {
        let digits = |part: &str| (1..=6).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let text = text.strip_prefix('v').unwrap_or(text);
        (1..=4).contains(&text.split('.').count()) && text.split('.').all(digits)
    };
    let version = version.filter(fits).unwrap_or("unknown");
    Source::new(format!("{program}/{version}")).expect("a program's name of ours and digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_could_be_content_is_not_repeated() {
        assert_eq!(source("wakatime", Some("13.1.0")).as_str(), "wakatime/13.1.0");
        assert_eq!(source("activitywatch", Some("v0.12.0")).as_str(), "activitywatch/v0.12.0");
        for odd in ["", "1.2.x", "1..2", "1.2.3.4.5", "1234567", "secret", "1.0-secret", "٣"] {
            assert_eq!(source("wakatime", Some(odd)).as_str(), "wakatime/unknown", "{odd}");
        }
        assert_eq!(source("wakatime", None).as_str(), "wakatime/unknown");
    }
}
