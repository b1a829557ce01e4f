//! The systems that may ask what is allowed: a list for everybody, and what administrators do with it.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::actions::systems::{self as actions, Credentials, Registration, Renewed};
use super::pseudonym::Pseudonyms;
use super::store::deliveries::{self, DayRow};
use super::store::systems::{self as store, ListedSystem};
use super::webhook;
use crate::app::AppState;
use crate::clock::Day;
use crate::error::{Error, Result};
use crate::register;
use crate::web::bands::PeopleBand;
use crate::web::forms::refused;
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Submitted, Viewer, see_other};

/// Whole days that the administrator sees counts of.
const DAYS: i64 = 7;

#[derive(Template)]
#[template(path = "consent/systems.html")]
struct SystemsPage {
    page: Page,
    form: Form,
    systems: Vec<Shown>,
    options: Vec<(String, String)>,
    confirm: Vec<(String, String)>,
    findings: Vec<(String, String)>,
    /// A token or secret just made: shown this once.
    made: Option<Credentials>,
}

/// A system as its reader may see it.
struct Shown {
    row: ListedSystem,
    told_of: Vec<(Uuid, String)>,
    /// Where it is told: the host alone, since the rest of an address may hold a secret.
    host: Option<String>,
    /// The worker's own, for themselves.
    pseudonym: Option<Uuid>,
    /// Whether this reader can let it in.
    can_approve: bool,
    /// For administrators.
    days: Vec<(Day, [String; 3])>,
    gave_up: bool,
    /// The field's name in the form that revokes it.
    field: String,
}

impl SystemsPage {
    fn revoking(&self, system: &Shown) -> bool {
        self.form.errors().of(&system.field).is_some()
    }

    fn present(&self) -> impl Iterator<Item = &Shown> {
        self.systems.iter().filter(|s| s.row.revoked_at.is_none())
    }

    fn has_present(&self) -> bool {
        self.present().next().is_some()
    }

    fn revoked(&self) -> impl Iterator<Item = &Shown> {
        self.systems.iter().filter(|s| s.row.revoked_at.is_some())
    }

    fn has_revoked(&self) -> bool {
        self.revoked().next().is_some()
    }

    fn registering(&self) -> bool {
        ["name", "purpose", "processings", "webhook"].iter().any(|f| self.form.errors().of(f).is_some())
    }
}

pub async fn list(State(state): State<AppState>, page: Page, viewer: Viewer) -> Result<Response> {
    render(&state, page, &viewer, Form::default(), StatusCode::OK, None).await
}

async fn render(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    form: Form,
    status: StatusCode,
    made: Option<Credentials>,
) -> Result<Response> {
    let today = page.now.day(&state.config.time_zone);
    let mut db = state.db.acquire().await?;
    let rows = store::list(&mut db).await?;
    let names: HashMap<Uuid, String> = register::store::list_newest(&mut db)
        .await?
        .into_iter()
        .map(|(r, _)| (r.processing_id, super::name(&r.content)))
        .collect();
    let (days, gave_up, options) = match page.is_administrator() {
        false => (Vec::new(), Vec::new(), Vec::new()),
        true => {
            let in_force = register::declarations_in_force(&mut db, page.now).await?;
            let option = |id: Uuid| (id.to_string(), names.get(&id).cloned().unwrap_or_default());
            let options = in_force.iter().map(|d| option(d.processing_id)).collect();
            let days = deliveries::count_days(&mut db, today.plus_days(-DAYS), today).await?;
            (days, deliveries::list_given_up(&mut db).await?, options)
        }
    };
    drop(db);
    let secret = &state.consent.secrets()?.pseudonyms;
    let systems = rows
        .into_iter()
        .map(|row| Shown {
            told_of: row
                .processings
                .iter()
                .map(|id| {
                    (*id, names.get(id).cloned().unwrap_or_else(|| "Something no longer declared".into()))
                })
                .collect(),
            host: row.webhook.as_deref().and_then(host),
            pseudonym: page.is_worker().then(|| Pseudonyms::new(secret, row.id).of(viewer.person_id)),
            days: match page.is_administrator() {
                true => (1..=DAYS).map(|n| day(&days, row.id, today.plus_days(-n))).collect(),
                false => Vec::new(),
            },
            can_approve: (page.is_publisher() || page.is_representative())
                && row.approved_at.is_none()
                && row.created_by != viewer.person_id,
            gave_up: gave_up.contains(&row.id),
            field: format!("revoke-{}", row.id),
            row,
        })
        .collect();
    let confirm = vec![("yes".to_owned(), "Take its leave to ask for good".to_owned())];
    let findings =
        vec![("yes".to_owned(), "Groups of findings, without persons, once a day at most".to_owned())];
    html_with(status, &SystemsPage { page, form, systems, options, confirm, findings, made })
}

fn host(address: &str) -> Option<String> {
    webhook::address(address).ok()?.host_str().map(Into::into)
}

/// One day's deliveries. Each stands for somebody's decision, so that one to four look like none.
fn day(rows: &[DayRow], system: Uuid, day: Day) -> (Day, [String; 3]) {
    let row = rows.iter().find(|r| r.system_id == system && r.decided_on == day);
    let counts = row.map_or([0; 3], |r| [r.delivered, r.waiting, r.given_up]);
    (day, counts.map(PeopleBand::of_messages))
}

pub async fn create(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    submitted: Submitted,
) -> Result<Response> {
    let processings: Vec<Uuid> = submitted.all("processings").filter_map(|id| id.parse().ok()).collect();
    let new = Registration {
        name: submitted.text("name"),
        purpose: submitted.text("purpose"),
        processings: &processings,
        findings: submitted.text("findings") == "yes",
        webhook: submitted.optional("webhook"),
    };
    match actions::register(&state, &viewer, new).await {
        Ok(made) => render(&state, page, &viewer, Form::default(), StatusCode::OK, Some(made)).await,
        Err(error) => {
            let (errors, status) = refused(error, "systems")?;
            render(&state, page, &viewer, Form::with_errors(submitted, errors), status, None).await
        }
    }
}

pub async fn renew(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let what = match submitted.text("what") {
        "secret" => Renewed::Secret,
        _ => Renewed::Token,
    };
    let made = actions::renew(&state, &viewer, id, what).await?;
    render(&state, page, &viewer, Form::default(), StatusCode::OK, Some(made)).await
}

pub async fn approve(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    match actions::approve(&state, &viewer, id).await {
        Ok(()) => Ok(see_other("/systems?done=system-approved")),
        Err(error) => {
            let (errors, status) = refused(error, "systems")?;
            render(&state, page, &viewer, Form::with_errors(submitted, errors), status, None).await
        }
    }
}

pub async fn test(State(state): State<AppState>, viewer: Viewer, Path(id): Path<Uuid>) -> Result<Response> {
    actions::test(&state, &viewer, id).await?;
    Ok(see_other("/systems?done=system-tested"))
}

pub async fn revoke(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    // The name that the form's box has on the page.
    let field = format!("revoke-{id}");
    let done = match submitted.text(&field) {
        "yes" => actions::revoke(&state, &viewer, id).await,
        _ => Err(Error::invalid(field, "Tick the box to confirm.")),
    };
    match done {
        Ok(()) => Ok(see_other("/systems?done=system-revoked")),
        Err(error) => {
            let (errors, status) = refused(error, "systems")?;
            render(&state, page, &viewer, Form::with_errors(submitted, errors), status, None).await
        }
    }
}
