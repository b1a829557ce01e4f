//! The words that stand beside a choice, as one document whose hash a decision keeps: what was asked, and what
//! each answer leads to, exactly as it was read.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model;
use super::rules::{Audience, Rule};
use crate::error::Result;
use crate::ledger::document_hash;
use crate::notices::{CoveredField, Told, choose_language};
use crate::register::{ChoiceMode, Jurisdiction, LegalBasis, ProcessingContent};
use crate::web::times;

/// The notice that told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeText {
    pub notice: Uuid,
    /// `major.minor`
    pub version: String,
    pub title: String,
    /// BCP 47.
    pub language: String,
    /// Of the version's document, as hexadecimal digits.
    pub content_sha256: String,
}

/// Everything that is said about one choice. What a page shows of it comes from here and from nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceText {
    pub processing: Uuid,
    /// Of the register.
    pub revision: i32,
    pub name: String,
    pub mode: String,
    pub question: String,
    /// Why this is the mode here: a law that asks for more, or why nobody can refuse.
    pub because: Vec<String>,
    /// What saying no leads to, and what it doesn't.
    pub refusing: Vec<String>,
    /// What happens to what was collected already.
    pub already_taken: Vec<String>,
    /// How long the answer counts; empty where nothing is asked.
    pub lasts: String,
    /// What objecting does, and who reads the reasons; empty where nobody can object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objecting: Vec<String>,
    pub notice: NoticeText,
    pub facts: Vec<CoveredField>,
}

impl ChoiceText {
    /// In the language that was chosen, or that the browser asks for (`Accept-Language`).
    pub fn in_language(
        rule: &Rule,
        audience: &Audience,
        told: &Told,
        chosen: Option<&str>,
        accept: &str,
    ) -> Self {
        let there_are: Vec<&str> = told.version.texts.iter().map(|t| t.language.as_str()).collect();
        ChoiceText::new(rule, audience, told, &choose_language(&there_are, chosen, accept).language)
    }

    pub fn new(rule: &Rule, audience: &Audience, told: &Told, language: &str) -> Self {
        let content = rule.content();
        let mode = rule.mode(audience);
        let covered = told.version.field_table.iter().flatten().find(|c| c.processing == rule.processing());
        let text = told.version.text(language).or(told.version.texts.first());
        ChoiceText {
            processing: rule.processing(),
            revision: rule.declaration.revision,
            name: format!("{}, {}", content.category.name(), content.purpose.words()),
            mode: mode.id().into(),
            question: question(content, mode),
            because: because(content, mode, audience),
            refusing: refusing(content, mode),
            already_taken: already_taken(content),
            lasts: lasts(content, mode),
            objecting: objecting(content, mode, audience),
            notice: NoticeText {
                notice: told.version.notice_id,
                version: told.version.number.to_string(),
                title: text.map(|t| t.title.clone()).unwrap_or_default(),
                language: text.map(|t| t.language.clone()).unwrap_or_default(),
                content_sha256: times::hex(&told.content_sha256),
            },
            facts: covered.map(|c| c.fields.clone()).unwrap_or_default(),
        }
    }

    /// SHA-256 of its canonical JSON.
    pub fn sha256(&self) -> Result<[u8; 32]> {
        Ok(document_hash(&self.document()?).map_err(anyhow::Error::new)?.0)
    }

    pub fn document(&self) -> Result<serde_json::Value> {
        Ok(serde_json::to_value(self).map_err(anyhow::Error::new)?)
    }
}

fn question(content: &ProcessingContent, mode: ChoiceMode) -> String {
    let what = format!("{} ({})", content.category.words(), content.source.name);
    let purpose = content.purpose.words();
    match mode {
        ChoiceMode::OptIn => {
            format!("May your employer record {what}, {purpose}? It is off until you say yes.")
        }
        ChoiceMode::OptOut => format!("Your employer records {what}, {purpose}. It is on until you say no."),
        ChoiceMode::Objection => {
            format!(
                "Your employer records {what}, {purpose}. You can object, and say why: it stops until you have an answer."
            )
        }
        ChoiceMode::Mandatory => format!("Your employer records {what}, {purpose}. You cannot refuse this."),
    }
}

fn lasts(content: &ProcessingContent, mode: ChoiceMode) -> String {
    match (mode, content.consent_validity.as_deref()) {
        (ChoiceMode::OptIn, Some(validity)) => format!(
            "A yes counts for {}; then you are asked again, and without an answer it is off. A no counts until you take it back.",
            times::duration(validity)
        ),
        (ChoiceMode::OptIn, None) => {
            "Until you change it. A yes counts only as long as the notice and what is declared stay the same; a no stays a no.".into()
        }
        (ChoiceMode::OptOut, _) => "Until you change it. A no stays a no, whatever changes.".into(),
        (ChoiceMode::Objection, _) => "Until you take it back, or your employer overrides it with reasons.".into(),
        (ChoiceMode::Mandatory, _) => String::new(),
    }
}

fn objecting(content: &ProcessingContent, mode: ChoiceMode, audience: &Audience) -> Vec<String> {
    let by_law = model::may_object(content);
    if mode != ChoiceMode::Objection && !(mode == ChoiceMode::Mandatory && by_law) {
        return Vec::new();
    }
    let is_gdpr = Jurisdiction::find(&audience.jurisdiction).is_some_and(|law| law.data_law.contains("GDPR"));
    let mut list = vec![
        "It stops for you as soon as you object, and stays off until you have an answer.".into(),
        if is_gdpr {
            "Your employer must answer within one month (GDPR Art. 12(3)). It may go on only for compelling legitimate grounds, which it must show (Art. 21(1)).".into()
        } else {
            "Your employer is asked to answer within one month, with reasons.".to_owned()
        },
        "HR reads your reasons and answers them, from the day after on; representatives read along, without your name at any rate. To HR your name is shown only if you say so below; without it HR reads what you wrote, and for what, and not who wrote it. Details in your reasons can still give you away.".into(),
        "You can take the objection back at any time.".into(),
    ];
    if let Some(contact) = &content.objection_contact {
        list.push(format!("If you would rather talk to somebody: {contact}."));
    }
    list
}

fn because(content: &ProcessingContent, mode: ChoiceMode, audience: &Audience) -> Vec<String> {
    let mut list = Vec::new();
    if Some(mode) != content.choice_mode {
        list.push(match Jurisdiction::find(&audience.jurisdiction) {
            Some(law) => format!("In {} this needs your yes first ({}).", law.name, law.citation),
            None => "No law is known for where you work, so this needs your yes first.".into(),
        });
    }
    if mode == ChoiceMode::Mandatory {
        let given = content.mandatory.clone().unwrap_or_default();
        list.push(format!("Because: {} ({}).", content.necessity.trim_end_matches('.'), given.citation));
        if let Some(basis) = content.legal_basis {
            list.push(format!("Legal basis: {}.", basis.words()));
        }
        list.push(format!("Ask {}.", given.contact));
        if let Some(day) = given.review_date {
            list.push(format!("Your employer looks at it again by {}.", times::day(day)));
        }
    }
    if model::may_object(content) && mode == ChoiceMode::Mandatory {
        list.push("You can object all the same, for reasons of your own situation (GDPR Art. 21(1)): it stops until your employer has answered with reasons.".into());
    }
    list
}

fn refusing(content: &ProcessingContent, mode: ChoiceMode) -> Vec<String> {
    let mut list = Vec::new();
    match &content.refusal_effect {
        Some(words) => list.push(format!("Your employer says: {words}")),
        None if mode == ChoiceMode::Mandatory => {}
        None if mode == ChoiceMode::Objection => {
            list.push("Your employer hasn’t said what an objection leads to. Ask, if in doubt.".into());
        }
        None => list.push("Your employer hasn’t said what a no leads to. Ask, if in doubt.".into()),
    }
    if content.legal_basis == Some(LegalBasis::Consent) {
        list.push("A no must bring you no disadvantage, or a yes wouldn’t be free (GDPR Art. 7(4), recitals 42 and 43).".into());
    }
    list
}

fn already_taken(content: &ProcessingContent) -> Vec<String> {
    let mut list = Vec::new();
    match &content.after_withdrawal {
        Some(words) => list.push(format!("Your employer says: {words}")),
        None => list.push(format!(
            "What was collected before stays for up to {}, as declared; your employer says nothing else.",
            times::duration(&content.retention)
        )),
    }
    if content.purpose.id() == "ai:ModelTraining" {
        list.push("What a model has learned can’t be taken out by stopping; only training it again without your data does that.".into());
    }
    if content.legal_basis == Some(LegalBasis::Consent) {
        list.push("Taking a yes back counts from then on (GDPR Art. 7(3)); you can ask for what was collected to be erased (Art. 17(1)(b)).".into());
    }
    list
}
