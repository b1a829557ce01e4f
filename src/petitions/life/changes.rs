//! Two versions of a petition's text, or of an answer, side by side.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::reading::Reading;
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::notices::diff::{self, Change as DiffChange, Run, TextChange};
use crate::web::{Page, Path, Viewer, html};

#[derive(Deserialize)]
pub struct ChangesQuery {
    /// `answer` compares answers; else texts.
    of: Option<String>,
    from: Option<i32>,
    to: Option<i32>,
}

/// One part of the text, compared.
struct Part {
    name: &'static str,
    change: TextChange,
}

#[derive(Template)]
#[template(path = "petitions/changes.html")]
struct ChangesPage {
    page: Page,
    id: Uuid,
    title: String,
    of_answer: bool,
    from: i32,
    to: i32,
    /// Numbers that there are, the newest first.
    numbers: Vec<i32>,
    heading: Option<Vec<Run>>,
    parts: Vec<Part>,
    /// Whether both are those in the log.
    whole: bool,
}

/// A text with its number and whether it fits the log.
struct Text<'a> {
    number: i32,
    document: &'a serde_json::Value,
    whole: bool,
}

fn field<'a>(text: &Text<'a>, name: &str) -> &'a str {
    text.document[name].as_str().unwrap_or_default()
}

fn texts(it: &Reading, of_answer: bool) -> Vec<Text<'_>> {
    match of_answer {
        true => it
            .answers
            .iter()
            .map(|(a, fit)| Text { number: a.number, document: &a.document, whole: fit.is_whole() })
            .collect(),
        false => it
            .versions
            .iter()
            .map(|(v, fit)| Text { number: v.version, document: &v.document, whole: fit.is_whole() })
            .collect(),
    }
}

/// `?from=1&to=2`; without them, the newest and the one before it.
pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    Query(query): Query<ChangesQuery>,
) -> Result<Response> {
    let it = Reading::load(&mut *state.db.acquire().await?, &state, id).await?;
    if !it.may_read(&viewer) {
        return Err(Error::NotFound);
    }
    let of_answer = query.of.as_deref() == Some("answer");
    let all = texts(&it, of_answer);
    let find = |number: i32| all.iter().find(|t| t.number == number);
    let to = query.to.map_or(all.first(), find).ok_or(Error::NotFound)?;
    let from = find(query.from.unwrap_or(to.number - 1)).ok_or(Error::NotFound)?;
    let names: &[(&str, &str)] = match of_answer {
        true => &[("text", "The answer")],
        false => &[("demand", "What is asked for"), ("background", "Background")],
    };
    let parts = names
        .iter()
        .map(|(id, name)| Part { name, change: diff::texts(field(from, id), field(to, id)) })
        .filter(|part| !part.change.is_empty())
        .collect();
    let (old, new) = (field(from, "title"), field(to, "title"));
    html(&ChangesPage {
        page,
        id,
        of_answer,
        from: from.number,
        to: to.number,
        numbers: all.iter().map(|t| t.number).collect(),
        heading: (old != new).then(|| diff::words(old, new)),
        parts,
        whole: from.whole && to.whole,
        title: it.document.title.clone(),
    })
}
