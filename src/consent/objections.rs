//! Objections, for those who answer them and those who oversee that: what is objected to and why, and by when an
//! answer is due. Who objected is shown to HR alone, and only where they gave their name.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::actions::objections::{midnight, record_read, zone};
use super::actions::{self, Reply};
use super::store::objections::{self as store, AnsweredObjection, Look, OpenObjection};
use crate::app::AppState;
use crate::clock::Day;
use crate::error::{Error, FieldErrors, Result};
use crate::register;
use crate::web::forms::{confirmed, refused};
use crate::web::page::html_with;
use crate::web::{Form, Page, Pager, Path, Role, Submitted, Viewer, html, see_other};

const A_PAGE: i64 = 20;

/// Names of processings.
type Names = HashMap<Uuid, String>;

#[derive(Template)]
#[template(path = "consent/objections.html")]
struct ListPage {
    page: Page,
    today: Day,
    open: Vec<OpenObjection>,
    answered: Vec<AnsweredObjection>,
    pager: Pager,
    names: Names,
    /// Of this processing alone.
    only: Option<Uuid>,
}

#[derive(Template)]
#[template(path = "consent/objection.html")]
struct ShowPage {
    page: Page,
    form: Form,
    today: Day,
    objection: OpenObjection,
    name: String,
    replies: Vec<(String, String)>,
    confirm: Vec<(String, String)>,
}

impl ListPage {
    fn name(&self, processing: &Uuid) -> &str {
        name(&self.names, *processing)
    }

    fn overdue(&self) -> usize {
        self.open.iter().filter(|o| o.is_overdue(self.today)).count()
    }
}

impl OpenObjection {
    fn is_overdue(&self, today: Day) -> bool {
        self.due < today
    }

    /// Who objected, as far as they said.
    fn by(&self) -> String {
        by(self.name.as_deref(), self.department.as_deref())
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        lines(&self.reason)
    }
}

impl AnsweredObjection {
    fn by(&self) -> String {
        by(self.name.as_deref(), self.department.as_deref())
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        lines(&self.objection)
    }

    fn answer_lines(&self) -> impl Iterator<Item = &str> {
        lines(&self.answer)
    }
}

fn name(names: &Names, processing: Uuid) -> &str {
    names.get(&processing).map_or("Something no longer declared", String::as_str)
}

fn by(name: Option<&str>, department: Option<&str>) -> String {
    match (name, department) {
        (Some(name), Some(department)) => format!("{name}, {department}"),
        (Some(name), None) => name.into(),
        (None, _) => "A colleague".into(),
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|l| !l.is_empty())
}

async fn names(db: &mut PgConnection) -> Result<Names> {
    let newest = register::store::list_newest(db).await?;
    Ok(newest.into_iter().map(|(r, _)| (r.processing_id, super::name(&r.content))).collect())
}

/// What this viewer may see; representatives aren't shown names, which were given to those who answer.
fn look<'a>(state: &'a AppState, page: &Page, viewer: &Viewer) -> Look<'a> {
    let (midnight, zone) = (midnight(state), zone(state));
    Look { viewer: viewer.person_id, answers: page.is_publisher(), midnight, zone }
}

#[derive(Deserialize)]
pub struct ListQuery {
    processing: Option<String>,
    page: Option<String>,
}

pub async fn list(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    let role = viewer.acting_as(&[Role::Publisher, Role::Representative]).ok_or(Error::Forbidden)?;
    let only: Option<Uuid> = query.processing.as_deref().and_then(|id| id.parse().ok());
    let look = look(&state, &page, &viewer);
    let mut tx = state.db.begin().await?;
    let open = store::list_open(&mut tx, look, only).await?;
    let total = store::count_answered(&mut tx, only).await?;
    let base = only.map_or("/objections?".into(), |id| format!("/objections?processing={id}&"));
    let pager = Pager::new(query.page.as_deref(), A_PAGE, total, base);
    let answered = store::list_answered(&mut tx, look, only, pager.offset(), pager.limit()).await?;
    let names = names(&mut tx).await?;
    let read: Vec<Uuid> = open.iter().map(|o| o.id).chain(answered.iter().map(|a| a.objection_id)).collect();
    record_read(&mut tx, &state, &viewer, role, &read).await?;
    tx.commit().await?;
    let today = page.now.day(&state.config.time_zone);
    html(&ListPage { page, today, open, answered, pager, names, only })
}

pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let role = viewer.acting_as(&[Role::Publisher, Role::Representative]).ok_or(Error::Forbidden)?;
    let mut tx = state.db.begin().await?;
    let found = store::find(&mut tx, look(&state, &page, &viewer), id, false).await?;
    let objection = found.ok_or(Error::NotFound)?;
    record_read(&mut tx, &state, &viewer, role, &[id]).await?;
    tx.commit().await?;
    render(&state, page, objection, Form::default(), StatusCode::OK).await
}

async fn render(
    state: &AppState,
    page: Page,
    objection: OpenObjection,
    form: Form,
    status: StatusCode,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let names = names(&mut db).await?;
    drop(db);
    let name = name(&names, objection.processing_id).to_owned();
    let today = page.now.day(&state.config.time_zone);
    let pair = |id: &str, words: &str| (id.to_owned(), words.to_owned());
    let replies = vec![
        pair("", "Choose…"),
        pair("uphold", "Uphold it: this stops for them"),
        pair("override", "Override it: this goes on"),
    ];
    let confirm = vec![pair("yes", "These grounds are compelling, and weigh more than theirs")];
    html_with(status, &ShowPage { page, form, today, objection, name, replies, confirm })
}

pub async fn answer(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    // One that can't be seen yet can't be answered yet.
    let mut db = state.db.acquire().await?;
    let found = store::find(&mut db, look(&state, &page, &viewer), id, true).await?;
    drop(db);
    let objection = found.ok_or(Error::NotFound)?;
    let answered = match reply(&submitted) {
        Ok(reply) => actions::answer(&state, &viewer, id, reply, submitted.text("reason")).await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(()) => Ok(see_other("/objections?done=objection-answered")),
        Err(error) => {
            let (errors, status) = refused(error, "answer")?;
            render(&state, page, objection, Form::with_errors(submitted, errors), status).await
        }
    }
}

/// What was chosen; an override must say its grounds and be confirmed.
fn reply(submitted: &Submitted) -> Result<Reply> {
    let mut errors = FieldErrors::default();
    let reply = match submitted.text("reply") {
        "uphold" => Some(Reply::Upheld),
        "override" => Some(Reply::Overridden),
        _ => {
            errors.add("reply", "Choose whether it stops for them or goes on.");
            None
        }
    };
    if submitted.text("reason").is_empty() {
        errors.add(
            "reason",
            match reply {
                Some(Reply::Overridden) => "Say which compelling legitimate grounds override theirs.",
                _ => "Say why, in words they will understand.",
            },
        );
    }
    if reply == Some(Reply::Overridden)
        && let Err(Error::Invalid(unconfirmed)) = confirmed(submitted, "override_confirm")
    {
        unconfirmed.iter().for_each(|e| errors.add(e.field.clone(), e.message.clone()));
    }
    match reply {
        Some(reply) if errors.is_empty() => Ok(reply),
        _ => Err(Error::Invalid(errors)),
    }
}
