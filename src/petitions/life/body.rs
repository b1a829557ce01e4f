//! What a petition's page shows to everybody alike: without anything of whoever looks, so that it can be kept and
//! given out again.

use askama::Template;
use jiff::tz::TimeZone;

use super::chart::{Chart, chart};
use super::integrity::Fit;
use super::model::lines;
use super::reading::Reading;
use super::steps::{Step, steps};
use super::updates::{self, Update};
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::error::Result;
use crate::ledger::Hash;
use crate::notices::markdown;
use crate::petitions::issuing;
use crate::petitions::model::{CHECKING_DAYS, SUPPORTERS};
use crate::web::times;

/// A version of the employer's answer as it is read.
pub struct Answer {
    pub number: i32,
    pub html: String,
    pub at: Time,
    pub days_late: i64,
    pub fit: Fit,
    pub position: Option<i64>,
}

/// How far it is to the threshold.
pub struct Progress {
    pub threshold: i64,
    /// Of a hundred; none while fewer than five signed.
    pub percent: i64,
    pub words: String,
}

#[derive(Template)]
#[template(path = "petitions/body.html")]
pub struct Body {
    it: Reading,
    demand: Vec<String>,
    background: String,
    steps: Vec<Step>,
    progress: Option<Progress>,
    chart: Option<Chart>,
    answers: Vec<Answer>,
    updates: Vec<Update>,
    leaf: String,
    /// Whether somebody else runs the second issuer; `None` while there is none.
    independent: Option<bool>,
    origin: String,
    zone: TimeZone,
    now: Time,
}

fn progress(it: &Reading) -> Option<Progress> {
    let threshold = i64::from(it.row.threshold?);
    let percent = it.total.map_or(0, |n| (n * 100 / threshold.max(1)).min(100));
    let words = match it.total {
        Some(n) if n >= threshold => format!("{n} signatures; the threshold is {threshold}"),
        Some(n) => format!("{n} of {threshold} signatures"),
        None => format!("Fewer than five of {threshold} signatures"),
    };
    Some(Progress { threshold, percent, words })
}

/// The newest first.
fn answers(it: &Reading) -> Vec<Answer> {
    let late = |at: Time| it.row.answer_due_at.map_or(0, |due| (at.seconds_since(due) + 86_399) / 86_400);
    it.answers
        .iter()
        .map(|(row, fit)| (row, fit, row.dated().unwrap_or(row.at)))
        .map(|(row, fit, at)| Answer {
            number: row.number,
            html: markdown::render(row.document["text"].as_str().unwrap_or_default()),
            at,
            days_late: late(at).max(0),
            fit: *fit,
            position: row.position,
        })
        .collect()
}

impl Body {
    pub async fn load(state: &AppState, it: Reading) -> Result<Self> {
        let server = issuing::representative(&mut *state.db.acquire().await?).await?;
        let independent = server.map(|server| issuing::is_independent(&server, &state.config));
        let (zone, now) = (state.config.time_zone.clone(), state.clock.now());
        Ok(Body {
            demand: lines(&it.document.demand).into_iter().map(Into::into).collect(),
            background: markdown::render(&it.document.background),
            steps: steps(&it, &zone, now),
            progress: progress(&it),
            chart: chart(&it.days),
            answers: answers(&it),
            updates: updates::read(&it, &state.config.log_origin),
            leaf: Hash::try_from(&it.newest().leaf_hash[..]).map_err(anyhow::Error::new)?.to_string(),
            independent,
            origin: state.config.log_origin.clone(),
            zone,
            now,
            it,
        })
    }

    fn moment(&self, at: &Time) -> String {
        times::moment(*at, &self.zone)
    }

    fn day(&self, day: &Day) -> String {
        times::day(*day)
    }

    fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    fn is_seeking(&self) -> bool {
        self.it.row.state() == super::model::State::Seeking
    }

    fn is_checking(&self) -> bool {
        self.it.row.state() == super::model::State::Checking
    }

    /// Whether everything that is compared with the log is as there.
    fn is_whole(&self) -> bool {
        let terms = self.it.terms.is_whole() && self.it.clock.is_whole();
        self.it.fit().is_whole() && (terms || !self.was_opened())
    }

    fn is_broken(&self) -> bool {
        let terms = self.it.terms.is_broken() || self.it.clock.is_broken();
        self.it.fit().is_broken() || (terms && self.was_opened())
    }

    fn was_opened(&self) -> bool {
        self.it.row.state().was_opened()
    }

    /// "Unanswered since …", "An answer is due by …"; `None` where nothing is due.
    fn due(&self) -> Option<(bool, Time)> {
        let due = self.it.row.answer_due_at.filter(|_| self.answers.is_empty())?;
        Some((due < self.now, due))
    }

    fn supporters(&self) -> i64 {
        SUPPORTERS
    }

    fn checking_days(&self) -> i64 {
        CHECKING_DAYS
    }

    fn number(&self, n: &i64) -> String {
        times::number(*n)
    }

    fn or_few(&self, n: &Option<i64>) -> String {
        n.map_or_else(|| "fewer than five".into(), times::number)
    }
}
