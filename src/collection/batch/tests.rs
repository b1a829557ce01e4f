use super::*;
use crate::collection::model::{Cause, GRACE_SECONDS, Refusal};
use crate::register::{ProcessingContent, Purpose, State};
use serde_json::json;

fn at(text: &str) -> Time {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

#[test]
fn a_window_is_cut_at_midnight_where_the_person_is() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let parts = split_days(at("2026-10-24T21:30:00Z"), at("2026-10-25T23:30:00Z"), &zone);
    let seconds: Vec<i64> = parts.iter().map(|p| p.1).collect();
    // The 25th has 25 hours: the clocks go back.
    assert_eq!(seconds, [1_800, 25 * 3_600, 1_800]);
    assert_eq!(parts.len(), 3);
    assert!(split_days(at("2026-10-24T21:30:00Z"), at("2026-10-24T21:30:00Z"), &zone).is_empty());
}

/// Window titles by acme-agent for the EU, declared since January; somebody said no at ten.
struct Case {
    declarations: Vec<Declaration>,
    person: Person,
    shared: HashSet<Uuid>,
    random: Random,
}

impl Case {
    fn new() -> Self {
        let purpose = Purpose::parse("dpv:EnforceSecurity").unwrap();
        let mut content =
            ProcessingContent::new(Category::parse("window.titles").unwrap(), purpose, "acme-agent");
        content.jurisdictions = vec!["EU".into()];
        let processing_id = Uuid::from_u128(1);
        let declaration = Declaration {
            processing_id,
            revision: 1,
            content,
            state: State::Active,
            from: at("2026-01-01T00:00:00Z"),
            to: None,
        };
        let person_id = Uuid::from_u128(2);
        let from = at("2026-11-02T10:00:00Z");
        let no = Refusal { person_id, processing_id, cause: Cause::Choice, from, to: None };
        let person = Person {
            id: person_id,
            zone: TimeZone::UTC,
            audience: Moves::none(Audience { department: None, jurisdiction: "EU".into() }),
            refusals: Refusals::by_person(vec![no]).remove(&person_id).unwrap(),
        };
        let random = Random::seeded(1);
        Case { declarations: vec![declaration], person, shared: HashSet::new(), random }
    }

    /// What is found in items of (first observed, last observed, collected, dropped, forwarded).
    fn found(&self, items: &[(&str, &str, u32, u32, u32)]) -> Vec<(FindingKind, String, found::Evidence)> {
        let known = Known { declarations: &self.declarations, shared_devices: &self.shared };
        let mut batch = Batch::new(&self.random, at("2026-11-02T12:00:00Z"), known);
        for (first, last, collected, dropped, forwarded) in items {
            let (first, last) = (at(&format!("2026-11-{first}Z")), at(&format!("2026-11-{last}Z")));
            let item: Item = serde_json::from_value(json!({
                "category": "window.titles", "granularity": "content", "source": "acme-agent/4.2",
                "collected": {"count": collected}, "forwarded": {"count": forwarded},
                "dropped": {"count": dropped, "reason": "opt_out"},
                "first_observed": first, "last_observed": last,
            }))
            .unwrap();
            let window = Window { start: first, end: last.plus_seconds(60) };
            batch.judge(&item, Uuid::from_u128(3), window, &self.person, last.plus_seconds(60));
        }
        let found = batch.findings.0.into_iter();
        found.map(|((kind, _, about, _), f)| (kind, about, f.evidence.unwrap())).collect()
    }
}

#[test]
fn what_comes_after_a_no_is_added_up_by_day_with_its_evidence() {
    let case = Case::new();
    let found = case.found(&[
        ("02T09:50:00", "02T09:59:00", 5, 0, 0),
        ("02T10:00:30", "02T10:01:00", 5, 0, 0),
        ("02T10:05:00", "02T10:06:00", 7, 0, 0),
        ("02T10:10:00", "02T10:11:00", 2, 1, 0),
        ("03T10:10:00", "03T10:11:00", 1, 0, 0),
    ]);
    let [(first, about, evidence), (second, _, next_day)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((*first, *second), (FindingKind::CollectedAfterOptOut, FindingKind::CollectedAfterOptOut));
    assert_eq!(about, "program:acme-agent");
    let expected = found::Evidence {
        refused_since: at("2026-11-02T10:00:00Z"),
        window: (at("2026-11-02T10:05:00Z"), at("2026-11-02T10:12:00Z")),
        collected: 9,
        forwarded: 0,
        dropped: 1,
        reports: 2,
    };
    assert_eq!(*evidence, expected, "an item counts once, though both its ends tell");
    assert_eq!((next_day.collected, next_day.reports), (1, 1));
}

#[test]
fn what_is_passed_on_and_what_is_stopped_are_found_for_what_they_are() {
    let case = Case::new();
    let kinds = |item| -> Vec<FindingKind> { case.found(&[item]).into_iter().map(|f| f.0).collect() };
    assert_eq!(
        kinds(("02T11:00:00", "02T11:01:00", 5, 0, 5)),
        [FindingKind::OptOutViolation, FindingKind::CollectedAfterOptOut]
    );
    assert_eq!(kinds(("02T11:00:00", "02T11:01:00", 5, 5, 0)), [FindingKind::HonouredAtGateway]);
    assert!(GRACE_SECONDS == 90 && kinds(("02T09:00:00", "02T10:01:30", 5, 0, 0)).is_empty());
    assert_eq!(kinds(("02T09:00:00", "02T10:01:31", 5, 0, 0)), [FindingKind::CollectedAfterOptOut]);
}
