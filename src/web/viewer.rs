//! Who is asking: a signed-in person and their roles.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::clock::Time;

/// What a person may do here. Somebody can hold several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees what is collected about themselves.
    Worker,
    /// HR: declares, publishes, answers.
    Publisher,
    /// Works council or union: is consulted, checks.
    Representative,
    /// Runs the server; sees no person's data.
    Administrator,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Worker, Role::Publisher, Role::Representative, Role::Administrator];

    pub fn id(self) -> &'static str {
        match self {
            Role::Worker => "worker",
            Role::Publisher => "publisher",
            Role::Representative => "representative",
            Role::Administrator => "administrator",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Role::Worker => "Worker",
            Role::Publisher => "Publisher (HR)",
            Role::Representative => "Representative",
            Role::Administrator => "Administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        Role::ALL.into_iter().find(|r| r.id() == s).ok_or(())
    }
}

/// The signed-in person, put into the request by `identity` and read by everything else.
#[derive(Debug, Clone)]
pub struct Viewer {
    pub person_id: Uuid,
    pub session_id: Uuid,
    pub name: String,
    pub roles: Vec<Role>,
    pub time_zone: TimeZone,
    pub signed_in_at: Time,
}

impl Viewer {
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The role in which this person does something that `allowed` roles may do.
    pub fn acting_as(&self, allowed: &[Role]) -> Option<Role> {
        allowed.iter().copied().find(|r| self.has(*r))
    }
}
