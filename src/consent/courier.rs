//! Delivers messages to other systems: at least once, ever later while they can't be had, for three days.
//!
//! A message is claimed by moving its next try into the future, so that several servers on one database share the
//! work and nothing is locked while a system is slow. If this process dies between sending and recording it, the
//! message goes out again under the same id. Nothing is logged of a delivery: when it happens tells when somebody
//! decided. Whether a system can be reached is found out by messages of their own, at times of their own.

use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use reqwest::redirect::Policy;
use uuid::Uuid;

use super::store::deliveries::{self, Due};
use super::store::systems::{self, Target};
use super::webhook::{self, Message, Nothing};
use crate::app::AppState;
use crate::error::Result;

/// Seconds until the next try after the first, second … one; the last pause is repeated.
pub const PAUSES: [i64; 7] = [10, 60, 600, 3_600, 4 * 3_600, 8 * 3_600, 12 * 3_600];
/// Seconds for which a claimed message is left alone by others.
const CLAIM_SECONDS: i64 = 60;
const TEST_EVERY_SECONDS: i64 = 3_600;
const TIMEOUT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Messages to one system in a round, and systems served at a time.
const A_ROUND: usize = 50;
const AT_A_TIME: usize = 8;

/// Delivers until the pool is closed.
pub async fn deliver(state: AppState) {
    let courier = match Courier::new() {
        Ok(courier) => courier,
        Err(error) => {
            tracing::error!(?error, "no system can be told of decisions");
            return;
        }
    };
    while !state.db.is_closed() {
        if let Err(error) = courier.round(&state).await {
            tracing::warn!(%error, "messages to other systems can't be read and are tried again");
        }
        tokio::select! {
            () = state.db.close_event() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// One round: sends everything that is due; answers how many messages arrived, tests not among them.
pub async fn deliver_due(state: &AppState) -> Result<usize> {
    Courier::new()?.round(state).await
}

struct Courier {
    abroad: reqwest::Client,
    /// Without a proxy: what is for this machine stays on it.
    here: reqwest::Client,
}

impl Courier {
    fn new() -> anyhow::Result<Self> {
        // Answers an error when somebody installed one before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // No redirects: a message goes to the address that everybody can see, and nowhere else.
        let client =
            || reqwest::Client::builder().redirect(Policy::none()).timeout(TIMEOUT).user_agent("Daylight");
        Ok(Courier {
            abroad: client().build().context("the HTTP client can't be set up")?,
            here: client().no_proxy().build().context("the HTTP client can't be set up")?,
        })
    }

    async fn round(&self, state: &AppState) -> Result<usize> {
        let now = state.clock.now();
        let mut db = state.db.acquire().await?;
        let tests = systems::claim_tests(&mut db, now, now.plus_seconds(TEST_EVERY_SECONDS)).await?;
        let due = deliveries::list_due(&mut db, now).await?;
        drop(db);
        let tested = futures_util::stream::iter(tests).map(|target| self.test(state, target));
        tested
            .buffer_unordered(AT_A_TIME)
            .collect::<Vec<Result<()>>>()
            .await
            .into_iter()
            .collect::<Result<()>>()?;
        let served = futures_util::stream::iter(due).map(|system| self.serve(state, system));
        let arrived: Vec<Result<usize>> = served.buffer_unordered(AT_A_TIME).collect().await;
        arrived.into_iter().sum()
    }

    async fn test(&self, state: &AppState, target: Target) -> Result<()> {
        let message = Message { kind: "webhook.test", timestamp: state.clock.now(), data: Nothing {} };
        let body = serde_json::to_string(&message).map_err(anyhow::Error::new)?;
        let answer = self.send(state, &target, state.random.opaque_id(), &body).await?;
        let failed = answer.err();
        if let Some(reason) = &failed {
            tracing::warn!(system = %target.system, reason, "a test message to a system failed");
        }
        let mut db = state.db.acquire().await?;
        systems::set_tested(&mut db, target.system, state.clock.now(), failed.as_deref()).await?;
        Ok(())
    }

    /// Sends what is due to one system, until something fails: the rest would most likely fail as well.
    async fn serve(&self, state: &AppState, system: Uuid) -> Result<usize> {
        for sent in 0..A_ROUND {
            let now = state.clock.now();
            let mut db = state.db.acquire().await?;
            let due = deliveries::claim(&mut db, system, now, now.plus_seconds(CLAIM_SECONDS)).await?;
            drop(db);
            let Some(due) = due else { return Ok(sent) };
            let answer = self.send(state, &due.target, due.id, &due.body).await?;
            let mut db = state.db.acquire().await?;
            match answer {
                Ok(()) => deliveries::mark_delivered(&mut db, due.id).await?,
                Err(reason) => {
                    match next_try(state, &due) {
                        Some(at) => deliveries::mark_failed(&mut db, due.id, at, &reason).await?,
                        None => deliveries::give_up(&mut db, due.id, &reason).await?,
                    }
                    return Ok(sent);
                }
            }
        }
        Ok(A_ROUND)
    }

    /// Sends one message, or says in a few words why it didn't arrive: never an address, never an answer's text.
    async fn send(
        &self,
        state: &AppState,
        target: &Target,
        id: Uuid,
        body: &str,
    ) -> Result<Result<(), String>> {
        let Ok(url) = webhook::address(&target.webhook) else {
            return Ok(Err("its address can’t be used".into()));
        };
        let key = webhook::key(&state.consent.secrets()?.pseudonyms, target.system, target.secret_number);
        let (id, timestamp) = (format!("msg_{}", id.simple()), state.clock.now().jiff().as_second());
        let client = if webhook::is_here(&url) { &self.here } else { &self.abroad };
        let request = client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-signature", webhook::signature(&key, &id, timestamp, body))
            .header("webhook-timestamp", timestamp)
            .header("webhook-id", id)
            .body(body.to_owned());
        Ok(match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) if answer.status().is_redirection() => {
                Err(format!("it answered {}, and redirects aren’t followed", answer.status().as_u16()))
            }
            Ok(answer) => Err(format!("it answered {}", answer.status().as_u16())),
            Err(error) if error.is_timeout() => Err("it took longer than 10 seconds".into()),
            Err(error) if error.is_connect() => Err("it can’t be reached".into()),
            Err(_) => Err("its answer can’t be read".into()),
        })
    }
}

/// When to try again; the last time is the moment it is given up.
fn next_try(state: &AppState, due: &Due) -> Option<crate::clock::Time> {
    let now = state.clock.now();
    let tried = usize::try_from(due.attempts).unwrap_or(1).saturating_sub(1);
    let pause = PAUSES.get(tried).or(PAUSES.last()).copied().unwrap_or(0);
    (now < due.give_up_at).then(|| now.plus_seconds(pause).min(due.give_up_at))
}
