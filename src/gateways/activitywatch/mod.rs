//! `daylight agent`: reads a real ActivityWatch server on this machine and reports what it holds.
//!
//! Every interval the reporter asks the local server for its buckets and events. Each event is turned into
//! categories and byte counts the moment it is parsed ([`model`]); what was typed, opened or read stays
//! behind in that function. [`coverage`] decides for which stretches of time a category may be called
//! watched. [`reporter`] signs reports, keeps them in a file ([`state`]) until the server has taken them,
//! and sends them in order ([`server`]).
//!
//! Beside it, [`polling`] fetches what the person this machine belongs to allows, [`policy`] decides whether
//! to believe it, and [`watchers`] starts and stops ActivityWatch's watchers accordingly ([`process`]).
//! [`refusals`] looks whether something is recorded all the same. [`agent`] holds it together.
//!
//! The agent claims little on purpose: time in which no watcher lived is a gap, and shown as one.

mod agent;
mod client;
mod coverage;
mod model;
#[cfg(test)]
mod model_tests;
mod policy;
mod polling;
mod process;
mod refusals;
mod reporter;
mod server;
mod state;
mod watchers;

pub use agent::{AgentOptions, DEFAULT_INTERVAL, run};
pub use watchers::Watcher;

use anyhow::Context;
use reqwest::Url;

/// An address with a host, without a path; `what` names it in the error.
fn base_url(text: &str, what: &str) -> anyhow::Result<Url> {
    let mut url: Url =
        text.parse().with_context(|| format!("{what}: not an address such as https://host"))?;
    anyhow::ensure!(
        matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|h| !h.is_empty()),
        "{what}: must begin with http:// or https://"
    );
    anyhow::ensure!(
        url.username().is_empty() && url.password().is_none() && url.query().is_none(),
        "{what}: must be an address alone, without a name, a password or a query"
    );
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("").trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// No redirects: a token and what lies behind a local address go to nobody else. No proxy for this machine.
fn http(base: &Url) -> anyhow::Result<reqwest::Client> {
    // Answers an error when somebody installed one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(std::time::Duration::from_secs(10))
        .timeout(std::time::Duration::from_secs(60));
    if is_local(base) {
        builder = builder.no_proxy();
    }
    builder.build().context("the HTTP client can't be set up")
}
