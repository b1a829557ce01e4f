//! One-time links: set-up, invitation, password reset, sign-in. A link opens a page with a button, since
//! mail scanners open links; the button uses it up.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;

use super::{actions, model, sessions, store};
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::web::page::html_invalid;
use crate::web::{Form, Page, Path, Submitted, client, html, see_other};

#[derive(Template)]
#[template(path = "identity/forgotten.html")]
struct ForgottenPage {
    page: Page,
    form: Form,
    smtp: bool,
}

pub async fn forgotten(State(state): State<AppState>, page: Page) -> Result<Response> {
    html(&ForgottenPage { page, form: Form::default(), smtp: state.config.smtp_url.is_some() })
}

/// Answers before the account is looked up, so that the time tells nothing.
pub async fn submit_forgotten(
    State(state): State<AppState>,
    page: Page,
    submitted: Submitted,
) -> Result<Response> {
    if model::normalise_email(submitted.text("email")).is_none() {
        let mut errors = FieldErrors::default();
        errors.add("email", "Enter an e-mail address, such as name@example.com.");
        let smtp = state.config.smtp_url.is_some();
        return html_invalid(&ForgottenPage { page, form: Form::with_errors(submitted, errors), smtp });
    }
    tokio::spawn(async move {
        if actions::request_reset(&state, submitted.text("email")).await.is_err() {
            tracing::error!("a password reset could not be prepared");
        }
    });
    Ok(see_other("/sign-in?done=reset-requested"))
}

#[derive(Template)]
#[template(path = "identity/link.html")]
struct LinkPage {
    page: Page,
    form: Form,
    /// setup, invitation, password_reset or sign_in.
    purpose: String,
    email: String,
}

async fn link_page(state: &AppState, page: Page, form: Form, token: &str) -> Result<LinkPage> {
    let link = actions::peek_link(state, token).await?;
    let mut db = state.db.acquire().await?;
    let email = match link.person_id {
        Some(id) => store::find_person(&mut db, id).await?.map(|p| p.email).unwrap_or_default(),
        None => String::new(),
    };
    Ok(LinkPage { page, form, purpose: link.purpose, email })
}

pub async fn show(State(state): State<AppState>, page: Page, Path(token): Path<String>) -> Result<Response> {
    html(&link_page(&state, page, Form::default(), &token).await?)
}

pub async fn submit(
    State(state): State<AppState>,
    page: Page,
    Path(token): Path<String>,
    headers: HeaderMap,
    jar: CookieJar,
    submitted: Submitted,
) -> Result<Response> {
    let link = link_page(&state, page, Form::default(), &token).await?;
    let browser = client::browser(&headers);
    let password = submitted.raw("password");
    let used = match link.purpose.as_str() {
        "sign_in" => actions::sign_in_by_link(&state, &token, &browser).await,
        purpose => {
            let email = if purpose == "setup" { submitted.text("email") } else { &link.email };
            match new_password(&submitted, "password", email) {
                Err(errors) => Err(Error::Invalid(errors)),
                Ok(()) if purpose == "setup" => {
                    actions::set_up(&state, &token, email, submitted.text("name"), password, &browser).await
                }
                Ok(()) => actions::set_password_by_link(&state, &token, password, &browser).await,
            }
        }
    };
    match used {
        Ok(session) => {
            let to = if link.purpose == "sign_in" { "/" } else { "/?done=password-set" };
            Ok((jar.add(sessions::cookie(session, &state.config)), see_other(to)).into_response())
        }
        Err(Error::Invalid(errors)) => {
            html_invalid(&LinkPage { form: Form::with_errors(submitted, errors), ..link })
        }
        Err(other) => Err(other),
    }
}

/// Checks a new password typed twice, in the fields `name` and `again`.
pub(super) fn new_password(
    submitted: &Submitted,
    name: &'static str,
    email: &str,
) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    if let Some(problem) = model::password_problem(submitted.raw(name), email) {
        errors.add(name, problem);
    } else if submitted.raw(name) != submitted.raw("again") {
        errors.add("again", "The two passwords differ.");
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
