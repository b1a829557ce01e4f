//! Connecting this server to the dashboard.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Of, Page, Sent};
use crate::credentials::wire::fingerprint;
use crate::error::{Error, Result};
use crate::representative::server::Representative;
use crate::representative::sessions::SignedIn;
use crate::web::page::html_with;
use crate::web::{Form, Submitted, html, see_other};

#[derive(Template)]
#[template(path = "representative/connect.html")]
struct ConnectPage {
    page: Page,
    dashboard: String,
    public_url: String,
    fingerprint: String,
    connected: bool,
    operator_key: Option<String>,
    log_keys: Vec<String>,
    /// The dashboard shows other keys than at the first contact.
    differs: bool,
    /// Everything that may go was handed over just now; for so many petitions fewer than five wait, and stay.
    stays: Option<usize>,
    form: Form,
}

fn page(representative: &Representative, form: Form) -> ConnectPage {
    let known = representative.dashboard();
    ConnectPage {
        page: Page::of(representative, "/connect"),
        dashboard: representative.0.options.dashboard.clone(),
        public_url: representative.0.options.public_url.clone(),
        fingerprint: fingerprint(&representative.public_key()),
        connected: known.as_ref().is_some_and(|d| d.token.is_some()),
        operator_key: known.as_ref().map(|d| fingerprint(&d.operator_key)),
        log_keys: known.map(|d| d.log_keys.clone()).unwrap_or_default(),
        differs: form.errors().of("anew").is_some(),
        stays: None,
        form,
    }
}

pub async fn show(_: SignedIn, State(representative): Of) -> Result<Response> {
    // At the first look the keys are read, so that they can be compared before anything is sent.
    let _ = representative.meet().await;
    html(&page(&representative, Form::default()))
}

pub async fn connect(_: SignedIn, State(representative): Of, Sent(sent): Sent) -> Result<Response> {
    let anew = sent.text("anew") == "yes";
    match representative.connect_as(sent.text("token"), anew).await {
        Ok(()) => Ok(see_other("/")),
        Err(Error::Internal(error)) => Err(Error::Internal(error)),
        Err(Error::Invalid(errors)) => {
            let form = Form::with_errors(Submitted::default(), errors);
            html_with(StatusCode::UNPROCESSABLE_ENTITY, &page(&representative, form))
        }
        Err(other) => {
            let mut errors = crate::error::FieldErrors::default();
            errors.add("token", other.to_string());
            let form = Form::with_errors(Submitted::default(), errors);
            html_with(other.status(), &page(&representative, form))
        }
    }
}

/// Hands over what waits before this server is replaced, or stopped for good.
pub async fn deliver(_: SignedIn, State(representative): Of) -> Result<Response> {
    let stays = representative.deliver_now().await?;
    html(&ConnectPage { stays: Some(stays), ..page(&representative, Form::default()) })
}
