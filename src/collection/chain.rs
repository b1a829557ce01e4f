//! Report chains: within one run of an agent, each report names the hash of the one before. A copy gets
//! the same receipt; two reports that can't both be true are a finding. In whatever order reports come, the
//! sums are the same: which places of a chain are still empty is known ([`gaps`]), and so is what time of an agent
//! no report has spoken of.

mod gaps;

use std::collections::{BTreeSet, HashMap};

use sqlx::PgConnection;
use uuid::Uuid;

use self::gaps::{Cover, Missing};
use super::intake::Job;
use super::report::{Hash, ParsedReport};
use super::store::gaps as gaps_store;
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
}

/// The chains that a batch touches.
#[derive(Default)]
pub(super) struct Chains {
    heads: HashMap<Run, Head>,
    missing: HashMap<Run, Missing>,
    /// Of each agent's runs together: a new run doesn't cover the same time again.
    cover: HashMap<Uuid, Cover>,
    kept: HashMap<(Run, i64), Kept>,
}

pub(super) enum Verdict {
    /// To be stored; these parts of its window weren't covered before and aren't in the future.
    New { covered: Vec<(Time, Time)> },
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
        for (agent, reached) in store::list_covered(db, &agents).await? {
            chains.cover.insert(agent, Cover::reaching(reached));
        }
        for row in gaps_store::list_uncovered(db, &agents).await? {
            chains.cover.entry(row.agent_id).or_default().add_gap(row.starts_at, row.ends_at);
        }
        for row in gaps_store::list_chain_gaps(db, &agents, &boots).await? {
            chains.missing.entry((row.agent_id, row.boot_id)).or_default().add(row.first_seq, row.last_seq);
        }
        // Copies and late ones have neighbours; those of this batch are known as they come.
        let mut newest: HashMap<Run, i64> = chains.heads.iter().map(|(run, head)| (*run, head.seq)).collect();
        let mut places = BTreeSet::new();
        for job in jobs {
            let (run, seq) = (run(&job.parsed), seq(&job.parsed));
            let newest = newest.entry(run).or_insert(seq);
            if seq <= *newest {
                places.extend([seq - 1, seq, seq + 1].map(|s| (run.0, run.1, s)));
            }
            *newest = seq.max(*newest);
        }
        if places.is_empty() {
            return Ok(chains);
        }
        let agents: Vec<Uuid> = places.iter().map(|p| p.0).collect();
        let boots: Vec<Uuid> = places.iter().map(|p| p.1).collect();
        let seqs: Vec<i64> = places.iter().map(|p| p.2).collect();
        for row in store::find_reports(db, &agents, &boots, &seqs).await? {
            let kept = Kept { hash: row.hash, prev_hash: row.prev_hash, received_at: row.received_at };
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
        match self.heads.get_mut(&run) {
            None => {
                self.missing.entry(run).or_default().skip(-1, seq);
                self.heads.insert(run, Head { seq, hash: hash.0, covered_until: end, moved: true });
            }
            Some(head) if seq > head.seq => {
                if seq == head.seq + 1 && prev != Some(Hash(head.hash)) {
                    return Verdict::Contradiction("prev_hash is not the hash of the report before.");
                }
                self.missing.entry(run).or_default().skip(head.seq, seq);
                head.covered_until = head.covered_until.max(end);
                (head.seq, head.hash, head.moved) = (seq, hash.0, true);
            }
            Some(head) => {
                // Without this it couldn't be told from a copy whose original was dropped after its retention.
                if !self.missing.get(&run).is_some_and(|missing| missing.holds(seq)) {
                    return Verdict::Misplaced(
                        "This report comes too late to be placed in its chain. Send reports in their order.",
                    );
                }
                let before = self.kept.get(&(run, seq - 1)).map(|before| before.hash.as_slice());
                let after = self.kept.get(&(run, seq + 1)).and_then(|after| after.prev_hash.as_deref());
                let fits = |named: Option<&[u8]>, is: Option<&[u8]>| named.is_none() || named == is;
                if !fits(before, prev.as_ref().map(|p| p.0.as_slice())) || !fits(after, Some(&hash.0)) {
                    return Verdict::Contradiction("This report doesn't fit its neighbours in the chain.");
                }
                head.covered_until = head.covered_until.max(end);
                head.moved = true;
                self.missing.entry(run).or_default().fill(seq);
            }
        }
        let kept = Kept { hash: hash.0.to_vec(), prev_hash: prev.map(|h| h.0.to_vec()), received_at };
        self.kept.insert((run, seq), kept);
        Verdict::New { covered: self.cover.entry(run.0).or_default().take(window.start, end) }
    }

    pub async fn write(self, db: &mut PgConnection, now: Time) -> Result<()> {
        for (agent, cover) in self.cover.iter().filter(|(_, cover)| cover.has_changed()) {
            let (starts, ends) = cover.gaps().unzip::<_, _, Vec<_>, Vec<_>>();
            gaps_store::replace_uncovered(db, *agent, &starts, &ends).await?;
        }
        for ((agent, boot), missing) in self.missing.iter().filter(|(_, missing)| missing.has_changed()) {
            let (first, last) = missing.ranges().unzip::<_, _, Vec<_>, Vec<_>>();
            gaps_store::replace_chain_gaps(db, (*agent, *boot), &first, &last, now).await?;
        }
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
