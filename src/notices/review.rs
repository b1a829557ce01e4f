//! The small forms on a version's page. What is refused comes back on the same page, with what was typed.

use axum::extract::State as FromState;
use axum::response::Response;
use uuid::Uuid;

use super::{actions, version};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::web::forms::{confirmed, refused, seen};
use crate::web::{Form, Page, Path, Submitted, Viewer, see_other};

/// A version's page after a step: its words, or what stands in the way.
struct Outcome {
    state: AppState,
    page: Page,
    viewer: Viewer,
    id: Uuid,
    submitted: Submitted,
}

impl Outcome {
    async fn of(self, result: Result<String>) -> Result<Response> {
        let error = match result {
            Ok(path) => return Ok(see_other(&path)),
            Err(error) => error,
        };
        let (errors, status) = refused(error, "next-steps")?;
        let form = Form::with_errors(self.submitted, errors);
        version::render(&self.state, self.page, &self.viewer, self.id, form, status).await
    }
}

/// A handler for each step: what it calls, and where it leads.
macro_rules! steps {
    ($($name:ident, |$state:ident, $viewer:ident, $id:ident, $form:ident| $call:expr;)+) => {
        $(pub async fn $name(
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
            Outcome { state, page, viewer, id, submitted }.of(result).await
        })+
    };
}

fn done(id: Uuid, code: &str) -> String {
    format!("/publishing/versions/{id}?done={code}")
}

/// What is missing is listed on the page; the summary leads there.
fn incomplete(error: Error) -> Error {
    match error {
        Error::Invalid(errors) => {
            let words = match errors.iter().count() {
                1 => "One thing is still needed; it is listed below.".into(),
                n => format!("{n} things are still needed; they are listed below."),
            };
            Error::invalid("missing", words)
        }
        other => other,
    }
}

steps! {
    submit, |state, viewer, id, form| {
        actions::submit(state, viewer, id, seen(form)).await.map_err(incomplete)?;
        Ok(done(id, "notice-submitted"))
    };
    return_to_draft, |state, viewer, id, form| {
        actions::return_to_draft(state, viewer, id, seen(form), form.text("return_comment")).await?;
        Ok(done(id, "notice-returned"))
    };
    answer, |state, viewer, id, form| {
        let agrees = match form.text("answer") {
            "agree" => true,
            "object" => false,
            _ => return Err(Error::invalid("answer", "Choose an answer.")),
        };
        actions::answer(state, viewer, id, seen(form), agrees, form.text("comment")).await?;
        Ok(done(id, "answered"))
    };
    approve, |state, viewer, id, form| {
        confirmed(form, "approve_confirm")?;
        actions::approve(state, viewer, id, seen(form), form.text("approve_comment")).await?;
        Ok(done(id, "notice-approved"))
    };
    unschedule, |state, viewer, id, form| {
        actions::unschedule(state, viewer, id, seen(form)).await?;
        Ok(done(id, "notice-unscheduled"))
    };
    discard, |state, viewer, id, form| {
        let draft = actions::discard(state, viewer, id, seen(form), form.text("discard_reason")).await?;
        Ok(format!("/publishing/versions/{draft}/edit?done=notice-discarded"))
    };
    retract, |state, viewer, id, form| {
        confirmed(form, "retract_confirm")?;
        actions::retract(state, viewer, id, seen(form), form.text("retract_reason")).await?;
        Ok(done(id, "notice-retracted"))
    };
    delete, |state, viewer, id, form| {
        confirmed(form, "delete_confirm")?;
        actions::delete_draft(state, viewer, id, seen(form)).await?;
        Ok("/publishing?done=notice-deleted".into())
    };
}
