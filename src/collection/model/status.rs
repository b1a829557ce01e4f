//! The status of a category for one person, and what it rests on.

/// How declared, observed and the person's choices go together, for one person and category; worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// R3: the person had said no.
    Violated,
    Undeclared,
    Exceeds,
    /// R5: a gap, a stale agent or no coverage; also counts that contradict each other (R8). Never shown as fine.
    Unknown,
    AsDeclared,
    /// R6: only with complete coverage.
    NotSeen,
}

impl Status {
    pub const ALL: [Status; 6] = [
        Status::Violated,
        Status::Undeclared,
        Status::Exceeds,
        Status::Unknown,
        Status::AsDeclared,
        Status::NotSeen,
    ];

    pub fn id(self) -> &'static str {
        match self {
            Status::Violated => "VIOLATED",
            Status::Undeclared => "UNDECLARED",
            Status::Exceeds => "EXCEEDS",
            Status::Unknown => "UNKNOWN",
            Status::AsDeclared => "AS_DECLARED",
            Status::NotSeen => "NOT_SEEN",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Status::Violated => "Collected after you said no",
            Status::Undeclared => "Undeclared",
            Status::Exceeds => "More than declared",
            Status::Unknown => "Unknown",
            Status::AsDeclared => "As declared",
            Status::NotSeen => "Not seen",
        }
    }

    pub fn needs_attention(self) -> bool {
        matches!(self, Status::Violated | Status::Undeclared | Status::Exceeds)
    }

    pub fn is_unknown(self) -> bool {
        self == Status::Unknown
    }

    /// The chip's class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Status::Violated => "violation",
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
    pub violated: bool,
    pub undeclared: bool,
    pub exceeds: bool,
    /// Two agents' counts contradict each other.
    pub misreported: bool,
    pub observed: bool,
    /// Days looked at, and those of them that were watched completely.
    pub days: i64,
    pub watched_days: i64,
}

pub fn status(e: Evidence) -> Status {
    if e.violated {
        Status::Violated
    } else if e.undeclared {
        Status::Undeclared
    } else if e.exceeds {
        Status::Exceeds
    } else if e.misreported || e.days == 0 || e.watched_days < e.days {
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
            prop_assert_eq!(status(Evidence { misreported: true, ..e }), Status::Unknown);
            prop_assert_eq!(status(Evidence { undeclared: true, ..e }), Status::Undeclared);
            prop_assert_eq!(status(Evidence { exceeds: true, ..e }), Status::Exceeds);
            let worst = Evidence { violated: true, undeclared: true, exceeds: true, misreported: true, ..e };
            prop_assert_eq!(status(worst), Status::Violated);
        }
    }
}
