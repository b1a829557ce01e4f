//! Mail, written in the transaction that causes it and sent by a worker of its own.
//!
//! Until `SMTP_URL` is set nothing is sent, and the administrator hands the links on by other means; each
//! time one is shown, the person it was made for sees that in their access log.

mod mailer;
mod pages;
mod store;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::AppState;
use crate::error::Result;
use crate::web::{Access, Role, Routes};

pub use mailer::{clean, run, send_due};

const ADMIN: Access = Access::Roles(&[Role::Administrator]);

pub fn routes() -> Routes {
    Routes::new().get("/outbox", ADMIN, pages::list).post("/outbox/{id}/show", ADMIN, pages::reveal).post(
        "/outbox/test",
        ADMIN,
        pages::send_test,
    )
}

/// Puts a mail into the outbox; it goes out after the caller's transaction commits.
pub async fn enqueue(
    db: &mut PgConnection,
    state: &AppState,
    person_id: Option<Uuid>,
    recipient: &str,
    subject: &str,
    body: &str,
) -> Result<()> {
    insert(db, state, person_id, recipient, subject, body, false).await
}

/// As [`enqueue`], for a mail of which even the recipient tells something: the outbox's list leaves it out.
pub async fn enqueue_confidential(
    db: &mut PgConnection,
    state: &AppState,
    person_id: Uuid,
    recipient: &str,
    subject: &str,
    body: &str,
) -> Result<()> {
    insert(db, state, Some(person_id), recipient, subject, body, true).await
}

async fn insert(
    db: &mut PgConnection,
    state: &AppState,
    person_id: Option<Uuid>,
    recipient: &str,
    subject: &str,
    body: &str,
    confidential: bool,
) -> Result<()> {
    let now = state.clock.now();
    let mail = store::NewMail { person_id, recipient, subject, body, confidential };
    store::insert_mail(db, state.random.uuid(now), now, mail).await?;
    Ok(())
}
