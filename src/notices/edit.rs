//! The editor: words in each language, what they cover, and beside them what the register says, what the law
//! still asks for, and how it will look.

use askama::Template;
use axum::extract::State as FromState;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use super::actions::{self, Edit};
use super::checks::{self, Required};
use super::fields;
use super::laws::Kind;
use super::markdown;
use super::model::{ChangeClass, Covered, LANGUAGES, Text, Version, direction, language_name};
use super::store;
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::identity;
use crate::register::{Jurisdiction, Revision};
use crate::web::forms::seen;
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Submitted, Viewer, html, see_other};

type Options = Vec<(String, String)>;

/// A text as it will look.
pub struct Rendered {
    pub language: String,
    pub direction: &'static str,
    pub language_name: String,
    pub title: String,
    pub html: String,
}

impl Rendered {
    pub fn all(texts: &[Text]) -> Vec<Rendered> {
        let one = |t: &Text| Rendered {
            language: t.language.clone(),
            direction: direction(&t.language),
            language_name: language_name(&t.language).into(),
            title: t.title.clone(),
            html: markdown::render(&t.markdown),
        };
        texts.iter().map(one).collect()
    }
}

/// What stands beside the form; also sent alone, when a script asks for it.
#[derive(Template)]
#[template(path = "notices/preview.html")]
struct Preview {
    required: Vec<Required>,
    /// Words that keep it from being submitted, besides what is required.
    problems: Vec<String>,
    table: Vec<Covered>,
    texts: Vec<Rendered>,
}

impl Preview {
    fn of(kind: &'static Kind, version: &Version, table: Vec<Covered>, newest: &[Revision]) -> Result<Self> {
        let missing = actions::missing(version, &table, newest)?;
        let problems = missing.iter().filter(|e| e.field != "required").map(|e| e.message.to_string());
        Ok(Preview {
            required: checks::required(kind, &version.texts, &table),
            problems: problems.collect(),
            texts: Rendered::all(&version.texts),
            table,
        })
    }

    fn missing(&self) -> usize {
        self.required.iter().filter(|r| r.is_missing()).count() + self.problems.len()
    }
}

impl askama::filters::HtmlSafe for Preview {}

struct Lists {
    jurisdictions: Options,
    departments: Options,
    processings: Options,
    /// Those that aren't written in yet.
    languages: Options,
}

#[derive(Template)]
#[template(path = "notices/edit.html")]
struct EditPage {
    page: Page,
    form: Form,
    version: Version,
    kind: &'static Kind,
    lists: Lists,
    languages: Vec<String>,
    preview: Preview,
    revision: i32,
    wanted: Options,
    /// The place that makes an acknowledgement a duty.
    demanded: Option<&'static Jurisdiction>,
}

impl EditPage {
    fn is_editorial(&self) -> bool {
        self.version.class == ChangeClass::Editorial
    }

    fn is_stale(&self) -> bool {
        self.form.errors().of("newest").is_some()
    }

    /// Whether somebody has submitted it while this was written.
    fn is_closed(&self) -> bool {
        self.version.state != super::State::Draft
    }

    fn action(&self) -> String {
        format!("/publishing/versions/{}", self.version.id)
    }

    fn language(&self, code: &str) -> &'static str {
        LANGUAGES.iter().find(|(c, _, _)| *c == code).map_or("another language", |(_, name, _)| name)
    }

    /// Names of a language's fields.
    fn title_field(&self, code: &str) -> String {
        format!("title-{code}")
    }

    fn markdown_field(&self, code: &str) -> String {
        format!("markdown-{code}")
    }
}

/// What the editor sends, as it was typed.
pub fn read(form: &Submitted) -> Edit {
    let text = |language: &str| Text {
        language: language.into(),
        title: form.text(&format!("title-{language}")).into(),
        markdown: form.raw(&format!("markdown-{language}")).into(),
    };
    Edit {
        texts: form.all("languages").map(text).collect(),
        jurisdictions: form.all("jurisdictions").map(Into::into).collect(),
        departments: form.all("departments").filter_map(|id| id.parse().ok()).collect(),
        processings: form.all("processings").filter_map(|id| id.parse().ok()).collect(),
        acknowledgement_wanted: form.text("acknowledgement_wanted") == "yes",
        reason: form.optional("reason").map(Into::into),
    }
}

/// The draft as the form would have sent it.
fn fill(version: &Version) -> Submitted {
    let mut form = Submitted::default();
    form.set("revision", version.revision.to_string());
    for text in &version.texts {
        form.set("languages", text.language.as_str());
        form.set(&format!("title-{}", text.language), text.title.as_str());
        form.set(&format!("markdown-{}", text.language), text.markdown.as_str());
    }
    version.jurisdictions.iter().for_each(|j| form.set("jurisdictions", j.as_str()));
    version.departments.iter().for_each(|d| form.set("departments", d.to_string()));
    version.processings.iter().for_each(|p| form.set("processings", p.to_string()));
    if version.acknowledgement_wanted {
        form.set("acknowledgement_wanted", "yes");
    }
    form.set("reason", version.reason.clone().unwrap_or_default());
    form
}

fn lists(
    version: &Version,
    coverable: &[Revision],
    departments: &[(Uuid, String)],
    used: &[String],
) -> Lists {
    let pair = |id: String, words: String| (id, words);
    let places = Jurisdiction::all().iter().map(|j| match j.citation.as_str() {
        "" => pair(j.code.clone(), j.name.clone()),
        citation => pair(j.code.clone(), format!("{} ({citation})", j.name)),
    });
    let mut processings: Options = coverable
        .iter()
        .map(|r| {
            let words = format!("{}. Recorded by {}", fields::name(r), r.content.source.name);
            let state = match r.state {
                crate::register::State::Active => String::new(),
                other => format!(" ({})", other.words().to_lowercase()),
            };
            pair(r.processing_id.to_string(), words + &state)
        })
        .collect();
    let gone = version.processings.iter().filter(|id| !coverable.iter().any(|r| r.processing_id == **id));
    processings.extend(gone.map(|id| pair(id.to_string(), "No longer declared: untick it".into())));
    let free = LANGUAGES.iter().filter(|(code, _, _)| !used.iter().any(|u| u == code));
    let mut languages = vec![pair(String::new(), "Choose…".into())];
    languages.extend(free.map(|(code, name, own)| {
        pair((*code).into(), if name == own { (*name).into() } else { format!("{name} ({own})") })
    }));
    Lists {
        jurisdictions: places.collect(),
        departments: departments.iter().map(|(id, name)| pair(id.to_string(), name.clone())).collect(),
        processings,
        languages,
    }
}

/// The editor with `shown`, which may be what was typed and isn't saved.
async fn page_of(
    state: &AppState,
    page: Page,
    form: Form,
    version: Version,
    shown: &Edit,
    status: StatusCode,
) -> Result<Response> {
    let kind = actions::kind_of(&version)?;
    let mut db = state.db.acquire().await?;
    let coverable = actions::coverable(&mut db).await?;
    let departments = identity::list_departments(&mut db).await?;
    drop(db);
    let table = fields::table(&coverable, &shown.processings, &departments);
    let typed = Version {
        texts: shown.texts.clone(),
        jurisdictions: shown.jurisdictions.clone(),
        processings: shown.processings.clone(),
        reason: shown.reason.clone(),
        ..version.clone()
    };
    let languages: Vec<String> = shown.texts.iter().map(|t| t.language.clone()).collect();
    let revision = match status {
        // The page says that there is a newer version: the next try is made knowing of it.
        StatusCode::CONFLICT => version.revision,
        _ => form.value("revision").parse().unwrap_or(0),
    };
    html_with(
        status,
        &EditPage {
            page,
            lists: lists(&version, &coverable, &departments, &languages),
            languages,
            preview: Preview::of(kind, &typed, table, &coverable)?,
            demanded: kind.acknowledgement_demanded(&shown.jurisdictions),
            wanted: vec![("yes".into(), "People are asked to acknowledge that they have read it".into())],
            form,
            version,
            kind,
            revision,
        },
    )
}

async fn draft(state: &AppState, id: Uuid) -> Result<Version> {
    let version = store::find_version(&mut *state.db.acquire().await?, id).await?.ok_or(Error::NotFound)?;
    if version.state != super::State::Draft {
        return Err(Error::conflict("This is no draft any more, so its words can't be changed."));
    }
    Ok(version)
}

pub async fn edit(
    FromState(state): FromState<AppState>,
    page: Page,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let version = draft(&state, id).await?;
    let filled = fill(&version);
    let shown = read(&filled);
    page_of(&state, page, Form::new(filled), version, &shown, StatusCode::OK).await
}

/// Saves, and does what the pressed button says besides.
pub async fn save(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let mut edit = read(&submitted);
    let action = submitted.text("action");
    let result = match change_languages(&mut edit, action, submitted.text("add_language")) {
        Ok(()) => actions::save(&state, &viewer, id, seen(&submitted), &edit).await,
        Err(refused) => Err(refused),
    };
    let (errors, status) = match result {
        Ok(_) if action == "continue" => return Ok(see_other(&format!("/publishing/versions/{id}"))),
        Ok(_) if action.starts_with("add") || action.starts_with("remove") => {
            return Ok(see_other(&format!("/publishing/versions/{id}/edit#texts")));
        }
        Ok(_) => return Ok(see_other(&format!("/publishing/versions/{id}/edit?done=notice-saved"))),
        Err(Error::Invalid(errors)) => (errors, StatusCode::UNPROCESSABLE_ENTITY),
        Err(Error::Conflict(words)) => {
            let mut errors = FieldErrors::default();
            errors.add("newest", words);
            (errors, StatusCode::CONFLICT)
        }
        Err(other) => return Err(other),
    };
    // Also when it is no draft any more: what was typed isn't lost.
    let version = store::find_version(&mut *state.db.acquire().await?, id).await?.ok_or(Error::NotFound)?;
    let typed = read(&submitted);
    page_of(&state, page, Form::with_errors(submitted, errors), version, &typed, status).await
}

fn change_languages(edit: &mut Edit, action: &str, added: &str) -> Result<()> {
    if action == "add-language" {
        let known = LANGUAGES.iter().any(|(code, _, _)| *code == added);
        if !known || edit.texts.iter().any(|t| t.language == added) {
            return Err(Error::invalid("add_language", "Choose a language from the list."));
        }
        edit.texts.push(Text { language: added.into(), title: String::new(), markdown: String::new() });
    }
    if let Some(code) = action.strip_prefix("remove-") {
        edit.texts.retain(|t| t.language != code);
    }
    Ok(())
}

/// As [`save`], for the script: the new revision, or why not.
pub async fn autosave(
    FromState(state): FromState<AppState>,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let refused =
        |status: StatusCode, detail: &str| (status, axum::Json(json!({ "detail": detail }))).into_response();
    match actions::save(&state, &viewer, id, seen(&submitted), &read(&submitted)).await {
        Ok(revision) => Ok(axum::Json(json!({ "revision": revision })).into_response()),
        Err(Error::Conflict(_)) => Ok(refused(
            StatusCode::CONFLICT,
            "somebody else has changed this draft. Your text is still here: press Save to see both.",
        )),
        Err(Error::Invalid(errors)) => {
            let first = errors.iter().next().map(|e| e.message.to_string()).unwrap_or_default();
            Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, &first))
        }
        Err(other) => Err(other),
    }
}

/// How it looks, without saving: the whole page, or for the script the part beside the form.
pub async fn preview(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let version = draft(&state, id).await?;
    let edit = read(&submitted);
    if submitted.text("part") == "preview" {
        let typed = actions::preview(&state, &viewer, id, &edit).await?;
        let mut db = state.db.acquire().await?;
        let table = actions::table_now(&mut db, &typed.processings).await?;
        let coverable = actions::coverable(&mut db).await?;
        return html(&Preview::of(actions::kind_of(&version)?, &typed, table, &coverable)?);
    }
    page_of(&state, page, Form::new(submitted), version, &edit, StatusCode::OK).await
}
