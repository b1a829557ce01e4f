//! What was found, for those who may never see whom it concerns: groups by kind, category and program, whole days,
//! bands of people. A group of one has its row: a violation must be visible. What the employer answers stands beside
//! the findings, for everybody concerned, and clears none.

mod answer;
mod daily;
pub(super) mod feed;
mod group;
mod history;
pub(super) mod own;
mod trend;
pub(super) mod weekly;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::tz::TimeZone;
use serde::Deserialize;
use sqlx::PgConnection;

use super::model::FindingKind;
use super::store::groups as groups_store;
use super::store::organisation;
use super::store::telling;
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::error::{Error, Result};
use crate::register::Category;
use crate::web::page::html_with;
use crate::web::{Form, Page, Pager, Path, Submitted, Viewer};

pub use answer::{Answer, answer, answer_findings};
pub use daily::count_findings;
pub use group::group_id;
pub use weekly::mail_week;

use group::{Group, Register};
use history::Line;
use own::options;
use trend::Trend;

const A_PAGE: i64 = 20;

/// How many groups wait for an answer.
pub(super) async fn count_open(db: &mut PgConnection, now: Time, zone: &TimeZone) -> Result<usize> {
    let register = Register::load(db).await?;
    let groups = group::load(db, &register, now, zone).await?;
    Ok(groups.iter().filter(|g| g.open_since.is_some()).count())
}

#[derive(Template)]
#[template(path = "collection/findings.html")]
struct FindingsPage {
    page: Page,
    form: Form,
    filter: Form,
    filtered: bool,
    kinds: Vec<(String, String)>,
    categories: Vec<(String, String)>,
    waiting: Vec<(String, String)>,
    groups: Vec<Group>,
    pager: Pager,
    open: usize,
    /// In which whole days are meant.
    zone: TimeZone,
    today: Day,
    trend: Trend,
    telling: Telling,
    confirm: Vec<(String, String)>,
    /// Where an answer comes back to: the same filter and page, or the group's own page.
    back: Back,
}

/// Where an answer's form stands, told by the form itself.
struct Back {
    query: ListQuery,
    on_group: bool,
}

/// How whoever looks is told of findings otherwise.
struct Telling {
    mail: bool,
    feed: Option<telling::FeedRow>,
    /// The address just made: shown this once.
    made: Option<String>,
    renew: Vec<(String, String)>,
    end: Vec<(String, String)>,
}

impl Telling {
    fn new(mail: bool, feed: Option<telling::FeedRow>, made: Option<String>) -> Self {
        let renew = vec![("yes".into(), "I know that the former address ends".into())];
        let end = vec![("yes".into(), "I know that this can’t be undone".into())];
        Telling { mail, feed, made, renew, end }
    }
}

/// The box that confirms an answer.
fn confirmation() -> Vec<(String, String)> {
    vec![("yes".into(), "Everybody concerned will read this. It can’t be changed or taken back.".into())]
}

/// What was typed stays in its form, which stands open.
fn is_refused(form: &Form, group: &Group) -> bool {
    [&group.reason, &group.confirm].into_iter().any(|field| form.errors().of(field).is_some())
}

impl FindingsPage {
    fn is_refused(&self, group: &Group) -> bool {
        is_refused(&self.form, group)
    }

    fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

#[derive(Deserialize, Default)]
pub struct ListQuery {
    kind: Option<String>,
    category: Option<String>,
    answer: Option<String>,
    page: Option<String>,
}

impl ListQuery {
    /// As an answer's form carries it on.
    fn of_form(form: &Submitted) -> Self {
        let of = |name: &str| Some(form.text(name).to_owned()).filter(|text| !text.is_empty());
        ListQuery {
            kind: of("in-kind"),
            category: of("in-category"),
            answer: of("in-answer"),
            page: of("page"),
        }
    }
}

/// Which groups are wanted.
struct Filter {
    kind: Option<FindingKind>,
    category: Option<Category>,
    open: bool,
}

impl Filter {
    fn of(query: &ListQuery) -> Self {
        Filter {
            kind: query.kind.as_deref().and_then(FindingKind::parse),
            category: query.category.as_deref().and_then(Category::parse),
            open: query.answer.as_deref() == Some("open"),
        }
    }

    fn keeps(&self, group: &Group) -> bool {
        self.kind.is_none_or(|kind| group.kind == kind)
            && (self.category.is_none() || group.category == self.category)
            && (!self.open || group.open_since.is_some())
    }

    fn is_set(&self) -> bool {
        self.kind.is_some() || self.category.is_some() || self.open
    }

    /// As a form shows it, and as an address does.
    fn values(&self) -> (Form, String) {
        let (mut values, mut base) = (Submitted::default(), "/findings?".to_owned());
        let fields = [
            ("kind", self.kind.map(FindingKind::id)),
            ("category", self.category.map(Category::id)),
            ("answer", self.open.then_some("open")),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                values.set(name, value);
                base.push_str(&format!("{name}={value}&"));
            }
        }
        (Form::new(values), base)
    }
}

pub async fn list(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    render(&state, (page, &viewer), query, Form::default(), StatusCode::OK, None).await
}

async fn render(
    state: &AppState,
    (page, viewer): (Page, &Viewer),
    query: ListQuery,
    form: Form,
    status: StatusCode,
    made: Option<String>,
) -> Result<Response> {
    let zone = state.config.time_zone.clone();
    let today = page.now.day(&zone);
    let (mut groups, _) = group::load_counted(state, page.now).await?;
    let this = daily::monday(today);
    let mut db = state.db.acquire().await?;
    let weeks = groups_store::list_weeks(&mut db, trend::weeks(this)[0]).await?;
    let mail = telling::find_mail_choice(&mut db, viewer.person_id).await?.groups;
    let feed = telling::find_feed(&mut db, viewer.person_id).await?;
    drop(db);
    let open = groups.iter().filter(|g| g.open_since.is_some()).count();
    let wanted = Filter::of(&query);
    groups.retain(|group| wanted.keeps(group));
    // A form that comes back does so on the page where its group stands now.
    let asked = match groups.iter().position(|g| g.id == form.value("group")) {
        Some(place) => Some((place as i64 / A_PAGE + 1).to_string()),
        None => query.page.clone(),
    };
    let (filter, base) = wanted.values();
    let pager = Pager::new(asked.as_deref(), A_PAGE, groups.len() as i64, base);
    let query = ListQuery { page: asked, ..query };
    let groups = groups.drain(..).skip(pager.offset() as usize).take(A_PAGE as usize).collect();
    let shown = FindingsPage {
        form,
        filter,
        filtered: wanted.is_set(),
        kinds: options("All", FindingKind::others().map(|k| (k.id(), k.label()))),
        categories: own::categories(),
        waiting: options("All", [("open", "Only those without one")]),
        groups,
        pager,
        open,
        zone,
        today,
        trend: trend::of_groups(this, &weeks),
        telling: Telling::new(mail, feed, made),
        confirm: confirmation(),
        back: Back { query, on_group: false },
        page,
    };
    html_with(status, &shown)
}

#[derive(Template)]
#[template(path = "collection/group.html")]
struct GroupPage {
    page: Page,
    form: Form,
    group: Group,
    history: Vec<Line<Day>>,
    today: Day,
    confirm: Vec<(String, String)>,
    back: Back,
}

impl GroupPage {
    fn is_refused(&self, group: &Group) -> bool {
        is_refused(&self.form, group)
    }
}

/// One group: what is known of it, and what became of it.
pub async fn show(State(state): State<AppState>, page: Page, Path(id): Path<String>) -> Result<Response> {
    render_group(&state, page, &id, Form::default(), StatusCode::OK).await
}

async fn render_group(
    state: &AppState,
    page: Page,
    id: &str,
    form: Form,
    status: StatusCode,
) -> Result<Response> {
    let (groups, register) = group::load_counted(state, page.now).await?;
    let group = groups.into_iter().find(|g| g.id == id).ok_or(Error::NotFound)?;
    let zone = state.config.time_zone.clone();
    let mut db = state.db.acquire().await?;
    let category = group.category.map_or("", Category::id);
    let days = groups_store::list_days(&mut db, group.kind.id(), category, &group.key).await?;
    let whole = organisation::count_covered_people(&mut db, page.now).await?;
    drop(db);
    let history = history::of_group(&group, &days, &register.declarations, whole, &zone);
    let today = page.now.day(&zone);
    let confirm = confirmation();
    let back = Back { query: ListQuery::default(), on_group: true };
    html_with(status, &GroupPage { page, form, group, history, today, confirm, back })
}
