//! One choice as its person sees it: where it stands in words, what can be done, and how far the last change
//! came.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sqlx::PgConnection;
use uuid::Uuid;

use super::cases::{self, Case};
use super::enforcement::{self, Changed, Way};
use super::model::{Answer, Choice, State, Why, after};
use super::rules::Audience;
use super::standing;
use super::store::decisions::Decision;
use super::store::policy::{self, OwnAgentRow};
use super::text::ChoiceText;
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::notices::{self, Told};
use crate::register::{Category, ChoiceMode};
use crate::web::{Page, times};

/// The purpose that stands apart from all others.
pub const TRAINING: &str = "ai:ModelTraining";

/// What stands beside a choice, and its hash.
pub struct Words {
    pub text: ChoiceText,
    pub sha256: String,
    /// Whether the notice is the one that was published.
    pub is_whole: bool,
}

/// What can be done about it now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offer {
    pub yes: bool,
    pub no: bool,
    pub later: bool,
    pub object: bool,
    pub contest: bool,
}

impl Offer {
    fn of(case: &Case, now: Time, is_whole: bool) -> Self {
        let can = |choice| after(case.question(), case.held, now, choice).is_ok();
        let chooses = matches!(case.mode, ChoiceMode::OptIn | ChoiceMode::OptOut);
        Offer {
            yes: is_whole && can(Choice::Yes),
            no: can(Choice::No),
            // Where nothing waits for an answer there is nothing to put off.
            later: case.is_open(now) && can(Choice::Later),
            // A no is quicker and needs no reason.
            object: !chooses && can(Choice::Object { reason: "", named: false }),
            contest: can(Choice::Contest { reason: "" }) && !case.was_contested(),
        }
    }

    pub fn is_none(self) -> bool {
        self == Offer::default()
    }
}

/// One processing on the page of choices.
pub struct Card {
    pub case: Case,
    /// `None` where no notice ever told of it.
    pub words: Option<Words>,
    pub offer: Offer,
    pub is_open: bool,
    pub put_off_until: Option<Time>,
    /// The newest decision that changed what agents may do, and how far it came.
    pub changed: Option<(Decision, Vec<Way>)>,
    /// The first of its kind of data on the page: other pages lead here.
    pub is_first_of_kind: bool,
}

impl Card {
    pub fn id(&self) -> Uuid {
        self.case.processing()
    }

    pub fn name(&self) -> String {
        let content = self.case.rule.content();
        format!("{}, {}", content.category.name(), content.purpose.words())
    }

    pub fn category(&self) -> Category {
        self.case.rule.content().category
    }

    pub fn is_training(&self) -> bool {
        self.case.rule.content().purpose.id() == TRAINING
    }

    pub fn is_told(&self) -> bool {
        self.case.covering.is_some()
    }

    /// Whether it is answered with yes or no.
    pub fn chooses(&self) -> bool {
        matches!(self.case.mode, ChoiceMode::OptIn | ChoiceMode::OptOut)
    }

    /// The chip's look and words. Neither "on" nor "off" is the better one, so neither is green.
    pub fn chip(&self) -> (&'static str, &'static str) {
        match self.case.why {
            Why::Objected => ("paused", "Off, objection open"),
            why if why.allows() => ("active", "On"),
            _ => ("off", "Off"),
        }
    }

    /// "Off. You said no on 2 Nov 2026, 10:00."
    pub fn standing(&self, page: &Page) -> String {
        standing::words(&self.case, page)
    }

    /// What the button says that allows it.
    pub fn yes_words(&self) -> &'static str {
        match self.case.held.map(|h| h.answer) {
            Some(Answer::Objected | Answer::Upheld | Answer::Overridden | Answer::Contested) => {
                "Take my objection back"
            }
            _ if !self.chooses() => "Take my no back",
            _ if self.case.why == Why::Given => "Yes, for longer",
            _ => "Yes, from now on",
        }
    }

    /// When an open objection must be answered.
    pub fn due(&self) -> Option<Time> {
        let open = self.case.counting().filter(|d| matches!(d.state, State::Objected | State::Contested));
        open.and_then(|d| d.due_at)
    }

    /// What the employer said to the last objection, with its reasons.
    pub fn answered(&self) -> Option<&Decision> {
        let newest = self.case.decisions.iter().rev().find(|d| d.state != State::Deferred)?;
        let answers = |d: &&Decision| matches!(d.state, State::Upheld | State::Overridden);
        match newest.state {
            State::Upheld | State::Overridden => Some(newest),
            State::Contested => self.case.decisions.iter().rev().find(answers),
            _ => None,
        }
    }
}

/// What one person's agents were told.
pub struct Agents {
    agents: Vec<OwnAgentRow>,
    told: Vec<enforcement::Told>,
    now: Time,
}

impl Agents {
    pub async fn load(db: &mut PgConnection, person: Uuid, now: Time) -> Result<Self> {
        let agents = policy::list_own_agents(db, person, now).await?;
        let told = match agents.is_empty() {
            true => Vec::new(),
            false => enforcement::store::list_told(db, person).await?,
        };
        Ok(Agents { agents, told, now })
    }

    pub fn has_agents(&self) -> bool {
        !self.agents.is_empty()
    }

    /// How far a decision came; `all` are those about the same processing, oldest first.
    pub fn ways(&self, d: &Decision, all: &[Decision]) -> Vec<Way> {
        let next = all.iter().find(|l| l.number > d.number && l.allowed_before != l.allowed_after);
        let changed = Changed {
            processing: d.processing_id,
            at: d.at,
            allowed: d.allowed_after,
            until: next.map(|l| l.at),
        };
        enforcement::ways(changed, &self.agents, &self.told, self.now)
    }
}

/// Everything that one person can choose.
pub struct Board {
    pub cards: Vec<Card>,
    /// What isn't in force for them any more, and was decided on.
    pub former: Vec<Case>,
}

impl Board {
    /// `accept` is what the browser says of its reader's languages.
    pub async fn load(db: &mut PgConnection, state: &AppState, person: Uuid, accept: &str) -> Result<Self> {
        let now = state.clock.now();
        let all = cases::load(db, person, now).await?;
        let agents = Agents::load(db, person, now).await?;
        // Most processings are told of by the same few notices.
        let mut told: HashMap<Uuid, Told> = HashMap::new();
        for version in all.cases.iter().filter_map(Case::asked_by).map(|(version, _)| version) {
            if let Entry::Vacant(place) = told.entry(version) {
                place.insert(notices::find_told(db, &state.ledger, version).await?);
            }
        }
        let mut cards = Vec::with_capacity(all.cases.len());
        for case in all.cases {
            let told = case.asked_by().and_then(|(version, _)| told.get(&version));
            cards.push(card(case, &all.audience, told, &agents, accept, now)?);
        }
        cards.sort_by_cached_key(Card::name);
        Ok(Board { cards, former: all.former })
    }
}

/// One of them; not found where it isn't in force for this person.
pub async fn find(
    db: &mut PgConnection,
    state: &AppState,
    person: Uuid,
    processing: Uuid,
    accept: &str,
) -> Result<Card> {
    let now = state.clock.now();
    let (audience, case) = cases::find(db, person, processing, now).await?;
    if !case.is_in_force {
        return Err(Error::NotFound);
    }
    let agents = Agents::load(db, person, now).await?;
    let told = match case.asked_by() {
        Some((version, _)) => Some(notices::find_told(db, &state.ledger, version).await?),
        None => None,
    };
    card(case, &audience, told.as_ref(), &agents, accept, now)
}

fn card(
    case: Case,
    audience: &Audience,
    told: Option<&Told>,
    agents: &Agents,
    accept: &str,
    now: Time,
) -> Result<Card> {
    let words = match told {
        Some(told) => {
            let text = ChoiceText::in_language(&case.rule, audience, told, None, accept);
            Some(Words { sha256: times::hex(&text.sha256()?), text, is_whole: told.is_whole })
        }
        None => None,
    };
    let offer = match &words {
        Some(words) => Offer::of(&case, now, words.is_whole),
        None => Offer::default(),
    };
    let newest = case.decisions.iter().rev().find(|d| d.allowed_before != d.allowed_after);
    let changed = newest.map(|d| (d.clone(), agents.ways(d, &case.decisions)));
    Ok(Card {
        offer,
        words,
        changed,
        is_open: case.is_open(now),
        put_off_until: case.put_off_until(now),
        is_first_of_kind: false,
        case,
    })
}
