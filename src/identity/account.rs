//! One's own account: who I am here, where I'm signed in, password and time zone.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use uuid::Uuid;

use super::store::{self, PersonSummary};
use super::{actions, link, model, sessions};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, FieldErrors, Result};
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Role, Submitted, Viewer, html, see_other};

#[derive(Template)]
#[template(path = "identity/account.html")]
struct AccountPage {
    page: Page,
    form: Form,
    person: PersonSummary,
    /// Each role in words, with what it means.
    roles: Vec<(&'static str, &'static str)>,
    jurisdiction: String,
    sessions: Vec<SessionLine>,
    time_zones: &'static [String],
}

struct SessionLine {
    id: Uuid,
    browser: String,
    signed_in: Time,
    last_seen: Time,
    is_this_one: bool,
}

async fn account_page(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    form: Option<Form>,
) -> Result<AccountPage> {
    let mut db = state.db.acquire().await?;
    let person = store::find_person(&mut db, viewer.person_id).await?.ok_or(Error::NotFound)?;
    let idle_since = page.now.plus_seconds(-model::SESSION_IDLE_HOURS * 3600);
    let sessions = store::list_sessions(&mut db, viewer.person_id, page.now).await?;
    let sessions = sessions.into_iter().filter(|s| s.last_seen_at > idle_since).map(|s| SessionLine {
        id: s.id,
        browser: s.browser,
        signed_in: s.created_at,
        last_seen: s.last_seen_at,
        is_this_one: s.id == viewer.session_id,
    });
    Ok(AccountPage {
        form: form.unwrap_or_else(|| {
            let mut values = Submitted::default();
            values.set("time_zone", person.time_zone.as_deref().unwrap_or_default());
            Form::new(values)
        }),
        page,
        roles: viewer.roles.iter().map(|r: &Role| (r.words(), model::role_meaning(*r))).collect(),
        jurisdiction: model::jurisdiction_words(&person.jurisdiction).to_owned(),
        person,
        sessions: sessions.collect(),
        time_zones: &model::TIME_ZONES,
    })
}

pub async fn show(State(state): State<AppState>, page: Page, viewer: Viewer) -> Result<Response> {
    html(&account_page(&state, page, &viewer, None).await?)
}

/// The page again with what is wrong, or the error itself.
async fn again(
    state: &AppState,
    page: Page,
    viewer: &Viewer,
    submitted: Submitted,
    error: Error,
) -> Result<Response> {
    let status = error.status();
    let errors = match error {
        Error::Invalid(errors) => errors,
        other => return Err(other),
    };
    html_with(status, &account_page(state, page, viewer, Some(Form::with_errors(submitted, errors))).await?)
}

pub async fn change_password(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    mut submitted: Submitted,
) -> Result<Response> {
    let changed = match check_new_password(&state, &viewer, &submitted).await? {
        errors if !errors.is_empty() => Err(Error::Invalid(errors)),
        _ => {
            let (current, new) = (submitted.raw("current"), submitted.raw("password"));
            actions::change_password(&state, &viewer, current, new).await
        }
    };
    match changed {
        Ok(()) => Ok(see_other("/me/account?done=password-set")),
        Err(error) => {
            // The other form on the page shows what it showed before.
            submitted.set("time_zone", viewer_zone(&state, &viewer).await?);
            again(&state, page, &viewer, submitted, error).await
        }
    }
}

async fn check_new_password(state: &AppState, viewer: &Viewer, submitted: &Submitted) -> Result<FieldErrors> {
    let mut db = state.db.acquire().await?;
    let person = store::find_person(&mut db, viewer.person_id).await?.ok_or(Error::NotFound)?;
    let mut errors = FieldErrors::default();
    if submitted.raw("current").is_empty() {
        errors.add("current", "Enter your present password.");
    }
    if let Err(found) = link::new_password(submitted, "password", &person.email) {
        found.iter().for_each(|e| errors.add(e.field.clone(), e.message.clone()));
    }
    Ok(errors)
}

async fn viewer_zone(state: &AppState, viewer: &Viewer) -> Result<String> {
    let mut db = state.db.acquire().await?;
    let person = store::find_person(&mut db, viewer.person_id).await?;
    Ok(person.and_then(|p| p.time_zone).unwrap_or_default())
}

pub async fn change_time_zone(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    submitted: Submitted,
) -> Result<Response> {
    match actions::set_time_zone(&state, &viewer, submitted.optional("time_zone")).await {
        Ok(()) => Ok(see_other("/me/account?done=zone-saved")),
        Err(error) => again(&state, page, &viewer, submitted, error).await,
    }
}

pub async fn end_session(
    State(state): State<AppState>,
    viewer: Viewer,
    jar: CookieJar,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    actions::end_session(&state, &viewer, id).await?;
    if id == viewer.session_id {
        let to = see_other("/sign-in?done=signed-out");
        return Ok((jar.add(sessions::removal(&state.config)), to).into_response());
    }
    Ok(see_other("/me/account?done=session-ended"))
}
