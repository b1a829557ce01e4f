//! One person's choices, put together from the database: what is asked, what was decided, what holds.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{self, Held, Question, Terms, Why, decide};
use super::rules::{Audience, Rule};
use super::store::decisions::{self, Decision, standing};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::identity;
use crate::notices::{self, Coverage};
use crate::register::{self, ChoiceMode};

/// One processing, and where somebody stands with it.
pub struct Case {
    pub rule: Rule,
    /// Whether it is in force for them now. Where it isn't, a yes can still be taken back.
    pub is_in_force: bool,
    pub mode: ChoiceMode,
    /// The notice that tells of it; `None` where none in force does.
    pub covering: Option<Coverage>,
    pub told: Vec<Terms>,
    /// Oldest first.
    pub decisions: Vec<Decision>,
    pub held: Option<Held>,
    pub why: Why,
}

impl Case {
    pub fn new(rule: Rule, audience: &Audience, decisions: Vec<Decision>, now: Time) -> Self {
        let told = rule.told(audience, now);
        let covering = rule.covering(audience, now).first().map(|c| (*c).clone());
        let held = standing(&decisions);
        let why = decide(rule.question(audience, &told), held, now);
        Case { mode: rule.mode(audience), is_in_force: true, covering, told, decisions, held, why, rule }
    }

    /// What isn't in force for them any more, and was decided on.
    fn former(rule: Rule, audience: &Audience, decisions: Vec<Decision>, now: Time) -> Self {
        let case = Case::new(rule, audience, decisions, now);
        Case { is_in_force: false, why: Why::NotDeclared, covering: None, told: Vec::new(), ..case }
    }

    /// Whether there is a yes that would count again if it came back as it was.
    pub fn has_standing_yes(&self) -> bool {
        self.held.is_some_and(|h| h.answer == model::Answer::Yes)
    }

    pub fn question(&self) -> Question<'_> {
        Question { mode: self.mode, may_object: model::may_object(self.rule.content()), told: &self.told }
    }

    pub fn processing(&self) -> Uuid {
        self.rule.processing()
    }

    pub fn newest(&self) -> Option<&Decision> {
        self.decisions.last()
    }

    /// Whether an answer is wanted now, and wasn't put off.
    pub fn is_open(&self, now: Time) -> bool {
        model::is_asked(self.question(), self.held, now) && self.put_off_until(now).is_none()
    }

    /// Until when "remind me later" keeps this quiet.
    pub fn put_off_until(&self, now: Time) -> Option<Time> {
        let later = self.decisions.last().filter(|d| d.state == model::State::Deferred);
        later.and_then(|d| d.until).filter(|until| now < *until)
    }

    /// The version of a notice that a choice is made on, and its terms: the one that tells of it now, or else
    /// that of the last decision.
    pub fn asked_by(&self) -> Option<(Uuid, Terms)> {
        match (&self.covering, self.told.first()) {
            (Some(covering), Some(terms)) => Some((covering.version, *terms)),
            _ => self.newest().map(|d| (d.version_id, d.terms)),
        }
    }

    /// The decision that counts.
    pub fn counting(&self) -> Option<&Decision> {
        self.decisions.iter().rev().find(|d| d.held().is_some())
    }

    /// Whether the answer to the newest objection was contested already.
    pub fn was_contested(&self) -> bool {
        let since = self.decisions.iter().rev().take_while(|d| d.state != model::State::Objected);
        since.into_iter().any(|d| d.state == model::State::Contested)
    }
}

/// Everything that one person can choose, and what they ever chose.
pub struct Cases {
    pub audience: Audience,
    /// In force for them now.
    pub cases: Vec<Case>,
    /// What isn't in force for them any more, and was decided on; the newest decision first.
    pub former: Vec<Case>,
}

pub async fn load(db: &mut PgConnection, person: Uuid, now: Time) -> Result<Cases> {
    let audience = audience_of(db, person).await?;
    let mut made: HashMap<Uuid, Vec<Decision>> = HashMap::new();
    for decision in decisions::list(db, &[person], None).await? {
        made.entry(decision.processing_id).or_default().push(decision);
    }
    let coverage = live_coverage(db).await?;
    let mut cases = Vec::new();
    for declaration in register::declarations_in_force(db, now).await? {
        let rule = Rule::new(declaration, &coverage);
        if rule.applies_to(&audience) {
            let decisions = made.remove(&rule.processing()).unwrap_or_default();
            cases.push(Case::new(rule, &audience, decisions, now));
        }
    }
    let mut former = Vec::new();
    for (processing, decisions) in made {
        if let Some(rule) = former_rule(db, processing).await? {
            former.push(Case::former(rule, &audience, decisions, now));
        }
    }
    former.sort_by_key(|case| std::cmp::Reverse(case.newest().map(|d| d.at)));
    Ok(Cases { audience, cases, former })
}

/// One of them; not found where it isn't in force for this person and they never decided on it.
pub async fn find(
    db: &mut PgConnection,
    person: Uuid,
    processing: Uuid,
    now: Time,
) -> Result<(Audience, Case)> {
    let audience = audience_of(db, person).await?;
    let decisions = decisions::list(db, &[person], Some(processing)).await?;
    let in_force = register::declarations_in_force(db, now).await?;
    if let Some(declaration) = in_force.into_iter().find(|d| d.processing_id == processing) {
        let rule = Rule::new(declaration, &live_coverage(db).await?);
        if rule.applies_to(&audience) {
            let case = Case::new(rule, &audience, decisions, now);
            return Ok((audience, case));
        }
    }
    if decisions.is_empty() {
        return Err(Error::NotFound);
    }
    let rule = former_rule(db, processing).await?.ok_or(Error::NotFound)?;
    let case = Case::former(rule, &audience, decisions, now);
    Ok((audience, case))
}

/// What notices tell, without those that were taken back: that counts from the commit on.
async fn live_coverage(db: &mut PgConnection) -> Result<Vec<Coverage>> {
    let (mut coverage, _) = notices::list_coverage(db).await?;
    coverage.retain(|c| !c.is_retracted);
    Ok(coverage)
}

/// A processing as it was declared last.
async fn former_rule(db: &mut PgConnection, processing: Uuid) -> Result<Option<Rule>> {
    let declarations = register::list_declarations(db).await?;
    let last = declarations.into_iter().filter(|d| d.processing_id == processing).max_by_key(|d| d.revision);
    Ok(last.map(|declaration| Rule::new(declaration, &[])))
}

async fn audience_of(db: &mut PgConnection, person: Uuid) -> Result<Audience> {
    let person = identity::find_person(db, person).await?.ok_or(Error::NotFound)?;
    Ok(Audience { department: person.department_id, jurisdiction: person.jurisdiction })
}
