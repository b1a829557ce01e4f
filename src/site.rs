//! Pages and endpoints that belong to no feature: the start page, what stays possible, health, the API's
//! description.

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::app::AppState;
use crate::database;
use crate::error::Result;
use crate::petitions::issuing::api as issuing;
use crate::web::{Access, Page, Role, Routes, html, see_other};
use crate::{collection, consent, petitions, register};

pub fn routes() -> Routes {
    Routes::new()
        .get("/", Access::Public, start)
        .get("/about", Access::Public, about)
        .get("/api", Access::Public, api_page)
        .get("/api/v1/openapi.json", Access::Public, openapi)
        .get("/healthz", Access::Public, healthz)
        .get("/readyz", Access::Public, readyz)
}

/// Leads each person to what they come for most.
async fn start(page: Page) -> Response {
    let to = match &page.viewer {
        None => "/sign-in",
        Some(v) if v.has(Role::Publisher) => "/register",
        Some(v) if v.has(Role::Representative) => "/organisation",
        Some(v) if v.has(Role::Administrator) => "/people",
        Some(_) => "/me/collection",
    };
    // What the action before said travels along.
    match page.done_code {
        Some(code) => see_other(&format!("{to}?done={code}")),
        None => see_other(to),
    }
}

#[derive(Template)]
#[template(path = "site/about.html")]
struct AboutPage {
    page: Page,
    smtp: bool,
    raw_report_days: i64,
}

/// Who can see what, and what stays possible all the same.
async fn about(State(state): State<AppState>, page: Page) -> Result<Response> {
    let (smtp, raw_report_days) = (state.config.smtp_url.is_some(), state.config.raw_report_days);
    html(&AboutPage { page, smtp, raw_report_days })
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Daylight", description = "What agents send, and what signed-in people read. Errors are RFC 9457."),
    paths(collection::api::enrol, collection::api::report, collection::presence::api::report,
        collection::pages::all_json,
        collection::commitment::openings, register::api::list,
        register::api::categories, consent::api::decision, consent::api::agent_policy,
        consent::api::confirm, consent::api::policy_key, consent::mine::choices,
        petitions::signing::api::act, petitions::signing::api::key, petitions::signing::api::leaf,
        petitions::signing::api::deliver,
        issuing::wallet, issuing::enrol, issuing::issuer, issuing::epoch, issuing::place, issuing::pack,
        issuing::roll, issuing::sign_roll, issuing::issues, issuing::petitions,
        petitions::life::api::start, petitions::life::api::act),
    modifiers(&Schemes)
)]
struct Description;

struct Schemes;

impl utoipa::Modify for Schemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("agent_token", SecurityScheme::Http(bearer.clone()));
        components.add_security_scheme("system_token", SecurityScheme::Http(bearer.clone()));
        components.add_security_scheme("representative_token", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-daylight"));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

pub fn openapi_json() -> String {
    Description::openapi().to_pretty_json().unwrap_or_default()
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json()).into_response()
}

#[derive(Template)]
#[template(path = "site/api.html")]
struct ApiPage {
    page: Page,
    operations: Vec<Operation>,
}

struct Operation {
    method: String,
    path: String,
    summary: String,
    description: String,
    answers: Vec<(String, String)>,
}

/// The API's description as a page, drawn from the same document.
async fn api_page(page: Page) -> Result<Response> {
    let document: serde_json::Value = serde_json::from_str(&openapi_json()).unwrap_or_default();
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let answers = operation["responses"].as_object().into_iter().flatten();
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                summary: text(&operation["summary"]),
                description: text(&operation["description"]),
                answers: answers
                    .map(|(status, r)| (status.clone(), meaning(status, &text(&r["description"]))))
                    .collect(),
            });
        }
    }
    html(&ApiPage { page, operations })
}

/// The answer's description, or the status's own name where none is written.
fn meaning(status: &str, description: &str) -> String {
    let name = || StatusCode::from_bytes(status.as_bytes()).ok()?.canonical_reason();
    if description.is_empty() { name().unwrap_or_default().to_owned() } else { description.to_owned() }
}

/// The process answers.
async fn healthz() -> &'static str {
    "ok"
}

/// The database answers and its schema is this binary's.
async fn readyz(State(state): State<AppState>) -> Result<Response> {
    let ready = database::is_migrated(&state.db).await && state.intake.is_running();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(serde_json::json!({ "ready": ready }))).into_response())
}
