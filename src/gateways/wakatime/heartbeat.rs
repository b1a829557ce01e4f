//! One heartbeat: what it says, by category, and what of it goes on.
//!
//! | what | category |
//! |---|---|
//! | that and when a file was worked on, in which language, its lines, the cursor | `code.activity` |
//! | the file's path, the project's name, the branch's | `file.activity` |
//! | the libraries that the file names | `code.content` |
//! | the editor | `app.usage` |
//! | lengths and tokens of prompts | `ai.prompt_meta` |
//! | a site, a page, a program instead of a file | `web.domains`, `web.urls`, `app.usage` |
//!
//! Without the first (or the last) nothing goes on. A type says only what its sender calls it, so an address is an
//! address wherever it stands. What isn't known is `unknown`, and stripped.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::super::gate::device::{Turn, source};
use super::super::gate::tally::Part;
use super::super::names::is_host;
use crate::clock::Time;
use crate::collection::report::{Field, Source};
use crate::register::{Category, Granularity};

/// Endings of files' names that say what kind of file it is; any other could be a part of a name.
static EXTENSIONS: LazyLock<Vec<&str>> =
    LazyLock::new(|| include_str!("extensions.csv").lines().skip(1).collect());
/// WakaTime's own words for what somebody was doing.
static DOINGS: LazyLock<Vec<&str>> =
    LazyLock::new(|| include_str!("categories.csv").lines().skip(1).collect());

const SYSTEMS: [&str; 5] = ["linux", "darwin", "macos", "windows", "freebsd"];

/// What WakaTime itself writes instead of a name when it is told to hide it.
const HIDDEN: &str = "HIDDEN";

/// What a heartbeat is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    File,
    Domain,
    Page,
    Program,
}

impl Subject {
    /// By what it calls itself and by what it is.
    fn of(kind: &str, entity: &str) -> Option<Self> {
        let start: String = entity.chars().take(8).collect::<String>().to_ascii_lowercase();
        let is_page = start.starts_with("http://") || start.starts_with("https://");
        match kind {
            "file" | "app" if is_page => Some(Subject::Page),
            "file" => Some(Subject::File),
            "app" => Some(Subject::Program),
            "domain" if is_host(entity) => Some(Subject::Domain),
            "domain" | "url" => Some(Subject::Page),
            _ => None,
        }
    }
}

/// A heartbeat as far as it was understood.
struct Heartbeat<'a> {
    source: Source,
    at: Time,
    time: &'a Value,
    kind: &'a str,
    subject: Subject,
    entity: &'a str,
    /// Fields that say what was done, not in what.
    activity: Map<String, Value>,
    project: Option<&'a str>,
    branch: Option<&'a str>,
    root_count: Option<Value>,
    dependencies: Vec<&'a str>,
    prompts: Map<String, Value>,
    agent: Agent,
    /// The sizes of what wasn't understood.
    unknown: Vec<u64>,
}

/// Judges a record; answers what of it goes on, made of what was understood alone. `agent` is the request's User-Agent.
pub(super) fn judge(turn: &mut Turn, record: &Value, agent: Option<&str>) -> Option<Map<String, Value>> {
    let Some(heartbeat) = Heartbeat::read(record, agent) else {
        turn.refuse(part("unknown", size(record), None), &source("wakatime", version(agent)));
        return None;
    };
    let (source, at) = (&heartbeat.source, heartbeat.at);
    let goes_on = turn.decide(heartbeat.main(), source, at, at);
    let mut may = |part: Option<Part>| {
        let Some(part) = part else { return false };
        if !goes_on && turn.allowed_since(part.category, source.program()).is_some_and(|since| since <= at) {
            // Allowed, and yet it stays here with the rest of its record.
            turn.refuse(part, source);
            return false;
        }
        turn.decide(part, source, at, at) && goes_on
    };
    let names = may(heartbeat.names());
    let dependencies = may(heartbeat.list());
    let editor = may(heartbeat.editor());
    let prompts = may(heartbeat.prompts());
    for bytes in &heartbeat.unknown {
        turn.refuse(part("unknown", *bytes, None), source);
    }
    goes_on.then(|| heartbeat.reduced(names, dependencies, editor, prompts))
}

/// The client's version in a User-Agent.
pub(super) fn version(agent: Option<&str>) -> Option<&str> {
    agent?.strip_prefix("wakatime/")?.split(' ').next()
}

fn part(category: &str, bytes: u64, field: Option<&str>) -> Part {
    let granularity = match category {
        "web.urls" | "unknown" => Granularity::Content,
        _ => Granularity::Metadata,
    };
    let category = Category::parse(category).unwrap_or_else(Category::unknown);
    Part { category, granularity, bytes, field: field.and_then(Field::parse) }
}

fn size(value: &Value) -> u64 {
    value.to_string().len() as u64
}

fn sizes(fields: &Map<String, Value>) -> u64 {
    fields.values().map(size).sum()
}

impl<'a> Heartbeat<'a> {
    /// `None` for what has no time, nothing that it is about, or another shape.
    fn read(record: &'a Value, agent: Option<&str>) -> Option<Self> {
        let fields = record.as_object()?;
        let entity = fields.get("entity")?.as_str().filter(|text| !text.trim().is_empty())?;
        let kind = match fields.get("type") {
            None | Some(Value::Null) => "file",
            Some(kind) => kind.as_str()?,
        };
        let time = fields.get("time")?;
        let said = fields.get("user_agent").and_then(Value::as_str).or(agent);
        let mut heartbeat = Heartbeat {
            source: source("wakatime", version(said)),
            at: moment(time)?,
            time,
            kind,
            subject: Subject::of(kind, entity)?,
            entity,
            activity: Map::new(),
            project: None,
            branch: None,
            root_count: None,
            dependencies: Vec::new(),
            prompts: Map::new(),
            agent: Agent::read(said.unwrap_or_default()),
            unknown: Vec::new(),
        };
        for (key, value) in fields {
            let is_empty = value.as_str().is_some_and(str::is_empty)
                || value.as_array().is_some_and(Vec::is_empty)
                || value.is_null();
            if !is_empty && !heartbeat.take(key, value) {
                heartbeat.unknown.push(size(value));
            }
        }
        Some(heartbeat)
    }

    /// Whether a field was understood.
    fn take(&mut self, key: &str, value: &'a Value) -> bool {
        let text = value.as_str();
        let kept = match key {
            "entity" | "time" | "type" => return true,
            "user_agent" => return text.is_some(),
            "project" => {
                self.project = text;
                return text.is_some();
            }
            "branch" => {
                self.branch = text;
                return text.is_some();
            }
            "project_root_count" => {
                self.root_count = number(value);
                return self.root_count.is_some();
            }
            "dependencies" => {
                let names: Option<Vec<&str>> =
                    value.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
                self.dependencies = names.unwrap_or_default();
                return !self.dependencies.is_empty();
            }
            "category" => text.filter(|word| DOINGS.contains(word)).map(Value::from),
            "is_write" => value.as_bool().map(Value::from),
            "language" => text.filter(|name| is_language(name)).map(Value::from),
            "lines" | "lineno" | "cursorpos" | "line_additions" | "line_deletions" | "ai_line_changes"
            | "human_line_changes" => number(value),
            "ai_input_tokens" | "ai_output_tokens" | "ai_prompt_length" => {
                let Some(number) = number(value) else { return false };
                self.prompts.insert(key.into(), number);
                return true;
            }
            _ => None,
        };
        let Some(kept) = kept else { return false };
        self.activity.insert(key.into(), kept);
        true
    }

    fn main(&self) -> Part {
        let activity = sizes(&self.activity) + size(self.time);
        let entity = self.entity.len() as u64;
        match self.subject {
            Subject::File => part("code.activity", activity, None),
            Subject::Domain => part("web.domains", activity + entity, None),
            Subject::Page => part("web.urls", activity + entity, Some("url")),
            Subject::Program => part("app.usage", activity + entity, None),
        }
    }

    /// What the file, the project and the branch are called: one record, wherever it says so.
    fn names(&self) -> Option<Part> {
        let path = (self.subject == Subject::File && !is_hidden(self.entity)).then_some(self.entity);
        let all = [("entity", path), ("project", self.project), ("branch", self.branch)];
        let first = all.iter().find(|(_, name)| name.is_some())?.0;
        let bytes = all.iter().filter_map(|(_, name)| *name).map(|name| name.len() as u64).sum();
        Some(part("file.activity", bytes, Some(first)))
    }

    fn list(&self) -> Option<Part> {
        let bytes = self.dependencies.iter().map(|name| name.len() as u64).sum();
        (!self.dependencies.is_empty()).then(|| part("code.content", bytes, None))
    }

    fn editor(&self) -> Option<Part> {
        self.agent.editor.as_ref().map(|editor| part("app.usage", editor.len() as u64, None))
    }

    fn prompts(&self) -> Option<Part> {
        (!self.prompts.is_empty()).then(|| part("ai.prompt_meta", sizes(&self.prompts), None))
    }

    fn reduced(mut self, names: bool, dependencies: bool, editor: bool, prompts: bool) -> Map<String, Value> {
        let mut out = std::mem::take(&mut self.activity);
        let entity = match self.subject {
            Subject::File if !names => hidden(self.entity),
            _ => self.entity.to_owned(),
        };
        out.insert("time".into(), self.time.clone());
        out.insert("type".into(), self.kind.into());
        out.insert("entity".into(), entity.into());
        out.insert("user_agent".into(), self.agent.reduced(&self.source, editor).into());
        if names {
            let names = [("project", self.project), ("branch", self.branch)];
            out.extend(names.into_iter().filter_map(|(key, name)| Some((key.to_owned(), name?.into()))));
            out.extend(self.root_count.map(|count| ("project_root_count".to_owned(), count)));
        }
        if dependencies && !self.dependencies.is_empty() {
            out.insert("dependencies".into(), json!(self.dependencies));
        }
        if prompts {
            out.extend(self.prompts);
        }
        out
    }
}

/// Seconds since 1970, as the clients write them.
fn moment(value: &Value) -> Option<Time> {
    let seconds = value.as_f64().filter(|s| (0.0..1e10).contains(s))?;
    let whole = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    // A float holds the digits only nearly: rounded, not cut off.
    let micros = i64::try_from((whole + std::time::Duration::from_nanos(500)).as_micros()).ok()?;
    jiff::Timestamp::from_microsecond(micros).ok().map(Time::from)
}

/// A whole number of a line, a column or a count; the Python client sends what it was given on its command line as text.
fn number(value: &Value) -> Option<Value> {
    let number = match value {
        Value::String(text) if text.len() <= 10 => text.parse::<i64>().ok(),
        _ => value.as_i64(),
    };
    number.filter(|n| n.unsigned_abs() < 1 << 31).map(Value::from)
}

/// Whether it is made as names of languages are, such as `Objective-C++`, `F*` or `Vim Help File`.
fn is_language(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || " +#.-_*'()".contains(c);
    (1..=32).contains(&name.len()) && (name.chars().all(fits) || ["PL/SQL", "PL/pgSQL"].contains(&name))
}

fn extension(path: &str) -> Option<&str> {
    let name = path.rsplit(['/', '\\']).next()?;
    let (stem, extension) = name.rsplit_once('.')?;
    EXTENSIONS
        .contains(&extension.to_ascii_lowercase().as_str())
        .then_some(extension)
        .filter(|_| !stem.is_empty())
}

fn hidden(path: &str) -> String {
    extension(path)
        .map_or(HIDDEN.to_owned(), |extension| format!("{HIDDEN}.{}", extension.to_ascii_lowercase()))
}

fn is_hidden(path: &str) -> bool {
    path == HIDDEN
        || (path.strip_prefix(HIDDEN).is_some_and(|rest| rest.starts_with('.')) && path == hidden(path))
}

/// Of a User-Agent such as `wakatime/13.1.0 (Linux-6.1-x86_64) Python3.11 vim/9.0 vim-wakatime/8`: the system's name
/// and the editor. The machine's make and what runs the client are nobody's matter.
struct Agent {
    system: &'static str,
    editor: Option<String>,
}

impl Agent {
    fn read(text: &str) -> Self {
        let named = |text: &str| {
            let word = text.split(['-', ')', ' ', '_']).next().unwrap_or_default().to_ascii_lowercase();
            SYSTEMS.into_iter().find(|system| *system == word)
        };
        let system = text.split_once('(').and_then(|(_, rest)| named(rest)).unwrap_or("unknown");
        let after = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let tokens: Vec<&str> = after.split(' ').skip(1).filter(|token| is_program(token)).take(3).collect();
        let editor = (!tokens.is_empty() && tokens != ["Unknown/0"]).then(|| tokens.join(" "));
        Agent { system, editor }
    }

    /// In the form that servers read.
    fn reduced(&self, source: &Source, with_editor: bool) -> String {
        let version = source.as_str().rsplit('/').next().unwrap_or("unknown");
        let editor = self.editor.as_deref().filter(|_| with_editor).unwrap_or("Unknown/0");
        format!("wakatime/{version} ({}-hidden) hidden {editor}", self.system)
    }
}

/// A program's name and version, such as `vscode/1.93.0`.
fn is_program(token: &str) -> bool {
    let Some((name, version)) = token.split_once('/') else { return false };
    let version = version.strip_prefix('v').unwrap_or(version);
    (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        && (1..=16).contains(&version.len())
        && version.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

#[cfg(test)]
mod tests;
