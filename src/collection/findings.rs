//! What was found, for those who may never see whom it concerns: groups by kind, category and program, whole days,
//! bands of people. A group of one has its row: a violation must be visible. What the employer answers stands beside
//! the findings, for everybody concerned, and clears none.

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
use super::store::findings::{self as store, NewAnswer};
use super::store::groups as groups_store;
use super::store::organisation;
use super::store::telling;
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::error::{Error, FieldErrors, Result};
use crate::register::Category;
use crate::web::page::html_with;
use crate::web::{Form, Page, Pager, Path, Role, Submitted, Viewer, forms, html, see_other};

pub use daily::count_findings;
pub use group::group_id;
pub use weekly::mail_week;

use group::{Group, Register};
use history::Line;
use own::options;
use trend::Trend;

const A_PAGE: i64 = 20;

/// Characters that an answer may have.
const LONGEST_ANSWER: usize = 2000;

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
    number: String,
    /// In which whole days are meant.
    zone: TimeZone,
    today: Day,
    trend: Trend,
    telling: Telling,
    confirm: Vec<(String, String)>,
}

/// How whoever looks is told of findings otherwise.
struct Telling {
    mail: bool,
    feed: Option<telling::FeedRow>,
    /// The address just made: shown this once.
    made: Option<String>,
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
        None => query.page,
    };
    let number = asked.clone().unwrap_or_else(|| "1".into());
    let (filter, base) = wanted.values();
    let pager = Pager::new(asked.as_deref(), A_PAGE, groups.len() as i64, base);
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
        number,
        zone,
        today,
        trend: trend::of_groups(this, &weeks),
        telling: Telling { mail, feed, made },
        confirm: confirmation(),
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
    number: &'static str,
    confirm: Vec<(String, String)>,
}

impl GroupPage {
    fn is_refused(&self, group: &Group) -> bool {
        is_refused(&self.form, group)
    }
}

/// One group: what is known of it, and what became of it.
pub async fn show(State(state): State<AppState>, page: Page, Path(id): Path<String>) -> Result<Response> {
    let (groups, register) = group::load_counted(&state, page.now).await?;
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
    html(&GroupPage { page, form: Form::default(), group, history, today, number: "1", confirm })
}

/// What the employer says to a group of findings.
pub struct Answer<'a> {
    /// See [`group_id`].
    pub group: &'a str,
    /// How many answers whoever writes this one has seen.
    pub seen: usize,
    pub reason: &'a str,
}

/// Adds an answer to a group. It concerns what has been found until now.
pub async fn answer_findings(state: &AppState, viewer: &Viewer, answer: Answer<'_>) -> Result<()> {
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    store::lock_answers(&mut tx).await?;
    let register = Register::load(&mut tx).await?;
    let groups = group::load(&mut tx, &register, now, &state.config.time_zone).await?;
    let group = groups.into_iter().find(|g| g.id == answer.group).ok_or(Error::NotFound)?;
    if group.answers.len() != answer.seen {
        return Err(Error::conflict(
            "Somebody answered this in the meantime. Read their answer, then decide whether to add yours.",
        ));
    }
    let new = NewAnswer {
        id: state.random.uuid(now),
        kind: group.kind.id(),
        category: group.category.map_or("", Category::id),
        programs: &group.programs,
        at: now,
        by_id: viewer.person_id,
        by_role: Role::Publisher.id(),
        reason: answer.reason,
    };
    store::insert_answer(&mut tx, &new).await?;
    tx.commit().await?;
    Ok(())
}

fn check(form: &Submitted) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    let field = |name: &str| format!("{name}-{}", form.text("group"));
    let reason = form.text(&field("reason"));
    if reason.is_empty() {
        errors.add(field("reason"), "Say what happened, and what you do about it.");
    } else if reason.chars().count() > LONGEST_ANSWER {
        errors.add(field("reason"), "Write at most 2,000 characters.");
    }
    if form.text(&field("confirm")) != "yes" {
        errors.add(field("confirm"), "Tick the box to confirm.");
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

pub async fn answer(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    form: Submitted,
) -> Result<Response> {
    let group = form.text("group").to_owned();
    if !group::is_group_id(&group) {
        return Err(Error::NotFound);
    }
    let answered = match check(&form) {
        Err(errors) => Err(Error::Invalid(errors)),
        Ok(()) => {
            let reason = form.text(&format!("reason-{group}"));
            let seen = form.text("seen").parse().unwrap_or(usize::MAX);
            answer_findings(&state, &viewer, Answer { group: &group, seen, reason }).await
        }
    };
    match answered {
        Ok(()) => {
            let number: i64 = form.text("page").parse().unwrap_or(1);
            Ok(see_other(&format!("/findings?page={number}&done=finding-answered#group-{group}")))
        }
        Err(error) => {
            let mut errors = FieldErrors::default();
            let (refused, status) = forms::refused(error, "findings")?;
            // A conflict is said at the form that it is about.
            for e in refused.iter() {
                let field =
                    if e.field == "findings" { format!("reason-{group}").into() } else { e.field.clone() };
                errors.add(field, e.message.clone());
            }
            let form = Form::with_errors(form, errors);
            render(&state, (page, &viewer), ListQuery::default(), form, status, None).await
        }
    }
}
