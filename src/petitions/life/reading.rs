//! A petition with all that everybody may read of it, compared with the log.

use sqlx::PgConnection;
use uuid::Uuid;

use super::about;
use super::counts::{self, DayCount};
use super::integrity::{Fit, Leaves};
use super::model::{About, Document, Standing, State, standing};
use super::store::{self, AnswerRow, PetitionRow, UpdateRow, VersionRow};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::web::{Role, Viewer};

/// What a petition is about, and its name while it is there.
#[derive(Debug, Clone)]
pub struct Thing {
    pub href: String,
    pub name: Option<String>,
}

pub struct Reading {
    pub row: PetitionRow,
    pub author: Option<String>,
    /// Of the newest version.
    pub document: Document,
    /// The newest first, each compared with the log.
    pub versions: Vec<(VersionRow, Fit)>,
    /// Threshold and close, compared with the log.
    pub terms: Fit,
    /// A refusal's rule and words.
    pub refusal: Fit,
    /// The date by which an answer is due; the row then holds the log's.
    pub clock: Fit,
    pub answers: Vec<(AnswerRow, Fit)>,
    pub updates: Vec<UpdateRow>,
    pub about: Option<Thing>,
    /// `None` while fewer than five signatures stand.
    pub total: Option<i64>,
    pub below: bool,
    pub days: Vec<DayCount>,
    pub departments: Vec<(String, i64)>,
    pub standing: Standing,
}

impl Reading {
    /// Not found for a draft: only its author has it, elsewhere.
    pub async fn load(db: &mut PgConnection, state: &AppState, id: Uuid) -> Result<Self> {
        let row = store::find(db, id).await?.filter(|p| p.state() != State::Draft);
        let mut row = row.ok_or(Error::NotFound)?;
        let versions = store::list_versions(db, id).await?;
        let answers = store::list_answers(db, id).await?;
        let newest = versions.first().ok_or(Error::NotFound)?.clone();
        let entries: Vec<i64> = versions
            .iter()
            .map(|v| v.ledger_entry)
            .chain(answers.iter().map(|a| a.ledger_entry))
            .chain(row.check_entry)
            .chain(row.reached_entry)
            .collect();
        let leaves = Leaves::load(db, &state.ledger, &entries).await?;
        let (clock, due) = leaves.clock(&row, &newest.leaf_hash);
        row.answer_due_at = due;
        let total = store::counts::find_total(db, &newest.leaf_hash).await?;
        let days = store::counts::list_days(db, &newest.leaf_hash).await?;
        let departments = store::counts::list_departments(db, &newest.leaf_hash).await?;
        let author = match row.author_id {
            Some(person) => store::find_name(db, person).await?,
            None => None,
        };
        let about = match About::of(row.about_kind.as_deref(), row.about_id) {
            Some(about) => Some(Thing { href: about.href(), name: about::find(db, about).await? }),
            None => None,
        };
        let threshold = row.threshold.map(i64::from);
        Ok(Reading {
            document: Document::read(&newest.document),
            terms: leaves.terms(&row, &newest.leaf_hash),
            refusal: leaves.refusal(&row, &newest.leaf_hash),
            clock,
            standing: standing(&row, !answers.is_empty(), state.clock.now()),
            updates: store::list_updates(db, id).await?,
            total: counts::shown(total),
            below: row.reached_at.is_some() && threshold.is_some_and(|t| total < t),
            days: counts::by_day(&days),
            departments: counts::departments(&departments, total),
            versions: versions
                .into_iter()
                .map(|v| (leaves.version(&row, &v), v))
                .map(|(f, v)| (v, f))
                .collect(),
            answers: answers
                .into_iter()
                .map(|a| (leaves.answer(&newest.leaf_hash, &a), a))
                .map(|(f, a)| (a, f))
                .collect(),
            author,
            about,
            row,
        })
    }

    pub fn newest(&self) -> &VersionRow {
        &self.versions[0].0
    }

    pub fn fit(&self) -> Fit {
        self.versions[0].1
    }

    /// What was refused is read by its author with a name and by representatives only.
    pub fn may_read(&self, viewer: &Viewer) -> bool {
        self.row.state() != State::Refused
            || self.row.is_by(viewer.person_id)
            || viewer.has(Role::Representative)
    }

    /// Whether it can be signed now: a text that isn't the one in the log can't.
    pub fn takes_signatures(&self) -> bool {
        let terms_fit = self.row.state() != State::Open || !self.terms.is_broken();
        self.row.state().takes_signatures() && !self.fit().is_broken() && terms_fit
    }
}
