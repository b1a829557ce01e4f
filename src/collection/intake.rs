//! The one writer of reports: it takes whatever waits and writes it in one transaction, so that a flood of
//! small reports costs few commits. Answers wait for the commit.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::num::NonZeroU32;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::http::StatusCode;
use futures_util::FutureExt;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use jiff::tz::TimeZone;
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;
use uuid::Uuid;

use super::batch::{Batch, Known, Person};
use super::chain::{Chains, Verdict};
use super::model::Audience;
use super::model::refusal::Refusals;
use super::report::{MAX_SKEW_SECONDS, ParsedReport, Window};
use super::store::{commitments, intake as store};
use crate::clock::{Clock, Day, Random, Time};
use crate::error::{Error, Result};
use crate::{app, identity, ledger, register};

/// Reports that one transaction takes at most.
const BATCH: usize = 256;

/// Reports an agent may send in a burst (a day's backlog at one each five minutes), and each second after.
const BURST: u32 = 300;
const PER_SECOND: u32 = 2;

/// What the server promises about a report it took. Kept by the agent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Receipt {
    pub report_id: Uuid,
    /// SHA-256 over the canonical report without `sig`; the next report's `prev_hash`.
    pub hash: String,
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Time,
    /// Whether this very report had been taken before.
    pub duplicate: bool,
    /// Whether the agent's clock is more than five minutes off.
    pub skewed: bool,
    /// Index of the log's entry that committed to this agent's reports last; null before the first.
    pub log_index: Option<u64>,
    /// The log's newest signed checkpoint (C2SP tlog-checkpoint); null before the first.
    pub tree_head: Option<String>,
    /// Newest policy revision that this agent was told; 0 before its first.
    pub policy_revision: u64,
}

pub(super) struct Job {
    pub parsed: ParsedReport,
    pub received_at: Time,
    reply: oneshot::Sender<Result<Receipt>>,
}

/// The way to the writer. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    sender: mpsc::Sender<Job>,
    limiter: Arc<DefaultKeyedRateLimiter<Uuid>>,
}

impl Intake {
    /// Starts the writer; it ends when the last handle is dropped.
    pub fn start(db: PgPool, clock: Clock, random: Random, time_zone: TimeZone) -> Self {
        let (sender, receiver) = mpsc::channel(BATCH * 4);
        let writer = Writer { db, clock, random, time_zone, known_day: None };
        tokio::spawn(supervise(writer, receiver));
        let quota = Quota::per_second(NonZeroU32::new(PER_SECOND).expect("not zero"))
            .allow_burst(NonZeroU32::new(BURST).expect("not zero"));
        Intake { sender, limiter: Arc::new(RateLimiter::keyed(quota)) }
    }

    /// 429 when this agent sends faster than it may.
    pub fn check_rate(&self, agent_id: Uuid) -> Result<()> {
        self.limiter.check_key(&agent_id).map_err(|_| {
            Error::Rejected(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many reports. Send the rest a little later.".into(),
            )
        })
    }

    /// Whether the writer takes reports.
    pub fn is_running(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Hands a verified report to the writer and waits until it is committed.
    pub async fn submit(&self, parsed: ParsedReport, received_at: Time) -> Result<Receipt> {
        let (reply, answer) = oneshot::channel();
        let gone = || Error::Rejected(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping.".into());
        self.sender.send(Job { parsed, received_at, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Runs the writer until the last handle is gone. A fault in one batch must not end the taking of reports:
/// its senders get an error, and the next batch is taken.
async fn supervise(mut writer: Writer, mut receiver: mpsc::Receiver<Job>) {
    while AssertUnwindSafe(writer.run(&mut receiver)).catch_unwind().await.is_err() {
        tracing::error!("writing a batch of reports failed unexpectedly; going on with the next");
        writer.known_day = None;
    }
}

struct Writer {
    db: PgPool,
    clock: Clock,
    random: Random,
    time_zone: TimeZone,
    /// The newest day whose partition is known to be there.
    known_day: Option<Day>,
}

impl Writer {
    async fn run(&mut self, receiver: &mut mpsc::Receiver<Job>) {
        while let Some(first) = receiver.recv().await {
            let mut jobs = vec![first];
            while jobs.len() < BATCH
                && let Ok(job) = receiver.try_recv()
            {
                jobs.push(job);
            }
            match self.write(&jobs).await {
                Ok(answers) => answer(jobs, answers),
                // One bad apple, or a race with another writer: each alone, once more.
                Err(_) => {
                    for job in jobs {
                        let answers = self.write(std::slice::from_ref(&job)).await;
                        let one = answers.and_then(|mut a| a.pop().unwrap_or(Err(Error::NotFound)));
                        let _ = job.reply.send(one);
                    }
                }
            }
        }
    }

    async fn write(&mut self, jobs: &[Job]) -> Result<Vec<Result<Receipt>>> {
        let mut tx = self.db.begin().await?;
        let now = self.clock.now();
        let today = now.day(&TimeZone::UTC);
        if self.known_day != Some(today) {
            store::ensure_partition(&mut tx, today).await?;
        }
        let mut chains = Chains::load(&mut tx, jobs).await?;
        let people = self.people(&mut tx, jobs).await?;
        let declarations = register::list_declarations(&mut tx).await?;
        let places = self.places(&mut tx, jobs).await?;
        let revisions = self.policy_revisions(&mut tx, jobs).await?;
        let tree_head = ledger::newest_checkpoint(&mut tx).await?;
        let devices: Vec<Uuid> = jobs.iter().map(|j| j.parsed.report.device_id).collect();
        let shared: HashSet<Uuid> =
            store::list_shared_devices(&mut tx, &devices).await?.into_iter().collect();
        let known = Known { declarations: &declarations, shared_devices: &shared };
        let mut batch = Batch::new(&self.random, now, known);
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            let report = &job.parsed.report;
            let person = people.of(report.device_id, report.window);
            let skew = job.received_at.seconds_since(report.produced_at).abs();
            let skewed = skew > MAX_SKEW_SECONDS;
            let verdict = chains.judge(&job.parsed, job.received_at);
            let known_at = match &verdict {
                Verdict::Duplicate(at) => Some(*at),
                _ => None,
            };
            match verdict {
                Verdict::New { covered } => batch.add(job, person, &covered, skewed),
                Verdict::Misplaced(text) => {
                    answers.push(Err(Error::conflict(text)));
                    continue;
                }
                Verdict::Contradiction(text) => {
                    batch.add_contradiction(&job.parsed, person);
                    answers.push(Err(Error::conflict(text)));
                    continue;
                }
                Verdict::Duplicate(_) => {}
            }
            answers.push(Ok(Receipt {
                report_id: report.report_id,
                hash: job.parsed.hash.to_string(),
                received_at: known_at.unwrap_or(job.received_at),
                duplicate: known_at.is_some(),
                skewed,
                log_index: places.get(&report.agent_id).map(|place| *place as u64),
                tree_head: tree_head.clone(),
                policy_revision: revisions.get(&report.agent_id).map_or(0, |revision| *revision as u64),
            }));
        }
        batch.write(&mut tx, today).await?;
        chains.write(&mut tx, now).await?;
        let agents: BTreeSet<Uuid> = jobs.iter().map(|j| j.parsed.report.agent_id).collect();
        store::touch_agents(&mut tx, &agents.into_iter().collect::<Vec<_>>(), now).await?;
        tx.commit().await?;
        self.known_day = Some(today);
        Ok(answers)
    }

    /// Where the log commits to these agents' reports.
    async fn places(&self, db: &mut PgConnection, jobs: &[Job]) -> Result<HashMap<Uuid, i64>> {
        let agents: BTreeSet<Uuid> = jobs.iter().map(|j| j.parsed.report.agent_id).collect();
        let agents: Vec<Uuid> = agents.into_iter().collect();
        Ok(commitments::list_places(db, &agents).await?.into_iter().collect())
    }

    async fn policy_revisions(&self, db: &mut PgConnection, jobs: &[Job]) -> Result<HashMap<Uuid, i64>> {
        let agents: BTreeSet<Uuid> = jobs.iter().map(|j| j.parsed.report.agent_id).collect();
        let agents: Vec<Uuid> = agents.into_iter().collect();
        Ok(app::policy_revisions(db, &agents).await?.into_iter().collect())
    }

    async fn people(&self, db: &mut PgConnection, jobs: &[Job]) -> Result<People> {
        let devices: BTreeSet<Uuid> = jobs.iter().map(|j| j.parsed.report.device_id).collect();
        let mut people = People::default();
        let rows = store::list_assignments(db, &devices.into_iter().collect::<Vec<_>>()).await?;
        let ids: BTreeSet<Uuid> = rows.iter().map(|row| row.person_id).collect();
        let ids: Vec<Uuid> = ids.into_iter().collect();
        let refusals = Refusals::by_person(app::refusals(db, &ids).await?);
        let audiences = identity::list_moves(db, &ids, Audience::new).await?;
        for row in rows {
            let zone = row.time_zone.and_then(|z| TimeZone::get(&z).ok());
            // Everybody has been somewhere since their account was made.
            let audience = audiences.get(&row.person_id).ok_or(Error::NotFound)?.clone();
            let person = Person {
                id: row.person_id,
                zone: zone.unwrap_or_else(|| self.time_zone.clone()),
                audience,
                refusals: refusals.get(&row.person_id).cloned().unwrap_or_default(),
            };
            people.0.entry(row.device_id).or_default().push((row.from, row.to, person));
        }
        Ok(people)
    }
}

fn answer(jobs: Vec<Job>, answers: Vec<Result<Receipt>>) {
    for (job, answer) in jobs.into_iter().zip(answers) {
        // An agent that hung up meanwhile will ask again and get the same receipt.
        let _ = job.reply.send(answer);
    }
}

/// Whose each device was, by time.
#[derive(Default)]
struct People(HashMap<Uuid, Vec<(Time, Option<Time>, Person)>>);

impl People {
    /// A window is the person's when all of it lies inside their assignment: what straddles a change of
    /// hands is nobody's rather than the wrong person's.
    fn of(&self, device: Uuid, window: Window) -> Option<&Person> {
        let list = self.0.get(&device)?;
        let holds =
            |from: Time, to: Option<Time>| from <= window.start && to.is_none_or(|to| window.end <= to);
        list.iter().find(|(from, to, _)| holds(*from, *to)).map(|(_, _, person)| person)
    }
}
