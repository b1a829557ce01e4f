//! The collector behind the gateway.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::Url;
use tokio::time::Instant;

use super::config::{Secret, SiteConfig};
use crate::gateways::link;

/// How long all that one request sets going may take. Well below the time that a new policy waits for the requests that
/// the former one decided: nothing may go on by it once the new one is confirmed.
pub(in crate::gateways) const ERRAND: Duration = Duration::from_secs(40);

/// Bytes of one answer.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

pub(in crate::gateways) struct Upstream {
    base: Url,
    http: reqwest::Client,
    /// Sent instead of what the agent sent.
    own: HeaderMap,
}

/// What the collector answered. Its body may hold content: it goes to the agent and nowhere else.
pub(in crate::gateways) struct Reply {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn is_success(&self) -> bool {
        self.status.is_success() || self.status == StatusCode::NOT_MODIFIED
    }
}

/// No answer came, or too much of one. Says nothing of what was sent.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the collector gave no answer")]
pub(in crate::gateways) struct Unreached {
    /// There was a connection, so what was sent may be there; whoever runs the collector decides what it answers.
    pub may_have_arrived: bool,
}

impl Unreached {
    const NO: Unreached = Unreached { may_have_arrived: false };
    const PERHAPS: Unreached = Unreached { may_have_arrived: true };
}

impl Upstream {
    pub fn new(config: &SiteConfig) -> anyhow::Result<Self> {
        let base = config.base()?;
        let own = config.headers_file.as_deref().map(read_headers).transpose()?.unwrap_or_default();
        Ok(Upstream { http: link::http(&base)?, base, own })
    }

    /// Whether the gateway holds the collector's key, so that the agent's own headers aren't needed.
    pub fn has_own_headers(&self) -> bool {
        !self.own.is_empty()
    }

    /// Of agents whose records end here: every attempt to send fails.
    pub fn nowhere() -> anyhow::Result<Self> {
        let base = link::base_url("http://127.0.0.1:0", "upstream")?;
        Ok(Upstream { http: link::http(&base)?, base, own: HeaderMap::new() })
    }

    /// Sends a request to a path below the upstream's own, made of `segments` as they are meant, which are encoded
    /// here. `headers` should hold what the collector needs and nothing more. By `deadline` or not at all: what is under
    /// way then is given up, and may have arrived.
    pub async fn send_by(
        &self,
        deadline: Instant,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, Unreached> {
        if Instant::now() >= deadline {
            return Err(Unreached::NO);
        }
        let sent = self.send(method, segments, query, headers, body);
        tokio::time::timeout_at(deadline, sent).await.unwrap_or(Err(Unreached::PERHAPS))
    }

    async fn send(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, Unreached> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| Unreached::NO)?.pop_if_empty().extend(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut all = headers;
        for (name, value) in &self.own {
            all.insert(name.clone(), value.clone());
        }
        let request = self.http.request(method, url).headers(all).body(body).send().await;
        let mut response =
            request.map_err(|error| if error.is_connect() { Unreached::NO } else { Unreached::PERHAPS })?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| Unreached::PERHAPS)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Unreached::PERHAPS);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status: response.status(), body })
    }
}

/// `Name: value` lines; empty ones and those that begin with `#` don't count.
fn read_headers(path: &Path) -> anyhow::Result<HeaderMap> {
    let text = Secret::read(path)?;
    let mut headers = HeaderMap::new();
    for (number, line) in text.expose().lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let read = || {
            let (name, value) = line.split_once(':')?;
            let mut value = HeaderValue::from_str(value.trim()).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.trim().as_bytes()).ok()?, value))
        };
        // The line itself may be a key.
        let (name, value) =
            read().with_context(|| format!("{}:{}: not `Name: value`", path.display(), number + 1))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_sent_after_the_deadline_and_what_got_no_answer_by_then_may_be_there() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let base = link::base_url(&format!("http://{address}"), "upstream").expect("an address");
        let upstream = Upstream { http: link::http(&base).expect("a client"), base, own: HeaderMap::new() };
        let send = async |deadline| {
            let sent = upstream.send_by(deadline, Method::POST, &["x"], &[], HeaderMap::new(), vec![1]);
            sent.await.err().map(|unreached| unreached.may_have_arrived)
        };
        let begun = Instant::now();
        assert_eq!(send(begun).await, Some(false));
        let came = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
        assert!(came.is_err(), "too late, and sent all the same");
        assert_eq!(send(Instant::now() + Duration::from_millis(300)).await, Some(true));
        assert!(begun.elapsed() < Duration::from_secs(10));
        drop(listener);
        assert_eq!(send(Instant::now() + Duration::from_secs(5)).await, Some(false), "nobody is there");
    }
}
