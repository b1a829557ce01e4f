//! When somebody's own choice denied a processing: what reports are held against, whenever they arrive.

use std::collections::HashMap;

use anyhow::Context;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{Held, State, Terms, decide};
use super::rules::{Audience, Rule};
use super::store::people;
use crate::clock::Time;
use crate::collection::model::Refusal;
use crate::error::Result;
use crate::notices;
use crate::register;

/// Every period in which the own choice of one of these people, or want of one, denied a processing.
pub async fn refusals(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Refusal>> {
    let audiences = people::list_audiences(db, ids).await?;
    let mut made: HashMap<(Uuid, Uuid), Vec<(Time, Held)>> = HashMap::new();
    for row in people::list_steps(db, ids).await? {
        let state = State::parse(&row.state).context("an unknown state of a decision")?;
        let answer = state.answer().context("a decision that says nothing")?;
        let content = row.content_sha256.try_into().ok().context("a hash of another length")?;
        let terms = Terms { notice: row.notice_id, major: row.major, content };
        let held = Held { answer, terms, until: row.until };
        made.entry((row.person_id, row.processing_id)).or_default().push((row.at, held));
    }
    let (coverage, _) = notices::list_coverage(db).await?;
    let mut found = Vec::new();
    for declaration in register::list_declarations(db).await? {
        let rule = Rule::new(declaration, &coverage);
        for (person, audience) in &audiences {
            if rule.applies_to(audience) {
                let decisions =
                    made.get(&(*person, rule.processing())).map(Vec::as_slice).unwrap_or_default();
                periods(&rule, audience, decisions, *person, &mut found);
            }
        }
    }
    Ok(found)
}

/// Cuts the time in which a declaration was in force wherever something changes, and keeps what was denied.
fn periods(rule: &Rule, audience: &Audience, steps: &[(Time, Held)], person: Uuid, found: &mut Vec<Refusal>) {
    let (from, to) = (rule.declaration.from, rule.declaration.to);
    let mut cuts: Vec<Time> = vec![from];
    cuts.extend(steps.iter().flat_map(|(at, held)| [Some(*at), held.until]).flatten());
    cuts.extend(rule.changes());
    cuts.retain(|at| *at >= from && to.is_none_or(|to| *at < to));
    cuts.sort();
    cuts.dedup();
    let mut open: Option<Time> = None;
    for at in cuts {
        let held = steps.iter().rev().find(|(since, _)| *since <= at).map(|(_, held)| *held);
        let told = rule.told(audience, at);
        let is_denied = decide(rule.question(audience, &told), held, at).is_personal();
        match (open, is_denied) {
            (None, true) => open = Some(at),
            (Some(since), false) => {
                found.push(refusal(rule, person, since, Some(at)));
                open = None;
            }
            _ => {}
        }
    }
    if let Some(since) = open {
        found.push(refusal(rule, person, since, to));
    }
}

fn refusal(rule: &Rule, person_id: Uuid, from: Time, to: Option<Time>) -> Refusal {
    Refusal { person_id, processing_id: rule.processing(), from, to }
}
