//! The dashboard, as this server asks it: over HTTP, with the token that it was given.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::server::{Dashboard, Representative};
use crate::credentials::wire::IssuerInfo;
use crate::error::{Error, Result};
use crate::ledger::proof::petition::IssuerRole;
use crate::ledger::proof::policy::Policy;

/// No redirects: what goes to the dashboard goes to the address that was set, and nowhere else.
pub(super) fn client() -> anyhow::Result<reqwest::Client> {
    // Answers an error when somebody installed one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.timeout(Duration::from_secs(20)).build().context("the HTTP client can't be set up")
}

/// What the dashboard said, where it wasn't a yes.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub text: String,
}

pub(super) fn unreachable(error: reqwest::Error) -> Error {
    let words = if error.is_timeout() { "took too long" } else { "can’t be reached" };
    tracing::debug!(error = %error.without_url(), "the dashboard");
    Error::Rejected(StatusCode::BAD_GATEWAY, format!("The dashboard {words}.").into())
}

fn odd(what: &str) -> Error {
    Error::Rejected(StatusCode::BAD_GATEWAY, format!("The dashboard’s answer can’t be read: {what}.").into())
}

impl Answer {
    pub fn read<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        if self.status != StatusCode::OK {
            return Err(self.refusal(what));
        }
        serde_json::from_str(&self.text).map_err(|_| odd(what))
    }

    pub fn refusal(&self, what: &str) -> Error {
        let words = match self.status {
            StatusCode::UNAUTHORIZED => {
                "The dashboard doesn’t accept this server’s token. Connect it again.".into()
            }
            status => {
                let detail = serde_json::from_str::<serde_json::Value>(&self.text).ok();
                let detail = detail.as_ref().and_then(|v| v.get("detail")?.as_str()).unwrap_or_default();
                format!("The dashboard answers {} about {what}. {detail}", status.as_u16())
            }
        };
        Error::Rejected(StatusCode::BAD_GATEWAY, words.into())
    }
}

impl Representative {
    async fn asked(&self, request: reqwest::RequestBuilder) -> Result<Answer> {
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        Ok(Answer { status, text: answer.text().await.map_err(unreachable)? })
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0.options.dashboard)
    }

    /// What everybody may read.
    pub(super) async fn get(&self, path: &str) -> Result<Answer> {
        self.asked(self.0.client.get(self.at(path))).await
    }

    pub(super) async fn get_with(&self, token: &str, path: &str) -> Result<Answer> {
        self.asked(self.0.client.get(self.at(path)).bearer_auth(token)).await
    }

    pub(super) async fn post_with(&self, token: &str, path: &str, body: &impl Serialize) -> Result<Answer> {
        self.asked(self.0.client.post(self.at(path)).bearer_auth(token).json(body)).await
    }

    /// What the dashboard says of itself now.
    pub(super) async fn look(&self) -> Result<Dashboard> {
        let info: IssuerInfo = self.get("/api/v1/petitions/issuer").await?.read("who it is")?;
        if info.role != IssuerRole::Operator || info.name == self.0.options.name {
            let words =
                "What answers at the dashboard’s address isn’t a dashboard, or has this server’s name.";
            return Err(Error::conflict(words));
        }
        let policy = self.get("/log/policy.txt").await?;
        if policy.status != StatusCode::OK {
            return Err(policy.refusal("its log’s keys"));
        }
        let policy: Policy = policy.text.parse().map_err(|_| odd("its log’s keys"))?;
        let keys = policy.logs.iter().filter(|key| key.name == info.origin);
        let log_keys: Vec<String> = keys.map(ToString::to_string).collect();
        if log_keys.is_empty() {
            return Err(odd("it names no key of its log"));
        }
        Ok(Dashboard {
            origin: info.origin,
            operator: info.name,
            operator_key: info.public_key,
            log_keys,
            token: None,
        })
    }

    /// What is known of the dashboard; at the first contact, what it says is kept for good.
    pub(super) async fn meet(&self) -> Result<Arc<Dashboard>> {
        match self.dashboard() {
            Some(dashboard) => Ok(dashboard),
            None => {
                let seen = self.look().await?;
                self.set_dashboard(seen)
            }
        }
    }

    /// Connects this server with the token that the dashboard's page shows.
    pub async fn connect(&self, token: &str) -> Result<()> {
        self.connect_as(token, false).await
    }

    /// The same; `anew` says that somebody looked at other keys than those of the first contact and accepts them.
    pub(super) async fn connect_as(&self, token: &str, anew: bool) -> Result<()> {
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid("token", "Copy the token from the dashboard’s page."));
        }
        let _turn = self.0.turn.lock().await;
        let seen = self.look().await?;
        if let Some(known) = self.dashboard() {
            let same = Dashboard { token: None, ..(*known).clone() } == seen;
            if !same && !anew {
                let words = "The dashboard’s name or keys aren’t those of the first contact. Ask why, then tick the \
                             box to accept them.";
                return Err(Error::invalid("anew", words));
            }
        }
        let answer = self.get_with(token, "/api/v1/representative/roll").await?;
        match answer.status {
            StatusCode::OK | StatusCode::NO_CONTENT => {}
            StatusCode::UNAUTHORIZED => {
                return Err(Error::invalid("token", "The dashboard doesn’t know this token."));
            }
            _ => return Err(answer.refusal("its roll")),
        }
        self.set_dashboard(Dashboard { token: Some(token.into()), ..seen })?;
        Ok(())
    }

    /// Whether it has a token.
    pub fn is_connected(&self) -> bool {
        self.connected().is_ok()
    }

    /// The dashboard and the token; an error while they aren't connected.
    pub(super) fn connected(&self) -> Result<(Arc<Dashboard>, String)> {
        let dashboard = self.dashboard();
        let token = dashboard.as_ref().and_then(|d| d.token.clone());
        dashboard.zip(token).ok_or_else(|| Error::conflict("This server isn’t connected to a dashboard yet."))
    }
}

/// For what should be there.
pub(super) fn missing(what: &str) -> Error {
    Error::Internal(anyhow!("{what} is missing"))
}
