use super::*;
use crate::register::{Declaration, ProcessingContent, State};
use proptest::prelude::*;

const CATEGORY: &str = "window.titles";
const PURPOSES: [&str; 2] = ["dpv:EnforceSecurity", "dpv:PersonnelPerformanceMonitoring"];

fn person() -> Uuid {
    Uuid::from_u128(1)
}

fn at(seconds: i64) -> Time {
    Time::from(jiff::Timestamp::UNIX_EPOCH).plus_seconds(seconds)
}

fn audience() -> Audience {
    Audience { department: None, jurisdiction: "EU".into() }
}

fn declared(processing: u128, purpose: usize, from: i64, to: Option<i64>) -> Declaration {
    let purpose = Purpose::parse(PURPOSES[purpose]).unwrap();
    let mut content = ProcessingContent::new(Category::parse(CATEGORY).unwrap(), purpose, "acme-agent");
    content.jurisdictions = vec!["EU".into()];
    Declaration {
        processing_id: Uuid::from_u128(processing),
        revision: 1,
        content,
        state: State::Active,
        from: at(from),
        to: to.map(at),
    }
}

fn refused(processing: u128, from: i64, to: Option<i64>) -> Refusal {
    Refusal {
        person_id: person(),
        processing_id: Uuid::from_u128(processing),
        cause: Cause::Choice,
        from: at(from),
        to: to.map(at),
    }
}

fn untold(processing: u128, from: i64, to: Option<i64>) -> Refusal {
    Refusal { cause: Cause::NotTold, ..refused(processing, from, to) }
}

fn handled(collected: u32, dropped: u32, forwarded: u32, purpose: Option<usize>) -> Handled<'static> {
    Handled {
        category: Category::parse(CATEGORY).unwrap(),
        program: "acme-agent",
        purpose: purpose.map(|p| Purpose::parse(PURPOSES[p]).unwrap()),
        collected,
        dropped,
        forwarded,
    }
}

fn own(refusals: &[Refusal]) -> Refusals {
    Refusals::by_person(refusals.to_vec()).remove(&person()).unwrap_or_default()
}

fn kinds(
    records: Handled<'_>,
    when: i64,
    declarations: &[Declaration],
    refusals: &[Refusal],
) -> Vec<FindingKind> {
    let refusals = own(refusals);
    let found = judge(records, at(when), &audience(), declarations, &refusals);
    found.into_iter().map(|(kind, _)| kind).collect()
}

#[test]
fn after_the_grace_every_record_is_one_too_many() {
    let declarations = [declared(1, 0, 0, None)];
    let no = [refused(1, 1000, None)];
    let kept = handled(12, 0, 0, None);
    for (when, expected) in [(999, false), (1000, false), (1090, false), (1091, true), (90_000, true)] {
        let found = kinds(kept, when, &declarations, &no);
        assert_eq!(found == [FindingKind::CollectedAfterOptOut], expected, "{when}: {found:?}");
        assert_eq!(found.is_empty(), !expected, "{when}: {found:?}");
    }
    let sent = kinds(handled(12, 12, 3, None), 2000, &declarations, &no);
    assert_eq!(sent, [FindingKind::OptOutViolation]);
    let both = kinds(handled(12, 9, 3, None), 2000, &declarations, &no);
    assert_eq!(both, [FindingKind::OptOutViolation, FindingKind::CollectedAfterOptOut]);
    assert!(kinds(handled(0, 0, 0, None), 2000, &declarations, &no).is_empty(), "watched, saw nothing");
}

#[test]
fn what_was_dropped_on_the_way_was_honoured_also_within_the_grace() {
    let declarations = [declared(1, 0, 0, None)];
    let no = [refused(1, 1000, Some(5000))];
    for when in [1000, 1050, 4999] {
        for (collected, dropped) in [(12, 12), (0, 40)] {
            let found = kinds(handled(collected, dropped, 0, None), when, &declarations, &no);
            assert_eq!(found, [FindingKind::HonouredAtGateway], "{when}");
        }
    }
    assert!(kinds(handled(12, 12, 0, None), 5000, &declarations, &no).is_empty(), "a yes ends it");
}

#[test]
fn one_purpose_that_was_not_refused_allows_it_unless_another_is_stated() {
    let declarations = [declared(1, 0, 0, None), declared(2, 1, 0, None)];
    let no = [refused(1, 1000, None)];
    let when = |purpose| kinds(handled(1, 0, 0, purpose), 2000, &declarations, &no);
    assert!(when(None).is_empty());
    assert_eq!(when(Some(0)), [FindingKind::CollectedAfterOptOut]);
    assert!(when(Some(1)).is_empty());
    let both = [refused(1, 1000, None), refused(2, 1500, None)];
    let found = judge(handled(1, 0, 0, None), at(2000), &audience(), &declarations, &own(&both));
    assert_eq!(found, [(FindingKind::CollectedAfterOptOut, at(1500))], "the last no counts");
    assert!(kinds(handled(1, 0, 0, None), 1550, &declarations, &both).is_empty(), "and its grace");
    // A purpose that nobody declared makes no yes.
    let only = [declared(1, 0, 0, None)];
    assert_eq!(kinds(handled(1, 0, 0, Some(1)), 2000, &only, &no), [FindingKind::CollectedAfterOptOut]);
}

#[test]
fn a_no_that_goes_on_gives_no_second_grace() {
    let declarations = [declared(1, 0, 0, None)];
    let no = [refused(1, 1000, Some(2000)), refused(1, 2000, None)];
    assert_eq!(kinds(handled(1, 0, 0, None), 2010, &declarations, &no), [FindingKind::CollectedAfterOptOut]);
    let again = [refused(1, 1000, Some(2000)), refused(1, 2001, None)];
    assert!(kinds(handled(1, 0, 0, None), 2010, &declarations, &again).is_empty());
    let others = Refusal { person_id: Uuid::from_u128(9), ..refused(1, 0, None) };
    assert!(kinds(handled(1, 0, 0, None), 2010, &declarations, &[others]).is_empty(), "somebody else's no");
}

#[test]
fn what_is_taken_when_no_notice_tells_of_it_any_more_is_found() {
    let declarations = [declared(1, 0, 0, None), declared(2, 1, 0, None)];
    let both = [untold(1, 1000, None), untold(2, 1000, Some(3000))];
    let when = |records, when, denied: &[Refusal]| kinds(records, when, &declarations, denied);
    assert_eq!(when(handled(3, 0, 0, None), 1091, &both), [FindingKind::Exceeds]);
    assert_eq!(when(handled(0, 0, 3, None), 1091, &both), [FindingKind::Exceeds]);
    assert!(when(handled(3, 0, 0, None), 1090, &both).is_empty(), "the grace");
    assert!(when(handled(3, 3, 0, None), 1091, &both).is_empty(), "dropped on the way");
    assert!(when(handled(3, 0, 0, None), 3000, &both).is_empty(), "one of them is told of again");
    // The person's no is the worse of the two, but only where nothing else was asked of.
    let no = [untold(1, 1000, None), refused(1, 1200, None), refused(2, 900, None)];
    assert_eq!(when(handled(3, 0, 0, None), 1150, &no), [FindingKind::Exceeds]);
    assert_eq!(when(handled(3, 0, 0, None), 1291, &no), [FindingKind::CollectedAfterOptOut]);
}

#[test]
fn what_nobody_declared_is_another_finding() {
    let paused = [declared(1, 0, 0, Some(1500))];
    let no = [refused(1, 1000, None)];
    assert!(kinds(handled(1, 0, 0, None), 2000, &paused, &no).is_empty());
    let stranger = Handled { program: "other", ..handled(1, 0, 0, None) };
    assert!(kinds(stranger, 2000, &[declared(1, 0, 0, None)], &no).is_empty());
}

#[test]
fn both_ends_of_an_item_are_judged_and_a_clock_that_is_ahead_accuses_nobody() {
    let item = |first: Option<i64>, last: Option<i64>| -> Item {
        let mut json = serde_json::json!({
            "category": CATEGORY, "granularity": "content", "source": "acme-agent/4.2",
            "collected": {"count": 3, "bytes": 3},
        });
        if let Some(first) = first {
            json["first_observed"] = serde_json::json!(at(first));
        }
        if let Some(last) = last {
            json["last_observed"] = serde_json::json!(at(last));
        }
        serde_json::from_value(json).unwrap()
    };
    let of =
        |first, last, received| -> Vec<Time> { moments(&item(first, last), at(100), at(received)).collect() };
    assert_eq!(of(Some(110), Some(190), 300), [at(190), at(110)]);
    assert_eq!(of(Some(110), Some(110), 300), [at(110)]);
    assert_eq!(of(None, None, 300), [at(100)]);
    assert_eq!(of(Some(110), Some(900), 300), [at(300), at(110)]);
}

/// Periods of one processing, none of which overlap.
fn periods(times: &[i64]) -> Vec<(i64, Option<i64>)> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.dedup();
    times.chunks(2).map(|pair| (pair[0], pair.get(1).copied())).collect()
}

proptest! {
    /// Against the rule written plainly: a moment is refused when each declaration in force covers it and has had a
    /// no for longer than the grace, counted from where the no began without a break.
    #[test]
    fn nothing_inside_a_refusal_escapes_and_nothing_else_is_accused(
        declared_at in prop::collection::vec((0usize..2, prop::collection::vec(0i64..3000, 0..5)), 1..4),
        refused_at in prop::collection::vec(prop::collection::vec(0i64..3000, 0..6), 3),
        when in 0i64..3200,
        counts in (0u32..3, 0u32..3, 0u32..3),
        purpose in prop::option::of(0usize..2),
    ) {
        let (collected, dropped, forwarded) = counts;
        let declarations: Vec<Declaration> = declared_at.iter().enumerate().flat_map(|(n, (purpose, times))| {
            periods(times).into_iter().map(move |(from, to)| declared(n as u128, *purpose, from, to))
        }).collect();
        let refusals: Vec<Refusal> = refused_at.iter().enumerate().flat_map(|(n, times)| {
            periods(times).into_iter().map(move |(from, to)| refused(n as u128, from, to))
        }).collect();
        let found = kinds(handled(collected, dropped, forwarded, purpose), when, &declarations, &refusals);

        let inside = |from: i64, to: Option<i64>| from <= when && to.is_none_or(|to| when < to);
        let covering: Vec<(u128, usize)> = declared_at.iter().enumerate()
            .filter(|(_, (_, times))| periods(times).into_iter().any(|(from, to)| inside(from, to)))
            .map(|(n, (purpose, _))| (n as u128, *purpose))
            .collect();
        let stated = covering.iter().any(|(_, p)| Some(*p) == purpose);
        let asked: Vec<u128> = covering.into_iter()
            .filter(|(_, p)| !stated || Some(*p) == purpose)
            .map(|(n, _)| n)
            .collect();
        let had_no = |n: &u128, seconds: i64| periods(&refused_at[*n as usize]).into_iter()
            .any(|(from, to)| inside(from, to) && when - from > seconds);
        let late = !asked.is_empty() && asked.iter().all(|n| had_no(n, GRACE_SECONDS));
        let under = !asked.is_empty() && asked.iter().all(|n| had_no(n, -1));

        prop_assert_eq!(found.contains(&FindingKind::CollectedAfterOptOut), late && collected > dropped);
        prop_assert_eq!(found.contains(&FindingKind::OptOutViolation), late && forwarded > 0);
        let stopped = under && dropped > 0 && forwarded == 0 && collected <= dropped;
        prop_assert_eq!(found.contains(&FindingKind::HonouredAtGateway), stopped);
    }

    /// R9: what comes after the moment of observation changes nothing of what is found.
    #[test]
    fn neither_a_later_declaration_nor_a_later_yes_changes_it(
        no in 0i64..1000, when in 0i64..2000, later in 1i64..500, collected in 0u32..3, forwarded in 0u32..2,
    ) {
        let records = handled(collected, 0, forwarded, None);
        let declarations = [declared(1, 0, 0, None)];
        let found = kinds(records, when, &declarations, &[refused(1, no, None)]);
        let ended = kinds(records, when, &declarations, &[refused(1, no, Some(no.max(when) + later))]);
        prop_assert_eq!(&found, &ended);
        let more = [declared(1, 0, 0, None), declared(2, 1, when + later, None)];
        prop_assert_eq!(&found, &kinds(records, when, &more, &[refused(1, no, None)]));
    }
}
