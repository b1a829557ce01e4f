//! Signing: the peak beside pgbench's with the same SQL, and what felled a parliament's site held for ten minutes.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use daylight::app::AppState;
use daylight::database::embedded::Embedded;
use daylight::identity::token_hash;
use daylight::petitions::signing;

use crate::client::{Connection, Expect, get, send_all};
use crate::pages::{Page, growth, versus};
use crate::signatures::{self, Issuers, Petition};
use crate::subject::{self, Subject};
use crate::table::{Row, Target};
use crate::{Bench, fill};

const TAKEN: Expect = Expect { status: 202, text: "include_by" };
/// Signatures of each client in a round.
const EACH: usize = 40;
/// UK Parliament's peak in 2019.
const A_MINUTE: usize = 2_000;

/// One transaction a signature, which also moves the log's head: what most petition sites do.
const NAIVE: &str = "begin;
insert into petition_waiting (petition_leaf, key, number, kind, mode, disclosure, leaf, leaf_hash)
 select '\\x00', k, 1, 'sign', 'confidential', 'nobody', convert_to(repeat('x', 1300), 'UTF8'), k
 from (select sha256(convert_to(random()::text || clock_timestamp()::text || pg_backend_pid(), 'UTF8')) as k) x
 on conflict on constraint petition_waiting_once do nothing returning key;
update ledger_log set size = size;
commit;
";

/// The same rows, so many a statement.
fn batched(rows: usize) -> String {
    format!(
        "insert into petition_waiting (petition_leaf, key, number, kind, mode, disclosure, leaf, leaf_hash)
 select '\\x00', k, 1, 'sign', 'confidential', 'nobody', convert_to(repeat('x', 1300), 'UTF8'), k
 from (select sha256(convert_to(random()::text || clock_timestamp()::text || n || pg_backend_pid(), 'UTF8')) as k
       from generate_series(1, {rows}) n) x
 on conflict on constraint petition_waiting_once do nothing;
"
    )
    .replace('\n', " ")
}

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let embedded = subject::postgres("petitions")?;
    let (subject, issuers) = bench.server.block_on(async {
        let state = subject::open(&embedded, "petitions").await?;
        subject::empty(&state).await?;
        let issuers = signatures::begin(&state).await?;
        anyhow::Ok((subject::serve(state).await?, Arc::new(issuers)))
    })?;
    peak(bench, &embedded, &subject, &issuers)?;
    pages(bench, &subject)?;
    held(bench, &subject, &issuers)
}

/// The page of a petition with 1,000 signatures and of one with 1,000,000.
fn pages(bench: &mut Bench, subject: &Subject) -> anyhow::Result<()> {
    let mut made = Vec::new();
    let cookie = bench.server.block_on(sign_in(&subject.state))?;
    for (slot, signatures) in [(3, 1_000i64), (4, 1_000_000)] {
        let petition = bench.server.block_on(async {
            let petition = signatures::open(&subject.state, slot).await?;
            load(&subject.state, petition, signatures).await?;
            anyhow::Ok(petition)
        })?;
        let path = format!("/petitions/{}", petition.id);
        made.push(Page::new(subject.address, &path, std::slice::from_ref(&cookie), "Daylight at every desk"));
    }
    let [small, large] = &made[..] else { unreachable!("two sizes") };
    let hello = Page::new(bench.server.block_on(subject::hello())?, "/", &[], "hello");
    let target = Some(Target::AtLeast(0.6));
    versus(bench, "/petitions/{id}, signed in, at 10^6 signatures", large, &hello, target)?;
    let name = "/petitions/{id} at 10^6 signatures, time".into();
    growth(bench, name, "at 10^3", large, small, 1.05)
}

/// Signatures as ninety days' batches leave them.
async fn load(state: &AppState, petition: Petition, signatures: i64) -> anyhow::Result<()> {
    let mut db = state.db.acquire().await?;
    let leaf: String = petition.leaf.0.iter().map(|b| format!("{b:02x}")).collect();
    for statement in [
        format!(
            "insert into petition_signature (petition_leaf, key, number, kind, mode, disclosure, leaf_hash, ledger_entry)
             select '\\x{leaf}', sha256(int8send(n)), 1, 'sign', 'confidential', 'nobody',
                 sha256(int8send(n) || '\\x{leaf}'::bytea), 1 from generate_series(1::bigint, {signatures}) n"
        ),
        format!(
            "insert into petition_count (petition_leaf, day, signed, withdrawn, total)
             select '\\x{leaf}', current_date - 90 + n, {signatures} / 90, 0, {signatures} * n / 90
             from generate_series(1, 90) n"
        ),
        "analyze petition_signature".into(),
    ] {
        fill::run(&mut db, &statement).await?;
    }
    Ok(())
}

/// A session of somebody who reads.
async fn sign_in(state: &AppState) -> anyhow::Result<String> {
    let (now, token) = (state.clock.now(), state.random.token());
    sqlx::query(
        "insert into session (id, token_hash, person_id, created_at, last_seen_at, expires_at, browser)
         select $1, $2, id, $3, $3, $4, 'Firefox on Linux' from person where email = 'council@bench.example'",
    )
    .bind(state.random.uuid(now))
    .bind(token_hash(&token))
    .bind(now)
    .bind(now.plus_days(14))
    .execute(&state.db)
    .await?;
    Ok(format!("daylight={token}"))
}

/// Signatures a second at 128 clients, beside pgbench.
fn peak(
    bench: &mut Bench,
    embedded: &Embedded,
    subject: &Subject,
    issuers: &Arc<Issuers>,
) -> anyhow::Result<()> {
    const CLIENTS: usize = 128;
    let petition = bench.server.block_on(signatures::open(&subject.state, 1))?;
    let (mut naive, mut together) = (Vec::new(), Vec::new());
    for round in 0..=bench.rounds {
        eprintln!("signing at {CLIENTS} clients, round {round}");
        let requests = issuers.requests(petition, CLIENTS * EACH)?;
        let lists = requests.chunks(EACH).map(<[_]>::to_vec).collect();
        let seconds = bench.load.block_on(send_all(subject.address, lists, TAKEN))?;
        let signed = (CLIENTS * EACH) as f64 / seconds;
        let one = pgbench(embedded, NAIVE, 32, bench.length)?;
        let many = pgbench(embedded, &batched(CLIENTS), 1, bench.length)? * CLIENTS as f64;
        bench.server.block_on(async {
            let mut db = subject.state.db.acquire().await?;
            fill::run(&mut db, "delete from petition_waiting where petition_leaf = '\\x00'").await
        })?;
        if round > 0 {
            naive.push((signed, Some(one)));
            together.push((signed, Some(many)));
        }
    }
    let waiting = bench.server.block_on(waiting(subject, petition))?;
    anyhow::ensure!(waiting == ((bench.rounds + 1) * CLIENTS * EACH) as i64, "{waiting} wait");
    let name = format!("signing, {CLIENTS} clients");
    bench.rows.push(Row {
        name: format!("{name}, beside one transaction a signature at 32 clients"),
        unit: "/s",
        reference: "pgbench",
        rounds: naive,
        target: Some(Target::AtLeast(15.0)),
    });
    bench.rows.push(Row {
        name: format!("{name}, beside {CLIENTS} rows a statement"),
        unit: "/s",
        reference: "pgbench",
        rounds: together,
        target: Some(Target::AtLeast(0.5)),
    });
    Ok(())
}

async fn waiting(subject: &Subject, petition: Petition) -> anyhow::Result<i64> {
    let count = sqlx::query_scalar("select count(*) from petition_waiting where petition_leaf = $1");
    Ok(count.bind(petition.leaf.0.to_vec()).fetch_one(&subject.state.db).await?)
}

/// Transactions a second.
fn pgbench(embedded: &Embedded, script: &str, clients: usize, length: Duration) -> anyhow::Result<f64> {
    let file = subject::folder().join("pgbench.sql");
    std::fs::write(&file, script)?;
    let seconds = length.as_secs().max(1).to_string();
    let output = Command::new(program()?)
        .args(["-n", "-M", "prepared", "-j", "2", "-T", &seconds, "-c", &clients.to_string()])
        .args(["-f", &file.to_string_lossy()])
        .args(["-h", &embedded.socket_dir().to_string_lossy(), "-p", &embedded.port().to_string()])
        .args(["-U", embedded.owner(), embedded.database()])
        .output()
        .context("pgbench can't be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let failed = text.lines().find_map(|l| l.strip_prefix("number of failed transactions: "));
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    anyhow::ensure!(failed.is_none_or(|f| f.starts_with("0 ")), "pgbench's transactions failed");
    let rate = text.lines().find_map(|l| l.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.with_context(|| format!("pgbench says no rate: {text}"))
}

/// It comes with Postgres's own programs.
fn program() -> anyhow::Result<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin/pgbench"))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    Ok(found.pop().unwrap_or_else(|| "pgbench".into()))
}

/// 2,000 a minute for ten minutes, at an even pace, while others read; every answer 202, and none lost.
fn held(bench: &mut Bench, subject: &Subject, issuers: &Arc<Issuers>) -> anyhow::Result<()> {
    const CONNECTIONS: usize = 16;
    let minutes = bench.hold;
    let count = A_MINUTE * minutes;
    eprintln!("holding {A_MINUTE} signatures a minute for {minutes} minutes");
    let petition = bench.server.block_on(signatures::open(&subject.state, 2))?;
    let requests = Arc::new(issuers.requests(petition, count)?);
    let cookie = bench.server.block_on(sign_in(&subject.state))?;
    let (address, path) = (subject.address, format!("/petitions/{}", petition.id));
    let (mut late, seconds, pages) = bench.load.block_on(async {
        let begin = Instant::now();
        let end = begin + Duration::from_secs(60 * minutes as u64);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (path, cookie) = (path.clone(), cookie.clone());
                tokio::spawn(async move {
                    let mut connection = Connection::open(address).await?;
                    let mut pages = 0u64;
                    while Instant::now() < end {
                        let answer = connection.send(&get(&path, Some(&cookie))).await?;
                        anyhow::ensure!(answer.status == 200, "a page answered {}", answer.status);
                        pages += 1;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    anyhow::Ok(pages)
                })
            })
            .collect();
        let senders: Vec<_> = (0..CONNECTIONS)
            .map(|first| {
                let requests = requests.clone();
                tokio::spawn(async move {
                    let mut connection = Connection::open(address).await?;
                    let mut times = Vec::new();
                    for n in (first..requests.len()).step_by(CONNECTIONS) {
                        // When it is due, whatever came before: a slow answer makes the next ones late.
                        let due = begin + Duration::from_secs_f64(n as f64 * 60.0 / A_MINUTE as f64);
                        tokio::time::sleep_until(due.into()).await;
                        let answer = connection.send(&requests[n]).await?;
                        anyhow::ensure!(answer.status == 202, "{} came", answer.status);
                        times.push(due.elapsed().as_secs_f64() * 1000.0);
                    }
                    anyhow::Ok(times)
                })
            })
            .collect();
        let mut times = Vec::new();
        for sender in senders {
            times.extend(sender.await??);
        }
        let seconds = begin.elapsed().as_secs_f64();
        let mut pages = 0;
        for reader in readers {
            pages += reader.await??;
        }
        anyhow::Ok((times, seconds, pages))
    })?;
    let total = bench.server.block_on(async {
        let mut tx = subject.state.db.begin().await?;
        let closed = signing::close_out(&mut tx, &subject.state, &petition.leaf).await;
        tx.commit().await?;
        closed.map_err(|e| anyhow::anyhow!("{e}"))
    })?;
    anyhow::ensure!(total == count as i64, "{total} of {count} signatures are in the count");
    late.sort_by(f64::total_cmp);
    let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize];
    bench.notes.push(format!(
        "held: {count} signatures in {seconds:.0} s beside {pages} page reads, every answer 202, {total} counted; \
         from when each was due, median {:.1} ms, 99 % {:.1} ms, slowest {:.1} ms",
        at(0.5),
        at(0.99),
        at(1.0)
    ));
    let rate = count as f64 / seconds * 60.0;
    let target = Some(Target::AtLeast(A_MINUTE as f64 * 0.99));
    let name = format!("signatures held for {minutes} minutes");
    bench.rows.push(Row { name, unit: "/min", reference: "", rounds: vec![(rate, None)], target });
    Ok(())
}
