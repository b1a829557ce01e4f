//! What an author without a name sends from their wallet. No cookie is looked at: a key speaks.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::actions::{about_of, confidential};
use super::model::Document;
use crate::app::AppState;
use crate::error::{Error, Problem, Result};
use crate::ledger::proof::petition::Credential;
use crate::web::Path;

/// The words of a petition.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WordsRequest {
    pub title: String,
    pub demand: String,
    /// Markdown.
    #[serde(default)]
    pub background: String,
    /// As in the signed document, should it be sent whole: `{"kind","id"}`; must say what stands beside it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub about: Option<super::model::About>,
    #[serde(default)]
    pub open_days: Option<i32>,
}

/// Starts a petition without a name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRequest {
    /// A random UUID, version 4, which the author makes.
    pub petition: Uuid,
    pub document: WordsRequest,
    /// 30, 60 or 90
    pub open_days: i32,
    /// `processing` or `notice`
    #[serde(default)]
    pub about_kind: Option<String>,
    #[serde(default)]
    pub about_id: Option<Uuid>,
    /// Of slot 0.
    #[schema(value_type = Object)]
    pub credential: Credential,
    /// Ed25519 by the credential's key over `petition_message` of version 1; its content is the SHA-256 of the
    /// canonical JSON `{"title","demand","background","about","open_days"}`.
    pub signature: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct StartResponse {
    pub petition: Uuid,
    /// Where it is read; its leaf gets its place in the log at the next full hour.
    pub address: String,
}

/// What the author does later.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum ActRequest {
    /// A new version while it seeks support; signed as its start was, with the version's number.
    Version {
        document: Box<WordsRequest>,
        open_days: i32,
        #[serde(default)]
        about_kind: Option<String>,
        #[serde(default)]
        about_id: Option<Uuid>,
        #[schema(value_type = Object)]
        credential: Credential,
        signature: String,
    },
    /// Signed over `author_message` with `update` and the text's SHA-256.
    Update { text: String, signature: String },
    /// Signed over `author_message` with `give_up` and the SHA-256 of nothing.
    GiveUp { signature: String },
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let unreadable = |_| Error::Rejected(StatusCode::BAD_REQUEST, "This request could not be read.".into());
    serde_json::from_slice(body).map_err(unreadable)
}

fn document(words: WordsRequest, open_days: i32, kind: Option<&str>, id: Option<Uuid>) -> Result<Document> {
    let about = about_of(kind, id)?;
    if words.about.is_some_and(|a| Some(a) != about) || words.open_days.is_some_and(|d| d != open_days) {
        return Err(Error::invalid("/document", "says something else than what stands beside it"));
    }
    let WordsRequest { title, demand, background, .. } = words;
    Ok(Document { title, demand, background, about, open_days })
}

/// Start a petition without a name
///
/// Signed by the key of slot 0, which both issuers gave out. It seeks support from the next full hour on.
#[utoipa::path(post, path = "/api/v1/petitions/start", tag = "Petitions", request_body = StartRequest, responses(
    (status = 201, body = StartResponse),
    (status = 400, description = "Not readable", body = Problem),
    (status = 403, description = "Signature or credential doesn't hold", body = Problem),
    (status = 409, description = "The credential has started its petition, or no slot is left, or too few have packs",
        body = Problem),
    (status = 422, description = "The text breaks a rule", body = Problem)))]
pub async fn start(State(state): State<AppState>, body: Bytes) -> Result<(StatusCode, Json<StartResponse>)> {
    let asked: StartRequest = read(&body)?;
    let id = asked.petition;
    let text = document(asked.document, asked.open_days, asked.about_kind.as_deref(), asked.about_id)?;
    confidential::start(&state, id, &text, asked.credential, asked.signature).await?;
    let address = format!("{}/petitions/{id}", state.config.base_url);
    Ok((StatusCode::CREATED, Json(StartResponse { petition: id, address })))
}

/// Act as the author without a name
///
/// Writes a new version, posts an update, or gives the petition up; signed by the key that started it.
#[utoipa::path(post, path = "/api/v1/petitions/{id}/author", tag = "Petitions", params(("id" = Uuid, Path)),
    request_body = ActRequest, responses(
    (status = 204, description = "Done"),
    (status = 400, description = "Not readable", body = Problem),
    (status = 403, description = "Not signed by the author's key", body = Problem),
    (status = 404, description = "No such petition", body = Problem),
    (status = 409, description = "It stands elsewhere by now", body = Problem),
    (status = 422, description = "The text breaks a rule", body = Problem)))]
pub async fn act(State(state): State<AppState>, Path(id): Path<Uuid>, body: Bytes) -> Result<StatusCode> {
    match read(&body)? {
        ActRequest::Version { document: words, open_days, about_kind, about_id, credential, signature } => {
            let text = document(*words, open_days, about_kind.as_deref(), about_id)?;
            confidential::revise(&state, id, &text, credential, signature).await?;
        }
        ActRequest::Update { text, signature } => {
            confidential::update(&state, id, text.trim(), &signature).await?;
        }
        ActRequest::GiveUp { signature } => confidential::give_up(&state, id, &signature).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}
