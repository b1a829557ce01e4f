//! The policy this agent obeys: which bundle it believes, what that allows at this moment, and what it has
//! confirmed. Kept in `policy.json` beside the state, so that a restart forgets nothing.
//!
//! Whatever goes wrong ends in less being collected. A bundle that is out of date keeps only what isn't
//! optional, and so does one after which the server sent something that can't be believed: a server that was
//! set back, or somebody in between, must not be able to keep an old permission alive.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::Context;
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use super::state::StateFile;
use crate::clock::{Clock, Time};
use crate::collection::report::{DropReason, MAX_SKEW_SECONDS, PolicyRef};
use crate::consent::bundle::{Bundle, Confirmation, PolicyKey, Rule, Unbelieved};
use crate::register::{Category, Purpose, source_key};

/// In the agent's folder.
const NAME: &str = "policy.json";
/// Seconds after which a server that wasn't heard may have been told a no and a yes again: who asks meets the yes alone,
/// under the revision that it knows.
const OUT_OF_TOUCH: i64 = 90;
/// Confirmations that wait for the server, and policies remembered for late reports.
const MAX_KEPT: usize = 50;

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    /// The server's; pinned at enrolment, or at first contact with a server that gave none then.
    key: Option<PolicyKey>,
    /// The newest that was believed, as it was signed. Its revision is the highest ever seen.
    bundle: Option<Value>,
    /// The server has sent something since that was refused.
    #[serde(default)]
    distrusted: bool,
    confirmed: Option<PolicyRef>,
    /// Signed, not yet taken by the server; oldest first.
    #[serde(default)]
    unconfirmed: VecDeque<Value>,
    /// Since when each allowed processing has been allowed without a break, as far as this agent knows.
    #[serde(default)]
    since: BTreeMap<Uuid, Time>,
}

/// What is believed at this moment.
#[derive(Clone, Default)]
pub(in crate::gateways) struct Current {
    bundle: Option<Arc<Bundle>>,
    distrusted: bool,
    /// A clock that is set back doesn't lengthen a bundle's time within one run.
    ends: Option<Instant>,
    since: Arc<BTreeMap<Uuid, Time>>,
    /// The server has been heard since the start, and since the last trouble: what a folder keeps may be long refused.
    heard: bool,
    /// Grows with each change.
    pub generation: u64,
}

/// What a gateway asks about.
#[derive(Debug, Clone, Copy)]
pub(in crate::gateways) struct What<'a> {
    pub category: Category,
    pub program: &'a str,
    /// What the place it goes to is for, where that is known: other purposes' rules don't count then.
    pub purpose: Option<Purpose>,
}

/// Why a bundle isn't obeyed.
#[derive(Debug, thiserror::Error)]
pub(in crate::gateways) enum Refused {
    #[error(transparent)]
    Unbelieved(#[from] Unbelieved),
    #[error("it is for another agent")]
    Agent,
    #[error("revision {0} is older than {1}, which this agent has seen")]
    Rollback(u64, u64),
    #[error("revision {0} says something else than before")]
    Contradiction(u64),
    #[error("no key of the server is known")]
    NoKey,
}

/// The policy, shared by the loops that fetch, apply and report it.
pub(in crate::gateways) struct Policies {
    path: PathBuf,
    agent_id: Uuid,
    signer: SigningKey,
    clock: Clock,
    inner: Mutex<Inner>,
    news: watch::Sender<()>,
}

struct Inner {
    kept: Kept,
    current: Current,
    /// When this run last heard from the server what is allowed.
    heard: Option<Time>,
    /// Since when this run applied which.
    applied: VecDeque<(Time, PolicyRef)>,
}

impl Current {
    fn is_in_force(&self, now: Time) -> bool {
        self.bundle.as_ref().is_some_and(|bundle| {
            !self.distrusted
                && now < bundle.not_after
                && now >= bundle.issued_at.plus_seconds(-MAX_SKEW_SECONDS)
                && self.ends.is_none_or(|ends| Instant::now() < ends)
        })
    }

    pub fn is_heard(&self) -> bool {
        self.heard
    }

    pub fn allows(&self, category: Category, program: &str, now: Time) -> bool {
        self.bundle.as_ref().is_some_and(|bundle| {
            let at = if self.is_in_force(now) { now } else { now.max(bundle.not_after) };
            bundle.allows(category, program, at)
        })
    }

    /// What may become of records that came at `now` and say that they were observed from `from` to `to`. What was
    /// observed before it was allowed, or before this agent knew that it was, is never passed on.
    pub fn judge(&self, what: &What<'_>, (from, to): (Time, Time), now: Time) -> Result<(), DropReason> {
        let Some(bundle) = &self.bundle else { return Err(DropReason::PolicyExpired) };
        let program = source_key(what.program);
        let ours = |rule: &&Rule| {
            rule.category == what.category
                && source_key(&rule.source) == program
                && what.purpose.is_none_or(|purpose| rule.purpose == purpose)
        };
        let mut worst = Err(DropReason::NotDeclared);
        let in_force = self.heard && self.is_in_force(now);
        // A clock that is ahead could carry records over a no; a little ahead every clock is.
        let ahead = if to > now { MAX_SKEW_SECONDS } else { 0 };
        for rule in bundle.rules.iter().filter(ours) {
            let since = self.since.get(&rule.processing).filter(|_| rule.collect);
            worst = match since {
                None if rule.optional => Err(DropReason::OptOut),
                None => Err(DropReason::Paused),
                Some(_) if rule.optional && !in_force => Err(DropReason::PolicyExpired),
                Some(since)
                    if from < since.plus_seconds(ahead) || to > now.plus_seconds(MAX_SKEW_SECONDS) =>
                {
                    Err(DropReason::Filtered)
                }
                Some(_) => return Ok(()),
            };
        }
        worst
    }

    /// Since when this has been allowed without a break, by the rule that has allowed it for longest; `None` while it
    /// isn't.
    pub fn allowed_since(&self, what: &What<'_>, now: Time) -> Option<Time> {
        let rules = self.bundle.iter().flat_map(|bundle| &bundle.rules);
        let starts = rules.filter_map(|rule| self.since.get(&rule.processing).copied());
        starts.filter(|since| self.judge(what, (*since, now), now).is_ok()).min()
    }

    /// What is declared for this program and may not be collected.
    fn refused(&self, program: &str, now: Time) -> BTreeSet<Category> {
        let rules = self.bundle.iter().flat_map(|bundle| &bundle.rules);
        let ours = rules.filter(|rule| rule.source == program).map(|rule| rule.category);
        ours.filter(|category| !self.allows(*category, program, now)).collect()
    }
}

impl Policies {
    /// Forgets what an earlier agent of this folder kept; `key` is what the enrolment's answer held.
    pub fn begin(file: &StateFile, key: Option<PolicyKey>) -> anyhow::Result<()> {
        let key = key.filter(|key| key.key().is_some());
        super::state::write(&file.beside(NAME), &Kept { key, ..Kept::default() })
    }

    /// `signer` is the agent's own key.
    pub fn open(file: &StateFile, agent_id: Uuid, signer: SigningKey, clock: Clock) -> anyhow::Result<Self> {
        let path = file.beside(NAME);
        let mut kept: Kept = super::state::read(&path)?.unwrap_or_default();
        // A clock that was ahead when they were kept would refuse everything until it is so late.
        let latest = clock.now().plus_seconds(MAX_SKEW_SECONDS);
        kept.since.values_mut().for_each(|since| *since = (*since).min(latest));
        let since = Arc::new(kept.since.clone());
        let mut current = Current { distrusted: kept.distrusted, since, ..Current::default() };
        if let Some(signed) = &kept.bundle {
            let key = kept.key.as_ref().and_then(PolicyKey::key);
            let read = key.and_then(|key| Bundle::read(signed.to_string().as_bytes(), &key).ok());
            let bundle = read.filter(|bundle| bundle.agent_id == agent_id);
            current.bundle = Some(Arc::new(bundle.with_context(|| super::state::damaged(&path))?));
        }
        let inner = Mutex::new(Inner { kept, current, heard: None, applied: VecDeque::new() });
        Ok(Policies { path, agent_id, signer, clock, inner, news: watch::Sender::new(()) })
    }

    pub fn key(&self) -> Option<VerifyingKey> {
        self.lock().kept.key.as_ref().and_then(PolicyKey::key)
    }

    /// Believes this key from now on, and no other.
    pub fn pin(&self, key: PolicyKey) -> anyhow::Result<()> {
        let mut inner = self.lock();
        inner.kept.key = Some(key);
        self.save(&inner)
    }

    /// Takes what the server sent, or refuses it; answers whether it is another policy than before. The
    /// outer error means that it couldn't be kept.
    pub fn take(&self, body: &[u8]) -> anyhow::Result<Result<bool, Refused>> {
        let mut inner = self.lock();
        let bundle = match self.believe(&inner, body) {
            Ok(bundle) => bundle,
            Err(refused) => {
                inner.kept.distrusted = true;
                inner.current.distrusted = true;
                self.changed(&mut inner)?;
                return Ok(Err(refused));
            }
        };
        let before = inner.current.bundle.as_ref();
        if before
            .is_some_and(|before| before.revision == bundle.revision && before.issued_at > bundle.issued_at)
        {
            // An earlier signing of what is known gives no more time.
            return Ok(Ok(false));
        }
        let is_new = before.is_none_or(|before| before.revision < bundle.revision);
        let known = before.map(|before| (before.revision, before.rules.as_slice()));
        let now = self.clock.now();
        let since = since(&inner.kept.since, known, &bundle, inner.is_in_touch(now), now);
        inner.heard = Some(now);
        inner.current.heard = true;
        let seconds = bundle.not_after.seconds_since(bundle.issued_at).try_into().unwrap_or(0);
        inner.kept.bundle = Some(serde_json::from_slice(body)?);
        inner.current.since = Arc::new(since.clone());
        inner.kept.since = since;
        inner.kept.distrusted = false;
        inner.current.distrusted = false;
        inner.current.ends = Instant::now().checked_add(Duration::from_secs(seconds));
        inner.current.bundle = Some(Arc::new(bundle));
        self.changed(&mut inner)?;
        if !inner.current.is_in_force(self.clock.now()) {
            tracing::warn!("the policy is out of date on arrival: is this machine's clock right?");
        }
        Ok(Ok(is_new))
    }

    /// The server says that nothing has changed since it was asked last.
    pub fn unchanged(&self) -> anyhow::Result<()> {
        let (mut inner, now) = (self.lock(), self.clock.now());
        let in_touch = inner.is_in_touch(now) && inner.current.heard;
        inner.heard = Some(now);
        inner.current.heard = true;
        let Some(bundle) = inner.current.bundle.clone().filter(|_| !in_touch) else { return Ok(()) };
        let known = Some((bundle.revision, bundle.rules.as_slice()));
        inner.kept.since = since(&inner.kept.since, known, &bundle, false, now);
        inner.current.since = Arc::new(inner.kept.since.clone());
        self.changed(&mut inner)
    }

    /// Something went wrong between this agent and the server: what is optional waits until the server is heard again.
    pub fn lose_touch(&self) {
        let mut inner = self.lock();
        (inner.heard, inner.current.heard) = (None, false);
        inner.current.generation += 1;
        self.news.send_replace(());
    }

    fn believe(&self, inner: &Inner, body: &[u8]) -> Result<Bundle, Refused> {
        let key = inner.kept.key.as_ref().and_then(PolicyKey::key).ok_or(Refused::NoKey)?;
        let bundle = Bundle::read(body, &key)?;
        if bundle.agent_id != self.agent_id {
            return Err(Refused::Agent);
        }
        match &inner.current.bundle {
            Some(known) if known.revision > bundle.revision => {
                Err(Refused::Rollback(bundle.revision, known.revision))
            }
            Some(known)
                if known.revision == bundle.revision && known.content_hash() != bundle.content_hash() =>
            {
                Err(Refused::Contradiction(bundle.revision))
            }
            _ => Ok(bundle),
        }
    }

    pub fn current(&self) -> Current {
        self.lock().current.clone()
    }

    pub fn is_in_force(&self) -> bool {
        self.lock().current.is_in_force(self.clock.now())
    }

    pub fn allows(&self, category: Category, program: &str) -> bool {
        self.lock().current.allows(category, program, self.clock.now())
    }

    pub fn refused(&self, program: &str) -> BTreeSet<Category> {
        self.lock().current.refused(program, self.clock.now())
    }

    /// What the server gives agents to follow.
    pub fn grace_seconds(&self) -> u32 {
        self.lock().current.bundle.as_ref().map_or(0, |bundle| bundle.grace_seconds)
    }

    /// Wakes when anything here has changed.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// Everything under this agent's control does as `current` says: remembers that, and signs a
    /// confirmation when it is the first time.
    pub fn applied(&self, current: &Current) -> anyhow::Result<()> {
        let now = self.clock.now();
        let Some(bundle) = current.bundle.as_ref().filter(|_| current.is_in_force(now)) else {
            return Ok(());
        };
        let reference = bundle.reference();
        let is = |other: &PolicyRef| other.revision == reference.revision && other.sha256 == reference.sha256;
        let mut inner = self.lock();
        if inner.applied.back().is_some_and(|(_, last)| is(last)) {
            return Ok(());
        }
        tracing::info!(revision = reference.revision, "policy applied");
        inner.applied.push_back((now, reference.clone()));
        if inner.applied.len() > MAX_KEPT {
            inner.applied.pop_front();
        }
        if !inner.kept.confirmed.as_ref().is_some_and(is) {
            let signed = Confirmation::of(&reference, self.agent_id, now).sign(&self.signer)?;
            inner.kept.unconfirmed.push_back(serde_json::to_value(signed)?);
            if inner.kept.unconfirmed.len() > MAX_KEPT {
                inner.kept.unconfirmed.pop_front();
            }
            inner.kept.confirmed = Some(reference);
            self.save(&inner)?;
        }
        self.news.send_replace(());
        Ok(())
    }

    /// What this run had applied by that time.
    pub fn applied_by(&self, time: Time) -> Option<PolicyRef> {
        let inner = self.lock();
        inner.applied.iter().rev().find(|(at, _)| *at <= time).map(|(_, policy)| policy.clone())
    }

    pub fn unconfirmed(&self) -> Option<Value> {
        self.lock().kept.unconfirmed.front().cloned()
    }

    /// The server has it, or will never take it.
    pub fn drop_confirmation(&self, sent: &Value) -> anyhow::Result<()> {
        let mut inner = self.lock();
        inner.kept.unconfirmed.retain(|waiting| waiting != sent);
        self.save(&inner)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics while holding it")
    }

    fn changed(&self, inner: &mut Inner) -> anyhow::Result<()> {
        inner.current.generation += 1;
        // What was believed last counts even when it can't be written: the error ends the agent.
        let saved = self.save(inner);
        self.news.send_replace(());
        saved
    }

    fn save(&self, inner: &Inner) -> anyhow::Result<()> {
        super::state::write(&self.path, &inner.kept)
    }
}

impl Inner {
    fn is_in_touch(&self, now: Time) -> bool {
        self.heard.is_some_and(|heard| (0..=OUT_OF_TOUCH).contains(&now.seconds_since(heard)))
    }
}

/// Since when what `new` allows has been allowed. Only where no revision was missed, and the server was heard all the
/// time, is anything known of the time before: a no in between may have come and gone.
fn since(
    kept: &BTreeMap<Uuid, Time>,
    known: Option<(u64, &[Rule])>,
    new: &Bundle,
    in_touch: bool,
    now: Time,
) -> BTreeMap<Uuid, Time> {
    let start = |rule: &Rule| {
        let (revision, rules) = known?;
        let next = new.revision == revision || new.revision == revision + 1;
        // Another category or program under the same id would be another thing that nobody has allowed yet.
        let same = rules.iter().any(|r| r == rule);
        kept.get(&rule.processing).copied().filter(|_| next && same && (in_touch || !rule.optional))
    };
    let allowed = new.rules.iter().filter(|rule| rule.collect);
    allowed.map(|rule| (rule.processing, start(rule).unwrap_or(now))).collect()
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
