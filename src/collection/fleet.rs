//! The administrator's pages: devices, whose they are, and the agents on them. No figure about anybody.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::actions;
use super::store::fleet::{self as store, FleetRow};
use crate::app::AppState;
use crate::audit;
use crate::error::{Error, Result};
use crate::web::page::html_invalid;
use crate::web::problems::encode;
use crate::web::{Form, Page, Pager, Path, Role, Submitted, Viewer, html, see_other};

const A_PAGE: i64 = 50;

#[derive(Template)]
#[template(path = "collection/fleet.html")]
struct FleetPage {
    page: Page,
    form: Form,
    rows: Vec<FleetRow>,
    search: String,
    pager: Pager,
    /// A secret just made: shown this once.
    secret: Option<(String, String)>,
    base_url: String,
}

#[derive(Deserialize, Default)]
pub struct ListQuery {
    #[serde(default)]
    q: String,
    page: Option<String>,
}

async fn fleet_page(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    query: ListQuery,
    form: Form,
) -> Result<FleetPage> {
    let search = query.q.trim().to_lowercase();
    let mut tx = state.db.begin().await?;
    let total = store::count_devices(&mut tx, page.now, &search).await?;
    let base = format!("/agents?q={}&", encode(&search));
    let pager = Pager::new(query.page.as_deref(), A_PAGE, total, base);
    let rows = store::list_fleet(&mut tx, page.now, &search, pager.offset(), pager.limit()).await?;
    let entry = audit::Entry { action: "devices.listed", subject: None, object: None, reason: None };
    audit::record(&mut tx, state, viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    let base_url = state.config.base_url.clone();
    Ok(FleetPage { page, form, rows, search: query.q, pager, secret: None, base_url })
}

pub async fn list(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    html(&fleet_page(&state, page, &viewer, query, Form::default()).await?)
}

/// Makes an enrolment secret and shows it, this once.
pub async fn create(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    submitted: Submitted,
) -> Result<Response> {
    match actions::create_enrolment(&state, Some(&viewer), submitted.text("device")).await {
        Ok(secret) => {
            let device = submitted.text("device").to_owned();
            let mut shown = fleet_page(&state, page, &viewer, ListQuery::default(), Form::default()).await?;
            shown.secret = Some((device, secret));
            html(&shown)
        }
        Err(Error::Invalid(errors)) => {
            let form = Form::with_errors(submitted, errors);
            html_invalid(&fleet_page(&state, page, &viewer, ListQuery::default(), form).await?)
        }
        Err(other) => Err(other),
    }
}

pub async fn revoke(State(state): State<AppState>, viewer: Viewer, Path(id): Path<Uuid>) -> Result<Response> {
    actions::revoke(&state, &viewer, id).await?;
    Ok(see_other("/agents?done=agent-revoked"))
}

pub async fn assign(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    match actions::assign_by_email(&state, &viewer, id, submitted.text("person")).await {
        Ok(()) => Ok(see_other("/agents?done=device-assigned")),
        Err(Error::Invalid(errors)) => {
            // The list has many such forms: the message goes above it, and names the address typed.
            let form = Form::with_errors(submitted, errors);
            html_invalid(&fleet_page(&state, page, &viewer, ListQuery::default(), form).await?)
        }
        Err(other) => Err(other),
    }
}

pub async fn release(
    State(state): State<AppState>,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    actions::release(&state, &viewer, id).await?;
    Ok(see_other("/agents?done=device-released"))
}
