//! What hasn't come yet: places of a chain, and time of an agent. Both are short lists, since what comes in order
//! leaves none.

use std::collections::BTreeMap;

use crate::clock::Time;

/// Gaps that are remembered, newest first: an agent that leaves more gives no account of the oldest any more.
const MOST: usize = 500;
/// Seconds before an agent's first report of which another may still speak; later than that raw reports, which tell
/// a late one from a copy, are gone by default.
const BEFORE_THE_FIRST: i64 = 30 * 24 * 3600;

/// Places of a chain at which no report has been received: first and last of each stretch.
#[derive(Debug, Default)]
pub(super) struct Missing {
    ranges: BTreeMap<i64, i64>,
    changed: bool,
}

impl Missing {
    /// A stretch as it was kept.
    pub fn add(&mut self, first: i64, last: i64) {
        self.ranges.insert(first, last);
    }

    /// The chain goes on at `next` after `newest`; what lies between is missing.
    pub fn skip(&mut self, newest: i64, next: i64) {
        if next > newest + 1 {
            self.ranges.insert(newest + 1, next - 1);
            if self.ranges.len() > MOST {
                self.ranges.pop_first();
            }
            self.changed = true;
        }
    }

    pub fn holds(&self, seq: i64) -> bool {
        self.ranges.range(..=seq).next_back().is_some_and(|(_, last)| seq <= *last)
    }

    pub fn fill(&mut self, seq: i64) {
        let Some((first, last)) = self.ranges.range(..=seq).next_back().map(|(f, l)| (*f, *l)) else {
            return;
        };
        if seq > last {
            return;
        }
        self.ranges.remove(&first);
        if first < seq {
            self.ranges.insert(first, seq - 1);
        }
        if seq < last {
            self.ranges.insert(seq + 1, last);
        }
        self.changed = true;
    }

    pub fn has_changed(&self) -> bool {
        self.changed
    }

    pub fn ranges(&self) -> impl Iterator<Item = (i64, i64)> {
        self.ranges.iter().map(|(first, last)| (*first, *last))
    }
}

/// How far an agent's reports reach, and the stretches before that of which none has spoken.
#[derive(Debug, Default)]
pub(super) struct Cover {
    reached: Option<Time>,
    gaps: BTreeMap<Time, Time>,
    changed: bool,
}

impl Cover {
    pub fn reaching(reached: Time) -> Self {
        Cover { reached: Some(reached), ..Cover::default() }
    }

    /// A stretch as it was kept.
    pub fn add_gap(&mut self, start: Time, end: Time) {
        self.gaps.insert(start, end);
    }

    /// Covers [start, end), and answers what of it wasn't covered before.
    pub fn take(&mut self, start: Time, end: Time) -> Vec<(Time, Time)> {
        if end <= start {
            return Vec::new();
        }
        let Some(reached) = self.reached else {
            self.reached = Some(end);
            self.open(start.plus_seconds(-BEFORE_THE_FIRST), start);
            return vec![(start, end)];
        };
        let touched: Vec<(Time, Time)> =
            self.gaps.range(..end).map(|(s, e)| (*s, *e)).filter(|(_, e)| *e > start).collect();
        let mut taken = Vec::new();
        for (from, to) in touched {
            self.gaps.remove(&from);
            self.changed = true;
            if from < start {
                self.gaps.insert(from, start);
            }
            if to > end {
                self.gaps.insert(end, to);
            }
            taken.push((from.max(start), to.min(end)));
        }
        if end > reached {
            if start > reached {
                self.open(reached, start);
            }
            match taken.last_mut() {
                Some(last) if last.1 == reached.max(start) => last.1 = end,
                _ => taken.push((reached.max(start), end)),
            }
            self.reached = Some(end);
        }
        taken
    }

    fn open(&mut self, start: Time, end: Time) {
        self.gaps.insert(start, end);
        if self.gaps.len() > MOST {
            self.gaps.pop_first();
        }
        self.changed = true;
    }

    pub fn has_changed(&self) -> bool {
        self.changed
    }

    pub fn gaps(&self) -> impl Iterator<Item = (Time, Time)> {
        self.gaps.iter().map(|(start, end)| (*start, *end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Time {
        Time::from(jiff::Timestamp::UNIX_EPOCH).plus_seconds(second)
    }

    /// Seconds covered by these windows in this order.
    fn covered(windows: &[(i64, i64)]) -> i64 {
        let mut cover = Cover::default();
        let pieces = windows.iter().flat_map(|(start, length)| cover.take(at(*start), at(start + length)));
        pieces.collect::<Vec<_>>().iter().map(|(start, end)| end.seconds_since(*start)).sum()
    }

    proptest! {
        #[test]
        fn time_counts_once_in_whatever_order_it_comes(
            windows in prop::collection::vec((0i64..500, 0i64..60), 1..20).prop_shuffle(),
            other in any::<prop::sample::Index>(),
        ) {
            let mut seconds = [false; 600];
            for (start, length) in &windows {
                seconds[*start as usize..(start + length) as usize].fill(true);
            }
            let expected = seconds.iter().filter(|s| **s).count() as i64;
            prop_assert_eq!(covered(&windows), expected);
            let mut rotated = windows.clone();
            rotated.rotate_left(other.index(windows.len()));
            prop_assert_eq!(covered(&rotated), expected);
        }

        #[test]
        fn each_place_is_missing_until_it_is_filled(order in Just((0i64..30).collect::<Vec<_>>()).prop_shuffle()) {
            let (mut missing, mut newest) = (Missing::default(), -1);
            for (n, seq) in order.iter().enumerate() {
                if *seq > newest {
                    missing.skip(newest, *seq);
                    newest = *seq;
                } else {
                    prop_assert!(missing.holds(*seq));
                    missing.fill(*seq);
                }
                for place in 0..30 {
                    let open = place < newest && !order[..=n].contains(&place);
                    prop_assert_eq!(missing.holds(place), open, "{}", place);
                }
            }
            prop_assert_eq!(missing.ranges().count(), 0);
        }
    }
}
