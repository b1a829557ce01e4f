//! Published versions as an Atom feed (RFC 4287), for everybody.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use super::model::Version;
use super::store;
use super::store::reading::{self, HeadRow};
use super::{integrity, markdown};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::Result;
use crate::web::atom;

/// Entries at most; older versions stand on the notices' own pages.
const ENTRIES: usize = 50;

/// In the place of a text that was changed in the database afterwards.
const BROKEN: &str = "<p>What stands in the database now isn’t what was published.</p>";

struct Entry {
    id: Uuid,
    notice: Uuid,
    title: String,
    language: String,
    published: Time,
    updated: Time,
    summary: String,
    html: String,
}

#[derive(Template)]
#[template(path = "notices/feed.xml", escape = "html")]
struct Feed {
    organisation: String,
    base_url: String,
    updated: Time,
    entries: Vec<Entry>,
}

/// When it was published, or taken back.
fn changed(head: &HeadRow) -> Time {
    head.retracted_at.unwrap_or(head.published_at)
}

fn entry(head: &HeadRow, version: &Version, whole: bool) -> Entry {
    let title = version.title();
    let language = version.texts.iter().find(|t| t.title == title).map_or("en", |t| t.language.as_str());
    let text = version.text(language).map_or("", |t| t.markdown.as_str());
    let summary = match &head.retraction_reason {
        Some(reason) => format!("Retracted: {reason}"),
        None => head.reason.clone().unwrap_or_else(|| "The first version.".into()),
    };
    Entry {
        id: head.version_id,
        notice: head.notice_id,
        title: atom::text(&format!("{title} ({})", head.number())),
        language: language.to_owned(),
        published: head.published_at,
        updated: changed(head),
        summary: atom::text(&summary),
        html: if whole { atom::text(&markdown::render(text)) } else { BROKEN.into() },
    }
}

pub async fn show(State(state): State<AppState>) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let mut heads = reading::list_heads(&mut db, None).await?;
    heads.sort_by_key(|h| (std::cmp::Reverse(changed(h)), std::cmp::Reverse(h.number())));
    heads.truncate(ENTRIES);
    let mut versions = store::list_visible(&mut db).await?;
    versions.retain(|v| heads.iter().any(|h| h.version_id == v.id));
    let found = integrity::check_all(&mut db, &state.ledger, &versions).await?;
    drop(db);
    let find = |head: &HeadRow| versions.iter().zip(&found).find(|(v, _)| v.id == head.version_id);
    let entries: Vec<Entry> =
        heads.iter().filter_map(|h| find(h).map(|(v, i)| entry(h, v, i.is_whole()))).collect();
    let updated = entries.first().map_or_else(|| jiff::Timestamp::UNIX_EPOCH.into(), |e| e.updated);
    let feed = Feed {
        organisation: atom::text(&state.config.organisation),
        base_url: state.config.base_url.clone(),
        updated,
        entries,
    };
    atom::answer(&feed)
}
