//! Accounts: made, changed, deactivated.

use sqlx::PgConnection;
use uuid::Uuid;

use super::links::issue_link;
use crate::app::AppState;
use crate::error::{Error, FieldErrors, Result};
use crate::identity::model;
use crate::identity::store::{self, PersonFields};
use crate::web::{Role, Viewer, times};
use crate::{audit, outbox};

/// Said of a time zone that there isn't.
const NO_ZONE: &str = "Enter an IANA time zone, such as Europe/Berlin, or leave it empty.";

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
    let email = checked(person, false)?;
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
    taken(store::insert_person(db, id, &fields, now).await)?;
    let roles: Vec<String> = person.roles.iter().map(|r| r.id().to_owned()).collect();
    store::set_roles(db, id, &roles, now).await?;
    Ok(id)
}

pub(super) async fn department(
    db: &mut PgConnection,
    state: &AppState,
    name: Option<&str>,
) -> Result<Option<Uuid>> {
    match name.map(str::trim).filter(|n| !n.is_empty()) {
        None => Ok(None),
        Some(name) => {
            let id = state.random.uuid(state.clock.now());
            Ok(Some(store::ensure_department(db, id, name).await?))
        }
    }
}

/// Finds every mistake at once; answers the address as it is stored. By hand, a role must be ticked:
/// an account without one can do nothing, and nobody would be told why.
fn checked(person: &NewPerson<'_>, by_hand: bool) -> Result<String> {
    let mut errors = FieldErrors::default();
    let email = model::normalise_email(person.email);
    let (name, number, department) = (person.name.trim(), person.employee_number, person.department);
    if name.is_empty() || !model::fits(name, model::NAME_LENGTH) {
        errors.add("name", "Enter a name of at most 200 characters.");
    }
    if email.is_none() {
        errors.add("email", "Enter an e-mail address, such as name@example.com.");
    }
    if number.is_some_and(|n| !model::fits(n, model::NUMBER_LENGTH)) {
        errors.add("employee_number", "Enter at most 64 characters.");
    }
    if department.is_some_and(|d| !model::fits(d, model::DEPARTMENT_LENGTH)) {
        errors.add("department", "Enter at most 100 characters.");
    }
    let jurisdiction = person.jurisdiction;
    if !jurisdiction.is_empty() && !model::JURISDICTIONS.iter().any(|(code, _)| *code == jurisdiction) {
        errors.add("jurisdiction", "Choose one from the list.");
    }
    if check_time_zone(person.time_zone).is_err() {
        errors.add("time_zone", NO_ZONE);
    }
    if by_hand && person.roles.is_empty() {
        errors.add("roles", "Tick at least one role.");
    }
    errors.into_result()?;
    Ok(email.unwrap_or_default())
}

pub(super) fn check_time_zone(time_zone: Option<&str>) -> Result<()> {
    match time_zone.map(jiff::tz::TimeZone::get) {
        Some(Err(_)) => Err(Error::invalid("time_zone", NO_ZONE)),
        _ => Ok(()),
    }
}

/// Which field a constraint's violation belongs to.
fn taken<T>(result: sqlx::Result<T>) -> Result<T> {
    let constraint = match &result {
        Err(sqlx::Error::Database(db)) => db.constraint().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    match constraint.as_str() {
        "person_email_once" => Err(Error::invalid("email", "Another account has this address.")),
        "person_employee_number_once" => {
            Err(Error::invalid("employee_number", "Another account has this employee number."))
        }
        _ => Ok(result?),
    }
}

/// Makes an account by hand and mails its invitation.
pub async fn invite(state: &AppState, viewer: &Viewer, person: &NewPerson<'_>) -> Result<Uuid> {
    checked(person, true)?;
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
    store::void_links_of(&mut tx, id, state.clock.now()).await?;
    send_invitation(&mut tx, state, id).await?;
    let entry = audit::Entry { action: "person.invited", subject: Some(id), object: None, reason: None };
    audit::record(&mut tx, state, viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn send_invitation(db: &mut PgConnection, state: &AppState, id: Uuid) -> Result<()> {
    let person = store::find_person(db, id).await?.ok_or(Error::NotFound)?;
    let link = issue_link(db, state, "invitation", Some(id), 7 * 24).await?;
    let zone = state.config.time_zone.iana_name().unwrap_or("UTC");
    let until = times::moment(state.clock.now().plus_days(7), &state.config.time_zone);
    let body = format!(
        "Hello {},\n\n{} uses Daylight to show you what its monitoring collects about you.\n\n\
         Open this address to set your password (it works once, until {until} {zone}):\n{link}\n",
        person.name, state.config.organisation
    );
    outbox::enqueue(db, state, Some(id), &person.email, "Your Daylight account", &body).await
}

/// Changes an account's fields and roles.
pub async fn update(state: &AppState, viewer: &Viewer, id: Uuid, person: &NewPerson<'_>) -> Result<()> {
    let email = checked(person, true)?;
    let mut tx = state.db.begin().await?;
    let before = store::find_person(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if before.roles.iter().any(|r| r == "administrator") && !person.roles.contains(&Role::Administrator) {
        keep_an_administrator(&mut tx, id, |text| Error::invalid("roles", text)).await?;
    }
    let fields = PersonFields {
        email: &email,
        name: person.name.trim(),
        employee_number: person.employee_number,
        department_id: department(&mut tx, state, person.department).await?,
        jurisdiction: if person.jurisdiction.is_empty() { "EU" } else { person.jurisdiction },
        time_zone: person.time_zone,
        on_roll: before.on_roll,
    };
    taken(store::update_person(&mut tx, id, &fields, state.clock.now()).await)?;
    let roles: Vec<String> = person.roles.iter().map(|r| r.id().to_owned()).collect();
    store::set_roles(&mut tx, id, &roles, state.clock.now()).await?;
    let entry = audit::Entry { action: "person.changed", subject: Some(id), object: None, reason: None };
    audit::record(&mut tx, state, viewer, Role::Administrator, entry).await?;
    email_changed(&mut tx, state, viewer, &before, &email, None).await?;
    tx.commit().await?;
    Ok(())
}

/// What a new address brings with it, if it is one: links in the old mailbox end, and the old address is
/// told, since whoever can change an address can take the account.
pub(super) async fn email_changed(
    db: &mut PgConnection,
    state: &AppState,
    viewer: &Viewer,
    before: &store::PersonSummary,
    email: &str,
    reason: Option<&str>,
) -> Result<()> {
    if before.email == email {
        return Ok(());
    }
    store::void_links_of(db, before.id, state.clock.now()).await?;
    let entry = audit::Entry { action: "email.changed", subject: Some(before.id), object: None, reason };
    audit::record(db, state, viewer, Role::Administrator, entry).await?;
    // The new address isn't named: the old one may have been somebody else's.
    let body = format!(
        "Hello {},\n\nthe e-mail address of your Daylight account at {} was changed by an administrator. \
         Links that were sent to this address no longer work.\n\n\
         If you didn't expect this, ask whoever runs Daylight where you work.\n",
        before.name, state.config.organisation
    );
    let subject = "The e-mail address of your account was changed";
    outbox::enqueue(db, state, Some(before.id), &before.email, subject, &body).await
}

async fn keep_an_administrator(
    db: &mut PgConnection,
    without: Uuid,
    refusal: impl FnOnce(&'static str) -> Error,
) -> Result<()> {
    // Two administrators who remove each other at the same moment would leave none.
    store::lock_administrators(db).await?;
    match store::count_administrators(db, Some(without)).await? {
        0 => Err(refusal("This is the last administrator; make somebody else one first.")),
        _ => Ok(()),
    }
}

/// Deactivates an account: its sessions and links end, its devices are nobody's; nothing is deleted.
pub async fn deactivate(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let person = store::find_person(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if person.roles.iter().any(|r| r == "administrator") {
        keep_an_administrator(&mut tx, id, Error::conflict).await?;
    }
    set_active(&mut tx, state, viewer, id, false, None).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes an account active again.
pub async fn reactivate(state: &AppState, viewer: &Viewer, id: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    store::find_person(&mut tx, id).await?.ok_or(Error::NotFound)?;
    set_active(&mut tx, state, viewer, id, true, None).await?;
    tx.commit().await?;
    Ok(())
}

/// Deactivates or reactivates, and records it.
pub(super) async fn set_active(
    db: &mut PgConnection,
    state: &AppState,
    viewer: &Viewer,
    id: Uuid,
    active: bool,
    reason: Option<&str>,
) -> Result<()> {
    let now = state.clock.now();
    store::set_deactivated(db, id, (!active).then_some(now)).await?;
    let action = if active { "person.reactivated" } else { "person.deactivated" };
    let entry = audit::Entry { action, subject: Some(id), object: None, reason };
    audit::record(db, state, viewer, Role::Administrator, entry).await?;
    if active {
        return Ok(());
    }
    store::delete_sessions_of(db, id, None).await?;
    // Else they would work again once the account does.
    store::void_links_of(db, id, now).await?;
    // Whoever gets the machine next is somebody else: what it reports from now on isn't about the leaver.
    for device in store::end_assignments_of(db, id, now).await? {
        let entry =
            audit::Entry { action: "device.released", subject: Some(id), object: Some(device), reason };
        audit::record(db, state, viewer, Role::Administrator, entry).await?;
    }
    Ok(())
}
