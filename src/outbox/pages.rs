//! The outbox, for administrators: what waits, what went out, what failed. A mail's text may hold a link
//! that signs somebody in, so it is shown only while no mail server is configured, and never unnoticed.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::mailer::TRIES;
use super::store::{self, MailRow, WaitingMail};
use crate::app::AppState;
use crate::audit;
use crate::error::{Error, Result};
use crate::web::{Page, Pager, Path, Role, Viewer, html, see_other};

const MAILS_A_PAGE: i64 = 50;

#[derive(Template)]
#[template(path = "outbox/list.html")]
struct OutboxPage {
    page: Page,
    mails: Vec<MailRow>,
    pager: Pager,
    smtp: bool,
    /// Whether mails that aren't listed couldn't be sent.
    stuck: bool,
}

impl MailRow {
    fn gave_up(&self) -> bool {
        self.sent_at.is_none() && (self.attempts >= TRIES || !self.has_body)
    }
}

#[derive(Deserialize)]
pub struct PageQuery {
    page: Option<String>,
}

pub async fn list(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Query(query): Query<PageQuery>,
) -> Result<Response> {
    let mut tx = state.db.begin().await?;
    let total = store::count_mails(&mut tx).await?;
    let pager = Pager::new(query.page.as_deref(), MAILS_A_PAGE, total, "/outbox?");
    let mails = store::list_mails(&mut tx, pager.offset(), pager.limit()).await?;
    let stuck = store::are_confidential_stuck(&mut tx).await?;
    let entry = audit::Entry { action: "outbox.listed", subject: None, object: None, reason: None };
    audit::record(&mut tx, &state, &viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    html(&OutboxPage { page, mails, pager, smtp: state.config.smtp_url.is_some(), stuck })
}

#[derive(Template)]
#[template(path = "outbox/show.html")]
struct MailPage {
    page: Page,
    mail: WaitingMail,
}

/// Shows a waiting mail's text. The entry for the person concerned is written first, in the same
/// transaction: no entry, no text.
pub async fn reveal(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    if state.config.smtp_url.is_some() {
        return Err(Error::conflict("This server sends its mail itself, so nobody is shown a mail's text."));
    }
    let mut tx = state.db.begin().await?;
    let mail = store::find_waiting(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let entry = audit::Entry {
        action: "password.link_shown",
        subject: mail.person_id,
        object: Some(id),
        reason: None,
    };
    audit::record(&mut tx, &state, &viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    html(&MailPage { page, mail })
}

/// Puts a mail to the administrator themselves into the outbox.
pub async fn send_test(State(state): State<AppState>, viewer: Viewer) -> Result<Response> {
    if state.config.smtp_url.is_none() {
        return Err(Error::conflict("No mail server is configured: set SMTP_URL and start again."));
    }
    let mut tx = state.db.begin().await?;
    let address = store::find_address(&mut tx, viewer.person_id).await?;
    let body = format!(
        "This is a test mail from Daylight at {}.\n\nSince you read it, mail works.\n",
        state.config.organisation
    );
    super::enqueue(&mut tx, &state, Some(viewer.person_id), &address, "A test mail from Daylight", &body)
        .await?;
    tx.commit().await?;
    Ok(see_other("/outbox?done=test-mail"))
}
