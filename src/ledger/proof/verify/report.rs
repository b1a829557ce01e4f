//! What a verification found, in words and as JSON.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Holds,
    Violated,
    /// Nothing was there to check it with. Not the same as holding.
    NotChecked,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub outcome: Outcome,
    pub words: String,
    /// The leaf it is about, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf: Option<u64>,
}

/// Sentences, and what they are worth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// Whether the log's key is one that the reader's own policy names.
    pub is_vouched: bool,
    pub sentences: Vec<String>,
}

impl Statement {
    fn is_empty(&self) -> bool {
        self.sentences.is_empty()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub origin: String,
    pub size: u64,
    pub findings: Vec<Finding>,
    /// What it amounts to, in sentences; of receipts only.
    #[serde(skip_serializing_if = "Statement::is_empty")]
    pub statement: Statement,
    /// What nobody can see from this.
    pub not_proven: Vec<&'static str>,
}

/// Findings of one kind at most; a file full of faults is told about once.
const MAX_OF_A_KIND: usize = 20;

impl Report {
    pub fn holds(&mut self, check: &'static str, words: impl Into<String>) {
        self.add(check, Outcome::Holds, words, None);
    }

    pub fn not_checked(&mut self, check: &'static str, words: impl Into<String>) {
        self.add(check, Outcome::NotChecked, words, None);
    }

    /// As [`Report::not_checked`], about a leaf.
    pub fn not_checked_at(&mut self, check: &'static str, leaf: u64, words: impl Into<String>) {
        self.add(check, Outcome::NotChecked, words, Some(leaf));
    }

    pub fn violated(&mut self, check: &'static str, leaf: Option<u64>, words: impl Into<String>) {
        if self.count(check) < MAX_OF_A_KIND {
            self.add(check, Outcome::Violated, words, leaf);
        }
    }

    fn add(&mut self, check: &'static str, outcome: Outcome, words: impl Into<String>, leaf: Option<u64>) {
        self.findings.push(Finding { check, outcome, words: words.into(), leaf });
    }

    /// Says that a check holds unless anything was said of it already.
    pub fn unless_said(&mut self, check: &'static str, words: impl Into<String>) {
        if self.findings.iter().all(|f| f.check != check) {
            self.holds(check, words);
        }
    }

    fn count(&self, check: &str) -> usize {
        self.findings.iter().filter(|f| f.check == check && f.outcome == Outcome::Violated).count()
    }

    /// Says that a check holds unless something spoke against it.
    pub fn unless_violated(&mut self, check: &'static str, words: impl Into<String>) {
        if self.count(check) == 0 {
            self.holds(check, words);
        }
    }

    pub fn is_violated(&self) -> bool {
        self.findings.iter().any(|f| f.outcome == Outcome::Violated)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.origin.is_empty() {
            writeln!(f, "Log {}, {} entries\n", self.origin, self.size)?;
        }
        for finding in &self.findings {
            let outcome = match finding.outcome {
                Outcome::Holds => "holds",
                Outcome::Violated => "VIOLATED",
                Outcome::NotChecked => "not checked",
            };
            write!(f, "{outcome:<12} {}: ", finding.check)?;
            match finding.leaf {
                Some(leaf) => writeln!(f, "leaf {leaf}: {}", finding.words)?,
                None => writeln!(f, "{}", finding.words)?,
            }
        }
        let verdict = if self.is_violated() { "VIOLATED: see above." } else { "Everything checked holds." };
        writeln!(f, "\n{verdict}")?;
        if !self.statement.is_empty() {
            let heading = match self.statement.is_vouched {
                true => "This proves:",
                false => "This is what the file says, and nobody whose key you gave vouches for it:",
            };
            writeln!(f, "\n{heading}")?;
            self.statement.sentences.iter().try_for_each(|words| writeln!(f, "- {words}"))?;
        }
        if !self.not_proven.is_empty() {
            writeln!(f, "\nThis doesn't prove:")?;
            self.not_proven.iter().try_for_each(|words| writeln!(f, "- {words}"))?;
        }
        Ok(())
    }
}
