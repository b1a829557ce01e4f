//! What a kept policy lets pass, and since when.

use super::*;

fn at(second: i64) -> Time {
    Time::from(jiff::Timestamp::from_second(1_790_000_000 + second).unwrap())
}

fn bundle(revision: u64, collect: bool, optional: bool) -> Bundle {
    let rule = Rule {
        processing: Uuid::from_u128(1),
        category: Category::parse("app.usage").unwrap(),
        purpose: Purpose::parse("dpv:EnforceSecurity").unwrap(),
        source: "activitywatch".into(),
        collect,
        optional,
    };
    Bundle {
        schema: crate::consent::bundle::BundleSchema::V1,
        agent_id: Uuid::nil(),
        device_id: Uuid::nil(),
        revision,
        issued_at: at(0),
        not_after: at(900),
        grace_seconds: 90,
        rules: vec![rule],
    }
}

fn current(bundle: Bundle, since: i64) -> Current {
    let since = Arc::new([(Uuid::from_u128(1), at(since))].into());
    Current { bundle: Some(Arc::new(bundle)), since, heard: true, ..Current::default() }
}

fn what(category: &str, program: &'static str) -> What<'static> {
    What { category: Category::parse(category).unwrap(), program, purpose: None }
}

#[test]
fn a_missed_revision_may_have_held_a_no() {
    let (old, kept) = (bundle(4, true, true), BTreeMap::from([(Uuid::from_u128(1), at(10))]));
    let since = |new: &Bundle, known: Option<(u64, &[Rule])>| {
        since(&kept, known, new, true, at(500)).get(&Uuid::from_u128(1)).copied()
    };
    let known = Some((4, old.rules.as_slice()));
    let unheard = super::since(&kept, known, &old, false, at(500));
    assert_eq!(unheard.into_values().next(), Some(at(500)), "a no and a yes make no new revision");
    assert_eq!(since(&bundle(4, true, true), known), Some(at(10)), "signed anew");
    assert_eq!(since(&bundle(5, true, true), known), Some(at(10)));
    assert_eq!(since(&bundle(6, true, true), known), Some(at(500)));
    assert_eq!(since(&bundle(5, false, true), known), None);
    assert_eq!(since(&bundle(5, true, true), None), Some(at(500)));
    let refused = bundle(4, false, true);
    assert_eq!(since(&bundle(5, true, true), Some((4, &refused.rules))), Some(at(500)));
}

#[test]
fn only_what_was_observed_while_it_was_allowed_goes_on() {
    let now = at(600);
    let allowed = current(bundle(1, true, true), 100);
    let judge = |current: &Current, from, to| {
        current.judge(&what("app.usage", "activitywatch/v0.12"), (at(from), at(to)), now)
    };
    assert_eq!(judge(&allowed, 100, 600), Ok(()));
    assert_eq!(judge(&allowed, 99, 600), Err(DropReason::Filtered), "it began before the yes");
    assert_eq!(judge(&allowed, 100, 901), Err(DropReason::Filtered), "from the future");
    assert_eq!(judge(&allowed, 400, 700), Ok(()), "a clock that is a little ahead");
    assert_eq!(judge(&allowed, 399, 700), Err(DropReason::Filtered), "which may have been before the yes");
    let unheard = Current { heard: false, ..allowed.clone() };
    assert_eq!(
        judge(&unheard, 100, 600),
        Err(DropReason::PolicyExpired),
        "who knows what was said meanwhile"
    );
    let must = Current { heard: false, ..current(bundle(1, true, false), 100) };
    assert_eq!(judge(&must, 100, 600), Ok(()));
    assert_eq!(judge(&current(bundle(1, false, true), 0), 1, 2), Err(DropReason::OptOut));
    assert_eq!(judge(&current(bundle(1, false, false), 0), 1, 2), Err(DropReason::Paused));
    assert_eq!(judge(&Current::default(), 1, 2), Err(DropReason::PolicyExpired));
    let late = at(900);
    let asked = what("app.usage", "activitywatch");
    assert_eq!(allowed.judge(&asked, (at(100), at(100)), late), Err(DropReason::PolicyExpired));
    assert_eq!(current(bundle(1, true, false), 100).judge(&asked, (at(100), at(100)), late), Ok(()));
    for other in [what("window.titles", "activitywatch"), what("app.usage", "wakatime")] {
        assert_eq!(allowed.judge(&other, (at(200), at(200)), now), Err(DropReason::NotDeclared));
    }
    let purpose = Purpose::parse("ai:ModelTraining");
    let other = What { purpose, ..asked };
    assert_eq!(allowed.judge(&other, (at(200), at(200)), now), Err(DropReason::NotDeclared));
    assert_eq!(allowed.allowed_since(&asked, now), Some(at(100)));
    assert_eq!(allowed.allowed_since(&other, now), None);
}
