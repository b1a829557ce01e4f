//! An address that the server itself reads and searches: only of hosts that whoever runs it has allowed, over https,
//! without redirects, within limits. Neither the address nor what stands there is kept or logged.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use reqwest::Url;
use reqwest::redirect::Policy;

use super::actions::Searching;
use super::pages;
use super::upload::{busy, label_problem};
use super::work::{LONGEST, Turn};
use crate::app::AppState;
use crate::error::{FieldErrors, Result};
use crate::web::{Page, Submitted, see_other};

const TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of an answer, as sent.
const ANSWER_LIMIT: u64 = 100 * 1024 * 1024;
const ADDRESS_LENGTH: usize = 2000;

/// The address, when the server may read it. The words say why not, without repeating it.
pub fn check_address(text: &str, hosts: &[String]) -> Result<Url, &'static str> {
    if hosts.is_empty() {
        return Err(
            "Whoever runs this server has allowed no host (CANARY_READER_HOSTS). Use the command below.",
        );
    }
    if text.len() > ADDRESS_LENGTH {
        return Err("Use an address of at most 2,000 characters.");
    }
    let url: Url = text.parse().map_err(|_| "Enter an address such as https://logs.example/export.")?;
    if url.scheme() != "https" {
        return Err("Use https.");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("Leave the name and password out of the address.");
    }
    if url.port().is_some() {
        return Err("Leave the port out of the address: only the usual one is used.");
    }
    // A name, never a number: numbers are how addresses inside a network are reached.
    let host = url.host_str().unwrap_or("").to_ascii_lowercase();
    if host.is_empty() || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Err("Use a host’s name.");
    }
    match hosts.contains(&host) {
        true => Ok(url),
        false => Err("Whoever runs this server hasn’t allowed this host (CANARY_READER_HOSTS)."),
    }
}

/// Fetches and searches; the words say what went wrong, without the address.
async fn fetch(url: Url, searching: &mut Searching) -> Result<(), &'static str> {
    // Answers an error when somebody installed one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .timeout(TIMEOUT)
        .https_only(true)
        .user_agent("Daylight")
        .build()
        .map_err(|_| "The server can’t read addresses.")?;
    let mut answer = client.get(url).send().await.map_err(|_| "The host did not answer.")?;
    if answer.status().is_redirection() {
        return Err("The host points to another address, which isn’t followed.");
    }
    if !answer.status().is_success() {
        return Err("The host refused, or has nothing there.");
    }
    let mut bytes = 0u64;
    while let Some(chunk) = answer.chunk().await.map_err(|_| "The host’s answer broke off.")? {
        bytes += chunk.len() as u64;
        if bytes > ANSWER_LIMIT {
            return Err("There is more than 100 MiB. Search it on your own machine, with the command below.");
        }
        if !searching.feed(chunk).await {
            break;
        }
    }
    Ok(())
}

pub async fn read(State(state): State<AppState>, page: Page, form: Submitted) -> Result<Response> {
    let mut errors = FieldErrors::default();
    if let Some(problem) = label_problem(form.text("reader_label")) {
        errors.add("reader_label", problem);
    }
    let url = check_address(form.text("url"), &state.config.canary_reader_hosts);
    match url {
        Ok(url) if errors.is_empty() => {
            let turn = Turn::wait(LONGEST).await.ok_or_else(busy)?;
            let mut searching = Searching::begin(&state, turn, form.text("reader_program")).await?;
            match fetch(url, &mut searching).await {
                Ok(()) => {
                    let id = searching.end(&state, form.text("reader_label"), "reader").await?;
                    return Ok(see_other(&format!("/canaries/searches/{id}")));
                }
                Err(words) => errors.add("url", words),
            }
        }
        Ok(_) => {}
        Err(words) => errors.add("url", words),
    }
    // The address may hold a key: it doesn't come back in the page.
    let mut shown = Submitted::default();
    shown.set("reader_label", form.text("reader_label"));
    shown.set("reader_program", form.text("reader_program"));
    pages::refused(&state, page, shown, errors, StatusCode::UNPROCESSABLE_ENTITY).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_hosts_are_read_and_only_over_https() {
        let hosts = vec!["logs.example".to_owned()];
        assert!(check_address("https://logs.example/export?day=1", &hosts).is_ok());
        assert!(check_address("https://LOGS.example/export", &hosts).is_ok());
        for refused in [
            "",
            "logs.example",
            "http://logs.example/",
            "https://logs.example:8443/",
            "https://me:pw@logs.example/",
            "https://me@logs.example/",
            "https://logs.example.evil.example/",
            "https://evil.example/logs.example",
            "https://evil.example#logs.example",
            "https://logs.example@evil.example/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://localhost/",
            "file:///etc/passwd",
            "gopher://logs.example/",
            "https://logs.example\\@evil.example/",
        ] {
            let checked = check_address(refused, &hosts);
            let fine = checked.as_ref().is_ok_and(|url| url.host_str() == Some("logs.example"));
            assert!(checked.is_err() || (fine && refused.contains('\\')), "{refused}");
        }
        assert!(check_address("https://logs.example/", &[]).is_err());
    }
}
