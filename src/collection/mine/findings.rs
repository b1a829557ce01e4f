//! One person's findings with their evidence, and the employer's answers beside them.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::clock::{Day, Time};
use crate::collection::compare;
use crate::collection::field::Field;
use crate::collection::model::compare::Agreement;
use crate::collection::model::{FindingKind, GRACE_SECONDS};
use crate::collection::store::compare::list_counts_of;
use crate::collection::store::findings::{self as store, AnswerRow};
use crate::collection::store::mine::{self as mine_store, FindingRow};
use crate::error::Result;
use crate::register::Category;
use crate::web::times;

/// A finding as the person it is about sees it.
#[derive(Debug, Clone)]
pub struct FindingView {
    pub id: Uuid,
    pub kind: FindingKind,
    pub category: Option<Category>,
    pub program: String,
    pub words: String,
    pub first_at: Time,
    pub last_at: Time,
    /// When it was found, which is when it was reported.
    pub found_at: Time,
    /// The field of the agent's records that it was found in, where one is known.
    pub field: Option<Field>,
    /// The person's day, of kinds that are found anew each day.
    pub day: Option<Day>,
    /// What it rests on, in sentences.
    pub evidence: Option<EvidenceView>,
    /// Answers to it; empty for kinds that need none.
    pub answers: Vec<AnswerRow>,
    /// Since when it has had no answer, when it needs one.
    pub open_since: Option<Time>,
    /// The vendor's own export that it rests on, rather than an agent's report.
    pub import: Option<ImportView>,
    agent_id: Option<Uuid>,
    dropped: i64,
}

/// An export that somebody uploaded.
#[derive(Debug, Clone)]
pub struct ImportView {
    pub program: String,
    pub at: Time,
    pub by: &'static str,
}

impl ImportView {
    fn of(row: &FindingRow) -> Option<Self> {
        let by = match row.import_role.as_deref()? {
            "publisher" => "HR",
            _ => "a representative",
        };
        Some(ImportView { program: row.import_program.clone()?, at: row.import_at?, by })
    }
}

/// What speaks for a finding.
#[derive(Debug, Clone)]
pub struct EvidenceView {
    pub refused_since: Option<Time>,
    /// From the beginning of the first report's window to the end of the last one's.
    pub window: (Time, Time),
    /// The agent that said so, and on which device.
    pub agent: String,
    pub device: String,
    pub counts: String,
}

impl EvidenceView {
    /// When agents should have stopped at the latest.
    pub fn grace_until(&self) -> Option<Time> {
        self.refused_since.map(|since| since.plus_seconds(GRACE_SECONDS))
    }
}

impl FindingView {
    pub(in crate::collection) fn of(row: FindingRow, answers: &[AnswerRow]) -> Option<Self> {
        let kind = FindingKind::parse(&row.kind)?;
        let category = row.category.as_deref().unwrap_or_default();
        let programs = [row.program.clone()];
        let about = |a: &&AnswerRow| a.is_about(&row.kind, category, &programs);
        let import = ImportView::of(&row);
        // Nobody else is told of it, so nobody can answer it.
        let is_told = kind.needs_answer() && import.is_none();
        let answers: Vec<AnswerRow> = answers.iter().filter(|a| is_told && about(a)).cloned().collect();
        let answered = answers.iter().map(|a| a.at).max();
        // What an answer couldn't know is open still.
        let open_since = match answered {
            _ if !is_told => None,
            None => Some(row.first_at),
            Some(at) if row.found_at > at => Some(row.found_at),
            Some(at) if row.last_at > at => Some(at),
            Some(_) => None,
        };
        Some(FindingView {
            id: row.id,
            kind,
            category: Category::parse(category),
            words: words(kind, &row),
            first_at: row.first_at,
            last_at: row.last_at,
            found_at: row.found_at,
            field: Field::parse(&row.field),
            day: row.day,
            evidence: evidence(kind, &row),
            answers,
            open_since,
            import,
            agent_id: row.agent_id,
            dropped: row.dropped.unwrap_or(0),
            program: row.program,
        })
    }
}

fn words(kind: FindingKind, row: &FindingRow) -> String {
    match (kind, &row.import_program) {
        (FindingKind::Misreport, Some(program)) => {
            format!("The vendor’s own export of {program} holds what agents on your computer did not report")
        }
        (_, Some(program)) => format!("{}, by the vendor’s own export of {program}", kind.words(&row.about)),
        (_, None) => kind.words_in(&row.about, &row.field),
    }
}

fn evidence(kind: FindingKind, row: &FindingRow) -> Option<EvidenceView> {
    let window = (row.window_start?, row.window_end?);
    let number = |n: Option<i64>| times::number(n.unwrap_or(0));
    let reports = match row.reports.unwrap_or(0) {
        1 => "in one report".to_owned(),
        n => format!("in {} reports", times::number(n.into())),
    };
    let counts = match kind {
        FindingKind::Misreport if row.import_program.is_some() => format!(
            "agents reported {} records, {} of them dropped, {reports}; the export holds {}",
            number(row.collected),
            number(row.dropped),
            number(row.other_collected),
        ),
        FindingKind::Misreport => format!(
            "{} counted {} records, {}; {} on the same computer counted {}",
            row.software.as_deref().unwrap_or("one agent"),
            number(row.collected),
            reports,
            row.other_software.as_deref().unwrap_or("another"),
            number(row.other_collected),
        ),
        _ => format!(
            "{} records collected, {} dropped, {} passed on, {reports}",
            number(row.collected),
            number(row.dropped),
            number(row.forwarded),
        ),
    };
    Some(EvidenceView {
        refused_since: row.refused_since,
        window,
        agent: row.software.clone().unwrap_or_default(),
        device: row.device.clone().unwrap_or_default(),
        counts,
    })
}

/// What was taken of a category by one program after a no, and dropped before it went anywhere.
#[derive(Debug, Clone)]
pub struct Stopped {
    pub program: String,
    pub records: i64,
    pub days: usize,
    pub last_at: Time,
    pub agreement: Agreement,
}

impl Stopped {
    /// Never "not collected": it was taken.
    pub fn words(&self) -> String {
        let records = match self.records {
            1 => "1 record was".to_owned(),
            n => format!("{} records were", times::number(n)),
        };
        format!("Stopped on the way: {records} taken and dropped, never passed on")
    }

    pub fn agreement_words(&self) -> &'static str {
        match self.agreement {
            Agreement::OwnWord => {
                "No other agent watched the same for the whole time, so this is the agent’s own word."
            }
            Agreement::Agrees => "An independent count, by another agent on the same computer, agrees.",
            Agreement::Differs => {
                "Another agent on the same computer counted differently, so this is not borne out."
            }
        }
    }
}

/// A person's findings, newest first, and what was stopped since `since`.
pub(super) struct All {
    /// By category's id; those about no category under the empty one.
    pub found: BTreeMap<String, Vec<FindingView>>,
    pub stopped: BTreeMap<String, Vec<Stopped>>,
}

pub(super) async fn load(db: &mut PgConnection, person_id: Uuid, since: Day) -> Result<All> {
    let rows = mine_store::list_findings(db, person_id, None).await?;
    let answers = store::list_answers_for(db, person_id).await?;
    let views: Vec<FindingView> = rows.into_iter().filter_map(|row| FindingView::of(row, &answers)).collect();
    let (honoured, others): (Vec<_>, Vec<_>) =
        views.into_iter().partition(|v| v.kind == FindingKind::HonouredAtGateway);
    let honoured: Vec<FindingView> =
        honoured.into_iter().filter(|v| v.day.is_some_and(|day| day >= since)).collect();
    let counts = if honoured.is_empty() { Vec::new() } else { list_counts_of(db, person_id, since).await? };
    let mut stopped: BTreeMap<String, Vec<Stopped>> = BTreeMap::new();
    for view in honoured {
        let (Some(category), Some(day), Some(agent)) = (view.category, view.day, view.agent_id) else {
            continue;
        };
        let agreement = compare::agreement(&counts, agent, day, category.id(), &view.program);
        add(stopped.entry(category.id().into()).or_default(), &view, agreement);
    }
    let mut found: BTreeMap<String, Vec<FindingView>> = BTreeMap::new();
    for view in others {
        found.entry(view.category.map_or("", Category::id).into()).or_default().push(view);
    }
    Ok(All { found, stopped })
}

/// Adds a day to its program's sum; one day that isn't borne out makes the sum so.
fn add(list: &mut Vec<Stopped>, view: &FindingView, agreement: Agreement) {
    match list.iter_mut().find(|s| s.program == view.program) {
        Some(sum) => {
            sum.records += view.dropped;
            sum.days += 1;
            sum.last_at = sum.last_at.max(view.last_at);
            sum.agreement = match (sum.agreement, agreement) {
                (Agreement::Differs, _) | (_, Agreement::Differs) => Agreement::Differs,
                (Agreement::Agrees, Agreement::Agrees) => Agreement::Agrees,
                _ => Agreement::OwnWord,
            };
        }
        None => list.push(Stopped {
            program: view.program.clone(),
            records: view.dropped,
            days: 1,
            last_at: view.last_at,
            agreement,
        }),
    }
}
