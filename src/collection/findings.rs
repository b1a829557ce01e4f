//! What was found, for those who may never see whom it concerns: groups by kind, category and program, whole days,
//! bands of people. A group of one has its row: a violation must be visible. What the employer answers stands beside
//! the findings, for everybody concerned, and clears none.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::tz::TimeZone;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::model::{FindingKind, PeopleBand};
use super::store::findings::{self as store, AnswerRow, GroupRow, NewAnswer};
use super::store::organisation;
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::error::{Error, FieldErrors, Result};
use crate::register::{self, Category};
use crate::web::page::html_with;
use crate::web::{Form, Page, Pager, Role, Submitted, Viewer, forms, see_other, times};

const A_PAGE: i64 = 20;

/// Characters that an answer may have.
const LONGEST_ANSWER: usize = 2000;

/// A group of findings as its page shows it.
struct Group {
    /// Names the group in forms and addresses, and says nothing else.
    id: String,
    kind: FindingKind,
    category: Option<Category>,
    program: Option<String>,
    programs: Vec<String>,
    first: Day,
    last: Day,
    /// `None` where so few people have a device that a count would tell of each.
    people: Option<PeopleBand>,
    open_since: Option<Day>,
    answers: Vec<AnswerRow>,
    /// The names of its form's fields.
    reason: String,
    confirm: String,
}

/// The id of a group: of a kind, a category and a program as shown; empty for none.
pub fn group_id(kind: FindingKind, category: &str, program: &str) -> String {
    let digest = Sha256::digest(format!("{kind}\n{category}\n{program}"));
    times::hex(&digest[..6])
}

impl Group {
    fn of(
        row: GroupRow,
        names: &BTreeMap<String, String>,
        answers: &[AnswerRow],
        whole: i64,
        zone: &TimeZone,
    ) -> Option<Self> {
        let kind = FindingKind::parse(&row.kind)?;
        let program = match row.program.as_str() {
            "" => None,
            store::UNNAMED => Some("a program that isn’t declared".to_owned()),
            named => Some(names.get(named).cloned().unwrap_or_else(|| named.to_owned())),
        };
        let about = |a: &&AnswerRow| a.is_about(&row.kind, &row.category, &row.programs);
        let id = group_id(kind, &row.category, &row.program);
        Some(Group {
            reason: format!("reason-{id}"),
            confirm: format!("confirm-{id}"),
            id,
            kind,
            category: Category::parse(&row.category),
            program,
            answers: answers.iter().filter(about).cloned().collect(),
            programs: row.programs,
            first: row.first_at.day(zone),
            last: row.last_at.day(zone),
            // Leavers may have findings and no device any more: never more than the whole.
            people: PeopleBand::of(row.people.min(whole), whole),
            open_since: row.open_since.map(|at| at.day(zone)),
        })
    }

    /// There is a finding, so it isn't about nobody.
    fn people(&self) -> String {
        match self.people {
            None => "fewer than ten have a device, so their number isn’t shown".into(),
            Some(PeopleBand::FewerThanFive) => "fewer than 5 people".into(),
            Some(band) => band.to_string(),
        }
    }

    /// What it is about; the kind stands beside it.
    fn heading(&self) -> String {
        let what = self.category.map_or("Agents", Category::name);
        self.program.as_ref().map_or(what.into(), |program| format!("{what}, by {program}"))
    }
}

/// Every group, newest first.
async fn load(db: &mut PgConnection, now: Time, zone: &TimeZone) -> Result<Vec<Group>> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for declaration in register::list_declarations(db).await? {
        let source = declaration.content.source;
        names.insert(source.key(), source.name);
    }
    let named: Vec<String> = names.keys().cloned().collect();
    // Counted at the day's beginning, so that two looks on one day are the same.
    let rows = store::list_groups(db, &named, now.day(zone).start(zone)).await?;
    let answers = store::list_answers(db).await?;
    let whole = organisation::count_covered_people(db, now).await?;
    let groups = rows.into_iter().filter_map(|row| Group::of(row, &names, &answers, whole, zone));
    let mut groups: Vec<Group> = groups.collect();
    // By whole days: the order must not tell which of two came first on one day.
    groups.sort_by(|a, b| {
        (b.last, a.kind, a.category, &a.program).cmp(&(a.last, b.kind, b.category, &b.program))
    });
    Ok(groups)
}

/// How many groups wait for an answer.
pub(super) async fn count_open(db: &mut PgConnection, now: Time, zone: &TimeZone) -> Result<usize> {
    Ok(load(db, now, zone).await?.iter().filter(|g| g.open_since.is_some()).count())
}

#[derive(Template)]
#[template(path = "collection/findings.html")]
struct FindingsPage {
    page: Page,
    form: Form,
    groups: Vec<Group>,
    pager: Pager,
    open: usize,
    number: String,
    /// In which whole days are meant.
    zone: String,
    confirm: [(String, String); 1],
}

impl FindingsPage {
    /// What was typed stays in its form, which stands open.
    fn is_refused(&self, group: &Group) -> bool {
        [&group.reason, &group.confirm].into_iter().any(|field| self.form.errors().of(field).is_some())
    }
}

#[derive(Deserialize, Default)]
pub struct ListQuery {
    page: Option<String>,
}

pub async fn list(
    State(state): State<AppState>,
    page: Page,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    render(&state, page, query, Form::default(), StatusCode::OK).await
}

async fn render(
    state: &AppState,
    page: Page,
    query: ListQuery,
    form: Form,
    status: StatusCode,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let mut groups = load(&mut db, page.now, &state.config.time_zone).await?;
    drop(db);
    let open = groups.iter().filter(|g| g.open_since.is_some()).count();
    // A form that comes back does so on the page where its group stands now.
    let asked = match groups.iter().position(|g| g.id == form.value("group")) {
        Some(place) => Some((place as i64 / A_PAGE + 1).to_string()),
        None => query.page,
    };
    let number = asked.clone().unwrap_or_else(|| "1".into());
    let pager = Pager::new(asked.as_deref(), A_PAGE, groups.len() as i64, "/findings?");
    let groups = groups.drain(..).skip(pager.offset() as usize).take(A_PAGE as usize).collect();
    let zone = state.config.time_zone.iana_name().unwrap_or("UTC").to_owned();
    let confirm =
        [("yes".into(), "Everybody concerned will read this. It can’t be changed or taken back.".into())];
    html_with(status, &FindingsPage { page, form, groups, pager, open, number, zone, confirm })
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
    let groups = load(&mut tx, now, &state.config.time_zone).await?;
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
    // Nothing but an id made by `group_id` comes into an address or a field's name.
    if group.len() != 12 || !group.bytes().all(|b| b.is_ascii_hexdigit()) {
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
            render(&state, page, ListQuery::default(), Form::with_errors(form, errors), status).await
        }
    }
}
