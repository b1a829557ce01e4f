//! A version of a notice, and the document that the log commits to; types only.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::life::State;
use crate::clock::Time;
use crate::ledger;

/// Characters at most.
pub const TITLE_LENGTH: usize = 200;
pub const MARKDOWN_LENGTH: usize = 30_000;
pub const REASON_LENGTH: usize = 2_000;
pub const LANGUAGES_AT_MOST: usize = 12;

/// What a change means for those who read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeClass {
    /// What is collected, or what people can do about it, is another: it is announced, acknowledged anew.
    Material,
    /// Words only.
    Editorial,
}

impl ChangeClass {
    pub fn id(self) -> &'static str {
        match self {
            ChangeClass::Material => "material",
            ChangeClass::Editorial => "editorial",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            ChangeClass::Material => "Material change",
            ChangeClass::Editorial => "Editorial correction",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        [ChangeClass::Material, ChangeClass::Editorial].into_iter().find(|c| c.id() == id)
    }
}

/// "2.1": the major number counts material versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number {
    pub major: i32,
    pub minor: i32,
}

impl Number {
    pub const FIRST: Number = Number { major: 1, minor: 0 };

    pub fn after(self, class: ChangeClass) -> Number {
        match class {
            ChangeClass::Material => Number { major: self.major + 1, minor: 0 },
            ChangeClass::Editorial => Number { minor: self.minor + 1, ..self },
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// One field of the register as it stood, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoveredField {
    /// Such as `retention`; the same in every version, so that two can be compared.
    pub id: String,
    /// "Kept for"
    pub label: String,
    /// "30 days"
    pub value: String,
}

/// What the register said of one processing when the version was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    pub processing: Uuid,
    pub revision: i32,
    /// Of the register's content, as hexadecimal digits.
    pub content_sha256: String,
    /// "Programs you use, to keep systems and data secure"
    pub name: String,
    pub fields: Vec<CoveredField>,
}

impl Covered {
    pub fn field(&self, id: &str) -> Option<&str> {
        self.fields.iter().find(|f| f.id == id).map(|f| f.value.as_str())
    }
}

/// The words in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// BCP 47.
    pub language: String,
    pub title: String,
    pub markdown: String,
}

/// A version with its texts.
#[derive(Debug, Clone)]
pub struct Version {
    pub id: Uuid,
    pub notice_id: Uuid,
    /// The template's id, see `laws`.
    pub kind: String,
    pub number: Number,
    pub class: ChangeClass,
    pub state: State,
    /// Counts saves.
    pub revision: i32,
    pub jurisdictions: Vec<String>,
    /// Empty for everybody.
    pub departments: Vec<Uuid>,
    pub processings: Vec<Uuid>,
    /// `None` in a draft.
    pub field_table: Option<Vec<Covered>>,
    pub acknowledgement_wanted: bool,
    /// Why it differs from the one before.
    pub reason: Option<String>,
    pub publish_at: Option<Time>,
    pub effective_at: Option<Time>,
    /// IANA name.
    pub time_zone: String,
    /// Why a scheduled publication didn't happen.
    pub problem: Option<String>,
    pub supersedes: Option<(Uuid, Number)>,
    /// Of [`Version::body`]; `None` in a draft.
    pub content_sha256: Option<Vec<u8>>,
    pub ledger_entry: Option<i64>,
    /// The leaf's place in the log, once it has one: only then is the version published for readers.
    pub leaf_position: Option<i64>,
    pub published_at: Option<Time>,
    pub retracted_at: Option<Time>,
    pub retraction_reason: Option<String>,
    pub retraction_entry: Option<i64>,
    pub retraction_position: Option<i64>,
    pub created_by: Uuid,
    /// Everybody who wrote at it.
    pub authors: Vec<Uuid>,
    pub created_at: Time,
    pub updated_at: Time,
    /// By language code.
    pub texts: Vec<Text>,
}

impl Version {
    /// The title in English where there is one, else in the first language.
    pub fn title(&self) -> &str {
        let text = self.texts.iter().find(|t| t.language == "en").or(self.texts.first());
        text.map(|t| t.title.as_str()).filter(|t| !t.is_empty()).unwrap_or("Without a title")
    }

    pub fn text(&self, language: &str) -> Option<&Text> {
        self.texts.iter().find(|t| t.language == language)
    }

    /// Whether it is published and in the log: what a reader may see.
    pub fn is_visible(&self) -> bool {
        self.published_at.is_some() && self.leaf_position.is_some()
    }

    /// What is reviewed, answered and approved: everything but the times.
    pub fn body(&self) -> Value {
        let processings: Vec<Value> = self
            .field_table
            .iter()
            .flatten()
            .map(|c| {
                json!({
                    "processing": c.processing, "revision": c.revision, "content_sha256": c.content_sha256,
                    "name": c.name, "fields": c.fields,
                })
            })
            .collect();
        json!({
            "notice": self.notice_id,
            "version": self.number.to_string(),
            "kind": self.kind,
            "change_class": self.class.id(),
            "jurisdictions": self.jurisdictions,
            "departments": self.departments,
            "acknowledgement_wanted": self.acknowledgement_wanted,
            "supersedes": self.supersedes.map(|(_, number)| number.to_string()),
            "reason": self.reason,
            "processings": processings,
            "texts": self.texts,
        })
    }

    /// What the leaf of a published version commits to.
    pub fn document(&self) -> Value {
        let mut document = self.body();
        document["publish_at"] = json!(self.publish_at);
        document["effective_at"] = json!(self.effective_at);
        document["published_at"] = json!(self.published_at);
        document["time_zone"] = json!(self.time_zone);
        document
    }

    /// What the leaf of its retraction commits to.
    pub fn retraction(&self) -> Value {
        json!({
            "notice": self.notice_id,
            "version": self.number.to_string(),
            "retracted_at": self.retracted_at,
            "reason": self.retraction_reason,
        })
    }
}

/// SHA-256 of the RFC 8785 canonical JSON.
pub fn sha256(document: &Value) -> anyhow::Result<[u8; 32]> {
    Ok(ledger::document_hash(document)?.0)
}

/// Languages to choose from: BCP 47 code, the name in English, and in the language itself.
pub const LANGUAGES: &[(&str, &str, &str)] = &[
    ("en", "English", "English"),
    ("ar", "Arabic", "العربية"),
    ("bg", "Bulgarian", "български"),
    ("cs", "Czech", "čeština"),
    ("da", "Danish", "dansk"),
    ("de", "German", "Deutsch"),
    ("el", "Greek", "ελληνικά"),
    ("es", "Spanish", "español"),
    ("et", "Estonian", "eesti"),
    ("fi", "Finnish", "suomi"),
    ("fr", "French", "français"),
    ("hi", "Hindi", "हिन्दी"),
    ("hr", "Croatian", "hrvatski"),
    ("hu", "Hungarian", "magyar"),
    ("it", "Italian", "italiano"),
    ("ja", "Japanese", "日本語"),
    ("lt", "Lithuanian", "lietuvių"),
    ("lv", "Latvian", "latviešu"),
    ("nl", "Dutch", "Nederlands"),
    ("pl", "Polish", "polski"),
    ("pt", "Portuguese", "português"),
    ("ro", "Romanian", "română"),
    ("sk", "Slovak", "slovenčina"),
    ("sl", "Slovenian", "slovenščina"),
    ("sv", "Swedish", "svenska"),
    ("tr", "Turkish", "Türkçe"),
    ("uk", "Ukrainian", "українська"),
    ("vi", "Vietnamese", "Tiếng Việt"),
    ("zh", "Chinese", "中文"),
];

/// The English name of a language, or its code.
pub fn language_name(code: &str) -> &str {
    LANGUAGES.iter().find(|(c, _, _)| *c == code).map_or(code, |(_, name, _)| name)
}

/// "rtl" for languages written from right to left.
pub fn direction(code: &str) -> &'static str {
    if matches!(code, "ar" | "he" | "fa" | "ur") { "rtl" } else { "ltr" }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn version() -> Version {
        let at: Time = "2026-11-02T09:00:00Z".parse::<jiff::Timestamp>().unwrap().into();
        Version {
            id: Uuid::from_u128(2),
            notice_id: Uuid::from_u128(1),
            kind: "gdpr-13".into(),
            number: Number::FIRST,
            class: ChangeClass::Material,
            state: State::Draft,
            revision: 1,
            jurisdictions: vec!["EU".into()],
            departments: Vec::new(),
            processings: Vec::new(),
            field_table: None,
            acknowledgement_wanted: true,
            reason: None,
            publish_at: Some(at),
            effective_at: None,
            time_zone: "Europe/Berlin".into(),
            problem: None,
            supersedes: None,
            content_sha256: None,
            ledger_entry: None,
            leaf_position: None,
            published_at: None,
            retracted_at: None,
            retraction_reason: None,
            retraction_entry: None,
            retraction_position: None,
            created_by: Uuid::from_u128(3),
            authors: vec![Uuid::from_u128(3)],
            created_at: at,
            updated_at: at,
            texts: vec![Text { language: "en".into(), title: "A title".into(), markdown: "Words".into() }],
        }
    }

    #[test]
    fn numbers_count_material_and_editorial_versions() {
        let two = Number::FIRST.after(ChangeClass::Editorial).after(ChangeClass::Material);
        assert_eq!(two.to_string(), "2.0");
        assert_eq!(two.after(ChangeClass::Editorial).to_string(), "2.1");
    }

    #[test]
    fn times_belong_to_the_document_and_not_to_what_is_answered() {
        let mut v = version();
        let (body, document) = (sha256(&v.body()).unwrap(), sha256(&v.document()).unwrap());
        v.publish_at = None;
        assert_eq!(sha256(&v.body()).unwrap(), body);
        assert_ne!(sha256(&v.document()).unwrap(), document);
        assert_eq!(v.document()["time_zone"], "Europe/Berlin");
        v.texts[0].markdown.push('.');
        assert_ne!(sha256(&v.body()).unwrap(), body);
    }

    #[test]
    fn the_title_is_the_english_one_or_the_first() {
        let mut v = version();
        v.texts.insert(0, Text { language: "de".into(), title: "Ein Titel".into(), markdown: String::new() });
        assert_eq!(v.title(), "A title");
        v.texts.pop();
        assert_eq!(v.title(), "Ein Titel");
    }
}
