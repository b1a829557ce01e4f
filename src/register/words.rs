//! A declaration in plain words, and what changed between two of them.

use uuid::Uuid;

use super::model::{ChoiceMode, Frequency, ProcessingContent, Recipient};
use super::taxonomy::{Jurisdiction, country_name};
use crate::web::times;

/// The heading above what people can choose.
pub const CHOICE: &str = "Your choice";

/// Facts under one heading.
#[derive(Debug)]
pub struct Group {
    pub title: &'static str,
    pub facts: Vec<Fact>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The same in every version, as in the form; labels may get better words.
    pub id: &'static str,
    pub label: &'static str,
    /// Several for lists; none when nothing is said.
    pub values: Vec<String>,
    /// Whether the value is a web address.
    pub link: bool,
}

/// What one field said before and says now; empty for nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct FieldChange {
    pub label: &'static str,
    pub from: String,
    pub to: String,
}

fn fact(id: &'static str, label: &'static str, value: impl Into<String>) -> Fact {
    let value = value.into();
    let values = if value.is_empty() { Vec::new() } else { vec![value] };
    Fact { id, label, values, link: false }
}

fn link(id: &'static str, label: &'static str, url: Option<&String>) -> Fact {
    Fact { link: true, ..fact(id, label, url.cloned().unwrap_or_default()) }
}

/// Words of a list, as a value of their own.
fn phrase(id: &'static str, label: &'static str, words: &str) -> Fact {
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    fact(id, label, first + letters.as_str())
}

/// "Window titles: titles of the windows on your screen", or the name alone where it says it all.
fn named(name: &str, words: &str) -> String {
    if name.eq_ignore_ascii_case(words) { name.into() } else { format!("{name}: {words}") }
}

fn country(code: &str) -> &str {
    country_name(code).unwrap_or(code)
}

pub fn frequency(frequency: &Frequency) -> String {
    match frequency {
        Frequency::Continuous => "all the time".into(),
        Frequency::Periodic { every } => format!("every {}", times::duration(every)),
        Frequency::OnEvent => "when something happens".into(),
    }
}

fn recipient(r: &Recipient) -> String {
    let host = r.host.as_ref().map(|h| format!(", to {h}")).unwrap_or_default();
    format!("{} in {} ({}){host}", r.name, country(&r.country), r.kind.words())
}

fn what(c: &ProcessingContent) -> Vec<Fact> {
    let by = if c.source.vendor.is_empty() { String::new() } else { format!(" by {}", c.source.vendor) };
    let version = c.source.version.as_ref().map(|v| format!(" {v}")).unwrap_or_default();
    vec![
        fact("category", "Kind of data", named(c.category.name(), c.category.words())),
        fact("fields", "What exactly", c.fields.as_str()),
        phrase("granularity", "How deep", c.granularity.map_or("", |g| g.words())),
        phrase("frequency", "When it records", &c.frequency.as_ref().map(frequency).unwrap_or_default()),
        fact(
            "max_per_day",
            "At most",
            c.max_per_day.map(|n| format!("{} records a day", times::number(n.into()))).unwrap_or_default(),
        ),
        phrase("visibility", "Can you see it?", c.visibility.map_or("", |v| v.words())),
        fact("source", "Recorded by", format!("{}{version}{by}", c.source.name)),
    ]
}

fn why(c: &ProcessingContent) -> Vec<Fact> {
    vec![
        fact("purpose", "Purpose", named(c.purpose.name(), c.purpose.words())),
        phrase("legal_basis", "Legal basis", c.legal_basis.map_or("", |b| b.words())),
        fact("necessity", "Why it is needed", c.necessity.as_str()),
        phrase(
            "emotion_exception",
            "Exception for guessing emotions",
            c.emotion_exception.map_or("", |e| e.words()),
        ),
        link("dpia_url", "Impact assessment", c.dpia_url.as_ref()),
    ]
}

fn where_to(c: &ProcessingContent) -> Vec<Fact> {
    vec![
        Fact {
            id: "recipients",
            label: "Recipients",
            values: c.recipients.iter().map(recipient).collect(),
            link: false,
        },
        fact(
            "retention",
            "Kept for",
            if c.retention.is_empty() { String::new() } else { times::duration(&c.retention) },
        ),
        fact("storage_location", "Stored in", country(&c.storage_location)),
        fact(
            "transfer_safeguard",
            "Protection outside the EEA",
            c.transfer_safeguard.as_deref().unwrap_or(""),
        ),
    ]
}

fn choice(c: &ProcessingContent) -> Vec<Fact> {
    // What was filled in for another choice isn't in force.
    let mandatory =
        c.mandatory.clone().filter(|_| c.choice_mode == Some(ChoiceMode::Mandatory)).unwrap_or_default();
    vec![
        phrase("choice_mode", "Your choice", c.choice_mode.map_or("", |m| m.words())),
        fact("mandatory_citation", "Law or agreement", mandatory.citation),
        fact("mandatory_contact", "Whom to ask", mandatory.contact),
        fact(
            "mandatory_review_date",
            "Looked at again",
            mandatory.review_date.map(times::day).unwrap_or_default(),
        ),
        fact("objection_contact", "How to object", c.objection_contact.as_deref().unwrap_or("")),
        fact(
            "consent_validity",
            "A yes counts for",
            c.consent_validity.as_deref().map(times::duration).unwrap_or_default(),
        ),
        fact("refusal_effect", "What a no leads to", c.refusal_effect.as_deref().unwrap_or("")),
        fact(
            "after_withdrawal",
            "What was collected before a no",
            c.after_withdrawal.as_deref().unwrap_or(""),
        ),
    ]
}

fn who(c: &ProcessingContent, departments: &[(Uuid, String)]) -> Vec<Fact> {
    let places = c
        .jurisdictions
        .iter()
        .map(|j| Jurisdiction::find(j).map_or(j.as_str(), |j| &j.name))
        .collect::<Vec<_>>();
    let department = |id: &Uuid| {
        departments
            .iter()
            .find(|(d, _)| d == id)
            .map_or("a department that no longer exists", |(_, name)| name)
    };
    let covered = c.departments.iter().map(department).collect::<Vec<_>>();
    let everybody = c.departments.is_empty();
    vec![
        fact("jurisdictions", "Where", places.join(", ")),
        fact("departments", "Departments", if everybody { "Everybody".into() } else { covered.join(", ") }),
        link("works_agreement_url", "Works agreement", c.works_agreement_url.as_ref()),
        fact(
            "notice_given_on",
            "Workers were told on",
            c.notice_given_on.map(times::day).unwrap_or_default(),
        ),
    ]
}

fn all_groups(c: &ProcessingContent, departments: &[(Uuid, String)]) -> Vec<Group> {
    vec![
        Group { title: "What is recorded", facts: what(c) },
        Group { title: "Why", facts: why(c) },
        Group { title: "Who gets it, how long and where", facts: where_to(c) },
        Group { title: CHOICE, facts: choice(c) },
        Group { title: "Whom it concerns", facts: who(c, departments) },
    ]
}

/// Everything a declaration says, in one list; what says nothing is left out.
pub fn facts(content: &ProcessingContent, departments: &[(Uuid, String)]) -> Vec<Fact> {
    groups(content, departments).into_iter().flat_map(|g| g.facts).collect()
}

/// Everything a declaration says, by heading; what says nothing is left out.
pub fn groups(content: &ProcessingContent, departments: &[(Uuid, String)]) -> Vec<Group> {
    let mut groups = all_groups(content, departments);
    for group in &mut groups {
        group.facts.retain(|f| !f.values.is_empty());
    }
    groups.retain(|g| !g.facts.is_empty());
    groups
}

/// What changed from `old` to `new`, field by field.
pub fn changes(
    old: &ProcessingContent,
    new: &ProcessingContent,
    departments: &[(Uuid, String)],
) -> Vec<FieldChange> {
    let facts = |c| all_groups(c, departments).into_iter().flat_map(|g| g.facts).collect::<Vec<_>>();
    facts(old)
        .into_iter()
        .zip(facts(new))
        .filter(|(from, to)| from != to)
        .map(|(from, to)| FieldChange {
            label: from.label,
            from: from.values.join("; "),
            to: to.values.join("; "),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::rules_tests::complete;
    use super::*;

    #[test]
    fn changes_are_told_field_by_field() {
        let old = ProcessingContent { retention: "P30D".into(), ..complete() };
        let mut new = ProcessingContent { retention: "P90D".into(), ..old.clone() };
        new.recipients[0].host = None;
        new.dpia_url = Some("https://a.example/dpia".into());
        new.departments = vec![Uuid::from_u128(1)];
        let told: Vec<String> = changes(&old, &new, &[(Uuid::from_u128(1), "Sales".into())])
            .iter()
            .map(|c| format!("{}: {} → {}", c.label, c.from, c.to))
            .collect();
        let expected = [
            "Impact assessment:  → https://a.example/dpia",
            "Recipients: Security team in Germany (inside the organisation), to ingest.example.com → \
             Security team in Germany (inside the organisation)",
            "Kept for: 30 days → 90 days",
            "Departments: Everybody → Sales",
        ];
        assert_eq!(told, expected);
        assert!(changes(&old, &old, &[]).is_empty());
    }

    #[test]
    fn what_was_filled_in_for_another_choice_is_not_told() {
        let mut content = complete();
        content.mandatory = Some(super::super::Mandatory { citation: "A law".into(), ..Default::default() });
        let told = |c: &ProcessingContent| {
            groups(c, &[]).iter().any(|g| g.facts.iter().any(|f| f.label == "Law or agreement"))
        };
        assert!(!told(&content));
        content.choice_mode = Some(ChoiceMode::Mandatory);
        assert!(told(&content));
    }
}
