//! The representatives' desk: what waits for their check, and the check itself.

use askama::Template;
use axum::extract::State as FromState;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::actions::{self, Refusal};
use super::integrity::Fit;
use super::model::{Document, State, lines};
use super::reading::Reading;
use super::store::{self, lists};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::notices::markdown;
use crate::petitions::model::{CHECKING_DAYS, REFUSALS};
use crate::web::forms::{confirmed, refused};
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Submitted, Viewer, html, see_other};

struct Waiting {
    id: Uuid,
    title: String,
    days: i64,
    opens_at: Option<Time>,
}

#[derive(Template)]
#[template(path = "petitions/desk.html")]
struct DeskPage {
    page: Page,
    waiting: Vec<Waiting>,
    checking_days: i64,
}

#[derive(Template)]
#[template(path = "petitions/check.html")]
struct CheckPage {
    page: Page,
    form: Form,
    it: Reading,
    demand: Vec<String>,
    background: String,
    fit: Fit,
    opens_at: Option<Time>,
    /// What opening now would fix; the words say why it can't.
    terms: Result<(i32, Time), String>,
    codes: Vec<(String, String)>,
    confirm: Vec<(String, String)>,
}

/// What waits, the oldest first.
pub async fn list(FromState(state): FromState<AppState>, page: Page) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let mut waiting = Vec::new();
    for id in lists::list_checking(&mut db).await? {
        let Some(row) = store::find(&mut db, id).await? else { continue };
        let versions = store::list_versions(&mut db, id).await?;
        let title = versions.first().map(|v| Document::read(&v.document).title).unwrap_or_default();
        let days = row.checking_since.map_or(0, |at| page.now.seconds_since(at) / 86_400);
        let opens_at = row.checking_since.map(|at| at.plus_days(CHECKING_DAYS));
        waiting.push(Waiting { id, title, days, opens_at });
    }
    drop(db);
    html(&DeskPage { page, waiting, checking_days: CHECKING_DAYS })
}

async fn render(state: &AppState, page: Page, id: Uuid, form: Form, status: StatusCode) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let it = Reading::load(&mut db, state, id).await?;
    if it.row.state() != State::Checking {
        return Ok(see_other(&format!("/petitions/{id}")));
    }
    let terms = match actions::terms(&mut db, &it.row, page.now).await {
        Err(Error::Conflict(words)) => Err(words.into_owned()),
        other => Ok(other?),
    };
    drop(db);
    let mut codes = vec![(String::new(), "Choose…".to_owned())];
    codes.extend(REFUSALS.iter().map(|(code, words)| ((*code).to_owned(), (*words).to_owned())));
    let shown = CheckPage {
        page,
        form,
        demand: lines(&it.document.demand).into_iter().map(Into::into).collect(),
        background: markdown::render(&it.document.background),
        fit: it.fit(),
        opens_at: it.row.checking_since.map(|at| at.plus_days(CHECKING_DAYS)),
        terms,
        codes,
        confirm: vec![("yes".into(), "I have read it against the rules".into())],
        it,
    };
    html_with(status, &shown)
}

pub async fn show(
    FromState(state): FromState<AppState>,
    page: Page,
    _: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    render(&state, page, id, Form::default(), StatusCode::OK).await
}

/// `outcome` is `open` or `refuse`.
pub async fn check(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let (done, to) = match submitted.text("outcome") {
        "open" => (open(&state, &viewer, id, &submitted).await, "petition-opened"),
        "refuse" => (refuse(&state, &viewer, id, &submitted).await, "petition-refused"),
        _ => (Err(Error::invalid("code", "Open it, or refuse it.")), ""),
    };
    match done {
        Ok(()) => Ok(see_other(&format!("/petitions/{id}?done={to}"))),
        Err(error) => {
            let (errors, status) = refused(error, "open_confirm")?;
            render(&state, page, id, Form::with_errors(submitted, errors), status).await
        }
    }
}

async fn open(state: &AppState, viewer: &Viewer, id: Uuid, submitted: &Submitted) -> Result<()> {
    confirmed(submitted, "open_confirm")?;
    actions::open(state, viewer, id).await
}

async fn refuse(state: &AppState, viewer: &Viewer, id: Uuid, submitted: &Submitted) -> Result<()> {
    confirmed(submitted, "refuse_confirm")?;
    let refusal = Refusal { code: submitted.text("code"), words: submitted.text("words") };
    actions::refuse(state, viewer, id, refusal).await
}
