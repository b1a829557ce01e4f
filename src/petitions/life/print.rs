//! A sheet to print and hang up, with a code that leads to the petition.

use askama::Template;
use axum::extract::State as FromState;
use axum::response::Response;
use uuid::Uuid;

use super::integrity::Fit;
use super::model::{State, lines};
use super::reading::Reading;
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::notices::{Code, markdown, qr_code};
use crate::web::{Page, Path, Viewer, html};

#[derive(Template)]
#[template(path = "petitions/print.html")]
struct PrintPage {
    page: Page,
    id: Uuid,
    title: String,
    demand: Vec<String>,
    background: String,
    standing: &'static str,
    /// Until when it can be signed; none when it can't.
    until: Option<Time>,
    fit: Fit,
    position: Option<i64>,
    address: String,
    code: Option<Code>,
}

pub async fn show(
    FromState(state): FromState<AppState>,
    page: Page,
    _: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let it = Reading::load(&mut *state.db.acquire().await?, &state, id).await?;
    if it.row.state() == State::Refused {
        return Err(Error::NotFound);
    }
    let address = format!("{}/petitions/{id}", state.config.base_url);
    html(&PrintPage {
        page,
        id,
        demand: lines(&it.document.demand).into_iter().map(Into::into).collect(),
        background: markdown::render(&it.document.background),
        standing: it.standing.words(),
        until: match it.row.state() {
            State::Seeking => it.row.seeking_until,
            State::Open => it.row.closes_at,
            _ => None,
        },
        fit: it.fit(),
        position: it.newest().position,
        code: qr_code(&address),
        address,
        title: it.document.title,
    })
}
