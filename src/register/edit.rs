//! The form of a declaration: new, as a draft, or as a change of what is proposed, active or paused.

use askama::Template;
use axum::extract::{Query, State as FromState};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::life::{Change, Revision, State};
use super::{actions, form, store};
use crate::app::AppState;
use crate::catalogue::{self, Product};
use crate::error::{Error, FieldErrors, Result};
use crate::identity;
use crate::web::forms::seen;
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Submitted, Viewer, see_other};

#[derive(Template)]
#[template(path = "register/edit.html")]
struct EditPage {
    page: Page,
    form: Form,
    lists: form::Lists,
    /// What is changed; `None` for something new.
    newest: Option<Revision>,
    /// The revision that the form knows of.
    revision: i32,
    /// A known product that was chosen for something new.
    product: Option<&'static Product>,
}

impl EditPage {
    fn action(&self) -> String {
        self.newest.as_ref().map_or("/register".into(), |r| format!("/register/{}", r.processing_id))
    }

    fn title(&self) -> &'static str {
        match &self.newest {
            None => "Declare something",
            Some(r) if r.state == State::Draft => "Change the draft",
            Some(_) => "Change the declaration",
        }
    }

    /// Whether the change is told to those who see it, with a reason.
    fn is_revision(&self) -> bool {
        self.newest.as_ref().is_some_and(|r| r.state != State::Draft)
    }

    /// Whether somebody else was faster.
    fn is_stale(&self) -> bool {
        self.form.errors().of("newest").is_some()
    }

    fn is_active(&self) -> bool {
        self.newest.as_ref().is_some_and(|r| r.state == State::Active)
    }
}

async fn page_of(
    state: &AppState,
    page: Page,
    form: Form,
    newest: Option<Revision>,
    status: StatusCode,
) -> Result<Response> {
    let departments = identity::list_departments(&mut *state.db.acquire().await?).await?;
    let revision = match &newest {
        // The page says that there is a newer version and links it: the next try is made knowing of it.
        Some(newest) if status == StatusCode::CONFLICT => newest.revision,
        _ => form.value("revision").parse().unwrap_or(0),
    };
    let mut lists = form::Lists::new(&departments);
    let product = catalogue::find(form.value("source_name")).filter(|_| newest.is_none());
    if let Some(product) = product {
        lists.offer_first(product);
    }
    html_with(status, &EditPage { page, form, lists, newest, revision, product })
}

async fn newest(state: &AppState, id: Uuid) -> Result<Revision> {
    let history = store::list_history(&mut *state.db.acquire().await?, id).await?;
    history.into_iter().next_back().ok_or(Error::NotFound)
}

/// A known product to begin with, and which of the things that it can collect.
#[derive(Deserialize, Default)]
pub struct NewQuery {
    #[serde(default)]
    product: String,
    #[serde(default)]
    category: String,
}

pub async fn new(
    FromState(state): FromState<AppState>,
    page: Page,
    Query(query): Query<NewQuery>,
) -> Result<Response> {
    let form = match query.product.as_str() {
        "" => Form::default(),
        id => Form::new(form::of_product(catalogue::find(id).ok_or(Error::NotFound)?, &query.category)),
    };
    page_of(&state, page, form, None, StatusCode::OK).await
}

pub async fn create(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    submitted: Submitted,
) -> Result<Response> {
    let result = match form::read(&submitted) {
        Ok(content) => actions::create_draft(&state, &viewer, &content).await,
        Err(errors) => Err(Error::Invalid(errors)),
    };
    match result {
        Ok(id) => Ok(see_other(&format!("/register/{id}?done=draft-saved"))),
        Err(Error::Invalid(errors)) => {
            let form = Form::with_errors(submitted, errors);
            page_of(&state, page, form, None, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Err(other) => Err(other),
    }
}

pub async fn edit(
    FromState(state): FromState<AppState>,
    page: Page,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let newest = newest(&state, id).await?;
    if newest.state.after(Change::Saved).or(newest.state.after(Change::Revised)).is_none() {
        return Err(Error::conflict("This has ended. Nothing can be changed any more; its history stays."));
    }
    let form = Form::new(form::fill(&newest.content, newest.revision));
    page_of(&state, page, form, Some(newest), StatusCode::OK).await
}

pub async fn save(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let before = newest(&state, id).await?;
    let is_draft = before.state == State::Draft;
    let result = match form::read(&submitted) {
        Ok(content) if is_draft => actions::save_draft(&state, &viewer, id, seen(&submitted), &content).await,
        Ok(content) => {
            actions::revise(&state, &viewer, id, seen(&submitted), &content, submitted.text("reason")).await
        }
        Err(errors) => Err(Error::Invalid(errors)),
    };
    let (errors, status) = match result {
        Ok(_) => {
            let done = if is_draft { "draft-saved" } else { "revised" };
            return Ok(see_other(&format!("/register/{id}?done={done}")));
        }
        Err(Error::Invalid(errors)) => (errors, StatusCode::UNPROCESSABLE_ENTITY),
        Err(Error::Conflict(words)) => {
            let mut errors = FieldErrors::default();
            // Anything but a newer revision is about the change itself.
            errors.add(if words == actions::STALE { "newest" } else { "category" }, words);
            (errors, StatusCode::CONFLICT)
        }
        Err(other) => return Err(other),
    };
    let newest = newest(&state, id).await?;
    page_of(&state, page, Form::with_errors(submitted, errors), Some(newest), status).await
}
