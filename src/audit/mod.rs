//! Who read or changed what about whom (GDPR Art. 15 with CJEU C-579/21).
//!
//! Every read of a person's data by somebody else, and every change of accounts, leaves an entry that the
//! person concerned sees: in which role, when, what, why. The table refuses updates and deletes.

mod pages;
mod store;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::AppState;
use crate::clock::Time;
use crate::error::Result;
use crate::web::{Access, Role, Routes, Viewer};

pub use store::EntryRow;

pub fn routes() -> Routes {
    Routes::new().get("/me/access-log", Access::SignedIn, pages::show)
}

/// What is about to be recorded.
pub struct Entry<'a> {
    pub action: &'static str,
    /// Whom it concerns; `None` for everybody.
    pub subject: Option<Uuid>,
    pub object: Option<Uuid>,
    pub reason: Option<&'a str>,
}

/// Records what `viewer` does as `role`, in the caller's transaction.
pub async fn record(
    db: &mut PgConnection,
    state: &AppState,
    viewer: &Viewer,
    role: Role,
    entry: Entry<'_>,
) -> Result<()> {
    insert(db, state, Some(viewer.person_id), role.id(), entry).await
}

/// Records what the server does by itself, or somebody who isn't signed in.
pub async fn record_system(db: &mut PgConnection, state: &AppState, entry: Entry<'_>) -> Result<()> {
    insert(db, state, None, "system", entry).await
}

async fn insert(
    db: &mut PgConnection,
    state: &AppState,
    actor: Option<Uuid>,
    role: &str,
    entry: Entry<'_>,
) -> Result<()> {
    let now = state.clock.now();
    store::insert_entry(db, state.random.uuid(now), now, actor, role, &entry).await?;
    Ok(())
}

/// How often somebody did this since a moment, as far as it concerned everybody.
pub async fn count_own(db: &mut PgConnection, actor: Uuid, action: &str, since: Time) -> Result<i64> {
    Ok(store::count_own(db, actor, action, since).await?)
}

/// An action in words, for the person concerned.
pub fn words(action: &str) -> &'static str {
    match action {
        "roll.listed" => "The list of people was opened",
        "person.viewed" => "Your account page was opened",
        "person.created" => "Your account was made",
        "person.changed" => "Your account was changed",
        "email.changed" => "Your e-mail address was changed",
        "person.deactivated" => "Your account was deactivated",
        "person.reactivated" => "Your account was made active again",
        "person.invited" => "An invitation was sent to you",
        "password.reset_requested" => "A link to set a new password was asked for",
        "password.set" => "Your password was set",
        "password.link_shown" => "A sign-in or password link made for you was shown to an administrator",
        "outbox.listed" => "The list of mails and who gets them was opened",
        "roll.imported" => "The roll was imported",
        "device.assigned" => "A device was assigned to you",
        "device.released" => "A device was taken off your name",
        "device.denied" => "Somebody to whom you had assigned a device said that it isn’t theirs",
        "device.has_agent" => "A device was assigned to you from which an agent reports already",
        "device.is_prepared" => {
            "A device was assigned to you for which a secret waits that lets another agent report from it"
        }
        "agent.enrolled" => "An agent began to report from your device",
        "agent.denied" => "Somebody said that an agent on their device isn’t right, and it was revoked",
        "agent.prepared" => "A secret was made that lets another agent report from your device",
        "agent.revoked" => "An agent on your device was revoked",
        "feed.made" => "An address was made at which a feed reader gets the findings as you can",
        "feed.ended" => "Your address for feed readers was ended",
        "export.imported" => {
            "An export of a monitoring product with records about you was uploaded; its rows were counted"
        }
        "export.tried" => {
            "An export of a monitoring product was uploaded for a dry run, which may hold records about anybody"
        }
        "acknowledgement.exported" => {
            "Your acknowledgement of a notice was exported, because a law makes your employer prove it"
        }
        "system.registered" => {
            "Another system was registered, which may ask what you allow once it is let in"
        }
        "system.approved" => "Another system was given leave to ask what you allow",
        "system.renewed" => "The access of a system that may ask what you allow was made anew",
        "system.revoked" => "A system’s leave to ask what you allow was taken back",
        "objection.read" => "Your objection was opened",
        "representative.connected" => {
            "The workers’ representative’s server was connected, which is given the roll to check"
        }
        "roll.countersigned" => {
            "The representative’s server was given the roll with your name and department, and signed it"
        }
        "devices.listed" => "The list of devices and whose they are was opened",
        _ => "Something else was done",
    }
}
