//! Counts as pages may show them: nothing under five, and nothing that tells of fewer than five by subtraction.

use super::store::counts::{DayRow, DepartmentRow};
use crate::clock::Day;
use crate::petitions::model::FEW;

const FEW_SIGNED: i64 = FEW as i64;

/// The number itself from five on.
pub fn shown(count: i64) -> Option<i64> {
    (count >= FEW_SIGNED).then_some(count)
}

/// "12 signatures", "fewer than five signatures"
pub fn words(count: Option<i64>) -> String {
    match count {
        Some(n) => format!("{} signatures", crate::web::times::number(n)),
        None => "fewer than five signatures".into(),
    }
}

/// A day on which signatures came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayCount {
    pub day: Day,
    /// `None` where it would tell of fewer than five who signed, or withdrew.
    pub signed: Option<i64>,
    /// That stand after it.
    pub total: Option<i64>,
}

/// By day. Who knows the totals knows what was withdrawn from what was signed, so both must be many, or none.
pub fn by_day(rows: &[DayRow]) -> Vec<DayCount> {
    let quiet = |n: i64| n == 0 || n >= FEW_SIGNED;
    rows.iter()
        .map(|r| DayCount {
            day: r.day,
            signed: shown(r.signed).filter(|_| quiet(r.withdrawn)),
            total: shown(r.total),
        })
        .collect()
}

/// Departments from five on, the largest first, none of which gives one away: neither beside the names that stand
/// there for everybody, nor by what is left of the whole.
pub fn departments(rows: &[DepartmentRow], total: i64) -> Vec<(String, i64)> {
    let few = |n: i64| (1..FEW_SIGNED).contains(&n);
    let kept = rows.iter().filter(|r| r.total >= FEW_SIGNED && !few(r.hidden));
    let mut kept: Vec<(String, i64)> = kept.map(|r| (r.department.clone(), r.total)).collect();
    kept.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    while !kept.is_empty() && few(total - kept.iter().map(|(_, n)| n).sum::<i64>()) {
        kept.pop();
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(department: &str, total: i64, hidden: i64) -> DepartmentRow {
        DepartmentRow { department: department.into(), total, hidden }
    }

    fn names(rows: &[DepartmentRow], total: i64) -> Vec<String> {
        departments(rows, total).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn no_number_under_five_is_shown() {
        assert_eq!([0, 1, 4, 5, 6].map(shown), [None, None, None, Some(5), Some(6)]);
        assert_eq!(words(shown(4)), words(shown(0)));
    }

    #[test]
    fn a_department_is_told_from_five_on_and_leaves_no_small_rest() {
        assert_eq!(names(&[row("Dispatch", 9, 0), row("Office", 4, 0)], 40), ["Dispatch"]);
        // Three signed without a department.
        assert_eq!(names(&[row("Dispatch", 9, 0), row("Office", 6, 0)], 18), ["Dispatch"]);
        assert_eq!(names(&[row("Dispatch", 9, 0), row("Office", 6, 0)], 15), ["Dispatch", "Office"]);
        assert!(names(&[row("Dispatch", 9, 0)], 11).is_empty() && names(&[], 4).is_empty());
        // Eight names stand there for everybody: the ninth would be told.
        assert!(names(&[row("Dispatch", 9, 1)], 40).is_empty());
        assert_eq!(names(&[row("Dispatch", 9, 5)], 40), ["Dispatch"]);
    }

    #[test]
    fn a_day_tells_of_nobody_who_withdrew() {
        let day: jiff::civil::Date = "2026-11-02".parse().unwrap();
        let of = |signed, withdrawn, total| DayRow { day: day.into(), signed, withdrawn, total };
        let days = by_day(&[of(6, 0, 6), of(6, 1, 11), of(4, 8, 7), of(0, 5, 2)]);
        let told: Vec<_> = days.iter().map(|d| (d.signed, d.total)).collect();
        assert_eq!(told, [(Some(6), Some(6)), (None, Some(11)), (None, Some(7)), (None, None)]);
    }
}
