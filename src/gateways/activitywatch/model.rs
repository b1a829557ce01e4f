//! What an ActivityWatch event records, by category; and how many such events a window holds.
//!
//! A bucket's type is what its watcher calls itself, so the keys of each event decide as well: a `title`
//! in an `afkstatus` bucket is a window's title. A key that means nothing here, or whose value isn't of
//! the kind its name promises, counts as `unknown`: "something we could not recognise" is a finding, and
//! a mistake that hides a category is worse than one that shows it. There is no list of harmless keys:
//! none of ActivityWatch's own watchers needs one, and `$category`, which its queries add, is a judgement
//! about a person when it is stored.
//!
//! **What is counted:** the events of a window, those that began in it or were still growing in it.
//! ActivityWatch merges heartbeats: one event can last for hours, and its watcher collected something in
//! each minute of them. So a long event counts once in every window that it touches; one that ends exactly
//! where a window begins doesn't touch it, and an event without duration lies in one window only. For
//! input the events are counted too, not the key presses in them; an event that says "0 presses" records
//! none and counts 0.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::coverage::Span;
use crate::clock::Time;
use crate::collection::report::{Amount, Item, Source, Window};
use crate::gateways::names::is_host;
use crate::register::{Category, Granularity};

/// What editors' watchers call their buckets.
pub(super) const EDITOR: &str = "app.editor.activity";

/// One event without its content.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub span: Span,
    pub parts: Vec<Part>,
}

/// What one event says of one category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub category: Category,
    pub granularity: Granularity,
    /// Of the values, as JSON.
    pub bytes: u64,
    /// False when the key is there and empty: its watcher looks for this, and saw nothing.
    pub recorded: bool,
}

/// A bucket as far as it was read.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    /// Whether its watcher reports even when nothing changes; see `coverage`.
    pub has_heartbeat: bool,
    pub events: Vec<Seen>,
}

/// Sorts one event's data into categories.
pub(super) fn classify(bucket_type: &str, data: &Value) -> Vec<Part> {
    match data {
        Value::Object(fields) => sum(keys(bucket_type, fields).into_iter().map(|(_, part)| part)),
        _ => sum([part("unknown", Granularity::Content, data)].into_iter()),
    }
}

/// Each key of an event's data with what it says.
pub(super) fn keys<'a>(bucket_type: &str, fields: &'a Map<String, Value>) -> Vec<(&'a str, Part)> {
    let with_url = fields.get("url").is_some_and(|v| v.is_string() && !is_empty(v));
    let sort = |(key, value): (&'a String, &Value)| {
        let (category, granularity) = classify_key(bucket_type, key, value, with_url);
        (key.as_str(), part(category, granularity, value))
    };
    fields.iter().map(sort).collect()
}

/// Whether a bucket's type decides what a key of this says; and the categories that it decides between, as far as they
/// are known.
pub(super) fn depends_on_bucket(fields: &Map<String, Value>) -> bool {
    fields.contains_key("project") || fields.contains_key("language")
}

pub(super) fn editors_categories() -> Vec<Category> {
    ["file.activity", "code.activity"].into_iter().filter_map(Category::parse).collect()
}

/// One part for each category and granularity; what isn't known and holds nothing is nothing.
pub(super) fn sum(all: impl Iterator<Item = Part>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for new in all.filter(|part| part.recorded || part.category != Category::unknown()) {
        match parts.iter_mut().find(|p| p.category == new.category && p.granularity == new.granularity) {
            Some(known) => {
                known.bytes += new.bytes;
                known.recorded |= new.recorded;
            }
            None => parts.push(new),
        }
    }
    parts
}

fn part(category: &str, granularity: Granularity, value: &Value) -> Part {
    let category = Category::parse(category).unwrap_or_else(Category::unknown);
    let recorded = !is_empty(value)
        && match granularity {
            Granularity::Count => value.as_f64() != Some(0.0),
            // What aw-watcher-window writes instead of a title that it was told to leave out.
            _ => !(category.id() == "window.titles" && value == "excluded"),
        };
    let bytes = if recorded { value.to_string().len() as u64 } else { 0 };
    Part { category, granularity, bytes, recorded }
}

pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// A key's category. Names that mean one thing only are believed in any bucket; the rest need its type.
fn classify_key(bucket_type: &str, key: &str, value: &Value, with_url: bool) -> (&'static str, Granularity) {
    use Granularity::{Content, Count, Metadata};
    let text = value.is_string() || value.is_null();
    let number = value.is_number() || value.is_null();
    let flag = value.is_boolean() || number;
    let is_editor = bucket_type == EDITOR;
    match key {
        "app" if text => ("app.usage", Metadata),
        "title" if text => ("window.titles", Content),
        // Two words are known; any other text may be something else in disguise.
        "status" if matches!(value.as_str(), Some("afk" | "not-afk" | "") | None) && text => {
            ("presence", Metadata)
        }
        "presses" if number => ("input.key_counts", Count),
        "clicks" | "deltaX" | "deltaY" | "scrollX" | "scrollY" if number => ("input.pointer", Count),
        "url" if text => ("web.urls", Content),
        // Beside the address itself, the site and the tab's state tell nothing more: part of that record.
        "domain" if text && with_url => ("web.urls", Content),
        "domain" if text && (is_empty(value) || value.as_str().is_some_and(is_host)) => {
            ("web.domains", Metadata)
        }
        // More than a site's name is an address, whatever it is called.
        "domain" if text => ("web.urls", Content),
        "audible" | "incognito" | "tabCount" if flag && with_url => ("web.urls", Content),
        "audible" | "incognito" | "tabCount" if flag => ("app.usage", Metadata),
        // What somebody works on is called so by its name, as with other editors' records.
        "file" if text => ("file.activity", Metadata),
        "project" if text && is_editor => ("file.activity", Metadata),
        "language" if text && is_editor => ("code.activity", Metadata),
        _ => ("unknown", Content),
    }
}

#[derive(Default)]
struct Tally {
    amount: Amount,
    first: Option<Time>,
    last: Option<Time>,
}

/// The items of one window: what was recorded, and a zero for what a living watcher looked for in vain.
pub(super) fn items(buckets: &[Bucket], window: Window, source: &Source) -> Vec<Item> {
    let mut tallies: BTreeMap<(Category, &'static str), (Granularity, Tally)> = BTreeMap::new();
    for bucket in buckets {
        let watched = bucket.is_live_throughout(window);
        for event in &bucket.events {
            let touches = event.span.touches(window);
            for part in &event.parts {
                let counts = touches && part.recorded;
                // Nobody can watch for what isn't recognised.
                if !counts && (!watched || part.category == Category::unknown()) {
                    continue;
                }
                let key = (part.category, part.granularity.id());
                let (_, tally) = tallies.entry(key).or_insert((part.granularity, Tally::default()));
                if counts {
                    tally.add(part.bytes, event.span, window);
                }
            }
        }
    }
    let item = |((category, _), (granularity, tally)): (_, (Granularity, Tally))| Item {
        category,
        granularity,
        source: source.clone(),
        collected: tally.amount,
        // ActivityWatch keeps what it records on this machine.
        forwarded: Amount::default(),
        dropped: None,
        first_observed: tally.first,
        last_observed: tally.last,
        destination: None,
        purpose: None,
        field: None,
    };
    tallies.into_iter().map(item).collect()
}

impl Tally {
    fn add(&mut self, bytes: u64, span: Span, window: Window) {
        self.amount.count = self.amount.count.saturating_add(1);
        self.amount.bytes = self.amount.bytes.saturating_add(bytes);
        let (first, last) = (span.start.max(window.start), span.end.min(window.end));
        self.first = Some(self.first.map_or(first, |t| t.min(first)));
        self.last = Some(self.last.map_or(last, |t| t.max(last)));
    }
}

/// The server's name and version as a report's source.
pub(super) fn source(version: &str) -> Source {
    let clean: String = version
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_.+~".contains(*c))
        .take(32)
        .collect::<String>()
        .to_ascii_lowercase();
    let version = if clean.is_empty() { "unknown" } else { &clean };
    Source::new(format!("activitywatch/{version}")).expect("made of allowed characters only")
}
