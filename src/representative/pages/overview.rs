//! What stands where.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::{Of, Page};
use crate::credentials::wire::fingerprint;
use crate::error::Result;
use crate::representative::model::band;
use crate::representative::packs::Given;
use crate::representative::server::{Contact, Representative, locked};
use crate::representative::sessions::SignedIn;
use crate::representative::store::PACKS;
use crate::web::html;

#[derive(Template)]
#[template(path = "representative/overview.html")]
struct Overview {
    page: Page,
    dashboard: String,
    public_url: String,
    connected: bool,
    contact: Contact,
    fingerprint: String,
    witness_key: Option<String>,
    cosigned: u64,
    log_keys: Vec<String>,
    epoch: Option<String>,
    epoch_ends: Option<String>,
    in_log: bool,
    size: usize,
    version: u64,
    packs: usize,
    used_codes: usize,
    waiting: String,
    refused: usize,
    proposal: bool,
    link: Option<String>,
}

pub async fn show(_: SignedIn, State(representative): Of) -> Result<Response> {
    html(&overview(&representative, None)?)
}

/// A link for somebody else of the council, or for one's next session.
pub async fn another_link(_: SignedIn, State(representative): Of) -> Result<Response> {
    let link = representative.make_link()?;
    html(&overview(&representative, Some(link))?)
}

fn overview(representative: &Representative, link: Option<String>) -> Result<Overview> {
    let options = &representative.0.options;
    let dashboard = representative.dashboard();
    let kept = representative.kept();
    let newest = kept.newest();
    let roll = kept.newest_roll();
    let page = Page::of(representative, "/");
    let (waiting, refused) = representative.waiting()?;
    let witness = representative.witness();
    let packs = match newest {
        Some(signed) => {
            let prefix = [signed.leaf.epoch.as_bytes(), &[0]].concat();
            representative.0.store.list::<Given>(PACKS, &prefix)?.len()
        }
        None => 0,
    };
    Ok(Overview {
        dashboard: options.dashboard.clone(),
        public_url: options.public_url.clone(),
        connected: dashboard.as_ref().is_some_and(|d| d.token.is_some()),
        contact: locked(&representative.0.contact).clone(),
        fingerprint: fingerprint(&representative.public_key()),
        cosigned: dashboard.as_ref().zip(witness.as_ref()).map_or(0, |(d, w)| w.size_of(&d.origin)),
        witness_key: witness.map(|w| w.verifier_key().to_string()),
        log_keys: dashboard.map(|d| d.log_keys.clone()).unwrap_or_default(),
        epoch: newest.map(|signed| signed.leaf.epoch.clone()),
        epoch_ends: newest.map(|signed| page.moment(&signed.ends_at)),
        in_log: newest.is_some_and(|signed| signed.leaf_hash.is_some()),
        size: roll.map_or(0, |roll| roll.entries.len()),
        version: roll.map_or(0, |roll| roll.version),
        packs,
        used_codes: representative.enrolled()?.len(),
        waiting: band(waiting),
        refused,
        proposal: representative.proposal()?.is_some(),
        link,
        page,
    })
}
