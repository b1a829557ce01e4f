//! One processing: what is declared, what happened to it, and what can be done next.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State as FromState;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::actions;
use super::life::{Change, Revision, State, answer_to};
use super::list::may_see;
use super::model::{ChoiceMode, Mandatory, ProcessingContent};
use super::obstacle::obstacle;
use super::rules::validate;
use super::store;
use super::words::{CHOICE, FieldChange, Group, changes, groups};
use crate::app::{self, AppState};
use crate::clock::Time;
use crate::error::{Error, FieldErrors, Result};
use crate::identity;
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Role, Viewer, times};

/// One step of the history, as the page tells it.
struct Entry {
    revision: i32,
    at: Time,
    role: &'static str,
    title: &'static str,
    reason: Option<String>,
    changes: Vec<FieldChange>,
    /// Where it stands in the log.
    place: Option<i64>,
    /// Steps after which less was in force, or with which somebody disagreed.
    attention: bool,
}

#[derive(Template)]
#[template(path = "register/show.html")]
struct ShowPage {
    page: Page,
    form: Form,
    newest: Revision,
    /// When the present state began, by whom and why.
    since: Time,
    since_role: &'static str,
    since_reason: Option<String>,
    groups: Vec<Group>,
    history: Vec<Entry>,
    /// What the law still asks for before this can be active.
    missing: FieldErrors,
    /// What others must do first, or the calendar.
    obstacle: Option<String>,
    answer: Option<bool>,
    answers: Vec<(String, String)>,
    confirm: Vec<(String, String)>,
    /// Whether a notice in force tells of it as it is.
    is_told: bool,
    petitions: Vec<app::PetitionLink>,
    /// As addresses say what a petition is about.
    about: String,
}

impl ShowPage {
    fn can(&self, change: Change) -> bool {
        self.page.is_publisher() && self.newest.state.after(change).is_some()
    }

    fn can_propose(&self) -> bool {
        self.can(Change::Proposed)
    }

    fn can_edit(&self) -> bool {
        self.can(Change::Saved) || self.can(Change::Revised)
    }

    fn can_activate(&self) -> bool {
        self.can(Change::Activated)
    }

    fn can_pause(&self) -> bool {
        self.can(Change::Paused)
    }

    fn can_resume(&self) -> bool {
        self.can(Change::Resumed)
    }

    fn can_end(&self) -> bool {
        self.can(Change::Ended)
    }

    fn can_delete(&self) -> bool {
        self.page.is_publisher() && self.newest.state == State::Draft
    }

    fn can_answer(&self) -> bool {
        let state = self.newest.state;
        self.page.is_representative() && !self.page.is_publisher() && state.after(Change::Agreed).is_some()
    }

    /// Whether what is missing concerns this reader now.
    fn shows_missing(&self) -> bool {
        let open = matches!(self.newest.state, State::Draft | State::Proposed | State::Paused);
        open && (self.page.is_publisher() || self.page.is_representative()) && !self.missing.is_empty()
    }

    fn shows_obstacle(&self) -> bool {
        matches!(self.newest.state, State::Proposed | State::Paused)
            && (self.page.is_publisher() || self.page.is_representative())
    }

    /// Set when nobody can refuse.
    fn mandatory(&self) -> Option<Mandatory> {
        let content = &self.newest.content;
        let mode = content.choice_mode == Some(ChoiceMode::Mandatory);
        mode.then(|| content.mandatory.clone().unwrap_or_default())
    }

    fn choice(&self) -> &'static str {
        self.newest.content.choice_mode.map_or("", |m| m.words())
    }

    fn basis(&self) -> &'static str {
        self.newest.content.legal_basis.map_or("", |b| b.words())
    }

    fn hash(&self) -> String {
        times::hex(&self.newest.content_sha256)
    }
}

fn role_words(id: &str) -> &'static str {
    id.parse().map_or("Daylight", Role::words)
}

/// Newest first. Drafts are left out once it was proposed: nobody but publishers ever saw them.
fn entries(history: &[Revision], departments: &[(Uuid, String)], places: &BTreeMap<i32, i64>) -> Vec<Entry> {
    let is_draft = history.iter().all(|r| r.state == State::Draft);
    let mut entries = Vec::new();
    let mut before: Option<&Revision> = None;
    for r in history.iter().filter(|r| is_draft || r.state != State::Draft) {
        entries.push(Entry {
            revision: r.revision,
            at: r.at,
            role: role_words(&r.by_role),
            title: r.change.words(),
            reason: r.reason.clone(),
            changes: before.map(|b| changes(&b.content, &r.content, departments)).unwrap_or_default(),
            place: places.get(&r.revision).copied(),
            attention: matches!(r.change, Change::Objected | Change::Paused),
        });
        before = Some(r);
    }
    entries.reverse();
    entries
}

/// What nobody can refuse says so above, with all that belongs to it.
fn shown_groups(content: &ProcessingContent, departments: &[(Uuid, String)]) -> Vec<Group> {
    let mut groups = groups(content, departments);
    if content.choice_mode == Some(ChoiceMode::Mandatory) {
        groups.retain(|g| g.title != CHOICE);
    }
    groups
}

pub async fn show(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    render(&state, page, &viewer, id, Form::default(), StatusCode::OK).await
}

/// The page; after a refused action with its form as it was typed.
pub async fn render(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    id: Uuid,
    form: Form,
    status: StatusCode,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let history = store::list_history(&mut db, id).await?;
    let departments = identity::list_departments(&mut db).await?;
    let places = store::list_places(&mut db, id).await?.into_iter().collect();
    let untold = actions::untold(&mut db, state, &history).await?;
    let newest = history.last().ok_or(Error::NotFound)?.clone();
    let petitions = app::petitions_about(&mut db, state, "processing", id).await?;
    let is_told = app::is_told(&mut db, id, &newest.content_sha256, state.clock.now()).await?;
    drop(db);
    let was_active = history.iter().any(|r| r.state == State::Active);
    if !may_see(viewer, newest.state, was_active) {
        return Err(Error::NotFound);
    }
    let begin = history.iter().rev().take_while(|r| r.state == newest.state).last().unwrap_or(&newest);
    let today = state.clock.now().day(&state.config.time_zone);
    let pair = |id: &str, words: &str| (id.to_owned(), words.to_owned());
    let shown = ShowPage {
        page,
        form,
        since: begin.at,
        since_role: role_words(&begin.by_role),
        since_reason: begin.reason.clone(),
        groups: shown_groups(&newest.content, &departments),
        history: entries(&history, &departments, &places),
        missing: validate(&newest.content, true),
        obstacle: obstacle(&history, &newest.content, today)?.or(untold),
        answer: answer_to(&history, &newest.content_sha256),
        answers: vec![pair("", "Choose…"), pair("agree", "We agree"), pair("object", "We object")],
        confirm: vec![pair("yes", "Yes, I have read what this does")],
        is_told,
        petitions,
        about: format!("processing:{id}"),
        newest,
    };
    html_with(status, &shown)
}
