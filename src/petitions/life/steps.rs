//! A petition's life as a timeline in plain words: what was, and what comes.

use jiff::tz::TimeZone;

use super::model::State;
use super::reading::Reading;
use crate::clock::Time;
use crate::petitions::model::{ANSWER_DAYS, CHECKING_DAYS, SUPPORTERS};
use crate::web::times;

pub struct Step {
    pub title: String,
    /// As a machine reads it, and as people do; empty where no moment is kept.
    pub at: String,
    pub when: String,
    pub note: String,
    pub future: bool,
    pub attention: bool,
    /// Where it stands in the log.
    pub position: Option<i64>,
}

struct Line<'a> {
    zone: &'a TimeZone,
    now: Time,
    steps: Vec<Step>,
}

impl Line<'_> {
    fn add(&mut self, title: impl Into<String>, note: impl Into<String>) -> &mut Step {
        self.steps.push(Step {
            title: title.into(),
            at: String::new(),
            when: String::new(),
            note: note.into(),
            future: false,
            attention: false,
            position: None,
        });
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }

    /// To the minute.
    fn moment(&mut self, at: Time, title: impl Into<String>, note: impl Into<String>) -> &mut Step {
        let (when, future) = (times::moment(at, self.zone), at > self.now);
        let step = self.add(title, note);
        (step.at, step.when, step.future) = (at.to_string(), when, future);
        step
    }

    /// The day alone.
    fn day(&mut self, at: Time, title: impl Into<String>, note: impl Into<String>) -> &mut Step {
        let (day, future) = (at.day(self.zone), at > self.now);
        let step = self.add(title, note);
        (step.at, step.when, step.future) = (day.to_string(), times::day(day), future);
        step
    }
}

/// From the beginning to what comes next.
pub fn steps(it: &Reading, zone: &TimeZone, now: Time) -> Vec<Step> {
    let mut line = Line { zone, now, steps: Vec::new() };
    let who = match &it.author {
        Some(name) => format!("By {name}."),
        None => "By a colleague who stays unnamed: a key stands for them, and nobody can tell whose.".into(),
    };
    line.add("Started", who).position = it.newest().position;
    before_opening(it, &mut line);
    if let Some(at) = it.row.opened_at {
        let note = match it.row.checked_by {
            Some(_) => "A representative checked it against the published rules.".into(),
            None => format!("Nobody checked it within {CHECKING_DAYS} days, so it opened by itself."),
        };
        line.moment(at, "Open for signatures", note).position = it.row.check_position;
    }
    reached(it, &mut line);
    for (answer, _) in it.answers.iter().rev() {
        let title = if answer.number == 1 { "The employer answered" } else { "The employer answered anew" };
        line.moment(answer.dated().unwrap_or(answer.at), title, "").position = answer.position;
    }
    match (it.row.closed_at, it.row.closes_at) {
        (Some(at), Some(_)) => {
            line.moment(at, "Closed", "No more signatures.").position = it.row.close_position
        }
        (None, Some(at)) => {
            line.moment(at, "Closes", "Until then it can be signed, and signatures be withdrawn.").future =
                true;
        }
        _ => {}
    }
    line.steps
}

fn before_opening(it: &Reading, line: &mut Line<'_>) {
    let row = &it.row;
    match row.state() {
        State::Seeking => {
            if let Some(until) = row.seeking_until {
                let note = format!(
                    "It needs {SUPPORTERS} colleagues’ support until the end of the day before; otherwise it lapses."
                );
                line.day(until, "Support must be found", note).future = true;
            }
        }
        State::Lapsed => {
            if let Some(until) = row.seeking_until {
                let note = format!("Fewer than {SUPPORTERS} colleagues supported it in time.");
                line.day(until, "Lapsed", note).attention = true;
            }
        }
        State::GivenUp => line.add("Given up", "Its author took it back before it opened.").attention = true,
        _ => {}
    }
    if let Some(since) = row.checking_since {
        line.day(since, "Support found", format!("{SUPPORTERS} colleagues or more."));
    }
    if row.state() == State::Checking
        && let Some(since) = row.checking_since
    {
        let until = since.plus_days(CHECKING_DAYS);
        let note = "A representative checks it against the published rules. If nobody does until then, it opens by \
                    itself.";
        line.day(until, "Being checked", note).future = true;
    }
}

fn reached(it: &Reading, line: &mut Line<'_>) {
    let Some((at, due)) = it.row.reached_at.zip(it.row.answer_due_at) else { return };
    let note =
        format!("From here on the employer has {ANSWER_DAYS} days to answer. Nothing resets this clock.");
    line.moment(at, "Threshold reached", note).position = it.row.reached_position;
    if it.answers.is_empty() {
        let late = due < line.now;
        let title = if late { "Unanswered since" } else { "Answer due" };
        line.moment(due, title, "").attention = late;
    }
}
