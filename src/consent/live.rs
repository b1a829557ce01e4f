//! What this instance knows of choices, kept fresh by the database's change feed.
//!
//! Questions are answered from memory. When the feed has been silent for too long, nothing optional is allowed:
//! somebody may have said no meanwhile.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::model::Why;
use super::pseudonym::Pseudonyms;
use super::rules::Rules;
use super::secrets::{self, Secrets};
use super::snapshot::{People, Snapshot};
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::error::Result;
use crate::register::{Category, Purpose};

/// How long the memory is believed after the database was last heard of.
pub const FRESH_FOR: Duration = Duration::from_secs(10);

/// The way to what is allowed. Cheap to clone.
#[derive(Clone)]
pub struct Consent(Arc<Inner>);

struct Inner {
    db: PgPool,
    clock: Clock,
    random: Random,
    data_dir: PathBuf,
    secrets: OnceLock<Secrets>,
    snapshot: RwLock<Snapshot>,
    /// Held while something is read and put into memory: what was read earlier must not come later.
    reading: tokio::sync::Mutex<()>,
    heard_at: Mutex<Option<Instant>>,
    /// The folder's keys aren't those that this database was used with.
    distrusted: AtomicBool,
    /// Counts changes of the rules.
    rules_changed: watch::Sender<u64>,
    /// Those who wait for a change of somebody's decisions.
    waiting: Mutex<HashMap<Uuid, watch::Sender<u64>>>,
}

impl Consent {
    pub fn new(db: PgPool, config: &Config, clock: Clock, random: Random) -> Self {
        Consent(Arc::new(Inner {
            db,
            clock,
            random,
            data_dir: config.data_dir.clone(),
            secrets: OnceLock::new(),
            snapshot: RwLock::default(),
            reading: tokio::sync::Mutex::default(),
            heard_at: Mutex::new(None),
            distrusted: AtomicBool::new(false),
            rules_changed: watch::Sender::new(0),
            waiting: Mutex::default(),
        }))
    }

    /// The keys; made at their first use.
    pub fn secrets(&self) -> Result<&Secrets> {
        if let Some(secrets) = self.0.secrets.get() {
            return Ok(secrets);
        }
        let opened = secrets::open(&self.0.data_dir, &self.0.random)?;
        Ok(self.0.secrets.get_or_init(|| opened))
    }

    /// How receipts name somebody.
    pub fn person_ref(&self, person: Uuid) -> Result<String> {
        Ok(Pseudonyms::new(&self.secrets()?.pseudonyms, Uuid::nil()).of(person).to_string())
    }

    /// Reads everything anew.
    pub async fn reload(&self) -> Result<()> {
        let asked_at = Instant::now();
        let _turn = self.0.reading.lock().await;
        let mut db = self.0.db.acquire().await?;
        let rules = Rules::load(&mut db, &self.secrets()?.pseudonyms).await?;
        let people = People::load(&mut db).await?;
        self.write(|snapshot| *snapshot = Snapshot { rules: Arc::new(rules), people });
        self.heard(asked_at);
        self.0.rules_changed.send_modify(|n| *n += 1);
        Ok(())
    }

    /// Reads the rules anew; answers whether some publication still waits for its place in the log. Agents are
    /// woken unless nothing has happened but waiting.
    pub async fn reload_rules(&self, was_told: bool) -> Result<bool> {
        let _turn = self.0.reading.lock().await;
        let mut db = self.0.db.acquire().await?;
        let rules = Arc::new(Rules::load(&mut db, &self.secrets()?.pseudonyms).await?);
        let is_waiting = rules.is_waiting;
        self.write(|snapshot| snapshot.rules = rules);
        if was_told || !is_waiting {
            self.0.rules_changed.send_modify(|n| *n += 1);
        }
        Ok(is_waiting)
    }

    /// Reads these people anew.
    pub async fn reload_people(&self, ids: &[Uuid]) -> Result<()> {
        let _turn = self.0.reading.lock().await;
        let mut db = self.0.db.acquire().await?;
        let fresh = People::load_some(&mut db, ids).await?;
        let mut result = Ok(());
        self.write(|snapshot| result = snapshot.people.take_over(fresh, ids));
        result?;
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            if let Some(sender) = waiting.get(id) {
                sender.send_modify(|n| *n += 1);
            }
        }
        waiting.retain(|_, sender| sender.receiver_count() > 0);
        Ok(())
    }

    /// After one's own change: other instances hear of it by the feed, and so will this one if this fails.
    pub async fn refresh(&self, ids: &[Uuid]) {
        if let Err(error) = self.reload_people(ids).await {
            tracing::warn!(%error, "a change of choices could not be read back; the feed will bring it");
        }
    }

    fn write(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.0.snapshot.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Looks at what is known, for a moment.
    pub fn read<T>(&self, look: impl FnOnce(&Snapshot) -> T) -> T {
        look(&self.0.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says that the database was heard of at that moment.
    pub fn heard(&self, at: Instant) {
        *self.0.heard_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Whether the memory may be believed.
    pub fn is_fresh(&self) -> bool {
        let heard_at = *self.0.heard_at.lock().unwrap_or_else(PoisonError::into_inner);
        heard_at.is_some_and(|at| at.elapsed() < FRESH_FOR) && !self.0.distrusted.load(Ordering::Relaxed)
    }

    /// From now on nothing is handed out here.
    pub fn distrust(&self) {
        self.0.distrusted.store(true, Ordering::Relaxed);
    }

    /// Whether data of this category may be collected or used for this purpose; by one program, or whoever it is.
    /// Everything that could be meant must allow it.
    pub fn ask(&self, token_hash: &[u8], subject: Uuid, question: Use<'_>) -> Option<Why> {
        let now = self.0.clock.now();
        self.read(|snapshot| {
            let system = snapshot.rules.system(token_hash)?;
            if !self.is_fresh() {
                return Some(Why::Stale);
            }
            let person = system.pseudonyms.person(subject);
            let mut why = Why::NotDeclared;
            for rule in snapshot.rules.of(question.category, question.purpose, question.program) {
                // What a system isn't told of, it can't ask about.
                if !system.processings.contains(&rule.processing()) {
                    return Some(Why::NotDeclared);
                }
                why = snapshot.people.ask(rule, person, now);
                if !why.allows() {
                    break;
                }
            }
            Some(why)
        })
    }

    /// Wakes when the rules change, and when this person's decisions do.
    pub fn watch(&self, person: Option<Uuid>) -> (watch::Receiver<u64>, watch::Receiver<u64>) {
        let rules = self.0.rules_changed.subscribe();
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let own = match person {
            Some(person) => waiting.entry(person).or_default().subscribe(),
            None => self.0.rules_changed.subscribe(),
        };
        (rules, own)
    }
}

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    pub category: Category,
    pub purpose: Purpose,
    /// The program that collects; any when it isn't said.
    pub program: Option<&'a str>,
}
