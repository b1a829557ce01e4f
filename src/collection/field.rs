//! The names of fields that a report may mention. A closed list: a name that a program makes up could be content.

use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Deserialize)]
struct Row {
    field: String,
    meaning: String,
}

static FIELDS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let rows: Result<Vec<Row>, _> =
        csv::Reader::from_reader(include_str!("fields.csv").as_bytes()).deserialize().collect();
    rows.expect("fields.csv is well formed; a test reads it")
});

/// A field of an agent's records, one of `fields.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field(usize);

impl Field {
    pub fn parse(id: &str) -> Option<Self> {
        FIELDS.iter().position(|row| row.field == id).map(Field)
    }

    pub fn id(self) -> &'static str {
        &FIELDS[self.0].field
    }

    /// In plain words, such as "the prompt itself".
    pub fn meaning(self) -> &'static str {
        &FIELDS[self.0].meaning
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Field::parse(&text).ok_or_else(|| serde::de::Error::custom("not a known field"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_name_of_its_own_and_a_meaning() {
        for (n, row) in FIELDS.iter().enumerate() {
            assert_eq!(Field::parse(&row.field), Some(Field(n)), "{}", row.field);
            assert!(!row.meaning.is_empty() && row.field.len() <= 64);
        }
        assert_eq!(Field::parse("my secret"), None);
    }
}
