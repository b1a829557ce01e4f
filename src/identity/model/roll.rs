//! The roll: reading the file, and comparing it with the accounts there are.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{JURISDICTIONS, normalise_email};

/// One row of the roll, as read from the CSV file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollRow {
    pub line: u64,
    pub email: String,
    pub name: String,
    pub employee_number: Option<String>,
    pub department: Option<String>,
    pub jurisdiction: Option<String>,
    pub time_zone: Option<String>,
}

/// A fault in the file, by line (1 is the header).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollError {
    pub line: u64,
    pub message: String,
}

const COLUMNS: [&str; 6] = ["email", "name", "employee_number", "department", "jurisdiction", "time_zone"];

/// Reads the roll: UTF-8 CSV with a header; `email` and `name` are required columns. Every fault of the
/// file is found in one pass.
pub fn read_roll(bytes: &[u8]) -> Result<Vec<RollRow>, Vec<RollError>> {
    let fault = |line, message: String| RollError { line, message };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count() as u64 + 1;
        vec![fault(line, "isn't UTF-8 text; save the file as “CSV UTF-8”".into())]
    })?;
    let delimiter = match text.lines().next() {
        Some(header) if header.matches(';').count() > header.matches(',').count() => b';',
        _ => b',',
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|_| vec![fault(1, "the header can't be read".into())])?.clone();
    let columns: Vec<String> = header.iter().map(|c| c.to_lowercase().replace([' ', '-'], "_")).collect();
    let mut errors = Vec::new();
    for required in ["email", "name"] {
        if !columns.iter().any(|c| c == required) {
            errors.push(fault(
                1,
                format!("the column “{required}” is missing; columns are {}", COLUMNS.join(", ")),
            ));
        }
    }
    for (i, column) in columns.iter().enumerate() {
        if !COLUMNS.contains(&column.as_str()) {
            errors.push(fault(1, format!("column {} is none of {}", i + 1, COLUMNS.join(", "))));
        } else if columns[..i].contains(column) {
            errors.push(fault(1, format!("the column “{column}” stands twice")));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut rows = Vec::new();
    let mut seen: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for record in reader.records() {
        let Ok(record) = record else {
            errors.push(fault(0, "a row can't be read; check its quotation marks".into()));
            continue;
        };
        let line = record.position().map_or(0, csv::Position::line);
        if record.iter().all(str::is_empty) {
            continue;
        }
        if record.len() != columns.len() {
            errors.push(fault(line, format!("has {} cells instead of {}", record.len(), columns.len())));
            continue;
        }
        let cell = |name: &str| {
            let index = columns.iter().position(|c| c == name)?;
            record.get(index).filter(|v| !v.is_empty()).map(str::to_owned)
        };
        let before = errors.len();
        let email = match cell("email").as_deref().map(normalise_email) {
            Some(Some(email)) => email,
            Some(None) => {
                errors.push(fault(line, "the e-mail address isn't one".into()));
                String::new()
            }
            None => {
                errors.push(fault(line, "the e-mail address is missing".into()));
                String::new()
            }
        };
        let name = cell("name").unwrap_or_default();
        if name.is_empty() {
            errors.push(fault(line, "the name is missing".into()));
        } else if name.chars().count() > 200 {
            errors.push(fault(line, "the name is longer than 200 characters".into()));
        }
        let jurisdiction = cell("jurisdiction").map(|code| code.to_uppercase());
        if jurisdiction.as_ref().is_some_and(|j| !JURISDICTIONS.iter().any(|(code, _)| code == j)) {
            let known: Vec<&str> = JURISDICTIONS.iter().map(|(code, _)| *code).collect();
            errors.push(fault(line, format!("the jurisdiction is none of {}", known.join(", "))));
        }
        let time_zone = cell("time_zone");
        if time_zone.as_deref().is_some_and(|z| jiff::tz::TimeZone::get(z).is_err()) {
            errors.push(fault(line, "the time zone isn't an IANA name, such as Europe/Berlin".into()));
        }
        let row = RollRow {
            line,
            email,
            name,
            employee_number: cell("employee_number"),
            department: cell("department"),
            jurisdiction,
            time_zone,
        };
        for (what, key) in
            [("e-mail address", Some(row.email.clone())), ("employee number", row.employee_number.clone())]
        {
            if let Some(key) = key.filter(|k| !k.is_empty())
                && let Some(first) = seen.insert((what, key), line)
            {
                errors.push(fault(line, format!("has the same {what} as line {first}")));
            }
        }
        if errors.len() == before {
            rows.push(row);
        }
    }
    if rows.is_empty() && errors.is_empty() {
        errors.push(fault(1, "the file holds no people".into()));
    }
    errors.sort_by_key(|e| e.line);
    if errors.is_empty() { Ok(rows) } else { Err(errors) }
}

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
    use super::*;

    #[test]
    fn every_fault_is_named_by_its_line() {
        let file = "email,name,jurisdiction,time_zone\n\
                    ada@example.com,Ada,EU,\n\
                    not-an-address,Bob,EU,\n\
                    cy@example.com,,MARS,Nowhere/At\n\
                    ada@example.com,Ada again,EU,\n\
                    too,few\n";
        let errors = read_roll(file.as_bytes()).unwrap_err();
        let lines: Vec<u64> = errors.iter().map(|e| e.line).collect();
        assert_eq!(lines, [3, 4, 4, 4, 5, 6]);
        assert!(errors[4].message.contains("line 2"));
        assert!(!errors.iter().any(|e| e.message.contains("not-an-address")), "a value is never quoted");
    }

    #[test]
    fn headers_semicolons_and_marks_are_read() {
        let rows = read_roll("\u{feff}E-Mail;Name\n".replace("E-Mail", "Email").as_bytes());
        assert_eq!(rows.unwrap_err()[0].message, "the file holds no people");
        let rows = read_roll(b"Name;Email\nGrace; Grace@Example.com \n").unwrap();
        assert_eq!(rows[0].email, "grace@example.com");
        assert_eq!(read_roll(b"name\nx\n").unwrap_err()[0].line, 1);
        assert_eq!(read_roll(b"email,name\na@b.c,\xff\n").unwrap_err()[0].line, 2);
    }

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
