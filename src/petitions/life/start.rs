//! Starting a petition: with a name or without, and the first draft.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::form::{self, Lists};
use super::model::{About, Document};
use super::{about, actions, store};
use crate::app::AppState;
use crate::error::Result;
use crate::petitions::model::{OPEN_DAYS, PACKS_NEEDED, SEEKING_DAYS, SUPPORTERS};
use crate::web::forms::refused;
use crate::web::page::html_with;
use crate::web::{Form, Page, Submitted, Viewer, html, see_other};

#[derive(Deserialize)]
pub struct StartQuery {
    about: Option<String>,
}

#[derive(Template)]
#[template(path = "petitions/start.html")]
struct StartPage {
    page: Page,
    /// What it will be about: address form and name.
    about: Option<(String, String)>,
    has_epoch: bool,
    supporters: i64,
    seeking_days: i64,
    packs_needed: i64,
}

#[derive(Template)]
#[template(path = "petitions/new.html")]
struct NewPage {
    page: Page,
    form: Form,
    lists: Lists,
}

async fn asked(state: &AppState, query: &StartQuery) -> Result<Option<(About, String)>> {
    let Some(about) = query.about.as_deref().and_then(About::parse) else { return Ok(None) };
    let name = about::find(&mut *state.db.acquire().await?, about).await?;
    Ok(name.map(|name| (about, name)))
}

/// With my name, or without?
pub async fn choose(
    State(state): State<AppState>,
    page: Page,
    Query(query): Query<StartQuery>,
) -> Result<Response> {
    let about = asked(&state, &query).await?.map(|(about, name)| (about.query(), name));
    let epoch = store::find_epoch(&mut *state.db.acquire().await?, state.clock.now()).await?;
    html(&StartPage {
        page,
        about,
        has_epoch: epoch.is_some(),
        supporters: SUPPORTERS,
        seeking_days: SEEKING_DAYS,
        packs_needed: PACKS_NEEDED,
    })
}

pub async fn new(
    State(state): State<AppState>,
    page: Page,
    Query(query): Query<StartQuery>,
) -> Result<Response> {
    let about = asked(&state, &query).await?.map(|(about, _)| about);
    let text = Document { about, open_days: OPEN_DAYS[1], ..Document::default() };
    let lists = Lists::load(&mut *state.db.acquire().await?).await?;
    html(&NewPage { page, form: form::filled(&text), lists })
}

/// Keeps the first draft.
pub async fn create(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    submitted: Submitted,
) -> Result<Response> {
    let made = match form::read(&submitted) {
        Ok(text) => actions::insert(&state, &viewer, &text).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(id) => Ok(see_other(&format!("/petitions/{id}/edit?done=petition-draft-saved"))),
        Err(error) => {
            let (errors, status): (_, StatusCode) = refused(error, "title")?;
            let lists = Lists::load(&mut *state.db.acquire().await?).await?;
            html_with(status, &NewPage { page, form: Form::with_errors(submitted, errors), lists })
        }
    }
}
