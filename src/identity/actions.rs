//! What changes people, sessions and links; each function is one transaction.

use axum::http::StatusCode;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{self, RollPlan, RollRow};
use super::store::{self, PersonFields};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, FieldErrors, OnConstraint, Result};
use crate::web::times;
use crate::web::{Role, Viewer};
use crate::{audit, outbox};

/// Why signing in failed; one text for unknown accounts and wrong passwords.
pub const SIGN_IN_FAILED: &str = "The e-mail address and the password don't go together.";

/// Signs in; answers the session's token. Unknown accounts take the same path and time as known ones.
pub async fn sign_in(state: &AppState, email: &str, password: &str, browser: &str) -> Result<String> {
    let email = email.trim().to_lowercase();
    let account = model::token_hash(&email);
    let now = state.clock.now();
    let mut db = state.db.acquire().await?;
    let since = now.plus_seconds(-model::FAILURE_MINUTES * 60);
    if store::count_failures(&mut db, &account, since).await? >= model::FAILURES_ALLOWED {
        return Err(Error::Rejected(
            StatusCode::TOO_MANY_REQUESTS,
            format!(
                "Too many failed tries for this account. Wait {} minutes, or set a new password.",
                model::FAILURE_MINUTES
            )
            .into(),
        ));
    }
    let credentials = store::find_credentials(&mut db, &email).await?;
    let hash = credentials.as_ref().and_then(|c| c.password_hash.as_deref());
    // A connection isn't held while the hash is computed.
    drop(db);
    let matches = state.passwords.verify(password, hash).await?;
    let mut db = state.db.acquire().await?;
    match credentials {
        Some(credentials) if matches => {
            store::delete_failures(&mut db, &account).await?;
            open_session(&mut db, state, credentials.id, browser).await
        }
        _ => {
            store::insert_failure(&mut db, &account, now).await?;
            Err(Error::invalid("email", SIGN_IN_FAILED))
        }
    }
}

pub(super) async fn open_session(
    db: &mut PgConnection,
    state: &AppState,
    person_id: Uuid,
    browser: &str,
) -> Result<String> {
    let now = state.clock.now();
    let token = state.random.token();
    let expires_at = now.plus_days(model::SESSION_DAYS);
    let id = state.random.uuid(now);
    store::insert_session(db, id, &model::token_hash(&token), person_id, now, expires_at, browser).await?;
    Ok(token)
}

/// Makes a one-time link; answers its full address. What the database keeps of it is a hash.
pub(super) async fn issue_link(
    db: &mut PgConnection,
    state: &AppState,
    purpose: &'static str,
    person_id: Option<Uuid>,
    hours: i64,
) -> Result<String> {
    let now = state.clock.now();
    let token = state.random.token();
    let expires_at = now.plus_seconds(hours * 3600);
    let id = state.random.uuid(now);
    store::insert_link(db, id, &model::token_hash(&token), purpose, person_id, now, expires_at).await?;
    Ok(format!("{}/link/{token}", state.config.base_url))
}

/// Mails a link to set a new password, if the address has an account. Says nothing about whether it has.
pub async fn request_reset(state: &AppState, email: &str) -> Result<()> {
    let Some(email) = model::normalise_email(email) else { return Ok(()) };
    let mut tx = state.db.begin().await?;
    let Some(person) = store::find_credentials(&mut tx, &email).await? else { return Ok(()) };
    let now = state.clock.now();
    if store::count_links_since(&mut tx, person.id, now.plus_seconds(-3600)).await? >= model::LINKS_AN_HOUR {
        return Ok(());
    }
    let link = issue_link(&mut tx, state, "password_reset", Some(person.id), 2).await?;
    let body = format!(
        "Somebody asked for a new password for your Daylight account at {}.\n\n\
         If it was you, open this address within two hours:\n{link}\n\n\
         If it was not you, nothing has changed and you need do nothing.\n",
        state.config.organisation
    );
    outbox::enqueue(&mut tx, state, Some(person.id), &email, "Set a new password", &body).await?;
    let entry = audit::Entry {
        action: "password.reset_requested",
        subject: Some(person.id),
        object: None,
        reason: None,
    };
    audit::record_system(&mut tx, state, entry).await?;
    tx.commit().await?;
    Ok(())
}

/// What a one-time link is for, without using it up: a mail scanner's visit changes nothing.
pub async fn peek_link(state: &AppState, token: &str) -> Result<store::LinkRow> {
    let mut tx = state.db.begin().await?;
    let link = store::find_link(&mut tx, &model::token_hash(token), state.clock.now()).await?;
    link.ok_or(Error::Rejected(
        StatusCode::GONE,
        "This link was used already, or its time has passed. Ask for a new one.".into(),
    ))
}

/// Uses a link to set a password and signs in; every other session of the person ends.
pub async fn set_password_by_link(
    state: &AppState,
    token: &str,
    password: &str,
    browser: &str,
) -> Result<String> {
    let hash = state.passwords.hash(password).await?;
    let mut tx = state.db.begin().await?;
    let link = locked_link(&mut tx, state, token, &["invitation", "password_reset"]).await?;
    let person_id = link.person_id.ok_or(Error::NotFound)?;
    set_password(&mut tx, state, person_id, &hash, None).await?;
    store::use_link(&mut tx, link.id, Some(person_id), state.clock.now()).await?;
    let token = open_session(&mut tx, state, person_id, browser).await?;
    tx.commit().await?;
    Ok(token)
}

/// Uses a sign-in link; answers the session's token.
pub async fn sign_in_by_link(state: &AppState, token: &str, browser: &str) -> Result<String> {
    let mut tx = state.db.begin().await?;
    let link = locked_link(&mut tx, state, token, &["sign_in"]).await?;
    let person_id = link.person_id.ok_or(Error::NotFound)?;
    // Only this link: the others printed beside it are for other windows.
    store::use_link(&mut tx, link.id, None, state.clock.now()).await?;
    let token = open_session(&mut tx, state, person_id, browser).await?;
    tx.commit().await?;
    Ok(token)
}

/// Uses the first-run link: makes the first administrator and signs them in.
pub async fn set_up(
    state: &AppState,
    token: &str,
    email: &str,
    name: &str,
    password: &str,
    browser: &str,
) -> Result<String> {
    let hash = state.passwords.hash(password).await?;
    let mut tx = state.db.begin().await?;
    let link = locked_link(&mut tx, state, token, &["setup"]).await?;
    let person = NewPerson { email, name, roles: &[Role::Administrator], ..NewPerson::default() };
    let id = add_person(&mut tx, state, &person).await?;
    store::set_password(&mut tx, id, &hash).await?;
    store::use_link(&mut tx, link.id, None, state.clock.now()).await?;
    let token = open_session(&mut tx, state, id, browser).await?;
    tx.commit().await?;
    Ok(token)
}

async fn locked_link(
    db: &mut PgConnection,
    state: &AppState,
    token: &str,
    purposes: &[&str],
) -> Result<store::LinkRow> {
    store::find_link(db, &model::token_hash(token), state.clock.now())
        .await?
        .filter(|link| purposes.contains(&link.purpose.as_str()))
        .ok_or(Error::Rejected(
            StatusCode::GONE,
            "This link was used already, or its time has passed. Ask for a new one.".into(),
        ))
}

async fn set_password(
    db: &mut PgConnection,
    state: &AppState,
    person_id: Uuid,
    hash: &str,
    keep: Option<Uuid>,
) -> Result<()> {
    store::set_password(db, person_id, hash).await?;
    store::delete_sessions_of(db, person_id, keep).await?;
    let entry = audit::Entry { action: "password.set", subject: Some(person_id), object: None, reason: None };
    audit::record_system(db, state, entry).await
}

/// Changes one's own password after checking the present one; the present session stays.
pub async fn change_password(state: &AppState, viewer: &Viewer, current: &str, new: &str) -> Result<()> {
    let mut db = state.db.acquire().await?;
    let present = store::password_hash(&mut db, viewer.person_id).await?;
    drop(db);
    if !state.passwords.verify(current, present.as_deref()).await? {
        return Err(Error::invalid("current", "That isn't your present password."));
    }
    let hash = state.passwords.hash(new).await?;
    let mut tx = state.db.begin().await?;
    set_password(&mut tx, state, viewer.person_id, &hash, Some(viewer.session_id)).await?;
    tx.commit().await?;
    Ok(())
}

/// A link for first-run set-up, when there is no administrator yet; `None` otherwise.
pub async fn first_run_link(state: &AppState) -> Result<Option<String>> {
    let mut tx = state.db.begin().await?;
    if store::count_administrators(&mut tx, None).await? > 0 {
        return Ok(None);
    }
    let link = issue_link(&mut tx, state, "setup", None, 24).await?;
    tx.commit().await?;
    Ok(Some(link))
}

/// A link that signs a person in once; for the example and for recovering an administrator.
pub async fn issue_sign_in_link(state: &AppState, email: &str, hours: i64) -> Result<Option<String>> {
    let mut tx = state.db.begin().await?;
    let Some(person) = store::find_credentials(&mut tx, email).await? else { return Ok(None) };
    let link = issue_link(&mut tx, state, "sign_in", Some(person.id), hours).await?;
    tx.commit().await?;
    Ok(Some(link))
}

/// Records that this database is an example or the real thing, and refuses to mix them.
pub async fn mark_installation(state: &AppState) -> Result<()> {
    let mut db = state.db.acquire().await?;
    let demo = store::ensure_installation(&mut db, state.config.demo, state.clock.now()).await?;
    match (demo, state.config.demo) {
        (true, false) => Err(Error::conflict(
            "this database holds the example, whose passwords everybody knows; use another one for serve",
        )),
        (false, true) => Err(Error::conflict("this database is a real one; demo won't touch it")),
        _ => Ok(()),
    }
}

/// Sets a password without a link: for the example's accounts alone.
pub async fn set_known_password(
    db: &mut PgConnection,
    state: &AppState,
    email: &str,
    password: &str,
) -> Result<()> {
    let hash = state.passwords.hash(password).await?;
    let person = store::find_credentials(db, email).await?.ok_or(Error::NotFound)?;
    store::set_password(db, person.id, &hash).await?;
    Ok(())
}

/// An account to be made; `department` by name, made when there is none.
#[derive(Default)]
pub struct NewPerson<'a> {
    pub email: &'a str,
    pub name: &'a str,
    pub employee_number: Option<&'a str>,
    pub department: Option<&'a str>,
    /// Empty means EU.
    pub jurisdiction: &'a str,
    pub time_zone: Option<&'a str>,
    pub roles: &'a [Role],
    pub on_roll: bool,
}

/// Makes an account, in the caller's transaction; answers its id.
pub async fn add_person(db: &mut PgConnection, state: &AppState, person: &NewPerson<'_>) -> Result<Uuid> {
    let email = checked(person.email, person.name, person.jurisdiction, person.time_zone)?;
    let now = state.clock.now();
    let id = state.random.uuid(now);
    let fields = PersonFields {
        email: &email,
        name: person.name.trim(),
        employee_number: person.employee_number,
        department_id: department(db, state, person.department).await?,
        jurisdiction: if person.jurisdiction.is_empty() { "EU" } else { person.jurisdiction },
        time_zone: person.time_zone,
        on_roll: person.on_roll,
    };
    store::insert_person(db, id, &fields, now).await.on_constraint("person_email_once", || {
        Error::invalid("email", "This address has an account already.")
    })?;
    let roles: Vec<String> = person.roles.iter().map(|r| r.id().to_owned()).collect();
    store::set_roles(db, id, &roles, now).await?;
    Ok(id)
}

async fn department(db: &mut PgConnection, state: &AppState, name: Option<&str>) -> Result<Option<Uuid>> {
    match name.map(str::trim).filter(|n| !n.is_empty()) {
        None => Ok(None),
        Some(name) => {
            let id = state.random.uuid(state.clock.now());
            Ok(Some(store::ensure_department(db, id, name).await?))
        }
    }
}

fn checked(email: &str, name: &str, jurisdiction: &str, time_zone: Option<&str>) -> Result<String> {
    let mut errors = FieldErrors::default();
    let email = model::normalise_email(email);
    if email.is_none() {
        errors.add("email", "Enter an e-mail address, such as name@example.com.");
    }
    if name.trim().is_empty() || name.chars().count() > 200 {
        errors.add("name", "Enter a name of at most 200 characters.");
    }
    if !jurisdiction.is_empty() && !model::JURISDICTIONS.iter().any(|(code, _)| *code == jurisdiction) {
        errors.add("jurisdiction", "Choose one from the list.");
    }
    if time_zone.is_some_and(|z| jiff::tz::TimeZone::get(z).is_err()) {
        errors.add("time_zone", "Enter an IANA time zone, such as Europe/Berlin, or leave it empty.");
    }
    errors.into_result()?;
    Ok(email.unwrap_or_default())
}

/// Makes an account by hand and mails its invitation.
pub async fn invite(state: &AppState, viewer: &Viewer, person: &NewPerson<'_>) -> Result<Uuid> {
    let mut tx = state.db.begin().await?;
    let id = add_person(&mut tx, state, person).await?;
    let entry = audit::Entry { action: "person.created", subject: Some(id), object: None, reason: None };
    audit::record(&mut tx, state, viewer, Role::Administrator, entry).await?;
    send_invitation(&mut tx, state, id).await?;
    tx.commit().await?;
    Ok(id)
}

/// Mails a new invitation to an account that has no password yet.
pub async fn invite_again(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let person = store::find_person(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if person.has_password || person.deactivated_at.is_some() {
        return Err(Error::conflict(
            "This account needs no invitation: it has a password or is deactivated.",
        ));
    }
    send_invitation(&mut tx, state, id).await?;
    let entry = audit::Entry { action: "person.invited", subject: Some(id), object: None, reason: None };
    audit::record(&mut tx, state, viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    Ok(())
}

async fn send_invitation(db: &mut PgConnection, state: &AppState, id: Uuid) -> Result<()> {
    let person = store::find_person(db, id).await?.ok_or(Error::NotFound)?;
    let link = issue_link(db, state, "invitation", Some(id), 7 * 24).await?;
    let until = times::moment(state.clock.now().plus_days(7), &state.config.time_zone);
    let body = format!(
        "Hello {},\n\n{} uses Daylight to show you what its monitoring collects about you.\n\n\
         Open this address to set your password (it works once, until {until}):\n{link}\n",
        person.name, state.config.organisation
    );
    outbox::enqueue(db, state, Some(id), &person.email, "Your Daylight account", &body).await
}

/// Changes an account's fields and roles.
pub async fn update(state: &AppState, viewer: &Viewer, id: Uuid, person: &NewPerson<'_>) -> Result<()> {
    let email = checked(person.email, person.name, person.jurisdiction, person.time_zone)?;
    let mut tx = state.db.begin().await?;
    let before = store::find_person(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if before.roles.iter().any(|r| r == "administrator") && !person.roles.contains(&Role::Administrator) {
        keep_an_administrator(&mut tx, id).await?;
    }
    let fields = PersonFields {
        email: &email,
        name: person.name.trim(),
        employee_number: person.employee_number,
        department_id: department(&mut tx, state, person.department).await?,
        jurisdiction: person.jurisdiction,
        time_zone: person.time_zone,
        on_roll: before.on_roll,
    };
    store::update_person(&mut tx, id, &fields).await.on_constraint("person_email_once", || {
        Error::invalid("email", "This address has another account.")
    })?;
    let roles: Vec<String> = person.roles.iter().map(|r| r.id().to_owned()).collect();
    store::set_roles(&mut tx, id, &roles, state.clock.now()).await?;
    let entry = audit::Entry { action: "person.changed", subject: Some(id), object: None, reason: None };
    audit::record(&mut tx, state, viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    Ok(())
}

async fn keep_an_administrator(db: &mut PgConnection, without: Uuid) -> Result<()> {
    match store::count_administrators(db, Some(without)).await? {
        0 => Err(Error::conflict("This is the last administrator; make somebody else one first.")),
        _ => Ok(()),
    }
}

/// Deactivates an account: its sessions end, nothing is deleted.
pub async fn deactivate(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let person = store::find_person(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if person.roles.iter().any(|r| r == "administrator") {
        keep_an_administrator(&mut tx, id).await?;
    }
    set_active(&mut tx, state, id, false).await?;
    let entry = audit::Entry { action: "person.deactivated", subject: Some(id), object: None, reason: None };
    audit::record(&mut tx, state, viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes an account active again.
pub async fn reactivate(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    store::find_person(&mut tx, id).await?.ok_or(Error::NotFound)?;
    set_active(&mut tx, state, id, true).await?;
    let entry = audit::Entry { action: "person.reactivated", subject: Some(id), object: None, reason: None };
    audit::record(&mut tx, state, viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    Ok(())
}

async fn set_active(db: &mut PgConnection, state: &AppState, id: Uuid, active: bool) -> Result<()> {
    let at: Option<Time> = (!active).then(|| state.clock.now());
    store::set_deactivated(db, id, at).await?;
    if !active {
        store::delete_sessions_of(db, id, None).await?;
    }
    Ok(())
}

/// Keeps a roll's rows for its dry run; answers the import's id.
pub async fn prepare_roll(state: &AppState, viewer: &Viewer, rows: &[RollRow]) -> Result<Uuid> {
    let now = state.clock.now();
    let id = state.random.uuid(now);
    let rows = serde_json::to_value(rows).map_err(anyhow::Error::new)?;
    let mut db = state.db.acquire().await?;
    store::insert_roll_import(&mut db, id, now, viewer.person_id, rows).await?;
    Ok(id)
}

/// What applying an import would do now.
pub async fn plan_roll(db: &mut PgConnection, state: &AppState, id: Uuid) -> Result<RollPlan> {
    let since = state.clock.now().plus_days(-1);
    let rows = store::find_roll_import(db, id, since).await?.ok_or(Error::NotFound)?;
    let rows: Vec<RollRow> = serde_json::from_value(rows).map_err(anyhow::Error::new)?;
    Ok(RollPlan::new(&rows, &store::list_on_file(db).await?))
}

/// Applies an import as a whole or not at all. New people get an invitation; leavers are deactivated.
pub async fn apply_roll(state: &AppState, viewer: &Viewer, id: Uuid, drastic_is_meant: bool) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let plan = plan_roll(&mut tx, state, id).await?;
    if !plan.errors.is_empty() {
        return Err(Error::conflict(
            "The file contradicts the accounts there are; see the lines named above.",
        ));
    }
    if plan.is_drastic() && !drastic_is_meant {
        return Err(Error::conflict(
            "More than a fifth of the roll would leave. Tick the box to say it is meant.",
        ));
    }
    for row in &plan.added {
        let person = NewPerson {
            email: &row.email,
            name: &row.name,
            employee_number: row.employee_number.as_deref(),
            department: row.department.as_deref(),
            jurisdiction: &row.jurisdiction,
            time_zone: row.time_zone.as_deref(),
            roles: &[Role::Worker],
            on_roll: true,
        };
        let person_id = add_person(&mut tx, state, &person).await?;
        send_invitation(&mut tx, state, person_id).await?;
    }
    for (person_id, row) in plan.changed.iter().chain(&plan.reactivated) {
        let before = store::find_person(&mut tx, *person_id).await?.ok_or(Error::NotFound)?;
        let fields = PersonFields {
            email: &row.email,
            name: &row.name,
            employee_number: row.employee_number.as_deref().or(before.employee_number.as_deref()),
            department_id: department(&mut tx, state, row.department.as_deref())
                .await?
                .or(before.department_id),
            jurisdiction: &row.jurisdiction,
            time_zone: row.time_zone.as_deref().or(before.time_zone.as_deref()),
            on_roll: true,
        };
        store::update_person(&mut tx, *person_id, &fields).await?;
        if !before.roles.iter().any(|r| r == "worker") {
            let roles: Vec<String> = before.roles.into_iter().chain(["worker".to_owned()]).collect();
            store::set_roles(&mut tx, *person_id, &roles, state.clock.now()).await?;
        }
    }
    for (person_id, _) in &plan.reactivated {
        set_active(&mut tx, state, *person_id, true).await?;
    }
    for (person_id, _) in &plan.deactivated {
        set_active(&mut tx, state, *person_id, false).await?;
    }
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let counts = [
        count(plan.added.len()),
        count(plan.changed.len()),
        count(plan.deactivated.len()),
        count(plan.reactivated.len()),
    ];
    store::finish_roll_import(&mut tx, id, state.clock.now(), counts).await?;
    let entry = audit::Entry { action: "roll.imported", subject: None, object: Some(id), reason: None };
    audit::record(&mut tx, state, viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    Ok(())
}
