//! What a dry run says, and when an export contradicts agents; no I/O.

use serde::{Deserialize, Serialize};

use super::formats::Comparable;

/// Faults that a dry run lists; more are only counted.
pub const FAULTS_SHOWN: usize = 50;

/// What was wrong with a row; never what stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    NobodyNamed,
    NoTime,
    TimeUnreadable,
    TimeAhead,
    TimeLongAgo,
    OtherNumberOfColumns,
}

impl Problem {
    pub fn words(self) -> &'static str {
        match self {
            Problem::NobodyNamed => "names nobody",
            Problem::NoTime => "has no time",
            Problem::TimeUnreadable => "isn’t a time that could be read",
            Problem::TimeAhead => "is in the future",
            Problem::TimeLongAgo => "is before the year 2000",
            Problem::OtherNumberOfColumns => "has another number of columns than the first line",
        }
    }
}

/// A row that wasn't understood: where, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    /// The line of a CSV file, or the number of a JSON record; from 1.
    pub line: u64,
    /// From 1; 0 where it is about the whole row, or a key.
    pub column: usize,
    /// The column's or key's name, only where the vendor's documentation has it.
    pub name: String,
    pub problem: Problem,
}

/// How a column was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mapped {
    /// From 1; 0 for a key of JSON.
    pub column: usize,
    /// Its documented name; empty for any other.
    pub name: String,
    /// "who", "when", or the category's name.
    pub says: String,
}

/// What a dry run found: numbers and documented names, no text of the file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plan {
    pub rows: u64,
    pub understood: u64,
    /// Rows of a kind that no category is known of.
    pub other_kinds: u64,
    /// Understood rows about nobody on the roll.
    pub unmatched: u64,
    pub faults: Vec<Fault>,
    pub faulty: u64,
    /// Records of the understood rows by category's id, matched or not.
    pub categories: Vec<(String, i64)>,
    pub mapped: Vec<Mapped>,
    /// Columns of a CSV file; 0 for JSON.
    pub columns: usize,
    pub is_json: bool,
}

impl Plan {
    pub fn fault(&mut self, line: u64, column: usize, name: &str, problem: Problem) {
        self.faulty += 1;
        if self.faults.len() < FAULTS_SHOWN {
            self.faults.push(Fault { line, column, name: name.into(), problem });
        }
    }
}

/// What agents reported of the same person, day, category and program.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reported {
    /// Records taken.
    pub taken: i64,
    /// Records of the same day and category that were stopped on the way, by whatever program.
    pub stopped: i64,
    pub reports: i64,
    /// Whether agents that watch the program covered the day on every device.
    pub is_complete: bool,
}

/// Records by which an export may be above the reports: one a report, since an event at the edge of a window may be
/// counted in either, and a tenth, since vendors split and repeat.
pub fn allowance(records: i64, reports: i64) -> i64 {
    reports + (records + 9) / 10
}

/// Whether the export holds what agents that watched all day did not report. Where they didn't watch all day, nothing
/// is said; nor where anything was stopped on the way, since what a made-up export gives rise to must never depend on
/// what the person chose.
pub fn contradicts(records: i64, reported: Reported, comparable: Comparable) -> bool {
    reported.is_complete
        && reported.stopped == 0
        && match comparable {
            Comparable::Count => records - reported.taken > allowance(records, reported.reports),
            Comparable::Presence => records > 0 && reported.taken <= 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reported(taken: i64, stopped: i64, is_complete: bool) -> Reported {
        Reported { taken, stopped, reports: 10, is_complete }
    }

    #[test]
    fn an_export_contradicts_only_what_can_be_compared() {
        assert!(contradicts(200, reported(100, 0, true), Comparable::Count));
        assert!(!contradicts(130, reported(110, 0, true), Comparable::Count), "within the allowance");
        assert!(!contradicts(200, reported(100, 0, false), Comparable::Count), "nobody watched all day");
        assert!(!contradicts(200, reported(1, 0, true), Comparable::Presence), "units differ");
        assert!(contradicts(1, reported(0, 0, true), Comparable::Presence));
        assert!(!contradicts(9, reported(20, 20, true), Comparable::Presence), "it would tell who said no");
        assert!(!contradicts(9, reported(0, 1, true), Comparable::Presence), "of another program, too");
        assert!(!contradicts(200, reported(1, 1, true), Comparable::Count), "in numbers as well");
        assert!(!contradicts(50, reported(100, 0, true), Comparable::Count), "less proves nothing");
    }

    proptest! {
        #[test]
        fn nobody_is_accused_for_reporting_more(records in 0i64..10_000, more in 0i64..10_000, count in any::<bool>()) {
            let comparable = if count { Comparable::Count } else { Comparable::Presence };
            let found = contradicts(records, reported(records + more, 0, true), comparable);
            prop_assert!(!found);
        }
    }
}
