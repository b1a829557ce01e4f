//! Writing: create, save, correct, change, delete.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{STALE, allow, coverable, kind_of, lock, lock_any, not_now, publisher};
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::identity;
use crate::notices::laws::Kind;
use crate::notices::life::{State, Step};
use crate::notices::model::{
    ChangeClass, LANGUAGES, LANGUAGES_AT_MOST, MARKDOWN_LENGTH, Number, REASON_LENGTH, TITLE_LENGTH, Text,
    Version, language_name,
};
use crate::notices::store;
use crate::register::Jurisdiction;
use crate::web::Viewer;

/// What the editor sends.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    pub texts: Vec<Text>,
    pub jurisdictions: Vec<String>,
    pub departments: Vec<Uuid>,
    pub processings: Vec<Uuid>,
    pub acknowledgement_wanted: bool,
    pub reason: Option<String>,
}

fn zone_name(state: &AppState) -> String {
    state.config.time_zone.iana_name().unwrap_or("UTC").into()
}

/// Begins a notice from a template; answers its first version's id.
pub async fn create(state: &AppState, viewer: &Viewer, kind: &str) -> Result<Uuid> {
    publisher(viewer)?;
    let kind = Kind::find(kind).ok_or_else(|| Error::invalid("kind", "Choose a template."))?;
    let now = state.clock.now();
    // A template for the law of one place is about that place; of several, the writer chooses.
    let jurisdictions = if kind.jurisdictions.len() == 1 { kind.jurisdictions.clone() } else { Vec::new() };
    let text = Text { language: "en".into(), title: kind.name.clone(), markdown: kind.markdown.into() };
    let version = Version {
        id: state.random.uuid(now),
        notice_id: state.random.uuid(now),
        kind: kind.id.clone(),
        number: Number::FIRST,
        class: ChangeClass::Material,
        state: State::Draft,
        revision: 1,
        jurisdictions,
        departments: Vec::new(),
        processings: Vec::new(),
        field_table: None,
        acknowledgement_wanted: true,
        reason: None,
        publish_at: None,
        effective_at: None,
        time_zone: zone_name(state),
        problem: None,
        supersedes: None,
        content_sha256: None,
        ledger_entry: None,
        leaf_position: None,
        published_at: None,
        retracted_at: None,
        retraction_reason: None,
        retraction_entry: None,
        retraction_position: None,
        created_by: viewer.person_id,
        authors: vec![viewer.person_id],
        created_at: now,
        updated_at: now,
        texts: vec![text],
    };
    let mut tx = state.db.begin().await?;
    store::insert_notice(&mut tx, version.notice_id, now, viewer.person_id, &kind.id).await?;
    store::insert_draft(&mut tx, &version).await?;
    tx.commit().await?;
    Ok(version.id)
}

/// Begins an editorial version of what is published: words only, the rest stays as it is.
pub async fn correct(state: &AppState, viewer: &Viewer, notice_id: Uuid, reason: &str) -> Result<Uuid> {
    next(state, viewer, notice_id, ChangeClass::Editorial, reason).await
}

/// Begins a material version from a copy of the newest published one.
pub async fn change(state: &AppState, viewer: &Viewer, notice_id: Uuid, reason: &str) -> Result<Uuid> {
    next(state, viewer, notice_id, ChangeClass::Material, reason).await
}

async fn next(
    state: &AppState,
    viewer: &Viewer,
    notice_id: Uuid,
    class: ChangeClass,
    reason: &str,
) -> Result<Uuid> {
    publisher(viewer)?;
    let field = if class == ChangeClass::Editorial { "correct_reason" } else { "change_reason" };
    let reason = super::reasoned(reason, field)?;
    let mut tx = state.db.begin().await?;
    if !store::lock_notice(&mut tx, notice_id).await? {
        return Err(Error::NotFound);
    }
    let versions = store::list_versions(&mut tx, notice_id).await?;
    let base = versions.into_iter().rfind(|v| v.published_at.is_some());
    let base = base.ok_or_else(|| not_now(State::Draft))?;
    if class == ChangeClass::Editorial && base.state != State::Published {
        return Err(Error::conflict("This was retracted: there is nothing to correct. Write a new version."));
    }
    let effective_at = base.effective_at.filter(|_| class == ChangeClass::Editorial);
    let mut draft = copy(state, viewer, &base);
    draft.number = base.number.after(class);
    draft.class = class;
    draft.reason = Some(reason.into());
    draft.supersedes = Some((base.id, base.number));
    // A correction takes effect together with what it corrects.
    draft.effective_at = effective_at;
    store::insert_draft(&mut tx, &draft).await?;
    tx.commit().await?;
    Ok(draft.id)
}

/// A new draft that says what `base` says.
pub(super) fn copy(state: &AppState, viewer: &Viewer, base: &Version) -> Version {
    let now = state.clock.now();
    Version {
        id: state.random.uuid(now),
        state: State::Draft,
        revision: 1,
        field_table: None,
        publish_at: None,
        problem: None,
        content_sha256: None,
        ledger_entry: None,
        leaf_position: None,
        published_at: None,
        retracted_at: None,
        retraction_reason: None,
        retraction_entry: None,
        retraction_position: None,
        created_by: viewer.person_id,
        authors: vec![viewer.person_id],
        created_at: now,
        updated_at: now,
        ..base.clone()
    }
}

/// Saves a draft, however incomplete; answers its new revision.
pub async fn save(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32, edit: &Edit) -> Result<i32> {
    publisher(viewer)?;
    let mut tx = state.db.begin().await?;
    let mut version = lock_any(&mut tx, id).await?;
    if version.revision != seen {
        // When the answer to a save gets lost on its way, the same comes again: it was saved.
        return match is_saved(&mut tx, viewer, &version, edit).await? {
            true => Ok(version.revision),
            false => Err(Error::conflict(STALE)),
        };
    }
    allow(&version, Step::Save)?;
    apply(&mut tx, &mut version, edit).await?;
    version.revision += 1;
    if !version.authors.contains(&viewer.person_id) {
        version.authors.push(viewer.person_id);
    }
    store::update_draft(&mut tx, &version, super::now_for(state, &version)).await?;
    tx.commit().await?;
    Ok(version.revision)
}

/// Whether the stored draft says all this already, and its saver wrote at it.
async fn is_saved(db: &mut PgConnection, viewer: &Viewer, stored: &Version, edit: &Edit) -> Result<bool> {
    if stored.state != State::Draft || !stored.authors.contains(&viewer.person_id) {
        return Ok(false);
    }
    let mut again = stored.clone();
    match apply(db, &mut again, edit).await {
        Err(Error::Invalid(_)) => return Ok(false),
        other => other?,
    }
    Ok(again.texts == stored.texts
        && again.jurisdictions == stored.jurisdictions
        && again.departments == stored.departments
        && again.processings == stored.processings
        && again.acknowledgement_wanted == stored.acknowledgement_wanted
        && again.reason == stored.reason)
}

/// The draft as it would be saved, for the preview; nothing is stored.
pub async fn preview(state: &AppState, viewer: &Viewer, id: Uuid, edit: &Edit) -> Result<Version> {
    publisher(viewer)?;
    let mut db = state.db.acquire().await?;
    let mut version = store::find_version(&mut db, id).await?.ok_or(Error::NotFound)?;
    allow(&version, Step::Save)?;
    apply(&mut db, &mut version, edit).await?;
    Ok(version)
}

async fn apply(db: &mut PgConnection, version: &mut Version, edit: &Edit) -> Result<()> {
    let mut errors = check_shape(edit);
    let departments = identity::list_departments(db).await?;
    if edit.departments.iter().any(|d| !departments.iter().any(|(id, _)| id == d)) {
        errors.add("departments", "Choose from the list.");
    }
    let coverable = coverable(db).await?;
    // What has ended since it was picked stays picked until it is unpicked: the page says so.
    let known =
        |id: &Uuid| version.processings.contains(id) || coverable.iter().any(|r| r.processing_id == *id);
    if !edit.processings.iter().all(known) {
        errors.add("processings", "Choose from the list.");
    }
    if version.class == ChangeClass::Editorial {
        check_words_only(version, edit, &mut errors);
    }
    errors.into_result()?;
    let mut texts = edit.texts.clone();
    texts.sort_by(|a, b| a.language.cmp(&b.language));
    version.texts = texts;
    version.jurisdictions = edit.jurisdictions.clone();
    version.departments = edit.departments.clone();
    version.processings = edit.processings.clone();
    // Where the law demands it, it isn't a choice.
    let demanded = kind_of(version)?.acknowledgement_demanded(&version.jurisdictions).is_some();
    version.acknowledgement_wanted = edit.acknowledgement_wanted || demanded;
    version.reason = edit.reason.clone();
    Ok(())
}

fn check_shape(edit: &Edit) -> FieldErrors {
    let mut errors = FieldErrors::default();
    if edit.texts.is_empty() || edit.texts.len() > LANGUAGES_AT_MOST {
        errors.add("add_language", format!("Write in one to {LANGUAGES_AT_MOST} languages."));
    }
    for (i, text) in edit.texts.iter().enumerate() {
        let known = LANGUAGES.iter().any(|(code, _, _)| *code == text.language);
        if !known || edit.texts[..i].iter().any(|t| t.language == text.language) {
            errors.add("add_language", "Choose each language once, from the list.");
        }
        let language = language_name(&text.language);
        if text.title.chars().count() > TITLE_LENGTH || text.title.contains(char::is_control) {
            let words = format!("{language}: use one line of at most {TITLE_LENGTH} characters.");
            errors.add(format!("title-{}", text.language), words);
        }
        if text.markdown.chars().count() > MARKDOWN_LENGTH {
            let words = format!("{language}: use at most {MARKDOWN_LENGTH} characters.");
            errors.add(format!("markdown-{}", text.language), words);
        }
    }
    if edit.jurisdictions.iter().any(|code| Jurisdiction::find(code).is_none()) {
        errors.add("jurisdictions", "Choose from the list.");
    }
    if edit.reason.as_ref().is_some_and(|r| r.chars().count() > REASON_LENGTH) {
        errors.add("reason", format!("Use at most {REASON_LENGTH} characters."));
    }
    errors
}

/// A correction is of words. Anything else is told as a change, with its notice and its acknowledgement.
fn check_words_only(version: &Version, edit: &Edit, errors: &mut FieldErrors) {
    let mut refuse = |same: bool, field: &'static str, what: &str| {
        if !same {
            errors.add(
                field,
                format!("A correction changes words only, not {what}. Write a new version for that."),
            );
        }
    };
    refuse(edit.jurisdictions == version.jurisdictions, "jurisdictions", "whose law applies");
    refuse(edit.departments == version.departments, "departments", "whom it is for");
    refuse(edit.processings == version.processings, "processings", "what it covers");
    let same = edit.acknowledgement_wanted == version.acknowledgement_wanted;
    refuse(same, "acknowledgement_wanted", "whether people acknowledge it");
}

/// Deletes a draft that nobody else was shown.
pub async fn delete_draft(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32) -> Result<()> {
    publisher(viewer)?;
    let mut tx = state.db.begin().await?;
    let version = lock(&mut tx, id, seen).await?;
    allow(&version, Step::Save)?;
    if store::was_shown(&mut tx, id).await? {
        return Err(Error::conflict(
            "Others have already reviewed or answered this draft, so it stays. Change it, and submit it again.",
        ));
    }
    store::delete_draft(&mut tx, &version).await?;
    tx.commit().await?;
    Ok(())
}
