//! A petition's page: what everybody reads, and what the one who looks can do.

use askama::Template;
use axum::extract::State as FromState;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::actions;
use super::body::Body;
use super::integrity::Fit;
use super::model::{Standing, State, lines};
use super::reading::Reading;
use super::store;
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::error::{Error, Result};
use crate::petitions::model::REFUSALS;
use crate::web::forms::refused;
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Role, Submitted, Viewer, see_other};

/// What a refused petition leaves behind.
struct Tombstone {
    at: Option<Time>,
    code: String,
    rule: &'static str,
    words: Vec<String>,
    position: Option<i64>,
    fit: Fit,
    /// Of the rule and the words.
    words_fit: Fit,
}

#[derive(Template)]
#[template(path = "petitions/show.html")]
struct ShowPage {
    page: Page,
    form: Form,
    id: Uuid,
    title: String,
    standing: Standing,
    state: State,
    fit: Fit,
    terms: Fit,
    clock: Fit,
    takes_signatures: bool,
    /// Set for what was refused; the text below it is for its author and representatives.
    tombstone: Option<Tombstone>,
    /// The part that is the same for everybody.
    body: Option<String>,
    follows: Option<Day>,
    is_author: bool,
    address: String,
    confirm: Vec<(String, String)>,
}

impl ShowPage {
    fn may_revise(&self) -> bool {
        self.is_author && self.state == State::Seeking
    }

    fn may_give_up(&self) -> bool {
        self.is_author && self.state.can_be_given_up()
    }

    fn may_update(&self) -> bool {
        (self.is_author || self.page.is_representative()) && self.state.takes_updates()
    }

    fn may_check(&self) -> bool {
        self.page.is_representative() && self.state == State::Checking
    }

    fn may_answer(&self) -> bool {
        self.page.is_publisher() && self.state.was_opened()
    }
}

/// The published rule's words; a code that this program doesn't know has none.
fn rule(code: &str) -> &'static str {
    REFUSALS.iter().find(|(c, _)| *c == code).map_or("", |(_, words)| words)
}

fn tombstone(it: &Reading) -> Option<Tombstone> {
    let code = it.row.refusal_code.clone()?;
    Some(Tombstone {
        at: it.row.closed_at,
        rule: rule(&code),
        words: lines(it.row.refusal_words.as_deref().unwrap_or_default())
            .into_iter()
            .map(Into::into)
            .collect(),
        position: it.row.check_position,
        fit: it.fit(),
        words_fit: it.refusal,
        code,
    })
}

pub async fn show(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let draft = store::find(&mut db, id).await?.filter(|p| p.state() == State::Draft);
    drop(db);
    if draft.is_some_and(|p| p.is_by(viewer.person_id)) {
        return Ok(see_other(&format!("/petitions/{id}/edit")));
    }
    render(&state, page, &viewer, id, Form::default(), StatusCode::OK).await
}

/// The page; after a refused form with what was typed.
pub async fn render(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    id: Uuid,
    form: Form,
    status: StatusCode,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let it = Reading::load(&mut db, state, id).await?;
    let follows = store::counts::find_follow(&mut db, id, viewer.person_id).await?;
    drop(db);
    if follows.is_some() {
        // Reading must go on when nothing can be written.
        let seen = actions::seen(state, viewer, id).await;
        seen.unwrap_or_else(|error| tracing::warn!(%error, "a look could not be noted"));
    }
    let readable = it.may_read(viewer);
    let shown = ShowPage {
        id,
        title: if readable { it.document.title.clone() } else { "A refused petition".into() },
        standing: it.standing,
        state: it.row.state(),
        fit: it.fit(),
        terms: it.terms,
        clock: it.clock,
        takes_signatures: it.takes_signatures(),
        tombstone: tombstone(&it),
        is_author: it.row.is_by(viewer.person_id),
        body: match readable {
            true => Some(Body::load(state, it).await?.render()?),
            false => None,
        },
        follows,
        address: format!("{}/petitions/{id}", state.config.base_url),
        confirm: vec![("yes".into(), "I have read what this does".into())],
        form,
        page,
    };
    html_with(status, &shown)
}

pub async fn follow(
    FromState(state): FromState<AppState>,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    actions::follow(&state, &viewer, id).await?;
    Ok(see_other(&format!("/petitions/{id}?done=petition-followed")))
}

pub async fn unfollow(
    FromState(state): FromState<AppState>,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    actions::unfollow(&state, &viewer, id).await?;
    Ok(see_other(&format!("/petitions/{id}?done=petition-unfollowed")))
}

pub async fn update(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    match actions::update(&state, &viewer, id, submitted.text("update")).await {
        Ok(()) => Ok(see_other(&format!("/petitions/{id}?done=petition-updated#updates"))),
        Err(error @ (Error::Conflict(_) | Error::Invalid(_))) => {
            let (errors, status) = refused(error, "update")?;
            render(&state, page, &viewer, id, Form::with_errors(submitted, errors), status).await
        }
        Err(error) => Err(error),
    }
}

impl ShowPage {
    fn may_sign(&self) -> bool {
        self.takes_signatures && self.page.has(Role::Worker)
    }
}
