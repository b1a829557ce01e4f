//! The example's agents: signed reports with made-up figures, through the same intake as real ones.
//!
//! Keys and figures are derived from each person's made-up address, so that a later start goes on where the
//! last one ended.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::people::Staff;
use crate::app::AppState;
use crate::clock::{Clock, Time};
use crate::collection::model::FindingKind;
use crate::collection::report::{self, Hash, ParsedReport, Source};
use crate::collection::{self, Answer, ChainHead};
use crate::consent::store::policy::{self, ToldRow};
use crate::error::{Error, Result};
use crate::register;

const WATCHED: [&str; 4] = ["app.usage", "presence", "input.key_counts", "window.titles"];
const WATCHED_BY_ACME: [&str; 2] = ["web.domains", "device.inventory"];

/// Days before the present at which things begin that nobody declared.
const TITLES_SINCE: i64 = 18;
const ABROAD_SINCE: i64 = 9;

pub(super) fn key(email: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(format!("daylight example agent {email}")).into())
}

/// A number from 0 to `below` - 1 that is always the same for the same words.
fn chance(words: &str, below: u64) -> u64 {
    let hash = Sha256::digest(words);
    u64::from_be_bytes(hash[..8].try_into().unwrap_or([0; 8])) % below
}

/// Gives everybody a device with an agent on it.
pub async fn enrol_everybody(state: &AppState, staff: &Staff) -> Result<()> {
    let begin = state.clock.now();
    let software = Source::new("daylight-agent/0.1.0").ok_or(Error::NotFound)?;
    for worker in &staff.workers {
        let secret = collection::create_enrolment(state, None, &device(&worker.name, &worker.email)).await?;
        let public = URL_SAFE_NO_PAD.encode(key(&worker.email).verifying_key().as_bytes());
        let enrolled = collection::enrol(state, &secret, &public, &software).await?;
        let assignment = collection::assign(state, None, enrolled.device_id, worker.id).await?;
        collection::confirm_device(state, worker.id, assignment).await?;
        // The first report: nothing yet, so that each chain has a head to go on from.
        let boot = state.random.uuid(begin);
        let agent =
            Agent { id: enrolled.agent_id, device_id: enrolled.device_id, boot, email: worker.email.clone() };
        let window = (begin, begin.plus_seconds(60));
        agent.send(state, 0, None, window, Vec::new()).await?;
    }
    Ok(())
}

/// The label says whose it is, and carries the address that the figures are derived from.
fn device(name: &str, email: &str) -> String {
    format!("{}’s laptop ({email})", name.split(' ').next().unwrap_or(name))
}

pub(super) fn email_of(device: &str) -> Option<&str> {
    device.rsplit_once('(').map(|(_, rest)| rest.trim_end_matches(')'))
}

struct Agent {
    id: Uuid,
    device_id: Uuid,
    boot: Uuid,
    email: String,
}

impl Agent {
    async fn send(
        &self,
        state: &AppState,
        seq: i64,
        prev: Option<Hash>,
        window: (Time, Time),
        items: Vec<Value>,
    ) -> Result<Hash> {
        let fields = json!({
            "schema": "collection-report/1",
            "report_id": state.random.uuid(window.1),
            "agent_id": self.id,
            "boot_id": self.boot,
            "seq": seq,
            "prev_hash": prev,
            "device_id": self.device_id,
            "window": { "start": window.0, "end": window.1 },
            "produced_at": window.1,
            "items": items,
        });
        let Value::Object(fields) = fields else { return Err(Error::NotFound) };
        let (signed, hash) = report::sign(fields, &key(&self.email))?;
        let parsed = ParsedReport::read(signed.to_string().as_bytes())?;
        state.intake.submit(parsed, window.1).await?;
        Ok(hash)
    }
}

/// Sends what is missing between each agent's last report and `now`, in windows of at most a day.
pub async fn catch_up(state: &AppState, now: Time) -> Result<()> {
    let mut db = state.db.acquire().await?;
    let mut heads = collection::list_heads(&mut db).await?;
    let orders = Orders::load(&mut db, &heads).await?;
    drop(db);
    // Somebody may have enrolled a real agent in the example: it reports for itself.
    heads.retain(|head| email_of(&head.device).is_some());
    let clock = Clock::fixed(now);
    let past = AppState::new((*state.config).clone(), state.db.clone(), clock.clone(), state.random.clone());
    // Day by day, everybody's at once: that is how the intake likes it.
    while let Some(from) = heads.iter().map(|h| h.covered_until).filter(|t| *t < now).min() {
        let next_day = from.day(&TimeZone::UTC).plus_days(1).start(&TimeZone::UTC);
        let until = next_day.min(now);
        clock.advance(until.seconds_since(clock.now()));
        let day: Vec<_> = heads
            .iter_mut()
            .filter(|h| h.covered_until < until)
            .map(|head| report_window(&past, &orders, head, until, now))
            .collect();
        for outcome in futures_util::future::join_all(day).await {
            outcome?;
        }
    }
    Ok(())
}

async fn report_window(
    state: &AppState,
    orders: &Orders,
    head: &mut ChainHead,
    until: Time,
    now: Time,
) -> Result<()> {
    let Some(email) = email_of(&head.device).map(str::to_owned) else { return Ok(()) };
    let window = (head.covered_until, until);
    head.covered_until = until;
    let days_ago = now.seconds_since(window.0) / 86_400;
    if is_away(&email, days_ago) {
        return Ok(());
    }
    let agent = Agent { id: head.agent_id, device_id: head.device_id, boot: head.boot_id, email };
    let prev = <[u8; 32]>::try_from(head.last_hash.as_slice()).ok().map(Hash);
    let mut items = items(&agent.email, window, days_ago);
    items.iter_mut().for_each(|item| orders.obey(agent.id, until, item));
    let hash = agent.send(state, head.last_seq + 1, prev, window, items).await?;
    (head.last_seq, head.last_hash) = (head.last_seq + 1, hash.0.to_vec());
    Ok(())
}

/// What the agents were told may be collected. They obey as far as something is declared at all: what nobody
/// declared they collect all the same.
struct Orders {
    told: Vec<ToldRow>,
    declared: Vec<(String, Uuid)>,
}

impl Orders {
    async fn load(db: &mut PgConnection, heads: &[ChainHead]) -> Result<Self> {
        let agents: Vec<Uuid> = heads.iter().map(|h| h.agent_id).collect();
        let declared = register::list_declarations(db).await?.into_iter();
        Ok(Orders {
            told: policy::list_told_to(db, &agents).await?,
            declared: declared.map(|d| (d.content.category.id().to_owned(), d.processing_id)).collect(),
        })
    }

    /// Counts nothing where the agent was told, before the window's end, that it may not.
    fn obey(&self, agent: Uuid, until: Time, item: &mut Value) {
        let Some(last) = self.told.iter().rev().find(|t| t.agent_id == agent && t.at < until) else { return };
        let mut of = self.declared.iter().filter(|(category, _)| item["category"] == *category).peekable();
        if of.peek().is_some() && !of.any(|(_, processing)| last.allowed.contains(processing)) {
            item["collected"] = json!({ "count": 0, "bytes": 0 });
            for field in ["first_observed", "last_observed", "forwarded", "destination"] {
                item.as_object_mut().map(|fields| fields.remove(field));
            }
        }
    }
}

/// Days on which a laptop lay in a drawer: a gap, which the pages show as unknown.
fn is_away(email: &str, days_ago: i64) -> bool {
    let from = 30 + chance(&format!("away {email}"), 40) as i64;
    let short = 3 + chance(&format!("short {email}"), 24) as i64;
    let short_gap = days_ago == short && chance(email, 2) == 0 && !email.starts_with("worker@");
    (from..from + 5).contains(&days_ago) || short_gap
}

/// A day on which one of two programs said nothing.
fn is_acme_silent(email: &str, days_ago: i64) -> bool {
    email.starts_with("worker@") && days_ago == 13
}

fn items(email: &str, window: (Time, Time), days_ago: i64) -> Vec<Value> {
    let day = window.0.day(&TimeZone::UTC);
    let seconds = window.1.seconds_since(window.0);
    let is_workday = !matches!(day.jiff().weekday(), Weekday::Saturday | Weekday::Sunday);
    let share = if is_workday { seconds as f64 / 86_400.0 } else { 0.0 };
    let few = chance(&format!("few {email}"), 3) == 0 || email.starts_with("worker@");
    let amount = |category: &str, usual: u64| -> u64 {
        let vary = 60 + chance(&format!("{email} {category} {day}"), 80);
        (usual as f64 * share * vary as f64 / 100.0) as u64
    };
    let item = |category: &str, granularity: &str, source: &str, count: u64, bytes_each: u64| {
        let mut item = json!({
            "category": category, "granularity": granularity, "source": source,
            "collected": { "count": count, "bytes": count * bytes_each },
        });
        if count > 0 {
            item["first_observed"] = json!(window.0.plus_seconds(seconds / 4));
            item["last_observed"] = json!(window.1.plus_seconds(-seconds / 5));
        }
        item
    };
    let mut items = Vec::new();
    for category in WATCHED {
        let (granularity, usual, bytes) = match category {
            "app.usage" => ("metadata", 420, 24),
            "presence" => ("metadata", 96, 8),
            "input.key_counts" => ("count", 5_200, 2),
            // Nobody declared this: it began with an update, on some laptops.
            _ if few && days_ago < TITLES_SINCE => ("content", 380, 62),
            _ => ("content", 0, 0),
        };
        items.push(item(category, granularity, "activitywatch/0.12.0", amount(category, usual), bytes));
    }
    for category in WATCHED_BY_ACME.into_iter().filter(|_| !is_acme_silent(email, days_ago)) {
        let usual = if category == "web.domains" { 140 } else { 1 };
        let count = amount(category, usual);
        let mut made = item(category, "metadata", "acme-monitor/4.2", count, 31);
        made["purpose"] = json!("dpv:EnforceSecurity");
        if count > 0 {
            let abroad = category == "web.domains" && few && days_ago < ABROAD_SINCE;
            let (host, recipient, country) = if abroad {
                ("telemetry.adtech.example", "org:adtech", "US")
            } else {
                ("collector.acme.example", "org:acme-insight", "DE")
            };
            made["forwarded"] = json!({ "count": count, "bytes": count * 31 });
            made["destination"] = json!({ "host": host, "recipient": recipient, "country": country });
        }
        items.push(made);
    }
    items
}

/// HR has answered for what was sent abroad; what nobody declared still waits.
pub async fn answer_one_finding(state: &AppState, staff: &Staff) -> Result<()> {
    let group = collection::group_id(FindingKind::Exceeds, "web.domains", "");
    let reason = "An update of acme-monitor began to send to a second address, which we had not been told of. \
                  We have asked the maker to switch that off, and will say here when it is.";
    collection::answer_findings(state, &staff.publisher, Answer { group: &group, seen: 0, reason }).await
}

/// Goes on reporting every five minutes while the example runs.
pub async fn keep_reporting(state: AppState) {
    while !state.db.is_closed() {
        tokio::select! {
            () = state.db.close_event() => return,
            () = tokio::time::sleep(Duration::from_secs(300)) => {}
        }
        if let Err(error) = catch_up(&state, state.clock.now()).await {
            tracing::warn!(%error, "the example's agents could not report");
        }
    }
}
