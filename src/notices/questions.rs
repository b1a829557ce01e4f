//! Questions: asked on a notice's page, answered by HR there, and all of them on one page with their age.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::tz::TimeZone;
use sqlx::PgConnection;
use uuid::Uuid;

use super::actions::ask::{self, Question};
use super::answer::refused;
use super::model::Number;
use super::store::questions::{self as store, QuestionRow};
use super::store::reading;
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, FieldErrors, Result};
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Role, Submitted, Viewer, see_other};

/// A question as its reader sees it.
pub struct Asked {
    pub row: QuestionRow,
    /// The field's name in the form that answers it.
    pub field: String,
}

impl Asked {
    pub async fn load(db: &mut PgConnection, viewer: &Viewer, notice: Option<Uuid>) -> Result<Vec<Self>> {
        let publisher = viewer.has(Role::Publisher);
        let rows = store::list_questions(db, viewer.person_id, publisher, notice).await?;
        Ok(rows.into_iter().map(|row| Asked { field: format!("answer-{}", row.id), row }).collect())
    }

    pub fn is_waiting(&self) -> bool {
        self.row.answer.is_none() && self.row.text.is_some()
    }

    /// Who asked, as far as they said.
    pub fn by(&self) -> String {
        match (&self.row.name, self.row.own) {
            (Some(name), true) => format!("You, as {name}"),
            (None, true) => "You, without your name".into(),
            (Some(name), false) => name.clone(),
            (None, false) => "A colleague".into(),
        }
    }

    /// The day is all that is known of when it was asked.
    pub fn ago(&self, now: &Time) -> String {
        match now.day(&TimeZone::UTC).days_since(self.row.asked_on) {
            ..=0 => "today".into(),
            1 => "1 day ago".into(),
            days => format!("{days} days ago"),
        }
    }

    pub fn number(&self) -> Number {
        Number { major: self.row.major, minor: self.row.minor }
    }

    pub fn lines(&self) -> impl Iterator<Item = &str> {
        lines(self.row.text.as_deref())
    }

    /// Its beginning, for a list.
    pub fn short(&self) -> String {
        let text = self.row.text.as_deref().unwrap_or_default();
        match text.char_indices().nth(120) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        }
    }

    pub fn answer_lines(&self) -> impl Iterator<Item = &str> {
        lines(self.row.answer.as_deref())
    }

    pub fn role(&self) -> &'static str {
        self.row.answered_by_role.as_deref().and_then(|r| r.parse().ok()).map_or("HR", Role::words)
    }
}

fn lines(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().lines().map(str::trim).filter(|l| !l.is_empty())
}

pub async fn ask(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(notice): Path<Uuid>,
    headers: HeaderMap,
    form: Submitted,
) -> Result<Response> {
    let question = Question {
        version: form.text("version_id").parse().unwrap_or_default(),
        text: form.text("question"),
        public: form.text("who") == "everybody",
        named: form.text("name") == "yes",
    };
    let asked = match form.text("who") {
        "everybody" | "hr" => ask::ask(&state, &viewer, notice, question).await,
        _ => Err(Error::invalid("who", "Choose who can read it.")),
    };
    match asked {
        Ok(id) => Ok(see_other(&format!("/notices/{notice}?done=asked#question-{id}"))),
        Err(error) => refused(&state, page, &viewer, notice, &headers, form, error).await,
    }
}

pub async fn withdraw(
    State(state): State<AppState>,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let notice = ask::withdraw(&state, &viewer, id).await?;
    Ok(see_other(&format!("/notices/{notice}?done=question-withdrawn#questions")))
}

pub async fn answer(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    form: Submitted,
) -> Result<Response> {
    match ask::answer(&state, &viewer, id, form.text(&format!("answer-{id}"))).await {
        Ok(_) => Ok(see_other("/notices/questions?done=question-answered")),
        Err(Error::Invalid(errors)) => {
            render(&state, page, &viewer, Form::with_errors(form, errors), StatusCode::UNPROCESSABLE_ENTITY)
                .await
        }
        Err(Error::Conflict(words)) => {
            let mut errors = FieldErrors::default();
            errors.add("questions", words);
            render(&state, page, &viewer, Form::with_errors(form, errors), StatusCode::CONFLICT).await
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "notices/questions.html")]
struct QuestionsPage {
    page: Page,
    form: Form,
    questions: Vec<Asked>,
    titles: HashMap<Uuid, String>,
    waiting: usize,
}

impl QuestionsPage {
    fn title(&self, notice: &Uuid) -> &str {
        self.titles.get(notice).map_or("A notice", String::as_str)
    }
}

pub async fn list(State(state): State<AppState>, page: Page, viewer: Viewer) -> Result<Response> {
    render(&state, page, &viewer, Form::default(), StatusCode::OK).await
}

async fn render(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    form: Form,
    status: StatusCode,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let questions = Asked::load(&mut db, viewer, None).await?;
    let heads = reading::list_heads(&mut db, None).await?;
    let newest: Vec<_> = heads.chunk_by(|a, b| a.notice_id == b.notice_id).map(|all| &all[0]).collect();
    let ids: Vec<Uuid> = newest.iter().map(|h| h.version_id).collect();
    let rows = reading::list_titles(&mut db, &ids).await?;
    drop(db);
    let title = |version: Uuid| {
        let mut own = rows.iter().filter(|t| t.version_id == version);
        own.clone().find(|t| t.language == "en").or_else(|| own.next()).map(|t| t.title.clone())
    };
    let titles = newest.iter().map(|h| (h.notice_id, title(h.version_id).unwrap_or_default())).collect();
    let waiting = questions.iter().filter(|q| q.is_waiting()).count();
    html_with(status, &QuestionsPage { page, form, questions, titles, waiting })
}
