//! Categories, purposes, countries and jurisdictions: tables of data, compiled in and parsed once.

use std::fmt;
use std::sync::LazyLock;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

fn read<T: DeserializeOwned>(text: &str) -> Vec<T> {
    csv::Reader::from_reader(text.as_bytes())
        .deserialize()
        .collect::<Result<_, _>>()
        .expect("the compiled-in table is well formed; a test reads it")
}

#[derive(Deserialize)]
struct CategoryRow {
    id: String,
    name: String,
    plain_words: String,
    seen_in: String,
    sensitivity: u8,
    dpv: String,
    dpv_exact: bool,
}

#[derive(Deserialize)]
struct PurposeRow {
    id: String,
    name: String,
    plain_words: String,
}

/// What the law of one place asks for before monitoring starts.
#[derive(Debug, Deserialize)]
pub struct Jurisdiction {
    pub code: String,
    pub name: String,
    /// "GDPR", "UK GDPR", or empty where neither applies.
    pub data_law: String,
    /// Whether the EU's AI Act applies.
    pub ai_act: bool,
    /// Representatives must agree, with a works agreement, before activation.
    pub agreement_before_activation: bool,
    /// Representatives must have answered, either way, before activation.
    pub consultation_before_activation: bool,
    /// Days between the notice to workers and activation.
    pub minimum_notice_days: i64,
    /// The id of the category that needs each person's release first, or empty.
    opt_in_only: String,
    /// The rule's place in the law.
    pub citation: String,
    /// The rule in one sentence.
    pub words: String,
}

#[derive(Deserialize)]
struct CountryRow {
    code: String,
    name: String,
    eea: bool,
}

static CATEGORIES: LazyLock<Vec<CategoryRow>> = LazyLock::new(|| read(include_str!("categories.csv")));
static PURPOSES: LazyLock<Vec<PurposeRow>> = LazyLock::new(|| read(include_str!("purposes.csv")));
static JURISDICTIONS: LazyLock<Vec<Jurisdiction>> = LazyLock::new(|| read(include_str!("jurisdictions.csv")));
static COUNTRIES: LazyLock<Vec<CountryRow>> = LazyLock::new(|| read(include_str!("countries.csv")));

/// What kind of thing is recorded about a person; never which vendor records it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Category(u8);

impl Category {
    /// `None` for an id that the table doesn't have.
    pub fn parse(id: &str) -> Option<Self> {
        Category::all().find(|c| c.id() == id)
    }

    /// Every category, in the table's order.
    pub fn all() -> impl Iterator<Item = Category> {
        (0..CATEGORIES.len()).map(|i| Category(i as u8))
    }

    /// What an agent reports when it can't tell.
    pub fn unknown() -> Self {
        Category::parse("unknown").expect("the table has it; a test reads it")
    }

    fn row(self) -> &'static CategoryRow {
        &CATEGORIES[usize::from(self.0)]
    }

    /// Such as `app.usage`.
    pub fn id(self) -> &'static str {
        &self.row().id
    }

    /// For headings: "Programs you use".
    pub fn name(self) -> &'static str {
        &self.row().name
    }

    /// For sentences: "which programs you use".
    pub fn words(self) -> &'static str {
        &self.row().plain_words
    }

    /// Real products that record it; may be empty.
    pub fn seen_in(self) -> &'static str {
        &self.row().seen_in
    }

    /// 1 (mild) to 4 (severe).
    pub fn sensitivity(self) -> u8 {
        self.row().sensitivity
    }

    pub fn sensitivity_words(self) -> &'static str {
        match self.sensitivity() {
            1 => "mild",
            2 => "moderate",
            3 => "serious",
            _ => "severe",
        }
    }

    /// The term of the W3C Data Privacy Vocabulary 2.3, such as `pd:DeviceApplications`.
    pub fn dpv(self) -> &'static str {
        &self.row().dpv
    }

    /// Whether the term means exactly this; else it is the nearest parent.
    pub fn dpv_exact(self) -> bool {
        self.row().dpv_exact
    }
}

/// Why something is recorded. Training AI models is always a purpose of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purpose(u8);

impl Purpose {
    pub fn parse(id: &str) -> Option<Self> {
        Purpose::all().find(|p| p.id() == id)
    }

    /// Every purpose, in the table's order.
    pub fn all() -> impl Iterator<Item = Purpose> {
        (0..PURPOSES.len()).map(|i| Purpose(i as u8))
    }

    fn row(self) -> &'static PurposeRow {
        &PURPOSES[usize::from(self.0)]
    }

    /// Such as `dpv:EnforceSecurity`.
    pub fn id(self) -> &'static str {
        &self.row().id
    }

    /// For headings: "Security".
    pub fn name(self) -> &'static str {
        &self.row().name
    }

    /// For sentences: "to keep systems and data secure".
    pub fn words(self) -> &'static str {
        &self.row().plain_words
    }
}

/// `Category` and `Purpose` travel as their ids.
macro_rules! as_id {
    ($name:ident, $what:literal) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.id())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.id())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.id())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let id = String::deserialize(d)?;
                $name::parse(&id).ok_or_else(|| D::Error::custom(concat!("not a known ", $what)))
            }
        }
    };
}

as_id!(Category, "category");
as_id!(Purpose, "purpose");

impl Jurisdiction {
    /// Every jurisdiction that has rules here; the same codes as `identity::JURISDICTIONS`.
    pub fn all() -> &'static [Jurisdiction] {
        &JURISDICTIONS
    }

    pub fn find(code: &str) -> Option<&'static Jurisdiction> {
        JURISDICTIONS.iter().find(|j| j.code == code)
    }

    pub fn needs_opt_in(&self, category: Category) -> bool {
        self.opt_in_only == category.id()
    }
}

/// A country's name by its ISO 3166 code (two upper-case letters).
pub fn country_name(code: &str) -> Option<&'static str> {
    COUNTRIES.iter().find(|c| c.code == code).map(|c| c.name.as_str())
}

/// Whether data stays in the European Economic Area there.
pub fn is_in_eea(code: &str) -> bool {
    COUNTRIES.iter().any(|c| c.code == code && c.eea)
}

/// Code and name, by name.
pub fn countries() -> impl Iterator<Item = (&'static str, &'static str)> {
    COUNTRIES.iter().map(|c| (c.code.as_str(), c.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity;

    #[test]
    fn ids_travel_as_text_and_unknown_ones_are_refused() {
        let category = Category::parse("app.usage").unwrap();
        assert_eq!(serde_json::to_string(&category).unwrap(), r#""app.usage""#);
        assert_eq!(serde_json::from_str::<Category>(r#""app.usage""#).unwrap(), category);
        assert!(serde_json::from_str::<Category>(r#""app.misuse""#).is_err());
        assert_eq!(category.sensitivity_words(), "moderate");
        assert_eq!(Category::unknown().sensitivity(), 4);
        assert!(Purpose::parse("ai:ModelTraining").is_some());
    }

    #[test]
    fn the_table_of_the_database_is_the_same() {
        let migration = include_str!("../../migrations/0002_register.sql");
        let values = migration.split_once("insert into category").unwrap().1.split_once(';').unwrap().0;
        let rows: Vec<(String, u8)> = values
            .split('(')
            .skip(2)
            .map(|row| {
                let (id, sensitivity) = row.split_once(')').unwrap().0.split_once(',').unwrap();
                (id.trim_matches('\'').to_owned(), sensitivity.trim().parse().unwrap())
            })
            .collect();
        let ours: Vec<(String, u8)> = Category::all().map(|c| (c.id().to_owned(), c.sensitivity())).collect();
        assert_eq!(rows, ours);
    }

    #[test]
    fn jurisdictions_are_those_of_the_roll() {
        let ours: Vec<_> = Jurisdiction::all().iter().map(|j| (j.code.as_str(), j.name.as_str())).collect();
        assert_eq!(ours, identity::JURISDICTIONS);
        for j in Jurisdiction::all().iter().filter(|j| !j.opt_in_only.is_empty()) {
            assert!(Category::parse(&j.opt_in_only).is_some());
        }
    }

    #[test]
    fn countries_know_the_economic_area() {
        assert!(is_in_eea("DE") && is_in_eea("NO") && !is_in_eea("GB") && !is_in_eea("XX"));
        assert_eq!(country_name("IE"), Some("Ireland"));
        assert_eq!(countries().filter(|(code, _)| is_in_eea(code)).count(), 30);
    }
}
