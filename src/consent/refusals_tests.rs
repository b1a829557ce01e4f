use super::*;
use crate::ledger::EntryId;
use crate::notices::Number;
use crate::register::{Category, ChoiceMode, Declaration, ProcessingContent, Purpose, State as Standing};
use proptest::prelude::*;

fn at(seconds: i64) -> Time {
    Time::from(jiff::Timestamp::UNIX_EPOCH).plus_seconds(seconds)
}

fn audience(jurisdiction: &str) -> Audience {
    Audience { department: None, jurisdiction: jurisdiction.into() }
}

/// In force in the EU from 100 on, in this mode.
fn declared(mode: ChoiceMode) -> Declaration {
    let purpose = Purpose::parse("dpv:EnforceSecurity").unwrap();
    let mut content =
        ProcessingContent::new(Category::parse("window.titles").unwrap(), purpose, "acme-agent");
    content.jurisdictions = vec!["EU".into()];
    content.choice_mode = Some(mode);
    Declaration {
        processing_id: Uuid::from_u128(1),
        revision: 1,
        content,
        state: Standing::Active,
        from: at(100),
        to: None,
    }
}

/// A notice tells of it in the EU in these periods.
fn covered(declaration: &Declaration, periods: &[(i64, Option<i64>)]) -> Vec<Coverage> {
    let content_sha256 = declaration.content.sha256().unwrap().try_into().unwrap();
    let period = |(from, to): &(i64, Option<i64>)| Coverage {
        processing: declaration.processing_id,
        content_sha256,
        notice: Uuid::from_u128(7),
        version: Uuid::from_u128(8),
        number: Number::FIRST,
        jurisdictions: vec!["EU".into()],
        departments: Vec::new(),
        from: at(*from),
        to: to.map(at),
        is_retracted: false,
        entry: EntryId(1),
    };
    periods.iter().map(period).collect()
}

fn step(declaration: &Declaration, when: i64, answer: Answer) -> (Time, Held) {
    let content = declaration.content.sha256().unwrap().try_into().unwrap();
    let terms = Terms { notice: Uuid::from_u128(7), major: 1, content };
    (at(when), Held { answer, terms, until: None })
}

fn moves(steps: &[(i64, &str)]) -> Moves<Audience> {
    let mut moves = Moves::none(audience("EU"));
    for (when, place) in steps {
        moves.add(at(*when), audience(place));
    }
    moves
}

type Period = (Cause, i64, Option<i64>);

fn periods(
    mode: ChoiceMode,
    told: &[(i64, Option<i64>)],
    answers: &[(i64, Answer)],
    places: &[(i64, &str)],
) -> Vec<Period> {
    with(mode, told, answers, places, |story| {
        let second = |time: Time| time.seconds_since(at(0));
        let list = story.periods().into_iter();
        list.map(|(cause, from, to)| (cause, second(from), to.map(second))).collect()
    })
}

fn with<T>(
    mode: ChoiceMode,
    told: &[(i64, Option<i64>)],
    answers: &[(i64, Answer)],
    places: &[(i64, &str)],
    look: impl FnOnce(&Story<'_>) -> T,
) -> T {
    let declaration = declared(mode);
    let coverage = covered(&declaration, told);
    let steps: Vec<_> = answers.iter().map(|(when, answer)| step(&declaration, *when, *answer)).collect();
    let moves = moves(places);
    let told_first = told_first(&coverage.iter().collect::<Vec<_>>(), &moves);
    let rule = Rule::new(declaration, &coverage);
    look(&Story { rule: &rule, moves: &moves, steps: &steps, told_first })
}

#[test]
fn a_no_stands_whatever_notices_say() {
    for (mode, answer) in [
        (ChoiceMode::OptIn, Answer::No),
        (ChoiceMode::OptOut, Answer::No),
        (ChoiceMode::Objection, Answer::Objected),
        (ChoiceMode::Objection, Answer::Upheld),
        (ChoiceMode::Objection, Answer::No),
    ] {
        let found = periods(mode, &[(100, Some(500)), (700, None)], &[(300, answer)], &[]);
        let no = found.iter().filter(|p| p.1 >= 300 || p.2.is_none()).collect::<Vec<_>>();
        assert!(no.iter().all(|p| p.0 == Cause::Choice && p.2.is_none()), "{mode:?} {answer:?}: {found:?}");
        assert_eq!(no.len(), 1);
    }
}

#[test]
fn whoever_said_no_before_any_notice_is_refused_all_the_same() {
    assert_eq!(periods(ChoiceMode::OptOut, &[], &[(300, Answer::No)], &[]), [(Cause::Choice, 300, None)]);
    // Nobody may refuse what is mandatory, with a notice or without.
    assert_eq!(periods(ChoiceMode::Mandatory, &[], &[(300, Answer::No)], &[]), []);
}

#[test]
fn an_opt_in_without_a_yes_is_refused_only_while_told() {
    let told = [(200, Some(500))];
    let expected = [(Cause::Choice, 200, Some(500)), (Cause::NotTold, 500, None)];
    assert_eq!(periods(ChoiceMode::OptIn, &told, &[], &[]), expected);
    assert_eq!(periods(ChoiceMode::OptIn, &told, &[(200, Answer::Yes)], &[]), [(Cause::NotTold, 500, None)]);
    assert_eq!(periods(ChoiceMode::OptIn, &[], &[], &[]), [], "no notice ever told of it");
}

#[test]
fn what_no_notice_tells_of_any_more_is_denied_until_one_does() {
    let told = [(100, Some(500)), (700, None)];
    for mode in [ChoiceMode::OptOut, ChoiceMode::Objection, ChoiceMode::Mandatory] {
        assert_eq!(periods(mode, &told, &[], &[]), [(Cause::NotTold, 500, Some(700))], "{mode:?}");
    }
}

#[test]
fn a_notice_of_what_was_declared_before_has_told_of_it_too() {
    let mut edited = declared(ChoiceMode::OptOut);
    let coverage = covered(&edited, &[(50, None)]);
    edited.content.necessity = "Another word".into();
    let moves = moves(&[]);
    let told_first = told_first(&coverage.iter().collect::<Vec<_>>(), &moves);
    let rule = Rule::new(edited, &coverage);
    let story = Story { rule: &rule, moves: &moves, steps: &[], told_first };
    assert_eq!(story.periods(), [(Cause::NotTold, at(100), None)]);
}

#[test]
fn somebody_who_moves_away_was_there_until_then() {
    let (told, no) = ([(100, None)], [(300, Answer::No)]);
    let away = [(600, "US-NY"), (900, "EU")];
    let expected = [(Cause::Choice, 300, Some(600)), (Cause::Choice, 900, None)];
    assert_eq!(periods(ChoiceMode::OptOut, &told, &no, &away), expected);
    // Who comes into a place where a yes is wanted hasn't refused before: the grace counts from the move.
    let expected = [(Cause::Choice, 100, Some(600)), (Cause::Choice, 900, None)];
    assert_eq!(periods(ChoiceMode::OptIn, &told, &[], &away), expected);
}

proptest! {
    /// Periods say of every moment, not only of those at which something changes, what is true of it.
    #[test]
    fn periods_say_of_every_moment_what_held_then(
        mode in prop::sample::select(vec![
            ChoiceMode::OptIn, ChoiceMode::OptOut, ChoiceMode::Objection, ChoiceMode::Mandatory,
        ]),
        told in prop::collection::btree_set(0i64..60, 0..6),
        answers in prop::collection::vec((0i64..60, prop::sample::select(Answer::ALL.to_vec())), 0..5),
        places in prop::collection::btree_set(0i64..60, 0..4),
    ) {
        let scale = |n: i64| n * 10;
        let told: Vec<i64> = told.into_iter().map(scale).collect();
        let told: Vec<_> = told.chunks(2).map(|pair| (pair[0], pair.get(1).copied())).collect();
        let mut answers: Vec<_> = answers.into_iter().map(|(when, answer)| (scale(when), answer)).collect();
        answers.sort_by_key(|(when, _)| *when);
        let places: Vec<_> = places.into_iter().enumerate()
            .map(|(n, when)| (scale(when), if n % 2 == 0 { "US-NY" } else { "EU" }))
            .collect();
        with(mode, &told, &answers, &places, |story| {
            let found = story.periods();
            for second in (100..620).step_by(5) {
                let when = at(second);
                let said: Vec<Cause> = found.iter()
                    .filter(|(_, from, to)| *from <= when && to.is_none_or(|to| when < to))
                    .map(|(cause, _, _)| *cause)
                    .collect();
                prop_assert_eq!(said, story.denied(when).into_iter().collect::<Vec<_>>(), "at {}", second);
            }
            Ok(())
        })?;
    }

    /// While somebody's no stands, taking notices back changes nothing.
    #[test]
    fn no_notice_and_no_want_of_one_lifts_a_no(
        told in prop::collection::btree_set(0i64..60, 0..6), when in 100i64..600, later in 0i64..400,
    ) {
        let told: Vec<i64> = told.into_iter().map(|n| n * 10).collect();
        let told: Vec<_> = told.chunks(2).map(|pair| (pair[0], pair.get(1).copied())).collect();
        for mode in [ChoiceMode::OptIn, ChoiceMode::OptOut] {
            let denied = with(mode, &told, &[(when, Answer::No)], &[], |story| story.denied(at(when + later)));
            prop_assert_eq!(denied, Some(Cause::Choice));
        }
    }
}
