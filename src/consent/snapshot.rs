//! What is allowed, in memory: rules that hold for all, and what each person decided.
//!
//! Small on purpose. A decision takes 8 bytes, a person some 50 besides; what many share (processings, terms,
//! audiences) is kept once and named by number.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use anyhow::Context;
use futures_util::TryStreamExt;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{Answer, Held, Question, State, Terms, Why, decide, is_asked};
use super::rules::{Audience, Rule, Rules};
use super::store::people as store;
use crate::clock::Time;
use crate::error::Result;

/// Things named by a number of 16 bits.
#[derive(Debug)]
struct Names<T> {
    numbers: HashMap<T, u16>,
    things: Vec<T>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Names { numbers: HashMap::new(), things: Vec::new() }
    }
}

impl<T: Eq + Hash + Clone> Names<T> {
    fn number(&mut self, thing: T) -> Result<u16> {
        if let Some(number) = self.numbers.get(&thing) {
            return Ok(*number);
        }
        // What doesn't fit must not be forgotten: a forgotten "no" would read as none.
        let number = u16::try_from(self.things.len()).context("more than 65,536 kinds of the same thing")?;
        self.things.push(thing.clone());
        self.numbers.insert(thing, number);
        Ok(number)
    }
}

/// One person's decision about one processing.
#[derive(Debug, Clone, Copy)]
struct Cell {
    processing: u16,
    terms: u16,
    /// The answer in the upper 3 bits; below, until when, in minutes since 1970. All ones for no end.
    answer_until: u32,
}

const NO_END: u32 = (1 << 29) - 1;

impl Cell {
    fn held(self, terms: &[Terms]) -> Option<Held> {
        let answer = *Answer::ALL.get((self.answer_until >> 29) as usize)?;
        let until = self.answer_until & NO_END;
        let end = || {
            Time::from(jiff::Timestamp::from_second(i64::from(until) * 60).unwrap_or(jiff::Timestamp::MIN))
        };
        Some(Held { answer, terms: *terms.get(usize::from(self.terms))?, until: (until != NO_END).then(end) })
    }
}

#[derive(Debug)]
struct Person {
    audience: u16,
    cells: Box<[Cell]>,
}

/// Everybody's decisions, by person.
#[derive(Debug, Default)]
pub struct People {
    people: BTreeMap<Uuid, Person>,
    processings: Names<Uuid>,
    terms: Names<Terms>,
    audiences: Names<Audience>,
}

impl People {
    pub async fn load(db: &mut PgConnection) -> Result<Self> {
        let mut all = People::default();
        let loaded = all.read(db, None).await?;
        // From a sorted list, a tree's nodes are full.
        all.people = loaded.into_iter().collect();
        Ok(all)
    }

    /// Reads these people alone.
    pub async fn load_some(db: &mut PgConnection, ids: &[Uuid]) -> Result<Self> {
        let mut some = People::default();
        some.people = some.read(db, Some(ids)).await?.into_iter().collect();
        Ok(some)
    }

    /// Takes over what `fresh` knows of these people; whoever isn't in it is gone.
    pub fn take_over(&mut self, mut fresh: People, ids: &[Uuid]) -> Result<()> {
        for id in ids {
            let Some(person) = fresh.people.remove(id) else {
                self.people.remove(id);
                continue;
            };
            let audience = fresh.audiences.things[usize::from(person.audience)].clone();
            let mut cells = Vec::with_capacity(person.cells.len());
            for cell in &person.cells {
                let processing = fresh.processings.things[usize::from(cell.processing)];
                let terms = fresh.terms.things[usize::from(cell.terms)];
                cells.push(Cell {
                    processing: self.processings.number(processing)?,
                    terms: self.terms.number(terms)?,
                    ..*cell
                });
            }
            let audience = self.audiences.number(audience)?;
            self.people.insert(*id, Person { audience, cells: cells.into_boxed_slice() });
        }
        Ok(())
    }

    async fn read(&mut self, db: &mut PgConnection, only: Option<&[Uuid]>) -> Result<Vec<(Uuid, Person)>> {
        let mut people = Vec::new();
        let mut rows = store::stream_people(&mut *db, only);
        while let Some(row) = rows.try_next().await? {
            let audience = Audience { department: row.department_id, jurisdiction: row.jurisdiction };
            let person = Person { audience: self.audiences.number(audience)?, cells: Box::default() };
            people.push((row.id, person));
        }
        drop(rows);
        let mut rows = store::stream_held(db, only);
        let (mut at, mut cells) = (0, Vec::new());
        while let Some(row) = rows.try_next().await? {
            while people.get(at).is_some_and(|(id, _)| *id < row.person_id) {
                people[at].1.cells = std::mem::take(&mut cells).into_boxed_slice();
                at += 1;
            }
            // Somebody who isn't active: nothing is collected about them.
            if people.get(at).is_none_or(|(id, _)| *id != row.person_id) {
                continue;
            }
            cells.push(self.cell(row)?);
        }
        if let Some((_, person)) = people.get_mut(at) {
            person.cells = cells.into_boxed_slice();
        }
        Ok(people)
    }

    fn cell(&mut self, row: store::HeldRow) -> Result<Cell> {
        let state = State::parse(&row.state).context("an unknown state of a decision")?;
        let answer = state.answer().context("a decision that says nothing")?;
        let content = row.content_sha256.try_into().ok().context("a hash of another length")?;
        let terms = Terms { notice: row.notice_id, major: row.major, content };
        // Rounded down: what ends within the minute has ended.
        let minutes = row.until.map(|until| u32::try_from(until.jiff().as_second() / 60).unwrap_or(0));
        let until = minutes.map_or(NO_END, |m| m.min(NO_END - 1));
        Ok(Cell {
            processing: self.processings.number(row.processing_id)?,
            terms: self.terms.number(terms)?,
            answer_until: (answer as u32) << 29 | until,
        })
    }

    pub fn len(&self) -> usize {
        self.people.len()
    }

    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// What this rule allows about this person; `NotDeclared` where it doesn't apply or nobody is known.
    pub fn ask(&self, rule: &Rule, person: Uuid, now: Time) -> Why {
        self.look(rule, person, now, decide).unwrap_or(Why::NotDeclared)
    }

    /// Processings about which this person's answer is wanted, whether or not it was put off.
    pub fn asked(&self, rules: &Rules, person: Uuid, now: Time) -> Vec<Uuid> {
        let asked = |rule: &&Rule| self.look(rule, person, now, is_asked).unwrap_or(false);
        rules.rules.iter().filter(asked).map(Rule::processing).collect()
    }

    /// What is asked of this person, and where they stand; `None` where the rule doesn't apply to them.
    fn look<T>(
        &self,
        rule: &Rule,
        person: Uuid,
        now: Time,
        judge: impl FnOnce(Question<'_>, Option<Held>, Time) -> T,
    ) -> Option<T> {
        let person = self.people.get(&person)?;
        let audience = self.audiences.things.get(usize::from(person.audience))?;
        if !rule.applies_to(audience) {
            return None;
        }
        let told = rule.told(audience, now);
        let held = self.processings.numbers.get(&rule.processing()).and_then(|number| {
            let cell = person.cells.iter().find(|cell| cell.processing == *number)?;
            cell.held(&self.terms.things)
        });
        Some(judge(rule.question(audience, &told), held, now))
    }

    pub fn audience(&self, person: Uuid) -> Option<&Audience> {
        let number = self.people.get(&person)?.audience;
        self.audiences.things.get(usize::from(number))
    }
}

/// What an instance knows.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub rules: Arc<Rules>,
    pub people: People,
}
