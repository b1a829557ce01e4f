//! A notice as people read it: the text in their language, the fields, what changed, every version.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::actions::acknowledge;
use super::compare::{Comparison, Names, compare};
use super::diff::Change as DiffChange;
use super::integrity::{self, Integrity};
use super::laws::Kind;
use super::model::{self, Covered, CoveredField, Number, Text, Version};
use super::questions::Asked;
use super::reader::{Chosen, Reader, Standing, choose_language, last_acknowledged, standing};
use super::store::reading::{self, HeadRow, ReceiptRow};
use super::{markdown, store};
use crate::app::{self, AppState, PetitionLink};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::identity;
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Role, Viewer, times};

/// Fields that stand on the page at once; the others unfold.
const FIRST_FIELDS: [&str; 5] = ["category", "purpose", "recipients", "retention", "choice_mode"];

#[derive(Debug, Default, Deserialize)]
pub struct ShowQuery {
    pub version: Option<String>,
    pub language: Option<String>,
}

/// Who may read a question.
const WHO: [(&str, &str); 2] =
    [("everybody", "Everybody who signs in here; your name isn’t shown"), ("hr", "HR and you alone")];

/// What the reader sees, and the newest version beside it.
pub struct Reading {
    pub heads: Vec<HeadRow>,
    /// The one on the page: `heads` holds it.
    pub shown: HeadRow,
    pub version: Version,
    pub text: Text,
    pub chosen: Chosen,
    pub integrity: Integrity,
}

impl Reading {
    /// `number` is a version's, such as "1.0"; the newest without one. What isn't published isn't there.
    pub async fn load(
        db: &mut PgConnection,
        state: &AppState,
        notice: Uuid,
        query: &ShowQuery,
        accept: &str,
    ) -> Result<Self> {
        let heads = reading::list_heads(db, Some(notice)).await?;
        let number = query.version.as_deref();
        let shown = heads.iter().find(|h| number.is_none_or(|n| h.number().to_string() == n));
        let shown = shown.ok_or(Error::NotFound)?.clone();
        let version = store::find_version(db, shown.version_id).await?.ok_or(Error::NotFound)?;
        let integrity = integrity::check(db, &state.ledger, &version).await?;
        let there_are: Vec<&str> = version.texts.iter().map(|t| t.language.as_str()).collect();
        let chosen = choose_language(&there_are, query.language.as_deref(), accept);
        let nothing = || Text { language: "en".into(), title: String::new(), markdown: String::new() };
        // Somebody with the database at hand could have taken the texts away: then the check says so.
        let text = version.text(&chosen.language).cloned().unwrap_or_else(nothing);
        Ok(Reading { heads, shown, version, text, chosen, integrity })
    }

    pub fn newest(&self) -> &HeadRow {
        &self.heads[0]
    }

    pub fn is_newest(&self) -> bool {
        self.newest().version_id == self.shown.version_id
    }

    pub fn html(&self) -> String {
        markdown::render(&self.text.markdown)
    }

    pub fn title(&self) -> &str {
        if self.text.title.is_empty() { "Without a title" } else { &self.text.title }
    }

    pub fn direction(&self) -> &'static str {
        model::direction(&self.text.language)
    }

    pub fn covered(&self) -> &[Covered] {
        self.version.field_table.as_deref().unwrap_or_default()
    }

    pub fn kind_name(&self) -> &str {
        Kind::find(&self.version.kind).map_or("Notice", |k| k.name.as_str())
    }

    /// Every language it exists in: code, and its name in itself.
    pub fn languages(&self) -> Vec<(&str, &str)> {
        let name =
            |code: &'_ str| model::LANGUAGES.iter().find(|(c, _, _)| *c == code).map(|(_, _, own)| *own);
        self.version
            .texts
            .iter()
            .map(|t| (t.language.as_str(), name(&t.language).unwrap_or(&t.language)))
            .collect()
    }

    /// When it begins, in the zone in which HR chose it; empty where that is the reader's own.
    pub fn other_zone(&self, page: &Page) -> String {
        let zone = jiff::tz::TimeZone::get(&self.version.time_zone).ok();
        match zone.filter(|_| self.version.time_zone != page.zone_name()) {
            Some(zone) => {
                format!("{} in {}", times::moment(self.shown.effective_at, &zone), self.version.time_zone)
            }
            None => String::new(),
        }
    }
}

/// What a browser says of its reader's languages.
pub fn accept(headers: &HeaderMap) -> &str {
    headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or("")
}

pub fn first_fields(covered: &Covered) -> Vec<&CoveredField> {
    FIRST_FIELDS
        .iter()
        .filter_map(|id| covered.fields.iter().find(|f| f.id == *id && !f.value.is_empty()))
        .collect()
}

pub fn other_fields(covered: &Covered) -> Vec<&CoveredField> {
    let other = |f: &&CoveredField| !FIRST_FIELDS.contains(&f.id.as_str()) && !f.value.is_empty();
    covered.fields.iter().filter(other).collect()
}

#[derive(Template)]
#[template(path = "notices/show.html")]
struct ShowPage {
    page: Page,
    form: Form,
    it: Reading,
    html: String,
    audience: String,
    standing: Standing,
    decline_reason: Option<String>,
    /// Since the version last acknowledged, or the one before.
    changes: Option<Comparison>,
    since_acknowledged: bool,
    proof_law: Option<&'static str>,
    questions: Vec<Asked>,
    who: Vec<(String, String)>,
    name: Vec<(String, String)>,
    petitions: Vec<PetitionLink>,
    /// As addresses say what a petition is about.
    about: String,
}

impl ShowPage {
    /// Whether this page asks for an acknowledgement.
    fn asks(&self) -> bool {
        matches!(self.standing, Standing::Asked { .. } | Standing::Declined(_)) && self.it.is_newest()
    }

    fn is_coming(&self) -> bool {
        self.it.shown.effective_at > self.page.now
    }

    /// The version that holds until this one does.
    fn until_then(&self) -> Option<&HeadRow> {
        let now = self.page.now;
        let before = self.it.heads.iter().filter(|h| h.number() < self.it.shown.number() && !h.retracted);
        before.filter(|_| self.is_coming()).find(|h| h.effective_at <= now)
    }

    fn declined_at(&self) -> Option<Time> {
        if let Standing::Declined(at) = self.standing { Some(at) } else { None }
    }

    fn acknowledged_at(&self) -> Option<Time> {
        if let Standing::Acknowledged(at) = self.standing { Some(at) } else { None }
    }

    fn may_see_reach(&self) -> bool {
        self.page.is_publisher() || self.page.is_representative()
    }

    fn is_correction(&self) -> bool {
        self.it.is_newest() && self.it.shown.is_editorial()
    }
}

pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(notice): Path<Uuid>,
    Query(query): Query<ShowQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    render(&state, page, &viewer, notice, &query, accept(&headers), Form::default(), StatusCode::OK).await
}

/// The version to compare with: the one the reader acknowledged last, when it is an earlier one; otherwise
/// the one before.
fn earlier<'a>(it: &'a Reading, receipts: &[ReceiptRow]) -> Option<(&'a HeadRow, bool)> {
    let before = |than: Number| it.heads.iter().find(move |h| h.number() < than);
    match last_acknowledged(it.shown.notice_id, receipts).filter(|n| *n < it.shown.number()) {
        Some(number) => it.heads.iter().find(|h| h.number() == number).map(|h| (h, true)),
        None => before(it.shown.number()).map(|h| (h, false)),
    }
}

/// What changed up to the version on the page, and whether it is since the one that the reader acknowledged.
async fn changes(
    db: &mut PgConnection,
    state: &AppState,
    page: &Page,
    names: &Names,
    it: &Reading,
    receipts: &[ReceiptRow],
) -> Result<(Option<Comparison>, bool)> {
    let Some((head, acknowledged)) = earlier(it, receipts) else { return Ok((None, false)) };
    let old = store::find_version(db, head.version_id).await?.ok_or(Error::NotFound)?;
    let whole = integrity::check(db, &state.ledger, &old).await?.is_whole();
    // The whole text follows on this page.
    let compared = Comparison {
        with_the_same: false,
        from_whole: whole,
        ..compare(page, names, &old, &it.version, &it.heads, &it.text.language)
    };
    Ok((Some(compared), acknowledged))
}

fn declined_because(receipts: &[ReceiptRow], major: i32) -> Option<String> {
    receipts.iter().filter(|r| r.major == major).find_map(|r| r.decline_reason.clone())
}

/// The page; after a refused form with what was typed.
#[expect(clippy::too_many_arguments, reason = "what a page needs, from three handlers")]
pub async fn render(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    notice: Uuid,
    query: &ShowQuery,
    accept: &str,
    form: Form,
    status: StatusCode,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let it = Reading::load(&mut db, state, notice, query, accept).await?;
    let person = identity::find_person(&mut db, viewer.person_id).await?.ok_or(Error::NotFound)?;
    let reader = Reader::of(&person);
    let receipts = reading::list_receipts(&mut db, reader.id, Some(notice)).await?;
    let names = Names::load(&mut db).await?;
    let (changes, since_acknowledged) = changes(&mut db, state, &page, &names, &it, &receipts).await?;
    let questions = Asked::load(&mut db, viewer, Some(notice)).await?;
    let petitions = app::petitions_about(&mut db, state, "notice", notice).await?;
    drop(db);
    let opened = receipts.iter().any(|r| r.number() == it.shown.number() && r.viewed_at.is_some());
    if reader.is_worker && !opened && it.integrity.is_whole() {
        let (version, language) = (it.shown.version_id, &it.text.language);
        // Reading must go on when nothing can be written.
        let viewed =
            acknowledge::view(state, reader.id, version, language, &it.integrity.content_sha256).await;
        viewed.unwrap_or_else(|error| tracing::warn!(%error, "a view could not be recorded"));
    }
    let shown = ShowPage {
        form,
        html: it.html(),
        audience: names.audience(&it.version.jurisdictions, &it.version.departments),
        standing: standing(&reader, it.newest(), &receipts),
        decline_reason: declined_because(&receipts, it.newest().major),
        since_acknowledged,
        changes,
        proof_law: it.newest().proof_demanded(&reader),
        questions,
        who: WHO.map(|(id, words)| (id.to_owned(), words.to_owned())).into(),
        name: vec![("yes".to_owned(), "Show my name beside the question".to_owned())],
        petitions,
        about: format!("notice:{notice}"),
        it,
        page,
    };
    html_with(status, &shown)
}

impl ShowPage {
    fn is_worker(&self) -> bool {
        self.page.has(Role::Worker)
    }
}
