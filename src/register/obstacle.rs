//! What stands in the way of a complete declaration: other people's answers, and the calendar.

use super::life::{Revision, answer_to};
use super::model::{ChoiceMode, ProcessingContent};
use super::rules::Law;
use crate::clock::Day;
use crate::error::Result;
use crate::web::times;

/// What others must do, or the calendar, before this content may be in force.
pub fn obstacle(history: &[Revision], content: &ProcessingContent, today: Day) -> Result<Option<String>> {
    let law = Law::of(content);
    let answer = answer_to(history, &content.sha256()?);
    if let Some(place) = law.agreement()
        && answer != Some(true)
    {
        let so_far = if answer.is_some() {
            "They objected to this version."
        } else {
            "They haven't answered this version yet."
        };
        return Ok(Some(format!(
            "In {} the representatives must agree first ({}). {so_far}",
            place.name, place.citation
        )));
    }
    if let Some(place) = law.consultation()
        && answer.is_none()
    {
        return Ok(Some(format!(
            "In {} the representatives must be consulted first ({}). They haven't answered this version yet.",
            place.name, place.citation
        )));
    }
    if content.notice_given_on.is_some_and(|told| told > today) {
        return Ok(Some("The date on which workers were told lies in the future (GDPR Art. 13).".into()));
    }
    if let (Some(place), Some(told)) = (law.notice(), content.notice_given_on)
        && today.days_since(told) < place.minimum_notice_days
    {
        return Ok(Some(format!(
            "In {} workers are told {} days before ({}). That is on {}.",
            place.name,
            place.minimum_notice_days,
            place.citation,
            times::day(told.plus_days(place.minimum_notice_days)),
        )));
    }
    if content.choice_mode == Some(ChoiceMode::Mandatory)
        && let Some(review) = content.mandatory.as_ref().and_then(|m| m.review_date)
        && review <= today
    {
        return Ok(Some(format!(
            "Nobody can refuse this, and its review was due on {}: review it, and set the next date.",
            times::day(review)
        )));
    }
    Ok(None)
}
