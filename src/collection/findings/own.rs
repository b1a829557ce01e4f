//! A person's own findings: each with its evidence, its rule, its answers and its history. Nobody else can open one.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::daily::{WEEKS, monday};
use super::group::days_ago;
use super::history::{self, Line};
use super::trend::{self, Trend};
use super::weekly;
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::collection::mine::FindingView;
use crate::collection::model::{Audience, FindingKind};
use crate::collection::store::mine::{FindingRow, list_findings};
use crate::collection::store::own::{self as store, Wanted};
use crate::collection::store::{findings, telling};
use crate::error::{Error, Result};
use crate::identity;
use crate::register::{self, Category};
use crate::web::{Form, Page, Pager, Path, Submitted, Viewer, html, see_other};

const A_PAGE: i64 = 20;

/// A finding with what became of it.
struct OwnFinding {
    view: FindingView,
    history: Vec<Line<Time>>,
}

impl OwnFinding {
    /// "found 3 days ago", by the person's days.
    fn age(&self, today: Day, page: &Page) -> String {
        days_ago(today.days_since(self.view.found_at.day(&page.zone)))
    }
}

async fn with_history(
    db: &mut PgConnection,
    person_id: Uuid,
    rows: Vec<FindingRow>,
) -> Result<Vec<OwnFinding>> {
    let answers = findings::list_answers_for(db, person_id).await?;
    let views: Vec<FindingView> = rows.into_iter().filter_map(|row| FindingView::of(row, &answers)).collect();
    let ids: Vec<Uuid> = views.iter().map(|view| view.id).collect();
    let mut seen: HashMap<Uuid, Vec<Time>> = HashMap::new();
    for (id, at) in store::list_seen(db, &ids).await? {
        seen.entry(id).or_default().push(at);
    }
    let declarations = register::list_declarations(db).await?;
    let mut moves = identity::list_moves(db, &[person_id], Audience::new).await?;
    let moves = moves.remove(&person_id).ok_or(Error::NotFound)?;
    let with = |view: FindingView| {
        let seen = seen.remove(&view.id).unwrap_or_default();
        let history = history::of_finding(&view, &seen, &declarations, &moves);
        OwnFinding { view, history }
    };
    Ok(views.into_iter().map(with).collect())
}

#[derive(Deserialize, Default)]
pub struct OwnQuery {
    kind: Option<String>,
    category: Option<String>,
    answer: Option<String>,
    page: Option<String>,
}

#[derive(Template)]
#[template(path = "collection/own_findings.html")]
struct OwnPage {
    page: Page,
    form: Form,
    found: Vec<OwnFinding>,
    pager: Pager,
    filtered: bool,
    kinds: Vec<(String, String)>,
    categories: Vec<(String, String)>,
    answers: Vec<(String, String)>,
    trend: Trend,
    /// Whether a weekly mail is wanted.
    mail: bool,
}

/// Options of a filter, "all" first.
pub(super) fn options<'a>(
    all: &str,
    each: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<(String, String)> {
    let each = each.into_iter().map(|(id, words)| (id.to_owned(), words.to_owned()));
    std::iter::once((String::new(), all.to_owned())).chain(each).collect()
}

pub(super) fn categories() -> Vec<(String, String)> {
    options("All", Category::all().map(|c| (c.id(), c.name())))
}

pub async fn list(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Query(query): Query<OwnQuery>,
) -> Result<Response> {
    let kind = query.kind.as_deref().and_then(FindingKind::parse);
    let category = query.category.as_deref().and_then(Category::parse);
    let open = match query.answer.as_deref() {
        Some("open") => Some(true),
        Some("answered") => Some(false),
        _ => None,
    };
    let wanted = Wanted { kind: kind.map(FindingKind::id), category: category.map(|c| c.id()), open };
    let mut values = Submitted::default();
    let mut base = "/me/findings?".to_owned();
    let answer = open.map(|open| if open { "open" } else { "answered" });
    for (name, value) in [("kind", wanted.kind), ("category", wanted.category), ("answer", answer)] {
        if let Some(value) = value {
            values.set(name, value);
            base.push_str(&format!("{name}={value}&"));
        }
    }
    let mut db = state.db.acquire().await?;
    let person = viewer.person_id;
    let total = store::count(&mut db, person, wanted).await?;
    let pager = Pager::new(query.page.as_deref(), A_PAGE, total, base);
    let rows = store::list(&mut db, person, wanted, (pager.offset(), pager.limit())).await?;
    let found = with_history(&mut db, person, rows).await?;
    let this = monday(page.today());
    let since = this.plus_days(-7 * (WEEKS - 1)).start(&page.zone);
    let weeks = store::count_weeks(&mut db, person, page.zone_name(), since).await?;
    let mail = telling::find_mail_choice(&mut db, person).await?.own;
    drop(db);
    html(&OwnPage {
        form: Form::new(values),
        found,
        pager,
        filtered: kind.is_some() || category.is_some() || open.is_some(),
        kinds: options("All", FindingKind::ALL.map(|k| (k.id(), k.label()))),
        categories: categories(),
        answers: options("All", [("open", "Not answered"), ("answered", "Answered")]),
        trend: trend::of_own(this, &weeks),
        mail,
        page,
    })
}

#[derive(Template)]
#[template(path = "collection/own_finding.html")]
struct OnePage {
    page: Page,
    own: OwnFinding,
}

pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let rows = list_findings(&mut db, viewer.person_id, Some(id)).await?;
    let own = with_history(&mut db, viewer.person_id, rows).await?.pop().ok_or(Error::NotFound)?;
    drop(db);
    html(&OnePage { page, own })
}

/// Whether one wants a mail each week that says how many new findings there are, and no more.
pub async fn choose_mail(
    State(state): State<AppState>,
    viewer: Viewer,
    submitted: Submitted,
) -> Result<Response> {
    weekly::choose(&state, &viewer, |choice| choice.own = submitted.text("mail") == "yes").await?;
    Ok(see_other("/me/findings?done=saved"))
}
