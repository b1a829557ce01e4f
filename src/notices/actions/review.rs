//! Review: submit, return, answer, approve.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    allow, check_register, coverable, kind_of, lock, optional, publisher, reasoned, short, table_now,
};
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::notices::life::Step;
use crate::notices::model::{ChangeClass, Covered, Version, sha256};
use crate::notices::{checks, fields, signs, store};
use crate::register::{Jurisdiction, Revision};
use crate::web::{Role, Viewer};

/// Puts a draft before reviewers and representatives: its content stands still from now on.
pub async fn submit(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32) -> Result<()> {
    publisher(viewer)?;
    let mut tx = state.db.begin().await?;
    let mut version = lock(&mut tx, id, seen).await?;
    allow(&version, Step::Submit)?;
    let table = table_now(&mut tx, &version.processings).await?;
    missing(&version, &table, &coverable(&mut tx).await?)?.into_result()?;
    check_against_former(&mut tx, &version, &table).await?;
    version.field_table = Some(table.clone());
    let body = version.body();
    let hash = sha256(&body)?;
    store::submit(&mut tx, id, &table, &body, &hash, super::now_for(state, &version)).await?;
    tx.commit().await?;
    Ok(())
}

/// What a draft lacks before it can be submitted; fields are named as in the form.
pub fn missing(version: &Version, table: &[Covered], newest: &[Revision]) -> Result<FieldErrors> {
    let kind = kind_of(version)?;
    let mut errors = FieldErrors::default();
    if let Some(words) = kind.contradiction(&version.processings, newest) {
        errors.add("processings", words);
    }
    if version.jurisdictions.is_empty() {
        errors
            .add("jurisdictions", "Choose whose law applies: it says who reads this, and what it must say.");
    }
    if table.len() < version.processings.len() {
        errors.add("processings", "Something that this covers has ended. Untick it.");
    }
    let places: Vec<&str> = version
        .jurisdictions
        .iter()
        .filter_map(|code| Jurisdiction::find(code))
        .map(|place| place.name.as_str())
        .collect();
    for covered in table {
        // Nobody who reads the notice would be covered by it.
        let declared = covered.field("jurisdictions").unwrap_or("");
        if !declared.is_empty() && !places.is_empty() && !declared.split(", ").any(|p| places.contains(&p)) {
            let words = format!("“{}” is declared for {declared}, which isn’t ticked.", covered.name);
            errors.add("processings", words);
        }
    }
    if version.supersedes.is_some() && version.reason.as_deref().is_none_or(|r| r.trim().is_empty()) {
        errors.add("reason", "Say why this version differs from the one before.");
    }
    if let Some(words) = version.reason.as_deref().and_then(signs::problem) {
        errors.add("reason", format!("Why it differs: {words}"));
    }
    for error in checks::obstacles(kind, &version.texts, table).iter() {
        errors.add(error.field.clone(), error.message.clone());
    }
    Ok(errors)
}

/// A new version says something new; a correction says the same in other words.
async fn check_against_former(db: &mut PgConnection, version: &Version, table: &[Covered]) -> Result<()> {
    let Some((id, number)) = version.supersedes else { return Ok(()) };
    let former = store::find_version(db, id).await?.ok_or(Error::NotFound)?;
    let changes = fields::changes(former.field_table.as_deref().unwrap_or_default(), table);
    if version.class == ChangeClass::Editorial && !changes.is_empty() {
        return Err(Error::conflict(format!(
            "The register has changed since version {number}: {}. That is more than a correction of words: \
             delete this draft and write a new version.",
            fields::changes_words(&changes)
        )));
    }
    let same = former.texts == version.texts
        && former.jurisdictions == version.jurisdictions
        && former.departments == version.departments
        && former.acknowledgement_wanted == version.acknowledgement_wanted
        && changes.is_empty();
    // What was retracted may be published again as it was.
    if same && former.retracted_at.is_none() {
        return Err(Error::conflict(format!("Nothing differs from version {number}.")));
    }
    Ok(())
}

/// Back to the draft: by a reviewer, who says what should change, or by who wrote it.
pub async fn return_to_draft(
    state: &AppState,
    viewer: &Viewer,
    id: Uuid,
    seen: i32,
    comment: &str,
) -> Result<()> {
    publisher(viewer)?;
    let mut tx = state.db.begin().await?;
    let version = lock(&mut tx, id, seen).await?;
    allow(&version, Step::Return)?;
    let is_author = version.authors.contains(&viewer.person_id);
    let comment = if is_author {
        optional(short(comment, "return_comment")?)
    } else {
        Some(reasoned(comment, "return_comment")?)
    };
    let now = super::now_for(state, &version);
    store::insert_review(&mut tx, &version, viewer.person_id, now, false, comment).await?;
    store::take_back(&mut tx, id, now).await?;
    tx.commit().await?;
    Ok(())
}

/// The representatives' answer to what is in review; it counts for exactly this content. An objection says
/// why.
pub async fn answer(
    state: &AppState,
    viewer: &Viewer,
    id: Uuid,
    seen: i32,
    agrees: bool,
    comment: &str,
) -> Result<()> {
    viewer.acting_as(&[Role::Representative]).ok_or(Error::Forbidden)?;
    if viewer.has(Role::Publisher) {
        return Err(Error::conflict(
            "You also publish for the employer, so you can't answer for the representatives.",
        ));
    }
    let comment =
        if agrees { optional(short(comment, "comment")?) } else { Some(reasoned(comment, "comment")?) };
    let mut tx = state.db.begin().await?;
    let version = lock(&mut tx, id, seen).await?;
    if version.content_sha256.is_none() {
        // Representatives don't know of drafts.
        return Err(Error::NotFound);
    }
    allow(&version, Step::Answer)?;
    let now = super::now_for(state, &version);
    store::insert_answer(&mut tx, &version, viewer.person_id, now, agrees, comment).await?;
    tx.commit().await?;
    Ok(())
}

/// What stands in the way of an approval by this person, or `None`.
pub fn obstacle(
    version: &Version,
    viewer: &Viewer,
    answers: &[store::Answer],
    reviewed_by_second: bool,
) -> Result<Option<String>> {
    let kind = kind_of(version)?;
    if reviewed_by_second && version.authors.contains(&viewer.person_id) {
        return Ok(Some(
            "You wrote at this. Another publisher reviews and approves it (REVIEW_NOTICES).".into(),
        ));
    }
    let answer = standing_answer(version, answers);
    if let Some(place) = kind.agreement(&version.jurisdictions)
        && answer != Some(true)
    {
        let so_far = match answer {
            Some(_) => "They objected to this text.",
            None => "They haven't answered this text yet.",
        };
        return Ok(Some(format!(
            "In {} the representatives must agree first ({}). {so_far}",
            place.name, place.citation
        )));
    }
    if let Some(place) = kind.consultation(&version.jurisdictions)
        && answer.is_none()
    {
        return Ok(Some(format!(
            "In {} the representatives must be consulted first ({}). They haven't answered this text yet.",
            place.name, place.citation
        )));
    }
    Ok(None)
}

/// The representatives' last answer to exactly this content.
pub fn standing_answer(version: &Version, answers: &[store::Answer]) -> Option<bool> {
    let hash = version.content_sha256.as_deref()?;
    let newest = answers.iter().find(|a| a.version_id == version.id && a.content_sha256 == hash);
    newest.map(|a| a.agrees)
}

/// Approves what was reviewed: content, field table and hash are fixed for good.
pub async fn approve(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32, comment: &str) -> Result<()> {
    publisher(viewer)?;
    let comment = optional(short(comment, "approve_comment")?);
    let mut tx = state.db.begin().await?;
    let version = lock(&mut tx, id, seen).await?;
    allow(&version, Step::Approve)?;
    let answers = store::list_answers(&mut tx, Some(id)).await?;
    if let Some(words) = obstacle(&version, viewer, &answers, state.config.review_notices)? {
        return Err(Error::conflict(words));
    }
    check_register(&mut tx, &version).await?;
    let now = super::now_for(state, &version);
    store::insert_review(&mut tx, &version, viewer.person_id, now, true, comment).await?;
    store::approve(&mut tx, id, now).await?;
    tx.commit().await?;
    Ok(())
}
