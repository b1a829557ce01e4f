//! Daylight's API as an agent uses it: enrol once, ask for the policy, confirm it, send reports.

use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use reqwest::header::{ETAG, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Random;
use crate::consent::bundle::PolicyKey;

const FIRST_PAUSE: Duration = Duration::from_secs(5);
const MAX_PAUSE: Duration = Duration::from_secs(15 * 60);

#[derive(Deserialize)]
pub(in crate::gateways) struct Enrolled {
    pub agent_id: Uuid,
    pub device_id: Uuid,
    pub kid: String,
    pub token: String,
    /// Servers that know no policies give none.
    #[serde(default)]
    pub policy_key: Option<PolicyKey>,
}

/// Whom the server knows this agent as.
#[derive(Clone)]
pub(in crate::gateways) struct Identity {
    pub agent_id: Uuid,
    pub token: String,
}

/// What every talk with the server needs.
#[derive(Clone)]
pub(in crate::gateways) struct Contact {
    pub server: Server,
    pub identity: Identity,
    /// For ids and pauses.
    pub random: Random,
}

/// What became of a report or a confirmation.
pub(in crate::gateways) enum Answer {
    Taken,
    /// It will never be taken: sending it again is useless.
    Refused(StatusCode),
    /// Later, perhaps; the server may have said when.
    NotNow(String, Option<Duration>),
}

/// What the server answers to the question for the policy.
pub(in crate::gateways) enum PolicyAnswer {
    Given {
        etag: Option<String>,
        body: Vec<u8>,
    },
    Unchanged,
    /// It has none for this agent, or is older than policies.
    Nothing,
    NotNow(String, Option<Duration>),
}

/// Bytes of a policy; one of a thousand rules is a quarter of it.
const MAX_POLICY: usize = 1024 * 1024;

#[derive(Clone)]
pub(in crate::gateways) struct Server {
    base: Url,
    http: reqwest::Client,
}

impl Server {
    pub fn new(address: &str) -> anyhow::Result<Self> {
        let base = super::base_url(address, "the Daylight server's address")?;
        anyhow::ensure!(
            base.scheme() == "https" || super::is_local(&base),
            "the Daylight server's address: must begin with https:// unless it is on this machine"
        );
        let http = super::http(&base)?;
        Ok(Server { base, http })
    }

    pub fn address(&self) -> &str {
        self.base.as_str()
    }

    /// `software` is `name/version`.
    pub async fn enrol(&self, secret: &str, key: &SigningKey, software: &str) -> anyhow::Result<Enrolled> {
        let body = json!({
            "enrolment_secret": secret.trim(),
            "public_key": URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()),
            "software": software,
        });
        let response = self.http.post(self.base.join("api/v1/agents")?).json(&body).send().await;
        let response =
            response.map_err(reqwest::Error::without_url).context("the Daylight server can't be reached")?;
        match response.status() {
            StatusCode::CREATED => response.json().await.map_err(|_| {
                anyhow::anyhow!("the Daylight server answered in an unknown form: is the address right?")
            }),
            StatusCode::UNAUTHORIZED => anyhow::bail!(
                "the Daylight server refused the enrolment secret: it is unknown, used already, or out of date; ask for a new one"
            ),
            StatusCode::NOT_FOUND => anyhow::bail!("no Daylight server answers at {}", self.base),
            status => {
                anyhow::bail!("the Daylight server refused the enrolment with status {}", status.as_u16())
            }
        }
    }

    /// An error means that this agent may not report any more.
    pub async fn send(&self, identity: &Identity, report: &Value) -> anyhow::Result<Answer> {
        let url = self.base.join("api/v1/collection-reports")?;
        self.hand_in(self.http.post(url).bearer_auth(&identity.token).json(report)).await
    }

    /// Sends a presence report; as [`Server::send`].
    pub async fn tell(&self, identity: &Identity, report: &Value) -> anyhow::Result<Answer> {
        let url = self.base.join("api/v1/presence-reports")?;
        self.hand_in(self.http.post(url).bearer_auth(&identity.token).json(report)).await
    }

    /// As [`Server::send`].
    pub async fn confirm(&self, identity: &Identity, confirmation: &Value) -> anyhow::Result<Answer> {
        let url = self.base.join(&format!("api/v1/policy/{}/confirmations", identity.agent_id))?;
        self.hand_in(self.http.post(url).bearer_auth(&identity.token).json(confirmation)).await
    }

    async fn hand_in(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Ok(Answer::NotNow(why(&error), None)),
        };
        let status = response.status();
        Ok(match status {
            StatusCode::OK | StatusCode::CREATED => Answer::Taken,
            StatusCode::UNAUTHORIZED => return Err(revoked()),
            StatusCode::BAD_REQUEST
            | StatusCode::CONFLICT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY => Answer::Refused(status),
            // 429 and 5xx; also what a proxy on the way may say while it is being set up.
            _ => Answer::NotNow(format!("status {}", status.as_u16()), asked_pause(&response)),
        })
    }

    /// The policy; the server may hold the question for `wait` seconds while nothing changes. An error means
    /// that this agent isn't known any more.
    pub async fn policy(
        &self,
        identity: &Identity,
        etag: Option<&str>,
        wait: u64,
    ) -> anyhow::Result<PolicyAnswer> {
        let url = self.base.join(&format!("api/v1/policy/{}?wait={wait}", identity.agent_id))?;
        let mut request = self.http.get(url).bearer_auth(&identity.token);
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Ok(PolicyAnswer::NotNow(why(&error), None)),
        };
        Ok(match response.status() {
            StatusCode::OK => {
                let etag = response.headers().get(ETAG).and_then(|v| v.to_str().ok()).map(str::to_owned);
                match body(response).await {
                    Ok(body) => PolicyAnswer::Given { etag, body },
                    Err(why) => PolicyAnswer::NotNow(why, None),
                }
            }
            StatusCode::NOT_MODIFIED => PolicyAnswer::Unchanged,
            StatusCode::UNAUTHORIZED => return Err(revoked()),
            StatusCode::NOT_FOUND => PolicyAnswer::Nothing,
            status => PolicyAnswer::NotNow(format!("status {}", status.as_u16()), asked_pause(&response)),
        })
    }

    /// The key that the server signs policies with; `None` when it is older than policies. The error says
    /// why there is none now.
    pub async fn policy_key(&self) -> Result<Option<PolicyKey>, String> {
        let url = self.base.join("api/v1/policy-key").map_err(|_| "no address")?;
        let response = self.http.get(url).send().await.map_err(|error| why(&error))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(format!("status {}", status.as_u16())),
        }
        let key: Option<PolicyKey> = serde_json::from_slice(&body(response).await?).ok();
        key.filter(|key| key.key().is_some())
            .map(Some)
            .ok_or_else(|| "its policy key is no usable key".into())
    }
}

/// Errors of the HTTP client can quote an address.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() { "no answer in time" } else { "can't be reached" }.into()
}

fn revoked() -> anyhow::Error {
    anyhow::anyhow!(
        "the Daylight server no longer knows this agent: it was revoked, or its key changed; enrol it anew with another --state folder"
    )
}

fn asked_pause(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    seconds.map(Duration::from_secs)
}

async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| why(&error))? {
        if body.len() + chunk.len() > MAX_POLICY {
            return Err("it answered more than 1 MiB".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// How long to wait after `failures` earlier ones. It doubles, and half of it is left to `chance` (0 to 1):
/// agents that lost one server together don't return together.
pub(in crate::gateways) fn pause(failures: u32, chance: f64, asked: Option<Duration>) -> Duration {
    let full = (FIRST_PAUSE * (1 << failures.min(8))).min(MAX_PAUSE);
    full.mul_f64(0.5 + chance / 2.0).max(asked.unwrap_or_default().min(MAX_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour_and_heed_what_the_server_asks() {
        let seconds = |failures, chance, asked: Option<u64>| {
            pause(failures, chance, asked.map(Duration::from_secs)).as_secs_f64()
        };
        assert_eq!([seconds(0, 0.0, None), seconds(0, 1.0, None), seconds(3, 1.0, None)], [2.5, 5.0, 40.0]);
        assert_eq!([seconds(u32::MAX, 1.0, None), seconds(0, 0.0, Some(60))], [900.0, 60.0]);
        assert_eq!(seconds(0, 0.0, Some(86_400)), 900.0);
    }
}
