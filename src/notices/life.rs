//! The life of a version: its states and what may follow what. Nothing is ever taken back once published.

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    Draft,
    InReview,
    Approved,
    Scheduled,
    Published,
    Superseded,
    Retracted,
}

impl State {
    pub const ALL: [State; 7] = [
        State::Draft,
        State::InReview,
        State::Approved,
        State::Scheduled,
        State::Published,
        State::Superseded,
        State::Retracted,
    ];

    /// As in the database.
    pub fn id(self) -> &'static str {
        match self {
            State::Draft => "draft",
            State::InReview => "in_review",
            State::Approved => "approved",
            State::Scheduled => "scheduled",
            State::Published => "published",
            State::Superseded => "superseded",
            State::Retracted => "retracted",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            State::Draft => "Draft",
            State::InReview => "In review",
            State::Approved => "Approved",
            State::Scheduled => "Scheduled",
            State::Published => "Published",
            State::Superseded => "Superseded",
            State::Retracted => "Retracted",
        }
    }

    /// The style sheet's name of the chip's shape.
    pub fn chip(self) -> &'static str {
        match self {
            State::Draft => "draft",
            State::InReview | State::Scheduled => "proposed",
            State::Approved => "good",
            State::Published => "active",
            State::Superseded => "unknown",
            State::Retracted => "bad",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        State::ALL.into_iter().find(|s| s.id() == id)
    }

    /// Whether it is still being written or waits for its time; a notice has one such version at most.
    pub fn is_unfinished(self) -> bool {
        self < State::Published
    }

    /// The state after `step`, or `None` where it isn't allowed.
    pub fn after(self, step: Step) -> Option<State> {
        use State::*;
        match (self, step) {
            (Draft, Step::Save) => Some(Draft),
            (Draft, Step::Submit) => Some(InReview),
            (InReview, Step::Return) => Some(Draft),
            (InReview, Step::Answer) => Some(InReview),
            (InReview, Step::Approve) => Some(Approved),
            (Approved, Step::Schedule) => Some(Scheduled),
            (Scheduled, Step::Unschedule) => Some(Approved),
            (Approved | Scheduled, Step::Publish) => Some(Published),
            // What was approved can't be rewritten: it is set aside, and a copy begins as a draft.
            (Approved, Step::Discard) => Some(Retracted),
            (Published, Step::Supersede) => Some(Superseded),
            (Published, Step::Retract) => Some(Retracted),
            _ => None,
        }
    }
}

/// What can be done to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Save,
    Submit,
    /// Back to the draft, by its author or a reviewer.
    Return,
    /// By the representatives.
    Answer,
    Approve,
    Schedule,
    Unschedule,
    Publish,
    Discard,
    Supersede,
    Retract,
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 11] = [
        Step::Save,
        Step::Submit,
        Step::Return,
        Step::Answer,
        Step::Approve,
        Step::Schedule,
        Step::Unschedule,
        Step::Publish,
        Step::Discard,
        Step::Supersede,
        Step::Retract,
    ];

    #[test]
    fn a_life_has_one_order() {
        use Step::*;
        let whole = [
            Save, Submit, Return, Save, Submit, Answer, Approve, Schedule, Unschedule, Schedule, Publish,
            Supersede,
        ];
        assert_eq!(whole.into_iter().try_fold(State::Draft, State::after), Some(State::Superseded));
        assert_eq!(State::Published.after(Retract), Some(State::Retracted));
    }

    #[test]
    fn what_was_approved_is_never_written_again() {
        for state in [State::Approved, State::Scheduled, State::Published] {
            for step in STEPS {
                let after = state.after(step);
                assert!(!matches!(after, Some(State::Draft | State::InReview)), "{state:?} {step:?}");
            }
        }
        for step in STEPS {
            assert_eq!(State::Superseded.after(step), None);
            assert_eq!(State::Retracted.after(step), None);
        }
        assert_eq!(State::Draft.after(Step::Publish), None, "nothing is published unapproved");
        assert_eq!(State::InReview.after(Step::Save), None, "what is reviewed stands still");
    }

    #[test]
    fn names_survive_the_database() {
        assert!(State::ALL.into_iter().all(|s| State::parse(s.id()) == Some(s)));
    }
}
