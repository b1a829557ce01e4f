//! What changed between two versions: word by word and field by field, at an address of its own.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::diff::{self, Change as DiffChange, FieldChange, Run, TextChange};
use super::model::{Number, Version};
use super::reader::choose_language;
use super::store::reading::{self, HeadRow};
use super::{integrity, show, store};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::identity;
use crate::register::Jurisdiction;
use crate::web::{Page, Path, Viewer, html};

/// From an earlier version to a later one.
pub struct Comparison {
    pub from: Number,
    pub to: Number,
    /// Why each version in between was made, oldest first.
    pub reasons: Vec<(Number, bool, String)>,
    /// For whom, from when, whether to be acknowledged.
    pub terms: Vec<FieldChange>,
    pub rows: Vec<diff::RowChange>,
    pub title: Option<Vec<Run>>,
    pub text: Option<TextChange>,
    /// Whether what is the same can be unfolded between the changes.
    pub with_the_same: bool,
    /// Whether the earlier text is known to be the one that was published.
    pub from_whole: bool,
    /// The language compared in; another one than the reader's where a version lacks that.
    pub language: String,
}

impl Comparison {
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
            && self.rows.is_empty()
            && self.title.is_none()
            && self.text.as_ref().is_some_and(TextChange::is_empty)
    }
}

/// Names of places and departments, for what an audience is.
pub struct Names {
    departments: Vec<(Uuid, String)>,
}

impl Names {
    pub async fn load(db: &mut PgConnection) -> Result<Self> {
        Ok(Names { departments: identity::list_departments(db).await? })
    }

    /// "Everybody in Germany", "Dispatch and Warehouse in Germany and Austria"
    pub fn audience(&self, jurisdictions: &[String], departments: &[Uuid]) -> String {
        let places: Vec<&str> = jurisdictions
            .iter()
            .map(|j| Jurisdiction::find(j).map_or(j.as_str(), |j| j.name.as_str()))
            .collect();
        let who: Vec<&str> = self
            .departments
            .iter()
            .filter(|(id, _)| departments.contains(id))
            .map(|(_, n)| n.as_str())
            .collect();
        let who = if departments.is_empty() { "Everybody".into() } else { listed(&who) };
        format!("{who} in {}", listed(&places))
    }
}

/// "Germany, Austria and France"
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).into(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.into()
}

/// `between` are the notice's versions.
pub fn compare(
    page: &Page,
    names: &Names,
    from: &Version,
    to: &Version,
    between: &[HeadRow],
    wish: &str,
) -> Comparison {
    let both = |l: &&str| from.text(l).is_some() && to.text(l).is_some();
    let common = [wish, "en"].into_iter().find(|l| both(l));
    let language = common.or_else(|| to.texts.iter().map(|t| t.language.as_str()).find(|l| both(l)));
    let texts = language.and_then(|l| from.text(l).zip(to.text(l)));
    let mut reasons: Vec<(Number, bool, String)> = between
        .iter()
        .filter(|h| h.number() > from.number && h.number() <= to.number)
        .filter_map(|h| Some((h.number(), h.is_editorial(), h.reason.clone()?)))
        .collect();
    reasons.sort_by_key(|(number, _, _)| *number);
    let moment = |v: &Version| v.effective_at.map(|at| page.moment(&at)).unwrap_or_default();
    let audience = |v: &Version| names.audience(&v.jurisdictions, &v.departments);
    let term =
        |label: &str, before: String, after: String| FieldChange { label: label.into(), before, after };
    let terms = [
        term("For", audience(from), audience(to)),
        term("In force from", moment(from), moment(to)),
        term(
            "To be acknowledged",
            yes_or_no(from.acknowledgement_wanted),
            yes_or_no(to.acknowledgement_wanted),
        ),
    ];
    Comparison {
        from: from.number,
        to: to.number,
        reasons,
        terms: terms.into_iter().filter(|t| t.before != t.after).collect(),
        rows: diff::rows(
            from.field_table.as_deref().unwrap_or_default(),
            to.field_table.as_deref().unwrap_or_default(),
        ),
        title: texts.filter(|(a, b)| a.title != b.title).map(|(a, b)| diff::words(&a.title, &b.title)),
        text: texts.map(|(a, b)| diff::texts(&a.markdown, &b.markdown)),
        with_the_same: true,
        from_whole: true,
        language: language.unwrap_or_default().into(),
    }
}

#[derive(Template)]
#[template(path = "notices/compare.html")]
struct ComparePage {
    page: Page,
    notice: Uuid,
    title: String,
    heads: Vec<HeadRow>,
    changes: Comparison,
    /// Whether both texts are those in the log.
    whole: bool,
}

#[derive(Deserialize)]
pub struct CompareQuery {
    from: Option<String>,
    to: Option<String>,
    language: Option<String>,
}

/// `?from=1.0&to=2.0`; without them, the newest version and the one before it.
pub async fn show(
    State(state): State<AppState>,
    page: Page,
    _: Viewer,
    Path(notice): Path<Uuid>,
    Query(query): Query<CompareQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let heads = reading::list_heads(&mut db, Some(notice)).await?;
    let find = |number: &str| heads.iter().find(|h| h.number().to_string() == number);
    let to = query.to.as_deref().map_or(heads.first(), find).ok_or(Error::NotFound)?;
    let before = || heads.iter().find(|h| h.number() < to.number());
    let from = query.from.as_deref().map_or_else(before, find).ok_or(Error::NotFound)?;
    let (from, to) = if from.number() > to.number() { (to, from) } else { (from, to) };
    let old = store::find_version(&mut db, from.version_id).await?.ok_or(Error::NotFound)?;
    let new = store::find_version(&mut db, to.version_id).await?.ok_or(Error::NotFound)?;
    let whole = integrity::check(&mut db, &state.ledger, &old).await?.is_whole()
        && integrity::check(&mut db, &state.ledger, &new).await?.is_whole();
    let names = Names::load(&mut db).await?;
    drop(db);
    let there_are: Vec<&str> = new.texts.iter().map(|t| t.language.as_str()).collect();
    let language = choose_language(&there_are, query.language.as_deref(), show::accept(&headers)).language;
    let changes = compare(&page, &names, &old, &new, &heads, &language);
    let title = new.text(&language).map_or_else(String::new, |t| t.title.clone());
    html(&ComparePage { page, notice, title, heads, changes, whole })
}
