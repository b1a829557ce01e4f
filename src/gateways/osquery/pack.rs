//! What osquery is asked: whether programs of the catalogue are there, and nothing else.
//!
//! Every question names the catalogue's programs itself, so that nobody's list of programs leaves osquery. Of each
//! table one column is read, as `name`.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::catalogue::{self, By};

/// Seconds between two answers to a question.
const INTERVAL: u32 = 300;

/// A question and what its answers are names of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    pub name: String,
    /// osquery's word for the systems that have the table.
    platform: String,
    pub by: By,
    /// Only once this one has been answered has anybody looked: it is asked on every system.
    #[serde(default)]
    pub looks: bool,
    query: String,
}

static PACK: LazyLock<Vec<Question>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("pack.json")).expect("pack.json is well formed; a test reads it")
});

/// The question that an answer says it is for.
pub(super) fn find(name: &str) -> Option<&'static Question> {
    PACK.iter().find(|question| question.name == name)
}

impl Question {
    /// The question in osquery's SQL; `None` when the catalogue knows no such names.
    fn sql(&self) -> Option<String> {
        let telltales = catalogue::all().iter().flat_map(|product| &product.telltales);
        let mut names: Vec<String> = telltales
            .filter(|telltale| telltale.by == self.by)
            .map(|telltale| format!("'{}'", telltale.name.to_ascii_lowercase().replace('\'', "''")))
            .collect();
        names.sort_unstable();
        names.dedup();
        (!names.is_empty()).then(|| self.query.replace("{names}", &names.join(", ")))
    }
}

/// The whole schedule as osquery's configuration says it. Snapshots: an answer without rows comes as well, and says
/// that somebody looked.
pub(super) fn schedule() -> Map<String, Value> {
    let entry = |question: &Question| {
        let mut entry = json!({"query": question.sql()?, "interval": INTERVAL, "snapshot": true});
        if question.platform != "any" {
            entry["platform"] = question.platform.as_str().into();
        }
        Some((question.name.clone(), entry))
    };
    PACK.iter().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables that say which programs are there; `users` says whose browsers to look at, and none of it is read.
    const TELLING: [&str; 14] = [
        "processes",
        "apps",
        "programs",
        "deb_packages",
        "services",
        "launchd",
        "systemd_units",
        "chrome_extensions",
        "firefox_addons",
        "event_taps",
        "system_extensions",
        "managed_policies",
        "process_open_sockets",
        "users",
    ];

    #[test]
    fn only_telling_tables_are_asked_for_one_column_of_known_names() {
        assert!(PACK.len() >= 12 && PACK.iter().any(|question| question.looks && question.platform == "any"));
        for Question { query, name, .. } in PACK.iter() {
            let words: Vec<&str> =
                query.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).collect();
            for (i, word) in words.iter().enumerate() {
                if ["from", "join"].contains(&word.to_ascii_lowercase().as_str()) {
                    assert!(TELLING.contains(&words[i + 1]), "{name} reads {}", words[i + 1]);
                }
            }
            assert!(!query.contains('*') && !query.contains(';') && !query.contains("--"), "{name}");
            assert!(query.starts_with("SELECT DISTINCT ") && query.ends_with(" IN ({names})"), "{name}");
            let columns = query["SELECT DISTINCT ".len()..].split(" FROM ").next().expect("a column");
            assert!(columns == "name" || columns.ends_with(" AS name"), "{name}");
            assert!(
                columns == "name" || !columns.contains(',') || columns.starts_with("regex_match("),
                "{name}"
            );
            for forbidden in
                ["shell_history", "process_envs", "recent_files", "cmdline", "environment", "cwd"]
            {
                assert!(!query.contains(forbidden), "{name} reads {forbidden}");
            }
            assert!(!query.contains("users."), "{name} reads of people");
        }
    }

    #[test]
    fn the_schedule_asks_by_name() {
        let schedule = schedule();
        let query = schedule["daylight_processes"]["query"].as_str().expect("a query");
        assert!(query.contains("'osqueryd'") && !query.contains("{names}"), "{query}");
        assert_eq!(schedule["daylight_processes"]["snapshot"], true);
        assert!(schedule["daylight_processes"].get("platform").is_none());
        assert_eq!(schedule["daylight_deb_packages"]["platform"], "linux");
        assert!(find("daylight_apps").is_some() && find("apps").is_none());
    }
}
