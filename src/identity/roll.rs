//! The roll's import: a CSV file, a dry run that changes nothing, and a button that applies it.

use askama::Template;
use axum::extract::State;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::actions;
use super::model::{self, RollError, RollPlan};
use crate::app::AppState;
use crate::audit;
use crate::error::{Error, FieldErrors, Result};
use crate::web::page::{html_invalid, html_with};
use crate::web::{Form, Page, Path, Role, Submitted, Viewer, html, see_other};

/// Bytes of a file; some 20,000 people.
const FILE_LIMIT: usize = 2 * 1024 * 1024;
/// The whole request: the file, or the same as text, and the form around it.
pub const REQUEST_LIMIT: usize = FILE_LIMIT + 64 * 1024;

const TOO_LARGE: &str = "The file is larger than 2 MiB. Leave out columns that Daylight doesn't use.";

/// Names that the dry run shows of each kind; leavers are shown in full.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "identity/roll_upload.html")]
struct UploadPage {
    page: Page,
    form: Form,
    faults: Vec<RollError>,
}

pub async fn upload(page: Page) -> Result<Response> {
    html(&UploadPage { page, form: Form::default(), faults: Vec::new() })
}

/// The file, or else what was pasted.
struct Sent {
    file: Vec<u8>,
    text: String,
}

async fn read(mut parts: Multipart) -> Result<Sent, MultipartError> {
    let mut sent = Sent { file: Vec::new(), text: String::new() };
    while let Some(part) = parts.next_field().await? {
        match part.name() {
            Some("file") => sent.file = part.bytes().await?.to_vec(),
            Some("text") => sent.text = part.text().await?,
            _ => {}
        }
    }
    Ok(sent)
}

/// Reads the file and keeps its rows for the dry run; a file with a fault is not kept at all.
pub async fn dry_run(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    parts: Multipart,
) -> Result<Response> {
    let sent = match read(parts).await {
        Ok(sent) if sent.file.len() <= FILE_LIMIT && sent.text.len() <= FILE_LIMIT => sent,
        Ok(_) => return refused(page, StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE),
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return refused(page, StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE);
        }
        Err(_) => {
            return Err(Error::Rejected(StatusCode::BAD_REQUEST, "This form could not be read.".into()));
        }
    };
    if sent.file.is_empty() && sent.text.trim().is_empty() {
        return refused(page, StatusCode::UNPROCESSABLE_ENTITY, "Choose a file, or paste its text.");
    }
    let bytes = if sent.file.is_empty() { sent.text.as_bytes() } else { &sent.file };
    match model::read_roll(bytes) {
        Ok(rows) => {
            let id = actions::prepare_roll(&state, &viewer, &rows).await?;
            Ok(see_other(&format!("/people/import/{id}")))
        }
        Err(faults) => {
            let mut values = Submitted::default();
            values.set("text", sent.text);
            html_invalid(&UploadPage { page, form: Form::new(values), faults })
        }
    }
}

fn refused(page: Page, status: StatusCode, text: &'static str) -> Result<Response> {
    let mut errors = FieldErrors::default();
    errors.add("file", text);
    let form = Form::with_errors(Submitted::default(), errors);
    html_with(status, &UploadPage { page, form, faults: Vec::new() })
}

#[derive(Template)]
#[template(path = "identity/roll_plan.html")]
struct PlanPage {
    page: Page,
    form: Form,
    id: Uuid,
    groups: Vec<Group>,
    plan: RollPlan,
    confirm: Vec<(String, String)>,
}

/// Those whom the import treats alike.
struct Group {
    title: &'static str,
    meaning: &'static str,
    names: Vec<String>,
    more: usize,
}

impl Group {
    fn new(
        title: &'static str,
        meaning: &'static str,
        names: impl Iterator<Item = String>,
        shown: usize,
    ) -> Self {
        let mut names: Vec<String> = names.collect();
        let more = names.len().saturating_sub(shown);
        names.truncate(shown);
        Group { title, meaning, names, more }
    }

    fn total(&self) -> usize {
        self.names.len() + self.more
    }
}

/// What applying would do now. It names people, so it stands in everybody's access log like the list.
async fn plan_page(state: &AppState, page: Page, viewer: &Viewer, id: Uuid, form: Form) -> Result<PlanPage> {
    let mut tx = state.db.begin().await?;
    let plan = actions::plan_roll(&mut tx, state, viewer, id).await?;
    let entry = audit::Entry { action: "roll.listed", subject: None, object: Some(id), reason: None };
    audit::record(&mut tx, state, viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    let added = plan.added.iter().map(|row| row.name.clone());
    let changed = plan.changed.iter().map(|c| format!("{}: {}", c.row.name, c.what.join(", ")));
    let back = plan.reactivated.iter().map(|c| c.row.name.clone());
    let leavers = plan.deactivated.iter().map(|(_, name)| name.clone());
    let groups = vec![
        Group::new("Deactivated", "on the roll before, not in this file", leavers, usize::MAX),
        Group::new("Added", "get an account and an invitation", added, SHOWN),
        Group::new("Changed", "something differs from the account", changed, SHOWN),
        Group::new("Active again", "were deactivated, and are in this file", back, SHOWN),
    ];
    let confirm = vec![("yes".into(), format!("Yes, {} people leave", plan.deactivated.len()))];
    Ok(PlanPage { page, form, id, groups, plan, confirm })
}

pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    html(&plan_page(&state, page, &viewer, id, Form::default()).await?)
}

pub async fn apply(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    match actions::apply_roll(&state, &viewer, id, submitted.text("drastic") == "yes").await {
        Ok(()) => Ok(see_other("/people?done=roll-applied")),
        Err(Error::Invalid(errors)) => {
            let form = Form::with_errors(submitted, errors);
            html_invalid(&plan_page(&state, page, &viewer, id, form).await?)
        }
        Err(other) => Err(other),
    }
}
