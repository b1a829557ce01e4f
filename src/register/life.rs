//! The life of a processing: its states, what may change them, and when a declaration was in force.

use uuid::Uuid;

use super::model::{ChoiceMode, Granularity, Mandatory, ProcessingContent};
use crate::clock::Time;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    Draft,
    Proposed,
    Active,
    Paused,
    Ended,
}

impl State {
    pub const ALL: [State; 5] = [State::Active, State::Paused, State::Proposed, State::Draft, State::Ended];

    /// As in the database, the address and the style sheet.
    pub fn id(self) -> &'static str {
        match self {
            State::Draft => "draft",
            State::Proposed => "proposed",
            State::Active => "active",
            State::Paused => "paused",
            State::Ended => "ended",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            State::Draft => "Draft",
            State::Proposed => "Proposed",
            State::Active => "Active",
            State::Paused => "Paused",
            State::Ended => "Ended",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        State::ALL.into_iter().find(|s| s.id() == id)
    }

    /// The state after `change`, or `None` where it isn't allowed.
    ///
    /// While paused a version can be changed and answered: it takes effect when it is resumed.
    pub fn after(self, change: Change) -> Option<State> {
        use State::*;
        match (self, change) {
            (Draft, Change::Saved) => Some(Draft),
            (Draft, Change::Proposed) => Some(Proposed),
            (Proposed | Paused, Change::Agreed | Change::Objected) => Some(self),
            (Proposed, Change::Activated) => Some(Active),
            (Active, Change::Paused) => Some(Paused),
            (Paused, Change::Resumed) => Some(Active),
            (Proposed | Active | Paused, Change::Revised) => Some(self),
            (Proposed | Active | Paused, Change::Ended) => Some(Ended),
            _ => None,
        }
    }
}

/// What a revision did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Created,
    Saved,
    Proposed,
    Agreed,
    Objected,
    Activated,
    Paused,
    Resumed,
    Revised,
    Ended,
}

impl Change {
    pub const ALL: [Change; 10] = [
        Change::Created,
        Change::Saved,
        Change::Proposed,
        Change::Agreed,
        Change::Objected,
        Change::Activated,
        Change::Paused,
        Change::Resumed,
        Change::Revised,
        Change::Ended,
    ];

    pub fn id(self) -> &'static str {
        match self {
            Change::Created => "created",
            Change::Saved => "saved",
            Change::Proposed => "proposed",
            Change::Agreed => "agreed",
            Change::Objected => "objected",
            Change::Activated => "activated",
            Change::Paused => "paused",
            Change::Resumed => "resumed",
            Change::Revised => "revised",
            Change::Ended => "ended",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Change::Created => "Drafted",
            Change::Saved => "Draft changed",
            Change::Proposed => "Proposed",
            Change::Agreed => "Representatives agreed",
            Change::Objected => "Representatives objected",
            Change::Activated => "Activated",
            Change::Paused => "Paused",
            Change::Resumed => "Resumed",
            Change::Revised => "Changed",
            Change::Ended => "Ended",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        Change::ALL.into_iter().find(|c| c.id() == id)
    }
}

/// One entry of a processing's history.
#[derive(Debug, Clone)]
pub struct Revision {
    pub processing_id: Uuid,
    pub revision: i32,
    pub at: Time,
    /// The role in which it was done.
    pub by_role: String,
    pub change: Change,
    /// The state since then.
    pub state: State,
    pub reason: Option<String>,
    pub content: ProcessingContent,
    pub content_sha256: Vec<u8>,
}

/// A period in which one revision was in force: `[from, to)`.
#[derive(Debug, Clone)]
pub struct Declaration {
    pub processing_id: Uuid,
    pub revision: i32,
    pub content: ProcessingContent,
    /// The state within the period: always active.
    pub state: State,
    pub from: Time,
    /// `None` while it is still in force.
    pub to: Option<Time>,
}

impl Declaration {
    pub fn applies_to(&self, department: Option<Uuid>, jurisdiction: &str) -> bool {
        self.content.applies_to(department, jurisdiction)
    }

    /// Why nobody can refuse, when that is how it is declared.
    pub fn mandatory(&self) -> Option<&Mandatory> {
        let is_mandatory = self.content.choice_mode == Some(ChoiceMode::Mandatory);
        self.content.mandatory.as_ref().filter(|_| is_mandatory)
    }

    pub fn in_force_at(&self, at: Time) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }

    /// What was allowed at most; the least when nothing was said, which activation doesn't let happen.
    pub fn granularity(&self) -> Granularity {
        self.content.granularity.unwrap_or(Granularity::Count)
    }
}

/// The periods in force, from histories in the order of processing and revision. A pause ends a period:
/// what is collected while paused is undeclared, and a later resume doesn't cover it.
pub fn declarations(history: Vec<Revision>) -> Vec<Declaration> {
    let ends: Vec<Option<Time>> = history
        .iter()
        .zip(history.iter().skip(1).map(Some).chain([None]))
        .map(|(this, next)| next.filter(|n| n.processing_id == this.processing_id).map(|n| n.at))
        .collect();
    history
        .into_iter()
        .zip(ends)
        .filter(|(r, _)| r.state == State::Active)
        .map(|(r, to)| Declaration {
            processing_id: r.processing_id,
            revision: r.revision,
            content: r.content,
            state: r.state,
            from: r.at,
            to,
        })
        .collect()
}

/// Whether representatives' last answer to exactly this content was a yes; `None` without an answer.
pub fn answer_to(history: &[Revision], content_sha256: &[u8]) -> Option<bool> {
    history.iter().rev().filter(|r| r.content_sha256 == content_sha256).find_map(|r| match r.change {
        Change::Agreed => Some(true),
        Change::Objected => Some(false),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::taxonomy::{Category, Purpose};

    fn revision(processing: u128, revision: i32, at: &str, change: Change, state: State) -> Revision {
        let content =
            ProcessingContent::new(Category::unknown(), Purpose::parse("ai:ModelTraining").unwrap(), "x");
        Revision {
            processing_id: Uuid::from_u128(processing),
            revision,
            at: at.parse::<jiff::Timestamp>().unwrap().into(),
            by_role: "publisher".into(),
            change,
            state,
            reason: None,
            content_sha256: content.sha256().unwrap(),
            content,
        }
    }

    #[test]
    fn a_life_has_one_order() {
        use Change::*;
        let path = [Saved, Proposed, Agreed, Activated, Paused, Revised, Resumed, Revised, Ended];
        let end = path.into_iter().try_fold(State::Draft, State::after);
        assert_eq!(end, Some(State::Ended));
        for change in Change::ALL {
            assert_eq!(State::Ended.after(change), None, "nothing comes after the end");
        }
        assert_eq!(State::Draft.after(Activated), None, "nothing starts unannounced");
        assert_eq!(State::Active.after(Agreed), None);
        assert_eq!(State::Active.after(Proposed), None);
        assert_eq!(State::Paused.after(Paused), None);
    }

    #[test]
    fn names_survive_the_database() {
        assert!(State::ALL.into_iter().all(|s| State::parse(s.id()) == Some(s)));
        assert!(Change::ALL.into_iter().all(|c| Change::parse(c.id()) == Some(c)));
    }

    #[test]
    fn a_declaration_holds_from_its_revision_to_the_next() {
        let history = vec![
            revision(1, 1, "2026-01-01T00:00:00Z", Change::Proposed, State::Proposed),
            revision(1, 2, "2026-01-02T00:00:00Z", Change::Activated, State::Active),
            revision(1, 3, "2026-01-03T00:00:00Z", Change::Revised, State::Active),
            revision(1, 4, "2026-01-04T00:00:00Z", Change::Paused, State::Paused),
            revision(1, 5, "2026-01-06T00:00:00Z", Change::Resumed, State::Active),
            revision(2, 2, "2026-01-05T00:00:00Z", Change::Activated, State::Active),
        ];
        let found = declarations(history);
        let periods: Vec<(i32, String, Option<String>)> =
            found.iter().map(|d| (d.revision, d.from.to_string(), d.to.map(|t| t.to_string()))).collect();
        let day = |d: u8| format!("2026-01-0{d}T00:00:00Z");
        let expected =
            [(2, day(2), Some(day(3))), (3, day(3), Some(day(4))), (5, day(6), None), (2, day(5), None)];
        assert_eq!(periods, expected);
        let at = |text: String| text.parse::<jiff::Timestamp>().unwrap().into();
        assert!(found[0].in_force_at(at(day(2))));
        assert!(!found[0].in_force_at(at(day(3))), "the end belongs to the next period");
    }

    #[test]
    fn an_answer_counts_for_the_content_it_was_given_to() {
        let mut history = vec![
            revision(1, 1, "2026-01-01T00:00:00Z", Change::Proposed, State::Proposed),
            revision(1, 2, "2026-01-02T00:00:00Z", Change::Objected, State::Proposed),
            revision(1, 3, "2026-01-03T00:00:00Z", Change::Agreed, State::Proposed),
        ];
        let hash = history[0].content_sha256.clone();
        assert_eq!(answer_to(&history, &hash), Some(true));
        history[2].content_sha256 = vec![0];
        assert_eq!(answer_to(&history, &hash), Some(false));
        assert_eq!(answer_to(&history[..1], &hash), None);
    }
}
