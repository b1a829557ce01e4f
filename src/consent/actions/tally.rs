//! Counts choices for others: as the day began, and anew only when at least five people's answers differ from what
//! was counted last.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use uuid::Uuid;

use super::objections::midnight;
use crate::app::AppState;
use crate::clock::Time;
use crate::consent::model::{Held, State, Terms, decide};
use crate::consent::rules::{Audience, Rule};
use crate::consent::store::people::HeldRow;
use crate::consent::store::tallies::{self as store, MemberRow};
use crate::consent::tally::{Side, Tally, is_due};
use crate::error::Result;
use crate::notices;
use crate::register::{self, ChoiceMode};

/// Whether others see counts of it: people choose, one way or the other.
pub fn is_counted(rule: &Rule) -> bool {
    !matches!(rule.content().choice_mode, None | Some(ChoiceMode::Mandatory))
}

/// Counts what is to be counted today; doing so again changes nothing.
pub async fn count_choices(state: &AppState) -> Result<()> {
    let until = midnight(state);
    let mut tx = state.db.begin().await?;
    let (coverage, _) = notices::list_coverage(&mut tx).await?;
    let counted: HashMap<Uuid, Time> =
        store::list(&mut tx).await?.into_iter().map(|row| (row.processing_id, row.until)).collect();
    for declaration in register::declarations_in_force(&mut tx, until).await? {
        let rule = Rule::new(declaration, &coverage);
        let last = counted.get(&rule.processing()).copied();
        if !is_counted(&rule) || last.is_some_and(|last| last >= until) {
            continue;
        }
        let members = store::list_members(&mut tx, last.unwrap_or(until), until).await?;
        let held = store::list_held(&mut tx, rule.processing(), until).await?;
        let now = sides(&rule, &members, held, until)?;
        if now.is_empty() {
            continue;
        }
        let differing = match last {
            None => usize::MAX,
            Some(last) => {
                let held = store::list_held(&mut tx, rule.processing(), last).await?;
                differing(&sides(&rule, &members, held, last)?, &now)
            }
        };
        if is_due(differing) || last.is_none() {
            store::upsert(&mut tx, rule.processing(), until, Tally::of(now.into_values())).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Where everybody stood who was asked at that moment.
fn sides(rule: &Rule, members: &[MemberRow], held: Vec<HeldRow>, at: Time) -> Result<BTreeMap<Uuid, Side>> {
    let mut made = HashMap::with_capacity(held.len());
    for row in held {
        made.insert(row.person_id, read(row)?);
    }
    let was_there = |m: &&MemberRow| m.created_at < at && m.deactivated_at.is_none_or(|gone| gone >= at);
    Ok(members
        .iter()
        .filter(was_there)
        .filter_map(|member| {
            let audience =
                Audience { department: member.department_id, jurisdiction: member.jurisdiction.clone() };
            if !rule.applies_to(&audience) {
                return None;
            }
            let told = rule.told(&audience, at);
            let why = decide(rule.question(&audience, &told), made.get(&member.id).copied(), at);
            Some((member.id, Side::of(why)?))
        })
        .collect())
}

fn read(row: HeldRow) -> Result<Held> {
    let answer = State::parse(&row.state).and_then(State::answer).context("a decision that says nothing")?;
    let content = row.content_sha256.try_into().ok().context("a hash of another length")?;
    let terms = Terms { notice: row.notice_id, major: row.major, content };
    Ok(Held { answer, terms, until: row.until })
}

/// How many answers differ. Who came or left without an answer changed none.
fn differing(before: &BTreeMap<Uuid, Side>, now: &BTreeMap<Uuid, Side>) -> usize {
    let side = |sides: &BTreeMap<Uuid, Side>, id| sides.get(id).copied().unwrap_or(Side::Nothing);
    let gone = before.keys().filter(|id| !now.contains_key(id));
    now.keys().chain(gone).filter(|id| side(before, *id) != side(now, *id)).count()
}
