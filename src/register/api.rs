//! The register for programs.

use axum::Json;
use axum::extract::State as FromState;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::life::State;
use super::model::ProcessingContent;
use super::store;
use super::taxonomy::{Category, Purpose};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Problem, Result};
use crate::web::times;

#[derive(Serialize, ToSchema)]
pub struct RegisterResponse {
    pub processings: Vec<ProcessingResponse>,
}

/// A declaration in force.
#[derive(Serialize, ToSchema)]
pub struct ProcessingResponse {
    #[schema(value_type = String, format = "uuid")]
    pub id: Uuid,
    pub revision: i32,
    /// Since when this revision holds.
    #[schema(value_type = String, format = DateTime)]
    pub since: Time,
    pub content: ProcessingContent,
    /// SHA-256 of `content` in RFC 8785 canonical form, in hexadecimal.
    pub content_sha256: String,
}

/// What is declared and active.
#[utoipa::path(
    get,
    path = "/api/v1/register",
    tag = "register",
    responses(
        (status = 200, description = "Every active declaration", body = RegisterResponse),
        (status = 401, description = "Nobody is signed in", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(FromState(state): FromState<AppState>) -> Result<Json<RegisterResponse>> {
    let rows = store::list_newest(&mut *state.db.acquire().await?).await?;
    let processings = rows
        .into_iter()
        .filter(|(r, _)| r.state == State::Active)
        .map(|(r, _)| ProcessingResponse {
            id: r.processing_id,
            revision: r.revision,
            since: r.at,
            content_sha256: times::hex(&r.content_sha256),
            content: r.content,
        })
        .collect();
    Ok(Json(RegisterResponse { processings }))
}

#[derive(Serialize, ToSchema)]
pub struct CategoriesResponse {
    pub categories: Vec<CategoryResponse>,
    pub purposes: Vec<PurposeResponse>,
}

/// A kind of data that can be recorded about a person.
#[derive(Serialize, ToSchema)]
pub struct CategoryResponse {
    pub id: &'static str,
    pub name: &'static str,
    pub words: &'static str,
    /// 1 (mild) to 4 (severe).
    pub sensitivity: u8,
    /// Term of the Data Privacy Vocabulary 2.3, or the nearest one above it.
    pub dpv: &'static str,
    pub dpv_exact: bool,
}

#[derive(Serialize, ToSchema)]
pub struct PurposeResponse {
    pub id: &'static str,
    pub words: &'static str,
}

/// The taxonomy that reports and declarations use
#[utoipa::path(
    get,
    path = "/api/v1/categories",
    tag = "register",
    responses((status = 200, description = "Every category and purpose", body = CategoriesResponse))
)]
pub async fn categories() -> Json<CategoriesResponse> {
    let categories = Category::all()
        .map(|c| CategoryResponse {
            id: c.id(),
            name: c.name(),
            words: c.words(),
            sensitivity: c.sensitivity(),
            dpv: c.dpv(),
            dpv_exact: c.dpv_exact(),
        })
        .collect();
    let purposes = Purpose::all().map(|p| PurposeResponse { id: p.id(), words: p.words() }).collect();
    Json(CategoriesResponse { categories, purposes })
}
