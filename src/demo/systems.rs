//! The example's other systems: one that is told and asks, and one that may no more.

use super::people::Staff;
use super::register::Declared;
use crate::app::AppState;
use crate::consent::actions::systems::{self, Registration};
use crate::consent::store::systems as store;
use crate::error::Result;

/// Where in the register's plans they stand: installed programs, the office network, training.
const PROGRAMS: usize = 4;
const OFFICE: usize = 6;
const TRAINING: usize = 7;

pub async fn register(state: &AppState, staff: &Staff, made: &[Declared]) -> Result<()> {
    let helpdesk = Registration {
        name: "Helpdesk",
        purpose: "Keeps computers up to date. Before it looks at the list of programs on yours, it asks here.",
        processings: &[made[PROGRAMS].0, made[OFFICE].0],
        findings: false,
        webhook: None,
    };
    let training = Registration {
        name: "Model workshop",
        purpose: "Collects examples for suggestions in the planning program. It leaves out whoever hasn’t said yes.",
        processings: &[made[TRAINING].0],
        findings: false,
        webhook: None,
    };
    let retired = Registration { name: "Old helpdesk", ..helpdesk };
    for system in [retired, helpdesk, training] {
        state.clock.advance(600);
        systems::register(state, &staff.administrator, system).await?;
    }
    let mut db = state.db.acquire().await?;
    let all = store::list(&mut db).await?;
    drop(db);
    for system in &all {
        systems::approve(state, &staff.representative, system.id).await?;
    }
    for system in all.iter().filter(|s| s.name == retired.name) {
        systems::revoke(state, &staff.administrator, system.id).await?;
    }
    Ok(())
}
