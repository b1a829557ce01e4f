//! "Your choices": everything that somebody can decide, and what they can't, on one page; each with buttons that
//! act at once.

use std::collections::HashSet;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use super::actions::{self, Seen, Wish};
use super::card::{Board, Card};
use super::enforcement::{OVERDUE_SECONDS, Outcome};
use super::model::{Choice, GRACE_SECONDS};
use super::store::decisions::{self, Decision};
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::register::ChoiceMode;
use crate::web::page::{Undecided, html_with};
use crate::web::{Form, Page, Path, Role, Submitted, Viewer, forms, see_other};

pub struct Section {
    pub id: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    pub cards: Vec<Card>,
}

/// In the order of the page.
const SECTIONS: [(&str, &str, &str); 7] = [
    (
        "waiting",
        "Waiting for your answer",
        "You have not answered these, or something about them has changed. There is no hurry: without an answer each stays as it says.",
    ),
    ("opt-in", "Off until you say yes", ""),
    ("opt-out", "On until you say no", ""),
    (
        "objection",
        "On, and you can object",
        "Objecting needs a reason of your own. It stops at once, and your employer must answer.",
    ),
    (
        "training",
        "Training AI models",
        "What a model has learned can’t be taken out of it again, so these stand apart from everything else, and each is answered by itself.",
    ),
    (
        "mandatory",
        "What you cannot refuse",
        "There is no switch here, because there is no choice. Each says why.",
    ),
    (
        "not-told",
        "Declared, but off",
        "Your employer has declared these and no notice in force tells you of them, so nothing may be collected under them.",
    ),
];

const TRAINING: usize = 4;

fn section(card: &Card) -> usize {
    match card.case.mode {
        _ if card.is_training() => TRAINING,
        _ if !card.is_told() => 6,
        _ if card.is_open => 0,
        ChoiceMode::OptIn => 1,
        ChoiceMode::OptOut => 2,
        ChoiceMode::Objection => 3,
        ChoiceMode::Mandatory => 5,
    }
}

#[derive(Template)]
#[template(path = "consent/choices.html")]
struct ChoicesPage {
    page: Page,
    form: Form,
    sections: Vec<Section>,
    /// Answered by themselves.
    training_waits: usize,
    /// Several can be chosen at once.
    several: bool,
    former: Vec<Vec<Decision>>,
    grace: i64,
    overdue_minutes: i64,
}

impl ChoicesPage {
    /// What stands in the way of a card's buttons.
    fn error(&self, card: &Card) -> Option<&str> {
        self.form.errors().of(&anchor(card.id()))
    }
}

/// What a decision was about, as its record says it: the register may say something else now, or nothing.
fn about(decision: &Decision) -> String {
    let purpose = &decision.record["purposes"][0];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}, {}", text(&purpose["pii_information"][0]["description"]), text(&purpose["purpose"]))
}

/// Where a card stands on the page.
pub fn anchor(processing: Uuid) -> String {
    format!("c-{processing}")
}

/// What a browser says of its reader's languages.
pub fn accept(headers: &HeaderMap) -> &str {
    headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or("")
}

pub async fn list(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Response> {
    render(&state, page, &viewer, accept(&headers), Form::default(), StatusCode::OK).await
}

async fn render(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    accept: &str,
    form: Form,
    status: StatusCode,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let mut board = Board::load(&mut db, state, viewer.person_id, accept).await?;
    drop(db);
    let training_waits = board.cards.iter().filter(|c| c.is_training() && c.is_open).count();
    let several = board.cards.iter().filter(|c| super::several::is_among(c)).count() > 1;
    let mut sections: Vec<Section> =
        SECTIONS.iter().map(|(id, title, about)| Section { id, title, about, cards: Vec::new() }).collect();
    for card in board.cards.drain(..) {
        sections[section(&card)].cards.push(card);
    }
    sections.retain(|s| !s.cards.is_empty());
    let mut kinds = HashSet::new();
    for card in sections.iter_mut().flat_map(|s| &mut s.cards) {
        card.is_first_of_kind = kinds.insert(card.category());
    }
    let shown = ChoicesPage {
        page,
        form,
        sections,
        training_waits,
        several,
        former: board.former,
        grace: GRACE_SECONDS,
        overdue_minutes: OVERDUE_SECONDS / 60,
    };
    html_with(status, &shown)
}

/// Yes, no or later, as one of the card's buttons says.
pub async fn choose(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(processing): Path<Uuid>,
    headers: HeaderMap,
    form: Submitted,
) -> Result<Response> {
    let made = match parse(form.text("choice")) {
        Some((choice, done)) => {
            let seen = Seen { text: form.text("text"), language: form.text("language") };
            let done = if form.text("objection") == "yes" { "choice-taken-back" } else { done };
            actions::choose(&state, &viewer, Wish { processing, choice, seen }).await.map(|_| done)
        }
        None => Err(Error::invalid("choice", "Choose one of the buttons.")),
    };
    let error = match made {
        Ok(done) => return Ok(see_other(&format!("/me/choices?done={done}#{}", anchor(processing)))),
        Err(error) => error,
    };
    let (found, status) = forms::refused(error, "choice")?;
    let mut errors = FieldErrors::default();
    found.iter().for_each(|e| errors.add(anchor(processing), e.message.clone()));
    let form = Form::with_errors(form, errors);
    render(&state, page, &viewer, accept(&headers), form, status).await
}

/// What a button says, and the code of what is said afterwards.
pub fn parse(choice: &str) -> Option<(Choice<'static>, &'static str)> {
    match choice {
        "yes" => Some((Choice::Yes, "choice-yes")),
        "no" => Some((Choice::No, "choice-no")),
        "later" => Some((Choice::Later, "choice-later")),
        _ => None,
    }
}

/// How many choices wait for somebody: from memory, and only where some do one look at what was put off.
async fn undecided(state: &AppState, person: Uuid) -> Result<i64> {
    let now = state.clock.now();
    let asked = state.consent.read(|s| s.people.asked(&s.rules, person, now));
    if asked.is_empty() {
        return Ok(0);
    }
    let mut db = state.db.acquire().await?;
    let put_off = decisions::list_put_off(&mut db, person, &asked, now).await?;
    Ok(asked.len().saturating_sub(put_off.len()) as i64)
}

/// Counts what waits for the worker who asks for a page, for the navigation. A page without the number is better
/// than none.
pub async fn count_undecided(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_page =
        request.method() == Method::GET && !path.starts_with("/api") && !path.starts_with("/static");
    let worker = request.extensions().get::<Viewer>().filter(|v| v.has(Role::Worker)).map(|v| v.person_id);
    if let (true, Some(person)) = (is_page, worker)
        && let Ok(n) = undecided(&state, person).await
    {
        request.extensions_mut().insert(Undecided(n));
    }
    next.run(request).await
}
