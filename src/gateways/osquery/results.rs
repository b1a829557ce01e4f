//! What osquery hands in: rows, of which the name of a known program is all that is looked at.

use serde_json::{Map, Value};

use super::pack::{self, Question};
use crate::clock::Time;

/// Rows that answer one question at one time.
pub(super) struct Answer<'a> {
    /// `None` for what nobody asked here.
    pub question: Option<&'static Question>,
    /// `None` for a time that can't be read: nobody can say whether it was allowed then.
    pub at: Option<Time>,
    pub rows: Vec<Row<'a>>,
    /// All that there is, so that no rows mean that nothing is there.
    pub is_whole: bool,
}

pub(super) struct Row<'a> {
    /// Of the values.
    pub bytes: u64,
    /// What the question's column holds.
    pub name: Option<&'a str>,
}

/// Reads one entry of a result log, in any of the forms that osquery's options give it. What it says is gone again
/// ("removed") isn't there, and tells nothing.
pub(super) fn read(entry: &Value) -> Option<Answer<'_>> {
    let entry = entry.as_object()?;
    let question = entry.get("name").and_then(Value::as_str).and_then(pack::find);
    let at = entry.get("unixTime").and_then(moment);
    let is_removal = entry.get("action").and_then(Value::as_str) == Some("removed");
    if let Some(snapshot) = entry.get("snapshot").filter(|snapshot| snapshot.is_array()) {
        return Some(Answer { question, at, rows: list(snapshot), is_whole: true });
    }
    if let Some(differences) = entry.get("diffResults") {
        let mut rows = differences.get("added").map(list).unwrap_or_default();
        rows.extend(differences.get("removed").map(list).unwrap_or_default().into_iter().map(nameless));
        return Some(Answer { question, at, rows, is_whole: false });
    }
    let row = row(entry.get("columns")?);
    let row = if is_removal { nameless(row) } else { row };
    Some(Answer { question, at, rows: vec![row], is_whole: false })
}

fn list(value: &Value) -> Vec<Row<'_>> {
    value.as_array().map(|list| list.iter().map(row).collect()).unwrap_or_default()
}

fn row(columns: &Value) -> Row<'_> {
    let size = |columns: &Map<String, Value>| -> usize {
        columns.values().map(|value| value.as_str().map_or_else(|| value.to_string().len(), str::len)).sum()
    };
    let bytes = columns.as_object().map_or_else(|| columns.to_string().len(), size) as u64;
    Row { bytes, name: columns.get("name").and_then(Value::as_str) }
}

fn nameless(row: Row<'_>) -> Row<'_> {
    Row { name: None, ..row }
}

/// Seconds since 1970; older versions send them as text, like everything else.
fn moment(value: &Value) -> Option<Time> {
    let second = match value {
        Value::String(text) if text.len() <= 12 => text.parse().ok()?,
        _ => value.as_i64()?,
    };
    jiff::Timestamp::from_second(second).ok().filter(|_| second > 0).map(Time::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_are_read_in_each_form() {
        let row = json!({"name": "osqueryd", "path": "/usr/bin/secret"});
        let forms = [
            json!({"name": "daylight_processes", "unixTime": 1_790_000_000, "snapshot": [row], "action": "snapshot"}),
            json!({"name": "daylight_processes", "unixTime": "1790000000", "columns": row, "action": "added"}),
            json!({"name": "daylight_processes", "unixTime": 1_790_000_000, "columns": row, "action": "snapshot"}),
            json!({"name": "daylight_processes", "unixTime": 1_790_000_000, "diffResults": {"added": [row], "removed": ""}}),
        ];
        for form in &forms {
            let answer = read(form).expect("an answer");
            assert_eq!(answer.at.expect("a time").jiff().as_second(), 1_790_000_000);
            assert!(answer.question.is_some());
            assert_eq!(answer.rows.len(), 1, "{form}");
            assert_eq!((answer.rows[0].name, answer.rows[0].bytes), (Some("osqueryd"), 23));
            assert_eq!(answer.is_whole, form.get("snapshot").is_some());
        }
    }

    #[test]
    fn what_is_gone_or_odd_names_nothing() {
        let gone = [
            json!({"name": "daylight_processes", "unixTime": 1, "columns": {"name": "osqueryd"}, "action": "removed"}),
            json!({"name": "daylight_processes", "unixTime": 1, "diffResults": {"added": "", "removed": [{"name": "osqueryd"}]}}),
            json!({"name": "daylight_processes", "unixTime": 1, "snapshot": ["osqueryd"]}),
            json!({"name": "daylight_processes", "unixTime": 1, "snapshot": [{"name": ["osqueryd"]}]}),
        ];
        for entry in &gone {
            let answer = read(entry).expect("an answer");
            assert!(answer.rows.len() == 1 && answer.rows[0].name.is_none(), "{entry}");
        }
        assert!(
            read(&json!({"name": "other", "unixTime": 1, "snapshot": []})).expect("read").question.is_none()
        );
        for time in [json!(null), json!("soon"), json!(-5), json!(0), json!(1.5), json!("99999999999999")] {
            let entry = json!({"name": "daylight_apps", "unixTime": time, "snapshot": []});
            assert!(read(&entry).expect("read").at.is_none(), "{time}");
        }
        for odd in [json!("x"), json!([]), json!({}), json!({"name": "daylight_apps", "snapshot": "x"})] {
            assert!(read(&odd).is_none(), "{odd}");
        }
    }
}
