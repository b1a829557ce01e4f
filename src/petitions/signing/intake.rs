//! The one writer of signatures: it takes whatever waits and writes it in one transaction, so that two thousand a
//! minute cost few commits. Answers wait for the commit.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use futures_util::FutureExt;
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::store;
use crate::clock::{Clock, Time};
use crate::credentials::action::Action;
use crate::credentials::wire::ActionRequest;
use crate::error::{Error, OnConstraint, Result};
use crate::ledger::proof::from_base64url;
use crate::ledger::proof::tree::Hash;
use crate::petitions::model::latest_close;

/// Actions that one transaction takes at most.
const BATCH: usize = 256;

/// A checked action on its way to the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub petition: Hash,
    pub key: Hash,
    pub number: u64,
    /// As its leaf says; `None` for a withdrawal.
    pub mode: Option<&'static str>,
    pub disclosure: Option<&'static str>,
    pub leaf: Vec<u8>,
    pub leaf_hash: Hash,
    /// With a name: whose, and what opens the commitment to it.
    pub signer: Option<(Uuid, Vec<u8>)>,
}

impl Job {
    pub fn of(action: &Action, request: &ActionRequest, person: Option<Uuid>) -> Result<Self> {
        let (petition, mode, disclosure, salt) = match request {
            ActionRequest::Sign { petition, mode, disclosure, signer, .. } => {
                let salt = signer.as_ref().map(|s| from_base64url(&s.salt)).transpose();
                let salt = salt.map_err(anyhow::Error::new)?;
                (*petition, Some(mode.id()), Some(disclosure.id()), salt)
            }
            ActionRequest::Withdraw { petition, .. } => (*petition, None, None, None),
        };
        Ok(Job {
            petition,
            key: action.key,
            number: action.number,
            mode,
            disclosure,
            leaf: action.bytes.clone(),
            leaf_hash: action.leaf_hash,
            signer: person.zip(salt),
        })
    }
}

/// One name, one key: somebody who vouches for a second key signs twice.
pub const NAME_TAKEN: &str = "A signature with this name is known already, by another key.";

/// What became of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It waits, or stands in the log already.
    Taken { include_by: Time },
    /// A later one of the same key is known.
    Later { number: u64 },
    /// A withdrawal of a key that neither waits nor stands in the log.
    Unknown,
    /// The name that it carries stands beside another key already.
    NameTaken,
    /// Its version takes none.
    Closed,
}

struct Waiting {
    job: Job,
    reply: oneshot::Sender<Result<Outcome>>,
}

/// The way to the writer.
pub struct Intake {
    sender: mpsc::Sender<Waiting>,
    /// Whether something came in whose order hasn't been forgotten.
    arrived: Arc<AtomicBool>,
}

impl Intake {
    /// Starts the writer; it ends with the handle.
    pub fn start(db: PgPool, clock: Clock) -> Self {
        let (sender, mut receiver) = mpsc::channel(BATCH * 8);
        // Also what came in before this start.
        let arrived = Arc::new(AtomicBool::new(true));
        let writer = Writer { db, clock, arrived: arrived.clone() };
        tokio::spawn(async move {
            // A fault in one batch must not end the taking of signatures.
            while AssertUnwindSafe(writer.run(&mut receiver)).catch_unwind().await.is_err() {
                tracing::error!("writing a batch of signatures failed unexpectedly; going on with the next");
            }
        });
        Intake { sender, arrived }
    }

    /// Hands a checked action in, and waits until it is committed.
    pub async fn submit(&self, job: Job) -> Result<Outcome> {
        let gone = || Error::Rejected(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping.".into());
        let (reply, answer) = oneshot::channel();
        self.sender.send(Waiting { job, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Whether something came in since the last call.
    pub fn take_arrived(&self) -> bool {
        self.arrived.swap(false, Ordering::AcqRel)
    }
}

struct Writer {
    db: PgPool,
    clock: Clock,
    arrived: Arc<AtomicBool>,
}

impl Writer {
    async fn run(&self, receiver: &mut mpsc::Receiver<Waiting>) {
        while let Some(first) = receiver.recv().await {
            let mut waiting = vec![first];
            while waiting.len() < BATCH
                && let Ok(next) = receiver.try_recv()
            {
                waiting.push(next);
            }
            let jobs: Vec<Job> = waiting.iter().map(|w| w.job.clone()).collect();
            match self.write(jobs).await {
                Ok(outcomes) => {
                    for (one, outcome) in waiting.into_iter().zip(outcomes) {
                        let _ = one.reply.send(Ok(outcome));
                    }
                }
                // One bad apple must not spoil the others: each alone, once more.
                Err(_) => {
                    for one in waiting {
                        let outcome = self.write(vec![one.job]).await;
                        let _ =
                            one.reply.send(outcome.map(|o| o.into_iter().next().unwrap_or(Outcome::Closed)));
                    }
                }
            }
        }
    }

    /// Writes the jobs in one transaction, in the order of their leaves' hashes: that of arrival is gone.
    async fn write(&self, jobs: Vec<Job>) -> Result<Vec<Outcome>> {
        let now = self.clock.now();
        // A withdrawal is known by the signature before it, which may have come in the same moment.
        let (signatures, withdrawals): (Vec<&Job>, Vec<&Job>) = jobs.iter().partition(|j| j.mode.is_some());
        let mut tx = self.db.begin().await?;
        for part in [signatures, withdrawals] {
            if !part.is_empty() {
                store::upsert_waiting(&mut tx, &newest(part), now)
                    .await
                    .on_constraint("petition_waiting_signer_once", || Error::conflict(NAME_TAKEN))?;
            }
        }
        let rows = store::list_standing(&mut tx, &newest(jobs.iter().collect()), now).await?;
        tx.commit().await?;
        self.arrived.store(true, Ordering::Release);
        let standing: HashMap<(&[u8], &[u8]), &store::StandingRow> =
            rows.iter().map(|row| ((&row.petition_leaf[..], &row.key[..]), row)).collect();
        Ok(jobs
            .iter()
            .map(|job| outcome(job, standing.get(&(&job.petition.0[..], &job.key.0[..])).copied(), now))
            .collect())
    }
}

/// Each key's last action, in the order of the leaves' hashes.
fn newest(jobs: Vec<&Job>) -> Vec<&Job> {
    let mut newest: HashMap<(Hash, Hash), &Job> = HashMap::new();
    for job in jobs {
        let known = newest.entry((job.petition, job.key)).or_insert(job);
        if known.number < job.number {
            *known = job;
        }
    }
    let mut given: Vec<&Job> = newest.into_values().collect();
    given.sort_by_key(|job| job.leaf_hash);
    given
}

fn outcome(job: &Job, row: Option<&store::StandingRow>, now: Time) -> Outcome {
    let Some(row) = row else { return Outcome::Closed };
    let is_this = |hash: &Option<Vec<u8>>| hash.as_deref() == Some(&job.leaf_hash.0[..]);
    if is_this(&row.waiting_hash) || is_this(&row.published_hash) {
        return Outcome::Taken { include_by: include_by(row, now) };
    }
    if !row.takes {
        return Outcome::Closed;
    }
    match row.waiting_number.max(row.published_number) {
        Some(number) => Outcome::Later { number: number.unsigned_abs() },
        // The name that it carries stands beside another key.
        None if job.signer.is_some() => Outcome::NameTaken,
        None => Outcome::Unknown,
    }
}

fn include_by(row: &store::StandingRow, now: Time) -> Time {
    latest_close(row.closes_at, row.seeking_until, row.open_days, now)
}
