//! Report chains: within one run of an agent, each report names the hash of the one before. A copy gets
//! the same receipt; two reports that can't both be true are a finding.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgConnection;
use uuid::Uuid;

use super::intake::Job;
use super::report::{Hash, ParsedReport};
use super::store::intake::{self as store, ChainColumns};
use crate::clock::Time;
use crate::error::Result;

type Run = (Uuid, Uuid);

struct Head {
    seq: i64,
    hash: [u8; 32],
    covered_until: Time,
    moved: bool,
}

struct Kept {
    hash: Vec<u8>,
    prev_hash: Option<Vec<u8>>,
    received_at: Time,
    window: (Time, Time),
}

/// The chains that a batch touches.
#[derive(Default)]
pub(super) struct Chains {
    heads: HashMap<Run, Head>,
    /// How far each agent's runs reach together: a new run doesn't cover the same time again.
    covered: HashMap<Uuid, Time>,
    kept: HashMap<(Run, i64), Kept>,
}

pub(super) enum Verdict {
    /// To be stored; this part of its window wasn't covered before and isn't in the future.
    New { covered: (Time, Time) },
    /// The same report was received at this time.
    Duplicate(Time),
    /// Both can't be true; the text is for the agent's operator.
    Contradiction(&'static str),
    /// It can't be placed in its chain, which is nobody's lie.
    Misplaced(&'static str),
}

fn run(parsed: &ParsedReport) -> Run {
    (parsed.report.agent_id, parsed.report.boot_id)
}

fn seq(parsed: &ParsedReport) -> i64 {
    i64::try_from(parsed.report.seq).unwrap_or(i64::MAX)
}

impl Chains {
    pub async fn load(db: &mut PgConnection, jobs: &[Job]) -> Result<Self> {
        let runs: BTreeSet<Run> = jobs.iter().map(|j| run(&j.parsed)).collect();
        let (agents, boots): (Vec<Uuid>, Vec<Uuid>) = runs.into_iter().unzip();
        let mut chains = Chains::default();
        for row in store::lock_chains(db, &agents, &boots).await? {
            let hash = row.last_hash.try_into().unwrap_or([0; 32]);
            let head = Head { seq: row.last_seq, hash, covered_until: row.covered_until, moved: false };
            chains.heads.insert((row.agent_id, row.boot_id), head);
        }
        chains.covered = store::list_covered(db, &agents).await?.into_iter().collect();
        // Only what lies at or behind a head can be a copy or a late one.
        let mut places = BTreeSet::new();
        for job in jobs {
            let (run, seq) = (run(&job.parsed), seq(&job.parsed));
            if chains.heads.get(&run).is_some_and(|head| seq <= head.seq) {
                places.extend([seq - 1, seq, seq + 1].map(|s| (run.0, run.1, s)));
            }
        }
        if places.is_empty() {
            return Ok(chains);
        }
        let agents: Vec<Uuid> = places.iter().map(|p| p.0).collect();
        let boots: Vec<Uuid> = places.iter().map(|p| p.1).collect();
        let seqs: Vec<i64> = places.iter().map(|p| p.2).collect();
        for row in store::find_reports(db, &agents, &boots, &seqs).await? {
            let window = (row.window_start, row.window_end);
            let kept =
                Kept { hash: row.hash, prev_hash: row.prev_hash, received_at: row.received_at, window };
            chains.kept.insert(((row.agent_id, row.boot_id), row.seq), kept);
        }
        Ok(chains)
    }

    /// Decides about one report, and moves the chain on when it is new.
    pub fn judge(&mut self, parsed: &ParsedReport, received_at: Time) -> Verdict {
        let (run, seq, hash) = (run(parsed), seq(parsed), parsed.hash);
        let prev = parsed.report.prev_hash;
        let window = parsed.report.window;
        if let Some(kept) = self.kept.get(&(run, seq)) {
            return if kept.hash == hash.0 {
                Verdict::Duplicate(kept.received_at)
            } else {
                Verdict::Contradiction("Another report with this agent, boot and seq was received before.")
            };
        }
        // Nobody has watched what is yet to come.
        let end = window.end.min(received_at);
        let reached = self.covered.get(&run.0).copied();
        let fresh = (window.start.max(reached.unwrap_or(window.start).min(end)), end);
        let covered = match self.heads.get_mut(&run) {
            None => {
                let head = Head { seq, hash: hash.0, covered_until: end, moved: true };
                self.heads.insert(run, head);
                fresh
            }
            Some(head) if seq > head.seq => {
                if seq == head.seq + 1 && prev != Some(Hash(head.hash)) {
                    return Verdict::Contradiction("prev_hash is not the hash of the report before.");
                }
                head.covered_until = head.covered_until.max(end);
                (head.seq, head.hash, head.moved) = (seq, hash.0, true);
                fresh
            }
            Some(_) => match self.late(run, seq, hash, prev) {
                // Only the time between its neighbours can't have been counted yet.
                Ok((from, to)) => (window.start.max(from), end.min(to)),
                Err(verdict) => return verdict,
            },
        };
        self.covered.insert(run.0, reached.map_or(end, |r| r.max(end)));
        let kept = Kept {
            hash: hash.0.to_vec(),
            prev_hash: prev.map(|h| h.0.to_vec()),
            received_at,
            window: (window.start, window.end),
        };
        self.kept.insert((run, seq), kept);
        Verdict::New { covered }
    }

    /// A report that comes after later ones must fit both its neighbours, and both must still be kept:
    /// without them it can't be told from a copy whose original was dropped after its retention. Answers the
    /// time between them.
    fn late(&self, run: Run, seq: i64, hash: Hash, prev: Option<Hash>) -> Result<(Time, Time), Verdict> {
        let neighbours = (self.kept.get(&(run, seq - 1)), self.kept.get(&(run, seq + 1)));
        let (Some(before), Some(after)) = neighbours else {
            return Err(Verdict::Misplaced(
                "This report comes too late to be placed in its chain. Send reports in their order.",
            ));
        };
        let follows = prev.is_some_and(|p| p.0.as_slice() == before.hash);
        let precedes = after.prev_hash.as_deref() == Some(hash.0.as_slice());
        if follows && precedes {
            Ok((before.window.1, after.window.0))
        } else {
            Err(Verdict::Contradiction("This report doesn't fit its neighbours in the chain."))
        }
    }

    pub async fn write(self, db: &mut PgConnection) -> Result<()> {
        let mut moved: Vec<(Run, Head)> = self.heads.into_iter().filter(|(_, h)| h.moved).collect();
        moved.sort_by_key(|(run, _)| *run);
        let mut columns = ChainColumns::default();
        for ((agent, boot), head) in moved {
            columns.agent_id.push(agent);
            columns.boot_id.push(boot);
            columns.last_seq.push(head.seq);
            columns.last_hash.push(head.hash.to_vec());
            columns.covered_until.push(head.covered_until);
        }
        Ok(store::upsert_chains(db, &columns).await?)
    }
}
