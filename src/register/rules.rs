//! What a declaration must say, and which article asks for it.
//!
//! What differs by place is data (`jurisdictions.csv`); what is written here is the GDPR's own structure.
//! These are facts about the law as of 2026 that help to fill in a form, not legal advice.

use super::model::{ChoiceMode, Frequency, LegalBasis, ProcessingContent};
use super::taxonomy::{Category, Jurisdiction, country_name, is_in_eea};
use crate::error::FieldErrors;

/// The longest text of a field, in characters.
pub const TEXT_LIMIT: usize = 4000;

/// From this sensitivity on, an impact assessment is demanded where GDPR Art. 35 applies.
const DPIA_FROM: u8 = 4;

/// Checks a declaration. A draft is checked for what would be wrong in any case; `for_activation` adds all
/// that is still missing. Fields are named as in the form.
pub fn validate(content: &ProcessingContent, for_activation: bool) -> FieldErrors {
    let mut errors = FieldErrors::default();
    check_shape(content, &mut errors);
    if for_activation {
        let law = Law::of(content);
        check_what(content, &mut errors);
        check_why(content, &law, &mut errors);
        check_recipients(content, &law, &mut errors);
        check_choice(content, &law, &mut errors);
        check_place(content, &law, &mut errors);
    }
    errors
}

/// The rules of the places that a declaration is about.
pub struct Law {
    places: Vec<&'static Jurisdiction>,
    /// How the data protection law is called there; the GDPR is the measure where there is none.
    name: &'static str,
}

impl Law {
    pub fn of(content: &ProcessingContent) -> Self {
        let places: Vec<_> =
            content.jurisdictions.iter().filter_map(|code| Jurisdiction::find(code)).collect();
        let known = |name: &str| places.iter().any(|j| j.data_law == name);
        let name = if known("UK GDPR") && !known("GDPR") { "UK GDPR" } else { "GDPR" };
        Law { places, name }
    }

    /// Whether a GDPR applies; also while no place is chosen yet.
    fn is_gdpr(&self) -> bool {
        self.places.is_empty() || self.places.iter().any(|j| !j.data_law.is_empty())
    }

    /// The place that demands the representatives' agreement.
    pub fn agreement(&self) -> Option<&'static Jurisdiction> {
        self.places.iter().find(|j| j.agreement_before_activation).copied()
    }

    /// The place that demands that the representatives have answered.
    pub fn consultation(&self) -> Option<&'static Jurisdiction> {
        self.places.iter().find(|j| j.consultation_before_activation).copied()
    }

    /// The place with the longest time between notice and activation.
    pub fn notice(&self) -> Option<&'static Jurisdiction> {
        self.places
            .iter()
            .filter(|j| j.minimum_notice_days > 0)
            .max_by_key(|j| j.minimum_notice_days)
            .copied()
    }
}

/// What would be wrong in a draft too.
fn check_shape(content: &ProcessingContent, errors: &mut FieldErrors) {
    if content.source.key().is_empty() {
        errors.add("source_name", "Name the program that records, as it names itself.");
    }
    for (field, text) in [
        ("source_name", content.source.name.as_str()),
        ("source_vendor", &content.source.vendor),
        ("fields", &content.fields),
        ("necessity", &content.necessity),
        ("transfer_safeguard", content.transfer_safeguard.as_deref().unwrap_or("")),
        ("objection_contact", content.objection_contact.as_deref().unwrap_or("")),
    ] {
        if text.chars().count() > TEXT_LIMIT {
            errors.add(field, format!("Use at most {TEXT_LIMIT} characters."));
        }
    }
    if let Some(Frequency::Periodic { every }) = &content.frequency
        && !is_positive_duration(every)
    {
        errors
            .add("frequency_every", "Say how often as an ISO 8601 duration, such as PT10M for ten minutes.");
    }
    if content.max_per_day == Some(0) {
        errors.add("max_per_day", "At most no record a day means that nothing is recorded; leave it empty.");
    }
    if !content.storage_location.is_empty() && country_name(&content.storage_location).is_none() {
        errors.add("storage_location", "Choose a country.");
    }
    if !content.retention.is_empty() && !is_duration(&content.retention) {
        errors.add("retention", "Write the time as an ISO 8601 duration, such as P90D, P6M or P1Y.");
    }
    for (field, url) in
        [("dpia_url", &content.dpia_url), ("works_agreement_url", &content.works_agreement_url)]
    {
        if url.as_deref().is_some_and(|u| !is_web_address(u)) {
            errors.add(field, "Write a full web address that begins with https:// or http://.");
        }
    }
    for recipient in &content.recipients {
        if recipient.name.is_empty() || country_name(&recipient.country).is_none() {
            errors.add("recipients", "Each recipient has a name and a country (two letters, such as DE).");
        }
        if recipient.host.as_deref().is_some_and(|h| !is_host(h)) {
            errors
                .add("recipients", "A host is a name such as ingest.example.com, without https:// and path.");
        }
    }
    if content.jurisdictions.iter().any(|code| Jurisdiction::find(code).is_none()) {
        errors.add("jurisdictions", "Choose places from the list.");
    }
}

fn check_what(content: &ProcessingContent, errors: &mut FieldErrors) {
    if content.category == Category::unknown() {
        errors.add(
            "category",
            "Say what kind of data it is (GDPR Art. 14(1)(d)); “not recognised” is only for what agents report.",
        );
    }
    if content.fields.is_empty() {
        errors.add("fields", "Say what exactly is recorded (GDPR Art. 14(1)(d), Art. 30(1)(c)).");
    }
    if content.granularity.is_none() {
        errors.add("granularity", "Say how deep it goes (GDPR Art. 5(1)(c), data minimisation).");
    }
    if content.frequency.is_none() {
        errors.add("frequency", "Say when it records (GDPR Art. 5(1)(a), transparency).");
    }
    if content.visibility.is_none() {
        errors
            .add("visibility", "Say whether people can see that it runs (GDPR Art. 5(1)(a), transparency).");
    }
}

fn check_why(content: &ProcessingContent, law: &Law, errors: &mut FieldErrors) {
    let gdpr = law.name;
    if law.is_gdpr() && content.legal_basis.is_none() {
        errors.add("legal_basis", format!("Choose the legal basis of the purpose ({gdpr} Art. 13(1)(c))."));
    }
    if content.necessity.is_empty() {
        errors.add("necessity", necessity_words(content, gdpr));
    }
    if law.is_gdpr() && content.category.sensitivity() >= DPIA_FROM && content.dpia_url.is_none() {
        let words = format!(
            "This category is {}: link the data protection impact assessment ({gdpr} Art. 35).",
            content.category.sensitivity_words()
        );
        errors.add("dpia_url", words);
    }
    let emotion = Category::parse("derived.emotion");
    let banned = law.places.is_empty() || law.places.iter().any(|j| j.ai_act);
    if Some(content.category) == emotion && banned && content.emotion_exception.is_none() {
        errors.add(
            "emotion_exception",
            "Guessing emotions at work is forbidden in the EU except for medical or safety reasons \
             (AI Act Art. 5(1)(f)).",
        );
    }
}

fn necessity_words(content: &ProcessingContent, gdpr: &str) -> String {
    if content.choice_mode == Some(ChoiceMode::Mandatory) {
        format!("Nobody can refuse this: say why it is needed ({gdpr} Art. 13(2)(e)).")
    } else if content.emotion_exception.is_some() {
        "Say which medical or safety reason it is (AI Act Art. 5(1)(f)).".into()
    } else if content.legal_basis == Some(LegalBasis::LegitimateInterests) {
        format!("Say which legitimate interests, and why they need this ({gdpr} Art. 13(1)(d)).")
    } else {
        format!("Say why it is needed ({gdpr} Art. 5(1)(c)).")
    }
}

fn check_recipients(content: &ProcessingContent, law: &Law, errors: &mut FieldErrors) {
    let gdpr = law.name;
    if content.recipients.is_empty() {
        let words =
            format!("Name everybody who gets the data, also within the organisation ({gdpr} Art. 13(1)(e)).");
        errors.add("recipients", words);
    }
    if content.storage_location.is_empty() {
        errors.add("storage_location", format!("Say in which country it is stored ({gdpr} Art. 13(1)(f))."));
    }
    if content.retention.is_empty() {
        errors.add("retention", format!("Say how long it is kept ({gdpr} Art. 13(2)(a))."));
    }
    if law.is_gdpr() && content.transfer_safeguard.is_none() {
        let home = |code: &str| is_in_eea(code) || (gdpr == "UK GDPR" && code == "GB");
        let abroad = std::iter::once(content.storage_location.as_str())
            .chain(content.recipients.iter().map(|r| r.country.as_str()))
            .find(|code| !code.is_empty() && !home(code));
        if let Some(country) = abroad.and_then(country_name) {
            let area = if gdpr == "UK GDPR" { "the United Kingdom and the EEA" } else { "the EEA" };
            let words = format!(
                "Data goes to {country}, outside {area}: say what protects it there, such as an adequacy \
                 decision or standard contractual clauses ({gdpr} Art. 13(1)(f))."
            );
            errors.add("transfer_safeguard", words);
        }
    }
}

fn check_choice(content: &ProcessingContent, law: &Law, errors: &mut FieldErrors) {
    let gdpr = law.name;
    let Some(mode) = content.choice_mode else {
        errors.add("choice_mode", format!("Say what choice people have ({gdpr} Art. 13(2)(b) and (c))."));
        return;
    };
    let basis = content.legal_basis;
    if basis == Some(LegalBasis::Consent) && mode != ChoiceMode::OptIn {
        errors.add(
            "choice_mode",
            format!("Consent is a clear yes: with it nothing starts before somebody opts in ({gdpr} Art. 4(11) and 7)."),
        );
    }
    let may_object = matches!(basis, Some(LegalBasis::LegitimateInterests | LegalBasis::PublicTask));
    if (may_object || mode == ChoiceMode::Objection) && content.objection_contact.is_none() {
        let words = if mode == ChoiceMode::Mandatory {
            format!(
                "Legitimate interests can't be mandatory without a way to object ({gdpr} Art. 21(1) and (4))."
            )
        } else {
            format!("Say how people object, clearly and apart from the rest ({gdpr} Art. 21(4)).")
        };
        errors.add("objection_contact", words);
    }
    if let Some(place) = law.places.iter().find(|j| j.needs_opt_in(content.category))
        && mode != ChoiceMode::OptIn
    {
        let words =
            format!("In {} this needs each person's own release first ({}).", place.name, place.citation);
        errors.add("choice_mode", words);
    }
    if mode == ChoiceMode::Mandatory {
        check_mandatory(content, gdpr, errors);
    }
}

fn check_mandatory(content: &ProcessingContent, gdpr: &str, errors: &mut FieldErrors) {
    let given = content.mandatory.clone().unwrap_or_default();
    if given.citation.is_empty() {
        let words = format!(
            "Nobody can refuse this: cite the law or agreement that demands it ({gdpr} Art. 13(2)(e))."
        );
        errors.add("mandatory_citation", words);
    }
    if given.contact.is_empty() {
        let words =
            format!("Nobody can refuse this: say whom to ask about it ({gdpr} Art. 13(1)(a) and (b)).");
        errors.add("mandatory_contact", words);
    }
    if given.review_date.is_none() {
        let words = format!("Nobody can refuse this: say when you look at it again ({gdpr} Art. 24(1)).");
        errors.add("mandatory_review_date", words);
    }
}

fn check_place(content: &ProcessingContent, law: &Law, errors: &mut FieldErrors) {
    if content.jurisdictions.is_empty() {
        errors.add(
            "jurisdictions",
            "Say whose law applies: it decides who is covered, and what you must do first.",
        );
    }
    if let Some(place) = law.agreement()
        && content.works_agreement_url.is_none()
    {
        let words = format!(
            "In {} this needs the works council's agreement first ({}): link the works agreement.",
            place.name, place.citation
        );
        errors.add("works_agreement_url", words);
    }
    if let Some(place) = law.notice()
        && content.notice_given_on.is_none()
    {
        let words = format!(
            "In {} workers are told {} days before ({}): say when they were told.",
            place.name, place.minimum_notice_days, place.citation
        );
        errors.add("notice_given_on", words);
    }
}

/// Whether the text is an ISO 8601 duration that isn't negative.
pub fn is_duration(text: &str) -> bool {
    text.starts_with('P') && text.parse::<jiff::Span>().is_ok_and(|span| !span.is_negative())
}

fn is_positive_duration(text: &str) -> bool {
    is_duration(text) && text.parse::<jiff::Span>().is_ok_and(|span| !span.is_zero())
}

/// Links are shown to everybody: nothing but the web's own schemes.
fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|r| !r.is_empty() && !r.starts_with('/'))
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Whether the text is a host name or an address, without scheme, port and path.
pub fn is_host(text: &str) -> bool {
    let label =
        |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    text.parse::<std::net::IpAddr>().is_ok() || (text.len() <= 253 && text.split('.').all(label))
}
