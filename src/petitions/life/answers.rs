//! The employer's answer, as HR writes it. Neither the threshold nor the clock has a form anywhere.

use askama::Template;
use axum::extract::State as FromState;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::reading::Reading;
use super::{actions, model};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::notices::markdown;
use crate::web::forms::{confirmed, refused};
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Submitted, Viewer, see_other};

#[derive(Template)]
#[template(path = "petitions/answer.html")]
struct AnswerPage {
    page: Page,
    form: Form,
    id: Uuid,
    title: String,
    demand: Vec<String>,
    due: Option<Time>,
    /// Its text or its terms aren't those in the log.
    is_broken: bool,
    /// Number of the newest answer; 0 for none.
    newest: i32,
    preview: Option<String>,
    confirm: Vec<(String, String)>,
}

async fn render(
    state: &AppState,
    page: Page,
    id: Uuid,
    form: Form,
    preview: Option<String>,
    status: StatusCode,
) -> Result<Response> {
    let it = Reading::load(&mut *state.db.acquire().await?, state, id).await?;
    if !it.row.state().was_opened() {
        return Err(Error::NotFound);
    }
    let shown = AnswerPage {
        page,
        form,
        id,
        demand: model::lines(&it.document.demand).into_iter().map(Into::into).collect(),
        due: it.row.answer_due_at,
        is_broken: it.fit().is_broken() || it.terms.is_broken(),
        newest: it.answers.first().map_or(0, |(a, _)| a.number),
        preview,
        confirm: vec![("yes".into(), "It stays as it is, for good".into())],
        title: it.document.title,
    };
    html_with(status, &shown)
}

pub async fn show(
    FromState(state): FromState<AppState>,
    page: Page,
    _: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    render(&state, page, id, Form::default(), None, StatusCode::OK).await
}

/// `action` is `preview`, or else the answer is given.
pub async fn submit(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    if submitted.text("action") == "preview" {
        let preview = Some(markdown::render(submitted.text("text")));
        return render(&state, page, id, Form::new(submitted), preview, StatusCode::OK).await;
    }
    let seen = submitted.text("seen").parse().unwrap_or(-1);
    let done = match confirmed(&submitted, "answer_confirm") {
        Ok(()) => actions::answer(&state, &viewer, id, seen, submitted.text("text")).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => Ok(see_other(&format!("/petitions/{id}?done=petition-answered#answers"))),
        Err(error) => {
            let (errors, status) = refused(error, "text")?;
            render(&state, page, id, Form::with_errors(submitted, errors), None, status).await
        }
    }
}
