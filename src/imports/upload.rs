//! The upload: read into memory, counted, dropped. Nothing of it comes to a disk or a log.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::tz::TimeZone;
use tokio::sync::Semaphore;

use super::UPLOADERS;
use super::actions::{self, Uploaded};
use super::csv_file::{Choice, Refusal};
use super::formats::Format;
use super::pages;
use super::when::Reading;
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::register::Category;
use crate::web::page::html_with;
use crate::web::{Form, Page, Submitted, Viewer, see_other};

/// Bytes of a file.
const FILE_LIMIT: usize = 20 * 1024 * 1024;
/// The whole request: the file and the form around it.
pub const REQUEST_LIMIT: usize = FILE_LIMIT + 64 * 1024;
/// Characters of a field of the form.
const FIELD_LIMIT: usize = 200;

const TOO_LARGE: &str = "The file is larger than 20 MiB. Export fewer days at a time.";

/// Files that are in memory at a time: nobody's upload may take it all. For each role its own, so that HR, with uploads
/// that send nothing, can't keep representatives out.
static READERS: [Semaphore; 2] = [Semaphore::const_new(2), Semaphore::const_new(2)];

fn readers(viewer: &Viewer) -> Result<&'static Semaphore> {
    let place = UPLOADERS.iter().position(|role| viewer.has(*role)).ok_or(Error::Forbidden)?;
    READERS.get(place).ok_or(Error::Forbidden)
}

/// The columns' form, after a file in which they weren't found.
#[derive(Template)]
#[template(path = "imports/refused.html")]
struct RefusedPage {
    page: Page,
    form: Form,
    formats: Vec<(String, String)>,
    columns: Vec<(String, String)>,
    categories: Vec<(String, String)>,
    zone: String,
}

fn unreadable() -> Error {
    Error::Rejected(StatusCode::BAD_REQUEST, "This form could not be read.".into())
}

enum Received {
    All(Submitted, Vec<u8>),
    /// With what was typed, as far as it was sent before the file.
    TooLarge(Submitted),
}

async fn receive(mut parts: Multipart) -> Result<Received> {
    let (mut fields, mut file) = (BTreeMap::new(), Vec::new());
    let large = |fields: BTreeMap<String, String>| Ok(Received::TooLarge(fields.into_iter().collect()));
    let is_large = |error: &MultipartError| error.status() == StatusCode::PAYLOAD_TOO_LARGE;
    loop {
        let mut part = match parts.next_field().await {
            Ok(Some(part)) => part,
            Ok(None) => break,
            Err(error) if is_large(&error) => return large(fields),
            Err(_) => return Err(unreadable()),
        };
        let name = part.name().unwrap_or("").to_owned();
        let mut bytes: Vec<u8> = Vec::new();
        let limit = if name == "file" { FILE_LIMIT } else { FIELD_LIMIT };
        loop {
            match part.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= limit => bytes.extend_from_slice(&chunk),
                Ok(Some(_)) if name == "file" => return large(fields),
                Ok(Some(_)) => return Err(unreadable()),
                Ok(None) => break,
                Err(error) if is_large(&error) => return large(fields),
                Err(_) => return Err(unreadable()),
            }
        }
        match name.as_str() {
            "file" => file = bytes,
            _ => {
                let text = String::from_utf8(bytes).map_err(|_| unreadable())?;
                fields.insert(name, text.replace('\0', ""));
            }
        }
    }
    Ok(Received::All(fields.into_iter().collect(), file))
}

fn column(form: &Submitted, name: &str) -> Option<usize> {
    form.text(name).parse().ok().filter(|n| (1..=1000).contains(n))
}

fn choice(form: &Submitted) -> Choice {
    let what = column(form, "what").zip(Category::parse(form.text("category")));
    Choice { who: column(form, "who"), when: column(form, "when"), what }
}

/// Reads the file and keeps its counts for an hour.
pub async fn dry_run(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    parts: Multipart,
) -> Result<Response> {
    let Ok(_turn) = readers(&viewer)?.acquire().await else { return Err(Error::NotFound) };
    let (form, file) = match receive(parts).await? {
        Received::All(form, file) => (form, file),
        Received::TooLarge(form) => {
            let columns = ["who", "when", "what"].iter().filter_map(|name| column(&form, name)).max();
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return refused(page, &state, form, columns.unwrap_or(0), status, TOO_LARGE);
        }
    };
    match actions::check_rate(&state, &viewer).await {
        Ok(()) => {}
        Err(Error::Rejected(status, words)) => return refused(page, &state, form, 0, status, &words),
        Err(error) => return Err(error),
    }
    let invalid = StatusCode::UNPROCESSABLE_ENTITY;
    let Some(format) = Format::parse(form.text("format")) else {
        return refused(page, &state, form, 0, invalid, "Choose which export it is, then the file.");
    };
    if file.is_empty() {
        return refused(page, &state, form, 0, invalid, "Choose a file.");
    }
    let zone = match form.optional("zone") {
        Some(name) => TimeZone::get(name).unwrap_or_else(|_| state.config.time_zone.clone()),
        None => state.config.time_zone.clone(),
    };
    let reading = Reading { zone, month_first: form.text("order") != "day" };
    let uploaded = Uploaded { format, file, choice: choice(&form), reading };
    match actions::prepare(&state, &viewer, uploaded).await? {
        Ok(id) => Ok(see_other(&format!("/imports/{id}"))),
        Err(Refusal::Words(words)) => refused(page, &state, form, 0, invalid, &words),
        Err(Refusal::Unmapped(columns)) => {
            let words = "Daylight doesn’t know which columns say who, when and what. Choose them below, and the file again: it was not kept.";
            refused(page, &state, form, columns, invalid, words)
        }
    }
}

fn refused(
    page: Page,
    state: &AppState,
    form: Submitted,
    columns: usize,
    status: StatusCode,
    words: &str,
) -> Result<Response> {
    let mut errors = FieldErrors::default();
    errors.add("file", words.to_owned());
    let zone = state.config.time_zone.iana_name().unwrap_or("UTC").to_owned();
    let form = Form::with_errors(form, errors);
    let (columns, categories) = pages::column_options(columns, &[]);
    html_with(
        status,
        &RefusedPage { page, form, formats: pages::format_options(), columns, categories, zone },
    )
}
