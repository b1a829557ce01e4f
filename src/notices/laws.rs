//! Kinds of notices and what the law asks of each: tables of data, compiled in and parsed once.
//!
//! What differs by place (days of notice, who must agree) stands in the register's table of jurisdictions;
//! here is what a notice must say. Facts about the law as of 2026 that help to write one, not legal advice.

use std::sync::LazyLock;

use anyhow::Context;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::fields;
use super::model::ChangeClass;
use crate::clock::Time;
use crate::register::{self, Jurisdiction, Purpose, Revision};

#[derive(Deserialize)]
struct KindRow {
    id: String,
    name: String,
    words: String,
    jurisdictions: String,
    citation: String,
    acknowledgement_in: String,
    starts: bool,
    purpose: String,
    covers: String,
}

#[derive(Deserialize)]
struct LawRow {
    kind: String,
    id: String,
    words: String,
    citation: String,
    check: String,
}

/// What a notice begins as.
#[derive(Debug)]
pub struct Kind {
    pub id: String,
    /// "Privacy notice"
    pub name: String,
    pub words: String,
    /// Places whose law it is made for; empty for any.
    pub jurisdictions: Vec<String>,
    /// Empty where no law is followed.
    pub citation: String,
    /// Places where people acknowledge it and the employer must be able to prove that.
    pub acknowledgement_in: Vec<String>,
    /// Whether something begins with it: only then workers are told before, and representatives asked.
    pub starts: bool,
    /// The one purpose that the processings must have, or none.
    pub purpose: Option<Purpose>,
    /// The states that everything it covers must be in, and it covers something then; empty for any.
    pub covers: Vec<register::State>,
    pub demands: Vec<Demand>,
    /// The text to begin from.
    pub markdown: &'static str,
}

/// One thing that a notice of some kind must say.
#[derive(Debug)]
pub struct Demand {
    pub id: String,
    pub words: String,
    /// May be empty: plain sense asks for it.
    pub citation: String,
    pub check: Check,
}

/// How it is found out whether a notice says it.
#[derive(Debug, PartialEq, Eq)]
pub enum Check {
    /// A field of every covered processing, by its id in the register.
    Field(String),
    /// A section of the text in every language, by its heading in the languages for which it is known.
    Section(Vec<(String, String)>),
    /// Every covered processing has the kind's purpose.
    Purpose,
}

const MARKDOWN: &[(&str, &str)] = &[
    ("gdpr-13", include_str!("templates/gdpr-13.md")),
    ("ny-52-c", include_str!("templates/ny-52-c.md")),
    ("ct-de", include_str!("templates/ct-de.md")),
    ("ca-on-policy", include_str!("templates/ca-on-policy.md")),
    ("au-nsw", include_str!("templates/au-nsw.md")),
    ("ai-training", include_str!("templates/ai-training.md")),
    ("paused", include_str!("templates/paused.md")),
    ("resumed", include_str!("templates/resumed.md")),
];

fn rows<T: DeserializeOwned>(text: &str) -> anyhow::Result<Vec<T>> {
    let rows: Result<Vec<T>, _> = csv::Reader::from_reader(text.as_bytes()).deserialize().collect();
    rows.context("a table of notices")
}

fn list(text: &str) -> Vec<String> {
    text.split('|').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn states(text: &str) -> anyhow::Result<Vec<register::State>> {
    let state = |id: &String| register::State::parse(id).with_context(|| format!("no state is called {id}"));
    list(text).iter().map(state).collect()
}

fn check(text: &str) -> anyhow::Result<Check> {
    if text == "purpose" {
        return Ok(Check::Purpose);
    }
    match text.split_once(':') {
        Some(("field", id)) => Ok(Check::Field(id.into())),
        Some(("section", headings)) => {
            let pair = |part: &str| part.split_once('=').map(|(l, h)| (l.to_owned(), h.to_owned()));
            let headings: Option<Vec<_>> = headings.split(';').map(pair).collect();
            Ok(Check::Section(headings.context("a section without its heading")?))
        }
        _ => anyhow::bail!("no check is called {text}"),
    }
}

fn read() -> anyhow::Result<Vec<Kind>> {
    let demands: Vec<LawRow> = rows(include_str!("laws.csv"))?;
    rows::<KindRow>(include_str!("kinds.csv"))?
        .into_iter()
        .map(|row| {
            let own = demands.iter().filter(|d| d.kind == row.id).map(|d| {
                Ok(Demand {
                    id: d.id.clone(),
                    words: d.words.clone(),
                    citation: d.citation.clone(),
                    check: check(&d.check)?,
                })
            });
            let markdown = MARKDOWN.iter().find(|(id, _)| *id == row.id).context("a kind without a text")?;
            Ok(Kind {
                demands: own.collect::<anyhow::Result<_>>()?,
                jurisdictions: list(&row.jurisdictions),
                acknowledgement_in: list(&row.acknowledgement_in),
                purpose: Purpose::parse(&row.purpose),
                covers: states(&row.covers)?,
                id: row.id,
                name: row.name,
                words: row.words,
                citation: row.citation,
                starts: row.starts,
                markdown: markdown.1,
            })
        })
        .collect()
}

static KINDS: LazyLock<Vec<Kind>> =
    LazyLock::new(|| read().expect("the compiled-in tables are well formed; a test reads them"));

impl Kind {
    pub fn all() -> &'static [Kind] {
        &KINDS
    }

    pub fn find(id: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|k| k.id == id)
    }

    /// The place, among the chosen ones, whose law wants an acknowledgement that can be proved.
    pub fn acknowledgement_demanded(&self, jurisdictions: &[String]) -> Option<&'static Jurisdiction> {
        let code = self.acknowledgement_in.iter().find(|code| jurisdictions.contains(code))?;
        Jurisdiction::find(code)
    }

    fn places(&self, jurisdictions: &[String]) -> impl Iterator<Item = &'static Jurisdiction> {
        let starts = self.starts;
        jurisdictions.iter().filter(move |_| starts).filter_map(|code| Jurisdiction::find(code))
    }

    /// What of its own subject the register says otherwise, in words: what is told to be paused is paused.
    pub fn contradiction(&self, processings: &[Uuid], newest: &[Revision]) -> Option<String> {
        let wanted = self.covers.iter().map(|s| s.words().to_lowercase()).collect::<Vec<_>>().join(" or ");
        if self.covers.is_empty() {
            return None;
        }
        if processings.is_empty() {
            return Some(format!(
                "Pick what it is about: everything that “{}” covers is {wanted}.",
                self.name
            ));
        }
        let state = |id: &Uuid| newest.iter().find(|r| r.processing_id == *id);
        let other =
            processings.iter().map(state).find(|r| r.is_none_or(|r| !self.covers.contains(&r.state)))?;
        let is = match other {
            Some(r) => format!("“{}” is {} in the register", fields::name(r), r.state.words().to_lowercase()),
            None => "Something that this covers has ended".into(),
        };
        Some(format!("{is}. Everything that “{}” covers must be {wanted} when people are told.", self.name))
    }

    /// Kinds that tell of nothing that begins.
    pub fn without_a_start() -> Vec<String> {
        Kind::all().iter().filter(|k| !k.starts).map(|k| k.id.clone()).collect()
    }

    /// The place where representatives must agree before.
    pub fn agreement(&self, jurisdictions: &[String]) -> Option<&'static Jurisdiction> {
        self.places(jurisdictions).find(|j| j.agreement_before_activation)
    }

    /// The place where representatives must have answered before.
    pub fn consultation(&self, jurisdictions: &[String]) -> Option<&'static Jurisdiction> {
        self.places(jurisdictions).find(|j| j.consultation_before_activation)
    }

    /// The place with the longest time between publication and effect, for a version of this class.
    pub fn minimum(&self, class: ChangeClass, jurisdictions: &[String]) -> Option<&'static Jurisdiction> {
        let places = self.places(jurisdictions).filter(|j| j.minimum_notice_days > 0);
        places.filter(|_| class == ChangeClass::Material).max_by_key(|j| j.minimum_notice_days)
    }
}

/// The first moment at which a version published then may take effect there: calendar days, in the zone in
/// which the times are chosen, and never fewer hours than so many days have. Whoever chooses a zone in which the
/// clocks go forward meanwhile takes no hour from people elsewhere.
pub fn first_effect(published: Time, place: &Jurisdiction, zone: &TimeZone) -> Time {
    let day = published.jiff().to_zoned(zone.clone());
    let days = jiff::Span::new().days(place.minimum_notice_days);
    let hours = published.plus_days(place.minimum_notice_days);
    day.checked_add(days).map_or(hours, |z| hours.max(z.timestamp().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::markdown;

    fn codes(of: &[&str]) -> Vec<String> {
        of.iter().map(|c| (*c).to_owned()).collect()
    }

    #[test]
    fn the_tables_are_well_formed() {
        let kinds = read().unwrap();
        let demands = rows::<LawRow>(include_str!("laws.csv")).unwrap().len();
        assert_eq!(kinds.iter().map(|k| k.demands.len()).sum::<usize>(), demands, "each has a kind");
        for kind in &kinds {
            assert!(!kind.demands.is_empty(), "{} demands nothing", kind.id);
            assert!(kind.markdown.contains("[["), "{} has nothing to fill in", kind.id);
            assert!(markdown::problems(kind.markdown).is_empty(), "{}", kind.id);
            for code in kind.jurisdictions.iter().chain(&kind.acknowledgement_in) {
                assert!(Jurisdiction::find(code).is_some(), "{code}");
            }
        }
        assert_eq!(Kind::find("ai-training").unwrap().purpose, Purpose::parse("ai:ModelTraining"));
    }

    #[test]
    fn every_template_has_the_sections_that_its_law_asks_for() {
        for kind in Kind::all() {
            for demand in &kind.demands {
                if let Check::Section(headings) = &demand.check {
                    let (_, heading) = headings.iter().find(|(language, _)| language == "en").unwrap();
                    assert!(kind.markdown.contains(&format!("## {heading}\n")), "{}: {heading}", kind.id);
                }
            }
        }
    }

    #[test]
    fn places_add_their_own_demands() {
        let gdpr = Kind::find("gdpr-13").unwrap();
        assert_eq!(gdpr.agreement(&codes(&["EU", "DE"])).unwrap().code, "DE");
        assert!(gdpr.agreement(&codes(&["EU"])).is_none());
        assert_eq!(gdpr.consultation(&codes(&["FR"])).unwrap().code, "FR");
        let nsw = codes(&["AU-NSW", "EU"]);
        assert_eq!(gdpr.minimum(ChangeClass::Material, &nsw).unwrap().minimum_notice_days, 14);
        assert!(gdpr.minimum(ChangeClass::Editorial, &nsw).is_none());
        assert!(Kind::find("paused").unwrap().minimum(ChangeClass::Material, &nsw).is_none());
        let delaware = Kind::find("ct-de").unwrap();
        assert!(delaware.acknowledgement_demanded(&codes(&["US-CT"])).is_none());
        assert_eq!(delaware.acknowledgement_demanded(&codes(&["US-CT", "US-DE"])).unwrap().code, "US-DE");
    }

    #[test]
    fn days_are_counted_in_the_calendar() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        // Between the two the clocks go back by an hour.
        let published: Time = "2026-10-20T08:00:00Z".parse::<jiff::Timestamp>().unwrap().into();
        let first = first_effect(published, Jurisdiction::find("AU-NSW").unwrap(), &zone);
        assert_eq!(first.to_string(), "2026-11-03T09:00:00Z");
        // Between these forward: fourteen days there are an hour less than fourteen days in Sydney.
        let published: Time = "2027-03-20T11:00:00Z".parse::<jiff::Timestamp>().unwrap().into();
        let first = first_effect(published, Jurisdiction::find("AU-NSW").unwrap(), &zone);
        assert_eq!(first.to_string(), "2027-04-03T11:00:00Z");
    }
}
