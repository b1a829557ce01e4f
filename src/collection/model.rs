//! Declared against observed: the rules, without I/O.
//!
//! What was *observed at* decides, never when it arrived: a declaration made later clears nothing (R9).

use std::fmt;

use super::report::Item;
use crate::clock::Time;
use crate::register::{Category, Declaration};

/// Fewest people a count may speak of.
pub const SMALLEST_GROUP: i64 = 5;

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

/// Whom an item is about, as declarations' audiences need it.
#[derive(Debug, Clone, Default)]
pub struct Audience {
    pub department: Option<uuid::Uuid>,
    pub jurisdiction: String,
}

/// Compares one reported item with the declarations in force when it was observed (R1, R2, R7, R11).
/// The text beside each kind says what it is about: ids and host names only.
pub fn assess(
    item: &Item,
    observed_at: Time,
    audience: &Audience,
    declarations: &[Declaration],
) -> Vec<(FindingKind, String)> {
    if item.collected.count == 0 && item.forwarded.count == 0 {
        return Vec::new();
    }
    let program = item.source.program();
    let in_force = || {
        declarations.iter().filter(move |d| {
            d.in_force_at(observed_at) && d.applies_to(audience.department, &audience.jurisdiction)
        })
    };
    let mut found = Vec::new();
    if item.category == Category::unknown() {
        found.push((FindingKind::Unrecognised, format!("program:{program}")));
    }
    if !in_force().any(|d| d.content.source.matches(program)) {
        found.push((FindingKind::UndeclaredAgent, format!("program:{program}")));
    }
    let of_category: Vec<&Declaration> = in_force().filter(|d| d.content.category == item.category).collect();
    let covering: Vec<&Declaration> =
        of_category.iter().copied().filter(|d| d.content.source.matches(program)).collect();
    if covering.is_empty() {
        let about = if of_category.is_empty() { String::new() } else { format!("program:{program}") };
        found.push((FindingKind::Undeclared, about));
        return found;
    }
    if let Some(purpose) = item.purpose
        && !covering.iter().any(|d| d.content.purpose == purpose)
    {
        found.push((FindingKind::Exceeds, format!("purpose:{}", purpose.id())));
    }
    if !covering.iter().any(|d| item.granularity <= d.granularity()) {
        found.push((FindingKind::Exceeds, format!("granularity:{}", item.granularity.id())));
    }
    if let Some(destination) = item.destination.as_ref().filter(|_| item.forwarded.count > 0) {
        let host = destination.host.as_str();
        let declared = covering.iter().flat_map(|d| &d.content.recipients).any(|r| match &r.host {
            Some(declared) => declared == host,
            // Without a host only the country can be compared.
            None => r.country == destination.country.as_str(),
        });
        if !declared {
            found.push((FindingKind::Exceeds, format!("destination:{host}")));
        }
    }
    found
}

/// The most records a day that the declarations of a category and program allow; `None` without a bound.
pub fn daily_bound(
    category: Category,
    program: &str,
    observed_at: Time,
    audience: &Audience,
    declarations: &[Declaration],
) -> Option<u32> {
    let mut bound = None;
    for d in declarations.iter().filter(|d| {
        d.content.category == category
            && d.content.source.matches(program)
            && d.in_force_at(observed_at)
            && d.applies_to(audience.department, &audience.jurisdiction)
    }) {
        let max = d.content.max_per_day?;
        bound = Some(bound.unwrap_or(0).max(max));
    }
    bound
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

/// A count of people as others may see it: a band of five, nothing below five, and nothing that tells of
/// fewer than five by subtraction from the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeopleBand {
    FewerThanFive,
    /// From this many, up to four more.
    From(i64),
    /// All of the group, or all but fewer than five.
    AlmostAll,
}

impl PeopleBand {
    /// `None` when the whole group is too small to speak of.
    pub fn of(count: i64, whole: i64) -> Option<Self> {
        if whole < SMALLEST_GROUP {
            None
        } else if count < SMALLEST_GROUP {
            Some(PeopleBand::FewerThanFive)
        } else if whole - count < SMALLEST_GROUP {
            Some(PeopleBand::AlmostAll)
        } else {
            Some(PeopleBand::From(count - count % SMALLEST_GROUP))
        }
    }
}

impl fmt::Display for PeopleBand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeopleBand::FewerThanFive => f.write_str("fewer than 5"),
            PeopleBand::From(n) => write!(f, "{n} to {}", n + 4),
            PeopleBand::AlmostAll => f.write_str("all, or almost all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_band_never_tells_of_fewer_than_five(whole in 0i64..200, share in 0.0f64..=1.0) {
            let count = (whole as f64 * share) as i64;
            let possible = |band: Option<PeopleBand>| {
                (0..=whole).filter(|c| PeopleBand::of(*c, whole) == band).count()
            };
            let band = PeopleBand::of(count, whole);
            prop_assert_eq!(band.is_none(), whole < SMALLEST_GROUP);
            if let Some(PeopleBand::From(n)) = band {
                prop_assert!(n >= 5 && n <= count && count < n + 5);
                prop_assert!(whole - count >= SMALLEST_GROUP);
            }
            // Nobody's own yes or no can be read off: neighbouring counts share the band, or the group at
            // either side of its edge is five or more.
            prop_assert!(possible(band) >= 1);
            if count < SMALLEST_GROUP && whole >= SMALLEST_GROUP {
                prop_assert_eq!(band, Some(PeopleBand::FewerThanFive));
            }
        }

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
