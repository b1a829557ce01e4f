//! Canaries as representatives see them. Nobody else sees that there are any.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::civil::{Date, Time as Clock};
use serde::Deserialize;
use uuid::Uuid;

use super::actions;
use super::model::State as Stage;
use super::search::ENCODINGS;
use super::store::{self, CanaryRow, HitRow, ResultRow, SearchRow, Use};
use super::token::Token;
use super::unpack::Missed;
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, FieldErrors, Result};
use crate::imports;
use crate::register::Category;
use crate::web::page::html_with;
use crate::web::{Form, Page, Pager, Path, Role, Submitted, forms, html, see_other, times};

const A_PAGE: i64 = 25;
const SEARCHES_SHOWN: i64 = 25;
/// Characters of what is said of a place, and of a program.
const PLACE_LENGTH: usize = 200;

/// A canary with its last state.
struct Canary {
    row: CanaryRow,
    state: Stage,
    token: Option<Token>,
}

impl Canary {
    fn of(row: CanaryRow) -> Self {
        let state = Stage::of(row.used_at, row.deleted_at, row.searches, row.hits);
        let token = row.token.as_deref().and_then(Token::parse);
        Canary { row, state, token }
    }

    fn typed(&self) -> String {
        self.token.as_ref().map_or("deleted".into(), Token::typed)
    }

    fn joined(&self) -> String {
        self.token.as_ref().map_or(String::new(), Token::joined)
    }

    fn category(&self) -> &'static str {
        self.row.category.as_deref().and_then(Category::parse).map_or("", Category::name)
    }

    fn by(&self) -> &'static str {
        self.row.used_by.parse::<Role>().map_or("", Role::words)
    }
}

/// A search in words.
struct Searched(SearchRow);

impl Searched {
    /// Why it wasn't searched to its end.
    fn missed(&self) -> Vec<&'static str> {
        self.0.missed.iter().filter_map(|id| Missed::parse(id)).map(Missed::words).collect()
    }

    fn words(&self) -> String {
        let s = &self.0;
        let size = times::bytes(s.searched);
        let packed = match s.container.as_str() {
            "gzip" => ", unpacked from gzip",
            "zip" => ", unpacked from a ZIP archive",
            _ => "",
        };
        let partial = if s.missed.is_empty() { "" } else { "; not to its end" };
        match s.hits {
            0 => format!("Not found in {size}{packed}{partial}"),
            1 => format!("Found once in {size}{packed}{partial}"),
            n => format!("Found {} times in {size}{packed}{partial}", times::number(n)),
        }
    }
}

#[derive(Template)]
#[template(path = "canaries/list.html")]
struct ListPage {
    page: Page,
    form: Form,
    canaries: Vec<Canary>,
    searches: Vec<Searched>,
    pager: Pager,
    programs: Vec<(String, String)>,
    hosts: Vec<String>,
}

#[derive(Deserialize, Default)]
pub struct ListQuery {
    page: Option<String>,
}

/// Vendors whose documented names may be told.
fn programs() -> Vec<(String, String)> {
    let none = (String::new(), "None of these, or unknown".to_owned());
    let known = imports::programs().into_iter().map(|(id, vendor)| (id.to_owned(), vendor.to_owned()));
    [none].into_iter().chain(known).collect()
}

async fn list_page(state: &AppState, page: Page, query: ListQuery, form: Form) -> Result<ListPage> {
    let mut db = state.db.acquire().await?;
    let total = store::count_canaries(&mut db).await?;
    let pager = Pager::new(query.page.as_deref(), A_PAGE, total, "/canaries?");
    let rows = store::list_canaries(&mut db, pager.offset(), pager.limit()).await?;
    let searches = store::list_searches(&mut db, None, SEARCHES_SHOWN).await?;
    drop(db);
    Ok(ListPage {
        page,
        form,
        canaries: rows.into_iter().map(Canary::of).collect(),
        searches: searches.into_iter().map(Searched).collect(),
        pager,
        programs: programs(),
        hosts: state.config.canary_reader_hosts.clone(),
    })
}

pub async fn list(
    State(state): State<AppState>,
    page: Page,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    html(&list_page(&state, page, query, Form::default()).await?)
}

/// The list with a form that was refused.
pub(super) async fn refused(
    state: &AppState,
    page: Page,
    form: Submitted,
    errors: FieldErrors,
    status: StatusCode,
) -> Result<Response> {
    let form = Form::with_errors(form, errors);
    html_with(status, &list_page(state, page, ListQuery::default(), form).await?)
}

pub async fn make(State(state): State<AppState>) -> Result<Response> {
    let id = actions::make(&state).await?;
    Ok(see_other(&format!("/canaries/{id}")))
}

#[derive(Template)]
#[template(path = "canaries/show.html")]
struct ShowPage {
    page: Page,
    form: Form,
    canary: Canary,
    searches: Vec<Searched>,
    categories: Vec<(String, String)>,
    roles: Vec<(String, String)>,
    confirm: [(String, String); 1],
}

async fn show_page(state: &AppState, page: Page, id: Uuid, form: Form) -> Result<ShowPage> {
    let mut db = state.db.acquire().await?;
    let row = store::find_canary(&mut db, id).await?.ok_or(Error::NotFound)?;
    let searches = store::list_searches(&mut db, Some(id), SEARCHES_SHOWN).await?;
    drop(db);
    let none = (String::new(), "Not sure".to_owned());
    let categories = Category::all().map(|c| (c.id().to_owned(), c.name().to_owned()));
    let roles = Role::ALL.into_iter().map(|r| (r.id().to_owned(), r.words().to_owned())).collect();
    Ok(ShowPage {
        page,
        form,
        canary: Canary::of(row),
        searches: searches.into_iter().map(Searched).collect(),
        categories: [none].into_iter().chain(categories).collect(),
        roles,
        confirm: [(
            "yes".into(),
            "Nobody can look for it any more. Where it was used and found goes too.".into(),
        )],
    })
}

pub async fn show(State(state): State<AppState>, page: Page, Path(id): Path<Uuid>) -> Result<Response> {
    html(&show_page(&state, page, id, Form::default()).await?)
}

/// When it was used: as typed, in the reader's zone; now when nothing was typed.
fn used_at(form: &Submitted, page: &Page) -> Option<Time> {
    let (day, time) = (form.text("day"), form.text("time"));
    if day.is_empty() && time.is_empty() {
        return Some(page.now);
    }
    let at = day.parse::<Date>().ok()?.to_datetime(time.parse::<Clock>().ok()?);
    let at: Time = page.zone.to_ambiguous_zoned(at).compatible().ok()?.timestamp().into();
    (at <= page.now).then_some(at)
}

fn fits(text: &str) -> bool {
    text.chars().count() <= PLACE_LENGTH && !text.contains(char::is_control)
}

fn check_use<'a>(form: &'a Submitted, page: &Page) -> Result<Use<'a>, FieldErrors> {
    let mut errors = FieldErrors::default();
    let (place, program) = (form.text("place"), form.text("program"));
    if place.is_empty() || !fits(place) {
        errors.add("place", "Say in one line where it was typed or sent, in at most 200 characters.");
    }
    if !fits(program) {
        errors.add("program", "Use at most 200 characters.");
    }
    let category = form.optional("category");
    if category.is_some_and(|id| Category::parse(id).is_none()) {
        errors.add("category", "Choose one of the list.");
    }
    let by = form.text("by");
    if by.parse::<Role>().is_err() {
        errors.add("by", "Choose the role of whoever used it.");
    }
    let at = used_at(form, page);
    if at.is_none() {
        errors.add("day", "Enter day and time, neither in the future, or leave both empty for now.");
    }
    match at {
        Some(at) if errors.is_empty() => Ok(Use { category, program, place, at, by }),
        _ => Err(errors),
    }
}

/// Notes that it is in use. A form that is refused comes back with what was typed.
pub async fn mark_used(
    State(state): State<AppState>,
    page: Page,
    Path(id): Path<Uuid>,
    form: Submitted,
) -> Result<Response> {
    let done = match check_use(&form, &page) {
        Ok(using) => actions::mark_used(&state, id, &using).await,
        Err(errors) => Err(Error::Invalid(errors)),
    };
    after(&state, page, id, form, done, "place", format!("/canaries/{id}?done=canary-used")).await
}

pub async fn delete(
    State(state): State<AppState>,
    page: Page,
    Path(id): Path<Uuid>,
    form: Submitted,
) -> Result<Response> {
    let done = match forms::confirmed(&form, "delete_confirm") {
        Ok(()) => actions::delete(&state, id).await,
        Err(error) => Err(error),
    };
    after(&state, page, id, form, done, "delete_confirm", "/canaries?done=canary-deleted".into()).await
}

async fn after(
    state: &AppState,
    page: Page,
    id: Uuid,
    form: Submitted,
    done: Result<()>,
    field: &'static str,
    to: String,
) -> Result<Response> {
    match done {
        Ok(()) => Ok(see_other(&to)),
        Err(error) => {
            let (errors, status) = forms::refused(error, field)?;
            let form = Form::with_errors(form, errors);
            html_with(status, &show_page(state, page, id, form).await?)
        }
    }
}

/// What one search found of one canary.
struct Finding {
    result: ResultRow,
    hits: Vec<HitRow>,
}

impl Finding {
    fn typed(&self) -> String {
        let token = self.result.token.as_deref().and_then(Token::parse);
        token.map_or("a canary that was deleted".into(), |t| t.typed())
    }
}

#[derive(Template)]
#[template(path = "canaries/result.html")]
struct ResultPage {
    page: Page,
    search: Searched,
    found: Vec<Finding>,
    /// Looked for and not found.
    missing: Vec<Finding>,
    encodings: &'static [&'static str],
}

pub async fn result(State(state): State<AppState>, page: Page, Path(id): Path<Uuid>) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let search = store::find_search(&mut db, id).await?.ok_or(Error::NotFound)?;
    let results = store::list_results(&mut db, id).await?;
    let mut hits = store::list_hits(&mut db, id).await?;
    drop(db);
    let findings: Vec<Finding> = results
        .into_iter()
        .map(|result| {
            let (own, others) = hits.drain(..).partition(|h: &HitRow| h.canary_id == result.canary_id);
            hits = others;
            Finding { result, hits: own }
        })
        .collect();
    let (found, missing) = findings.into_iter().partition(|f| f.result.hits > 0);
    html(&ResultPage { page, search: Searched(search), found, missing, encodings: ENCODINGS })
}
