//! The roll that is proposed, held against what was signed before.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::{Of, Page, Sent};
use crate::credentials::wire::RollEntry;
use crate::error::{Error, FieldErrors, Result};
use crate::ledger::proof::tree::Hash;
use crate::representative::model::{Comparison, by_department};
use crate::representative::roll::digest;
use crate::representative::server::Representative;
use crate::representative::sessions::SignedIn;
use crate::web::page::html_with;
use crate::web::{Pager, html, see_other};

/// People on one page of the list.
const PER_PAGE: i64 = 50;

#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    q: String,
    page: Option<String>,
}

impl Asked {
    pub fn q(&self) -> &str {
        self.q.trim()
    }

    pub fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }
}

/// A person as the page shows them.
struct Shown {
    worker_ref: Uuid,
    name: String,
    department: String,
    key: &'static str,
    note: String,
    challenge: Option<String>,
}

#[derive(Template)]
#[template(path = "representative/roll.html")]
struct RollPage {
    page: Page,
    /// Of the proposal, or of what was signed where nothing is proposed.
    epoch: Option<String>,
    version: u64,
    size: usize,
    before: usize,
    proposed: bool,
    /// What stands for all of it when the button is pressed.
    seen: String,
    found: Comparison,
    added: Vec<Shown>,
    changed: Vec<Shown>,
    strange: Vec<Shown>,
    doubted: Vec<Shown>,
    departments: Vec<(String, usize, usize)>,
    q: String,
    people: Vec<Shown>,
    pager: Pager,
    errors: FieldErrors,
    can_sign: bool,
}

pub async fn show(_: SignedIn, State(representative): Of, Query(asked): Query<Asked>) -> Result<Response> {
    html(&page(&representative, &asked, FieldErrors::default())?)
}

fn page(representative: &Representative, asked: &Asked, errors: FieldErrors) -> Result<RollPage> {
    let proposal = representative.proposal()?;
    let kept = representative.kept();
    let signed = kept.newest_roll();
    let before: &[RollEntry] = signed.map(|roll| roll.entries.as_slice()).unwrap_or_default();
    let entries = proposal.as_ref().map_or(before, |p| p.entries.as_slice());
    let found = match &proposal {
        Some(proposal) => representative.compared(proposal)?,
        None => Comparison::default(),
    };
    let challenges = representative.challenges()?;
    let shown = |place: usize| {
        let entry = &entries[place];
        let key = match (&entry.id_key, found.strange.contains(&place)) {
            (None, _) => "none yet",
            (Some(_), true) => "not made known here",
            (Some(_), false) => "made known",
        };
        let was = found.changed.iter().find(|(changed, _)| *changed == place);
        Shown {
            worker_ref: entry.worker_ref,
            name: entry.name.clone(),
            department: entry.department.clone().unwrap_or_default(),
            key,
            note: was.map(|(_, was)| words_of(was)).unwrap_or_default(),
            challenge: challenges.get(&entry.worker_ref).cloned(),
        }
    };
    let needle = asked.q().to_lowercase();
    let mut places: Vec<usize> =
        (0..entries.len()).filter(|p| entries[*p].name.to_lowercase().contains(&needle)).collect();
    places.sort_by_key(|place| (entries[*place].name.to_lowercase(), *place));
    let base = format!("/roll?q={}&", crate::web::problems::encode(asked.q()));
    let pager = Pager::new(asked.page(), PER_PAGE, places.len() as i64, base);
    let (offset, limit) = (pager.offset() as usize, pager.limit() as usize);
    let doubted: Vec<Shown> =
        (0..entries.len()).filter(|p| challenges.contains_key(&entries[*p].worker_ref)).map(shown).collect();
    let departments = by_department(before, entries);
    Ok(RollPage {
        page: Page::of(representative, "/roll"),
        epoch: proposal.as_ref().map(|p| p.epoch.clone()).or(signed.map(|roll| roll.epoch.clone())),
        version: proposal.as_ref().map(|p| p.version).or(signed.map(|roll| roll.version)).unwrap_or(0),
        size: entries.len(),
        before: before.len(),
        proposed: proposal.is_some(),
        seen: proposal.as_ref().map(digest).transpose()?.map(|seen| seen.to_string()).unwrap_or_default(),
        added: found.added.iter().map(|place| shown(*place)).collect(),
        changed: found.changed.iter().map(|(place, _)| shown(*place)).collect(),
        strange: found.strange.iter().map(|place| shown(*place)).collect(),
        can_sign: found.faults.is_empty() && doubted.is_empty(),
        departments: departments.into_iter().map(|(name, (was, now))| (name, was, now)).collect(),
        people: places.into_iter().skip(offset).take(limit).map(shown).collect(),
        q: asked.q().to_owned(),
        doubted,
        pager,
        errors,
        found,
    })
}

fn words_of(was: &RollEntry) -> String {
    match &was.department {
        Some(department) => format!("{}, {department}", was.name),
        None => was.name.clone(),
    }
}

fn again(representative: &Representative, error: Error) -> Result<Response> {
    let status = error.status();
    let errors = match error {
        Error::Internal(error) => return Err(Error::Internal(error)),
        Error::Invalid(errors) => errors,
        other => {
            let mut errors = FieldErrors::default();
            errors.add("countersign", other.to_string());
            errors
        }
    };
    html_with(status, &page(representative, &Asked::default(), errors)?)
}

pub async fn countersign(_: SignedIn, State(representative): Of, Sent(sent): Sent) -> Result<Response> {
    if sent.text("looked") != "yes" {
        return again(&representative, Error::invalid("looked", "Tick the box once you have looked."));
    }
    let seen: Result<Hash, _> = serde_json::from_value(sent.text("seen").into());
    let seen =
        seen.map_err(|_| Error::Rejected(StatusCode::BAD_REQUEST, "This form could not be read.".into()))?;
    match representative.countersign_seen(seen).await {
        Ok(()) => Ok(see_other("/roll")),
        Err(error) => again(&representative, error),
    }
}

fn person(sent: &crate::web::Submitted) -> Result<Uuid> {
    sent.text("worker_ref").parse().map_err(|_| Error::NotFound)
}

pub async fn challenge(_: SignedIn, State(representative): Of, Sent(sent): Sent) -> Result<Response> {
    match representative.challenge(person(&sent)?, sent.text("reason")) {
        Ok(()) => Ok(see_other("/roll")),
        Err(error) => again(&representative, error),
    }
}

pub async fn clear(_: SignedIn, State(representative): Of, Sent(sent): Sent) -> Result<Response> {
    representative.clear(person(&sent)?)?;
    Ok(see_other("/roll"))
}
