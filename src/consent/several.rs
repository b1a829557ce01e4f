//! Several choices at once: each no counts in any case; the yeses all together, or not at all. Training AI is chosen by
//! itself.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use uuid::Uuid;

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

/// What was chosen of each: the processing, and what to say to it.
fn wishes<'a>(board: &Board, form: &'a Submitted) -> Result<Vec<(Uuid, Choice<'a>)>> {
    if form.text("do") == "no-to-all" {
        let refusable = board.cards.iter().filter(|c| is_among(c) && c.offer.no);
        return Ok(refusable.map(|c| (c.id(), Choice::No)).collect());
    }
    let mut list = Vec::new();
    // Whatever the form named: what isn't on the page any more may still be refused.
    for (name, value) in form.pairs().filter(|(_, value)| !matches!(*value, "" | "leave")) {
        let Some(id) = name.strip_prefix("choice-").and_then(|id| id.parse().ok()) else { continue };
        match parse(value) {
            Some((choice @ (Choice::Yes | Choice::No), _)) => list.push((id, choice)),
            _ => return Err(Error::invalid(name.to_owned(), "Choose yes, no, or to leave it as it is.")),
        }
    }
    Ok(list)
}

async fn make(state: &AppState, viewer: &Viewer, board: &Board, form: &Submitted) -> Result<()> {
    let wishes = wishes(board, form)?;
    if wishes.is_empty() {
        let words = match form.text("do") == "no-to-all" {
            true => "There is nothing left to refuse.",
            false => "Everything is left as it is: choose yes or no for at least one.",
        };
        let among = board.cards.iter().find(|c| is_among(c));
        return Err(Error::invalid(among.map_or_else(|| "main".to_owned(), field), words));
    }
    let texts: Vec<(String, String)> =
        wishes.iter().map(|(id, _)| (format!("text-{id}"), format!("language-{id}"))).collect();
    let said = |no: bool| -> Vec<Wish<'_>> {
        let pairs = wishes.iter().zip(&texts).filter(|((_, choice), _)| (*choice == Choice::No) == no);
        pairs
            .map(|((processing, choice), (text, language))| Wish {
                processing: *processing,
                choice: *choice,
                seen: Seen { text: form.text(text), language: form.text(language) },
            })
            .collect()
    };
    // A no waits for nothing, least of all for a yes that can't be given.
    let (noes, yeses) = (said(true), said(false));
    actions::choose_all(state, viewer, &noes).await?;
    actions::choose_all(state, viewer, &yeses).await.map(|_| ())
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
    errors.add(
        "main",
        "Each no that you said is saved. None of the yeses is: they count together, or not at all.",
    );
    errors
}
