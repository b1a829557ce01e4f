//! What each field says about a person: `rules.csv`, read once.
//!
//! A row names a program (`*`: any), a place, keys of that place (attributes alone have some), and what a value there is:
//! a category and how much of it, or `technical` for what says nothing about a person. `value` is a pattern of the whole
//! value; after `each: ` a list of such values fits too. Without one anything fits, whatever is nested in it. The first
//! row that fits counts. What none fits is `unknown`: it is counted, and never goes on.
//!
//! **A name is no sentence**: patterns have no room for blanks, `@` or `/` unless what they are for has some, for letters
//! outside ASCII never.

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
            "claude-code" | "claude-code-desktop" => Some(Program::ClaudeCode),
            _ => {
                let scope = name.strip_prefix("com.anthropic.claude_code")?;
                (scope.is_empty() || scope.starts_with('.')).then_some(Program::ClaudeCode)
            }
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
    /// In a record whose name is of an AI's: there a general word says something of that.
    #[serde(rename = "ai-attribute")]
    AiAttribute,
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
    value: Option<Pattern>,
}

/// What a value must look like.
pub(super) struct Pattern {
    regex: Regex,
    /// Whether a list of such values will do as well.
    pub takes_lists: bool,
}

impl Pattern {
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

type Rules = HashMap<Place, HashMap<String, Vec<Rule>>>;

/// Reads the table; a gateway that can't shouldn't start.
pub(in crate::gateways) fn check() -> anyhow::Result<()> {
    let read = std::panic::catch_unwind(|| LazyLock::force(&RULES).len());
    anyhow::ensure!(read.is_ok(), "otlp: the rule table can't be read; this program was built wrongly");
    Ok(())
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
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
const SHARED: [(&str, &str); 13] = [
    ("<number>", r"-?[0-9]{1,19}(\.[0-9]{1,20})?(e-?[0-9]{1,3})?"),
    ("<flag>", "true|false"),
    ("<id>", "[0-9A-Za-z_#-]{1,64}"),
    ("<names>", "[0-9A-Za-z._:+,-]{1,64}"),
    ("<name>", "[0-9A-Za-z._:+-]{1,64}"),
    // Some with their maker's name before or a day behind.
    (
        "<model>",
        "((openai|anthropic|google|models|meta-llama|mistralai|qwen|Qwen|deepseek|deepseek-ai|cohere|microsoft|nvidia|amazon|x-ai|z-ai|moonshotai|ibm-granite)/)?[0-9A-Za-z._:-]{1,48}|claude-[0-9a-z.-]{1,40}@20[0-9]{6}",
    ),
    // Why a model ended.
    (
        "<ends>",
        "stop|STOP|length|MAX_TOKENS|max_tokens|content_filter|tool_calls?|function_call|end_turn|stop_sequence|tool_use|pause_turn|refusal|error|SAFETY|RECITATION|LANGUAGE|OTHER|BLOCKLIST|PROHIBITED_CONTENT|SPII|MALFORMED_FUNCTION_CALL|UNEXPECTED_TOOL_CALL|FINISH_REASON_UNSPECIFIED|model_context_window_exceeded",
    ),
    ("<email>", r"[0-9A-Za-z._%+-]{1,64}@[0-9A-Za-z.-]{1,64}"),
    ("<time>", r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z"),
    ("<version>", r"v?[0-9]{1,4}(\.[0-9]{1,4}){0,3}"),
    ("<host>", "[0-9A-Za-z.:-]{1,64}"),
    // Gemini CLI's names of who chose the model.
    (
        "<router>",
        r"(agent-router/)?(override|approval-mode|default|fallback|(Gemma)?Classifier|NumericalClassifier \((Remote|Default)\))|router-exception|unknown",
    ),
    ("<folders>", r"([0-9A-Za-z._@+~-]{1,32}[/\\]){0,12}"),
];

impl Row {
    fn says(&self, key: &str) -> Says {
        if self.category == "technical" {
            return Says::Technical;
        }
        let category = Category::parse(&self.category).expect("a category of the taxonomy");
        let granularity = Granularity::parse(&self.granularity).expect("a granularity");
        let name = match self.place {
            Place::Attribute | Place::AiAttribute => key,
            Place::Body => "body",
            Place::Status => "status",
            _ => "",
        };
        // A field that is named counts by itself. What comes many times with each record needs no name.
        let is_plain = matches!(self.category.as_str(), "ai.prompt_meta" | "app.usage" | "code.activity");
        let named = granularity == Granularity::Content || !is_plain;
        Says::Something(Class { category, granularity, field: Field::parse(name).filter(|_| named) })
    }

    fn pattern(&self) -> Option<Pattern> {
        if self.value.is_empty() {
            return None;
        }
        let each = self.value.strip_prefix("each: ");
        let mut pattern = each.unwrap_or(&self.value).to_owned();
        for (name, meaning) in SHARED {
            pattern = pattern.replace(name, &format!("(?:{meaning})"));
        }
        let regex = Regex::new(&format!(r"\A(?:{pattern})\z")).expect("a pattern; a test reads it");
        Some(Pattern { regex, takes_lists: each.is_some() })
    }
}

/// What a value in this place says; `None` when nobody knows.
pub(super) fn find(
    program: Program,
    place: Place,
    key: &str,
    fits: impl Fn(&Pattern) -> bool,
) -> Option<Says> {
    let rules = RULES.get(&place)?.get(key)?;
    let ours = |rule: &&Rule| rule.program == program || rule.program == Program::Any;
    rules.iter().filter(ours).find(|rule| rule.value.as_ref().is_none_or(&fits)).map(|rule| rule.says)
}

/// Whether a key is in the table for this program, whatever its value.
pub(super) fn knows(program: Program, key: &str) -> bool {
    [Place::Attribute, Place::AiAttribute].iter().any(|place| find(program, *place, key, |_| true).is_some())
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
        use Place::{AiAttribute, Attribute, Body, Log, Metric, Span};
        let (gemini, claude, any) = (Program::GeminiCli, Program::ClaudeCode, Program::Any);
        for (program, place, key, value, category) in [
            (gemini, Attribute, "prompt_length", "42", Some("ai.prompt_meta")),
            (gemini, Attribute, "prompt_length", "forty-two", None),
            (gemini, Attribute, "prompt", "anything at all", Some("ai.prompt_content")),
            (any, Attribute, "prompt", "anything at all", None),
            (any, Attribute, "gen_ai.prompt", "anything", Some("ai.prompt_content")),
            (gemini, Attribute, "process.command_args", "node", Some("app.usage")),
            (gemini, Attribute, "process.command_args", "/usr/bin/node", Some("file.activity")),
            (any, Attribute, "process.command", "code", Some("app.usage")),
            (any, Attribute, "process.command", "/home/ana/complaint", Some("file.activity")),
            (any, Attribute, "gen_ai.request.model", "anthropic/claude-3.5", Some("ai.prompt_meta")),
            (any, Attribute, "gen_ai.request.model", "private/divorce-letter.txt", None),
            (any, Span, "", "plan hr/complaint-about-bob", None),
            (any, Attribute, "gen_ai.response.finish_reasons", "resignation", None),
            (any, Attribute, "process.title", "gemini -p resign", None),
            (any, Attribute, "server.address", "lawyer.example", Some("web.domains")),
            (any, AiAttribute, "server.address", "api.openai.com", Some("ai.prompt_meta")),
            (any, Attribute, "session.id", "abc", None),
            (claude, Attribute, "vcs.ref.head.name", "ana/complaint", Some("file.activity")),
            (claude, Attribute, "managed_settings.settings", "{}", None),
            (claude, Attribute, "plugin_id", "ana@laptop", None),
            (gemini, Attribute, "process.command_args", "my prompt", Some("ai.prompt_content")),
            (any, Attribute, "process.command_args", "my prompt", Some("app.usage")),
            (gemini, Body, "", "User prompt. Length: 30.", Some("ai.prompt_meta")),
            (gemini, Attribute, "decision_source", "agent-router/override", Some("ai.prompt_meta")),
            (gemini, Attribute, "decision_source", "my prompt", None),
            (any, Attribute, "process.executable.name", "/opt/node/bin/node", Some("file.activity")),
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

    #[test]
    fn a_program_is_called_by_its_whole_name() {
        assert_eq!(Program::named("com.anthropic.claude_code.events"), Some(Program::ClaudeCode));
        assert_eq!(Program::named("com.anthropic.claude_codex"), None);
    }

    /// What needs nobody's permission must have no room for anything.
    #[test]
    fn a_technical_value_can_hold_no_word_of_somebodys() {
        for (place, keys) in RULES.iter() {
            for (key, rules) in keys {
                for rule in rules.iter().filter(|rule| rule.says == Says::Technical) {
                    let pattern = rule.value.as_ref().expect("a technical value has a pattern");
                    assert!(!pattern.takes_lists, "{place:?} {key}");
                    for word in ["zq7secretzq7", "secret", "Secret", "a", "secret.secret", "/secret"] {
                        assert!(!pattern.is_match(word), "{place:?} {key}: {word}");
                    }
                }
            }
        }
    }

    const SENTENCES: [&str; 8] = [
        "My salary talk with Bob is on Friday, please keep it from HR",
        "mail bob@acme.example and read /home/ana/hr/complaint-7.txt",
        "bash /home/ana/private/divorce-letter.sh ana@home.example",
        "please write my resignation letter, I am leaving because of Bob",
        "the_whole_prompt_with_underscores_the_whole_prompt_with_underscores_",
        "給老板的辭職信請幫我寫得客氣一點",
        "/上司への苦情の手紙を書いて/ana@home.example/node",
        "otel.sdk.my.salary.talk.with.bob",
    ];

    #[test]
    fn a_sentence_fits_no_pattern() {
        check().expect("a table");
        for (place, keys) in RULES.iter() {
            for (key, rules) in keys {
                for pattern in rules.iter().filter_map(|rule| rule.value.as_ref()) {
                    for sentence in SENTENCES {
                        let is_name = sentence.starts_with("otel") && sentence.len() <= 64;
                        let refused = !pattern.is_match(sentence);
                        assert!(
                            refused || (is_name && *place != Place::Metric),
                            "{place:?} {key}: {sentence}"
                        );
                    }
                }
            }
        }
    }

    /// Other letters than those that are written there, and parts of `regex` that are built in only when asked for.
    #[test]
    fn patterns_name_what_they_take() {
        let rows = csv::Reader::from_reader(include_str!("rules.csv").as_bytes());
        let patterns = rows.into_records().map(|row| row.expect("a row")[5].to_owned());
        for pattern in patterns.chain(SHARED.map(|(_, pattern)| pattern.to_owned())) {
            for class in ["[^", "\\s", "\\S", "\\w", "\\d", "\\p", "(?"] {
                assert!(
                    !pattern.contains(class) || pattern.contains(&format!("\\{class}")),
                    "{class} in {pattern}"
                );
            }
            assert!(pattern.is_ascii(), "{pattern}");
        }
    }

    #[test]
    fn every_row_has_an_address_where_it_is_documented() {
        for row in csv::Reader::from_reader(include_str!("rules.csv").as_bytes()).records() {
            let row = row.expect("a row");
            assert!(row[6].starts_with("https://"), "{row:?}");
        }
        assert!(RULES.len() == 14 && knows(Program::ClaudeCode, "prompt_length"));
    }
}
