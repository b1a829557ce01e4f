//! Objecting, with reasons; and contesting the answer, once.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use uuid::Uuid;

use super::actions::{self, Seen, Wish};
use super::card::{self, Card};
use super::choices::{accept, anchor};
use super::model::Choice;
use super::store::people;
use crate::app::AppState;
use crate::clock::Time;
use crate::error::Result;
use crate::web::bands::SMALLEST_WHOLE;
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Submitted, Viewer, forms, see_other};

#[derive(Template)]
#[template(path = "consent/object.html")]
struct ObjectPage {
    page: Page,
    form: Form,
    card: Card,
    /// When an objection made now must be answered.
    due: Time,
    named: Vec<(String, String)>,
    /// So few people are asked this that it isn't hard to guess who objected.
    few: bool,
}

pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(processing): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response> {
    render(&state, page, &viewer, processing, accept(&headers), Form::default(), StatusCode::OK).await
}

async fn render(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    processing: Uuid,
    accept: &str,
    form: Form,
    status: StatusCode,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let card = card::find(&mut db, state, viewer.person_id, processing, accept).await?;
    let content = card.case.rule.content();
    let asked = people::count_asked(&mut db, &content.jurisdictions, &content.departments).await?;
    drop(db);
    let due = actions::one_month_after(page.now);
    let named = vec![("yes".to_owned(), "Show my name to HR".to_owned())];
    html_with(status, &ObjectPage { page, form, card, due, named, few: asked < SMALLEST_WHOLE })
}

pub async fn object(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(processing): Path<Uuid>,
    headers: HeaderMap,
    form: Submitted,
) -> Result<Response> {
    let choice = Choice::Object { reason: form.text("reason"), named: form.text("named") == "yes" };
    let made = make(&state, &viewer, processing, choice, &form).await;
    answer(&state, page, &viewer, processing, &headers, form, made.map(|()| "objected")).await
}

pub async fn contest(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(processing): Path<Uuid>,
    headers: HeaderMap,
    form: Submitted,
) -> Result<Response> {
    let choice = Choice::Contest { reason: form.text("reason") };
    let made = make(&state, &viewer, processing, choice, &form).await;
    answer(&state, page, &viewer, processing, &headers, form, made.map(|()| "contested")).await
}

async fn make(
    state: &AppState,
    viewer: &Viewer,
    processing: Uuid,
    choice: Choice<'_>,
    form: &Submitted,
) -> Result<()> {
    let seen = Seen { text: form.text("text"), language: form.text("language") };
    actions::choose(state, viewer, Wish { processing, choice, seen }).await.map(|_| ())
}

/// To the choices; or the form again, with what was typed.
async fn answer(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    processing: Uuid,
    headers: &HeaderMap,
    form: Submitted,
    made: Result<&'static str>,
) -> Result<Response> {
    let error = match made {
        Ok(done) => return Ok(see_other(&format!("/me/choices?done={done}#{}", anchor(processing)))),
        Err(error) => error,
    };
    let (errors, status) = forms::refused(error, "main")?;
    let form = Form::with_errors(form, errors);
    render(state, page, viewer, processing, accept(headers), form, status).await
}
