//! All notices, sorted by what the reader has to do about them; and the count in the navigation.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use sqlx::PgConnection;
use uuid::Uuid;

use super::actions::acknowledge;
use super::integrity;
use super::laws::Kind;
use super::model::{self, Number, Text, Version};
use super::questions::Asked;
use super::reader::{Reader, Standing, choose_language, standing};
use super::show::accept;
use super::store::reading::{self, HeadRow, ReceiptRow};
use super::store::{self, questions};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::identity;
use crate::web::page::Unread;
use crate::web::{Page, Role, Viewer, html};

/// A notice on the list.
struct Row {
    head: HeadRow,
    title: String,
    language: String,
    standing: Standing,
    /// A correction newer than what the reader acknowledged.
    correction: bool,
    versions: usize,
    /// What stands here isn't what the log holds.
    broken: bool,
}

impl Row {
    fn kind(&self) -> &str {
        Kind::find(&self.head.kind).map_or("Notice", |k| k.name.as_str())
    }

    fn direction(&self) -> &'static str {
        model::direction(&self.language)
    }

    fn since(&self) -> Option<Number> {
        match self.standing {
            Standing::Asked { since } => since,
            _ => None,
        }
    }
}

struct Section {
    id: &'static str,
    title: &'static str,
    about: &'static str,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "notices/list.html")]
struct ListPage {
    page: Page,
    sections: Vec<Section>,
    reader_is_worker: bool,
    /// That wait for HR; for those who answer or may see them.
    open_questions: Option<i64>,
    own_questions: Vec<Asked>,
}

const SECTIONS: [(&str, &str, &str); 5] = [
    ("new", "New", "Published for you, and not read yet."),
    ("changed", "Changed since you last acknowledged", "What you have read once says something else now."),
    ("in-force", "In force", "What holds, and what you have answered already."),
    (
        "others",
        "For others",
        "For other places or departments. You can read them all the same; nothing is asked of you.",
    ),
    ("earlier", "Retracted", "What HR took back, with the reason."),
];

fn section(row: &Row) -> usize {
    match row.standing {
        Standing::Asked { since: None } | Standing::Unopened => 0,
        Standing::Asked { since: Some(_) } => 1,
        Standing::Acknowledged(_) | Standing::Declined(_) | Standing::Opened => 2,
        Standing::NotConcerned => 3,
        Standing::Retracted => 4,
    }
}

/// In the reader's language.
fn words<'a>(version: &'a Version, accept: &str) -> Option<&'a Text> {
    let there_are: Vec<&str> = version.texts.iter().map(|t| t.language.as_str()).collect();
    version.text(&choose_language(&there_are, None, accept).language)
}

/// What the list is made of.
struct Shelf {
    /// Of every notice the newest version, with its texts and whether they fit the log.
    newest: Vec<(HeadRow, Version, bool)>,
    heads: Vec<HeadRow>,
    receipts: Vec<ReceiptRow>,
    reader: Reader,
}

impl Shelf {
    async fn load(db: &mut PgConnection, state: &AppState, viewer: &Viewer) -> Result<Self> {
        let heads = reading::list_heads(db, None).await?;
        let mut versions = store::list_visible(db).await?;
        let newest = heads.chunk_by(|a, b| a.notice_id == b.notice_id).map(|all| &all[0]);
        let newest: Vec<HeadRow> = newest.cloned().collect();
        versions.retain(|v| newest.iter().any(|h| h.version_id == v.id));
        let found = integrity::check_all(db, &state.ledger, &versions).await?;
        let mut versions: HashMap<Uuid, (Version, bool)> =
            versions.into_iter().zip(found).map(|(v, i)| (v.id, (v, i.is_whole()))).collect();
        let newest = newest.into_iter().filter_map(|head| {
            let (version, whole) = versions.remove(&head.version_id)?;
            Some((head, version, whole))
        });
        let person = identity::find_person(db, viewer.person_id).await?.ok_or(Error::NotFound)?;
        Ok(Shelf {
            newest: newest.collect(),
            heads,
            receipts: reading::list_receipts(db, viewer.person_id, None).await?,
            reader: Reader::of(&person),
        })
    }

    /// Versions that this list brings to the reader for the first time.
    fn undelivered(&self) -> Vec<Uuid> {
        let had = |h: &HeadRow| {
            self.receipts.iter().any(|r| r.notice_id == h.notice_id && r.number() == h.number())
        };
        let heads = self.newest.iter().map(|(head, _, _)| head);
        let fresh = heads.filter(|h| !h.retracted && self.reader.is_concerned(h) && !had(h));
        fresh.map(|h| h.version_id).collect()
    }

    fn row(&self, head: &HeadRow, version: &Version, whole: bool, accept: &str) -> Row {
        let own: Vec<ReceiptRow> =
            self.receipts.iter().filter(|r| r.notice_id == head.notice_id).cloned().collect();
        let text = words(version, accept);
        let opened = own.iter().any(|r| r.number() == head.number() && r.viewed_at.is_some());
        Row {
            title: text.map_or_else(String::new, |t| t.title.clone()),
            language: text.map_or_else(|| "en".into(), |t| t.language.clone()),
            standing: standing(&self.reader, head, &own),
            correction: head.is_editorial() && !opened,
            versions: self.heads.iter().filter(|h| h.notice_id == head.notice_id).count(),
            broken: !whole,
            head: head.clone(),
        }
    }

    fn sections(&self, accept: &str) -> Vec<Section> {
        let mut sections: Vec<Section> = SECTIONS
            .iter()
            .map(|(id, title, about)| Section { id, title, about, rows: Vec::new() })
            .collect();
        for (head, version, whole) in &self.newest {
            let row = self.row(head, version, *whole, accept);
            sections[section(&row)].rows.push(row);
        }
        for section in &mut sections {
            section.rows.sort_by_key(|r| std::cmp::Reverse(r.head.published_at));
        }
        sections.retain(|s| !s.rows.is_empty());
        sections
    }
}

pub async fn list(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let shelf = Shelf::load(&mut db, &state, &viewer).await?;
    let open_questions = match page.is_publisher() || page.is_representative() {
        true => Some(questions::count_open(&mut db, page.is_publisher()).await?),
        false => None,
    };
    let mut own_questions = Asked::load(&mut db, &viewer, None).await?;
    own_questions.retain(|q| q.row.own && q.row.text.is_some());
    drop(db);
    let undelivered = shelf.undelivered();
    if !undelivered.is_empty() {
        // Reading must go on when nothing can be written.
        let delivered = acknowledge::deliver(&state, viewer.person_id, &undelivered).await;
        delivered.unwrap_or_else(|error| tracing::warn!(%error, "a delivery could not be recorded"));
    }
    html(&ListPage {
        page,
        sections: shelf.sections(accept(&headers)),
        reader_is_worker: shelf.reader.is_worker,
        open_questions,
        own_questions,
    })
}

/// Counts what waits for the worker who asks for a page, for the navigation. A page without the count is
/// better than none, so a database that fails here isn't reported: the page's own reading will tell.
pub async fn count_unread(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_page =
        request.method() == Method::GET && !path.starts_with("/api") && !path.starts_with("/static");
    let worker = request.extensions().get::<Viewer>().filter(|v| v.has(Role::Worker)).map(|v| v.person_id);
    if let (true, Some(person)) = (is_page, worker)
        && let Ok(mut db) = state.db.acquire().await
        && let Ok(unread) = reading::count_unread(&mut db, person).await
    {
        request.extensions_mut().insert(Unread(unread));
    }
    next.run(request).await
}
