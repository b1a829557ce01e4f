//! What is in force now, put together: declarations, what notices told of them, and which systems may ask.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{self, Question, Terms};
use super::pseudonym::Pseudonyms;
use super::store::systems;
use crate::clock::Time;
use crate::error::Result;
use crate::notices::{self, Coverage};
use crate::register::{self, Category, ChoiceMode, Declaration, ProcessingContent, Purpose, source_key};

/// Somebody, as far as declarations and notices ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Audience {
    pub department: Option<Uuid>,
    pub jurisdiction: String,
}

/// One processing that is in force.
#[derive(Debug)]
pub struct Rule {
    pub declaration: Declaration,
    pub program: String,
    content_sha256: Option<[u8; 32]>,
    /// Of its content as it is now.
    coverage: Vec<Coverage>,
}

impl Rule {
    pub fn new(declaration: Declaration, coverage: &[Coverage]) -> Self {
        let content_sha256 =
            declaration.content.sha256().ok().and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        let tells = |c: &&Coverage| {
            c.processing == declaration.processing_id && Some(c.content_sha256) == content_sha256
        };
        let coverage = coverage.iter().filter(tells).cloned().collect();
        Rule { program: declaration.content.source.key(), content_sha256, coverage, declaration }
    }

    pub fn content(&self) -> &ProcessingContent {
        &self.declaration.content
    }

    pub fn processing(&self) -> Uuid {
        self.declaration.processing_id
    }

    /// Notices that tell people like this one of it at that moment, the newest first.
    pub fn covering(&self, audience: &Audience, at: Time) -> Vec<&Coverage> {
        let mut list: Vec<&Coverage> = self
            .coverage
            .iter()
            .filter(|c| c.in_force_at(at) && c.applies_to(audience.department, &audience.jurisdiction))
            .collect();
        list.sort_by_key(|c| std::cmp::Reverse(c.from));
        list
    }

    /// What people like this one have been told of it.
    pub fn told(&self, audience: &Audience, at: Time) -> Vec<Terms> {
        let Some(content) = self.content_sha256 else { return Vec::new() };
        let terms = |c: &Coverage| Terms { notice: c.notice, major: c.number.major, content };
        self.covering(audience, at).into_iter().map(terms).collect()
    }

    /// When what people are told of it begins or ends.
    pub fn changes(&self) -> impl Iterator<Item = Time> + '_ {
        self.coverage.iter().flat_map(|c| [Some(c.from), c.to]).flatten()
    }

    pub fn applies_to(&self, audience: &Audience) -> bool {
        self.declaration.applies_to(audience.department, &audience.jurisdiction)
    }

    /// The mode that counts for people like this one.
    pub fn mode(&self, audience: &Audience) -> ChoiceMode {
        model::mode(self.content(), &audience.jurisdiction)
    }

    pub fn question<'a>(&self, audience: &Audience, told: &'a [Terms]) -> Question<'a> {
        Question { mode: self.mode(audience), may_object: model::may_object(self.content()), told }
    }
}

/// Another system that may ask.
#[derive(Debug)]
pub struct System {
    pub id: Uuid,
    pub processings: Vec<Uuid>,
    pub pseudonyms: Pseudonyms,
}

/// Everything that holds for all people. Small: a handful of processings, and a row for each notice and system.
#[derive(Debug, Default)]
pub struct Rules {
    pub rules: Vec<Rule>,
    by_use: HashMap<(Category, Purpose), Vec<usize>>,
    /// By SHA-256 of their token.
    systems: HashMap<Vec<u8>, System>,
    /// A publication waits for its place in the log: look again soon.
    pub is_waiting: bool,
}

impl Rules {
    pub async fn load(db: &mut PgConnection, secret: &[u8; 32]) -> Result<Self> {
        let declarations = register::list_declarations(db).await?;
        let (mut coverage, is_waiting) = notices::list_coverage(db).await?;
        // This server's clock may be behind the one by which it was taken back.
        coverage.retain(|c| !c.is_retracted);
        let in_force = declarations.into_iter().filter(|d| d.to.is_none());
        let rules: Vec<Rule> = in_force.map(|d| Rule::new(d, &coverage)).collect();
        let mut by_use: HashMap<_, Vec<usize>> = HashMap::new();
        for (i, rule) in rules.iter().enumerate() {
            by_use.entry((rule.content().category, rule.content().purpose)).or_default().push(i);
        }
        let systems = systems::list_active(db).await?.into_iter().map(|row| {
            let pseudonyms = Pseudonyms::new(secret, row.id);
            (row.token_hash, System { id: row.id, processings: row.processings, pseudonyms })
        });
        Ok(Rules { rules, by_use, systems: systems.collect(), is_waiting })
    }

    pub fn system(&self, token_hash: &[u8]) -> Option<&System> {
        self.systems.get(token_hash)
    }

    /// Processings of a category for a purpose, by one program or by any.
    pub fn of<'a>(
        &'a self,
        category: Category,
        purpose: Purpose,
        program: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Rule> {
        let places = self.by_use.get(&(category, purpose)).map(Vec::as_slice).unwrap_or_default();
        let program = program.map(source_key);
        places
            .iter()
            .map(|i| &self.rules[*i])
            .filter(move |r| program.as_ref().is_none_or(|p| *p == r.program))
    }
}
