//! One version, for those who write it and those who are consulted: its words, the register's table, what
//! others said, and what can be done next.

use askama::Template;
use axum::extract::State as FromState;
use axum::http::StatusCode;
use axum::response::Response;
use sqlx::PgConnection;
use uuid::Uuid;

use super::actions::{self, obstacle, standing_answer};
use super::checks::{self, Required};
use super::compare::{self, Comparison, Names};
use super::diff::{self, Change as DiffChange};
use super::edit::Rendered;
use super::fields::{self, Change};
use super::laws::Kind;
use super::life::{State, Step};
use super::model::{ChangeClass, Covered, Text, Version};
use super::store::{self, Answer, Review};
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::identity;
use crate::register::Jurisdiction;
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Role, Viewer, times};

/// Of a hundred words as many are a slip of the pen, and not another text.
const CORRECTION_BELOW: usize = 20;

#[derive(Template)]
#[template(path = "notices/version.html")]
struct VersionPage {
    page: Page,
    form: Form,
    version: Version,
    kind: &'static Kind,
    texts: Vec<Rendered>,
    /// As submitted; of a draft as the register has it now.
    table: Vec<Covered>,
    required: Vec<Required>,
    /// What keeps a draft from being submitted.
    missing: FieldErrors,
    /// What stands in the way of an approval by this reader.
    obstacle: Option<String>,
    answer: Option<bool>,
    answers: Vec<Answer>,
    reviews: Vec<Review>,
    /// What differs from the version before.
    changed: Option<Comparison>,
    /// How much of the words is another, of a hundred, where a correction changes many.
    rewritten: Option<usize>,
    /// What the register says differently since it was submitted.
    drifted: Vec<Change>,
    departments: Vec<String>,
    choices: Vec<(String, String)>,
    confirm: Vec<(String, String)>,
}

impl VersionPage {
    fn can(&self, step: Step) -> bool {
        self.page.is_publisher() && self.version.state.after(step).is_some()
    }

    fn can_write(&self) -> bool {
        self.can(Step::Save)
    }

    fn can_approve(&self) -> bool {
        self.can(Step::Approve) && self.obstacle.is_none()
    }

    fn can_answer(&self) -> bool {
        let waits = self.version.state.after(Step::Answer).is_some();
        waits && self.page.is_representative() && !self.page.is_publisher()
    }

    fn is_in_review(&self) -> bool {
        self.version.state == State::InReview
    }

    /// The rule about the time between publication and effect, for who plans it.
    fn rule(&self) -> Option<&'static Jurisdiction> {
        self.kind.minimum(self.version.class, &self.version.jurisdictions)
    }

    fn agreement(&self) -> Option<&'static Jurisdiction> {
        self.kind.agreement(&self.version.jurisdictions)
    }

    fn consultation(&self) -> Option<&'static Jurisdiction> {
        self.kind.consultation(&self.version.jurisdictions)
    }

    fn places(&self) -> String {
        places(&self.version)
    }

    /// Whether an answer was given to the words as they are now.
    fn counts(&self, answer: &Answer) -> bool {
        self.version.content_sha256.as_deref() == Some(answer.content_sha256.as_slice())
    }

    fn hash(&self) -> String {
        self.version.content_sha256.as_deref().map(times::hex).unwrap_or_default()
    }

    /// Whether it was set aside before anybody saw it.
    fn was_set_aside(&self) -> bool {
        self.version.state == State::Retracted && self.version.published_at.is_none()
    }
}

/// The places whose law applies, in words.
pub fn places(version: &Version) -> String {
    let name = |code: &String| Jurisdiction::find(code).map_or(code.clone(), |j| j.name.clone());
    version.jurisdictions.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Publishers see everything; representatives what was ever submitted.
pub fn may_see(viewer: &Viewer, version: &Version, was_answered: bool) -> bool {
    viewer.has(Role::Publisher)
        || (viewer.has(Role::Representative) && (version.state != State::Draft || was_answered))
}

/// What differs from the version before, before anybody approves it.
async fn changed(
    db: &mut PgConnection,
    page: &Page,
    version: &Version,
    now: &[Covered],
) -> Result<(Option<Comparison>, Option<usize>)> {
    let Some((id, _)) = version.supersedes else { return Ok((None, None)) };
    let former = store::find_version(db, id).await?.ok_or(Error::NotFound)?;
    let names = Names::load(db).await?;
    let mut shown = version.clone();
    shown.field_table.get_or_insert_with(|| now.to_vec());
    // Nobody has chosen its times yet.
    shown.effective_at = shown.effective_at.or(former.effective_at);
    let compared = compare::compare(page, &names, &former, &shown, &[], "en");
    Ok((Some(compared), rewritten(&former, version)))
}

/// The most in any language. Nobody is asked anew about a correction, so reviewers are told when it is more.
fn rewritten(former: &Version, version: &Version) -> Option<usize> {
    let share = |text: &Text| {
        former.text(&text.language).map(|old| diff::texts(&old.markdown, &text.markdown).percent())
    };
    let most = version.texts.iter().filter_map(share).max();
    most.filter(|percent| version.class == ChangeClass::Editorial && *percent >= CORRECTION_BELOW)
}

pub async fn show(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    render(&state, page, &viewer, id, Form::default(), StatusCode::OK).await
}

/// The page; after a refused action with its form as it was typed.
pub async fn render(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    id: Uuid,
    form: Form,
    status: StatusCode,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let version = store::find_version(&mut db, id).await?.ok_or(Error::NotFound)?;
    if !may_see(viewer, &version, false) {
        return Err(Error::NotFound);
    }
    let kind = actions::kind_of(&version)?;
    let answers = store::list_answers(&mut db, Some(id)).await?;
    let reviews = store::list_reviews(&mut db, id).await?;
    let departments = identity::list_departments(&mut db).await?;
    let now = actions::table_now(&mut db, &version.processings).await?;
    let (changed, rewritten) = changed(&mut db, &page, &version, &now).await?;
    let coverable = actions::coverable(&mut db).await?;
    drop(db);
    let drifted = version.field_table.as_ref().map(|t| fields::changes(t, &now)).unwrap_or_default();
    let table = version.field_table.clone().unwrap_or(now);
    let pair = |id: &str, words: &str| (id.to_owned(), words.to_owned());
    let names = departments.iter().filter(|(id, _)| version.departments.contains(id));
    let missing = match version.state {
        State::Draft => actions::missing(&version, &table, &coverable)?,
        _ => FieldErrors::default(),
    };
    let shown = VersionPage {
        page,
        form,
        kind,
        texts: Rendered::all(&version.texts),
        required: checks::required(kind, &version.texts, &table),
        missing,
        obstacle: obstacle(&version, viewer, &answers, state.config.review_notices)?,
        answer: standing_answer(&version, &answers),
        answers,
        reviews,
        changed,
        rewritten,
        drifted,
        departments: names.map(|(_, name)| name.clone()).collect(),
        choices: vec![pair("", "Choose…"), pair("agree", "We agree"), pair("object", "We object")],
        confirm: vec![pair("yes", "Yes, I have read it as it stands here")],
        table,
        version,
    };
    html_with(status, &shown)
}
