//! The two servers as a wallet asks them: no cookies, no redirects, small answers.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer at most.
const ANSWER: usize = 1024 * 1024;

pub struct Web(Client);

/// What a server answered to a request that changes something.
pub enum Answer<T> {
    Taken(T),
    /// Its status and words, and the number that a next action must be above, where it says so.
    Refused(StatusCode, String, Option<u64>),
}

impl Web {
    pub fn new() -> anyhow::Result<Self> {
        // Answers an error when somebody installed one before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(Policy::none()).timeout(TIMEOUT).user_agent("Daylight");
        Ok(Web(client.build().context("the HTTP client can't be set up")?))
    }

    pub async fn text(&self, url: &str) -> anyhow::Result<String> {
        self.look(url).await?.with_context(|| format!("{url} answers {}", StatusCode::NOT_FOUND))
    }

    /// `None` where there is nothing.
    async fn look(&self, url: &str) -> anyhow::Result<Option<String>> {
        let answer = self.0.get(url).send().await.map_err(reqwest::Error::without_url);
        let answer = answer.with_context(|| format!("{url} can't be reached"))?;
        let status = answer.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        ensure!(status.is_success(), "{url} answers {status}");
        body(answer).await.map(Some).with_context(|| format!("{url} can't be read"))
    }

    pub async fn json<T: DeserializeOwned>(&self, url: &str) -> anyhow::Result<T> {
        self.find(url).await?.with_context(|| format!("{url} answers {}", StatusCode::NOT_FOUND))
    }

    /// The same; `None` where there is nothing.
    pub async fn find<T: DeserializeOwned>(&self, url: &str) -> anyhow::Result<Option<T>> {
        let Some(text) = self.look(url).await? else { return Ok(None) };
        let read = serde_json::from_str(&text);
        read.map(Some).with_context(|| format!("{url} answers something else than it should"))
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        request: &impl Serialize,
    ) -> anyhow::Result<Answer<T>> {
        let answer = self.0.post(url).json(request).send().await.map_err(reqwest::Error::without_url);
        let answer = answer.with_context(|| format!("{url} can't be reached"))?;
        let status = answer.status();
        let text = body(answer).await.with_context(|| format!("{url} can't be read"))?;
        if status.is_success() {
            // An empty answer is as good where nothing is expected.
            let text = if text.is_empty() { "null" } else { text.as_str() };
            let value = serde_json::from_str(text);
            return Ok(Answer::Taken(value.with_context(|| format!("{url} answers something else"))?));
        }
        let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let words = problem["detail"].as_str().unwrap_or_default().to_owned();
        Ok(Answer::Refused(status, words, problem["number"].as_u64()))
    }
}

async fn body(mut answer: Response) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await? {
        bytes.extend_from_slice(&part);
        if bytes.len() > ANSWER {
            bail!("it is too long");
        }
    }
    Ok(String::from_utf8(bytes)?)
}

impl<T> Answer<T> {
    /// What was taken; a refusal as an error.
    pub fn taken(self, who: &str) -> anyhow::Result<T> {
        match self {
            Answer::Taken(value) => Ok(value),
            Answer::Refused(status, words, _) => bail!("{who} refuses ({status}). {words}"),
        }
    }
}

/// An address without a slash at its end: https, or this machine.
pub fn address(text: &str) -> anyhow::Result<String> {
    let url: Url = text.parse().context("not an address such as https://daylight.example.org")?;
    let host = url.host_str().unwrap_or("").trim_matches(['[', ']']).to_owned();
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_here);
    ensure!(safe, "the address must begin with https:// unless it is this machine's");
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    ensure!(bare, "the address must be one alone, without a name, a password or a query");
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
