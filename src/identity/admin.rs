//! Accounts, for administrators: list, search, invite, change, deactivate. Every look at a person's page
//! and at the list stands in the access log of those concerned.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::actions::{self, NewPerson};
use super::model;
use super::store::{self, PersonSummary};
use crate::app::AppState;
use crate::audit;
use crate::error::{Error, Result};
use crate::web::page::html_invalid;
use crate::web::problems::encode;
use crate::web::{Form, Page, Pager, Path, Role, Submitted, Viewer, html, see_other};

const PEOPLE_A_PAGE: i64 = 50;

#[derive(Template)]
#[template(path = "identity/people.html")]
struct PeoplePage {
    page: Page,
    q: String,
    people: Vec<PersonSummary>,
    pager: Pager,
}

#[derive(Deserialize)]
pub struct ListQuery {
    #[serde(default)]
    q: String,
    page: Option<String>,
}

pub async fn list(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    let q = query.q.trim().to_owned();
    let search = q.to_lowercase();
    let mut tx = state.db.begin().await?;
    let total = store::count_people(&mut tx, &search).await?;
    let base = if q.is_empty() { "/people?".into() } else { format!("/people?q={}&", encode(&q)) };
    let pager = Pager::new(query.page.as_deref(), PEOPLE_A_PAGE, total, base);
    let people = store::list_people(&mut tx, &search, pager.offset(), pager.limit()).await?;
    let entry = audit::Entry { action: "roll.listed", subject: None, object: None, reason: None };
    audit::record(&mut tx, &state, &viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    html(&PeoplePage { page, q, people, pager })
}

/// What the fields of an account offer to choose from.
struct Choices {
    departments: Vec<String>,
    jurisdictions: Vec<(String, String)>,
    roles: Vec<(String, String)>,
    time_zones: &'static [String],
}

impl Choices {
    async fn load(state: &AppState) -> Result<Self> {
        let mut db = state.db.acquire().await?;
        let departments = store::list_departments(&mut db).await?;
        let role = |r: Role| (r.id().to_owned(), format!("{}: {}", r.words(), model::role_meaning(r)));
        Ok(Choices {
            departments: departments.into_iter().map(|(_, name)| name).collect(),
            jurisdictions: model::JURISDICTIONS.iter().map(|(c, w)| (c.to_string(), w.to_string())).collect(),
            roles: Role::ALL.into_iter().map(role).collect(),
            time_zones: &model::TIME_ZONES,
        })
    }
}

#[derive(Template)]
#[template(path = "identity/new_person.html")]
struct NewPersonPage {
    page: Page,
    form: Form,
    choices: Choices,
}

pub async fn new(State(state): State<AppState>, page: Page) -> Result<Response> {
    let mut values = Submitted::default();
    values.set("roles", Role::Worker.id());
    html(&NewPersonPage { page, form: Form::new(values), choices: Choices::load(&state).await? })
}

fn roles(submitted: &Submitted) -> Vec<Role> {
    submitted.all("roles").filter_map(|r| r.parse().ok()).collect()
}

fn typed<'a>(submitted: &'a Submitted, roles: &'a [Role]) -> NewPerson<'a> {
    NewPerson {
        email: submitted.text("email"),
        name: submitted.text("name"),
        employee_number: submitted.optional("employee_number"),
        department: submitted.optional("department"),
        jurisdiction: submitted.text("jurisdiction"),
        time_zone: submitted.optional("time_zone"),
        roles,
        on_roll: false,
    }
}

pub async fn create(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    submitted: Submitted,
) -> Result<Response> {
    match actions::invite(&state, &viewer, &typed(&submitted, &roles(&submitted))).await {
        Ok(id) => Ok(see_other(&format!("/people/{id}?done=invited"))),
        Err(Error::Invalid(errors)) => {
            let choices = Choices::load(&state).await?;
            html_invalid(&NewPersonPage { page, form: Form::with_errors(submitted, errors), choices })
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "identity/person.html")]
struct PersonPage {
    page: Page,
    form: Form,
    person: PersonSummary,
    choices: Choices,
    is_self: bool,
}

/// The page, and the entry that it was opened.
async fn person_page(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    id: Uuid,
    form: Option<Form>,
) -> Result<PersonPage> {
    let choices = Choices::load(state).await?;
    let mut tx = state.db.begin().await?;
    let person = store::find_person(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let entry = audit::Entry { action: "person.viewed", subject: Some(id), object: None, reason: None };
    audit::record(&mut tx, state, viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    let form = form.unwrap_or_else(|| Form::new(on_file(&person)));
    Ok(PersonPage { page, form, is_self: viewer.person_id == id, person, choices })
}

fn on_file(person: &PersonSummary) -> Submitted {
    let mut values = Submitted::default();
    values.set("name", &*person.name);
    values.set("email", &*person.email);
    values.set("employee_number", person.employee_number.as_deref().unwrap_or_default());
    values.set("department", person.department.as_deref().unwrap_or_default());
    values.set("jurisdiction", &*person.jurisdiction);
    values.set("time_zone", person.time_zone.as_deref().unwrap_or_default());
    person.roles.iter().for_each(|role| values.set("roles", &**role));
    values
}

pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    html(&person_page(&state, page, &viewer, id, None).await?)
}

pub async fn update(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    match actions::update(&state, &viewer, id, &typed(&submitted, &roles(&submitted))).await {
        Ok(()) => Ok(see_other(&format!("/people/{id}?done=person-saved"))),
        Err(Error::Invalid(errors)) => {
            let form = Form::with_errors(submitted, errors);
            html_invalid(&person_page(&state, page, &viewer, id, Some(form)).await?)
        }
        Err(other) => Err(other),
    }
}

pub async fn invite_again(
    State(state): State<AppState>,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    actions::invite_again(&state, &viewer, id).await?;
    Ok(see_other(&format!("/people/{id}?done=invited-again")))
}

pub async fn deactivate(
    State(state): State<AppState>,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    actions::deactivate(&state, &viewer, id).await?;
    let to = if id == viewer.person_id { "/sign-in".into() } else { format!("/people/{id}") };
    Ok(see_other(&format!("{to}?done=deactivated")))
}

pub async fn reactivate(
    State(state): State<AppState>,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    actions::reactivate(&state, &viewer, id).await?;
    Ok(see_other(&format!("/people/{id}?done=reactivated")))
}
