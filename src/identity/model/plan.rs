//! The roll compared with the accounts there are.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{RollError, RollRow};

/// Somebody as the database has them, for comparing with the roll.
#[derive(Debug, Clone)]
pub struct OnFile {
    pub id: Uuid,
    pub email: String,
    pub name: String,
    pub employee_number: Option<String>,
    pub department: Option<String>,
    pub jurisdiction: String,
    pub time_zone: Option<String>,
    pub on_roll: bool,
    pub active: bool,
}

/// An account that a line of the file changes, and what of it, in words.
#[derive(Debug)]
pub struct Change {
    pub id: Uuid,
    pub row: RollRow,
    pub what: Vec<&'static str>,
}

/// What applying a roll will do.
#[derive(Debug, Default)]
pub struct RollPlan {
    pub added: Vec<RollRow>,
    pub changed: Vec<Change>,
    pub reactivated: Vec<Change>,
    /// Id and name of leavers: on the roll before, not in the file.
    pub deactivated: Vec<(Uuid, String)>,
    pub unchanged: usize,
    /// Whoever imports the file isn't in it: they stay, so that nobody locks themselves out.
    pub importer_stays: bool,
    pub errors: Vec<RollError>,
}

impl RollPlan {
    /// Compares by employee number where both have one, else by e-mail address.
    pub fn new(rows: &[RollRow], people: &[OnFile], importer: Uuid) -> Self {
        let by_number: HashMap<&str, &OnFile> =
            people.iter().filter_map(|p| Some((p.employee_number.as_deref()?, p))).collect();
        let by_email: HashMap<&str, &OnFile> = people.iter().map(|p| (p.email.as_str(), p)).collect();
        let mut plan = RollPlan::default();
        let mut met = HashSet::new();
        for row in rows {
            let numbered = row.employee_number.as_deref().and_then(|n| by_number.get(n).copied());
            let named = by_email.get(row.email.as_str()).copied();
            if let (Some(a), Some(b)) = (numbered, named)
                && a.id != b.id
            {
                let message = "the employee number and the e-mail address belong to two different accounts";
                plan.errors.push(RollError { line: row.line, message: message.into() });
                continue;
            }
            let Some(person) = numbered.or(named) else {
                plan.added.push(row.clone());
                continue;
            };
            if !met.insert(person.id) {
                let message = "is the same account as an earlier line";
                plan.errors.push(RollError { line: row.line, message: message.into() });
                continue;
            }
            let change = Change { id: person.id, row: row.clone(), what: person.differences(row) };
            match (person.active, change.what.is_empty()) {
                (false, _) => plan.reactivated.push(change),
                (true, false) => plan.changed.push(change),
                (true, true) => plan.unchanged += 1,
            }
        }
        let leavers = people.iter().filter(|p| p.on_roll && p.active && !met.contains(&p.id));
        plan.deactivated =
            leavers.clone().filter(|p| p.id != importer).map(|p| (p.id, p.name.clone())).collect();
        plan.importer_stays = leavers.count() > plan.deactivated.len();
        plan
    }

    /// More than a fifth of the roll leaving at once is more often a cut-off file than a lay-off.
    pub fn is_drastic(&self) -> bool {
        let before = self.deactivated.len() + self.changed.len() + self.unchanged;
        self.deactivated.len() >= 3 && self.deactivated.len() * 5 > before
    }
}

impl OnFile {
    /// What a line says otherwise; an empty cell says nothing.
    fn differences(&self, row: &RollRow) -> Vec<&'static str> {
        let other = |new: &Option<String>, old: &Option<String>| new.is_some() && new != old;
        [
            (self.email != row.email, "e-mail address"),
            (self.name != row.name, "name"),
            (other(&row.employee_number, &self.employee_number), "employee number"),
            (other(&row.department, &self.department), "department"),
            (row.jurisdiction.as_ref().is_some_and(|j| *j != self.jurisdiction), "law that applies"),
            (other(&row.time_zone, &self.time_zone), "time zone"),
            (!self.on_roll, "on the roll from now on"),
        ]
        .into_iter()
        .filter_map(|(differs, what)| differs.then_some(what))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_roll;
    use super::*;

    #[test]
    fn a_plan_adds_changes_and_deactivates() {
        let person = |n: u128, email: &str, on_roll| OnFile {
            id: Uuid::from_u128(n),
            email: email.into(),
            name: "N".into(),
            employee_number: None,
            department: None,
            jurisdiction: "DE".into(),
            time_zone: None,
            on_roll,
            active: true,
        };
        let people =
            [person(1, "a@x.org", true), person(2, "b@x.org", true), person(3, "admin@x.org", false)];
        let rows = read_roll(b"email,name\na@x.org,N\nnew@x.org,New\n").unwrap();
        let plan = RollPlan::new(&rows, &people, Uuid::from_u128(3));
        assert_eq!((plan.added.len(), plan.unchanged), (1, 1));
        assert_eq!(plan.deactivated, [(Uuid::from_u128(2), "N".to_owned())]);

        let plan = RollPlan::new(&rows, &people, Uuid::from_u128(2));
        assert!(plan.deactivated.is_empty() && plan.importer_stays);
    }
}
