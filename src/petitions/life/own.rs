//! What an author with a name does with a petition of theirs: write, submit, write anew, delete, give up.

use askama::Template;
use axum::extract::State as FromState;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::form::{self, Lists};
use super::model::{Document, State, lines};
use super::store::{self, PetitionRow};
use super::{about, actions, show};
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::notices::markdown;
use crate::petitions::model::{SEEKING_DAYS, SUPPORTERS};
use crate::web::forms::{confirmed, refused};
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Submitted, Viewer, see_other};

/// The text as it would be read.
struct Preview {
    title: String,
    demand: Vec<String>,
    background: String,
    about: Option<String>,
}

#[derive(Template)]
#[template(path = "petitions/edit.html")]
struct EditPage {
    page: Page,
    form: Form,
    id: Uuid,
    is_draft: bool,
    version: i32,
    lists: Lists,
    preview: Option<Preview>,
    confirm: Vec<(String, String)>,
    supporters: i64,
    seeking_days: i64,
}

/// The petition, for its author and while it can be written.
async fn writable(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<(PetitionRow, Document)> {
    let mut db = state.db.acquire().await?;
    let row = store::find(&mut db, id).await?.filter(|p| p.is_by(viewer.person_id));
    let row = row.ok_or(Error::NotFound)?;
    let text = match row.state() {
        State::Draft => {
            let draft = store::find_draft(&mut db, id).await?.ok_or(Error::NotFound)?;
            let about = super::model::About::of(row.about_kind.as_deref(), row.about_id);
            Document {
                title: draft.title,
                demand: draft.demand,
                background: draft.background,
                about,
                open_days: row.open_days,
            }
        }
        State::Seeking => {
            let versions = store::list_versions(&mut db, id).await?;
            Document::read(&versions.first().ok_or(Error::NotFound)?.document)
        }
        _ => {
            return Err(Error::conflict(
                "Its words stand still. Nothing about them can be changed any more.",
            ));
        }
    };
    Ok((row, text))
}

async fn render(
    state: &AppState,
    page: Page,
    row: &PetitionRow,
    form: Form,
    preview: Option<&Document>,
    status: StatusCode,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let preview = match preview {
        Some(text) => Some(Preview {
            title: text.title.clone(),
            demand: lines(&text.demand).into_iter().map(Into::into).collect(),
            background: markdown::render(&text.background),
            about: match text.about {
                Some(about) => about::find(&mut db, about).await?,
                None => None,
            },
        }),
        None => None,
    };
    let lists = Lists::load(&mut db).await?;
    drop(db);
    let shown = EditPage {
        page,
        form,
        id: row.id,
        is_draft: row.state() == State::Draft,
        version: row.version,
        lists,
        preview,
        confirm: vec![("yes".into(), "I have read what this does".into())],
        supporters: SUPPORTERS,
        seeking_days: SEEKING_DAYS,
    };
    html_with(status, &shown)
}

pub async fn edit(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let (row, text) = match writable(&state, &viewer, id).await {
        Err(Error::Conflict(_)) => return Ok(see_other(&format!("/petitions/{id}"))),
        other => other?,
    };
    render(&state, page, &row, form::filled(&text), None, StatusCode::OK).await
}

/// `action` is `save`, `preview`, `submit` or, while it seeks support, `revise`.
pub async fn save(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let (row, _) = writable(&state, &viewer, id).await?;
    let text = form::read(&submitted);
    if submitted.text("action") == "preview"
        && let Ok(text) = &text
    {
        let errors = text.check();
        let form = Form::with_errors(submitted.clone(), errors);
        return render(&state, page, &row, form, Some(text), StatusCode::OK).await;
    }
    let done = match text {
        Ok(text) => act(&state, &viewer, &row, &submitted, &text).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(to) => Ok(see_other(&to)),
        Err(error) => {
            let (errors, status) = refused(error, "title")?;
            render(&state, page, &row, Form::with_errors(submitted, errors), None, status).await
        }
    }
}

/// Does what the pressed button says; answers where to go.
async fn act(
    state: &AppState,
    viewer: &Viewer,
    row: &PetitionRow,
    submitted: &Submitted,
    text: &Document,
) -> Result<String> {
    let id = row.id;
    match (row.state(), submitted.text("action")) {
        (State::Seeking, _) => {
            both(text.check(), confirmed(submitted, "revise_confirm"))?;
            let seen = submitted.text("version").parse().unwrap_or(0);
            actions::revise(state, viewer, id, seen, text).await?;
            Ok(format!("/petitions/{id}?done=petition-revised"))
        }
        (_, "submit") => {
            // What was typed isn't lost, whatever stands in the way.
            actions::save(state, viewer, id, text).await?;
            both(text.check(), confirmed(submitted, "submit_confirm"))?;
            actions::submit(state, viewer, id, text).await?;
            Ok(format!("/petitions/{id}?done=petition-submitted"))
        }
        _ => {
            actions::save(state, viewer, id, text).await?;
            Ok(format!("/petitions/{id}/edit?done=petition-draft-saved"))
        }
    }
}

/// All that is wrong at once.
fn both(mut errors: FieldErrors, confirmed: Result<()>) -> Result<()> {
    match confirmed {
        Err(Error::Invalid(more)) => {
            more.iter().for_each(|e| errors.add(e.field.clone(), e.message.clone()));
        }
        other => other?,
    }
    errors.into_result()
}

pub async fn delete(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let (row, text) = writable(&state, &viewer, id).await?;
    let done = match confirmed(&submitted, "delete_confirm") {
        Ok(()) => actions::delete(&state, &viewer, id).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => Ok(see_other("/petitions?show=mine&done=petition-draft-deleted")),
        Err(error) => {
            let (errors, status) = refused(error, "delete_confirm")?;
            let form = Form::with_errors(form::values(&text), errors);
            render(&state, page, &row, form, None, status).await
        }
    }
}

pub async fn give_up(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let done = match confirmed(&submitted, "give_up_confirm") {
        Ok(()) => actions::give_up(&state, &viewer, id).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => Ok(see_other(&format!("/petitions/{id}?done=petition-given-up"))),
        Err(error) => {
            let (errors, status) = refused(error, "give_up_confirm")?;
            show::render(&state, page, &viewer, id, Form::with_errors(submitted, errors), status).await
        }
    }
}
