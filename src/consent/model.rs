//! When something about a person may be collected: the rules, without I/O.
//!
//! A "yes" counts for exactly what was asked: this content of the register, told by this major version of a
//! notice. A "no" counts until it is taken back. Whatever isn't known to be allowed is denied.

use uuid::Uuid;

use crate::clock::Time;
use crate::register::{ChoiceMode, Jurisdiction, LegalBasis, ProcessingContent};

/// Seconds after a "no" within which a record isn't held against an agent that hadn't heard of it yet.
pub use crate::collection::model::GRACE_SECONDS;

/// What a decision row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Given,
    Refused,
    /// "Remind me later": changes nothing.
    Deferred,
    Withdrawn,
    Expired,
    /// Given again before it ended.
    Renewed,
    Objected,
    Upheld,
    Overridden,
    /// An override that its author doesn't accept.
    Contested,
}

impl State {
    pub const ALL: [State; 10] = [
        State::Given,
        State::Refused,
        State::Deferred,
        State::Withdrawn,
        State::Expired,
        State::Renewed,
        State::Objected,
        State::Upheld,
        State::Overridden,
        State::Contested,
    ];

    /// As in the database, the record and the receipt.
    pub fn id(self) -> &'static str {
        match self {
            State::Given => "given",
            State::Refused => "refused",
            State::Deferred => "deferred",
            State::Withdrawn => "withdrawn",
            State::Expired => "expired",
            State::Renewed => "renewed",
            State::Objected => "objected",
            State::Upheld => "upheld",
            State::Overridden => "overridden",
            State::Contested => "contested",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        State::ALL.into_iter().find(|s| s.id() == id)
    }

    /// For the person whose decision it is.
    pub fn words(self) -> &'static str {
        match self {
            State::Given => "You said yes",
            State::Refused => "You said no",
            State::Deferred => "You asked to be reminded",
            State::Withdrawn => "You took your yes back",
            State::Expired => "Your yes has run out",
            State::Renewed => "You said yes again",
            State::Objected => "You objected",
            State::Upheld => "Your objection was upheld",
            State::Overridden => "Your objection was overridden",
            State::Contested => "You contested the answer",
        }
    }

    /// What it makes of the standing; `None` where it changes nothing.
    pub fn answer(self) -> Option<Answer> {
        match self {
            State::Given | State::Renewed => Some(Answer::Yes),
            State::Refused | State::Withdrawn => Some(Answer::No),
            State::Expired => Some(Answer::Lapsed),
            State::Objected => Some(Answer::Objected),
            State::Upheld => Some(Answer::Upheld),
            State::Overridden => Some(Answer::Overridden),
            State::Contested => Some(Answer::Contested),
            State::Deferred => None,
        }
    }
}

/// What counts of somebody's decisions about one processing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Answer {
    Yes = 0,
    No = 1,
    /// A yes that has run out.
    Lapsed = 2,
    Objected = 3,
    Upheld = 4,
    Overridden = 5,
    Contested = 6,
}

impl Answer {
    pub const ALL: [Answer; 7] = [
        Answer::Yes,
        Answer::No,
        Answer::Lapsed,
        Answer::Objected,
        Answer::Upheld,
        Answer::Overridden,
        Answer::Contested,
    ];
}

/// What was asked: the register's content, as a major version of a notice told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Terms {
    pub notice: Uuid,
    pub major: i32,
    /// SHA-256 of the register's content.
    pub content: [u8; 32],
}

/// Where a person stands with one processing: the newest of their decisions that isn't "later".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub answer: Answer,
    pub terms: Terms,
    /// Until when a yes counts.
    pub until: Option<Time>,
}

/// Why something is allowed or denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// Nothing active declares it for this person.
    NotDeclared,
    /// No published notice in force tells this person of it as it is now.
    NotTold,
    Mandatory,
    /// On until somebody refuses or objects, and nobody has.
    OnByDefault,
    Given,
    /// Off until a yes, and there is none.
    NotAsked,
    /// There is a yes, to something else than what is asked now.
    Changed,
    Expired,
    Refused,
    /// The employer has yet to answer, and may not collect meanwhile.
    Objected,
    Upheld,
    Overridden,
    /// This server doesn't know for sure at the moment.
    Stale,
}

impl Why {
    /// For other systems.
    pub fn id(self) -> &'static str {
        match self {
            Why::NotDeclared => "not_declared",
            Why::NotTold => "not_told",
            Why::Mandatory => "mandatory",
            Why::OnByDefault => "on_by_default",
            Why::Given => "given",
            Why::NotAsked => "not_asked",
            Why::Changed => "changed",
            Why::Expired => "expired",
            Why::Refused => "refused",
            Why::Objected => "objected",
            Why::Upheld => "upheld",
            Why::Overridden => "overridden",
            Why::Stale => "stale",
        }
    }

    pub fn allows(self) -> bool {
        matches!(self, Why::Mandatory | Why::OnByDefault | Why::Given | Why::Overridden)
    }

    /// Whether it is the person's own choice, or want of one, that denies it.
    pub fn is_personal(self) -> bool {
        matches!(
            self,
            Why::NotAsked | Why::Changed | Why::Expired | Why::Refused | Why::Objected | Why::Upheld
        )
    }
}

/// What is asked of somebody about a processing that is in force for them.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub mode: ChoiceMode,
    /// GDPR Art. 21 gives a right to object, whatever the mode says.
    pub may_object: bool,
    /// What people like this one have been told, and is still so.
    pub told: &'a [Terms],
}

/// The mode that counts for somebody under this law: where it demands a yes first, nothing less will do, and
/// where no law is known, neither.
pub fn mode(content: &ProcessingContent, jurisdiction: &str) -> ChoiceMode {
    let declared = content.choice_mode.unwrap_or(ChoiceMode::OptIn);
    match Jurisdiction::find(jurisdiction) {
        Some(law) if !law.needs_opt_in(content.category) => declared,
        _ => ChoiceMode::OptIn,
    }
}

/// Whether people may object (GDPR Art. 21(1)): processing for legitimate interests or a public task.
pub fn may_object(content: &ProcessingContent) -> bool {
    content.choice_mode == Some(ChoiceMode::Objection)
        || matches!(content.legal_basis, Some(LegalBasis::LegitimateInterests | LegalBasis::PublicTask))
}

/// Whether it may be collected now.
pub fn decide(question: Question<'_>, held: Option<Held>, now: Time) -> Why {
    if question.told.is_empty() {
        return Why::NotTold;
    }
    let answer = held.map(|h| h.answer);
    let same = held.is_some_and(|h| question.told.contains(&h.terms));
    match question.mode {
        ChoiceMode::OptIn => match answer {
            None => Why::NotAsked,
            Some(Answer::Lapsed) => Why::Expired,
            Some(Answer::Yes) if !same => Why::Changed,
            Some(Answer::Yes) if held.and_then(|h| h.until).is_some_and(|until| until <= now) => Why::Expired,
            Some(Answer::Yes) => Why::Given,
            Some(Answer::No) => Why::Refused,
            Some(Answer::Upheld) => Why::Upheld,
            // An objection that was overridden is no yes.
            Some(Answer::Objected | Answer::Overridden | Answer::Contested) => Why::Objected,
        },
        ChoiceMode::OptOut => match answer {
            None | Some(Answer::Lapsed) => Why::OnByDefault,
            Some(Answer::Yes) if same => Why::Given,
            Some(Answer::Yes) => Why::OnByDefault,
            Some(Answer::No) => Why::Refused,
            Some(Answer::Upheld) => Why::Upheld,
            // Whoever may simply say no has said it by objecting; no answer turns that into a yes.
            Some(_) => Why::Objected,
        },
        ChoiceMode::Objection => match answer {
            None | Some(Answer::Lapsed | Answer::Yes) => Why::OnByDefault,
            Some(Answer::No) => Why::Refused,
            Some(answer) => objection(answer, same),
        },
        ChoiceMode::Mandatory => {
            match answer {
                Some(
                    answer @ (Answer::Objected | Answer::Upheld | Answer::Overridden | Answer::Contested),
                ) if question.may_object => match objection(answer, same) {
                    Why::Overridden => Why::Mandatory,
                    why => why,
                },
                _ => Why::Mandatory,
            }
        }
    }
}

/// Whether an answer is wanted: a choice that was never made, or that something else is asked of now.
pub fn is_asked(question: Question<'_>, held: Option<Held>, now: Time) -> bool {
    let chooses = matches!(question.mode, ChoiceMode::OptIn | ChoiceMode::OptOut);
    let answered = held.is_some_and(|h| question.told.contains(&h.terms));
    let wanted = matches!(decide(question, held, now), Why::NotAsked | Why::Changed | Why::Expired);
    chooses && !question.told.is_empty() && (wanted || !answered)
}

/// An override counts for what it was said of: with other terms the objection is open again.
fn objection(answer: Answer, same: bool) -> Why {
    match answer {
        Answer::Upheld => Why::Upheld,
        Answer::Overridden | Answer::Contested if same => Why::Overridden,
        _ => Why::Objected,
    }
}

/// What somebody does about a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    /// Gives consent, takes a "no" back, or takes an objection back.
    Yes,
    No,
    /// "Remind me later", which is not a yes.
    Later,
    Object {
        reason: &'a str,
        named: bool,
    },
    Contest {
        reason: &'a str,
    },
}

/// What a choice makes of where somebody stands; the words say why it can't be made.
pub fn after(
    question: Question<'_>,
    held: Option<Held>,
    now: Time,
    choice: Choice<'_>,
) -> Result<State, &'static str> {
    let why = decide(question, held, now);
    let answer = held.map(|h| h.answer);
    let chooses = matches!(question.mode, ChoiceMode::OptIn | ChoiceMode::OptOut);
    // Where a no will do, nobody needs to give reasons, and HR can't override it.
    let objects = !chooses && (question.mode == ChoiceMode::Objection || question.may_object);
    let same = held.is_some_and(|h| question.told.contains(&h.terms));
    match choice {
        Choice::No if !chooses => {
            Err(if objects { "You can object to this, and say why." } else { "This can’t be refused." })
        }
        Choice::No if answer == Some(Answer::No) && same => Err("You have said no already. It stays a no."),
        Choice::No if answer == Some(Answer::Yes) => Ok(State::Withdrawn),
        Choice::No => Ok(State::Refused),
        // Nothing in force says what a yes would be to.
        Choice::Yes if question.told.is_empty() => {
            Err("No notice in force tells you of this, so there is nothing to say yes to.")
        }
        Choice::Yes if why == Why::Given => match held.and_then(|h| h.until) {
            Some(_) => Ok(State::Renewed),
            None => Err("You have said yes already."),
        },
        Choice::Yes if chooses => Ok(State::Given),
        Choice::Yes => match answer {
            None | Some(Answer::Yes | Answer::Lapsed) => Err("This is on until you object."),
            Some(Answer::Overridden | Answer::Contested) if same => {
                Err("Your objection was overridden already.")
            }
            Some(_) => Ok(State::Given),
        },
        Choice::Later if !is_asked(question, held, now) => Err("Nothing is asked here."),
        Choice::Later => Ok(State::Deferred),
        Choice::Object { .. } if chooses => Err("You can simply say no to this."),
        Choice::Object { .. } if !objects => Err("There is no right to object to this."),
        Choice::Object { .. } if why == Why::Refused => Err("You have said no. It is off, and stays off."),
        Choice::Object { .. } if question.told.is_empty() => {
            Err("This is off: no notice in force tells you of it.")
        }
        Choice::Object { .. } => match answer {
            Some(Answer::Objected | Answer::Upheld) if same => Err("You have objected already."),
            Some(Answer::Overridden | Answer::Contested) if same => {
                Err("Your objection to this was answered. You can contest the answer once.")
            }
            _ => Ok(State::Objected),
        },
        Choice::Contest { .. } if answer == Some(Answer::Overridden) => Ok(State::Contested),
        Choice::Contest { .. } => Err("Only an objection that was overridden can be contested, once."),
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
