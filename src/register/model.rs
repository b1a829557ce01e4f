//! What a declaration says; types only. Rules stand in `rules`, states in `life`.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

pub use super::choices::{ChoiceMode, EmotionException, Granularity, LegalBasis, RecipientKind, Visibility};
use super::taxonomy::{Category, Purpose};
use crate::clock::Day;

/// When a record is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Frequency {
    Continuous,
    /// Every so often; `every` is an ISO 8601 duration.
    Periodic {
        every: String,
    },
    /// When something happens, such as opening a file.
    OnEvent,
}

/// The software that records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What agents report as their source, without the version.
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vendor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The form of a source's name that is compared: before the slash, lower case.
pub fn source_key(name: &str) -> String {
    name.split('/').next().unwrap_or("").trim().to_lowercase()
}

impl Source {
    pub fn key(&self) -> String {
        source_key(&self.name)
    }

    /// Whether an agent that reports `source`, such as `acme-agent/4.2`, means this one.
    pub fn matches(&self, source: &str) -> bool {
        self.key() == source_key(source)
    }
}

/// Who gets the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    pub name: String,
    pub kind: RecipientKind,
    /// ISO 3166, two letters.
    pub country: String,
    /// The host that agents send to, lower case; the declared destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// What makes "you cannot refuse this" say why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mandatory {
    /// The law or agreement that demands it.
    pub citation: String,
    /// Whom to ask.
    pub contact: String,
    /// When the employer looks at it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub review_date: Option<Day>,
}

/// Everything declared about one processing. A draft may lack most of it (empty text, `None`); what has
/// ever been active doesn't lack what `rules::validate` demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessingContent {
    #[schema(value_type = String, example = "app.usage")]
    pub category: Category,
    #[schema(value_type = String, example = "dpv:EnforceSecurity")]
    pub purpose: Purpose,
    pub source: Source,
    /// What exactly is recorded, in words.
    #[serde(default)]
    pub fields: String,
    #[serde(default)]
    pub granularity: Option<Granularity>,
    #[serde(default)]
    pub frequency: Option<Frequency>,
    /// The most records a day about one person.
    #[serde(default)]
    pub max_per_day: Option<u32>,
    #[serde(default)]
    pub visibility: Option<Visibility>,
    #[serde(default)]
    pub legal_basis: Option<LegalBasis>,
    /// Why it is needed; for legitimate interests, which interests.
    #[serde(default)]
    pub necessity: String,
    #[serde(default)]
    pub recipients: Vec<Recipient>,
    /// ISO 3166 code of the country where it is stored.
    #[serde(default)]
    pub storage_location: String,
    /// ISO 8601 duration.
    #[serde(default)]
    pub retention: String,
    /// What protects the data outside the EEA.
    #[serde(default)]
    pub transfer_safeguard: Option<String>,
    #[serde(default)]
    pub dpia_url: Option<String>,
    #[serde(default)]
    pub works_agreement_url: Option<String>,
    #[serde(default)]
    pub choice_mode: Option<ChoiceMode>,
    #[serde(default)]
    pub mandatory: Option<Mandatory>,
    #[serde(default)]
    pub objection_contact: Option<String>,
    /// How long a yes counts, as an ISO 8601 duration; without one until it is taken back. Left out of the JSON
    /// where nothing is said, as the two after it, so that older declarations keep their hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_validity: Option<String>,
    /// What saying no leads to, and what it doesn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal_effect: Option<String>,
    /// What happens to what was collected before a no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_withdrawal: Option<String>,
    #[serde(default)]
    pub emotion_exception: Option<EmotionException>,
    /// When workers were told, where the law sets a time between that and activation.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    pub notice_given_on: Option<Day>,
    /// Codes of `identity::JURISDICTIONS`; only people under exactly these laws are covered.
    #[serde(default)]
    pub jurisdictions: Vec<String>,
    /// Empty for everybody.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub departments: Vec<Uuid>,
}

impl ProcessingContent {
    /// A draft with nothing but what it must have.
    pub fn new(category: Category, purpose: Purpose, source: &str) -> Self {
        ProcessingContent {
            category,
            purpose,
            source: Source { name: source.into(), vendor: String::new(), version: None },
            fields: String::new(),
            granularity: None,
            frequency: None,
            max_per_day: None,
            visibility: None,
            legal_basis: None,
            necessity: String::new(),
            recipients: Vec::new(),
            storage_location: String::new(),
            retention: String::new(),
            transfer_safeguard: None,
            dpia_url: None,
            works_agreement_url: None,
            choice_mode: None,
            mandatory: None,
            objection_contact: None,
            consent_validity: None,
            refusal_effect: None,
            after_withdrawal: None,
            emotion_exception: None,
            notice_given_on: None,
            jurisdictions: Vec::new(),
            departments: Vec::new(),
        }
    }

    /// Hosts the data may go to: those of the recipients, lower case.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.recipients.iter().filter_map(|r| r.host.as_deref())
    }

    /// Whether it is about somebody in this department under this law.
    pub fn applies_to(&self, department: Option<Uuid>, jurisdiction: &str) -> bool {
        let there = self.jurisdictions.iter().any(|j| j == jurisdiction);
        there && (self.departments.is_empty() || department.is_some_and(|d| self.departments.contains(&d)))
    }

    /// SHA-256 of the RFC 8785 canonical JSON: what the log will commit to.
    pub fn sha256(&self) -> anyhow::Result<Vec<u8>> {
        Ok(Sha256::digest(serde_json_canonicalizer::to_vec(self)?).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_matched_without_its_version_and_case() {
        let source = Source { name: "Acme-Agent".into(), vendor: "Acme".into(), version: None };
        assert!(source.matches("acme-agent/4.2"));
        assert!(!source.matches("acme-agent-pro/1.0"));
    }

    #[test]
    fn people_are_covered_by_place_and_department() {
        let mut content =
            ProcessingContent::new(Category::unknown(), Purpose::parse("ai:ModelTraining").unwrap(), "x");
        let department = Uuid::from_u128(7);
        content.jurisdictions = vec!["EU".into()];
        assert!(content.applies_to(None, "EU"));
        assert!(!content.applies_to(None, "DE"), "a country with rules of its own is named itself");
        content.departments = vec![department];
        assert!(content.applies_to(Some(department), "EU"));
        assert!(!content.applies_to(None, "EU"));
    }

    #[test]
    fn content_survives_its_json_and_keeps_its_hash() {
        let mut content =
            ProcessingContent::new(Category::unknown(), Purpose::parse("ai:ModelTraining").unwrap(), "x");
        content.frequency = Some(Frequency::Periodic { every: "PT10M".into() });
        let json = serde_json::to_value(&content).unwrap();
        let back: ProcessingContent = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(back, content);
        assert_eq!(back.sha256().unwrap(), content.sha256().unwrap());
        let mut more = json;
        more["surprise"] = true.into();
        assert!(serde_json::from_value::<ProcessingContent>(more).is_err());
    }
}
