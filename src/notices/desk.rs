//! The desk: every notice with what needs doing, templates to begin from, and one notice with its history.

use askama::Template;
use axum::extract::State as FromState;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::actions::{self, obstacle, standing_answer};
use super::fields::{self, Change};
use super::laws::Kind;
use super::life::State;
use super::model::{Covered, Version};
use super::store::{self, Answer};
use super::version::{may_see, places};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::identity;
use crate::register::Revision;
use crate::web::forms::refused;
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Role, Submitted, Viewer, html, see_other, times};

/// One version in a list.
struct Row {
    version: Version,
    kind: &'static Kind,
    /// What needs doing, or how it stands.
    todo: String,
    attention: bool,
}

impl Row {
    fn places(&self) -> String {
        places(&self.version)
    }
}

struct Group {
    id: &'static str,
    title: &'static str,
    about: &'static str,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "notices/desk.html")]
struct DeskPage {
    page: Page,
    groups: Vec<Group>,
}

/// What the lists are judged by.
struct Desk<'a> {
    viewer: &'a Viewer,
    newest: Vec<Revision>,
    departments: Vec<(Uuid, String)>,
    answers: Vec<Answer>,
    second_person: bool,
}

impl Desk<'_> {
    fn table(&self, version: &Version) -> Vec<Covered> {
        fields::table(&self.newest, &version.processings, &self.departments)
    }

    fn drifted(&self, version: &Version) -> Vec<Change> {
        let own = version.field_table.as_deref().unwrap_or_default();
        fields::changes(own, &self.table(version))
    }

    fn row(&self, version: Version) -> Result<Row> {
        let kind = actions::kind_of(&version)?;
        let moment = |at: &crate::clock::Time| times::moment(*at, &self.viewer.time_zone);
        let (todo, attention) = match version.state {
            State::Draft => {
                match actions::missing(&version, &self.table(&version), &self.newest)?.iter().count() {
                    0 => ("Complete: submit it for review".into(), true),
                    1 => ("1 thing missing".into(), true),
                    n => (format!("{n} things missing"), true),
                }
            }
            State::InReview => {
                let obstacle = obstacle(&version, self.viewer, &self.answers, self.second_person)?;
                (obstacle.unwrap_or_else(|| "Waits for approval".into()), true)
            }
            State::Approved => {
                (version.problem.clone().unwrap_or_else(|| "Publish or schedule it".into()), true)
            }
            State::Scheduled => {
                let at = version.publish_at.as_ref().map(moment).unwrap_or_default();
                (format!("Published by itself on {at}"), false)
            }
            State::Published => match self.drifted(&version).as_slice() {
                [] if version.leaf_position.is_none() => ("Waits for the log to take it".into(), true),
                [] => (String::new(), false),
                changes => {
                    (format!("The register has changed since: {}", fields::changes_words(changes)), true)
                }
            },
            State::Superseded => (String::new(), false),
            State::Retracted => (version.retraction_reason.clone().unwrap_or_default(), false),
        };
        Ok(Row { version, kind, todo, attention })
    }

    fn waits_for_representatives(&self, version: &Version) -> bool {
        version.state == State::InReview && standing_answer(version, &self.answers).is_none()
    }
}

async fn desk<'a>(state: &AppState, viewer: &'a Viewer) -> Result<(Desk<'a>, Vec<Version>)> {
    let mut db = state.db.acquire().await?;
    let desk = Desk {
        viewer,
        newest: actions::coverable(&mut db).await?,
        departments: identity::list_departments(&mut db).await?,
        answers: store::list_answers(&mut db, None).await?,
        second_person: state.config.review_notices,
    };
    Ok((desk, store::list_all(&mut db).await?))
}

pub async fn list(FromState(state): FromState<AppState>, page: Page, viewer: Viewer) -> Result<Response> {
    let (desk, mut versions) = desk(&state, &viewer).await?;
    versions.retain(|v| may_see(&viewer, v, desk.answers.iter().any(|a| a.version_id == v.id)));
    // Superseded versions and what was set aside stand on their notice's page.
    versions.retain(|v| v.state != State::Superseded);
    versions.retain(|v| v.state != State::Retracted || v.published_at.is_some());
    versions.sort_by_key(|v| std::cmp::Reverse(v.updated_at));
    let mut take = |id, title, about, wanted: &dyn Fn(&Version) -> bool| -> Result<Group> {
        let rows = versions.extract_if(.., |v| wanted(v)).map(|v| desk.row(v)).collect::<Result<_>>()?;
        Ok(Group { id, title, about, rows })
    };
    let waits = |v: &Version| desk.waits_for_representatives(v);
    let mut groups = if viewer.has(Role::Publisher) {
        let unfinished = |v: &Version| v.state.is_unfinished();
        vec![take("work", "Being written", "Workers don’t see these yet.", &unfinished)?]
    } else {
        let other = |v: &Version| v.state.is_unfinished();
        vec![
            take("work", "Waiting for your answer", "Submitted by the employer; not published.", &waits)?,
            take("answered", "Answered, not published yet", "Workers don’t see these yet.", &other)?,
        ]
    };
    let published = |v: &Version| v.state == State::Published;
    groups.push(take("published", "Published", "In the log; nobody can change them unseen.", &published)?);
    groups.push(take("retracted", "Retracted", "They stay readable, with the reason.", &|_| true)?);
    groups.retain(|g| !g.rows.is_empty());
    html(&DeskPage { page, groups })
}

#[derive(Template)]
#[template(path = "notices/new.html")]
struct NewPage {
    page: Page,
    form: Form,
    kinds: &'static [Kind],
}

pub async fn new(page: Page) -> Result<Response> {
    html(&NewPage { page, form: Form::default(), kinds: Kind::all() })
}

pub async fn create(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    submitted: Submitted,
) -> Result<Response> {
    match actions::create(&state, &viewer, submitted.text("kind")).await {
        Ok(id) => Ok(see_other(&format!("/publishing/versions/{id}/edit"))),
        Err(Error::Invalid(errors)) => {
            let form = Form::with_errors(submitted, errors);
            html_with(StatusCode::UNPROCESSABLE_ENTITY, &NewPage { page, form, kinds: Kind::all() })
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "notices/notice.html")]
struct NoticePage {
    page: Page,
    form: Form,
    notice: Uuid,
    title: String,
    kind: &'static Kind,
    /// What is published now, or was until it was retracted.
    current: Option<Version>,
    /// What is being written.
    unfinished: Option<Version>,
    /// Newest first.
    history: Vec<Version>,
    drifted: Vec<Change>,
}

impl NoticePage {
    fn can_write(&self) -> bool {
        self.page.is_publisher() && self.unfinished.is_none() && self.current.is_some()
    }

    fn is_in_force(&self) -> bool {
        self.current.as_ref().is_some_and(|v| v.state == State::Published)
    }
}

async fn notice_page(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    id: Uuid,
    form: Form,
    status: StatusCode,
) -> Result<Response> {
    let (desk, mut versions) = desk(state, viewer).await?;
    versions.retain(|v| v.notice_id == id && may_see(viewer, v, false));
    let newest = versions.last().ok_or(Error::NotFound)?;
    let current = versions.iter().rfind(|v| matches!(v.state, State::Published | State::Retracted));
    let current = current.filter(|v| v.published_at.is_some()).cloned();
    let drifted = current.as_ref().filter(|v| v.state == State::Published);
    let shown = NoticePage {
        drifted: drifted.map(|v| desk.drifted(v)).unwrap_or_default(),
        notice: id,
        title: current.as_ref().unwrap_or(newest).title().into(),
        kind: actions::kind_of(newest)?,
        unfinished: versions.iter().find(|v| v.state.is_unfinished()).cloned(),
        current,
        history: versions.into_iter().rev().collect(),
        page,
        form,
    };
    html_with(status, &shown)
}

pub async fn notice(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    notice_page(&state, page, &viewer, id, Form::default(), StatusCode::OK).await
}

async fn begun(
    state: AppState,
    page: Page,
    viewer: Viewer,
    id: Uuid,
    submitted: Submitted,
    result: Result<Uuid>,
) -> Result<Response> {
    match result {
        Ok(draft) => Ok(see_other(&format!("/publishing/versions/{draft}/edit?done=notice-copied"))),
        Err(error) => {
            let (errors, status) = refused(error, "next-steps")?;
            notice_page(&state, page, &viewer, id, Form::with_errors(submitted, errors), status).await
        }
    }
}

pub async fn correct(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let result = actions::correct(&state, &viewer, id, submitted.text("correct_reason")).await;
    begun(state, page, viewer, id, submitted, result).await
}

pub async fn change(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let result = actions::change(&state, &viewer, id, submitted.text("change_reason")).await;
    begun(state, page, viewer, id, submitted, result).await
}
