//! What a field may look like at all, in a draft too.

use super::model::{Frequency, ProcessingContent};
use super::taxonomy::{Jurisdiction, country_name};
use crate::error::FieldErrors;

/// The longest text of a field, in characters.
pub const TEXT_LIMIT: usize = 4000;

/// What would be wrong in a draft too.
pub fn check_shape(content: &ProcessingContent, errors: &mut FieldErrors) {
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
        ("refusal_effect", content.refusal_effect.as_deref().unwrap_or("")),
        ("after_withdrawal", content.after_withdrawal.as_deref().unwrap_or("")),
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
    if content.consent_validity.as_deref().is_some_and(|v| !is_positive_duration(v)) {
        errors.add(
            "consent_validity",
            "Write the time as an ISO 8601 duration, such as P1Y, or leave it empty.",
        );
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

/// Whether the text is an ISO 8601 duration that isn't negative.
fn is_duration(text: &str) -> bool {
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
