//! Each demand of the law, one by one.

use super::model::*;
use super::rules::validate;
use super::taxonomy::{Category, Purpose};

/// A declaration that lacks nothing in the EU.
pub fn complete() -> ProcessingContent {
    let mut content = ProcessingContent::new(
        Category::parse("app.usage").unwrap(),
        Purpose::parse("dpv:EnforceSecurity").unwrap(),
        "acme-agent",
    );
    content.fields = "The program's name and how long its window is in front".into();
    content.granularity = Some(Granularity::Metadata);
    content.frequency = Some(Frequency::Continuous);
    content.visibility = Some(Visibility::Visible);
    content.legal_basis = Some(LegalBasis::LegitimateInterests);
    content.necessity = "To notice harmful software".into();
    content.recipients = vec![recipient("DE")];
    content.storage_location = "DE".into();
    content.retention = "P90D".into();
    content.choice_mode = Some(ChoiceMode::Objection);
    content.objection_contact = Some("privacy@example.com".into());
    content.jurisdictions = vec!["EU".into()];
    content
}

fn recipient(country: &str) -> Recipient {
    Recipient {
        name: "Security team".into(),
        kind: RecipientKind::Internal,
        country: country.into(),
        host: Some("ingest.example.com".into()),
    }
}

/// The message that a change of the complete declaration causes at `field`.
fn fault(field: &str, change: impl FnOnce(&mut ProcessingContent)) -> String {
    let mut content = complete();
    change(&mut content);
    let errors = validate(&content, true);
    errors.of(field).unwrap_or_else(|| panic!("no message at {field}, but {errors:?}")).to_owned()
}

#[track_caller]
fn demands(article: &str, field: &str, change: impl FnOnce(&mut ProcessingContent)) {
    let message = fault(field, change);
    assert!(message.contains(article), "{message:?} doesn't name {article}");
}

#[test]
fn a_complete_declaration_passes() {
    assert!(validate(&complete(), true).is_empty(), "{:?}", validate(&complete(), true));
}

#[test]
fn a_draft_needs_category_purpose_and_source_only() {
    let content =
        ProcessingContent::new(Category::unknown(), Purpose::parse("ai:ModelTraining").unwrap(), "x");
    assert!(validate(&content, false).is_empty());
    assert!(validate(&content, true).iter().count() >= 10);
    let nameless =
        ProcessingContent { source: Source { name: " /1".into(), ..content.source.clone() }, ..content };
    assert!(validate(&nameless, false).of("source_name").is_some());
}

#[test]
fn what_why_and_for_how_long_are_demanded_with_their_article() {
    demands("Art. 14(1)(d)", "category", |c| c.category = Category::unknown());
    demands("Art. 14(1)(d)", "fields", |c| c.fields.clear());
    demands("Art. 5(1)(c)", "granularity", |c| c.granularity = None);
    demands("Art. 5(1)(a)", "frequency", |c| c.frequency = None);
    demands("Art. 5(1)(a)", "visibility", |c| c.visibility = None);
    demands("Art. 13(1)(c)", "legal_basis", |c| c.legal_basis = None);
    demands("Art. 13(1)(d)", "necessity", |c| c.necessity.clear());
    demands("Art. 13(1)(e)", "recipients", |c| c.recipients.clear());
    demands("Art. 13(1)(f)", "storage_location", |c| c.storage_location.clear());
    demands("Art. 13(2)(a)", "retention", |c| c.retention.clear());
    demands("Art. 13(2)(b)", "choice_mode", |c| c.choice_mode = None);
    demands("Art. 5(1)(c)", "necessity", |c| {
        c.necessity.clear();
        c.legal_basis = Some(LegalBasis::Contract);
    });
}

#[test]
fn transfers_need_a_safeguard() {
    demands("Art. 13(1)(f)", "transfer_safeguard", |c| c.storage_location = "US".into());
    demands("United States", "transfer_safeguard", |c| c.recipients = vec![recipient("DE"), recipient("US")]);
    let mut content = complete();
    content.storage_location = "US".into();
    content.transfer_safeguard = Some("Standard contractual clauses".into());
    assert!(validate(&content, true).is_empty());
    content = complete();
    content.jurisdictions = vec!["GB".into()];
    content.storage_location = "GB".into();
    assert!(validate(&content, true).is_empty(), "the United Kingdom isn't abroad for itself");
    content.retention.clear();
    assert!(validate(&content, true).of("retention").unwrap().contains("UK GDPR Art. 13(2)(a)"));
}

#[test]
fn choices_follow_the_basis() {
    demands("Art. 4(11) and 7", "choice_mode", |c| c.legal_basis = Some(LegalBasis::Consent));
    demands("Art. 21(4)", "objection_contact", |c| c.objection_contact = None);
    let mandatory = |c: &mut ProcessingContent| {
        c.choice_mode = Some(ChoiceMode::Mandatory);
        c.objection_contact = None;
    };
    demands("can't be mandatory without a way to object", "objection_contact", mandatory);
    demands("cite the law", "mandatory_citation", mandatory);
    demands("whom to ask", "mandatory_contact", mandatory);
    demands("look at it again", "mandatory_review_date", mandatory);
    demands("Nobody can refuse this", "necessity", |c| {
        mandatory(c);
        c.legal_basis = Some(LegalBasis::LegalObligation);
        c.necessity.clear();
    });
    demands("BIPA", "choice_mode", |c| {
        c.category = Category::parse("biometric").unwrap();
        c.jurisdictions = vec!["US-IL".into()];
    });
}

#[test]
fn severe_kinds_need_an_impact_assessment_and_emotion_an_exception() {
    demands("Art. 35", "dpia_url", |c| c.category = Category::parse("screen.image").unwrap());
    let emotion = |c: &mut ProcessingContent| c.category = Category::parse("derived.emotion").unwrap();
    demands("AI Act Art. 5(1)(f)", "emotion_exception", emotion);
    let mut content = complete();
    emotion(&mut content);
    content.dpia_url = Some("https://intranet.example/dpia".into());
    content.emotion_exception = Some(EmotionException::Safety);
    assert!(validate(&content, true).is_empty());
    content.emotion_exception = None;
    content.jurisdictions = vec!["US-NY".into()];
    assert!(validate(&content, true).is_empty(), "the AI Act doesn't reach New York");
}

#[test]
fn places_bring_their_own_rules() {
    demands("Say whose law", "jurisdictions", |c| c.jurisdictions.clear());
    demands("BetrVG §87(1) 6", "works_agreement_url", |c| c.jurisdictions = vec!["DE".into()]);
    demands("14 days", "notice_given_on", |c| c.jurisdictions = vec!["AU-NSW".into()]);
    let mut content = complete();
    content.jurisdictions = vec!["US-NY".into()];
    content.legal_basis = None;
    content.objection_contact = None;
    content.choice_mode = Some(ChoiceMode::OptOut);
    assert!(validate(&content, true).is_empty(), "a legal basis is the GDPR's notion");
}

#[test]
fn what_is_written_wrong_stops_a_draft_too() {
    let cases: [(&str, fn(&mut ProcessingContent)); 8] = [
        ("retention", |c| c.retention = "90 days".into()),
        ("retention", |c| c.retention = "-P9D".into()),
        ("frequency_every", |c| c.frequency = Some(Frequency::Periodic { every: "PT0S".into() })),
        ("max_per_day", |c| c.max_per_day = Some(0)),
        ("storage_location", |c| c.storage_location = "ZZ".into()),
        ("dpia_url", |c| c.dpia_url = Some("javascript:alert(1)".into())),
        ("recipients", |c| c.recipients[0].host = Some("https://a.example/x".into())),
        ("jurisdictions", |c| c.jurisdictions = vec!["MARS".into()]),
    ];
    for (field, change) in cases {
        let mut content = complete();
        change(&mut content);
        assert!(validate(&content, false).of(field).is_some(), "{field}");
    }
}
