//! Signing in and out.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

use super::{actions, model, sessions, store};
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::web::page::{html_invalid, html_with};
use crate::web::{Form, Page, Submitted, client, html, see_other};

#[derive(Template)]
#[template(path = "identity/sign_in.html")]
struct SignInPage {
    page: Page,
    form: Form,
    next: String,
}

#[derive(Deserialize)]
pub struct NextQuery {
    next: Option<String>,
}

/// A path of ours to go to after signing in; anything else leads to the start page. Browsers drop tabs and
/// line breaks from an address, and read a backslash as a slash: `/\t/evil.example` is another site.
fn local_path(next: Option<&str>) -> &str {
    let is_strange = |c: char| c == '\\' || c.is_control() || c.is_whitespace();
    next.filter(|n| n.starts_with('/') && !n.starts_with("//") && !n.contains(is_strange)).unwrap_or("/")
}

pub async fn sign_in(page: Page, Query(query): Query<NextQuery>) -> Result<Response> {
    let next = local_path(query.next.as_deref()).to_owned();
    if page.viewer.is_some() {
        return Ok(see_other(&next));
    }
    html(&SignInPage { page, form: Form::default(), next })
}

pub async fn submit_sign_in(
    State(state): State<AppState>,
    page: Page,
    headers: HeaderMap,
    jar: CookieJar,
    submitted: Submitted,
) -> Result<Response> {
    let next = local_path(submitted.optional("next")).to_owned();
    let mut errors = FieldErrors::default();
    if submitted.text("email").is_empty() {
        errors.add("email", "Enter your e-mail address.");
    }
    if submitted.raw("password").is_empty() {
        errors.add("password", "Enter your password.");
    }
    if !errors.is_empty() {
        return html_invalid(&SignInPage { page, form: Form::with_errors(submitted, errors), next });
    }
    let browser = client::browser(&headers);
    match actions::sign_in(&state, submitted.text("email"), submitted.raw("password"), &browser).await {
        Ok(token) => Ok((jar.add(sessions::cookie(token, &state.config)), see_other(&next)).into_response()),
        Err(Error::Invalid(errors)) => {
            html_invalid(&SignInPage { page, form: Form::with_errors(submitted, errors), next })
        }
        Err(Error::Rejected(status @ StatusCode::TOO_MANY_REQUESTS, text)) => {
            let mut errors = FieldErrors::default();
            errors.add("email", text);
            html_with(status, &SignInPage { page, form: Form::with_errors(submitted, errors), next })
        }
        Err(other) => Err(other),
    }
}

pub async fn sign_out(State(state): State<AppState>, jar: CookieJar) -> Result<Response> {
    if let Some(token) = sessions::token(&jar, &state.config) {
        let mut db = state.db.acquire().await?;
        store::delete_session_by_token(&mut db, &model::token_hash(&token)).await?;
    }
    Ok((jar.add(sessions::removal(&state.config)), see_other("/sign-in?done=signed-out")).into_response())
}

#[cfg(test)]
mod tests {
    use super::local_path;

    #[test]
    fn nobody_is_sent_to_another_site() {
        assert_eq!(local_path(Some("/me/collection?x=1")), "/me/collection?x=1");
        for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", "evil", ""] {
            assert_eq!(local_path(Some(elsewhere)), "/");
        }
        for strange in ['\t', '\n', '\r', '\0', '\u{b}', '\u{7f}', '\u{85}', ' ', '\u{a0}', '\u{2028}'] {
            assert_eq!(local_path(Some(&format!("/{strange}/evil.example"))), "/");
            assert_eq!(local_path(Some(&format!("{strange}//evil.example"))), "/");
        }
        assert_eq!(local_path(None), "/");
    }
}
