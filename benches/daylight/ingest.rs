//! Report ingest, beside COPY of the same counters.

use crate::client::{Expect, send_all};
use crate::reports::{self, Agent, Work};
use crate::subject::Subject;
use crate::table::{Row, Target};
use crate::{Bench, subject};

const CREATED: Expect = Expect { status: 201, text: "received_at" };

/// Counters a report, reports of each agent in a round, clients; agents enough that none sends faster than
/// it may.
const MANY: (usize, usize) = (200, 4);
const FEW: (usize, usize) = (8, 6);
const AGENTS: (usize, usize) = (200, 1000);

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let embedded = subject::postgres("intake")?;
    let (subject, mut many, mut few) = bench.server.block_on(async {
        let state = subject::open(&embedded, "intake").await?;
        subject::begin_anew(&state).await?;
        let many = reports::enrol(&state, AGENTS.0).await?;
        let few = reports::enrol(&state, AGENTS.1).await?;
        anyhow::Ok((subject::serve(state).await?, many, few))
    })?;
    for clients in [8, 32, 128] {
        let name = format!("ingest, {} counters a report, {clients} clients", MANY.0);
        let target = Some(Target::AtLeast(0.5));
        let rounds = rounds(bench, &subject, &mut many, clients, MANY, Way::Http)?;
        bench.rows.push(Row { name, unit: "counters/s", reference: "COPY", rounds, target });
    }
    for clients in [8, 32, 128] {
        let name = format!("ingest, {} counters a report, {clients} clients", FEW.0);
        let rounds = rounds(bench, &subject, &mut few, clients, FEW, Way::Http)?;
        let last = rounds.iter().map(|r| r.0 / FEW.0 as f64).collect::<Vec<_>>();
        bench.rows.push(Row { name, unit: "counters/s", reference: "COPY", rounds, target: None });
        let name = format!("the same in reports, {clients} clients");
        let rounds = last.into_iter().map(|r| (r, None)).collect();
        bench.rows.push(Row { name, unit: "reports/s", reference: "", rounds, target: None });
    }
    for ((each, agents), clients) in [(MANY, &mut many), (FEW, &mut few)].into_iter().zip([32, 128]) {
        let name = format!("the writer alone, {} counters a report", each.0);
        let rounds = rounds(bench, &subject, agents, clients, each, Way::Writer)?;
        bench.rows.push(Row { name, unit: "counters/s", reference: "COPY", rounds, target: None });
        cpu(bench, &subject, agents, each)?;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Http,
    /// The writer called directly with reports that are read already: what the database costs.
    Writer,
}

/// Counters a second, and COPY's.
fn rounds(
    bench: &Bench,
    subject: &Subject,
    agents: &mut [Agent],
    clients: usize,
    (items, each): (usize, usize),
    way: Way,
) -> anyhow::Result<Vec<(f64, Option<f64>)>> {
    eprintln!("ingest, {items} counters a report, {clients} clients");
    let mut rounds = Vec::new();
    // The first round makes the day's sums and counts as little as a day's first minute does.
    for round in 0..=bench.rounds {
        let work = reports::make(&subject.state, agents, clients, each, items)?;
        let before = bench.server.block_on(reports::totals(&subject.state))?;
        let seconds = match way {
            Way::Http => bench.load.block_on(send_all(subject.address, work.requests(), CREATED))?,
            Way::Writer => bench.server.block_on(work.submit(&subject.state))?,
        };
        let after = bench.server.block_on(reports::totals(&subject.state))?;
        work.check(before, after)?;
        let copy = bench.server.block_on(work.copy(&subject.state))?;
        if round > 0 {
            rounds.push((work.items as f64 / seconds, Some(work.items as f64 / copy)));
        }
    }
    Ok(rounds)
}

/// What one core reads and checks, without a database.
fn cpu(
    bench: &mut Bench,
    subject: &Subject,
    agents: &mut [Agent],
    (items, each): (usize, usize),
) -> anyhow::Result<()> {
    let (mut read, mut checked) = (Vec::new(), Vec::new());
    // Made and thrown away: the agents' chains go on from copies that nobody sent, so this comes last.
    let work: Work = reports::make(&subject.state, agents, 1, each, items)?;
    for _ in 0..bench.rounds {
        let (reading, checking) = work.cpu(agents)?;
        let per_second = |seconds: f64| (work.items as f64 / seconds, None);
        read.push(per_second(reading));
        checked.push(per_second(checking));
    }
    for (what, rounds) in [("JSON read and hashed", read), ("signatures checked", checked)] {
        let name = format!("{what} by one core, {items} counters a report");
        bench.rows.push(Row { name, unit: "counters/s", reference: "", rounds, target: None });
    }
    Ok(())
}
