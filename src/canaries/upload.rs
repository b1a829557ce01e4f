//! A file that is searched as it arrives. Its name isn't read, and nothing of it is kept.

use axum::extract::State;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::http::StatusCode;
use axum::response::Response;
use tokio::sync::Semaphore;

use super::actions::Searching;
use super::pages;
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::web::{Page, Submitted, see_other};

/// Bytes of a file, as sent.
pub const FILE_LIMIT: usize = 50 * 1024 * 1024;
pub const REQUEST_LIMIT: usize = FILE_LIMIT + 64 * 1024;

/// Characters of a label.
pub const LABEL_LENGTH: usize = 100;

/// Searches take the processor for themselves: a few at a time.
pub static SEARCHES: Semaphore = Semaphore::const_new(2);

enum Refused {
    TooLarge,
    Unreadable,
}

impl From<MultipartError> for Refused {
    fn from(error: MultipartError) -> Self {
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refused::TooLarge,
            _ => Refused::Unreadable,
        }
    }
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

async fn text(mut part: Field<'_>) -> Result<String, Refused> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > 4 * LABEL_LENGTH {
            return Err(Refused::Unreadable);
        }
    }
    String::from_utf8(bytes).map_err(|_| Refused::Unreadable)
}

/// Reads the fields before the file; the file then streams by.
async fn take(state: &AppState, mut parts: Multipart) -> Result<Result<Taken, Refused>> {
    let mut form = Submitted::default();
    loop {
        let part = match parts.next_field().await {
            Ok(Some(part)) => part,
            Ok(None) => return Ok(Ok(Taken { form, searching: None })),
            Err(error) => return Ok(Err(error.into())),
        };
        let name = part.name().unwrap_or("").to_owned();
        if name != "file" {
            match text(part).await {
                Ok(value) => form.set(&name, value),
                Err(refused) => return Ok(Err(refused)),
            }
            continue;
        }
        if label_problem(form.text("label")).is_some() {
            return Ok(Ok(Taken { form, searching: None }));
        }
        let mut searching = Searching::begin(state, form.text("program")).await?;
        return Ok(match feed(part, &mut searching).await {
            Ok(0) => Ok(Taken { form, searching: None }),
            Ok(_) => Ok(Taken { form, searching: Some(searching) }),
            Err(refused) => Err(refused),
        });
    }
}

struct Taken {
    form: Submitted,
    /// `None` without a file.
    searching: Option<Searching>,
}

async fn feed(mut part: Field<'_>, searching: &mut Searching) -> Result<usize, Refused> {
    let mut bytes = 0;
    while let Some(chunk) = part.chunk().await? {
        bytes += chunk.len();
        if bytes > FILE_LIMIT {
            return Err(Refused::TooLarge);
        }
        searching.feed(&chunk);
        // Others are answered in between.
        tokio::task::yield_now().await;
    }
    Ok(bytes)
}

pub async fn search(State(state): State<AppState>, page: Page, parts: Multipart) -> Result<Response> {
    let Ok(_turn) = SEARCHES.acquire().await else { return Err(Error::NotFound) };
    let mut errors = FieldErrors::default();
    let taken = match take(&state, parts).await? {
        Ok(taken) => taken,
        Err(Refused::TooLarge) => {
            errors.add(
                "file",
                "It is larger than 50 MiB. Search it on your own machine, with the command below.",
            );
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return pages::refused(&state, page, Submitted::default(), errors, status).await;
        }
        Err(Refused::Unreadable) => {
            return Err(Error::Rejected(StatusCode::BAD_REQUEST, "This form could not be read.".into()));
        }
    };
    if let Some(problem) = label_problem(taken.form.text("label")) {
        errors.add("label", problem);
    }
    match taken.searching {
        Some(searching) if searching.is_empty() => errors.add("file", "There is no canary to look for yet."),
        Some(searching) if errors.is_empty() => {
            let id = searching.end(&state, taken.form.text("label"), "upload").await?;
            return Ok(see_other(&format!("/canaries/searches/{id}")));
        }
        _ if errors.is_empty() => errors.add("file", "Choose a file."),
        _ => {}
    }
    pages::refused(&state, page, taken.form, errors, StatusCode::UNPROCESSABLE_ENTITY).await
}
