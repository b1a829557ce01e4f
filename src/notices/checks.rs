//! What a notice still lacks: the law's demands, placeholders, and Markdown that isn't allowed.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::laws::{Check, Kind};
use super::markdown;
use super::model::{Covered, Text, language_name};
use super::signs;
use crate::error::FieldErrors;

/// Characters below a heading that are more than a word or two.
const SECTION_AT_LEAST: usize = 20;

/// How one demand stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Done,
    /// What is missing, in words.
    Missing(String),
    /// What nobody but a reader of the language can tell.
    Unchecked(String),
}

/// One line of the list that turns from missing to done.
#[derive(Debug)]
pub struct Required {
    pub words: &'static str,
    pub citation: &'static str,
    pub standing: Standing,
}

impl Required {
    pub fn is_done(&self) -> bool {
        self.standing == Standing::Done
    }

    pub fn is_missing(&self) -> bool {
        matches!(self.standing, Standing::Missing(_))
    }

    pub fn note(&self) -> &str {
        match &self.standing {
            Standing::Done => "",
            Standing::Missing(words) | Standing::Unchecked(words) => words,
        }
    }
}

/// How each demand on a notice of this kind stands.
pub fn required(kind: &'static Kind, texts: &[Text], covered: &[Covered]) -> Vec<Required> {
    let standing = |check: &Check| match check {
        Check::Field(id) => field(id, covered),
        Check::Section(headings) => section(headings, texts),
        Check::Purpose => purpose(kind, covered),
    };
    let line = |d: &'static super::laws::Demand| Required {
        words: &d.words,
        citation: &d.citation,
        standing: standing(&d.check),
    };
    kind.demands.iter().map(line).collect()
}

const NOTHING_COVERED: &str = "Pick the processings that it covers.";

fn field(id: &str, covered: &[Covered]) -> Standing {
    if covered.is_empty() {
        return Standing::Missing(NOTHING_COVERED.into());
    }
    match covered.iter().find(|c| c.field(id).is_none()) {
        None => Standing::Done,
        Some(c) => Standing::Missing(format!("The register doesn't say it yet of “{}”.", c.name)),
    }
}

fn purpose(kind: &Kind, covered: &[Covered]) -> Standing {
    let Some(purpose) = kind.purpose else { return Standing::Done };
    if covered.is_empty() {
        return Standing::Missing(NOTHING_COVERED.into());
    }
    let has = |c: &&Covered| c.field("purpose").is_some_and(|p| p.starts_with(purpose.name()));
    match covered.iter().find(|c| !has(c)) {
        None => Standing::Done,
        Some(c) => Standing::Missing(format!(
            "“{}” has another purpose. It belongs into a notice of its own.",
            c.name
        )),
    }
}

fn section(headings: &[(String, String)], texts: &[Text]) -> Standing {
    if texts.is_empty() {
        return Standing::Missing("There is no text yet.".into());
    }
    let mut unchecked = Vec::new();
    for text in texts {
        let Some((_, heading)) = headings.iter().find(|(l, _)| *l == text.language) else {
            unchecked.push(language_name(&text.language));
            continue;
        };
        let found = sections(&without_placeholders(&text.markdown))
            .into_iter()
            .find(|(title, _)| same(title, heading));
        let language = language_name(&text.language);
        match found {
            Some((_, length)) if length >= SECTION_AT_LEAST => {}
            Some(_) => {
                return Standing::Missing(format!(
                    "The section “{heading}” of the {language} text is empty."
                ));
            }
            None => {
                return Standing::Missing(format!("The {language} text has no heading “{heading}”."));
            }
        }
    }
    match unchecked.as_slice() {
        [] => Standing::Done,
        languages => Standing::Unchecked(format!(
            "Look for yourself in {}: its headings aren't known here.",
            languages.join(", ")
        )),
    }
}

/// What somebody has still to write is no text.
fn without_placeholders(markdown: &str) -> String {
    let mut text = markdown.to_owned();
    for (_, placeholder) in placeholders(markdown) {
        text = text.replace(placeholder, "");
    }
    text
}

fn same(title: &str, heading: &str) -> bool {
    title.to_lowercase().contains(&heading.to_lowercase())
}

/// Each heading with the length of the text below it, down to the next heading of its level or above.
fn sections(markdown: &str) -> Vec<(String, usize)> {
    let mut open: Vec<(u8, usize)> = Vec::new();
    let mut sections: Vec<(String, usize)> = Vec::new();
    let mut in_heading = false;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                open.retain(|(above, _)| *above < level as u8);
                open.push((level as u8, sections.len()));
                sections.push((String::new(), 0));
                in_heading = true;
            }
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Text(words) | Event::Code(words) => {
                let last = open.len().saturating_sub(1);
                for (depth, (_, index)) in open.iter().enumerate() {
                    if in_heading && depth == last {
                        sections[*index].0.push_str(&words);
                    } else {
                        sections[*index].1 += words.chars().count();
                    }
                }
            }
            _ => {}
        }
    }
    sections
}

/// The placeholders `[[…]]` that nobody has replaced yet, with their lines.
pub fn placeholders(markdown: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(begin) = markdown[at..].find("[[").map(|i| i + at) {
        let end = markdown[begin..].find("]]").map_or(markdown.len(), |i| i + begin + 2);
        let line = markdown[..begin].matches('\n').count() + 1;
        found.push((line, markdown[begin..end].lines().next().unwrap_or("[[")));
        at = end;
    }
    found
}

/// What keeps a draft from being submitted; fields are named as in the form.
pub fn obstacles(kind: &'static Kind, texts: &[Text], covered: &[Covered]) -> FieldErrors {
    let mut errors = FieldErrors::default();
    for text in texts {
        let (title, field) = (format!("title-{}", text.language), format!("markdown-{}", text.language));
        let language = language_name(&text.language);
        if text.title.trim().is_empty() {
            errors.add(title.clone(), format!("Write a title in {language}."));
        }
        if let Some((_, words)) = signs::find(&text.title).next() {
            errors.add(title, format!("{language}, title: {words}"));
        }
        if text.markdown.trim().is_empty() {
            errors.add(field, format!("Write the text in {language}."));
            continue;
        }
        for (line, words) in placeholders(&text.markdown) {
            errors.add(field.clone(), format!("{language}, line {line}: replace {words}"));
        }
        for problem in markdown::problems(&text.markdown) {
            errors.add(field.clone(), format!("{language}: {problem}"));
        }
    }
    for required in required(kind, texts, covered).iter().filter(|r| r.is_missing()) {
        let citation =
            if required.citation.is_empty() { String::new() } else { format!(" ({})", required.citation) };
        errors.add("required", format!("{}{citation}. {}", required.words, required.note()));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::one;
    use super::*;

    fn text(language: &str, markdown: &str) -> Text {
        Text { language: language.into(), title: "A title".into(), markdown: markdown.into() }
    }

    #[test]
    fn sections_hold_what_stands_below_them() {
        let found =
            sections("Before\n\n# One\n\nwords\n\n## Two\n\nmore\n\n```\n# none\n```\n\nThree\n===\n");
        let titles: Vec<_> = found.iter().map(|(t, _)| t.as_str()).collect();
        assert_eq!(titles, ["One", "Two", "Three"]);
        assert!(found[0].1 > found[1].1 && found[2].1 == 0, "{found:?}");
    }

    #[test]
    fn a_demand_turns_from_missing_to_done() {
        let heading = [("en".to_owned(), "Your rights".to_owned())];
        let written = "## Your rights\n\nYou can ask for a copy.\n";
        assert_eq!(section(&heading, &[text("en", written)]), Standing::Done);
        let empty =
            section(&heading, &[text("en", "## Your rights\n\n## Next\n\nSomething else, much longer.")]);
        assert!(matches!(empty, Standing::Missing(words) if words.contains("is empty")));
        let gone = section(&heading, &[text("en", "Words")]);
        assert!(matches!(gone, Standing::Missing(words) if words.contains("no heading")));
        let template =
            section(&heading, &[text("en", "## Your rights\n\n[[Say which rights there are]].\n")]);
        assert!(matches!(template, Standing::Missing(words) if words.contains("is empty")));
        let polish = section(&heading, &[text("en", written), text("pl", "Słowa")]);
        assert!(matches!(polish, Standing::Unchecked(words) if words.contains("Polish")));
        assert_eq!(field("retention", &[one(&[("retention", "30 days")])]), Standing::Done);
        assert!(matches!(field("retention", &[one(&[])]), Standing::Missing(_)));
    }

    #[test]
    fn placeholders_are_found_with_their_lines() {
        assert_eq!(placeholders("One\n[[name]] and [[more]]\n"), [(2, "[[name]]"), (2, "[[more]]")]);
        assert_eq!(placeholders("[[open"), [(1, "[[open")]);
        assert!(placeholders("[a link](https://example.org)").is_empty());
    }

    #[test]
    fn a_template_cant_be_submitted_as_it_is() {
        for kind in Kind::all() {
            let errors = obstacles(kind, &[text("en", kind.markdown)], &[]);
            assert!(errors.of("markdown-en").is_some_and(|m| m.contains("replace [[")), "{}", kind.id);
        }
    }
}
