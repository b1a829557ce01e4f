//! Pages, each beside a bare axum route.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Expect, Load, ask, get};
use crate::table::{Row, Target};
use crate::{Bench, fill, subject};

const CONNECTIONS: usize = 16;

#[derive(Clone)]
pub struct Page {
    address: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    expect: Expect,
}

impl Page {
    pub fn new(address: SocketAddr, path: &str, cookies: &[String], text: &'static str) -> Self {
        let requests = match cookies {
            [] => vec![get(path, None)],
            list => list.iter().map(|c| get(path, Some(c))).collect(),
        };
        Page { address, requests: Arc::new(requests), expect: Expect { status: 200, text } }
    }

    /// Of these requests in turn, as they are.
    pub fn of(address: SocketAddr, requests: Vec<Vec<u8>>, text: &'static str) -> Self {
        Page { address, requests: Arc::new(requests), expect: Expect { status: 200, text } }
    }

    fn ask(&self, bench: &Bench, connections: usize, length: Duration) -> anyhow::Result<Load> {
        let asking = ask(self.address, connections, length, self.requests.clone(), self.expect);
        bench.load.block_on(asking)
    }
}

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut sizes = vec![("pages-1e6", "10^6", 1_000_000), ("pages-1e7", "10^7", 10_000_000)];
    if bench.large {
        sizes.push(("pages-1e8", "10^8", 100_000_000));
    }
    // From this thread, which lives as long as they should.
    let databases: Vec<_> =
        sizes.iter().map(|(name, ..)| subject::postgres(name)).collect::<anyhow::Result<_>>()?;
    let hello = Page::new(bench.server.block_on(subject::hello())?, "/", &[], "hello");
    let mut mine = Vec::new();
    let mut first = None;
    for (embedded, (name, words, counters)) in databases.iter().zip(&sizes) {
        let (subject, cookies) = bench.server.block_on(async {
            let state = subject::open(embedded, name).await?;
            fill::ensure(&state, name, *counters).await?;
            let cookies = fill::sign_in(&state).await?;
            anyhow::Ok((subject::serve(state).await?, cookies))
        })?;
        let gigabytes = bench.server.block_on(fill::gigabytes(&subject.state))?;
        bench.notes.push(format!("{words} counters: {gigabytes:.1} GB of database"));
        let page = Page::new(subject.address, "/me/collection", &cookies, "Window titles");
        mine.push((*words, page));
        first.get_or_insert((subject.address, cookies));
    }
    let (address, cookies) = first.expect("there is more than one size");

    versus(bench, "hello (the noise of this run)", &hello, &hello, None)?;
    let page = Page::new(address, "/healthz", &[], "ok");
    versus(bench, "/healthz: all layers, no database", &page, &hello, None)?;
    let page = Page::new(address, "/sign-in", &[], "Sign in");
    versus(bench, "/sign-in", &page, &hello, None)?;
    let page = Page::new(address, "/register", &cookies, "Sites you visit");
    versus(bench, "/register, signed in", &page, &hello, None)?;
    versus(bench, "/me/collection at 10^6 counters", &mine[0].1, &hello, None)?;
    for (words, page) in &mine[1..] {
        let name = format!("/me/collection at {words} counters, time");
        growth(bench, name, "at 10^6", page, &mine[0].1, 1.1)?;
    }
    Ok(())
}

/// Answers a second, beside those of the reference.
pub fn versus(
    bench: &mut Bench,
    name: &str,
    page: &Page,
    reference: &Page,
    target: Option<Target>,
) -> anyhow::Result<()> {
    eprintln!("{name}");
    for page in [page, reference] {
        page.ask(bench, CONNECTIONS, Duration::from_millis(500))?;
    }
    let mut rounds = Vec::new();
    for _ in 0..bench.rounds {
        let subject = page.ask(bench, CONNECTIONS, bench.length)?.per_second;
        rounds.push((subject, Some(reference.ask(bench, CONNECTIONS, bench.length)?.per_second)));
    }
    bench.rows.push(Row { name: name.into(), unit: "/s", reference: "hello", rounds, target });
    Ok(())
}

/// Milliseconds of the same page on more data: one request at a time, so that nothing waits in a queue.
pub fn growth(
    bench: &mut Bench,
    name: String,
    reference_words: &'static str,
    page: &Page,
    reference: &Page,
    at_most: f64,
) -> anyhow::Result<()> {
    eprintln!("{name}");
    for page in [page, reference] {
        page.ask(bench, 1, bench.length)?;
    }
    let mut rounds = Vec::new();
    for _ in 0..bench.rounds * 2 {
        let subject = page.ask(bench, 1, bench.length)?.median * 1000.0;
        rounds.push((subject, Some(reference.ask(bench, 1, bench.length)?.median * 1000.0)));
    }
    let target = Some(Target::AtMost(at_most));
    bench.rows.push(Row { name, unit: "ms", reference: reference_words, rounds, target });
    Ok(())
}
