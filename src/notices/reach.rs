//! Reach: how many received, opened and acknowledged a version, in bands; the one reminder; the export that
//! some laws demand.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::actions::remind;
use super::bands::{self, Cell, Reach};
use super::laws::Kind;
use super::model::Number;
use super::store::reach::{self as store, Audience, ProofRow};
use super::store::reading::{self, HeadRow};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, FieldErrors, Result};
use crate::register::Jurisdiction;
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Submitted, Viewer, see_other, times};

#[derive(Template)]
#[template(path = "notices/reach.html")]
struct ReachPage {
    page: Page,
    form: Form,
    title: String,
    /// The newest version of the major number shown.
    head: HeadRow,
    /// One for each major number, newest first.
    majors: Vec<HeadRow>,
    reach: Reach,
    /// Counted is what happened before this moment.
    until: Time,
    reminded_at: Option<Time>,
    confirm: Vec<(String, String)>,
    proof: Option<Proof>,
}

/// Where a law wants acknowledgements proved.
struct Proof {
    law: &'static str,
    places: String,
    acknowledged: usize,
}

impl ReachPage {
    fn number(&self) -> Number {
        self.head.number()
    }

    fn is_newest(&self) -> bool {
        self.majors.first().is_some_and(|h| h.version_id == self.head.version_id)
    }

    fn is_due(&self) -> bool {
        self.head.effective_at <= self.until
    }

    fn may_remind(&self) -> bool {
        self.page.is_publisher()
            && self.is_newest()
            && self.reminded_at.is_none()
            && self.head.acknowledgement_wanted
            && !self.head.retracted
    }
}

/// "Dispatch", "Finance and people without a department, together"
pub fn cell_name(cell: &Cell) -> String {
    let names: Vec<&str> =
        cell.departments.iter().map(|d| d.as_deref().unwrap_or("people without a department")).collect();
    match names.as_slice() {
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}, together", first.join(", ")),
        [] => String::new(),
    }
}

#[derive(Deserialize)]
pub struct ReachQuery {
    version: Option<String>,
}

pub async fn show(
    State(state): State<AppState>,
    page: Page,
    Path(notice): Path<Uuid>,
    Query(query): Query<ReachQuery>,
) -> Result<Response> {
    render(&state, page, notice, query.version.as_deref(), Form::default(), StatusCode::OK).await
}

async fn render(
    state: &AppState,
    page: Page,
    notice: Uuid,
    version: Option<&str>,
    form: Form,
    status: StatusCode,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let heads = reading::list_heads(&mut db, Some(notice)).await?;
    let majors: Vec<HeadRow> = heads.chunk_by(|a, b| a.major == b.major).map(|all| all[0].clone()).collect();
    let asked = heads.iter().find(|h| version.is_none_or(|v| h.number().to_string() == v));
    let major = asked.ok_or(Error::NotFound)?.major;
    let head = majors.iter().find(|h| h.major == major).ok_or(Error::NotFound)?.clone();
    // Whole days, as for every count of people: two looks on one day are the same.
    let until = page.now.day(&state.config.time_zone).start(&state.config.time_zone);
    let proved = head.proof_jurisdictions();
    // Those under such a law stand in the export one by one: counted here, they could be subtracted.
    let counted: Vec<String> = head.jurisdictions.iter().filter(|j| !proved.contains(j)).cloned().collect();
    let audience = Audience { jurisdictions: &counted, ..head.audience() };
    let reach = bands::reach(&store::count_groups(&mut db, audience, until).await?);
    let same: Vec<Uuid> = heads.iter().filter(|h| h.major == major).map(|h| h.version_id).collect();
    let reminded_at = store::find_reminder(&mut db, &same).await?;
    let proofs = store::list_proofs(&mut db, notice).await?;
    let titles = reading::list_titles(&mut db, &[head.version_id]).await?;
    drop(db);
    let title = titles.iter().find(|t| t.language == "en").or(titles.first());
    let proof = Kind::find(&head.kind).filter(|_| !proved.is_empty()).map(|kind| Proof {
        law: &kind.citation,
        places: proved
            .iter()
            .map(|j| Jurisdiction::find(j).map_or(j.as_str(), |j| j.name.as_str()))
            .collect::<Vec<_>>()
            .join(", "),
        acknowledged: proofs.iter().filter(|p| p.major == major).count(),
    });
    let confirm = vec![("yes".to_owned(), "Send the one reminder of this version".to_owned())];
    let title = title.map_or_else(String::new, |t| t.title.clone());
    let shown = ReachPage { page, form, title, head, majors, reach, until, reminded_at, confirm, proof };
    html_with(status, &shown)
}

pub async fn send_reminder(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(notice): Path<Uuid>,
    form: Submitted,
) -> Result<Response> {
    let sent = match form.text("remind_confirm") {
        "yes" => remind::remind(&state, &viewer, notice).await,
        _ => Err(Error::invalid("remind_confirm", "Tick the box to confirm.")),
    };
    let (errors, status) = match sent {
        Ok(()) => return Ok(see_other(&format!("/notices/{notice}/reach?done=reminded"))),
        Err(Error::Conflict(words)) => {
            let mut errors = FieldErrors::default();
            errors.add("reminder", words);
            (errors, StatusCode::CONFLICT)
        }
        Err(Error::Invalid(errors)) => (errors, StatusCode::UNPROCESSABLE_ENTITY),
        Err(other) => return Err(other),
    };
    render(&state, page, notice, None, Form::with_errors(form, errors), status).await
}

/// The export as CSV. A form's post, so that no browser fetches it ahead: each one is told to those in it.
pub async fn export(
    State(state): State<AppState>,
    viewer: Viewer,
    Path(notice): Path<Uuid>,
) -> Result<Response> {
    let rows = remind::export(&state, &viewer, notice).await?;
    let body = csv(&rows)?;
    let name = format!("attachment; filename=\"acknowledgements-{notice}.csv\"");
    Ok((
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)],
        body,
    )
        .into_response())
}

fn csv(rows: &[ProofRow]) -> Result<Vec<u8>> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let written = || -> anyhow::Result<Vec<u8>> {
        out.write_record([
            "name",
            "employee_number",
            "department",
            "law",
            "version",
            "acknowledged_at",
            "language",
            "content_sha256",
        ])?;
        for row in rows {
            out.write_record([
                plain(&row.name),
                plain(row.employee_number.as_deref().unwrap_or_default()),
                plain(row.department.as_deref().unwrap_or_default()),
                row.proof_law.clone(),
                Number { major: row.major, minor: row.minor }.to_string(),
                row.acknowledged_at.to_string(),
                row.language.clone(),
                times::hex(&row.content_sha256),
            ])?;
        }
        Ok(out.into_inner()?)
    }();
    Ok(written?)
}

/// A spreadsheet would run what begins like a formula.
fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
