//! Counts of people as others may see them.

use std::fmt;

/// Fewest people a count may speak of.
pub const SMALLEST_GROUP: i64 = 5;

/// Fewest people that a whole may have: in a group of five, "all" would speak of each.
pub const SMALLEST_WHOLE: i64 = 2 * SMALLEST_GROUP;

/// A count of people, or of their devices, as others may see it: a band of five, the same words for nobody
/// and for up to four, and nothing that tells of fewer than five by subtraction from the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeopleBand {
    /// Perhaps nobody.
    FewerThanFive,
    /// From this many, up to four more.
    From(i64),
    /// All of the group, or all but fewer than five.
    AlmostAll,
}

impl PeopleBand {
    /// `None` when the whole group is so small that "all" would mean each one.
    pub fn of(count: i64, whole: i64) -> Option<Self> {
        if whole < SMALLEST_WHOLE {
            None
        } else if count < SMALLEST_GROUP {
            Some(PeopleBand::FewerThanFive)
        } else if whole - count < SMALLEST_GROUP {
            Some(PeopleBand::AlmostAll)
        } else {
            Some(PeopleBand::From(count - count % SMALLEST_GROUP))
        }
    }

    /// Whether at least five are known to be in it.
    pub fn is_some_people(self) -> bool {
        self != PeopleBand::FewerThanFive
    }
}

impl PeopleBand {
    /// For devices, of which each is somebody's.
    pub fn of_devices(self) -> String {
        self.words("none", "")
    }

    /// For messages and other things that each stand for what somebody did, however many there may be.
    pub fn of_messages(count: i64) -> String {
        let band = match count {
            ..SMALLEST_GROUP => PeopleBand::FewerThanFive,
            _ => PeopleBand::From(count - count % SMALLEST_GROUP),
        };
        band.words("none", "")
    }

    fn words(self, nobody: &str, unit: &str) -> String {
        match self {
            PeopleBand::FewerThanFive => format!("{nobody}, or fewer than 5"),
            PeopleBand::From(n) => format!("{n} to {}{unit}", n + 4),
            PeopleBand::AlmostAll => format!("all{unit}, or almost all"),
        }
    }
}

impl fmt::Display for PeopleBand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words("nobody", " people"))
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
            prop_assert_eq!(band.is_none(), whole < SMALLEST_WHOLE);
            if let Some(PeopleBand::From(n)) = band {
                prop_assert!(n >= 5 && n <= count && count < n + 5);
                prop_assert!(whole - count >= SMALLEST_GROUP);
            }
            // Every band stands for five counts, so that it never says which one.
            prop_assert!(band.is_none() || possible(band) >= 5 || matches!(band, Some(PeopleBand::From(_))));
            if count < SMALLEST_GROUP && whole >= SMALLEST_WHOLE {
                prop_assert_eq!(band, Some(PeopleBand::FewerThanFive));
            }
        }
    }
}
