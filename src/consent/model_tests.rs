//! The rules against every story: what is allowed must be so because of a decision that says exactly that.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn time(minutes: i64) -> Time {
    Time::from(jiff::Timestamp::from_second(1_760_000_000).unwrap()).plus_seconds(minutes * 60)
}

/// Whatever can happen around one person and one processing.
#[derive(Debug, Clone)]
enum Event {
    /// A notice's material version takes effect and tells of the register's content as it is now.
    Told,
    /// Only words of the notice: its major number stays.
    Corrected,
    Retracted,
    /// The register says something else: another content, perhaps for another purpose.
    Revised,
    Mode(ChoiceMode),
    Basis(bool),
    Yes,
    No,
    Later,
    Object,
    Contest,
    Answer(bool),
    Minutes(i64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::Told),
        1 => Just(Event::Corrected),
        1 => Just(Event::Retracted),
        1 => Just(Event::Revised),
        1 => prop::sample::select(ChoiceMode::ALL).prop_map(Event::Mode),
        1 => any::<bool>().prop_map(Event::Basis),
        3 => Just(Event::Yes),
        2 => Just(Event::No),
        1 => Just(Event::Later),
        2 => Just(Event::Object),
        1 => Just(Event::Contest),
        2 => any::<bool>().prop_map(Event::Answer),
        3 => (0i64..90).prop_map(Event::Minutes),
    ]
}

/// What happened, kept without any of the rules: rows, and what each was about.
struct World {
    now: i64,
    mode: ChoiceMode,
    may_object: bool,
    content: u8,
    told: Option<Terms>,
    major: i32,
    rows: Vec<(State, Terms, Option<Time>)>,
}

const LASTS: i64 = 60;

impl World {
    fn new(mode: ChoiceMode) -> Self {
        World { now: 0, mode, may_object: false, content: 0, told: None, major: 0, rows: Vec::new() }
    }

    fn in_force(&self) -> Vec<Terms> {
        self.told.into_iter().filter(|t| t.content == [self.content; 32]).collect()
    }

    fn held(&self) -> Option<Held> {
        let row = self.rows.iter().rev().find(|(state, _, _)| state.answer().is_some())?;
        Some(Held { answer: row.0.answer()?, terms: row.1, until: row.2 })
    }

    fn why(&self) -> Why {
        let told = self.in_force();
        decide(self.question(&told), self.held(), time(self.now))
    }

    fn question<'a>(&self, told: &'a [Terms]) -> Question<'a> {
        Question { mode: self.mode, may_object: self.may_object, told }
    }

    fn choose(&mut self, choice: Choice<'_>) -> bool {
        let told = self.in_force();
        match after(self.question(&told), self.held(), time(self.now), choice) {
            Ok(state) => {
                let terms = told.first().copied().or(self.held().map(|h| h.terms));
                let Some(terms) = terms else { return false };
                let until = matches!(state, State::Given | State::Renewed).then(|| time(self.now + LASTS));
                self.rows.push((state, terms, until.filter(|_| self.mode == ChoiceMode::OptIn)));
                true
            }
            Err(_) => false,
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Told => {
                self.major += 1;
                let notice = Uuid::from_u128(1);
                self.told = Some(Terms { notice, major: self.major, content: [self.content; 32] });
            }
            Event::Corrected => {}
            Event::Retracted => self.told = None,
            Event::Revised => self.content = self.content.wrapping_add(1),
            // Both stand in the register, so that its content is another.
            Event::Mode(mode) => (self.mode, self.content) = (*mode, self.content.wrapping_add(1)),
            Event::Basis(may) => (self.may_object, self.content) = (*may, self.content.wrapping_add(1)),
            Event::Yes => drop(self.choose(Choice::Yes)),
            Event::No => drop(self.choose(Choice::No)),
            Event::Later => drop(self.choose(Choice::Later)),
            Event::Object => drop(self.choose(Choice::Object { reason: "mine", named: false })),
            Event::Contest => drop(self.choose(Choice::Contest { reason: "mine" })),
            Event::Answer(upheld) => {
                let open = self.held().filter(|h| matches!(h.answer, Answer::Objected | Answer::Contested));
                if let Some(held) = open {
                    let state = if *upheld { State::Upheld } else { State::Overridden };
                    let terms = self.in_force().first().copied().unwrap_or(held.terms);
                    self.rows.push((state, terms, None));
                }
            }
            Event::Minutes(n) => self.now += n,
        }
    }

    /// The same question answered from the story alone, by other words than the rules.
    fn there_is_a_reason_to_allow(&self) -> bool {
        let Some(now_told) = self.in_force().first().copied() else { return false };
        let decisive: Vec<_> = self.rows.iter().filter(|r| r.0 != State::Deferred).collect();
        let last = decisive.last().map(|r| (r.0, r.1, r.2));
        match self.mode {
            // A yes to these terms, the last word, not run out.
            ChoiceMode::OptIn => last.is_some_and(|(state, terms, until)| {
                matches!(state, State::Given | State::Renewed)
                    && terms == now_told
                    && until.is_none_or(|until| until > time(self.now))
            }),
            ChoiceMode::OptOut => {
                matches!(last, None | Some((State::Given | State::Renewed | State::Expired, _, _)))
            }
            ChoiceMode::Objection => match last {
                None => true,
                Some((State::Given | State::Renewed | State::Expired, _, _)) => true,
                Some((State::Overridden | State::Contested, terms, _)) => terms == now_told,
                Some(_) => false,
            },
            ChoiceMode::Mandatory => match last {
                Some((State::Objected | State::Upheld, _, _)) => !self.may_object,
                Some((State::Overridden | State::Contested, terms, _)) => {
                    !self.may_object || terms == now_told
                }
                _ => true,
            },
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_allowed_without_a_decision_that_says_so(
        mode in prop::sample::select(ChoiceMode::ALL),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut world = World::new(mode);
        for event in &events {
            world.happen(event);
            let why = world.why();
            if why.allows() {
                prop_assert!(world.there_is_a_reason_to_allow(), "{why:?} after {event:?}");
            }
            // An opt-in that is allowed was given for this purpose: the content names it.
            if world.mode == ChoiceMode::OptIn && why.allows() {
                prop_assert_eq!(world.held().unwrap().terms.content, [world.content; 32]);
            }
            if world.in_force().is_empty() {
                prop_assert_eq!(why, Why::NotTold);
            }
        }
    }

    #[test]
    fn what_nobody_has_reason_to_deny_is_allowed(
        mode in prop::sample::select(ChoiceMode::ALL),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut world = World::new(mode);
        for event in &events {
            world.happen(event);
            prop_assert_eq!(world.why().allows(), world.there_is_a_reason_to_allow());
        }
    }

    #[test]
    fn a_yes_can_be_taken_back_in_one_step_at_any_time(
        mode in prop::sample::select(vec![ChoiceMode::OptIn, ChoiceMode::OptOut]),
        events in prop::collection::vec(event().prop_filter("the mode stays", |e| !matches!(e, Event::Mode(_))), 1..60),
    ) {
        let mut world = World::new(mode);
        for event in &events {
            world.happen(event);
            if world.held().is_some_and(|h| h.answer == Answer::Yes) {
                let rows = world.rows.clone();
                prop_assert!(world.choose(Choice::No), "taking back is one step, as giving was");
                prop_assert!(!world.why().allows());
                world.rows = rows;
            }
        }
    }

    #[test]
    fn no_answer_of_the_employer_turns_a_no_into_a_yes(
        mode in prop::sample::select(vec![ChoiceMode::OptIn, ChoiceMode::OptOut, ChoiceMode::Objection]),
        events in prop::collection::vec(
            event().prop_filter(
                // Where nothing can be refused, a person may object instead, and that can be overridden.
                "no yes, and never mandatory",
                |e| !matches!(e, Event::Yes | Event::Basis(_) | Event::Mode(ChoiceMode::Mandatory)),
            ),
            1..60,
        ),
    ) {
        let mut world = World::new(ChoiceMode::OptOut);
        world.may_object = true;
        world.happen(&Event::Told);
        world.happen(&Event::No);
        world.happen(&Event::Mode(mode));
        for event in &events {
            world.happen(event);
            prop_assert!(!world.why().allows(), "{event:?}");
        }
    }

    #[test]
    fn later_changes_nothing(
        mode in prop::sample::select(ChoiceMode::ALL),
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut world = World::new(mode);
        for event in &events {
            world.happen(event);
            let before = world.why();
            world.happen(&Event::Later);
            prop_assert_eq!(world.why(), before);
        }
    }
}

#[test]
fn a_law_that_asks_for_a_yes_first_wins_over_the_declaration() {
    use crate::register::{Category, Purpose};
    let biometric = Category::parse("biometric").unwrap();
    let purpose = Purpose::parse("dpv:EnforceSecurity").unwrap();
    let mut content = ProcessingContent::new(biometric, purpose, "gate");
    content.choice_mode = Some(ChoiceMode::OptOut);
    assert_eq!(mode(&content, "US-IL"), ChoiceMode::OptIn);
    assert_eq!(mode(&content, "US-NY"), ChoiceMode::OptOut);
    assert_eq!(mode(&content, "nowhere we know"), ChoiceMode::OptIn);
    content.choice_mode = None;
    assert_eq!(mode(&content, "US-NY"), ChoiceMode::OptIn, "what was never said is off");
}

#[test]
fn states_survive_the_database() {
    assert!(State::ALL.into_iter().all(|s| State::parse(s.id()) == Some(s)));
    for (i, answer) in Answer::ALL.into_iter().enumerate() {
        assert_eq!(answer as usize, i, "the snapshot keeps them by number");
    }
}
