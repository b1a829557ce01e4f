//! Two agents on one device are each other's check (R8), without I/O.
//!
//! Nobody is accused for having watched less: counts are compared only where both agents watched the same program
//! without a gap over the same part of a day. Where they didn't, nothing is said, and nothing is green.

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use serde::Deserialize;
use uuid::Uuid;

use crate::clock::{Day, Time};

/// Seconds by which two agents may begin and end apart, and that each may have missed in between.
pub const ALIGNED_SECONDS: i64 = 5 * 60;

/// Seconds until a day is over everywhere on Earth, counted from its end in UTC.
const EVERYWHERE: i64 = 12 * 3600;

#[derive(Deserialize)]
struct LagRow {
    program: String,
    hours: i32,
}

static LAGS: LazyLock<Vec<LagRow>> = LazyLock::new(|| {
    let rows: Result<Vec<LagRow>, _> =
        csv::Reader::from_reader(include_str!("../lags.csv").as_bytes()).deserialize().collect();
    rows.expect("lags.csv is well formed; a test reads it")
});

/// Programs that are waited for so many hours after a day's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    pub hours: i32,
    /// The programs it is about, or with `all_but` all others.
    pub programs: Vec<String>,
    pub all_but: bool,
}

/// Every lag with its programs: that of all programs without one of their own stands last.
pub fn lags() -> Vec<Lag> {
    let (usual, own): (Vec<&LagRow>, Vec<&LagRow>) = LAGS.iter().partition(|row| row.program == "*");
    let usual = usual.first().map_or(24, |row| row.hours);
    let own: Vec<&LagRow> = own.into_iter().filter(|row| row.hours != usual).collect();
    let mut hours: Vec<i32> = own.iter().map(|row| row.hours).collect();
    hours.sort_unstable();
    hours.dedup();
    let of = |hours: i32| own.iter().filter(|r| r.hours == hours).map(|r| r.program.clone()).collect();
    let mut lags: Vec<Lag> =
        hours.into_iter().map(|hours| Lag { hours, programs: of(hours), all_but: false }).collect();
    let programs = own.iter().map(|row| row.program.clone()).collect();
    lags.push(Lag { hours: usual, programs, all_but: true });
    lags
}

/// The newest day whose counts needn't be waited for any more.
pub fn newest_due(now: Time, hours: i32) -> Day {
    now.plus_seconds(-EVERYWHERE - i64::from(hours) * 3600).day(&TimeZone::UTC).plus_days(-1)
}

/// What one agent says of a program on a device, a day and a category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub agent_id: Uuid,
    pub from: Time,
    pub to: Time,
    /// Of these, how many its windows cover.
    pub seconds: i64,
    /// Records taken, whether or not they were dropped.
    pub taken: i64,
    pub dropped: i64,
    pub reports: i64,
    /// It stands between the program and where that keeps its records, so that others see only what it let through.
    pub is_gateway: bool,
}

impl Count {
    fn is_gapless(&self) -> bool {
        self.to.seconds_since(self.from) - self.seconds <= ALIGNED_SECONDS
    }

    /// Whether both watched the same time.
    fn is_beside(&self, other: &Count) -> bool {
        let near = |a: Time, b: Time| a.seconds_since(b).abs() <= ALIGNED_SECONDS;
        self.agent_id != other.agent_id
            && self.is_as_frequent_as(other)
            && self.is_gapless()
            && other.is_gapless()
            && near(self.from, other.from)
            && near(self.to, other.to)
    }

    /// What both could see: behind a gateway nobody sees what it dropped.
    fn visible(&self, other: &Count) -> i64 {
        if self.is_gateway && !other.is_gateway { self.taken - self.dropped } else { self.taken }
    }

    /// What lasts counts once in each window it touches: who reports twice as often counts something else.
    fn is_as_frequent_as(&self, other: &Count) -> bool {
        let (few, many) = (self.reports.min(other.reports), self.reports.max(other.reports));
        many <= few + few / 2 + 2
    }

    /// How far two honest counts lie apart. Each window may hold one event that began before it; both agents' windows
    /// do, so what is left is the difference in their numbers and chance, of which three deviations are allowed.
    /// Sums of all their reports would let a whole day's records be denied.
    fn allowance(&self, other: &Count) -> i64 {
        let chance = 3.0 * ((self.reports + other.reports) as f64).sqrt();
        (self.reports - other.reports).abs() + chance.ceil() as i64 + 5
    }
}

/// Pairs that contradict each other: who counted less, and of those beside it who counted most.
pub fn misreports(counts: &[Count]) -> Vec<(Count, Count)> {
    let contradicting = |low: &Count| {
        let above = counts
            .iter()
            .filter(|high| high.is_beside(low) && high.visible(low) - low.visible(high) > low.allowance(high))
            .max_by_key(|high| (high.visible(low), high.agent_id));
        above.map(|high| (*low, *high))
    };
    counts.iter().filter_map(contradicting).collect()
}

/// Whether somebody else's count bears out what an agent says it took and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// Nobody else watched the same: it rests on the agent's own word.
    OwnWord,
    Agrees,
    Differs,
}

pub fn agreement(agent: Uuid, counts: &[Count]) -> Agreement {
    let Some(own) = counts.iter().find(|c| c.agent_id == agent) else { return Agreement::OwnWord };
    let mut others = counts.iter().filter(|c| c.is_beside(own)).peekable();
    if others.peek().is_none() {
        return Agreement::OwnWord;
    }
    let near = |a: i64, b: i64, other: &Count| (a - b).abs() <= own.allowance(other);
    let agrees = |c: &Count| match own.is_gateway && !c.is_gateway {
        // What it says it dropped isn't there.
        true => near(c.taken, own.visible(c), c),
        false => near(c.taken, own.taken, c) && near(c.dropped, own.dropped, c),
    };
    match others.all(agrees) {
        true => Agreement::Agrees,
        false => Agreement::Differs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Time {
        Time::from(jiff::Timestamp::UNIX_EPOCH).plus_seconds(seconds)
    }

    fn count(agent: u128, taken: i64, dropped: i64) -> Count {
        Count {
            agent_id: Uuid::from_u128(agent),
            from: at(0),
            to: at(36_000),
            seconds: 36_000,
            taken,
            dropped,
            reports: 10,
            is_gateway: false,
        }
    }

    #[test]
    fn behind_a_gateway_nobody_sees_what_it_dropped() {
        let gateway = Count { is_gateway: true, ..count(1, 500, 480) };
        let (behind, bypassed, blind) = (count(2, 21, 0), count(2, 495, 0), count(2, 0, 0));
        assert_eq!(misreports(&[gateway, behind]), []);
        assert_eq!(agreement(gateway.agent_id, &[gateway, behind]), Agreement::Agrees);
        // Dropped, it says, and yet it is there: the gateway is the one that counted less.
        assert_eq!(misreports(&[gateway, bypassed]), [(gateway, bypassed)]);
        assert_eq!(agreement(gateway.agent_id, &[gateway, bypassed]), Agreement::Differs);
        assert_eq!(misreports(&[Count { dropped: 0, ..gateway }, blind]).len(), 1);
    }

    #[test]
    fn the_table_of_lags_is_in_order() {
        assert!(LAGS.iter().all(|row| row.hours >= 0) && LAGS.iter().any(|row| row.program == "*"));
        let mut table = csv::Reader::from_reader(include_str!("../lags.csv").as_bytes());
        assert!(table.records().all(|row| row.is_ok_and(|row| !row[2].is_empty())), "each says why");
        let lags = lags();
        assert_eq!(lags.last().map(|lag| (lag.hours, lag.all_but)), Some((24, true)));
        assert!(lags[0].programs.contains(&"activitywatch".to_owned()));
    }

    #[test]
    fn a_day_is_due_when_it_is_over_everywhere_and_the_lag_has_passed() {
        let time = |text: &str| Time::from(text.parse::<jiff::Timestamp>().unwrap());
        let due = |text| newest_due(time(text), 24).to_string();
        assert_eq!(due("2026-11-04T11:59:59Z"), "2026-11-01");
        assert_eq!(due("2026-11-04T12:00:00Z"), "2026-11-02");
    }

    #[test]
    fn counts_that_differ_by_more_than_a_record_a_report_contradict_each_other() {
        let (much, little, between) = (count(1, 500, 0), count(2, 20, 0), count(3, 485, 0));
        assert_eq!(misreports(&[much, little]), [(little, much)]);
        assert_eq!(misreports(&[count(1, 39, 0), little]), [], "chance");
        assert_eq!(misreports(&[count(1, 40, 0), little]).len(), 1);
        assert_eq!(misreports(&[between, little, much]), [(little, much)], "against the most, once each");
    }

    #[test]
    fn who_watched_less_is_not_accused() {
        let much = count(1, 500, 0);
        let zero = count(2, 0, 0);
        for apart in [
            Count { seconds: 30_000, ..zero },
            Count { from: at(3_600), seconds: 32_400, ..zero },
            Count { to: at(30_000), seconds: 30_000, ..zero },
        ] {
            assert_eq!(misreports(&[much, apart]), []);
            assert_eq!(agreement(much.agent_id, &[much, apart]), Agreement::OwnWord);
        }
    }

    #[test]
    fn a_whole_day_cant_be_denied_by_reporting_often() {
        // Eight hours, a report every five minutes: all dropped, it says, and the agent behind it finds all of it.
        let day = |agent, taken, dropped, reports| Count { reports, ..count(agent, taken, dropped) };
        let lies = Count { is_gateway: true, ..day(1, 190, 190, 96) };
        let finds = day(2, 190, 0, 96);
        assert_eq!(misreports(&[lies, finds]), [(lies, finds)]);
        assert_eq!(agreement(lies.agent_id, &[lies, finds]), Agreement::Differs);
        assert_eq!(agreement(lies.agent_id, &[lies, day(2, 3, 0, 96)]), Agreement::Agrees);
        // Every five seconds: what lasts counts sixty times as often, so nothing is said, and nothing is borne out.
        let often = Count { is_gateway: true, ..day(1, 5_760, 5_760, 5_760) };
        assert_eq!(misreports(&[often, finds]), []);
        assert_eq!(agreement(often.agent_id, &[often, finds]), Agreement::OwnWord);
    }

    #[test]
    fn what_was_stopped_is_borne_out_only_by_somebody_else() {
        let own = count(1, 500, 500);
        assert_eq!(agreement(own.agent_id, &[own]), Agreement::OwnWord);
        assert_eq!(agreement(own.agent_id, &[own, count(2, 495, 490)]), Agreement::Agrees);
        assert_eq!(
            agreement(own.agent_id, &[own, count(2, 495, 0)]),
            Agreement::Differs,
            "kept, not dropped"
        );
        assert_eq!(agreement(own.agent_id, &[own, count(2, 900, 890)]), Agreement::Differs);
        assert_eq!(agreement(Uuid::from_u128(9), &[own]), Agreement::OwnWord);
    }

    proptest! {
        #[test]
        fn nobody_is_accused_twice_and_nobody_who_counted_most(taken in prop::collection::vec(0i64..200, 0..6)) {
            let counts: Vec<Count> = taken.iter().enumerate().map(|(n, t)| count(n as u128, *t, 0)).collect();
            let found = misreports(&counts);
            let most = taken.iter().max().copied().unwrap_or(0);
            for (low, high) in &found {
                prop_assert!(high.taken == most && high.taken - low.taken > 19);
            }
            let expected = taken.iter().filter(|t| most - **t > 19).count();
            prop_assert_eq!(found.len(), expected);
        }
    }
}
