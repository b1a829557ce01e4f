//! A file that is searched as it arrives. Its name isn't read, and nothing of it is kept.

use axum::extract::State;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::http::StatusCode;
use axum::response::Response;
use tokio::time::timeout_at;

use super::actions::Searching;
use super::pages;
use super::work::{LONGEST, Turn};
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::web::{Page, Submitted, see_other};

/// Bytes of a file, as sent.
pub const FILE_LIMIT: usize = 50 * 1024 * 1024;
pub const REQUEST_LIMIT: usize = FILE_LIMIT + 64 * 1024;

const TOO_LARGE: &str = "It is larger than 50 MiB. Search it on your own machine, with the command below.";

/// Characters of a label.
pub const LABEL_LENGTH: usize = 100;

/// Every search is at work for others.
pub fn busy() -> Error {
    let words =
        "Other searches take all there is. Try again in a minute, or use the command on your own machine.";
    Error::Rejected(StatusCode::SERVICE_UNAVAILABLE, words.into())
}

fn unreadable() -> Error {
    Error::Rejected(StatusCode::BAD_REQUEST, "This form could not be read.".into())
}

fn is_large(error: &MultipartError) -> bool {
    error.status() == StatusCode::PAYLOAD_TOO_LARGE
}

/// What is wrong with a label.
pub fn label_problem(label: &str) -> Option<&'static str> {
    match label.chars().count() {
        0 => Some("Give it a name, so that everybody knows what was searched."),
        n if n > LABEL_LENGTH => Some("Use at most 100 characters."),
        _ if label.contains(char::is_control) => Some("Use one line."),
        _ => None,
    }
}

async fn text(mut part: Field<'_>) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(|_| unreadable())? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > 4 * LABEL_LENGTH {
            return Err(unreadable());
        }
    }
    String::from_utf8(bytes).map_err(|_| unreadable())
}

/// What was sent, as far as it was read.
struct Taken {
    form: Submitted,
    file: Sent,
}

enum Sent {
    Nothing,
    TooLarge,
    Searched(Box<Searching>),
}

/// Reads the fields before the file; the file then streams by.
async fn take(state: &AppState, mut parts: Multipart) -> Result<Taken> {
    let mut form = Submitted::default();
    loop {
        let part = match parts.next_field().await {
            Ok(Some(part)) => part,
            Ok(None) => return Ok(Taken { form, file: Sent::Nothing }),
            Err(error) if is_large(&error) => return Ok(Taken { form, file: Sent::TooLarge }),
            Err(_) => return Err(unreadable()),
        };
        let name = part.name().unwrap_or("").to_owned();
        if name != "file" {
            form.set(&name, text(part).await?);
            continue;
        }
        if label_problem(form.text("label")).is_some() {
            return Ok(Taken { form, file: Sent::Nothing });
        }
        let file = feed(state, form.text("program"), part).await?;
        return Ok(Taken { form, file });
    }
}

async fn feed(state: &AppState, program: &str, mut part: Field<'_>) -> Result<Sent> {
    // A place is taken with the first bytes in hand: who sends none keeps nobody out.
    let mut next = match part.chunk().await {
        Ok(Some(chunk)) => chunk,
        Ok(None) => return Ok(Sent::Nothing),
        Err(_) => return Err(unreadable()),
    };
    let turn = Turn::wait(LONGEST).await.ok_or_else(busy)?;
    let mut searching = Searching::begin(state, turn, program).await?;
    let mut bytes = 0;
    loop {
        bytes += next.len();
        if bytes > FILE_LIMIT {
            return Ok(Sent::TooLarge);
        }
        if !searching.feed(next).await {
            break;
        }
        next = match timeout_at(searching.until(), part.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => break,
            Ok(Err(error)) if is_large(&error) => return Ok(Sent::TooLarge),
            Ok(Err(_)) => return Err(unreadable()),
            Err(_) => {
                searching.cut();
                break;
            }
        };
    }
    // A form without a file has an empty one.
    Ok(if bytes == 0 { Sent::Nothing } else { Sent::Searched(Box::new(searching)) })
}

pub async fn search(State(state): State<AppState>, page: Page, parts: Multipart) -> Result<Response> {
    let mut errors = FieldErrors::default();
    let taken = take(&state, parts).await?;
    if let Some(problem) = label_problem(taken.form.text("label")) {
        errors.add("label", problem);
    }
    let mut status = StatusCode::UNPROCESSABLE_ENTITY;
    match taken.file {
        Sent::Searched(searching) if searching.is_empty() => {
            errors.add("file", "There is no canary to look for yet.");
        }
        Sent::Searched(searching) if errors.is_empty() => {
            let id = searching.end(&state, taken.form.text("label"), "upload").await?;
            return Ok(see_other(&format!("/canaries/searches/{id}")));
        }
        Sent::TooLarge => {
            status = StatusCode::PAYLOAD_TOO_LARGE;
            errors.add("file", TOO_LARGE);
        }
        _ if errors.is_empty() => errors.add("file", "Choose a file."),
        _ => {}
    }
    pages::refused(&state, page, taken.form, errors, status).await
}
