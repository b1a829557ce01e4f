//! What stands in one record, by category: read first, judged as a whole, stripped by the same classification after.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use super::records::Slot;
use super::rules::{self, Class, Pattern, Place, Program, Says};
use crate::clock::Time;
use crate::collection::report::Source;
use crate::gateways::gate::device::Turn;
use crate::gateways::gate::tally::Part;
use crate::register::{Category, Granularity};

/// By which rows of the table a record is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    pub program: Program,
    /// The category of the record's name: what its free text belongs to.
    pub base: Option<Category>,
}

impl Context {
    /// `None`: unknown.
    fn text(self, place: Place, text: &str) -> Option<Says> {
        if text.is_empty() {
            return Some(Says::Technical);
        }
        self.free(place, |pattern| pattern.is_match(text))
    }

    fn body(self, value: &Value) -> Option<Says> {
        self.free(Place::Body, |pattern| fits(value, pattern))
    }

    fn free(self, place: Place, fits: impl Fn(&Pattern) -> bool + Copy) -> Option<Says> {
        let by_name = || rules::find(self.program, place, self.base?.id(), fits);
        rules::find(self.program, place, "", fits).or_else(by_name)
    }

    fn attribute(self, attribute: &KeyValue) -> Option<Says> {
        let Some(value) = value_of(attribute.value.as_ref()) else {
            return rules::knows(self.program, &attribute.key).then_some(Says::Technical);
        };
        if attribute.key == "event.name" {
            return rules::find(self.program, Place::Log, "", |pattern| fits(value, pattern));
        }
        let find = |place| rules::find(self.program, place, &attribute.key, |pattern| fits(value, pattern));
        let of_ai = self.base.filter(|base| base.id().starts_with("ai."));
        of_ai.and_then(|_| find(Place::AiAttribute)).or_else(|| find(Place::Attribute))
    }
}

/// Bytes by what they say; those of nobody knows what apart.
#[derive(Debug, Default)]
pub(super) struct Holds {
    parts: BTreeMap<Class, u64>,
    unknown: Option<u64>,
    /// Of numbers that go along with whatever may.
    ids: u64,
}

/// Elements of a list.
const MOST_ELEMENTS: usize = 16;

impl Holds {
    pub fn add(&mut self, says: Option<Says>, bytes: u64) {
        match says {
            Some(Says::Technical) => {}
            Some(Says::Something(class)) => *self.parts.entry(class).or_default() += bytes,
            None => *self.unknown.get_or_insert(0) += bytes,
        }
    }

    /// Reads one place of a record.
    pub fn read(&mut self, context: Context, slot: Slot<'_>) {
        match slot {
            Slot::Attributes(attributes, _) => self.attributes(context, attributes),
            Slot::Aside { attributes, ids, fits, .. } => {
                let length: u64 = ids.iter().map(|id| id.len() as u64).sum();
                if fits {
                    self.ids += length;
                    self.attributes(context, attributes);
                } else {
                    let size = |a: &KeyValue| a.key.len() as u64 + size(value_of(a.value.as_ref()));
                    self.add(None, attributes.iter().map(size).sum::<u64>() + length);
                }
            }
            Slot::Text(place, text) => self.add(context.text(place, text), text.len() as u64),
            Slot::Body(body) => {
                if let Some(value) = value_of(body.as_ref()) {
                    self.add(context.body(value), size(Some(value)));
                }
            }
            Slot::Never(text) if !text.is_empty() => self.add(None, text.len() as u64),
            Slot::Id(id, length) if !id.is_empty() && id.len() != length => self.add(None, id.len() as u64),
            Slot::Id(id, _) => self.ids += id.len() as u64,
            Slot::Never(_) => {}
        }
    }

    fn attributes(&mut self, context: Context, attributes: &[KeyValue]) {
        let repeated = repeated(attributes);
        for attribute in attributes {
            let says = context.attribute(attribute).filter(|_| !repeated.contains(&attribute.key));
            // The name of a field that nobody knows may say it all.
            let key = if says.is_none() { attribute.key.len() as u64 } else { 0 };
            self.add(says, key + size(value_of(attribute.value.as_ref())));
        }
    }

    /// Counts everything in it, and answers what may go on.
    pub fn settle(mut self, turn: &mut Turn, source: &Source, (from, to): (Time, Time)) -> Allowed {
        if let Some(mut first) = self.parts.first_entry() {
            *first.get_mut() += self.ids;
        }
        let mut allowed = BTreeSet::new();
        for (class, bytes) in self.parts {
            let Class { category, granularity, field } = class;
            let part = Part { category, granularity, bytes, field };
            // A policy says which kinds may pass, and not how much of them: content does where it is a kind of its own.
            if granularity == Granularity::Content && category.id() != "ai.prompt_content" {
                turn.refuse(part, source);
            } else if turn.decide(part, source, from, to) {
                allowed.insert(class);
            }
        }
        if let Some(bytes) = self.unknown {
            turn.refuse(unknown(bytes), source);
        }
        Allowed(allowed)
    }
}

/// Something that nobody could name.
pub(super) fn unknown(bytes: u64) -> Part {
    Part { category: Category::unknown(), granularity: Granularity::Content, bytes, field: None }
}

/// What of one record may go on.
#[derive(Debug, Default)]
pub(super) struct Allowed(BTreeSet<Class>);

impl Allowed {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, says: Option<Says>) -> bool {
        match says {
            Some(Says::Technical) => true,
            Some(Says::Something(class)) => self.0.contains(&class),
            None => false,
        }
    }

    /// Takes out of one place what may not go on.
    pub fn strip(&self, context: Context, slot: Slot<'_>) {
        match slot {
            Slot::Attributes(attributes, dropped) => self.strip_attributes(context, attributes, dropped),
            Slot::Aside { attributes, dropped, ids: [trace, span], fits } => {
                self.strip_attributes(context, attributes, dropped);
                let is_something = |a: &KeyValue| matches!(context.attribute(a), Some(Says::Something(_)));
                // Whoever has no attributes left is taken out.
                if !fits || !attributes.iter().any(is_something) {
                    attributes.clear();
                }
                for (id, length) in [(trace, 16), (span, 8)] {
                    if id.len() != length {
                        id.clear();
                    }
                }
            }
            Slot::Text(place, text) => {
                if !self.has(context.text(place, text)) {
                    text.clear();
                }
            }
            Slot::Body(body) => {
                let keeps = |value: &Value| self.has(context.body(value));
                if !value_of(body.as_ref()).is_some_and(keeps) {
                    *body = None;
                }
            }
            Slot::Never(text) => text.clear(),
            Slot::Id(id, length) => {
                if id.len() != length {
                    id.clear();
                }
            }
        }
    }

    fn strip_attributes(&self, context: Context, attributes: &mut Vec<KeyValue>, dropped: &mut u32) {
        let (before, repeated) = (attributes.len(), repeated(attributes));
        attributes.retain_mut(|attribute| {
            attribute.key_strindex = 0;
            // Some collectors take no message that holds a field without a value.
            let has_value = value_of(attribute.value.as_ref()).is_some();
            has_value && !repeated.contains(&attribute.key) && self.has(context.attribute(attribute))
        });
        let taken = u32::try_from(before - attributes.len()).unwrap_or(u32::MAX);
        *dropped = dropped.saturating_add(taken);
    }
}

/// Keys that occur more than once. Readers differ in which of them counts, and each would hold something else.
fn repeated(attributes: &[KeyValue]) -> HashSet<String> {
    let mut seen = HashSet::with_capacity(attributes.len());
    let again = attributes.iter().filter(|attribute| !seen.insert(attribute.key.as_str()));
    again.map(|attribute| attribute.key.clone()).collect()
}

/// `None` for one that says nothing: the kind without a value, and what stands for a word of a profile, which isn't here.
fn value_of(value: Option<&AnyValue>) -> Option<&Value> {
    let value = value?.value.as_ref()?;
    match value {
        Value::StringValue(text) if text.is_empty() => None,
        Value::StringValueStrindex(_) => None,
        Value::ArrayValue(array) if array.values.is_empty() => None,
        _ => Some(value),
    }
}

fn size(value: Option<&Value>) -> u64 {
    match value {
        None | Some(Value::StringValueStrindex(_)) => 0,
        Some(Value::BoolValue(_)) => 1,
        Some(Value::IntValue(_) | Value::DoubleValue(_)) => 8,
        Some(Value::StringValue(text)) => text.len() as u64,
        Some(Value::BytesValue(bytes)) => bytes.len() as u64,
        Some(Value::ArrayValue(array)) => array.values.iter().map(|v| size(v.value.as_ref())).sum(),
        Some(Value::KvlistValue(list)) => {
            let pair = |pair: &KeyValue| {
                pair.key.len() as u64 + size(pair.value.as_ref().and_then(|v| v.value.as_ref()))
            };
            list.values.iter().map(pair).sum()
        }
    }
}

/// Bytes and lists of pairs fit no pattern: what is in them has no name that the table knows.
fn fits(value: &Value, pattern: &Pattern) -> bool {
    let text: Cow<'_, str> = match value {
        Value::StringValue(text) => text.into(),
        Value::BoolValue(flag) => flag.to_string().into(),
        Value::IntValue(number) => number.to_string().into(),
        Value::DoubleValue(number) => number.to_string().into(),
        Value::ArrayValue(array) => {
            let element = |element| match value_of(Some(element)) {
                None | Some(Value::ArrayValue(_)) => false,
                Some(element) => fits(element, pattern),
            };
            return pattern.takes_lists
                && array.values.len() <= MOST_ELEMENTS
                && array.values.iter().all(element);
        }
        Value::BytesValue(_) | Value::KvlistValue(_) | Value::StringValueStrindex(_) => return false,
    };
    pattern.is_match(&text)
}
