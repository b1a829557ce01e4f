//! Declared against observed: the rules, without I/O.
//!
//! What was *observed at* decides, never when it arrived: a declaration made later clears nothing (R9).

pub mod compare;
mod finding;
pub mod refusal;
mod rule;
mod status;

use super::report::Item;
use crate::clock::Time;
use crate::register::{Category, Declaration, Frequency, Granularity, ProcessingContent, Purpose};

pub use crate::web::bands::{PeopleBand, SMALLEST_GROUP, SMALLEST_WHOLE};
pub use finding::FindingKind;
pub use refusal::{Cause, GRACE_SECONDS, Refusal};
pub use rule::Rule;
pub use status::{Evidence, Status, status};

/// Days that the worker's page pictures, and days whose coverage its status rests on.
pub const PICTURED_DAYS: i64 = 90;
pub const COVERAGE_DAYS: i64 = 30;

/// Seconds of a day that may be missing before it counts as a gap: an agent's restart.
pub const GAP_TOLERANCE: i64 = 15 * 60;

/// Whom an item is about, as declarations' audiences need it.
#[derive(Debug, Clone, Default)]
pub struct Audience {
    pub department: Option<uuid::Uuid>,
    pub jurisdiction: String,
}

impl Audience {
    pub fn new(department: Option<uuid::Uuid>, jurisdiction: String) -> Self {
        Audience { department, jurisdiction }
    }
}

/// What was observed, as far as declarations speak of it: a reported item or a day's sum.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub category: Category,
    /// The program, without its version.
    pub program: &'a str,
    pub granularity: Granularity,
    pub purpose: Option<Purpose>,
    /// Host and country, when something was forwarded.
    pub destination: Option<(&'a str, &'a str)>,
}

impl<'a> Seen<'a> {
    /// `None` for an item that says that nothing was collected or forwarded.
    pub fn of(item: &'a Item) -> Option<Self> {
        if item.collected.count == 0 && item.forwarded.count == 0 {
            return None;
        }
        let forwarded = item.destination.as_ref().filter(|_| item.forwarded.count > 0);
        Some(Seen {
            category: item.category,
            program: item.source.program(),
            granularity: item.granularity,
            purpose: item.purpose,
            destination: forwarded.map(|d| (d.host.as_str(), d.country.as_str())),
        })
    }
}

/// Compares with the declarations in force at that moment (R1, R2, R7, R11). The text beside each kind says
/// what it is about: ids and host names only.
pub fn assess(
    seen: Seen<'_>,
    observed_at: Time,
    audience: &Audience,
    declarations: &[Declaration],
) -> Vec<(FindingKind, String)> {
    let program = seen.program;
    let in_force = || {
        declarations.iter().filter(move |d| {
            d.in_force_at(observed_at) && d.applies_to(audience.department, &audience.jurisdiction)
        })
    };
    let mut found = Vec::new();
    if seen.category == Category::unknown() {
        found.push((FindingKind::Unrecognised, format!("program:{program}")));
    }
    if !in_force().any(|d| d.content.source.matches(program)) {
        found.push((FindingKind::UndeclaredAgent, format!("program:{program}")));
    }
    let of_category: Vec<&Declaration> = in_force().filter(|d| d.content.category == seen.category).collect();
    let covering = of_category.iter().filter(|d| d.content.source.matches(program));
    // One declaration must cover all of it: two that each cover a part don't add up to a permission. What
    // the nearest one leaves open is what is found.
    match covering.map(|d| beyond(seen, &d.content)).min_by_key(Vec::len) {
        Some(open) => found.extend(open.into_iter().map(|about| (FindingKind::Exceeds, about))),
        None => {
            let about = if of_category.is_empty() { String::new() } else { format!("program:{program}") };
            found.push((FindingKind::Undeclared, about));
        }
    }
    found
}

/// What of `seen` this declaration doesn't cover.
fn beyond(seen: Seen<'_>, declared: &ProcessingContent) -> Vec<String> {
    let mut open = Vec::new();
    if let Some(purpose) = seen.purpose.filter(|p| *p != declared.purpose) {
        open.push(format!("purpose:{}", purpose.id()));
    }
    if seen.granularity > declared.granularity.unwrap_or(Granularity::Count) {
        open.push(format!("granularity:{}", seen.granularity.id()));
    }
    if let Some((host, country)) = seen.destination {
        // A recipient without a host is one inside: nothing may leave to it by a host nobody named.
        let mut named = declared.recipients.iter().filter(|r| r.host.as_deref() == Some(host)).peekable();
        if named.peek().is_none() {
            open.push(format!("destination:{host}"));
        } else if !named.any(|r| r.country == country) {
            open.push(format!("country:{country}"));
        }
    }
    open
}

/// The most records a day that the declarations of a category and program allow; `None` without a bound.
pub fn daily_bound(
    category: Category,
    program: &str,
    observed_at: Time,
    audience: &Audience,
    declarations: &[Declaration],
) -> Option<u64> {
    let mut bound = None;
    for d in declarations.iter().filter(|d| {
        d.content.category == category
            && d.content.source.matches(program)
            && d.in_force_at(observed_at)
            && d.applies_to(audience.department, &audience.jurisdiction)
    }) {
        bound = bound.max(Some(most_a_day(&d.content)?));
    }
    bound
}

/// Records a day that a declaration allows: as it says, or as its frequency implies.
pub fn most_a_day(declared: &ProcessingContent) -> Option<u64> {
    let implied = match &declared.frequency {
        Some(Frequency::Periodic { every }) => every
            .parse::<jiff::Span>()
            .ok()
            .and_then(|span| span.total((jiff::Unit::Second, jiff::SpanRelativeTo::days_are_24_hours())).ok())
            .filter(|seconds| *seconds >= 1.0)
            // A day of 25 hours, and one at each end.
            .map(|seconds| (90_000.0 / seconds) as u64 + 2),
        _ => None,
    };
    declared.max_per_day.map(u64::from).or(implied)
}
