//! The declaration as a form: reading what was typed, and filling it in again.

use super::model::*;
use super::rules::validate;
use super::shape::is_host;
use super::taxonomy::{Category, Jurisdiction, Purpose, countries};
use crate::catalogue::{self, Product};
use crate::clock::Day;
use crate::error::FieldErrors;
use crate::web::Submitted;

type Options = Vec<(String, String)>;

/// What a draft said, or every mistake that keeps it from being stored.
pub fn read(submitted: &Submitted) -> Result<ProcessingContent, FieldErrors> {
    let mut errors = FieldErrors::default();
    let category = Category::parse(submitted.text("category"));
    if category.is_none() {
        errors.add("category", "Choose what kind of data it is.");
    }
    let purpose = Purpose::parse(submitted.text("purpose"));
    if purpose.is_none() {
        errors.add("purpose", "Choose what it is for (GDPR Art. 13(1)(c)).");
    }
    let mut content = ProcessingContent::new(
        category.unwrap_or_else(Category::unknown),
        purpose.or_else(|| Purpose::all().next()).expect("the table isn't empty"),
        submitted.text("source_name"),
    );
    read_what(submitted, &mut content, &mut errors);
    read_rest(submitted, &mut content, &mut errors);
    read_choice(submitted, &mut content, &mut errors);
    for error in validate(&content, false).iter() {
        if errors.of(&error.field).is_none() {
            errors.add(error.field.clone(), error.message.clone());
        }
    }
    if errors.is_empty() { Ok(content) } else { Err(errors) }
}

/// A choice from a select; an empty one is none, an unknown one a mistake.
fn chosen<T>(
    submitted: &Submitted,
    name: &'static str,
    parse: fn(&str) -> Option<T>,
    errors: &mut FieldErrors,
) -> Option<T> {
    let value = submitted.optional(name).map(parse);
    if matches!(value, Some(None)) {
        errors.add(name, "Choose from the list.");
    }
    value.flatten()
}

fn date(submitted: &Submitted, name: &'static str, errors: &mut FieldErrors) -> Option<Day> {
    let text = submitted.optional(name)?;
    let day = text.parse::<jiff::civil::Date>().ok();
    if day.is_none() {
        errors.add(name, "Write the day as 2027-01-31.");
    }
    day.map(Day::from)
}

fn owned(submitted: &Submitted, name: &str) -> Option<String> {
    submitted.optional(name).map(str::to_owned)
}

fn read_what(submitted: &Submitted, content: &mut ProcessingContent, errors: &mut FieldErrors) {
    content.source.vendor = submitted.text("source_vendor").into();
    content.source.version = owned(submitted, "source_version");
    content.fields = submitted.text("fields").into();
    content.granularity = chosen(submitted, "granularity", Granularity::parse, errors);
    content.visibility = chosen(submitted, "visibility", Visibility::parse, errors);
    content.frequency = match submitted.text("frequency") {
        "continuous" => Some(Frequency::Continuous),
        "on_event" => Some(Frequency::OnEvent),
        "periodic" => Some(Frequency::Periodic { every: submitted.text("frequency_every").into() }),
        _ => None,
    };
    if let Some(text) = submitted.optional("max_per_day") {
        content.max_per_day = text.replace([',', ' '], "").parse().ok();
        if content.max_per_day.is_none() {
            errors.add("max_per_day", "Write a whole number, or leave it empty.");
        }
    }
}

fn read_rest(submitted: &Submitted, content: &mut ProcessingContent, errors: &mut FieldErrors) {
    content.legal_basis = chosen(submitted, "legal_basis", LegalBasis::parse, errors);
    content.necessity = submitted.text("necessity").into();
    content.emotion_exception = chosen(submitted, "emotion_exception", EmotionException::parse, errors);
    content.dpia_url = owned(submitted, "dpia_url");
    for (index, line) in submitted.raw("recipients").lines().enumerate().filter(|(_, l)| !l.trim().is_empty())
    {
        match read_recipient(line) {
            Ok(recipient) => content.recipients.push(recipient),
            Err(problem) => errors.add("recipients", format!("Line {}: {problem}", index + 1)),
        }
    }
    content.storage_location = submitted.text("storage_location").into();
    content.retention = submitted.text("retention").to_uppercase();
    content.transfer_safeguard = owned(submitted, "transfer_safeguard");
    content.works_agreement_url = owned(submitted, "works_agreement_url");
    content.notice_given_on = date(submitted, "notice_given_on", errors);
    content.jurisdictions = submitted.all("jurisdictions").map(str::to_owned).collect();
    content.departments = submitted.all("departments").filter_map(|id| id.parse().ok()).collect();
}

fn read_choice(submitted: &Submitted, content: &mut ProcessingContent, errors: &mut FieldErrors) {
    content.choice_mode = chosen(submitted, "choice_mode", ChoiceMode::parse, errors);
    content.objection_contact = owned(submitted, "objection_contact");
    content.consent_validity = owned(submitted, "consent_validity").map(|v| v.to_uppercase());
    content.refusal_effect = owned(submitted, "refusal_effect");
    content.after_withdrawal = owned(submitted, "after_withdrawal");
    let mandatory = Mandatory {
        citation: submitted.text("mandatory_citation").into(),
        contact: submitted.text("mandatory_contact").into(),
        review_date: date(submitted, "mandatory_review_date", errors),
    };
    content.mandatory = Some(mandatory).filter(|m| *m != Mandatory::default());
}

/// One line `name | kind | country | host`; the host may be left out.
fn read_recipient(line: &str) -> Result<Recipient, String> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [name, kind, country, rest @ ..] = cells.as_slice() else {
        return Err("write name | kind | country | host.".into());
    };
    if name.is_empty() || rest.len() > 1 {
        return Err("write name | kind | country | host, with a name and at most one host.".into());
    }
    let kind = RecipientKind::parse(&kind.to_lowercase().replace([' ', '-'], "_"))
        .ok_or("the kind is internal, processor or third_party.")?;
    let country = countries()
        .find(|(code, name)| code.eq_ignore_ascii_case(country) || name.eq_ignore_ascii_case(country))
        .ok_or("the country is two letters, such as DE, or its English name.")?;
    let host = rest.first().filter(|h| !h.is_empty()).map(|h| h.to_lowercase());
    if host.as_deref().is_some_and(|h| !is_host(h)) {
        return Err("the host is a name such as ingest.example.com, without https:// and path.".into());
    }
    Ok(Recipient { name: (*name).into(), kind, country: country.0.into(), host })
}

/// The declaration as the form would have sent it.
pub fn fill(content: &ProcessingContent, revision: i32) -> Submitted {
    let mut form = Submitted::default();
    let day = |d: &Option<Day>| d.map(|d| d.to_string()).unwrap_or_default();
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let mandatory = content.mandatory.clone().unwrap_or_default();
    let (frequency, every) = match &content.frequency {
        None => ("", String::new()),
        Some(Frequency::Continuous) => ("continuous", String::new()),
        Some(Frequency::OnEvent) => ("on_event", String::new()),
        Some(Frequency::Periodic { every }) => ("periodic", every.clone()),
    };
    let recipients: Vec<String> = content
        .recipients
        .iter()
        .map(|r| {
            format!("{} | {} | {} | {}", r.name, r.kind.id(), r.country, r.host.as_deref().unwrap_or(""))
        })
        .collect();
    for (name, value) in [
        ("revision", revision.to_string()),
        ("category", content.category.id().into()),
        ("purpose", content.purpose.id().into()),
        ("source_name", content.source.name.clone()),
        ("source_vendor", content.source.vendor.clone()),
        ("source_version", text(&content.source.version)),
        ("fields", content.fields.clone()),
        ("granularity", content.granularity.map_or("", |v| v.id()).into()),
        ("frequency", frequency.into()),
        ("frequency_every", every),
        ("max_per_day", content.max_per_day.map(|n| n.to_string()).unwrap_or_default()),
        ("visibility", content.visibility.map_or("", |v| v.id()).into()),
        ("legal_basis", content.legal_basis.map_or("", |v| v.id()).into()),
        ("necessity", content.necessity.clone()),
        ("emotion_exception", content.emotion_exception.map_or("", |v| v.id()).into()),
        ("dpia_url", text(&content.dpia_url)),
        ("recipients", recipients.join("\n")),
        ("storage_location", content.storage_location.clone()),
        ("retention", content.retention.clone()),
        ("transfer_safeguard", text(&content.transfer_safeguard)),
        ("works_agreement_url", text(&content.works_agreement_url)),
        ("notice_given_on", day(&content.notice_given_on)),
        ("choice_mode", content.choice_mode.map_or("", |v| v.id()).into()),
        ("objection_contact", text(&content.objection_contact)),
        ("consent_validity", text(&content.consent_validity)),
        ("refusal_effect", text(&content.refusal_effect)),
        ("after_withdrawal", text(&content.after_withdrawal)),
        ("mandatory_citation", mandatory.citation),
        ("mandatory_contact", mandatory.contact),
        ("mandatory_review_date", day(&mandatory.review_date)),
    ] {
        form.set(name, value);
    }
    content.jurisdictions.iter().for_each(|j| form.set("jurisdictions", j.as_str()));
    content.departments.iter().for_each(|d| form.set("departments", d.to_string()));
    form
}

/// What the form's lists offer.
pub struct Lists {
    pub categories: Options,
    pub purposes: Options,
    pub granularities: Options,
    pub frequencies: Options,
    pub visibilities: Options,
    pub bases: Options,
    pub exceptions: Options,
    pub countries: Options,
    pub choices: Options,
    pub jurisdictions: Options,
    pub departments: Options,
    /// Known products, as agents name them: suggestions, since any other name may be typed too.
    pub products: Vec<String>,
    /// The same with their names, to choose from.
    pub product_names: Options,
}

fn with_blank(blank: &str, rest: impl Iterator<Item = (String, String)>) -> Options {
    std::iter::once((String::new(), blank.to_owned())).chain(rest).collect()
}

impl Lists {
    pub fn new(departments: &[(uuid::Uuid, String)]) -> Self {
        let choose = "Choose…";
        let pair = |id: &str, words: &str| (id.to_owned(), words.to_owned());
        let places = Jurisdiction::all().iter().map(|j| match j.citation.as_str() {
            "" => pair(&j.code, &format!("{}. {}", j.name, j.words)),
            citation => pair(&j.code, &format!("{}. {} ({citation})", j.name, j.words)),
        });
        let frequencies = [
            pair("continuous", "all the time"),
            pair("periodic", "every so often"),
            pair("on_event", "when something happens"),
        ];
        Lists {
            categories: with_blank(
                choose,
                Category::all().filter(|c| *c != Category::unknown()).map(|c| {
                    pair(c.id(), &format!("{}: {} ({})", c.name(), c.words(), c.sensitivity_words()))
                }),
            ),
            purposes: with_blank(
                choose,
                Purpose::all().map(|p| pair(p.id(), &format!("{}: {}", p.name(), p.words()))),
            ),
            granularities: with_blank(choose, Granularity::ALL.iter().map(|v| pair(v.id(), v.words()))),
            frequencies: with_blank(choose, frequencies.into_iter()),
            visibilities: with_blank(choose, Visibility::ALL.iter().map(|v| pair(v.id(), v.words()))),
            bases: with_blank(choose, LegalBasis::ALL.iter().map(|v| pair(v.id(), v.words()))),
            exceptions: with_blank("none", EmotionException::ALL.iter().map(|v| pair(v.id(), v.words()))),
            countries: with_blank(choose, countries().map(|(code, name)| pair(code, name))),
            choices: with_blank(choose, ChoiceMode::ALL.iter().map(|v| pair(v.id(), v.words()))),
            jurisdictions: places.collect(),
            departments: departments.iter().map(|(id, name)| pair(&id.to_string(), name)).collect(),
            products: catalogue::all().iter().map(|p| p.id.clone()).collect(),
            product_names: with_blank(choose, catalogue::all().iter().map(|p| pair(&p.id, &p.name))),
        }
    }

    /// Puts what a known product can collect before all other kinds.
    pub fn offer_first(&mut self, product: &Product) {
        let blank = self.categories.remove(0);
        self.categories.sort_by_key(|(id, _)| !product.categories.contains(id));
        for (_, words) in self.categories.iter_mut().take_while(|(id, _)| product.categories.contains(id)) {
            words.insert_str(0, "It can collect: ");
        }
        self.categories.insert(0, blank);
    }
}

/// A form for a known product: what it is called and who makes it; what it can collect is one of several things.
pub fn of_product(product: &Product, category: &str) -> Submitted {
    let mut form = Submitted::default();
    form.set("product", product.id.as_str());
    form.set("source_name", product.id.as_str());
    form.set("source_vendor", product.vendor.as_str());
    match product.categories.as_slice() {
        [only] => form.set("category", only.as_str()),
        several if several.iter().any(|id| id == category) => form.set("category", category),
        _ => {}
    }
    form
}

#[cfg(test)]
mod tests {
    use super::super::rules_tests::complete;
    use super::*;

    #[test]
    fn what_was_filled_in_is_read_again() {
        let mut content = complete();
        content.frequency = Some(Frequency::Periodic { every: "PT10M".into() });
        content.max_per_day = Some(144);
        content.departments = vec![uuid::Uuid::from_u128(3)];
        content.consent_validity = Some("P1Y".into());
        content.refusal_effect = Some("None.".into());
        content.after_withdrawal = Some("Deleted within 30 days.".into());
        content.mandatory = Some(Mandatory {
            citation: "A law".into(),
            contact: "hr@example.com".into(),
            review_date: Some(jiff::civil::date(2027, 1, 31).into()),
        });
        assert_eq!(read(&fill(&content, 4)).unwrap(), content);
    }

    #[test]
    fn recipients_are_read_line_by_line() {
        let fine = read_recipient("Acme | third party | germany | Ingest.Example.com").unwrap();
        assert_eq!((fine.kind, fine.country.as_str()), (RecipientKind::ThirdParty, "DE"));
        assert_eq!(fine.host.as_deref(), Some("ingest.example.com"));
        let mut form = fill(&complete(), 1);
        form = [("recipients".to_owned(), "A | internal | DE\n\nB | friend | DE\nC | internal".to_owned())]
            .into_iter()
            .chain(["category", "purpose", "source_name"].map(|n| (n.to_owned(), form.text(n).to_owned())))
            .collect();
        let errors = read(&form).unwrap_err();
        let messages: Vec<&str> = errors.iter().map(|e| e.message.as_ref()).collect();
        assert!(messages[0].starts_with("Line 3: the kind"), "{messages:?}");
        assert!(messages[1].starts_with("Line 4: write name"), "{messages:?}");
    }
}
