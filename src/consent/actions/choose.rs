//! A person's own choices.

use axum::http::StatusCode;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Step, add, reasoned};
use crate::app::AppState;
use crate::clock::Time;
use crate::consent::cases::{self, Case};
use crate::consent::model::{Answer, Choice, State, Terms, Why, after, decide};
use crate::consent::rules::Audience;
use crate::consent::store::decisions::{self, Decision};
use crate::consent::tell::tell_systems;
use crate::consent::text::ChoiceText;
use crate::error::{Error, Result};
use crate::notices::{self, Told};
use crate::register::ChoiceMode;
use crate::web::{Viewer, times};

/// Days after which "remind me later" asks again.
const LATER_DAYS: i64 = 7;

/// What stood on the page that the form was on.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// SHA-256 of the choice's words, in hexadecimal digits.
    pub text: &'a str,
    /// Of the notice that was offered, BCP 47.
    pub language: &'a str,
}

/// One of several choices made at once.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub processing: Uuid,
    pub choice: Choice<'a>,
    pub seen: Seen<'a>,
}

/// Makes one choice; answers its decision's id.
pub async fn choose(state: &AppState, viewer: &Viewer, wish: Wish<'_>) -> Result<Uuid> {
    let made = choose_all(state, viewer, &[wish]).await?;
    made.first().copied().ok_or(Error::NotFound)
}

/// Makes several choices: all of them, or none.
pub async fn choose_all(state: &AppState, viewer: &Viewer, wishes: &[Wish<'_>]) -> Result<Vec<Uuid>> {
    if wishes.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = state.db.begin().await?;
    let mut made = Vec::with_capacity(wishes.len());
    for wish in wishes {
        made.push(match make(&mut tx, state, viewer.person_id, wish).await? {
            Made::Before(id) => id,
            Made::Now(decision) => {
                tell_systems(&mut tx, state, &decision).await?;
                decision.id
            }
        });
    }
    tx.commit().await?;
    state.consent.refresh(&[viewer.person_id]).await;
    Ok(made)
}

enum Made {
    Now(Box<Decision>),
    /// The same was said before, and stands: a second click changes nothing.
    Before(Uuid),
}

async fn make(db: &mut PgConnection, state: &AppState, person: Uuid, wish: &Wish<'_>) -> Result<Made> {
    let now = state.clock.now();
    let (audience, case) = cases::find(db, person, wish.processing, now).await?;
    if let Some(decision) = said_before(&case, wish.choice, now) {
        return Ok(Made::Before(decision.id));
    }
    let takes_back = wish.choice == Choice::No && case.has_standing_yes();
    if !case.is_in_force && !takes_back {
        return Err(Error::conflict("This isn’t in force for you now, so there is nothing to say to it."));
    }
    let becomes = after(case.question(), case.held, now, wish.choice).map_err(Error::conflict)?;
    if becomes == State::Contested && case.was_contested() {
        return Err(Error::conflict(
            "You have contested the answer once. The data protection authority can look at it now.",
        ));
    }
    if becomes == State::Deferred && case.put_off_until(now).is_some() {
        return Err(Error::conflict("You asked to be reminded already."));
    }
    if !matches!(becomes, State::Refused | State::Withdrawn) {
        check_pace(db, person, now).await?;
    }
    let shown = show(db, state, &audience, &case, wish.seen.language).await?;
    let is_current = times::hex(&shown.sha256) == wish.seen.text;
    // A no is never refused because the page was old: what it leads to is nothing.
    if !is_current && !is_refusal(becomes) {
        return Err(Error::conflict(
            "What this choice is about has changed meanwhile. Please read it again.",
        ));
    }
    if !shown.told.is_whole && !is_refusal(becomes) {
        return Err(Error::conflict(
            "The notice’s text here isn’t the one that was published, so nothing can be agreed to. Please tell your representatives.",
        ));
    }
    decisions::insert_text(db, &shown.sha256, &shown.text.document()?).await?;
    let (reason, named) = match wish.choice {
        Choice::Object { reason, named } => (Some(reasoned(reason, "reason")?), named),
        Choice::Contest { reason } => {
            let named =
                case.decisions.iter().rev().find(|d| d.state == State::Objected).is_some_and(|d| d.named);
            (Some(reasoned(reason, "reason")?), named)
        }
        _ => (None, false),
    };
    let step = Step {
        person,
        state: becomes,
        by_role: "worker",
        by_id: None,
        until: until(&case, becomes, now),
        reason,
        named,
        due_at: reason.map(|_| one_month_after(now)),
        language: shown.text.notice.language.clone(),
        text_sha256: shown.sha256,
        terms: shown.terms,
        told: &shown.told,
    };
    Ok(Made::Now(Box::new(add(db, state, &audience, &case, step).await?)))
}

/// The decision that says this already, where saying it again changes nothing.
fn said_before<'a>(case: &'a Case, choice: Choice<'_>, now: Time) -> Option<&'a Decision> {
    let held = case.held?;
    let same = case.told.is_empty() || case.told.contains(&held.terms);
    let stands = match choice {
        Choice::No => held.answer == Answer::No && same,
        Choice::Yes => {
            held.until.is_none() && case.is_in_force && decide(case.question(), Some(held), now) == Why::Given
        }
        _ => false,
    };
    case.counting().filter(|_| stands)
}

/// Decisions that one person makes in an hour at most. A no isn't counted, and never refused.
const AN_HOUR: i64 = 60;

async fn check_pace(db: &mut PgConnection, person: Uuid, now: Time) -> Result<()> {
    if decisions::count_since(db, person, now.plus_seconds(-3600)).await? < AN_HOUR {
        return Ok(());
    }
    let words =
        "That is a lot of changes within an hour. A no counts at any time; please make the others later.";
    Err(Error::Rejected(StatusCode::TOO_MANY_REQUESTS, words.into()))
}

/// Whether it only ever takes permission away.
fn is_refusal(becomes: State) -> bool {
    matches!(
        becomes,
        State::Refused | State::Withdrawn | State::Objected | State::Contested | State::Deferred
    )
}

/// Until when a yes counts, as the declaration says; when "later" is.
fn until(case: &Case, becomes: State, now: Time) -> Option<Time> {
    match becomes {
        State::Deferred => Some(now.plus_days(LATER_DAYS)),
        State::Given | State::Renewed if case.mode == ChoiceMode::OptIn => {
            let span: jiff::Span = case.rule.content().consent_validity.as_deref()?.parse().ok()?;
            now.jiff().to_zoned(jiff::tz::TimeZone::UTC).checked_add(span).ok().map(|z| z.timestamp().into())
        }
        _ => None,
    }
}

/// GDPR Art. 12(3): one calendar month; of the 31st of January it is the last day of February.
pub fn one_month_after(now: Time) -> Time {
    let zoned = now.jiff().to_zoned(jiff::tz::TimeZone::UTC);
    zoned.checked_add(jiff::Span::new().months(1)).map_or(now.plus_days(30), |z| z.timestamp().into())
}

/// What stands beside a choice now.
pub struct Shown {
    pub text: ChoiceText,
    pub sha256: [u8; 32],
    pub told: Told,
    pub terms: Terms,
}

/// The words of a choice, from the notice that covers it, or else the one that it was last decided on.
pub async fn show(
    db: &mut PgConnection,
    state: &AppState,
    audience: &Audience,
    case: &Case,
    language: &str,
) -> Result<Shown> {
    let Some((version, terms)) = case.asked_by() else {
        return Err(Error::conflict(
            "No notice in force tells you of this, so nothing is collected under it.",
        ));
    };
    let told = notices::find_told(db, &state.ledger, version).await?;
    let text = ChoiceText::in_language(&case.rule, audience, &told, Some(language), "");
    Ok(Shown { sha256: text.sha256()?, text, told, terms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_a_calendar_month() {
        let at = |text: &str| -> Time { text.parse::<jiff::Timestamp>().unwrap().into() };
        assert_eq!(one_month_after(at("2027-01-31T10:00:00Z")), at("2027-02-28T10:00:00Z"));
        assert_eq!(one_month_after(at("2028-01-31T10:00:00Z")), at("2028-02-29T10:00:00Z"));
        assert_eq!(one_month_after(at("2026-11-21T10:00:00Z")), at("2026-12-21T10:00:00Z"));
    }
}
