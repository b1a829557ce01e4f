//! What a canary's history amounts to.

use crate::clock::Time;

/// A canary's last state; each leads to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Planned,
    Used,
    NotFound,
    Found,
    Deleted,
}

impl State {
    pub fn of(used: Option<Time>, deleted: Option<Time>, searches: i64, hits: i64) -> Self {
        match (deleted, hits, searches, used) {
            (Some(_), ..) => State::Deleted,
            (None, 1.., ..) => State::Found,
            (None, _, 1.., Some(_)) => State::NotFound,
            (None, _, _, Some(_)) => State::Used,
            (None, _, _, None) => State::Planned,
        }
    }

    /// Never "not collected": only what was searched is known.
    pub fn label(self) -> &'static str {
        match self {
            State::Planned => "Planned",
            State::Used => "Used",
            State::NotFound => "Searched, not found",
            State::Found => "Found",
            State::Deleted => "Deleted",
        }
    }

    /// The chip's class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            State::Found => "violation",
            State::Used => "exceeds",
            _ => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_state_leads_to_the_next() {
        let at = Some(Time::from(jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(State::of(None, None, 0, 0), State::Planned);
        assert_eq!(State::of(None, None, 3, 0), State::Planned, "nobody can find what wasn't used");
        assert_eq!(State::of(at, None, 0, 0), State::Used);
        assert_eq!(State::of(at, None, 2, 0), State::NotFound);
        assert_eq!(State::of(at, None, 2, 1), State::Found);
        assert_eq!(State::of(None, None, 2, 1), State::Found, "whatever was noted down");
        assert_eq!(State::of(at, at, 2, 1), State::Deleted);
    }
}
