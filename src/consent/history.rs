//! What was ever decided: one choice from its beginning, or all of them, each with the words it was made on, its
//! place in the log, and the way it took.

use std::collections::{BTreeMap, HashMap};

use askama::Template;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::card::{self, Agents, Card};
use super::choices::accept;
use super::enforcement::{OVERDUE_SECONDS, Outcome, Way};
use super::integrity::{self, Integrity};
use super::store::decisions::{self, Decision};
use super::text::ChoiceText;
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::web::{Page, Pager, Path, Viewer, html};

const NAMELESS: &str = "A choice whose words are missing";

/// Decisions on one page.
const PER_PAGE: i64 = 20;

/// A decision with all that can be said of it.
pub struct Entry {
    pub decision: Decision,
    pub integrity: Integrity,
    /// The exact words at the time; `None` when they aren't those that the decision names.
    pub text: Option<ChoiceText>,
    pub ways: Vec<Way>,
}

impl Entry {
    pub fn changed(&self) -> bool {
        self.decision.allowed_before != self.decision.allowed_after
    }

    /// What was decided about, in the words of the time.
    pub fn name(&self) -> &str {
        self.text.as_ref().map_or(NAMELESS, |t| t.name.as_str())
    }

    pub fn is_answer(&self) -> bool {
        self.decision.by_role == "publisher"
    }
}

/// Of these decisions, the words, the log's view and the way each took; `all` are all of that person's.
async fn entries(
    db: &mut PgConnection,
    state: &AppState,
    person: Uuid,
    chosen: Vec<Decision>,
    all: &[Decision],
) -> Result<(Vec<Entry>, bool)> {
    let agents = Agents::load(db, person, state.clock.now()).await?;
    let found = integrity::check(db, state, &chosen, all).await?;
    let texts = texts(db, &chosen).await?;
    let entry = |(decision, integrity): (Decision, Integrity)| {
        let same: Vec<Decision> =
            all.iter().filter(|d| d.processing_id == decision.processing_id).cloned().collect();
        let changed = decision.allowed_before != decision.allowed_after;
        let ways = if changed { agents.ways(&decision, &same) } else { Vec::new() };
        let text = texts.get(&decision.text_sha256).cloned();
        Entry { decision, integrity, text, ways }
    };
    Ok((chosen.into_iter().zip(found).map(entry).collect(), agents.has_agents()))
}

/// Words by their hash, as far as they still have it.
async fn texts(db: &mut PgConnection, made: &[Decision]) -> Result<HashMap<Vec<u8>, ChoiceText>> {
    let mut hashes: Vec<Vec<u8>> = made.iter().map(|d| d.text_sha256.clone()).collect();
    hashes.sort();
    hashes.dedup();
    let found = decisions::list_texts(db, &hashes).await?.into_iter();
    let whole = found.filter(|(hash, document)| integrity::is_text(document, hash));
    Ok(whole.filter_map(|(hash, document)| Some((hash, serde_json::from_value(document).ok()?))).collect())
}

#[derive(Template)]
#[template(path = "consent/one.html")]
struct OnePage {
    page: Page,
    processing: Uuid,
    /// `None` where it isn't in force for this person any more.
    card: Option<Card>,
    name: String,
    entries: Vec<Entry>,
    missing: Vec<i32>,
    has_agents: bool,
    overdue_minutes: i64,
}

/// The history of one choice, newest first.
pub async fn one(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(processing): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response> {
    let person = viewer.person_id;
    let mut db = state.db.acquire().await?;
    let card = match card::find(&mut db, &state, person, processing, accept(&headers)).await {
        Ok(card) => Some(card),
        Err(Error::NotFound) => None,
        Err(error) => return Err(error),
    };
    let all = decisions::list(&mut db, &[person], Some(processing)).await?;
    if card.is_none() && all.is_empty() {
        return Err(Error::NotFound);
    }
    let missing = integrity::missing(&all);
    let newest_first: Vec<Decision> = all.iter().rev().cloned().collect();
    let (entries, has_agents) = entries(&mut db, &state, person, newest_first, &all).await?;
    drop(db);
    let name = match (&card, entries.first()) {
        (Some(card), _) => card.name(),
        (None, Some(entry)) => entry.name().to_owned(),
        (None, None) => String::new(),
    };
    let overdue_minutes = OVERDUE_SECONDS / 60;
    html(&OnePage { page, processing, card, name, entries, missing, has_agents, overdue_minutes })
}

#[derive(Debug, Deserialize)]
pub struct HistoryQuery {
    page: Option<String>,
}

#[derive(Template)]
#[template(path = "consent/history.html")]
struct HistoryPage {
    page: Page,
    entries: Vec<Entry>,
    overdue_minutes: i64,
    broken: usize,
    /// Where decisions are missing: the processing, and the words of one that is there.
    gaps: Vec<(Uuid, String)>,
    pager: Pager,
}

/// Everything that was ever decided, newest first.
pub async fn all(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Query(query): Query<HistoryQuery>,
) -> Result<Response> {
    let person = viewer.person_id;
    let mut db = state.db.acquire().await?;
    let all = decisions::list(&mut db, &[person], None).await?;
    let pager = Pager::new(query.page.as_deref(), PER_PAGE, all.len() as i64, "/me/choices/history?");
    let mut newest_first = all.clone();
    newest_first.sort_by_key(|d| std::cmp::Reverse((d.at, d.number)));
    let from = usize::try_from(pager.offset()).unwrap_or(0);
    let shown = newest_first.into_iter().skip(from).take(PER_PAGE as usize).collect();
    let (entries, _) = entries(&mut db, &state, person, shown, &all).await?;
    let gaps = gaps(&mut db, &all).await?;
    drop(db);
    let broken = entries.iter().filter(|e| e.integrity.is_broken()).count();
    let overdue_minutes = OVERDUE_SECONDS / 60;
    html(&HistoryPage { page, entries, overdue_minutes, broken, gaps, pager })
}

/// Processings of which a decision is missing, with a name as far as there are words for it.
async fn gaps(db: &mut PgConnection, all: &[Decision]) -> Result<Vec<(Uuid, String)>> {
    let mut by_processing: BTreeMap<Uuid, Vec<Decision>> = BTreeMap::new();
    for decision in all {
        by_processing.entry(decision.processing_id).or_default().push(decision.clone());
    }
    by_processing.retain(|_, made| !integrity::missing(made).is_empty());
    let made: Vec<Decision> = by_processing.values().flatten().cloned().collect();
    let texts = texts(db, &made).await?;
    let name = |made: &[Decision]| {
        let text = made.iter().find_map(|d| texts.get(&d.text_sha256));
        text.map_or_else(|| NAMELESS.to_owned(), |text| text.name.clone())
    };
    Ok(by_processing.into_iter().map(|(id, made)| (id, name(&made))).collect())
}
