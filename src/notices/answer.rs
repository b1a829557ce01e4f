//! The worker's answers on a notice's page: read, or not to be acknowledged.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use uuid::Uuid;

use super::actions::acknowledge::{self, Seen};
use super::show::{self, ShowQuery, accept};
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::web::{Form, Page, Path, Submitted, Viewer, see_other};

fn seen(form: &Submitted) -> Seen<'_> {
    Seen {
        version: form.text("version_id").parse().unwrap_or_default(),
        language: form.text("shown_language"),
        content: form.text("content"),
    }
}

pub async fn acknowledge(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(notice): Path<Uuid>,
    headers: HeaderMap,
    form: Submitted,
) -> Result<Response> {
    match acknowledge::acknowledge(&state, &viewer, notice, seen(&form)).await {
        Ok(()) => Ok(see_other(&format!("/notices/{notice}?done=acknowledged"))),
        Err(error) => refused(&state, page, &viewer, notice, &headers, form, error).await,
    }
}

pub async fn decline(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(notice): Path<Uuid>,
    headers: HeaderMap,
    form: Submitted,
) -> Result<Response> {
    let reason = form.optional("decline_reason");
    match acknowledge::decline(&state, &viewer, notice, seen(&form), reason).await {
        Ok(()) => Ok(see_other(&format!("/notices/{notice}?done=declined"))),
        Err(error) => refused(&state, page, &viewer, notice, &headers, form, error).await,
    }
}

/// The notice's page again, with what was typed and what stands in the way.
pub async fn refused(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    notice: Uuid,
    headers: &HeaderMap,
    form: Submitted,
    error: Error,
) -> Result<Response> {
    let (errors, status) = match error {
        Error::Conflict(words) => {
            let mut errors = FieldErrors::default();
            errors.add("main", words);
            (errors, StatusCode::CONFLICT)
        }
        Error::Invalid(errors) => (errors, StatusCode::UNPROCESSABLE_ENTITY),
        other => return Err(other),
    };
    let query = ShowQuery { version: None, language: form.optional("shown_language").map(Into::into) };
    let form = Form::with_errors(form, errors);
    show::render(state, page, viewer, notice, &query, accept(headers), form, status).await
}
