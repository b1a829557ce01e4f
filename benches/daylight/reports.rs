//! Signed reports of many made-up agents, their way through the intake, and the same counters by COPY.

use std::fmt::Write;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daylight::app::AppState;
use daylight::clock::Time;
use daylight::collection::report::{self, Hash, ParsedReport};
use ed25519_dalek::SigningKey;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::client::post_json;
use crate::fill;

pub const PATH: &str = "/api/v1/collection-reports";

/// Kind, program, granularity; all of it is declared in the example, as most of what is collected should be.
const KINDS: [(&str, &str, &str); 5] = [
    ("app.usage", "activitywatch", "metadata"),
    ("presence", "activitywatch", "metadata"),
    ("input.key_counts", "activitywatch", "count"),
    ("web.domains", "acme-monitor", "metadata"),
    ("device.inventory", "acme-monitor", "metadata"),
];

pub struct Agent {
    id: Uuid,
    device: Uuid,
    person: Uuid,
    boot: Uuid,
    key: SigningKey,
    token: String,
    seq: u64,
    prev: Option<Hash>,
    until: Time,
}

/// Enrols so many agents, each on a device of its own person.
pub async fn enrol(state: &AppState, number: usize) -> anyhow::Result<Vec<Agent>> {
    let now = state.clock.now();
    // All of one day: that is how reports come in.
    let begin = now.day(&TimeZone::UTC).plus_days(-1).start(&TimeZone::UTC);
    let agents: Vec<Agent> = (0..number)
        .map(|_| Agent {
            id: state.random.uuid(now),
            device: state.random.uuid(now),
            person: state.random.uuid(now),
            boot: state.random.uuid(now),
            key: SigningKey::from_bytes(&state.random.bytes()),
            token: URL_SAFE_NO_PAD.encode(state.random.bytes::<32>()),
            seq: 0,
            prev: None,
            until: begin,
        })
        .collect();
    let ids = |f: fn(&Agent) -> Uuid| agents.iter().map(f).collect::<Vec<_>>();
    let (people, devices) = (ids(|a| a.person), ids(|a| a.device));
    sqlx::query(
        "insert into person (id, email, name, jurisdiction, created_at)
         select p, p || '@demo.example', 'Person', 'DE', now() from unnest($1::uuid[]) p",
    )
    .bind(&people)
    .execute(&state.db)
    .await?;
    sqlx::query(
        "insert into device (id, label, created_at) select d, 'Device ' || d, now() from unnest($1::uuid[]) d",
    )
    .bind(&devices)
    .execute(&state.db)
    .await?;
    sqlx::query(
        "insert into device_assignment (id, device_id, person_id, period)
         select gen_random_uuid(), d, p, tstzrange(now() - interval '1 year', null)
         from unnest($1::uuid[], $2::uuid[]) as x (d, p)",
    )
    .bind(&devices)
    .bind(&people)
    .execute(&state.db)
    .await?;
    sqlx::query(
        "insert into agent (id, device_id, software, public_key, token_hash, enrolled_at)
         select i, d, 'daylight-agent/0.1.0', k, t, now()
         from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[]) as x (i, d, k, t)",
    )
    .bind(ids(|a| a.id))
    .bind(&devices)
    .bind(agents.iter().map(|a| a.key.verifying_key().to_bytes().to_vec()).collect::<Vec<_>>())
    .bind(agents.iter().map(|a| Sha256::digest(a.token.as_bytes()).to_vec()).collect::<Vec<_>>())
    .execute(&state.db)
    .await?;
    Ok(agents)
}

/// What one round sends: reports by agent, and the same counters as COPY's text.
#[derive(Default)]
pub struct Work {
    /// By client: report bodies with the token they are sent with.
    pub clients: Vec<Vec<(String, Vec<u8>)>>,
    pub reports: usize,
    pub items: usize,
    collected: i64,
    copy: String,
}

impl Agent {
    fn report(&mut self, state: &AppState, items: usize, work: &mut Work) -> anyhow::Result<Vec<u8>> {
        let (start, end) = (self.until, self.until.plus_seconds(60));
        let (first, last) = (start.plus_seconds(1), start.plus_seconds(50));
        let mut list = Vec::with_capacity(items);
        for i in 0..items {
            let (category, program, granularity) = KINDS[i % KINDS.len()];
            let source = format!("{program}/4.2.{}", i / KINDS.len());
            let count = 1 + (i as u64 + self.seq) % 90;
            let mut item = json!({
                "category": category, "granularity": granularity, "source": source,
                "collected": { "count": count, "bytes": count * 31 },
                "first_observed": first, "last_observed": last,
            });
            let sent = program == "acme-monitor";
            let (purpose, host, recipient, country) = if sent {
                ("dpv:EnforceSecurity", "collector.acme.example", "org:acme-insight", "DE")
            } else {
                ("", "", "", "")
            };
            let forwarded = if sent { count } else { 0 };
            if sent {
                item["purpose"] = json!(purpose);
                item["forwarded"] = json!({ "count": count, "bytes": count * 31 });
                item["destination"] = json!({ "host": host, "recipient": recipient, "country": country });
            }
            list.push(item);
            let day = start.day(&TimeZone::UTC);
            let (bytes, sent_bytes) = (count * 31, forwarded * 31);
            writeln!(
                work.copy,
                "{}\t{}\t{}\t{}\t{day}\t{category}\t{source}\t{granularity}\t{purpose}\t{host}\t{recipient}\t\
                 {country}\t{count}\t{bytes}\t{forwarded}\t{sent_bytes}\t0\t{first}\t{last}",
                self.person, self.id, self.boot, self.seq
            )?;
            work.collected += i64::try_from(count)?;
        }
        let fields = json!({
            "schema": "collection-report/1", "report_id": state.random.uuid(end), "agent_id": self.id,
            "boot_id": self.boot, "seq": self.seq, "prev_hash": self.prev, "device_id": self.device,
            "window": { "start": start, "end": end }, "produced_at": state.clock.now(), "items": list,
        });
        let Value::Object(fields) = fields else { unreachable!("made as an object above") };
        let (signed, hash) = report::sign(fields, &self.key)?;
        (self.seq, self.prev, self.until) = (self.seq + 1, Some(hash), end);
        work.reports += 1;
        work.items += items;
        Ok(signed.to_string().into_bytes())
    }
}

/// `each` reports of every agent, in turn: no agent's reports follow one another, as in life.
pub fn make(
    state: &AppState,
    agents: &mut [Agent],
    clients: usize,
    each: usize,
    items: usize,
) -> anyhow::Result<Work> {
    let mut work = Work { clients: vec![Vec::new(); clients], ..Work::default() };
    for _ in 0..each {
        for (i, agent) in agents.iter_mut().enumerate() {
            let body = agent.report(state, items, &mut work)?;
            work.clients[i % clients].push((agent.token.clone(), body));
        }
    }
    Ok(work)
}

impl Work {
    pub fn requests(&self) -> Vec<Vec<Vec<u8>>> {
        let list = |l: &Vec<(String, Vec<u8>)>| l.iter().map(|(t, b)| post_json(PATH, t, b)).collect();
        self.clients.iter().map(list).collect()
    }

    /// Seconds that one core takes to read every report, and to check every signature.
    pub fn cpu(&self, agents: &[Agent]) -> anyhow::Result<(f64, f64)> {
        let begin = Instant::now();
        let mut parsed = Vec::with_capacity(self.reports);
        for (_, body) in self.clients.iter().flatten() {
            parsed.push(ParsedReport::read(body).map_err(|e| anyhow::anyhow!("{e}"))?);
        }
        let read = begin.elapsed().as_secs_f64();
        let keys: std::collections::HashMap<_, _> =
            agents.iter().map(|a| (a.id, a.key.verifying_key())).collect();
        let begin = Instant::now();
        for one in &parsed {
            anyhow::ensure!(one.is_signed_by(&keys[&one.report.agent_id]), "a signature is wrong");
        }
        Ok((read, begin.elapsed().as_secs_f64()))
    }

    /// Seconds to hand every report to the writer without HTTP, JSON or signatures.
    pub async fn submit(&self, state: &AppState) -> anyhow::Result<f64> {
        let mut lists = Vec::new();
        for client in &self.clients {
            let read = client.iter().map(|(_, body)| ParsedReport::read(body));
            lists.push(read.collect::<Result<Vec<_>, _>>().map_err(|e| anyhow::anyhow!("{e}"))?);
        }
        let start = Instant::now();
        let tasks: Vec<_> = lists
            .into_iter()
            .map(|list| {
                let (intake, clock) = (state.intake.clone(), state.clock.clone());
                tokio::spawn(async move {
                    for parsed in list {
                        let receipt = intake.submit(parsed, clock.now()).await;
                        anyhow::ensure!(receipt.is_ok_and(|r| !r.duplicate), "a report was refused");
                    }
                    Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(start.elapsed().as_secs_f64())
    }

    /// Seconds to COPY the same counters into an ordinary table that has no index.
    pub async fn copy(&self, state: &AppState) -> anyhow::Result<f64> {
        let mut db = state.db.acquire().await?;
        let table = "drop table if exists bench_item; create table bench_item (person_id uuid, agent_id uuid,
            boot_id uuid, seq bigint, day date, category text, source text, granularity text, purpose text,
            host text, recipient text, country text, collected bigint, collected_bytes bigint, forwarded bigint,
            forwarded_bytes bigint, dropped bigint, first_observed timestamptz, last_observed timestamptz)";
        fill::run(&mut db, table).await?;
        let start = Instant::now();
        let mut copy = db.copy_in_raw("copy bench_item from stdin").await?;
        for part in self.copy.as_bytes().chunks(1 << 16) {
            copy.send(part).await?;
        }
        let rows = copy.finish().await?;
        let seconds = start.elapsed().as_secs_f64();
        anyhow::ensure!(rows as usize == self.items, "COPY took {rows} rows of {}", self.items);
        Ok(seconds)
    }
}

/// What the database holds of reports: reports kept, items summed up, records counted.
pub async fn totals(state: &AppState) -> anyhow::Result<(i64, i64, i64)> {
    Ok(sqlx::query_as(
        "select (select count(*) from collection_report), coalesce(sum(reports), 0)::bigint,
                coalesce(sum(collected), 0)::bigint from collection_daily",
    )
    .fetch_one(&state.db)
    .await?)
}

impl Work {
    /// Nothing lost, nothing counted twice.
    pub fn check(&self, before: (i64, i64, i64), after: (i64, i64, i64)) -> anyhow::Result<()> {
        let due = (
            before.0 + i64::try_from(self.reports)?,
            before.1 + i64::try_from(self.items)?,
            before.2 + self.collected,
        );
        anyhow::ensure!(after == due, "the database holds {after:?}, {due:?} was due");
        Ok(())
    }
}
