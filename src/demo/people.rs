//! The example's people.

use uuid::Uuid;

use super::{ACCOUNTS, PASSWORD};
use crate::app::AppState;
use crate::error::Result;
use crate::identity::{self, NewPerson};
use crate::web::{Role, Viewer};

const DEPARTMENTS: [&str; 5] = ["Dispatch", "Warehouse", "Customer service", "Finance", "Engineering"];

const NAMES: [&str; 36] = [
    "Emil Brandt",
    "Freya Lund",
    "Goran Petrov",
    "Hanna Seidel",
    "Ivo Marek",
    "Jana Kowal",
    "Kofi Mensah",
    "Lena Vogt",
    "Milan Horak",
    "Nora Berg",
    "Oskar Reich",
    "Paula Sommer",
    "Quentin Roux",
    "Rosa Almeida",
    "Sami Haddad",
    "Tilda Strand",
    "Umut Kaya",
    "Vera Lang",
    "Willem Bakker",
    "Xenia Wolf",
    "Yusuf Demir",
    "Zoe Hartmann",
    "Anton Krug",
    "Bea Lindner",
    "Cem Aydin",
    "Dora Klein",
    "Elif Yilmaz",
    "Felix Maurer",
    "Greta Holm",
    "Hugo Stein",
    "Ines Pavic",
    "Jonas Ritter",
    "Klara Busch",
    "Leo Fischer",
    "Mara Engel",
    "Nils Peters",
];

/// Somebody with a device, and the two who act in the register.
pub struct Staff {
    pub workers: Vec<Worker>,
    pub publisher: Viewer,
    pub representative: Viewer,
    pub administrator: Viewer,
}

pub struct Worker {
    pub id: Uuid,
    /// Also seeds the agent's key and figures.
    pub email: String,
    pub name: String,
}

pub async fn is_filled(state: &AppState) -> Result<bool> {
    let mut db = state.db.acquire().await?;
    Ok(!identity::active_people(&mut db).await?.is_empty())
}

pub async fn fill(state: &AppState) -> Result<Staff> {
    let mut tx = state.db.begin().await?;
    let mut workers = Vec::new();
    let mut viewers = Vec::new();
    for (i, (email, who)) in ACCOUNTS.into_iter().enumerate() {
        let name = who.split(',').next().unwrap_or(who);
        let roles: &[Role] = match i {
            0 => &[Role::Worker],
            1 => &[Role::Worker, Role::Publisher],
            2 => &[Role::Worker, Role::Representative],
            _ => &[Role::Administrator],
        };
        let department = ["Dispatch", "Finance", "Warehouse", "Engineering"][i];
        let person = NewPerson {
            email,
            name,
            department: Some(department),
            jurisdiction: "DE",
            roles,
            on_roll: i < 3,
            ..NewPerson::default()
        };
        let id = identity::add_person(&mut tx, state, &person).await?;
        identity::set_known_password(&mut tx, state, email, PASSWORD).await?;
        viewers.push(viewer(state, id, name, roles));
        if i < 3 {
            workers.push(Worker { id, email: email.into(), name: name.into() });
        }
    }
    for (i, name) in NAMES.into_iter().enumerate() {
        let email = format!("{}@demo.example", name.to_lowercase().replace(' ', "."));
        let person = NewPerson {
            email: &email,
            name,
            department: Some(DEPARTMENTS[i % DEPARTMENTS.len()]),
            jurisdiction: if i % 9 == 8 { "AT" } else { "DE" },
            roles: &[Role::Worker],
            on_roll: true,
            ..NewPerson::default()
        };
        let id = identity::add_person(&mut tx, state, &person).await?;
        workers.push(Worker { id, email, name: name.into() });
    }
    tx.commit().await?;
    let administrator = viewers.swap_remove(3);
    let representative = viewers.swap_remove(2);
    let publisher = viewers.swap_remove(1);
    Ok(Staff { workers, publisher, representative, administrator })
}

fn viewer(state: &AppState, person_id: Uuid, name: &str, roles: &[Role]) -> Viewer {
    Viewer {
        person_id,
        session_id: Uuid::nil(),
        name: name.into(),
        roles: roles.to_vec(),
        time_zone: state.config.time_zone.clone(),
        signed_in_at: state.clock.now(),
    }
}
