//! Findings by week and kind, as a picture and as a table with the same numbers.

use std::collections::BTreeMap;

use super::daily::WEEKS;
use super::group::people_words;
use crate::clock::Day;
use crate::collection::model::{FindingKind, PeopleBand};
use crate::collection::store::groups::WeekRow;
use crate::collection::store::own::OwnWeek;
use crate::web::times;

/// From one week to the next, and the height of a kind: its label, the number, the bar.
const STEP: i64 = 22;
const ROW: i64 = 74;
const TOP: i64 = 20;
const LEFT: i64 = 2;
const BAR: i64 = 34;
const BASE: i64 = 66;

/// A row of bars for each kind.
pub(in crate::collection) struct Trend {
    pub width: i64,
    pub height: i64,
    pub rows: Vec<TrendRow>,
    /// The first week of each month: where, and its name.
    pub months: Vec<(i64, String)>,
    /// Oldest first; the last is this one.
    pub weeks: Vec<Day>,
}

pub(in crate::collection) struct TrendRow {
    pub kind: FindingKind,
    pub label_y: i64,
    pub base: i64,
    pub bars: Vec<Bar>,
    /// For each week, in words.
    pub cells: Vec<String>,
}

pub(in crate::collection) struct Bar {
    pub x: i64,
    pub y: i64,
    pub height: i64,
    pub text_x: i64,
    pub number: String,
}

impl Trend {
    /// Weeks as indexes, newest first, for the table.
    pub fn newest_first(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.weeks.len()).rev()
    }
}

/// The Mondays of the weeks that are pictured.
pub(in crate::collection) fn weeks(this: Day) -> Vec<Day> {
    (1 - WEEKS..=0).map(|n| this.plus_days(7 * n)).collect()
}

/// Groups with something new, and people in bands.
pub(in crate::collection) fn of_groups(this: Day, rows: &[WeekRow]) -> Trend {
    let words = |row: &WeekRow| {
        let people = PeopleBand::of(row.people.min(row.whole), row.whole);
        let groups = if row.groups == 1 { "1 group".into() } else { format!("{} groups", row.groups) };
        match people {
            None => format!("{groups}, people not shown"),
            people => format!("{groups}, {}", people_words(people)),
        }
    };
    draw(this, rows.iter().map(|row| ((row.kind.as_str(), row.week), (row.groups, words(row)))).collect())
}

/// A person's own, by number.
pub(in crate::collection) fn of_own(this: Day, rows: &[OwnWeek]) -> Trend {
    let cell = |row: &OwnWeek| (row.findings, times::number(row.findings));
    draw(this, rows.iter().map(|row| ((row.kind.as_str(), row.week), cell(row))).collect())
}

fn draw(this: Day, cells: BTreeMap<(&str, Day), (i64, String)>) -> Trend {
    let weeks = weeks(this);
    let of = |kind: FindingKind, week: &Day| cells.get(&(kind.id(), *week));
    let kinds =
        FindingKind::ALL.into_iter().filter(|kind| weeks.iter().any(|week| of(*kind, week).is_some()));
    let most = cells.values().map(|(n, _)| *n).max().unwrap_or(1).max(1);
    let rows: Vec<TrendRow> = kinds
        .enumerate()
        .map(|(n, kind)| {
            let top = TOP + n as i64 * ROW;
            let bars = weeks.iter().enumerate().filter_map(|(w, week)| {
                let (number, _) = of(kind, week)?;
                let height = (number * BAR / most).max(3);
                let x = LEFT + w as i64 * STEP;
                let number = times::number(*number);
                Some(Bar { x, y: top + BASE - height, height, text_x: x + (STEP - 4) / 2, number })
            });
            let none = || "0".to_owned();
            TrendRow {
                kind,
                label_y: top + 14,
                base: top + BASE,
                bars: bars.collect(),
                cells: weeks
                    .iter()
                    .map(|w| of(kind, w).map_or_else(none, |(_, words)| words.clone()))
                    .collect(),
            }
        })
        .collect();
    let months = weeks
        .iter()
        .enumerate()
        .filter(|(n, week)| week.jiff().day() <= 7 && *n + 2 < weeks.len())
        .map(|(n, week)| (LEFT + n as i64 * STEP, week.jiff().strftime("%b").to_string()))
        .collect();
    Trend { width: LEFT * 2 + WEEKS * STEP, height: TOP + rows.len() as i64 * ROW + 4, rows, months, weeks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse::<jiff::civil::Date>().unwrap().into()
    }

    #[test]
    fn each_number_is_a_bar_and_a_cell() {
        let row = |week: &str, findings| OwnWeek { week: day(week), kind: "EXCEEDS".into(), findings };
        let trend =
            of_own(day("2026-11-02"), &[row("2026-11-02", 4), row("2026-10-26", 1), row("2020-01-06", 9)]);
        assert_eq!(trend.weeks.len(), 26);
        assert_eq!(trend.rows.len(), 1, "a kind without anything has no row");
        assert_eq!(trend.rows[0].bars.len(), 2);
        assert_eq!(trend.rows[0].cells[25], "4");
        assert_eq!(trend.rows[0].cells[24], "1");
        assert_eq!(trend.rows[0].cells[23], "0");
        assert!(trend.rows[0].bars.iter().all(|bar| bar.x + STEP <= trend.width && bar.height >= 3));
    }

    #[test]
    fn people_are_in_bands() {
        let row =
            WeekRow { week: day("2026-11-02"), kind: "EXCEEDS".into(), groups: 2, people: 7, whole: 40 };
        let few =
            WeekRow { people: 3, groups: 1, week: day("2026-10-26"), kind: "EXCEEDS".into(), whole: 40 };
        let small =
            WeekRow { people: 3, groups: 1, week: day("2026-10-19"), kind: "EXCEEDS".into(), whole: 6 };
        let cells = of_groups(day("2026-11-02"), &[row, few, small]).rows.remove(0).cells;
        assert_eq!(cells[25], "2 groups, 5 to 9 people");
        assert_eq!(cells[24], "1 group, fewer than 5 people");
        assert_eq!(cells[23], "1 group, people not shown");
    }
}
