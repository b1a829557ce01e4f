//! Signatures by day as shapes; the table beside it has the same numbers.

use super::counts::DayCount;

const STEP: i64 = 16;
const HEIGHT: i64 = 120;
const TOP: i64 = 18;

pub struct Chart {
    pub width: i64,
    pub height: i64,
    /// The foot of the bars.
    pub foot: i64,
    pub most: i64,
    pub bars: Vec<Bar>,
}

pub struct Bar {
    pub x: i64,
    pub y: i64,
    pub height: i64,
}

/// Signatures that stand after each day, from the first batch to the last; `None` before there is anything to show.
pub fn chart(days: &[DayCount]) -> Option<Chart> {
    let first = days.iter().find(|d| d.total.is_some())?.day;
    let last = days.last()?.day;
    let most = days.iter().filter_map(|d| d.total).max()?;
    let count = last.days_since(first) + 1;
    let mut bars = Vec::new();
    let mut standing = None;
    for n in 0..count {
        let day = first.plus_days(n);
        if let Some(found) = days.iter().find(|d| d.day == day) {
            standing = found.total;
        }
        let height = standing.map_or(0, |total| total * HEIGHT / most.max(1));
        bars.push(Bar { x: 2 + n * STEP, y: TOP + HEIGHT - height, height });
    }
    Some(Chart { width: 4 + count * STEP, height: TOP + HEIGHT + 4, foot: TOP + HEIGHT, most, bars })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_without_a_batch_stand_as_the_day_before() {
        let day = |d: &str| crate::clock::Day::from(d.parse::<jiff::civil::Date>().unwrap());
        let of = |d, total| DayCount { day: day(d), signed: None, total };
        assert!(chart(&[of("2026-11-02", None)]).is_none());
        let chart = chart(&[of("2026-11-02", Some(5)), of("2026-11-05", Some(10))]).unwrap();
        let heights: Vec<i64> = chart.bars.iter().map(|b| b.height).collect();
        assert_eq!(heights, [60, 60, 60, 120]);
    }
}
