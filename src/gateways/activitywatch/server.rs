//! Daylight's API as an agent uses it: enrol once, then send reports.

use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use reqwest::header::RETRY_AFTER;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::state::State;

const SOFTWARE: &str = concat!("daylight-agent/", env!("CARGO_PKG_VERSION"));

const FIRST_PAUSE: Duration = Duration::from_secs(5);
const MAX_PAUSE: Duration = Duration::from_secs(15 * 60);

#[derive(Deserialize)]
pub(super) struct Enrolled {
    pub agent_id: Uuid,
    pub device_id: Uuid,
    pub kid: String,
    pub token: String,
}

/// What became of a report.
pub(super) enum Answer {
    Taken,
    /// It will never be taken: sending it again is useless.
    Refused(StatusCode),
    /// Later, perhaps; the server may have said when.
    NotNow(String, Option<Duration>),
}

pub(super) struct Server {
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

    pub async fn enrol(&self, secret: &str, key: &SigningKey) -> anyhow::Result<Enrolled> {
        let body = json!({
            "enrolment_secret": secret.trim(),
            "public_key": URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()),
            "software": SOFTWARE,
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
    pub async fn send(&self, state: &State, report: &Value) -> anyhow::Result<Answer> {
        let url = self.base.join("api/v1/collection-reports")?;
        let response = match self.http.post(url).bearer_auth(&state.token).json(report).send().await {
            Ok(response) => response,
            Err(error) => {
                let why = if error.is_timeout() { "no answer in time" } else { "can't be reached" };
                return Ok(Answer::NotNow(why.into(), None));
            }
        };
        let status = response.status();
        Ok(match status {
            StatusCode::OK | StatusCode::CREATED => Answer::Taken,
            StatusCode::UNAUTHORIZED => anyhow::bail!(
                "the Daylight server no longer knows this agent: it was revoked, or its key changed; enrol it anew with another --state folder"
            ),
            StatusCode::BAD_REQUEST
            | StatusCode::CONFLICT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY => Answer::Refused(status),
            // 429 and 5xx; also what a proxy on the way may say while it is being set up.
            _ => {
                let seconds = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
                Answer::NotNow(format!("status {}", status.as_u16()), seconds.map(Duration::from_secs))
            }
        })
    }
}

/// How long to wait after `failures` earlier ones. It doubles, and half of it is left to `chance` (0 to 1):
/// agents that lost one server together don't return together.
pub(super) fn pause(failures: u32, chance: f64, asked: Option<Duration>) -> Duration {
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
