//! Connecting the representative's server, and the form that takes a key from the command line.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::pairing;
use super::store::representative::RepresentativeRow;
use super::{api, model, wallets};
use crate::app::AppState;
use crate::credentials::wire::{EnrolRequest, IssuerInfo, fingerprint};
use crate::error::{Error, FieldErrors, Result};
use crate::web::forms::refused;
use crate::web::page::{html_invalid, html_with};
use crate::web::{Form, Page, Submitted, Viewer, see_other};

#[derive(Template)]
#[template(path = "petitions/representative.html")]
struct RepresentativePage {
    page: Page,
    form: Form,
    connected: Option<Connected>,
    /// A server that answered and is to be compared.
    found: Option<Found>,
    /// A token just made: shown this once.
    token: Option<String>,
    same_options: Vec<(String, String)>,
    compared_options: Vec<(String, String)>,
}

struct Connected {
    row: RepresentativeRow,
    key: String,
    fingerprint: String,
    independent: bool,
}

struct Found {
    name: String,
    url: String,
    key: String,
    fingerprint: String,
    independent: bool,
}

impl RepresentativePage {
    fn connecting(&self) -> bool {
        self.connected.is_none() || !self.form.errors().is_empty()
    }
}

pub async fn representative(State(state): State<AppState>, page: Page) -> Result<Response> {
    render(&state, page, Form::default(), StatusCode::OK, None, None).await
}

async fn render(
    state: &AppState,
    page: Page,
    form: Form,
    status: StatusCode,
    found: Option<Found>,
    token: Option<String>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let connected = match pairing::representative(&mut db).await? {
        Some(row) => {
            let key = row.key()?;
            Some(Connected {
                independent: pairing::is_independent(&row, &state.config),
                key: key.to_string(),
                fingerprint: fingerprint(&key),
                row,
            })
        }
        None => None,
    };
    drop(db);
    let one = |words: &str| vec![("yes".to_owned(), words.to_owned())];
    let same_options = one("The employer, or whoever runs this dashboard, also runs that machine");
    let compared_options = one("I have compared them, and they are the same");
    let shown = RepresentativePage { page, form, connected, found, token, same_options, compared_options };
    html_with(status, &shown)
}

/// Looks first, and connects once the key was compared.
pub async fn connect(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    submitted: Submitted,
) -> Result<Response> {
    let looked = look(&state, &submitted).await;
    let (info, url) = match looked {
        Ok(found) => found,
        Err(error) => {
            let (errors, status) = refused(error, "url")?;
            return render(&state, page, Form::with_errors(submitted, errors), status, None, None).await;
        }
    };
    let found = Found {
        name: info.name.clone(),
        key: info.public_key.to_string(),
        fingerprint: fingerprint(&info.public_key),
        independent: submitted.text("same_operator") != "yes"
            && model::is_elsewhere(&url, &state.config.base_url),
        url: url.clone(),
    };
    // The first step only shows; the second must come with the very key that was shown.
    if submitted.text("public_key").is_empty() {
        return render(&state, page, Form::new(submitted), StatusCode::OK, Some(found), None).await;
    }
    let mut errors = FieldErrors::default();
    if submitted.text("public_key") != found.key {
        errors.add("compared", "The server shows another key now. Compare again.");
    } else if submitted.text("compared") != "yes" {
        errors.add("compared", "Compare the key with the one on the server’s own screen, and tick the box.");
    }
    if !errors.is_empty() {
        let form = Form::with_errors(submitted, errors);
        return render(&state, page, form, StatusCode::UNPROCESSABLE_ENTITY, Some(found), None).await;
    }
    let same = submitted.text("same_operator") == "yes";
    match pairing::pair(&state, &viewer, &info, &url, submitted.text("run_by"), same).await {
        Ok(token) => render(&state, page, Form::default(), StatusCode::OK, None, Some(token)).await,
        Err(error) => {
            let (errors, status) = refused(error, "url")?;
            render(&state, page, Form::with_errors(submitted, errors), status, None, None).await
        }
    }
}

async fn look(state: &AppState, submitted: &Submitted) -> Result<(IssuerInfo, String)> {
    if submitted.text("run_by").is_empty() {
        return Err(Error::invalid("run_by", "Say who runs it."));
    }
    let url = model::address(submitted.text("url")).map_err(|words| Error::invalid("url", words))?;
    let info = pairing::ask(state, &url).await?;
    Ok((info, url))
}

#[derive(Template)]
#[template(path = "petitions/wallet_key.html")]
struct WalletKeyPage {
    page: Page,
    form: Form,
}

/// Takes what `daylight wallet enrol` printed.
pub async fn wallet_key(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    submitted: Submitted,
) -> Result<Response> {
    let words = "Paste all of what daylight wallet enrol printed, from { to }.";
    let request = api::read::<EnrolRequest>(submitted.text("enrolment").as_bytes());
    let done = match request {
        Ok(request) => wallets::enrol(&state, viewer.person_id, &request).await,
        Err(_) => Err(Error::invalid("enrolment", words)),
    };
    match done {
        Ok(info) if info.from_next_epoch => Ok(see_other("/petitions/wallet?done=wallet-key-next")),
        Ok(_) => Ok(see_other("/petitions/wallet?done=wallet-key")),
        Err(Error::Internal(error)) => Err(Error::Internal(error)),
        Err(error) => {
            let mut errors = FieldErrors::default();
            match error {
                Error::Invalid(fields) => {
                    fields.iter().for_each(|field| errors.add("enrolment", field.message.clone()));
                }
                other => errors.add("enrolment", other.to_string()),
            }
            html_invalid(&WalletKeyPage { page, form: Form::with_errors(submitted, errors) })
        }
    }
}
