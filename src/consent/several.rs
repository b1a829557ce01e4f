//! Several choices at once: all of them count, or none. Training AI is chosen by itself.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::actions::{self, Seen, Wish};
use super::card::{Board, Card};
use super::choices::{accept, parse};
use super::model::Choice;
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::web::page::html_with;
use crate::web::{Form, Page, Submitted, Viewer, forms, see_other};

#[derive(Template)]
#[template(path = "consent/several.html")]
struct SeveralPage {
    page: Page,
    form: Form,
    cards: Vec<Card>,
    training: usize,
}

/// Whether a card's choice stands on this page.
pub fn is_among(card: &Card) -> bool {
    card.chooses() && !card.is_training() && (card.offer.yes || card.offer.no)
}

/// The name of a choice's field.
fn field(card: &Card) -> String {
    format!("choice-{}", card.id())
}

impl SeveralPage {
    fn chosen(&self, card: &Card) -> &str {
        self.form.value(&field(card))
    }

    fn error(&self, card: &Card) -> Option<&str> {
        self.form.errors().of(&field(card))
    }

    fn can_refuse(&self) -> bool {
        self.cards.iter().any(|c| c.offer.no)
    }
}

pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Response> {
    let board = load(&state, &viewer, &headers).await?;
    render(page, board, Form::default(), StatusCode::OK)
}

async fn load(state: &AppState, viewer: &Viewer, headers: &HeaderMap) -> Result<Board> {
    let mut db = state.db.acquire().await?;
    Board::load(&mut db, state, viewer.person_id, accept(headers)).await
}

fn render(page: Page, board: Board, form: Form, status: StatusCode) -> Result<Response> {
    let training = board.cards.iter().filter(|c| c.is_training()).count();
    let cards = board.cards.into_iter().filter(is_among).collect();
    html_with(status, &SeveralPage { page, form, cards, training })
}

pub async fn choose(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    headers: HeaderMap,
    form: Submitted,
) -> Result<Response> {
    let board = load(&state, &viewer, &headers).await?;
    let error = match make(&state, &viewer, &board, &form).await {
        Ok(()) => return Ok(see_other("/me/choices?done=choices-saved")),
        Err(error) => error,
    };
    let (mut errors, status) = forms::refused(error, "main")?;
    if status == StatusCode::CONFLICT {
        errors = conflicts(&board, &form, errors);
    }
    // As things are now: something may have changed while this was answered.
    let board = load(&state, &viewer, &headers).await?;
    render(page, board, Form::with_errors(form, errors), status)
}

async fn make(state: &AppState, viewer: &Viewer, board: &Board, form: &Submitted) -> Result<()> {
    let all_no = form.text("do") == "no-to-all";
    let among: Vec<(&Card, String)> =
        board.cards.iter().filter(|c| is_among(c)).map(|c| (c, field(c))).collect();
    let texts: Vec<String> = among.iter().map(|(c, _)| format!("text-{}", c.id())).collect();
    let languages: Vec<String> = among.iter().map(|(c, _)| format!("language-{}", c.id())).collect();
    let mut wishes = Vec::new();
    for (i, (card, name)) in among.iter().enumerate() {
        let choice = match form.text(name) {
            _ if all_no && card.offer.no => Choice::No,
            _ if all_no => continue,
            "" | "leave" => continue,
            other => match parse(other) {
                Some((choice @ (Choice::Yes | Choice::No), _)) => choice,
                _ => return Err(Error::invalid(name.clone(), "Choose yes, no, or to leave it as it is.")),
            },
        };
        let seen = Seen { text: form.text(&texts[i]), language: form.text(&languages[i]) };
        wishes.push(Wish { processing: card.id(), choice, seen });
    }
    if wishes.is_empty() {
        let words = match all_no {
            true => "There is nothing left to refuse.",
            false => "Everything is left as it is: choose yes or no for at least one.",
        };
        let field = among.first().map_or_else(|| "main".to_owned(), |(_, name)| name.clone());
        return Err(Error::invalid(field, words));
    }
    actions::choose_all(state, viewer, &wishes).await.map(|_| ())
}

/// Says which of them stands in the way, where that can be told.
fn conflicts(board: &Board, form: &Submitted, found: FieldErrors) -> FieldErrors {
    let mut errors = FieldErrors::default();
    for card in board.cards.iter().filter(|c| is_among(c)) {
        let text = card.words.as_ref().map_or("", |w| w.sha256.as_str());
        if form.text(&field(card)) == "yes" && form.text(&format!("text-{}", card.id())) != text {
            let words = format!("{}: what this is about has changed meanwhile. Read it again.", card.name());
            errors.add(field(card), words);
        }
    }
    if errors.is_empty() {
        errors = found;
    }
    errors.add("main", "Nothing was changed: several choices count together, or not at all.");
    errors
}
