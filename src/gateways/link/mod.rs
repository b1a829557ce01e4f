//! What every agent of ours needs to talk with Daylight: whom the server knows it as and what waits to be sent
//! ([`state`]), the API ([`server`]), what the person allows ([`policy`], fetched and confirmed by [`polling`]), and
//! the queue of signed reports ([`outgoing`]).

pub(super) mod outgoing;
pub(super) mod policy;
pub(super) mod polling;
pub(super) mod server;
pub(super) mod state;

use anyhow::Context;
use reqwest::Url;

/// An address with a host, without a path; `what` names it in the error.
pub(in crate::gateways) fn base_url(text: &str, what: &str) -> anyhow::Result<Url> {
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

pub(in crate::gateways) fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("").trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// No redirects: a token and what lies behind a local address go to nobody else. No proxy for this machine.
pub(in crate::gateways) fn http(base: &Url) -> anyhow::Result<reqwest::Client> {
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
