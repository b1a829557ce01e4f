//! Where somebody was, and since when, without I/O.

use crate::clock::Time;

/// What held of somebody, and since when, in order.
#[derive(Debug, Clone)]
pub struct Moves<A> {
    /// What is known of the time before the first move as well.
    first: A,
    later: Vec<(Time, A)>,
}

impl<A> Moves<A> {
    /// Of somebody who has never moved.
    pub fn none(first: A) -> Self {
        Moves { first, later: Vec::new() }
    }

    /// A move after all others so far; of two at one moment, the later said counts.
    pub fn add(&mut self, since: Time, there: A) {
        match self.later.last_mut() {
            Some((at, last)) if *at == since => *last = there,
            _ => self.later.push((since, there)),
        }
    }

    /// Where they were at that moment.
    pub fn at(&self, at: Time) -> &A {
        let passed = self.later.partition_point(|(since, _)| *since <= at);
        passed.checked_sub(1).map_or(&self.first, |last| &self.later[last].1)
    }

    /// When they moved.
    pub fn times(&self) -> impl Iterator<Item = Time> + '_ {
        self.later.iter().map(|(since, _)| *since)
    }

    /// Everywhere they were.
    pub fn all(&self) -> impl Iterator<Item = &A> {
        [&self.first].into_iter().chain(self.later.iter().map(|(_, there)| there))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Time {
        Time::from(jiff::Timestamp::UNIX_EPOCH).plus_seconds(seconds)
    }

    proptest! {
        #[test]
        fn somebody_is_where_they_moved_last(mut times in prop::collection::vec(0i64..20, 0..8), when in -2i64..22) {
            times.sort_unstable();
            let mut moves = Moves::none(0);
            for (n, time) in times.iter().enumerate() {
                moves.add(at(*time), n + 1);
            }
            let expected = times.iter().filter(|time| **time <= when).count();
            prop_assert_eq!(*moves.at(at(when)), expected);
            times.dedup();
            prop_assert_eq!(moves.times().collect::<Vec<_>>(), times.into_iter().map(at).collect::<Vec<_>>());
        }
    }
}
