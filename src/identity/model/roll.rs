//! The roll: reading the file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DEPARTMENT_LENGTH, JURISDICTIONS, NAME_LENGTH, NUMBER_LENGTH, normalise_email};

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

/// Why a cell won't do whatever its column is, or `None`. A line break inside one is nearly always a
/// quotation mark that was never closed, which swallows the people after it.
fn cell_problem(column: &str, value: &str) -> Option<String> {
    if value.contains(['\n', '\r']) {
        return Some(format!("the cell “{column}” holds a line break; a quotation mark may not be closed"));
    }
    if value.contains(char::is_control) {
        return Some(format!("the cell “{column}” holds a control character"));
    }
    let limit = match column {
        "name" => NAME_LENGTH,
        "department" => DEPARTMENT_LENGTH,
        "employee_number" => NUMBER_LENGTH,
        _ => return None,
    };
    let is_long = value.chars().count() > limit;
    is_long.then(|| format!("the cell “{column}” is longer than {limit} characters"))
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
        let problems: Vec<String> =
            columns.iter().zip(&record).filter_map(|(c, v)| cell_problem(c, v)).collect();
        if !problems.is_empty() {
            errors.extend(problems.into_iter().map(|message| fault(line, message)));
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
    fn a_quotation_mark_that_is_not_closed_swallows_nobody() {
        for file in [
            "email,name\nada@x.org,\"Ada\nbob@x.org,Bob\ncy@x.org,Cy\n",
            "email,name\nada@x.org,\"Ada\nbob@x.org,Bob\"\ncy@x.org,Cy\n",
            "email,name,department\nada@x.org,\"Ada,\nbob@x.org,Bob,\ncy@x.org,\"Cy\",\n",
        ] {
            let errors = read_roll(file.as_bytes()).unwrap_err();
            assert_eq!(errors[0].line, 2, "{errors:?}");
            assert!(errors[0].message.contains("line break"), "{errors:?}");
        }
    }

    #[test]
    fn what_no_keyboard_types_and_what_is_too_long_is_refused() {
        let long = "x".repeat(101);
        for (name, department, number) in [
            ("A\0da", "D", "1"),
            ("Ada", "D\u{1b}[2J", "1"),
            ("Ada", "D", "1\u{7f}2"),
            ("Ada", long.as_str(), "1"),
            ("Ada", "D", &long[..65]),
        ] {
            let file = format!(
                "email,name,department,employee_number\nb@x.org,Bob,,\na@x.org,{name},{department},{number}\n"
            );
            let errors = read_roll(file.as_bytes()).unwrap_err();
            assert_eq!((errors.len(), errors[0].line), (1, 3), "{errors:?}");
        }
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
}
