//! Where somebody stands with a choice, in words.

use super::cases::Case;
use super::model::{State, Why};
use super::store::decisions::Decision;
use crate::register::ChoiceMode;
use crate::web::Page;

/// "Off. You said no on 2 Nov 2026, 10:00."
pub fn words(case: &Case, page: &Page) -> String {
    let counting = case.counting();
    let on = |d: Option<&Decision>| d.map(|d| page.moment(&d.at)).unwrap_or_default();
    let did = |d: Option<&Decision>| match d {
        Some(d) => format!("{} on {}.", d.state.words(), page.moment(&d.at)),
        None => String::new(),
    };
    let until = case.held.and_then(|h| h.until);
    let words = match case.why {
        Why::NotDeclared => "Off. Nothing in force declares it for you.".into(),
        Why::NotTold => format!("Off. No notice in force tells you of it. {}", did(counting)),
        Why::Mandatory => match counting.map(|d| d.state) {
            Some(State::Overridden | State::Contested) => format!("On. {}", did(counting)),
            _ => "On. You cannot refuse this.".into(),
        },
        Why::OnByDefault => match counting.map(|d| d.state) {
            Some(State::Given | State::Renewed) if case.mode == ChoiceMode::OptOut => {
                format!("On. {} What it is about has changed since.", did(counting))
            }
            _ if case.mode == ChoiceMode::Objection => "On. You haven’t objected.".into(),
            _ => "On, because you haven’t said no.".into(),
        },
        Why::Given => match until {
            Some(until) => format!("On. {} It counts until {}.", did(counting), page.moment(&until)),
            None => format!("On. {}", did(counting)),
        },
        Why::NotAsked => "Off. You haven’t said yes.".into(),
        Why::Changed => {
            format!("Off. {} What it is about has changed since, so that yes doesn’t count.", did(counting))
        }
        Why::Expired => match until {
            Some(until) => format!("Off. Your yes ran out on {}.", page.moment(&until)),
            None => format!("Off. {}", did(counting)),
        },
        Why::Refused | Why::Upheld => format!("Off. {}", did(counting)),
        Why::Objected => match counting.map(|d| d.state) {
            Some(State::Overridden | State::Contested) => format!(
                "Off. Your objection was overridden, but what it is about has changed since {}: it is open again.",
                on(counting)
            ),
            _ => format!("Off. {} It stays off until you have an answer.", did(counting)),
        },
        Why::Overridden => format!("On. {}", did(counting)),
        Why::Stale => "Not known at the moment.".into(),
    };
    words.trim_end().into()
}
