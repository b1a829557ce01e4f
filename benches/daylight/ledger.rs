//! The log at 1,000 and at 100,000 entries: what it costs must follow the logarithm and not the size.

use std::io::Cursor;
use std::time::{Duration, Instant};

use daylight::app::AppState;
use daylight::ledger::proof::checkpoint::Checkpoint;
use daylight::ledger::proof::export::{FORMAT, Header, Writer};
use daylight::ledger::proof::leaf::KeyLeaf;
use daylight::ledger::proof::note::{Key, Kind, Note, sign};
use daylight::ledger::proof::policy::Policy;
use daylight::ledger::proof::tlog_proof::TlogProof;
use daylight::ledger::proof::tree::{Edge, Hash, TILE, leaf_hash};
use daylight::ledger::proof::verify::{Against, verify_export, verify_proof};
use daylight::ledger::{self, Leaf, NoticeChange, RegisterChange};
use ed25519_dalek::SigningKey;
use uuid::Uuid;

use crate::client::{Connection, get};
use crate::pages::{Page, growth};
use crate::table::{Row, Target, median};
use crate::{Bench, fill, subject};

const SMALL: u64 = 1_000;
const LARGE: u64 = 100_000;

/// `log2` of the sizes' ratio: growth beyond it would be growth with the log.
fn logarithm() -> f64 {
    ((LARGE as f64).log2() / (SMALL as f64).log2() * 100.0).round() / 100.0
}

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let names = [("ledger-1e3", SMALL), ("ledger-1e5", LARGE)];
    let databases: Vec<_> =
        names.iter().map(|(name, _)| subject::postgres(name)).collect::<anyhow::Result<_>>()?;
    let mut subjects = Vec::new();
    for (embedded, (name, leaves)) in databases.iter().zip(names) {
        eprintln!("a log of {leaves} entries");
        let subject = bench.server.block_on(async {
            let state = subject::open(embedded, name).await?;
            subject::begin_anew(&state).await?;
            load(&state, leaves).await?;
            subject::serve(state).await
        })?;
        subjects.push(subject);
    }
    let [small, large] = [&subjects[0], &subjects[1]];
    append(bench, &large.state, &small.state)?;
    for (path, text) in [
        ("/log", "Check it yourself"),
        ("/log/entries/77", "exactly as it was signed"),
        ("/log/entries/77/proof", "index 77"),
    ] {
        let [subject, reference] = [large, small].map(|s| Page::new(s.address, path, &[], text));
        let name = format!("{path} at 10^5 entries, time");
        growth(bench, name, "at 10^3", &subject, &reference, logarithm())?;
    }
    check_proofs(bench, &large.state, &small.state)?;
    replay(bench)
}

/// Fills the log with entries as notices have them.
async fn load(state: &AppState, leaves: u64) -> anyhow::Result<()> {
    let mut db = state.db.acquire().await?;
    fill::run(
        &mut db,
        &format!(
            r#"insert into ledger_entry (bytes, hash) select b, sha256('\x00'::bytea || b) from (
               select convert_to('{{"change":"published","content":"'
                   || translate(encode(sha256(n::text::bytea), 'base64'), '+/=', '-_') || '","notice":"'
                   || md5('notice' || n)::uuid || '","previous":null,"t":"notice","v":1,"version":"1.0"}}', 'UTF8') as b
               from generate_series(1, {leaves}) n) x"#
        ),
    )
    .await?;
    drop(db);
    settle(state).await?;
    let mut db = state.db.acquire().await?;
    fill::run(&mut db, "analyze").await
}

async fn settle(state: &AppState) -> anyhow::Result<()> {
    state.ledger.settle().await.map_err(|e| anyhow::anyhow!("{e}"))
}

fn leaf(state: &AppState) -> Leaf {
    Leaf::Notice {
        notice: state.random.uuid(state.clock.now()),
        version: "1.0".into(),
        change: NoticeChange::Published,
        previous: None,
        content: Hash(state.random.bytes()),
    }
}

/// Milliseconds from handing in an entry to its being in the signed log: two commits, a file and a signature.
fn append(bench: &mut Bench, large: &AppState, small: &AppState) -> anyhow::Result<()> {
    eprintln!("appending");
    let one = |state: AppState| async move {
        let begin = Instant::now();
        let mut tx = state.db.begin().await?;
        ledger::submit(&mut tx, &leaf(&state)).await.map_err(|e| anyhow::anyhow!("{e}"))?;
        tx.commit().await?;
        settle(&state).await?;
        anyhow::Ok(begin.elapsed().as_secs_f64() * 1000.0)
    };
    let mut rounds = Vec::new();
    for _ in 0..bench.rounds {
        let (mut subject, mut reference) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            subject.push(bench.server.block_on(one(large.clone()))?);
            reference.push(bench.server.block_on(one(small.clone()))?);
        }
        rounds.push((median(&mut subject), Some(median(&mut reference))));
    }
    let target = Some(Target::AtMost(logarithm()));
    let name = "one entry appended and signed, at 10^5 entries, time".into();
    bench.rows.push(Row { name, unit: "ms", reference: "at 10^3", rounds, target });
    together(bench, large)
}

/// Entries a second when many hand in at once.
fn together(bench: &mut Bench, state: &AppState) -> anyhow::Result<()> {
    for clients in [8, 128] {
        let mut rounds = Vec::new();
        for _ in 0..bench.rounds {
            let length = Duration::from_secs(1);
            let count = bench.server.block_on(async {
                let begin = Instant::now();
                let tasks: Vec<_> = (0..clients)
                    .map(|_| {
                        let state = state.clone();
                        tokio::spawn(async move {
                            let mut done = 0u64;
                            while begin.elapsed() < length {
                                let mut tx = state.db.begin().await?;
                                let handed_in = ledger::submit(&mut tx, &leaf(&state)).await;
                                handed_in.map_err(|e| anyhow::anyhow!("{e}"))?;
                                tx.commit().await?;
                                settle(&state).await?;
                                done += 1;
                            }
                            anyhow::Ok(done)
                        })
                    })
                    .collect();
                let mut count = 0;
                for task in tasks {
                    count += task.await??;
                }
                anyhow::Ok(count as f64 / begin.elapsed().as_secs_f64())
            })?;
            rounds.push((count, None));
        }
        let name = format!("entries appended and signed by {clients} clients, each waiting for its own");
        bench.rows.push(Row { name, unit: "/s", reference: "", rounds, target: None });
    }
    Ok(())
}

/// Microseconds to check a proof file, signature and path.
fn check_proofs(bench: &mut Bench, large: &AppState, small: &AppState) -> anyhow::Result<()> {
    eprintln!("checking proofs");
    let mut files = Vec::new();
    for state in [large, small] {
        let address = bench.server.block_on(subject::serve(state.clone()))?.address;
        let fetch = |path: &'static str| async move {
            let mut connection = Connection::open(address).await?;
            let answer = connection.send(&get(path, None)).await?;
            anyhow::ensure!(answer.status == 200, "{path}: {}", answer.status);
            anyhow::Ok(String::from_utf8(answer.body.to_vec())?)
        };
        let policy: Policy = bench.server.block_on(fetch("/log/policy.txt"))?.parse()?;
        let proof: TlogProof = bench.server.block_on(fetch("/log/entries/77/proof"))?.parse()?;
        files.push((proof, policy));
    }
    let time = |(proof, policy): &(TlogProof, Policy)| {
        let begin = Instant::now();
        for _ in 0..200 {
            let report = verify_proof(proof, policy, None)?;
            anyhow::ensure!(!report.is_violated(), "{report}");
        }
        anyhow::Ok(begin.elapsed().as_secs_f64() * 1e6 / 200.0)
    };
    let mut rounds = Vec::new();
    for _ in 0..bench.rounds {
        rounds.push((time(&files[0])?, Some(time(&files[1])?)));
    }
    let target = Some(Target::AtMost(logarithm()));
    let name = "a proof file checked, at 10^5 entries, time".into();
    bench.rows.push(Row { name, unit: "µs", reference: "at 10^3", rounds, target });
    Ok(())
}

/// `daylight verify` on a million entries, on one core.
fn replay(bench: &mut Bench) -> anyhow::Result<()> {
    eprintln!("verifying a million entries");
    let file = million()?;
    let mut rounds = Vec::new();
    for _ in 0..3 {
        let begin = Instant::now();
        let report = verify_export(Cursor::new(&file), &Against::default())?;
        anyhow::ensure!(!report.is_violated() && report.size == 1_000_000, "{report}");
        rounds.push((begin.elapsed().as_secs_f64(), None));
    }
    let name = "daylight verify, 10^6 entries".into();
    bench.rows.push(Row { name, unit: "s", reference: "", rounds, target: Some(Target::AtMost(5.0)) });
    Ok(())
}

/// An export of a million entries, made without a database.
fn million() -> anyhow::Result<Vec<u8>> {
    let (origin, signer) = ("bench.example/log", SigningKey::from_bytes(&[7; 32]));
    let key = KeyLeaf::announce(origin, &signer.verifying_key(), "2026-01-01T00:00:00Z", &signer);
    let mut leaves = vec![Leaf::Key(key).to_bytes()?];
    for n in 1..1_000_000u128 {
        let leaf = Leaf::Register {
            processing: Uuid::from_u128(n),
            revision: 4,
            change: RegisterChange::Activated,
            previous: None,
            content: Hash::of(&n.to_be_bytes()),
        };
        leaves.push(leaf.to_bytes()?);
    }
    let hashes: Vec<Hash> = leaves.iter().map(|bytes| leaf_hash(bytes)).collect();
    let mut edge = Edge::default();
    hashes.iter().for_each(|hash| drop(edge.push(*hash)));
    let head = Checkpoint { origin: origin.into(), size: edge.size, root: edge.root() };
    let text = head.to_string();
    let note = Note { signatures: vec![sign(origin, &signer, &text)], text };
    let vkey = Key::new(origin, Kind::Ed25519, signer.verifying_key())?;
    let mut out = Writer(Vec::new());
    out.header(&Header {
        format: FORMAT.into(),
        origin: origin.into(),
        policy: format!("log {vkey}\nquorum none\n"),
        checkpoint: note.to_string(),
        leaves: head.size,
        tiles: head.size.div_ceil(TILE as u64),
        checkpoints: 0,
        documents: 0,
        withheld: head.size - 1,
    })?;
    leaves.iter().try_for_each(|bytes| out.leaf(bytes))?;
    hashes.chunks(TILE).try_for_each(|tile| out.tile(tile))?;
    Ok(out.0)
}
