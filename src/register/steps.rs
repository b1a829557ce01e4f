//! The small forms on a processing's page: propose, answer, activate, pause, resume, end, delete.
//!
//! What is refused comes back on the same page, with what was typed.

use axum::extract::State as FromState;
use axum::response::Response;
use uuid::Uuid;

use super::{actions, show};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::web::forms::{self, confirmed, seen};
use crate::web::{Form, Page, Path, Submitted, Viewer, see_other};

/// After a step: its words on the page, or what stands in the way.
struct Outcome {
    state: AppState,
    page: Page,
    viewer: Viewer,
    id: Uuid,
    submitted: Submitted,
}

impl Outcome {
    async fn of(self, result: Result<()>, done: &str) -> Result<Response> {
        let error = match result {
            Ok(()) => return Ok(see_other(&format!("/register/{}?done={done}", self.id))),
            Err(error) => error,
        };
        let (errors, status) = forms::refused(error, "next-steps")?;
        let form = Form::with_errors(self.submitted, errors);
        show::render(&self.state, self.page, &self.viewer, self.id, form, status).await
    }
}

/// What activation and resuming find missing is listed on the page; the summary leads there.
fn incomplete(error: Error) -> Error {
    match error {
        Error::Invalid(errors) if errors.of("resume_reason").is_none() => {
            let words = match errors.iter().count() {
                1 => "One thing is still needed; it is listed below.".into(),
                n => format!("{n} things are still needed; they are listed below."),
            };
            Error::invalid("missing", words)
        }
        other => other,
    }
}

/// A handler for each step: what it calls, and the code of what it says afterwards.
macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident, $done:literal, |$state:ident, $viewer:ident, $id:ident, $form:ident| $call:expr;)+) => {
        $($(#[$doc])*
        pub async fn $name(
            FromState(state): FromState<AppState>,
            page: Page,
            viewer: Viewer,
            Path(id): Path<Uuid>,
            submitted: Submitted,
        ) -> Result<Response> {
            let result = {
                let ($state, $viewer, $id, $form) = (&state, &viewer, id, &submitted);
                async { $call }.await
            };
            Outcome { state, page, viewer, id, submitted }.of(result.map(drop), $done).await
        })+
    };
}

steps! {
    propose, "proposed", |state, viewer, id, form| actions::propose(state, viewer, id, seen(form)).await;
    answer, "answered", |state, viewer, id, form| {
        let agrees = match form.text("answer") {
            "agree" => true,
            "object" => false,
            _ => return Err(Error::invalid("answer", "Choose an answer.")),
        };
        actions::answer(state, viewer, id, seen(form), agrees, form.text("comment")).await
    };
    activate, "activated", |state, viewer, id, form| {
        confirmed(form, "activate_confirm")?;
        actions::activate(state, viewer, id, seen(form)).await.map_err(incomplete)
    };
    pause, "paused", |state, viewer, id, form| {
        actions::pause(state, viewer, id, seen(form), form.text("pause_reason")).await
    };
    resume, "resumed", |state, viewer, id, form| {
        actions::resume(state, viewer, id, seen(form), form.text("resume_reason")).await.map_err(incomplete)
    };
    end, "ended", |state, viewer, id, form| {
        confirmed(form, "end_confirm")?;
        actions::end(state, viewer, id, seen(form), form.text("end_reason")).await
    };
}

/// A deleted draft has no page to come back to.
pub async fn delete(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let result = match confirmed(&submitted, "delete_confirm") {
        Ok(()) => actions::delete_draft(&state, &viewer, id, seen(&submitted)).await,
        refused => refused,
    };
    match result {
        Ok(()) => Ok(see_other("/register?done=draft-deleted")),
        refused => Outcome { state, page, viewer, id, submitted }.of(refused, "draft-deleted").await,
    }
}
