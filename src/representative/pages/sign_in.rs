//! The one-time link and signing out.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;

use super::{Of, Page};
use crate::error::{Error, Result};
use crate::web::{html, see_other};

#[derive(Template)]
#[template(path = "representative/sign_in.html")]
struct SignInPage {
    page: Page,
    token: String,
}

/// A button and not the link itself signs in: programs that open links for safety use nothing up.
pub async fn ask(State(representative): Of, Path(token): Path<String>) -> Result<Response> {
    if !representative.is_link(&token)? {
        return Err(Error::NotFound);
    }
    let page = Page { signed_in: false, ..Page::of(&representative, "") };
    html(&SignInPage { page, token })
}

pub async fn sign_in(
    State(representative): Of,
    jar: CookieJar,
    Path(token): Path<String>,
) -> Result<Response> {
    let session = representative.off(move |w| w.sign_in(&token)).await?;
    Ok((jar.add(representative.cookie(session)), see_other("/")).into_response())
}

pub async fn sign_out(State(representative): Of, jar: CookieJar) -> Result<Response> {
    representative.sign_out(&jar)?;
    let mut removal = representative.cookie(String::new());
    removal.make_removal();
    Ok((jar.add(removal), see_other("/")).into_response())
}
