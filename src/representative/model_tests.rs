use super::*;
use crate::ledger::proof::base64url;
use crate::ledger::proof::petition::Issuer;

fn person(n: u8, key: Option<u8>) -> RollEntry {
    RollEntry {
        worker_ref: Uuid::from_u128(n.into()),
        name: format!("Person {n}"),
        department: Some("Logistics".into()),
        id_key: key.map(|key| Hash([key; 32])),
        salt: base64url(&[n; 32]),
    }
}

/// Moduli that look like keys; nobody signs with them here.
fn operator(first: u8) -> Issuer {
    let keys = (0..16u8).map(|n| {
        let mut modulus = [0xff; 256];
        modulus[1] = first;
        modulus[2] = n;
        base64url(&modulus)
    });
    Issuer { name: "operator.example".into(), keys: keys.collect() }
}

fn proposal(epoch: &str, version: u64, entries: Vec<RollEntry>) -> RollProposal {
    RollProposal {
        epoch: epoch.into(),
        group: GROUP.into(),
        version,
        operator: (version == 1).then(|| operator(1)),
        previous: None,
        ends_at: "2027-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().into(),
        entries,
    }
}

/// What was signed: two people, the first with a key.
struct Before {
    roll: Roll,
    epochs: BTreeMap<String, Signed>,
    enrolled: HashMap<Uuid, Hash>,
}

fn before() -> Before {
    let entries = vec![person(1, Some(1)), person(2, None)];
    let root = root(&entries).unwrap();
    let roll = Roll { epoch: "2026-Q4".into(), version: 1, root, entries };
    let leaf = EpochLeaf {
        epoch: "2026-Q4".into(),
        group: GROUP.into(),
        operator: operator(9),
        representative: operator(8),
        previous: None,
        signature: String::new(),
    };
    let ends_at = proposal("x", 1, vec![]).ends_at;
    let leaf_hash = Some(Hash::of(b"epoch"));
    let signed = Signed { number: 1, leaf, ends_at, leaf_hash, packs_needed: 20 };
    let enrolled = [(Uuid::from_u128(2), Hash([2; 32]))].into();
    Before { roll, epochs: [("2026-Q4".to_owned(), signed)].into(), enrolled }
}

fn against(before: &Before, proposal: &RollProposal) -> Comparison {
    let Before { roll, epochs, enrolled } = before;
    compare(proposal, &Known { before: Some(roll), epochs, enrolled, operator: "operator.example" })
}

#[test]
fn a_key_made_known_here_needs_nobody() {
    let with_key = RollEntry { salt: base64url(&[77; 32]), ..person(2, Some(2)) };
    let found = against(&before(), &proposal("2026-Q4", 2, vec![person(1, Some(1)), with_key]));
    assert!(found.is_proven() && found.enrolled == [1], "{found:?}");
}

#[test]
fn what_is_new_waits_for_a_person() {
    let waits = |entries| {
        let found = against(&before(), &proposal("2026-Q4", 2, entries));
        assert!(found.faults.is_empty() && !found.is_proven(), "{found:?}");
        found
    };
    assert_eq!(waits(vec![person(1, Some(1)), person(2, None), person(3, None)]).added, [2]);
    assert_eq!(waits(vec![person(1, Some(1)), person(2, Some(7))]).strange, [1], "a key never seen here");
    let other = RollEntry { name: "Somebody Else".into(), ..person(2, Some(2)) };
    assert_eq!(waits(vec![person(1, Some(1)), other]).changed.len(), 1, "another name in a person's place");
    let moved = RollEntry { department: None, ..person(2, None) };
    assert_eq!(waits(vec![person(1, Some(1)), moved]).changed.len(), 1);
}

#[test]
fn what_no_roll_may_do_is_never_signed() {
    let salted = RollEntry { salt: base64url(&[9; 32]), ..person(2, None) };
    let short = RollEntry { salt: "AAAA".into(), ..person(3, None) };
    let rolls: Vec<Vec<RollEntry>> = vec![
        vec![person(1, Some(1))],
        vec![person(2, None), person(1, Some(1))],
        vec![person(1, Some(5)), person(2, None)],
        vec![person(1, None), person(2, None)],
        vec![person(1, Some(1)), salted],
        vec![person(1, Some(1)), person(2, Some(1))],
        vec![person(1, Some(1)), person(2, None), person(2, None)],
        vec![person(1, Some(1)), person(2, None), short],
    ];
    for entries in rolls {
        let found = against(&before(), &proposal("2026-Q4", 2, entries));
        assert!(!found.faults.is_empty(), "{found:?}");
    }
    let good = vec![person(1, Some(1)), person(2, Some(2))];
    for (epoch, version) in [("2026-Q4", 1), ("2026-Q4", 3), ("2027-Q1", 2)] {
        assert!(!against(&before(), &proposal(epoch, version, good.clone())).faults.is_empty());
    }
    let other_keys = RollProposal { operator: Some(operator(3)), ..proposal("2026-Q4", 2, good.clone()) };
    assert!(!against(&before(), &other_keys).faults.is_empty());
    let other_group = RollProposal { group: "some".into(), ..proposal("2026-Q4", 2, good) };
    assert!(!against(&before(), &other_group).faults.is_empty());
}

#[test]
fn a_new_epoch_may_lose_people_and_must_continue_the_last() {
    let next = proposal("2027-Q1", 1, vec![person(2, Some(2)), person(3, None)]);
    let next = RollProposal { previous: Some(Hash::of(b"epoch")), ..next };
    let found = against(&before(), &next);
    assert!(found.faults.is_empty() && !found.is_proven(), "{found:?}");
    assert_eq!((found.added.len(), found.removed.len()), (1, 1));
    let mut short = operator(1);
    short.keys.pop();
    let mut twice = operator(1);
    twice.keys[1] = twice.keys[0].clone();
    let other = Issuer { name: "somebody.example".into(), ..operator(1) };
    for keys in [None, Some(short), Some(twice), Some(other), Some(operator(9))] {
        let wrong = RollProposal { operator: keys, ..next.clone() };
        assert!(!against(&before(), &wrong).faults.is_empty());
    }
    let astray = RollProposal { previous: None, ..next };
    assert!(!against(&before(), &astray).faults.is_empty());
}

#[test]
fn few_wait_until_shortly_before_the_close() {
    let close = proposal("x", 1, vec![]).ends_at;
    let early = close.plus_seconds(-CLOSING_SECONDS - 1);
    let late = close.plus_seconds(-CLOSING_SECONDS);
    assert_eq!([4, 5].map(|n| may_go(n, close, early)), [false, true]);
    assert_eq!([0, 1].map(|n| may_go(n, close, late)), [false, true]);
    assert_eq!([0, 4, 5, 12].map(band), ["fewer than five", "fewer than five", "5 to 9", "10 to 14"]);
}
