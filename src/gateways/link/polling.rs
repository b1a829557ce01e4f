//! Fetches the policy and sends confirmations, for as long as the agent runs.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::policy::Policies;
use super::server::{Answer, Contact, PolicyAnswer};

/// Seconds that the server may hold a question until something changes.
const WAIT: u64 = 25;
/// An answer that says nothing new came sooner than this from a server that doesn't hold questions.
const HELD: Duration = Duration::from_secs(20);
const AFTER_ERROR: Duration = Duration::from_secs(5);
const BETWEEN: Duration = Duration::from_secs(60);
const MAX_PAUSE: Duration = Duration::from_secs(15 * 60);

impl Contact {
    /// Asks for the policy again and again. An error means that this agent isn't known any more, or that
    /// what it learned can't be kept.
    pub async fn poll(&self, policies: &Policies) -> anyhow::Result<Infallible> {
        let mut etag = None;
        let mut quick = 0;
        let mut said = String::new();
        loop {
            let asked = Instant::now();
            // A server that finds its last answer good enough would leave the agent with nothing.
            let known = etag.take().filter(|_| policies.is_in_force());
            let (pause, trouble) = match self.ask(policies, known.as_deref()).await? {
                PolicyAnswer::Given { etag: new, body } => match policies.take(&body)? {
                    Ok(is_new) => {
                        etag = new;
                        quick = if is_new { 0 } else { quick + 1 };
                        (Duration::ZERO, None)
                    }
                    Err(refused) => (
                        self.about(BETWEEN),
                        Some(format!("the policy is refused: {refused}; nothing optional is collected")),
                    ),
                },
                PolicyAnswer::Unchanged => {
                    policies.unchanged()?;
                    etag = known;
                    quick += 1;
                    (Duration::ZERO, None)
                }
                PolicyAnswer::Nothing => {
                    (self.about(BETWEEN), Some("the Daylight server has no policy for this agent".into()))
                }
                PolicyAnswer::NotNow(why, after) => {
                    etag = known;
                    let pause = self.about(AFTER_ERROR).max(after.unwrap_or_default().min(MAX_PAUSE));
                    (pause, Some(format!("no policy from the Daylight server: {why}")))
                }
            };
            if let Some(trouble) = &trouble
                && *trouble != said
            {
                tracing::warn!("{trouble}");
            }
            said = trouble.unwrap_or_default();
            if asked.elapsed() >= HELD {
                quick = 0;
            }
            // The first may be the same policy signed anew.
            let pause = if quick >= 2 { self.about(BETWEEN) } else { pause };
            tokio::time::sleep(pause).await;
        }
    }

    async fn ask(&self, policies: &Policies, etag: Option<&str>) -> anyhow::Result<PolicyAnswer> {
        if policies.key().is_none() {
            match self.server.policy_key().await {
                Ok(Some(key)) => policies.pin(key)?,
                Ok(None) => return Ok(PolicyAnswer::Nothing),
                Err(why) => return Ok(PolicyAnswer::NotNow(why, None)),
            }
        }
        self.server.policy(&self.identity, etag, WAIT).await
    }

    /// Sends confirmations in order, each until it is taken.
    pub async fn confirm(&self, policies: &Policies) -> anyhow::Result<Infallible> {
        let mut news = policies.subscribe();
        loop {
            news.borrow_and_update();
            let Some(confirmation) = policies.unconfirmed() else {
                let _ = news.changed().await;
                continue;
            };
            match self.server.confirm(&self.identity, &confirmation).await? {
                Answer::Taken => policies.drop_confirmation(&confirmation)?,
                Answer::Refused(status) => {
                    let status = status.as_u16();
                    tracing::error!(status, "the server refused a confirmation of a policy; it is dropped");
                    policies.drop_confirmation(&confirmation)?;
                }
                Answer::NotNow(_, after) => {
                    let pause = self.about(AFTER_ERROR).max(after.unwrap_or_default().min(MAX_PAUSE));
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// A quarter more or less: agents that lost one server together don't return together.
    fn about(&self, time: Duration) -> Duration {
        let chance = f64::from(u32::from_be_bytes(self.random.bytes())) / f64::from(u32::MAX);
        time.mul_f64(0.75 + chance / 2.0)
    }
}
