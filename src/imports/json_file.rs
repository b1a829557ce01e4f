//! Reads a JSON export record by record: one is in memory at a time, and dropped once it is counted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::csv_file::{Refusal, text};
use super::formats::{Column, Format, Says, event_category};
use super::model::Mapped;
use super::tally::{Place, Tally};
use crate::register::Category;

/// Hands each record of one list to `each`: the list under `key`, or the document itself when it is a list.
struct Records<'a, F: FnMut(Value)> {
    key: &'a str,
    each: &'a mut F,
    found: &'a mut bool,
}

impl<'de, F: FnMut(Value)> DeserializeSeed<'de> for Records<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Value)> Visitor<'de> for Records<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an export")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == self.key {
                *self.found = true;
                map.next_value_seed(List(&mut *self.each))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, seq: S) -> Result<(), S::Error> {
        *self.found = true;
        List(self.each).visit_seq(seq)
    }
}

struct List<'a, F: FnMut(Value)>(&'a mut F);

impl<'de, F: FnMut(Value)> DeserializeSeed<'de> for List<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Value)> Visitor<'de> for List<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        while let Some(value) = seq.next_element::<Value>()? {
            (self.0)(value);
        }
        Ok(())
    }
}

fn each_record(text: &str, key: &str, mut each: impl FnMut(Value)) -> Result<bool, Refusal> {
    let mut found = false;
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Records { key, each: &mut each, found: &mut found }.deserialize(&mut json);
    // The reader's own words could quote the file.
    read.and_then(|()| json.end()).map_err(|error| {
        Refusal::new(format!("This file isn’t the JSON that was expected, from line {} on.", error.line()))
    })?;
    Ok(found)
}

/// The value at a path such as `actor.user.email`, as text; empty where there is none.
fn at<'v>(record: &'v Value, path: &str) -> Cow<'v, str> {
    let mut value = record;
    for key in path.split('.') {
        match value.get(key) {
            Some(inner) => value = inner,
            None => return Cow::Borrowed(""),
        }
    }
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Number(number) => Cow::Owned(number.to_string()),
        _ => Cow::Borrowed(""),
    }
}

/// Whether a value says that there is a record.
fn is_filled(value: &str) -> bool {
    !value.is_empty() && value != "0"
}

/// People whom the vendor sends beside the records, by its own number: the API adds them when asked to.
fn side_loaded(text: &str) -> Result<HashMap<String, String>, Refusal> {
    let mut users = HashMap::new();
    each_record(text, "users", |user| {
        let (id, email) = (at(&user, "id"), at(&user, "email"));
        if !id.is_empty() && !email.is_empty() {
            users.insert(id.into_owned(), email.into_owned());
        }
    })?;
    Ok(users)
}

fn categories(record: &Value, format: &Format, columns: &[Column]) -> Vec<(Category, i64)> {
    let mut what = Vec::new();
    for column in columns {
        match column.says {
            Says::What(category) if is_filled(&at(record, column.name)) => what.push((category, 1)),
            Says::Event => {
                // One activity of Google's holds several events.
                let events = record.get("events").and_then(Value::as_array).map_or(1, Vec::len).max(1);
                let category = event_category(&format.program, &at(record, column.name));
                what.extend(category.map(|c| (c, i64::try_from(events).unwrap_or(i64::MAX))));
            }
            _ => {}
        }
    }
    what
}

pub fn read(bytes: &[u8], format: &Format, tally: &mut Tally<'_>) -> Result<(), Refusal> {
    let text = text(bytes)?;
    if text.trim().is_empty() {
        return Err(Refusal::new("This file is empty."));
    }
    let columns = format.columns();
    let saying = |says: Says| columns.iter().filter(move |c| c.says == says);
    let users = match format.program.as_str() {
        "hubstaff" if text.trim_start().starts_with('{') => side_loaded(text)?,
        _ => HashMap::new(),
    };
    let mut number = 0;
    let first = |says| saying(says).next().map_or("", |c| c.name);
    let found = each_record(text, &format.list, |record| {
        number += 1;
        let pick = |says: Says| {
            let found = saying(says).map(|c| (c.name, at(&record, c.name))).find(|(_, v)| !v.is_empty());
            found.unwrap_or((first(says), Cow::Borrowed("")))
        };
        let (who_name, who) = pick(Says::Who);
        let (when_name, when) = pick(Says::When);
        let who = users.get(who.as_ref()).map_or(who.as_ref(), String::as_str);
        let what = categories(&record, format, &columns);
        let place = Place { line: number, who: (0, who_name), when: (0, when_name) };
        tally.row(place, who, &when, &what);
    })?;
    if !found {
        return Err(Refusal::new(format!(
            "This file has no “{}”, which {} has in its documentation. Is it another export?",
            format.list,
            format.title()
        )));
    }
    tally.plan.is_json = true;
    let mapped = |c: &Column| {
        let says = match c.says {
            Says::Who => "who",
            Says::When => "when",
            Says::Event => "what kind of event",
            Says::What(category) => category.name(),
            Says::Other => return None,
        };
        Some(Mapped { column: 0, name: c.name.into(), says: says.into() })
    };
    tally.plan.mapped = columns.iter().filter_map(mapped).collect();
    Ok(())
}
