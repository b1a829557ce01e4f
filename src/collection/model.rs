//! Declared against observed: the rules, without I/O.
//!
//! What was *observed at* decides, never when it arrived: a declaration made later clears nothing (R9).

use std::fmt;

use super::report::Item;
use crate::clock::Time;
use crate::register::{
    Category, ChoiceMode, Declaration, Frequency, Granularity, ProcessingContent, Purpose,
};

pub use crate::web::bands::{PeopleBand, SMALLEST_GROUP, SMALLEST_WHOLE};

/// Days that the worker's page pictures, and days whose coverage its status rests on.
pub const PICTURED_DAYS: i64 = 90;
pub const COVERAGE_DAYS: i64 = 30;

/// Seconds of a day that may be missing before it counts as a gap: an agent's restart.
pub const GAP_TOLERANCE: i64 = 15 * 60;

/// What a finding says (agents.md, rules R1 to R11; a subset until policies are enforced).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// R1: observed, and no declaration covers it.
    Undeclared,
    /// R2: observed beyond the declaration.
    Exceeds,
    /// R11: the agent could not say what it is.
    Unrecognised,
    /// R7: no declaration names the program.
    UndeclaredAgent,
    /// Two reports that can't both be true.
    Equivocation,
    /// An agent's clock is off by more than five minutes.
    ClockSkew,
}

impl FindingKind {
    const ALL: [FindingKind; 6] = [
        FindingKind::Undeclared,
        FindingKind::Exceeds,
        FindingKind::Unrecognised,
        FindingKind::UndeclaredAgent,
        FindingKind::Equivocation,
        FindingKind::ClockSkew,
    ];

    pub fn id(self) -> &'static str {
        match self {
            FindingKind::Undeclared => "UNDECLARED",
            FindingKind::Exceeds => "EXCEEDS",
            FindingKind::Unrecognised => "UNRECOGNISED",
            FindingKind::UndeclaredAgent => "UNDECLARED_AGENT",
            FindingKind::Equivocation => "EQUIVOCATION",
            FindingKind::ClockSkew => "CLOCK_SKEW",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.id() == id)
    }

    /// For the person concerned; `about` as [`assess`] made it.
    pub fn words(self, about: &str) -> String {
        let (what, value) = about.split_once(':').unwrap_or((about, ""));
        match (self, what) {
            (FindingKind::Undeclared, "program") => {
                format!("Collected by {value}, which was not declared for it at that time")
            }
            (FindingKind::Undeclared, _) => "Collected, and not declared at that time".into(),
            (FindingKind::Exceeds, "purpose") => {
                format!("Collected for a purpose that was not declared: {value}")
            }
            (FindingKind::Exceeds, "granularity") => {
                format!("Collected in more detail than declared: {value}")
            }
            (FindingKind::Exceeds, "destination") => {
                format!("Sent to a place that was not declared: {value}")
            }
            (FindingKind::Exceeds, "country") => format!("Sent to a country that was not declared: {value}"),
            (FindingKind::Exceeds, "consent") => {
                "Collected although it is off until you say yes, and nobody could say yes here yet".into()
            }
            (FindingKind::Exceeds, "amount") => {
                format!("Collected more often than declared: over {value} a day")
            }
            (FindingKind::Exceeds, _) => "Beyond what was declared".into(),
            (FindingKind::Unrecognised, _) => "Something was collected that the agent could not name".into(),
            (FindingKind::UndeclaredAgent, _) => {
                format!("The program {value} records, and no declaration names it")
            }
            (FindingKind::Equivocation, _) => "An agent sent two reports that can't both be true".into(),
            (FindingKind::ClockSkew, _) => "An agent's clock is wrong, so its times may be too".into(),
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// A period in which somebody's own choice denied a processing: `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub person_id: uuid::Uuid,
    pub processing_id: uuid::Uuid,
    pub from: Time,
    pub to: Option<Time>,
}

/// Whom an item is about, as declarations' audiences need it.
#[derive(Debug, Clone, Default)]
pub struct Audience {
    pub department: Option<uuid::Uuid>,
    pub jurisdiction: String,
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
    if declared.choice_mode == Some(ChoiceMode::OptIn) {
        // Off until somebody says yes; while nobody can, every record is one too many.
        open.push("consent".to_owned());
    }
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

/// How declared and observed go together, for one person and category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Undeclared,
    Exceeds,
    /// R5: a gap, a stale agent or no coverage. Never shown as fine.
    Unknown,
    AsDeclared,
    /// R6: only with complete coverage.
    NotSeen,
}

impl Status {
    pub fn id(self) -> &'static str {
        match self {
            Status::Undeclared => "UNDECLARED",
            Status::Exceeds => "EXCEEDS",
            Status::Unknown => "UNKNOWN",
            Status::AsDeclared => "AS_DECLARED",
            Status::NotSeen => "NOT_SEEN",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Status::Undeclared => "Undeclared",
            Status::Exceeds => "More than declared",
            Status::Unknown => "Unknown",
            Status::AsDeclared => "As declared",
            Status::NotSeen => "Not seen",
        }
    }

    pub fn needs_attention(self) -> bool {
        matches!(self, Status::Undeclared | Status::Exceeds)
    }

    pub fn is_unknown(self) -> bool {
        self == Status::Unknown
    }

    /// The chip's class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Status::Undeclared => "undeclared",
            Status::Exceeds => "exceeds",
            Status::Unknown => "unknown",
            Status::AsDeclared => "as-declared",
            Status::NotSeen => "not-seen",
        }
    }
}

/// What the status of a category rests on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence {
    pub undeclared: bool,
    pub exceeds: bool,
    pub observed: bool,
    /// Days looked at, and those of them that were watched completely.
    pub days: i64,
    pub watched_days: i64,
}

pub fn status(e: Evidence) -> Status {
    if e.undeclared {
        Status::Undeclared
    } else if e.exceeds {
        Status::Exceeds
    } else if e.days == 0 || e.watched_days < e.days {
        Status::Unknown
    } else if e.observed {
        Status::AsDeclared
    } else {
        Status::NotSeen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn unknown_wins_over_every_good_news(observed: bool, days in 0i64..40, watched in 0i64..40) {
            let e = Evidence { observed, days, watched_days: watched.min(days), ..Evidence::default() };
            let s = status(e);
            if watched < days || days == 0 {
                prop_assert_eq!(s, Status::Unknown);
            } else {
                prop_assert!(matches!(s, Status::AsDeclared | Status::NotSeen));
            }
            prop_assert_eq!(status(Evidence { undeclared: true, ..e }), Status::Undeclared);
            prop_assert_eq!(status(Evidence { exceeds: true, ..e }), Status::Exceeds);
        }
    }
}
