//! Enrolment codes, on paper.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::{Of, Page, Sent};
use crate::credentials::wire::fingerprint;
use crate::error::{Error, Result};
use crate::representative::packs::{Strip, Worker};
use crate::representative::server::Representative;
use crate::representative::sessions::SignedIn;
use crate::representative::store::WORKERS;
use crate::web::{Pager, html};

const PER_PAGE: i64 = 50;

struct Shown {
    worker_ref: Uuid,
    name: String,
    department: String,
    standing: &'static str,
}

#[derive(Template)]
#[template(path = "representative/codes.html")]
struct CodesPage {
    page: Page,
    people: Vec<Shown>,
    total: usize,
    with_code: usize,
    used: usize,
    q: String,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "representative/sheet.html")]
struct Sheet {
    page: Page,
    strips: Vec<Strip>,
    dashboard: String,
    public_url: String,
    fingerprint: String,
}

pub async fn show(
    _: SignedIn,
    State(representative): Of,
    Query(asked): Query<super::roll::Asked>,
) -> Result<Response> {
    let everybody = representative.people()?;
    let rows = representative.0.store.list::<Worker>(WORKERS, b"")?;
    let find = |worker_ref: &Uuid| rows.iter().find(|(key, _)| key.as_slice() == worker_ref.as_bytes());
    let standing = |worker_ref: &Uuid| match find(worker_ref).map(|(_, worker)| worker) {
        Some(worker) if worker.used => "used",
        Some(worker) if worker.code.is_some() => "given out",
        _ => "none yet",
    };
    let needle = asked.q().to_lowercase();
    let all: Vec<Shown> = everybody
        .iter()
        .map(|person| Shown {
            worker_ref: person.worker_ref,
            name: person.name.clone(),
            department: person.department.clone().unwrap_or_default(),
            standing: standing(&person.worker_ref),
        })
        .collect();
    let (total, used) = (all.len(), all.iter().filter(|p| p.standing == "used").count());
    let with_code = all.iter().filter(|p| p.standing != "none yet").count();
    let found: Vec<Shown> = all.into_iter().filter(|p| p.name.to_lowercase().contains(&needle)).collect();
    let base = format!("/codes?q={}&", crate::web::problems::encode(asked.q()));
    let pager = Pager::new(asked.page(), PER_PAGE, found.len() as i64, base);
    let (offset, limit) = (pager.offset() as usize, pager.limit() as usize);
    html(&CodesPage {
        page: Page::of(&representative, "/codes"),
        people: found.into_iter().skip(offset).take(limit).collect(),
        total,
        with_code,
        used,
        q: asked.q().to_owned(),
        pager,
    })
}

pub async fn issue(_: SignedIn, State(representative): Of, Sent(sent): Sent) -> Result<Response> {
    let strips = representative.off(Representative::issue_codes).await?;
    match sent.text("as") {
        "csv" => csv(&representative, &strips),
        _ => sheet(&representative, strips),
    }
}

pub async fn renew(_: SignedIn, State(representative): Of, Sent(sent): Sent) -> Result<Response> {
    let worker_ref = sent.text("worker_ref").parse().map_err(|_| Error::NotFound)?;
    sheet(&representative, vec![representative.renew_code(worker_ref)?])
}

/// The codes, now and never again: only their hashes are kept.
fn sheet(representative: &Representative, strips: Vec<Strip>) -> Result<Response> {
    html(&Sheet {
        page: Page::of(representative, "/codes"),
        strips,
        dashboard: representative.0.options.dashboard.clone(),
        public_url: representative.0.options.public_url.clone(),
        fingerprint: fingerprint(&representative.public_key()),
    })
}

fn csv(representative: &Representative, strips: &[Strip]) -> Result<Response> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::Internal(anyhow::Error::new(error));
    writer.write_record(["name", "department", "code", "address", "fingerprint"]).map_err(failed)?;
    let key = fingerprint(&representative.public_key());
    for strip in strips {
        let department = strip.department.as_deref().unwrap_or_default();
        let address = format!("{}/petitions/wallet", representative.0.options.dashboard);
        let row = [plain(&strip.name), plain(department), strip.code.clone(), address, key.clone()];
        writer.write_record(row).map_err(failed)?;
    }
    let body = writer.into_inner().map_err(|e| anyhow::anyhow!("{e}"))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"codes.csv\"")),
    ];
    Ok((headers, body).into_response())
}

/// A name that a spreadsheet would run as a formula is kept a name.
fn plain(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}
