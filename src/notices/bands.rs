//! Reach as others may see it: counts of people in groups of ten and more, in bands of five.
//!
//! A department of fewer than ten is counted with others, and so is whatever would otherwise be left over:
//! the groups shown are a partition, each large enough, and there is no total beside them from which one
//! could be subtracted. Who declined is counted with those who haven't answered, since their difference would
//! tell of either.

use super::store::reach::GroupRow;
use crate::web::bands::{PeopleBand, SMALLEST_GROUP, SMALLEST_WHOLE};

/// A group that is large enough to be spoken of.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The departments in it; one without a name is that of people without a department.
    pub departments: Vec<Option<String>>,
    pub people: i64,
    pub delivered: PeopleBand,
    pub viewed: PeopleBand,
    pub acknowledged: PeopleBand,
    /// Not acknowledged: declined, or not yet.
    pub open: PeopleBand,
}

#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// None when all together are too few to be spoken of.
    pub cells: Vec<Cell>,
    /// Of all together; only where those who declined and those who haven't answered are many enough, and
    /// where it tells nothing of a single group.
    pub declined: Option<PeopleBand>,
}

pub fn reach(groups: &[GroupRow]) -> Reach {
    let cells: Vec<Cell> = partition(groups).iter().filter_map(|groups| cell(groups)).collect();
    let declined = declined(groups, &cells);
    Reach { cells, declined }
}

/// Groups of at least ten, as fine as departments allow: small ones together, and when even those are too
/// few, with the smallest of the others.
fn partition(groups: &[GroupRow]) -> Vec<Vec<&GroupRow>> {
    let (mut large, mut small): (Vec<&GroupRow>, Vec<&GroupRow>) =
        groups.iter().filter(|g| g.people > 0).partition(|g| g.people >= SMALLEST_WHOLE);
    while !small.is_empty() && small.iter().map(|g| g.people).sum::<i64>() < SMALLEST_WHOLE {
        let Some(next) = (0..large.len()).min_by_key(|i| large[*i].people) else { return Vec::new() };
        small.push(large.remove(next));
    }
    let mut cells: Vec<Vec<&GroupRow>> = large.into_iter().map(|g| vec![g]).collect();
    if !small.is_empty() {
        small.sort_by(|a, b| {
            a.department.is_none().cmp(&b.department.is_none()).then(a.department.cmp(&b.department))
        });
        cells.push(small);
    }
    cells
}

fn cell(groups: &[&GroupRow]) -> Option<Cell> {
    let sum = |of: fn(&GroupRow) -> i64| groups.iter().map(|g| of(g)).sum::<i64>();
    let people = sum(|g| g.people);
    let band = |count| PeopleBand::of(count, people);
    let acknowledged = sum(|g| g.acknowledged);
    Some(Cell {
        departments: groups.iter().map(|g| g.department.clone()).collect(),
        people,
        delivered: band(sum(|g| g.delivered))?,
        viewed: band(sum(|g| g.viewed))?,
        acknowledged: band(acknowledged)?,
        open: band(people - acknowledged)?,
    })
}

/// The most people a band can stand for.
fn at_most(band: PeopleBand, whole: i64) -> i64 {
    match band {
        PeopleBand::FewerThanFive => SMALLEST_GROUP - 1,
        PeopleBand::From(n) => n + SMALLEST_GROUP - 1,
        PeopleBand::AlmostAll => whole,
    }
}

fn declined(groups: &[GroupRow], cells: &[Cell]) -> Option<PeopleBand> {
    let people: i64 = groups.iter().map(|g| g.people).sum();
    let declined: i64 = groups.iter().map(|g| g.declined).sum();
    let acknowledged: i64 = groups.iter().map(|g| g.acknowledged).sum();
    let silent = people - acknowledged - declined;
    if cells.is_empty() || declined < SMALLEST_GROUP || silent < SMALLEST_GROUP {
        return None;
    }
    // Each group could have declined not at all: the others are room enough for all who did.
    let room = |except: usize| -> i64 {
        let others = cells.iter().enumerate().filter(|(i, _)| *i != except);
        others.map(|(_, c)| at_most(c.open, c.people)).sum()
    };
    let alone = cells.len() == 1;
    let hidden = alone || (0..cells.len()).all(|i| room(i) >= declined + SMALLEST_GROUP);
    PeopleBand::of(declined, people).filter(|_| hidden)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn group(name: &str, people: i64, acknowledged: i64, declined: i64) -> GroupRow {
        GroupRow {
            department: (!name.is_empty()).then(|| name.into()),
            people,
            delivered: people,
            viewed: acknowledged + declined,
            acknowledged,
            declined,
        }
    }

    fn names(reach: &Reach) -> Vec<Vec<&str>> {
        reach
            .cells
            .iter()
            .map(|c| c.departments.iter().map(|d| d.as_deref().unwrap_or("-")).collect())
            .collect()
    }

    #[test]
    fn small_departments_are_counted_with_others() {
        let four_left = [group("A", 20, 3, 0), group("B", 12, 12, 0), group("C", 4, 1, 0)];
        assert_eq!(names(&reach(&four_left)), [vec!["A"], vec!["B", "C"]]);
        let enough = [group("A", 20, 3, 0), group("C", 4, 1, 0), group("", 6, 1, 0)];
        assert_eq!(names(&reach(&enough)), [vec!["A"], vec!["C", "-"]]);
        assert!(names(&reach(&[group("C", 4, 1, 0), group("D", 5, 1, 0)])).is_empty());
        assert!(names(&reach(&[])).is_empty());
    }

    #[test]
    fn a_few_and_none_read_the_same() {
        let words = |acknowledged| {
            let shown = reach(&[group("A", 20, acknowledged, 0)]);
            (shown.cells[0].acknowledged.to_string(), shown.cells[0].open.to_string())
        };
        assert_eq!(words(0), words(4));
        assert_eq!(words(20), words(16));
        assert_ne!(words(4), words(5));
    }

    #[test]
    fn declines_are_told_of_many_only() {
        let of = |groups: &[GroupRow]| reach(groups).declined.is_some();
        assert!(of(&[group("A", 30, 10, 10)]));
        assert!(!of(&[group("A", 30, 10, 4)]), "four who declined");
        assert!(!of(&[group("A", 30, 17, 10)]), "three who are silent");
        assert!(!of(&[group("A", 30, 28, 0), group("B", 30, 5, 10)]), "all would be B's");
        assert!(of(&[group("A", 30, 5, 5), group("B", 30, 5, 5)]));
    }

    proptest! {
        #[test]
        fn no_group_and_nothing_left_over_is_small(sizes in prop::collection::vec((0i64..25, 0.0f64..1.0), 0..8)) {
            let groups: Vec<GroupRow> = sizes
                .iter()
                .enumerate()
                .map(|(i, (people, share))| group(&format!("D{i}"), *people, (*people as f64 * share) as i64, 0))
                .collect();
            let whole: i64 = groups.iter().map(|g| g.people).sum();
            let shown = reach(&groups);
            for cell in &shown.cells {
                prop_assert!(cell.people >= SMALLEST_WHOLE);
            }
            let covered: i64 = shown.cells.iter().map(|c| c.people).sum();
            prop_assert_eq!(covered, if whole >= SMALLEST_WHOLE { whole } else { 0 });
        }
    }
}
