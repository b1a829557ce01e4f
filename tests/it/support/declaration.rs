//! A declaration as a publisher fills it in.

/// What a publisher fills in for the EU, lacking nothing.
pub const COMPLETE: &[(&str, &str)] = &[
    ("category", "app.usage"),
    ("source_name", "acme-agent"),
    ("source_vendor", "Acme"),
    ("fields", "Name of the program in front"),
    ("granularity", "metadata"),
    ("frequency", "periodic"),
    ("frequency_every", "PT10M"),
    ("max_per_day", "144"),
    ("visibility", "visible"),
    ("purpose", "dpv:EnforceSecurity"),
    ("legal_basis", "eu-gdpr:A6-1-f"),
    ("necessity", "To notice harmful software"),
    ("recipients", "Acme Cloud | processor | IE | ingest.acme.example"),
    ("retention", "P30D"),
    ("storage_location", "IE"),
    ("jurisdictions", "EU"),
    ("choice_mode", "objection"),
    ("objection_contact", "privacy@example.com"),
];

/// The complete form with some fields changed; an empty value empties the field.
pub fn but<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = COMPLETE.iter().filter(|(name, _)| !changes.iter().any(|(n, _)| n == name)).copied();
    kept.chain(changes.iter().copied()).collect()
}
