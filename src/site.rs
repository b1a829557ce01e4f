//! Pages and endpoints that belong to no feature: the start page, what stays possible, health, the API's
//! description.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};

use crate::app::AppState;
use crate::database;
use crate::error::Result;
use crate::web::{Access, Page, Role, Routes, see_other};

pub fn routes() -> Routes {
    Routes::new()
        .get("/", Access::Public, start)
        .get("/healthz", Access::Public, healthz)
        .get("/readyz", Access::Public, readyz)
}

/// Leads each person to what they come for most.
async fn start(page: Page) -> Response {
    let to = match &page.viewer {
        None => "/sign-in",
        Some(v) if v.has(Role::Worker) => "/me/collection",
        Some(v) if v.has(Role::Administrator) => "/people",
        Some(_) => "/organisation",
    };
    // What the action before said travels along.
    match page.done_code {
        Some(code) => see_other(&format!("{to}?done={code}")),
        None => see_other(to),
    }
}

/// The process answers.
async fn healthz() -> &'static str {
    "ok"
}

/// The database answers and its schema is this binary's.
async fn readyz(State(state): State<AppState>) -> Result<Response> {
    let ready = database::is_migrated(&state.db).await;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(serde_json::json!({ "database": ready, "migrations": ready }))).into_response())
}
