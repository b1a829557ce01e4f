//! The exports that are understood: tables of data, compiled in and parsed once.

use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::clock::Day;
use crate::register::Category;

fn read<T: DeserializeOwned>(text: &str) -> Vec<T> {
    let rows: Result<Vec<T>, _> = csv::Reader::from_reader(text.as_bytes()).deserialize().collect();
    rows.expect("the compiled-in table is well formed; a test reads it")
}

/// One export of one vendor.
#[derive(Debug, Deserialize)]
pub struct Format {
    /// As agents and the register name it.
    pub program: String,
    pub vendor: String,
    pub format: String,
    pub name: String,
    pub kind: Kind,
    /// The key of a JSON document's records.
    pub list: String,
    /// Hours after a day's end until the vendor's own records are said to be complete.
    pub lag_hours: i32,
    pub lag_note: String,
    /// The documentation, and when it was read.
    pub source: String,
    read_on: jiff::civil::Date,
    /// How much of it the documentation says.
    pub certainty: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Csv,
    Json,
}

/// What a column or key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    Who,
    When,
    /// What kind of event it is; `events.csv` has their categories.
    Event,
    /// A record of this category, where it isn't empty.
    What(Category),
    /// Known, and of no use here.
    Other,
}

#[derive(Debug, Deserialize)]
struct ColumnRow {
    program: String,
    format: String,
    column: String,
    role: String,
    category: String,
}

/// A column or key as the vendor's documentation has it.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub says: Says,
}

#[derive(Debug, Deserialize)]
struct EventRow {
    program: String,
    begins_with: String,
    category: String,
}

#[derive(Debug, Deserialize)]
struct ComparableRow {
    program: String,
    category: String,
    compare: Comparable,
}

/// What of an export can be held against agents' counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Comparable {
    /// A row is what an agent counts as one record.
    Count,
    /// Only that there are records on a day.
    Presence,
}

static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| read(include_str!("formats.csv")));
static COLUMNS: LazyLock<Vec<ColumnRow>> = LazyLock::new(|| read(include_str!("columns.csv")));
static EVENTS: LazyLock<Vec<EventRow>> = LazyLock::new(|| read(include_str!("events.csv")));
static COMPARABLE: LazyLock<Vec<ComparableRow>> = LazyLock::new(|| read(include_str!("comparable.csv")));

impl Format {
    pub fn read_on(&self) -> Day {
        self.read_on.into()
    }

    pub fn all() -> impl Iterator<Item = &'static Format> {
        FORMATS.iter()
    }

    /// By the id that forms use: `activtrak/activity-log`.
    pub fn parse(id: &str) -> Option<&'static Format> {
        Format::all().find(|f| f.id() == id)
    }

    pub fn find(program: &str, format: &str) -> Option<&'static Format> {
        Format::all().find(|f| f.program == program && f.format == format)
    }

    pub fn id(&self) -> String {
        format!("{}/{}", self.program, self.format)
    }

    /// "ActivTrak: Activity Log".
    pub fn title(&self) -> String {
        format!("{}: {}", self.vendor, self.name)
    }

    /// Best first, where several say the same.
    pub fn columns(&self) -> Vec<Column> {
        let own = COLUMNS.iter().filter(|c| c.program == self.program && c.format == self.format);
        own.map(|row| Column { name: &row.column, says: says(row) }).collect()
    }

    /// The column of this name as a header has it.
    pub fn column(&self, header: &str) -> Option<Column> {
        let name = header.trim().to_lowercase();
        self.columns().into_iter().find(|c| c.name == name)
    }
}

fn says(row: &ColumnRow) -> Says {
    match row.role.as_str() {
        "person" => Says::Who,
        "time" => Says::When,
        "event" => Says::Event,
        "category" => Category::parse(&row.category).map_or(Says::Other, Says::What),
        _ => Says::Other,
    }
}

/// The vendor's name for a program.
pub fn vendor(program: &str) -> &str {
    Format::all().find(|f| f.program == program).map_or(program, |f| &f.vendor)
}

/// Programs and their vendors' names, each once.
pub fn programs() -> Vec<(&'static str, &'static str)> {
    let mut all: Vec<(&str, &str)> = Format::all().map(|f| (&*f.program, &*f.vendor)).collect();
    all.dedup();
    all
}

/// Every documented name of a column or a key's last part, lower case: what may be said of where something stood.
pub fn documented_names(program: &str) -> Vec<&'static str> {
    let own = COLUMNS.iter().filter(|c| c.program == program);
    own.map(|c| c.column.rsplit('.').next().unwrap_or(&c.column)).collect()
}

/// The category of an event's kind; `None` for kinds that no category is known of.
pub fn event_category(program: &str, kind: &str) -> Option<Category> {
    let kind = kind.trim().to_lowercase();
    let row = EVENTS.iter().find(|e| e.program == program && kind.starts_with(&e.begins_with))?;
    Category::parse(&row.category)
}

/// What can be compared of a program's export and a category.
pub fn comparable(program: &str, category: Category) -> Comparable {
    let own = COMPARABLE.iter().find(|c| c.program == program && c.category == category.id());
    own.map_or(Comparable::Presence, |c| c.compare)
}

/// Programs with the hours that their records are waited for: the longest of their exports'.
pub fn lags() -> Vec<(&'static str, i32)> {
    let mut lags: Vec<(&'static str, i32)> = Vec::new();
    for format in Format::all() {
        match lags.iter_mut().find(|(program, _)| *program == format.program) {
            Some((_, hours)) => *hours = (*hours).max(format.lag_hours),
            None => lags.push((&format.program, format.lag_hours)),
        }
    }
    lags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::source_key;

    #[test]
    fn every_format_says_where_it_is_documented_and_who_when_and_what() {
        for format in Format::all() {
            assert!(format.source.starts_with("https://") && !format.certainty.is_empty(), "{}", format.id());
            assert_eq!(source_key(&format.program), format.program, "as agents and the register have it");
            assert_eq!(format.kind == Kind::Json, !format.list.is_empty(), "{}", format.id());
            let columns = format.columns();
            let has = |f: fn(&Says) -> bool| columns.iter().any(|c| f(&c.says));
            assert!(has(|s| *s == Says::Who) && has(|s| *s == Says::When), "{}", format.id());
            assert!(has(|s| matches!(s, Says::What(_) | Says::Event)), "{}", format.id());
        }
    }

    #[test]
    fn the_tables_name_only_what_there_is() {
        for row in COLUMNS.iter() {
            assert!(Format::find(&row.program, &row.format).is_some(), "{}", row.column);
            assert_eq!(row.role == "category", Category::parse(&row.category).is_some(), "{}", row.column);
            assert!(["person", "time", "event", "category", "other"].contains(&row.role.as_str()));
        }
        assert!(EVENTS.iter().all(|e| Category::parse(&e.category).is_some()));
        assert!(COMPARABLE.iter().all(|c| c.category == "*" || Category::parse(&c.category).is_some()));
        let screenshots = Category::parse("screen.image").expect("a category");
        assert_eq!(comparable("hubstaff", screenshots), Comparable::Count);
        assert_eq!(comparable("activtrak", screenshots), Comparable::Presence);
    }
}
