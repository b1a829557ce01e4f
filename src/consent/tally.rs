//! How many said yes and no, as others may see it: bands of five that no sum and no difference undoes.
//!
//! Three numbers with a known sum tell more than each alone. All three are shown only where everything that fits
//! the bands leaves open, of each number, whether it is nobody or up to four, and whether it is everybody or all but
//! four. Not showing them must tell as little: a test goes through everything that can stand behind either.

use super::model::Why;
use crate::web::bands::{PeopleBand, SMALLEST_GROUP, SMALLEST_WHOLE};

/// What somebody's decisions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    Yes,
    /// Refused, taken back, or objected, whatever the answer to the objection was.
    No,
    /// Nothing that counts: never asked or answered, run out, or said to something else.
    Nothing,
}

impl Side {
    /// `None` where no notice in force tells them of it, so that they aren't asked.
    pub fn of(why: Why) -> Option<Self> {
        match why {
            Why::Given => Some(Side::Yes),
            Why::Refused | Why::Objected | Why::Upheld | Why::Overridden => Some(Side::No),
            Why::Mandatory | Why::OnByDefault | Why::NotAsked | Why::Changed | Why::Expired => {
                Some(Side::Nothing)
            }
            Why::NotDeclared | Why::NotTold | Why::Stale => None,
        }
    }
}

/// Exact counts; nobody is shown them as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub people: i64,
    pub yes: i64,
    pub no: i64,
}

/// What others see of a tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Too few people, or numbers that would tell of single ones.
    Hidden,
    All {
        yes: PeopleBand,
        no: PeopleBand,
        nothing: PeopleBand,
    },
}

impl Tally {
    pub fn of(sides: impl Iterator<Item = Side>) -> Self {
        let mut tally = Tally::default();
        for side in sides {
            tally.people += 1;
            tally.yes += i64::from(side == Side::Yes);
            tally.no += i64::from(side == Side::No);
        }
        tally
    }

    pub fn shown(self) -> Shown {
        let whole = self.people;
        let band = |count| PeopleBand::of(count, whole);
        let bands = [band(self.yes), band(self.no), band(whole - self.yes - self.no)];
        let [Some(yes), Some(no), Some(nothing)] = bands else { return Shown::Hidden };
        let all = [yes, no, nothing];
        // Of such a whole, numbers with nobody in them always fit: without hiding these too, "not shown" would
        // tell that there is somebody in each.
        let uneven = whole % SMALLEST_GROUP == SMALLEST_GROUP - 1 && all.contains(&PeopleBand::AlmostAll);
        if !uneven && (0..3).all(|i| is_open(possible(all, i, whole), whole)) {
            Shown::All { yes, no, nothing }
        } else {
            Shown::Hidden
        }
    }
}

/// The first and the last count that a band stands for.
fn interval(band: PeopleBand, whole: i64) -> (i64, i64) {
    match band {
        PeopleBand::FewerThanFive => (0, SMALLEST_GROUP - 1),
        PeopleBand::From(n) => (n, (n + SMALLEST_GROUP - 1).min(whole - SMALLEST_GROUP)),
        PeopleBand::AlmostAll => (whole - SMALLEST_GROUP + 1, whole),
    }
}

/// What the number in this place can be, given all three bands and their sum.
fn possible(bands: [PeopleBand; 3], place: usize, whole: i64) -> (i64, i64) {
    let all = bands.map(|band| interval(band, whole));
    let others = || all.iter().enumerate().filter(|(i, _)| *i != place).map(|(_, interval)| interval);
    let (least, most): (i64, i64) = (others().map(|i| i.0).sum(), others().map(|i| i.1).sum());
    (all[place].0.max(whole - most), all[place].1.min(whole - least))
}

/// Whether a number that can be anything from `first` to `last` tells of fewer than five, on either side.
fn is_open((first, last): (i64, i64), whole: i64) -> bool {
    let few = |first: i64, last: i64| first >= SMALLEST_GROUP || (first == 0 && last >= SMALLEST_GROUP - 1);
    few(first, last) && few(whole - last, whole - first)
}

/// Whether enough answers differ between two counts for the later one to be shown: the difference between what was
/// shown and what is shown never comes from fewer than five people.
pub fn is_due(differing: usize) -> bool {
    i64::try_from(differing).is_ok_and(|n| n >= SMALLEST_GROUP)
}

const _: () = assert!(SMALLEST_WHOLE >= 2 * SMALLEST_GROUP);

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    /// All that can stand behind each thing that is shown, for every whole up to fifty.
    #[test]
    fn nothing_that_is_shown_or_hidden_tells_of_fewer_than_five() {
        for whole in 0..=50 {
            let mut behind: HashMap<String, [HashSet<i64>; 3]> = HashMap::new();
            for yes in 0..=whole {
                for no in 0..=whole - yes {
                    let shown = Tally { people: whole, yes, no }.shown();
                    assert!(whole >= SMALLEST_WHOLE || shown == Shown::Hidden);
                    let sets = behind.entry(format!("{shown:?}")).or_default();
                    for (set, count) in sets.iter_mut().zip([yes, no, whole - yes - no]) {
                        set.insert(count);
                    }
                }
            }
            if whole < SMALLEST_WHOLE {
                continue;
            }
            // Of each number, and of what is left beside it.
            for (shown, sets) in behind {
                for set in &sets {
                    let left: HashSet<i64> = set.iter().map(|count| whole - count).collect();
                    for set in [set, &left] {
                        let few = (0..5).filter(|n| set.contains(n)).count();
                        assert!(few == 0 || few == 5, "{whole}: {shown} leaves {set:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn most_of_what_there_is_to_know_is_shown() {
        let words = |people, yes, no| match (Tally { people, yes, no }).shown() {
            Shown::Hidden => "hidden".into(),
            Shown::All { yes, no, nothing } => format!("{yes}; {no}; {nothing}"),
        };
        assert_eq!(words(40, 12, 7), "10 to 14 people; 5 to 9 people; 20 to 24 people");
        assert_eq!(words(40, 1, 0), words(40, 0, 4));
        assert_eq!(words(39, 12, 7), "10 to 14 people; 5 to 9 people; 20 to 24 people");
        assert_eq!(words(39, 1, 0), "hidden");
        assert_eq!(words(30, 5, 25), "hidden", "all thirty would have answered");
        assert_eq!(words(9, 5, 0), "hidden");
    }

    proptest! {
        /// People change their minds day after day; what is counted anew is counted when five have.
        #[test]
        fn no_two_days_differ_by_fewer_than_five(
            people in 10usize..45,
            days in prop::collection::vec(prop::collection::vec((0usize..45, 0u8..3), 0..7), 1..20),
        ) {
            let side = |n| [Side::Yes, Side::No, Side::Nothing][usize::from(n)];
            let mut now = vec![Side::Nothing; people];
            let mut counted = now.clone();
            for changes in days {
                for (who, becomes) in changes {
                    now[who % people] = side(becomes);
                }
                let before = Tally::of(counted.iter().copied()).shown();
                let differing = now.iter().zip(&counted).filter(|(a, b)| a != b).count();
                if is_due(differing) {
                    counted.clone_from(&now);
                }
                let after = Tally::of(counted.iter().copied()).shown();
                prop_assert!(before == after || differing >= 5);
            }
        }
    }
}
