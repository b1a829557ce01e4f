//! What each field says about a person: `rules.csv`, read once.
//!
//! A row names a program (`*`: any), a place, keys of that place (attributes alone have some), and what a value there is:
//! a category and how much of it, or `technical` for what says nothing about a person. `value` is a pattern of the whole
//! value, and of each element of an array; without one anything fits, whatever is nested in it. The first row that fits
//! counts. What none fits is `unknown`: it is counted, and never goes on.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use crate::collection::report::Field;
use crate::register::{Category, Granularity};

/// The programs whose own names for things are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Program {
    #[serde(rename = "gemini-cli")]
    GeminiCli,
    #[serde(rename = "claude-code")]
    ClaudeCode,
    #[serde(rename = "*")]
    Any,
}

impl Program {
    /// By what it calls itself: its `service.name`, or its instrumentation scope's name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "gemini-cli" => Some(Program::GeminiCli),
            "claude-code" | "com.anthropic.claude_code" => Some(Program::ClaudeCode),
            _ => None,
        }
    }

    /// As declarations name it.
    pub fn source(self) -> &'static str {
        match self {
            Program::GeminiCli => "gemini-cli",
            Program::ClaudeCode => "claude-code",
            Program::Any => "opentelemetry",
        }
    }
}

/// Where in a record a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Place {
    Attribute,
    /// The name of an event among the logs, also when it stands in the attribute `event.name`.
    Log,
    Span,
    Metric,
    /// The name of an event in a span.
    Event,
    Scope,
    /// A scope's.
    Version,
    Schema,
    /// A log record's; `key` is the category of its name, or empty.
    Body,
    /// A span's message; `key` as with the body.
    Status,
    Description,
    Unit,
    Severity,
}

/// What a value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Says {
    /// Nothing about a person.
    Technical,
    Something(Class),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    pub category: Category,
    pub granularity: Granularity,
    pub field: Option<Field>,
}

#[derive(Deserialize)]
struct Row {
    program: Program,
    place: Place,
    key: String,
    category: String,
    granularity: String,
    value: String,
}

struct Rule {
    program: Program,
    says: Says,
    value: Option<Regex>,
}

static RULES: LazyLock<HashMap<Place, HashMap<String, Vec<Rule>>>> = LazyLock::new(|| {
    let mut rules: HashMap<Place, HashMap<String, Vec<Rule>>> = HashMap::new();
    for row in csv::Reader::from_reader(include_str!("rules.csv").as_bytes()).into_deserialize() {
        let row: Row = row.expect("rules.csv is well formed; a test reads it");
        // A place without keys has one empty one.
        for key in row.key.split(' ') {
            let rule = Rule { program: row.program, says: row.says(key), value: row.pattern() };
            rules.entry(row.place).or_default().entry(key.to_owned()).or_default().push(rule);
        }
    }
    rules
});

/// Patterns that many rows share.
const SHARED: [(&str, &str); 10] = [
    ("<number>", r"-?[0-9]{1,19}(\.[0-9]{1,20})?(e-?[0-9]{1,3})?"),
    ("<flag>", "true|false"),
    ("<ids>", "[0-9A-Za-z_#,-]{1,200}"),
    ("<id>", "[0-9A-Za-z_#-]{1,100}"),
    ("<names>", "[0-9A-Za-z._:/@+, -]{1,200}"),
    ("<name>", "[0-9A-Za-z._:/@+-]{1,80}"),
    ("<email>", r"[^\s@]{1,100}@[^\s@]{1,100}"),
    ("<time>", r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z"),
    ("<version>", r"v?[0-9]{1,6}(\.[0-9]{1,6}){0,3}"),
    ("<host>", "[0-9A-Za-z.:-]{1,100}"),
];

impl Row {
    fn says(&self, key: &str) -> Says {
        if self.category == "technical" {
            return Says::Technical;
        }
        let category = Category::parse(&self.category).expect("a category of the taxonomy");
        let granularity = Granularity::parse(&self.granularity).expect("a granularity");
        let name = match self.place {
            Place::Attribute => key,
            Place::Body => "body",
            Place::Status => "status",
            _ => "",
        };
        // A field that is named counts by itself. What comes many times with each record needs no name.
        let is_plain = matches!(self.category.as_str(), "ai.prompt_meta" | "app.usage" | "code.activity");
        let named = granularity == Granularity::Content || !is_plain;
        Says::Something(Class { category, granularity, field: Field::parse(name).filter(|_| named) })
    }

    fn pattern(&self) -> Option<Regex> {
        if self.value.is_empty() {
            return None;
        }
        let mut pattern = self.value.clone();
        for (name, meaning) in SHARED {
            pattern = pattern.replace(name, &format!("(?:{meaning})"));
        }
        Some(Regex::new(&format!(r"\A(?:{pattern})\z")).expect("a pattern; a test reads it"))
    }
}

/// What a value in this place says; `None` when nobody knows.
pub(super) fn find(program: Program, place: Place, key: &str, fits: impl Fn(&Regex) -> bool) -> Option<Says> {
    let rules = RULES.get(&place)?.get(key)?;
    let ours = |rule: &&Rule| rule.program == program || rule.program == Program::Any;
    rules.iter().filter(ours).find(|rule| rule.value.as_ref().is_none_or(&fits)).map(|rule| rule.says)
}

/// Whether a key is in the table for this program, whatever its value.
pub(super) fn knows(program: Program, key: &str) -> bool {
    find(program, Place::Attribute, key, |_| true).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(program: Program, place: Place, key: &str, value: &str) -> Option<&'static str> {
        find(program, place, key, |pattern| pattern.is_match(value)).map(|says| match says {
            Says::Technical => "technical",
            Says::Something(class) => class.category.id(),
        })
    }

    #[test]
    fn the_table_knows_what_each_program_calls_its_fields() {
        use Place::{Attribute, Body, Log, Metric, Span};
        let (gemini, claude, any) = (Program::GeminiCli, Program::ClaudeCode, Program::Any);
        for (program, place, key, value, category) in [
            (gemini, Attribute, "prompt_length", "42", Some("ai.prompt_meta")),
            (gemini, Attribute, "prompt_length", "forty-two", None),
            (gemini, Attribute, "prompt", "anything at all", Some("ai.prompt_content")),
            (any, Attribute, "prompt", "anything at all", None),
            (any, Attribute, "gen_ai.prompt", "anything", Some("ai.prompt_content")),
            (gemini, Attribute, "process.command_args", "/usr/bin/node", Some("app.usage")),
            (gemini, Attribute, "process.command_args", "my prompt", Some("ai.prompt_content")),
            (any, Attribute, "process.command_args", "my prompt", Some("app.usage")),
            (gemini, Body, "", "User prompt. Length: 30.", Some("ai.prompt_meta")),
            (gemini, Body, "", "my prompt", None),
            (gemini, Body, "ai.prompt_meta", "my prompt", Some("ai.prompt_content")),
            (gemini, Log, "", "gemini_cli.user_prompt", Some("ai.prompt_meta")),
            (gemini, Log, "", "gemini_cli.my_prompt", None),
            (claude, Log, "", "tool_result", Some("ai.prompt_meta")),
            (claude, Metric, "", "claude_code.lines_of_code.count", Some("code.activity")),
            (claude, Attribute, "user.email", "ana@example.com", Some("comms.metadata")),
            (any, Attribute, "user.email", "not an address", None),
            (any, Span, "", "chat gpt-4o", Some("ai.prompt_meta")),
            (any, Span, "", "GET /my/page", None),
            (any, Attribute, "service.name", "gemini-cli", Some("technical")),
            (any, Attribute, "service.name", "payroll", Some("app.usage")),
            (any, Attribute, "os.type", "linux", Some("technical")),
            (any, Attribute, "os.type", "linux\n", None),
        ] {
            assert_eq!(says(program, place, key, value), category, "{program:?} {place:?} {key} {value}");
        }
    }

    /// What needs nobody's permission must have no room for anything.
    #[test]
    fn a_technical_value_can_hold_no_word_of_somebodys() {
        for (place, keys) in RULES.iter() {
            for (key, rules) in keys {
                for rule in rules.iter().filter(|rule| rule.says == Says::Technical) {
                    let pattern = rule.value.as_ref().expect("a technical value has a pattern");
                    for word in ["zq7secretzq7", "secret", "Secret", "a", "secret.secret", "/secret"] {
                        assert!(!pattern.is_match(word), "{place:?} {key}: {word}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_row_has_an_address_where_it_is_documented() {
        for row in csv::Reader::from_reader(include_str!("rules.csv").as_bytes()).records() {
            let row = row.expect("a row");
            assert!(row[6].starts_with("https://"), "{row:?}");
        }
        assert!(RULES.len() == 13 && knows(Program::ClaudeCode, "prompt_length"));
    }
}
