//! What each agent is told: a signed bundle with a revision that only grows.
//!
//! A bundle is made from what this instance has in memory; when it says something else than the agent was told
//! last, it is made again from the database under a lock, so that two instances can't go back and forth.

use sqlx::PgConnection;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::bundle::{Bundle, BundleSchema, PolicyKey, Rule, VALID_SECONDS};
use super::model::{GRACE_SECONDS, Why, decide, may_object};
use super::rules::Rules;
use super::snapshot::People;
use super::store::policy::{self as store, AgentRow, NewPolicy, TellingRow};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::Result;
use crate::register::ChoiceMode;

/// Seconds after which a bundle is signed anew.
const RENEW_SECONDS: i64 = 5 * 60;

/// A bundle ready to be sent.
pub struct Issued {
    /// Strong: other bytes have another one.
    pub etag: String,
    pub body: String,
}

/// The public half of the key that signs bundles.
pub fn policy_key(state: &AppState) -> Result<PolicyKey> {
    Ok(PolicyKey::of(&state.consent.secrets()?.policy_key.verifying_key()))
}

/// Newest revision that each of these agents was told.
pub async fn newest_revisions(db: &mut PgConnection, agents: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
    Ok(store::list_revisions(db, agents).await?)
}

/// Revisions made at once: a change of the rules wakes every agent, and pages want connections too.
static RENEWING: Semaphore = Semaphore::const_new(3);

/// The bundle for this agent as things are now; `told` is what it was told last. Holds no connection of the caller's.
pub async fn issue(state: &AppState, agent: &AgentRow, told: Option<TellingRow>) -> Result<Issued> {
    let now = state.clock.now();
    if let Some(told) = told {
        let rules = state.consent.read(|s| rules(&s.rules, &s.people, agent, now));
        let bundle = bundle(agent, told.revision, rules, now)?;
        if bundle.content_hash().0.as_slice() == told.sha256 {
            return sign(state, bundle);
        }
    }
    renew(state, agent).await
}

/// Makes the next revision from what is committed; the same one again when nothing has changed after all.
async fn renew(state: &AppState, agent: &AgentRow) -> Result<Issued> {
    let _turn = RENEWING.acquire().await.map_err(anyhow::Error::new)?;
    let mut tx = state.db.begin().await?;
    store::lock_agent(&mut tx, agent.id).await?;
    let now = state.clock.now();
    let in_force = Rules::load(&mut tx, &state.consent.secrets()?.pseudonyms).await?;
    let whose: Vec<Uuid> = agent.person_id.into_iter().collect();
    let people = People::load_some(&mut tx, &whose).await?;
    let rules = rules(&in_force, &people, agent, now);
    let told = store::find_newest(&mut tx, agent.id).await?;
    let next = told.as_ref().map_or(0, |t| t.revision) + 1;
    if let Some(told) = told {
        let same = bundle(agent, told.revision, rules.clone(), now)?;
        if same.content_hash().0.as_slice() == told.sha256 {
            return sign(state, same);
        }
    }
    let allowed: Vec<Uuid> = rules.iter().filter(|r| r.collect).map(|r| r.processing).collect();
    let bundle = bundle(agent, next, rules, now)?;
    let policy = NewPolicy {
        agent: agent.id,
        revision: next,
        at: now,
        person: agent.person_id,
        sha256: &bundle.content_hash().0,
        allowed: &allowed,
    };
    store::insert(&mut tx, &policy).await?;
    tx.commit().await?;
    sign(state, bundle)
}

/// One for each processing that is in force for the person whose device it is.
fn rules(rules: &Rules, people: &People, agent: &AgentRow, now: Time) -> Vec<Rule> {
    let Some((person, audience)) = agent.person_id.and_then(|p| Some((p, people.audience(p)?))) else {
        return Vec::new();
    };
    let mut list: Vec<Rule> = rules
        .rules
        .iter()
        .filter(|r| r.applies_to(audience))
        .map(|rule| {
            let optional = rule.mode(audience) != ChoiceMode::Mandatory;
            let why = match (agent.is_confirmed, optional) {
                (true, _) => people.ask(rule, person, now),
                // Until its person has said that the device is theirs, it learns nothing of their choices: what an
                // objection could deny is denied to all alike, and an agent that obeys collects nothing against one.
                (false, true) => Why::Stale,
                (false, false) if may_object(rule.content()) => Why::Stale,
                (false, false) => decide(rule.question(audience, &rule.told(audience, now)), None, now),
            };
            Rule {
                processing: rule.processing(),
                category: rule.content().category,
                purpose: rule.content().purpose,
                source: rule.program.clone(),
                collect: why.allows(),
                optional,
            }
        })
        .collect();
    list.sort_by_key(|rule| rule.processing);
    list
}

/// The same bytes for five minutes: an agent that asks again hears that nothing is new.
fn bundle(agent: &AgentRow, revision: i64, rules: Vec<Rule>, now: Time) -> Result<Bundle> {
    let second = now.jiff().as_second();
    let issued_at = now.plus_seconds(-second.rem_euclid(RENEW_SECONDS));
    let issued_at = jiff::Timestamp::from_second(issued_at.jiff().as_second()).map_err(anyhow::Error::new)?;
    let issued_at = Time::from(issued_at);
    Ok(Bundle {
        schema: BundleSchema::V1,
        agent_id: agent.id,
        device_id: agent.device_id,
        revision: u64::try_from(revision).map_err(anyhow::Error::new)?,
        issued_at,
        not_after: issued_at.plus_seconds(VALID_SECONDS),
        grace_seconds: u32::try_from(GRACE_SECONDS).map_err(anyhow::Error::new)?,
        rules,
    })
}

fn sign(state: &AppState, bundle: Bundle) -> Result<Issued> {
    let etag = format!("\"{}-{}\"", bundle.revision, bundle.issued_at.jiff().as_second());
    let signed = bundle.sign(&state.consent.secrets()?.policy_key)?;
    Ok(Issued { etag, body: serde_json::to_string(&signed).map_err(anyhow::Error::new)? })
}
