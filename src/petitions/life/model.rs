//! What a petition says, and where it stands; no I/O.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::store::PetitionRow;
use crate::clock::Time;
use crate::error::FieldErrors;
use crate::notices::{markdown, signs};
use crate::petitions::model::{ARCHIVE_DAYS, OPEN_DAYS};

pub const TITLE: [usize; 2] = [10, 120];
pub const DEMAND: [usize; 2] = [20, 2_000];
pub const BACKGROUND: usize = 8_000;
pub const UPDATE: usize = 2_000;
pub const ANSWER: [usize; 2] = [20, 10_000];
pub const REFUSAL_WORDS: [usize; 2] = [10, 2_000];

/// What a petition can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AboutKind {
    Processing,
    Notice,
}

impl AboutKind {
    pub fn id(self) -> &'static str {
        match self {
            AboutKind::Processing => "processing",
            AboutKind::Notice => "notice",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        [AboutKind::Processing, AboutKind::Notice].into_iter().find(|k| k.id() == id)
    }
}

/// Something that stands in this dashboard, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub kind: AboutKind,
    pub id: Uuid,
}

impl About {
    /// `processing:UUID` or `notice:UUID`, as addresses say it.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(':')?;
        Some(About { kind: AboutKind::parse(kind)?, id: id.parse().ok()? })
    }

    pub fn of(kind: Option<&str>, id: Option<Uuid>) -> Option<Self> {
        Some(About { kind: AboutKind::parse(kind?)?, id: id? })
    }

    pub fn query(self) -> String {
        format!("{}:{}", self.kind.id(), self.id)
    }

    pub fn href(self) -> String {
        match self.kind {
            AboutKind::Processing => format!("/register/{}", self.id),
            AboutKind::Notice => format!("/notices/{}", self.id),
        }
    }
}

/// What a leaf of the log holds the hash of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    pub title: String,
    pub demand: String,
    #[serde(default)]
    pub background: String,
    #[serde(default)]
    pub about: Option<About>,
    #[serde(default)]
    pub open_days: i32,
}

impl Document {
    /// Somebody with the database at hand could have broken it: then the check against the log says so.
    pub fn read(value: &Value) -> Self {
        serde_json::from_value(value.clone()).unwrap_or_default()
    }

    pub fn check(&self) -> FieldErrors {
        let mut errors = FieldErrors::default();
        let title = self.title.chars().count();
        if !(TITLE[0]..=TITLE[1]).contains(&title) || self.title.contains(char::is_control) {
            errors.add("title", format!("Use one line of {} to {} characters.", TITLE[0], TITLE[1]));
        }
        if !(DEMAND[0]..=DEMAND[1]).contains(&self.demand.chars().count()) {
            errors.add("demand", format!("Use {} to {} characters.", DEMAND[0], thousands(DEMAND[1])));
        }
        if self.background.chars().count() > BACKGROUND {
            errors.add("background", format!("Use at most {} characters.", thousands(BACKGROUND)));
        }
        if !OPEN_DAYS.contains(&self.open_days) {
            errors.add("open_days", "Choose from the list.");
        }
        for (field, text) in
            [("title", &self.title), ("demand", &self.demand), ("background", &self.background)]
        {
            if let Some(words) = signs::problem(text) {
                errors.add(field, words);
            }
        }
        for words in markdown::problems(&self.background) {
            errors.add("background", words);
        }
        errors
    }
}

/// "8,000"
pub fn thousands(n: usize) -> String {
    crate::web::times::number(i64::try_from(n).unwrap_or(i64::MAX))
}

/// Paragraphs of a plain text.
pub fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|l| !l.is_empty()).collect()
}

/// As in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Draft,
    Seeking,
    Checking,
    Open,
    Closed,
    Refused,
    Lapsed,
    GivenUp,
}

impl State {
    const ALL: [State; 8] = [
        State::Draft,
        State::Seeking,
        State::Checking,
        State::Open,
        State::Closed,
        State::Refused,
        State::Lapsed,
        State::GivenUp,
    ];

    pub fn id(self) -> &'static str {
        match self {
            State::Draft => "draft",
            State::Seeking => "seeking",
            State::Checking => "checking",
            State::Open => "open",
            State::Closed => "closed",
            State::Refused => "refused",
            State::Lapsed => "lapsed",
            State::GivenUp => "given_up",
        }
    }

    /// What the database doesn't know is a draft, which nobody but its author sees.
    pub fn parse(id: &str) -> Self {
        State::ALL.into_iter().find(|s| s.id() == id).unwrap_or(State::Draft)
    }

    /// Supporting is signing early, so a petition takes signatures from its first version on.
    pub fn takes_signatures(self) -> bool {
        matches!(self, State::Seeking | State::Checking | State::Open)
    }

    /// Whether its author may still take it back.
    pub fn can_be_given_up(self) -> bool {
        matches!(self, State::Seeking | State::Checking)
    }

    /// Whether it once was, or is, before everybody with all its signatures.
    pub fn was_opened(self) -> bool {
        matches!(self, State::Open | State::Closed)
    }

    /// Whether there may be news of it.
    pub fn takes_updates(self) -> bool {
        matches!(self, State::Seeking | State::Checking | State::Open | State::Closed)
    }
}

/// Where a petition stands for those who read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Plain(State),
    /// The employer must answer and still has time.
    Due,
    /// The time for an answer is over.
    Unanswered,
    Answered,
    Archived,
}

/// `answered` says whether the employer has answered at all.
pub fn standing(row: &PetitionRow, answered: bool, now: Time) -> Standing {
    let archived = row.closed_at.is_some_and(|at| at.plus_days(ARCHIVE_DAYS) <= now);
    match (row.state(), row.answer_due_at) {
        (State::Closed, _) if archived => Standing::Archived,
        (State::Open | State::Closed, _) if answered => Standing::Answered,
        (State::Open | State::Closed, Some(due)) if due < now => Standing::Unanswered,
        (State::Open | State::Closed, Some(_)) => Standing::Due,
        (state, _) => Standing::Plain(state),
    }
}

impl Standing {
    pub fn words(self) -> &'static str {
        match self {
            Standing::Plain(State::Draft) => "Draft",
            Standing::Plain(State::Seeking) => "Seeking support",
            Standing::Plain(State::Checking) => "Being checked",
            Standing::Plain(State::Open) => "Open",
            Standing::Plain(State::Closed) => "Closed",
            Standing::Plain(State::Refused) => "Refused",
            Standing::Plain(State::Lapsed) => "Lapsed",
            Standing::Plain(State::GivenUp) => "Given up",
            Standing::Due => "Answer due",
            Standing::Unanswered => "Unanswered",
            Standing::Answered => "Answered",
            Standing::Archived => "Archived",
        }
    }

    /// The style sheet's name of the chip's shape.
    pub fn chip(self) -> &'static str {
        match self {
            Standing::Plain(State::Draft) => "draft",
            Standing::Plain(State::Seeking | State::Checking) => "proposed",
            Standing::Plain(State::Open) | Standing::Due => "active",
            Standing::Answered => "good",
            Standing::Unanswered | Standing::Plain(State::Refused) => "bad",
            _ => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_its_limits() {
        let fine = Document {
            title: "More daylight".into(),
            demand: "Open the blinds in the hall.".into(),
            open_days: 60,
            ..Document::default()
        };
        assert!(fine.check().is_empty());
        let fields = |d: &Document| d.check().iter().map(|e| e.field.to_string()).collect::<Vec<_>>();
        let short =
            Document { title: "Light".into(), demand: "Please".into(), open_days: 61, ..fine.clone() };
        assert_eq!(fields(&short), ["title", "demand", "open_days"]);
        let hidden = Document { demand: "Open the blinds\u{202e} in the hall.".into(), ..fine.clone() };
        assert_eq!(fields(&hidden), ["demand"]);
        let html = Document { background: "<script>x</script>".into(), ..fine };
        assert_eq!(fields(&html), ["background"]);
    }

    #[test]
    fn what_it_is_about_survives_an_address() {
        let about = About { kind: AboutKind::Notice, id: Uuid::from_u128(7) };
        assert_eq!(About::parse(&about.query()), Some(about));
        assert_eq!(About::parse("person:1"), None);
        assert!(State::ALL.into_iter().all(|s| State::parse(s.id()) == s));
    }
}
