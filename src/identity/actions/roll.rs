//! The roll's import: kept for its dry run, planned, applied.

use sqlx::PgConnection;
use uuid::Uuid;

use super::people::{NewPerson, add_person, department, email_changed, send_invitation, set_active};
use crate::app::AppState;
use crate::audit;
use crate::error::{Error, OnConstraint, Result};
use crate::identity::model::{RollPlan, RollRow};
use crate::identity::store::{self, PersonFields};
use crate::web::{Role, Viewer};

/// Stands as the reason beside each entry that an import makes.
const BY_ROLL: &str = "Import of the roll";

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
pub async fn plan_roll(
    db: &mut PgConnection,
    state: &AppState,
    viewer: &Viewer,
    id: Uuid,
) -> Result<RollPlan> {
    let since = state.clock.now().plus_days(-1);
    let rows = store::find_roll_import(db, id, since).await?.ok_or(Error::NotFound)?;
    let rows: Vec<RollRow> = serde_json::from_value(rows).map_err(anyhow::Error::new)?;
    Ok(RollPlan::new(&rows, &store::list_on_file(db).await?, viewer.person_id))
}

/// Applies an import as a whole or not at all. New people get an invitation; leavers are deactivated.
pub async fn apply_roll(state: &AppState, viewer: &Viewer, id: Uuid, drastic_is_meant: bool) -> Result<()> {
    let mut tx = state.db.begin().await?;
    // The importer stays; that they stay an administrator until this commits, the lock sees to.
    store::lock_administrators(&mut tx).await?;
    let plan = plan_roll(&mut tx, state, viewer, id).await?;
    if !plan.errors.is_empty() {
        return Err(Error::conflict(
            "The file contradicts the accounts there are; the dry run names the lines.",
        ));
    }
    if plan.is_drastic() && !drastic_is_meant {
        let text = "More than a fifth of the roll would leave. Tick the box to say that this is meant.";
        return Err(Error::invalid("drastic", text));
    }
    for row in &plan.added {
        let person_id = join(&mut tx, state, row).await?;
        record(&mut tx, state, viewer, "person.created", person_id).await?;
    }
    for member in &plan.changed {
        change(&mut tx, state, viewer, member.id, &member.row).await?;
        record(&mut tx, state, viewer, "person.changed", member.id).await?;
    }
    for member in &plan.reactivated {
        change(&mut tx, state, viewer, member.id, &member.row).await?;
        set_active(&mut tx, state, viewer, member.id, true, Some(BY_ROLL)).await?;
    }
    for (person_id, _) in &plan.deactivated {
        set_active(&mut tx, state, viewer, *person_id, false, Some(BY_ROLL)).await?;
    }
    let numbers = [plan.added.len(), plan.changed.len(), plan.deactivated.len(), plan.reactivated.len()];
    let counts = numbers.map(|n| i32::try_from(n).unwrap_or(i32::MAX));
    store::finish_roll_import(&mut tx, id, state.clock.now(), counts).await?;
    let entry = audit::Entry { action: "roll.imported", subject: None, object: Some(id), reason: None };
    audit::record(&mut tx, state, viewer, Role::Administrator, entry).await?;
    tx.commit().await?;
    Ok(())
}

async fn record(
    db: &mut PgConnection,
    state: &AppState,
    viewer: &Viewer,
    action: &'static str,
    person_id: Uuid,
) -> Result<()> {
    let entry = audit::Entry { action, subject: Some(person_id), object: None, reason: Some(BY_ROLL) };
    audit::record(db, state, viewer, Role::Administrator, entry).await
}

async fn join(db: &mut PgConnection, state: &AppState, row: &RollRow) -> Result<Uuid> {
    let person = NewPerson {
        email: &row.email,
        name: &row.name,
        employee_number: row.employee_number.as_deref(),
        department: row.department.as_deref(),
        jurisdiction: row.jurisdiction.as_deref().unwrap_or_default(),
        time_zone: row.time_zone.as_deref(),
        roles: &[Role::Worker],
        on_roll: true,
    };
    let id = add_person(db, state, &person).await?;
    send_invitation(db, state, id).await?;
    Ok(id)
}

/// What the file leaves empty stays as it is.
async fn change(
    db: &mut PgConnection,
    state: &AppState,
    viewer: &Viewer,
    id: Uuid,
    row: &RollRow,
) -> Result<()> {
    let before = store::find_person(db, id).await?.ok_or(Error::NotFound)?;
    let fields = PersonFields {
        email: &row.email,
        name: &row.name,
        employee_number: row.employee_number.as_deref().or(before.employee_number.as_deref()),
        department_id: department(db, state, row.department.as_deref()).await?.or(before.department_id),
        jurisdiction: row.jurisdiction.as_deref().unwrap_or(&before.jurisdiction),
        time_zone: row.time_zone.as_deref().or(before.time_zone.as_deref()),
        on_roll: true,
    };
    store::update_person(db, id, &fields, state.clock.now()).await.on_constraint(
        "person_email_once",
        || {
            Error::conflict(
                "Two accounts would have the same address for a moment; import the roll in two steps.",
            )
        },
    )?;
    email_changed(db, state, viewer, &before, &row.email, Some(BY_ROLL)).await?;
    if !before.roles.iter().any(|r| r == "worker") {
        let roles: Vec<String> = before.roles.into_iter().chain(["worker".to_owned()]).collect();
        store::set_roles(db, id, &roles, state.clock.now()).await?;
    }
    Ok(())
}
