//! What became of a finding, in the order in which it did.

use super::daily::Change;
use super::group::{Group, people_words};
use crate::clock::{Day, Time};
use crate::collection::mine::FindingView;
use crate::collection::model::{Audience, FindingKind, PeopleBand};
use crate::collection::store::groups::DayRow;
use crate::identity::Moves;
use crate::register::{Category, Declaration};

/// A moment in a finding's life, or a day of a group's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::collection) struct Line<At> {
    pub at: At,
    pub words: String,
    /// Where more is said: a declaration, for its page.
    pub link: Option<String>,
}

impl<At> Line<At> {
    fn new(at: At, words: impl Into<String>) -> Self {
        Line { at, words: words.into(), link: None }
    }
}

const DOES_NOT_CLEAR: &str = "Declared, which doesn’t clear what was found before";

/// Declarations that came after a finding and would have covered it (R9).
fn declared_later<'a>(
    declarations: &'a [Declaration],
    kind: FindingKind,
    category: Option<Category>,
    program: &'a str,
    first: Time,
) -> impl Iterator<Item = &'a Declaration> {
    declarations.iter().filter(move |d| {
        kind.is_about_declarations()
            && d.from > first
            && category.is_none_or(|category| d.content.category == category)
            && (program.is_empty() || d.content.source.matches(program))
            // Something to hold it against: else every declaration there is would stand here.
            && (category.is_some() || !program.is_empty())
    })
}

/// Of one finding, for its own person.
pub(in crate::collection) fn of_finding(
    f: &FindingView,
    seen: &[Time],
    declarations: &[Declaration],
    moves: &Moves<Audience>,
) -> Vec<Line<Time>> {
    let mut lines =
        vec![Line::new(f.first_at, "First observed"), Line::new(f.found_at, "Found, when it was reported")];
    lines.extend(seen.iter().map(|at| Line::new(*at, "Observed again")));
    if f.last_at > f.first_at && seen.last() != Some(&f.last_at) {
        lines.push(Line::new(f.last_at, "Last observed"));
    }
    lines
        .extend(f.answers.iter().map(|a| Line::new(a.at, "Answered by your employer, which clears nothing")));
    let later = declared_later(declarations, f.kind, f.category, &f.program, f.first_at);
    let applies = |d: &&Declaration| {
        let audience = moves.at(d.from);
        d.applies_to(audience.department, &audience.jurisdiction)
    };
    lines.extend(later.filter(applies).map(|d| Line {
        at: d.from,
        words: DOES_NOT_CLEAR.into(),
        link: Some(format!("/register/{}", d.processing_id)),
    }));
    lines.sort_by_key(|line| line.at);
    lines
}

/// Of a group, by whole days. On which days the same was found again isn't said: of a group of one it would say when
/// that person was at work.
pub(in crate::collection) fn of_group(
    group: &Group,
    days: &[DayRow],
    declarations: &[Declaration],
    whole: i64,
    zone: &jiff::tz::TimeZone,
) -> Vec<Line<Day>> {
    let mut lines =
        vec![Line::new(group.first, "First observed"), Line::new(group.found, "Found, when it was reported")];
    for row in days {
        for change in row.changes.iter().filter_map(|id| Change::parse(id)) {
            match change {
                // It stands there already, to the day.
                Change::New | Change::Answered => {}
                Change::Open => lines.push(Line::new(row.day, "Found again after an answer")),
                Change::People => {
                    let band = PeopleBand::of(row.people.min(whole), whole);
                    lines.push(Line::new(row.day, format!("Concerned {} from then on", people_words(band))));
                }
            }
        }
    }
    lines.extend(group.answers.iter().map(|a| Line::new(a.at.day(zone), "Answered, which clears nothing")));
    if group.is_named() || group.key.is_empty() {
        let first = group.first.start(zone);
        let later = declared_later(declarations, group.kind, group.category, &group.key, first);
        lines.extend(later.filter(|d| d.from.day(zone) > group.first).map(|d| Line {
            at: d.from.day(zone),
            words: DOES_NOT_CLEAR.into(),
            link: Some(format!("/register/{}", d.processing_id)),
        }));
    }
    lines.push(Line::new(group.last, "Last observed until now"));
    // What stands in front of another on one day stays there.
    lines.sort_by_key(|line| line.at);
    lines.dedup();
    lines
}
