//! How many said yes and no, for those who may never know who.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use super::actions::tally::is_counted;
use super::rules::Rule;
use super::store::tallies::{self as store, TallyRow};
use super::tally::Shown;
use crate::app::AppState;
use crate::clock::Day;
use crate::error::Result;
use crate::register::{self, ChoiceMode};
use crate::web::{Page, html};

#[derive(Template)]
#[template(path = "consent/totals.html")]
struct TotalsPage {
    page: Page,
    rows: Vec<Row>,
}

/// One processing that people can choose about.
struct Row {
    processing: Uuid,
    name: String,
    mode: ChoiceMode,
    counted: Option<Counted>,
}

struct Counted {
    /// Before this day began.
    day: Day,
    people: i64,
    shown: Shown,
}

pub async fn show(State(state): State<AppState>, page: Page) -> Result<Response> {
    let zone = &state.config.time_zone;
    let mut db = state.db.acquire().await?;
    let in_force = register::declarations_in_force(&mut db, page.now).await?;
    let tallies: HashMap<Uuid, TallyRow> =
        store::list(&mut db).await?.into_iter().map(|row| (row.processing_id, row)).collect();
    drop(db);
    let counted =
        |row: &TallyRow| Counted { day: row.until.day(zone), people: row.people, shown: row.tally().shown() };
    let rows = in_force
        .into_iter()
        .map(|declaration| Rule::new(declaration, &[]))
        .filter(is_counted)
        .map(|rule| Row {
            processing: rule.processing(),
            name: super::name(rule.content()),
            mode: rule.content().choice_mode.unwrap_or(ChoiceMode::OptIn),
            counted: tallies.get(&rule.processing()).map(counted),
        })
        .collect();
    html(&TotalsPage { page, rows })
}
