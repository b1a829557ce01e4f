//! What the example's employer declares: most of what its agents do, not all of it.

use uuid::Uuid;

use super::people::Staff;
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::error::Result;
use crate::register::actions;
use crate::register::{
    Category, ChoiceMode, Frequency, Granularity, LegalBasis, Mandatory, ProcessingContent, Purpose,
    Recipient, RecipientKind, Visibility,
};

struct Plan {
    category: &'static str,
    purpose: &'static str,
    source: (&'static str, &'static str),
    fields: &'static str,
    granularity: Granularity,
    basis: LegalBasis,
    necessity: &'static str,
    recipient: (&'static str, RecipientKind, &'static str, Option<&'static str>),
    retention: &'static str,
    choice: ChoiceMode,
}

const ACTIVITYWATCH: (&str, &str) = ("activitywatch", "ActivityWatch project");
const ACME: (&str, &str) = ("acme-monitor", "Acme Insight GmbH");
const OWN: (&str, RecipientKind, &str, Option<&str>) = ("IT department", RecipientKind::Internal, "DE", None);
const VENDOR: (&str, RecipientKind, &str, Option<&str>) =
    ("Acme Insight GmbH", RecipientKind::Processor, "DE", Some("collector.acme.example"));

/// The plan that is changed later: keys pressed.
pub const CHANGED: usize = 2;
const WHY: &str = "Shift planning compares three months.";

const PLANS: [Plan; 8] = [
    Plan {
        category: "app.usage",
        purpose: "dpv:EnforceSecurity",
        source: ACTIVITYWATCH,
        fields: "The name of the program in front, and for how long.",
        granularity: Granularity::Metadata,
        basis: LegalBasis::LegitimateInterests,
        necessity: "To find programs that are not approved, before they open a way into the network.",
        recipient: OWN,
        retention: "P90D",
        choice: ChoiceMode::Objection,
    },
    Plan {
        category: "presence",
        purpose: "daylight:Attendance",
        source: ACTIVITYWATCH,
        fields: "Whether keyboard or mouse were used in the last minutes.",
        granularity: Granularity::Metadata,
        basis: LegalBasis::LegalObligation,
        necessity: "Working hours must be recorded (ArbZG §16(2)).",
        recipient: ("Payroll", RecipientKind::Internal, "DE", None),
        retention: "P2Y",
        choice: ChoiceMode::Mandatory,
    },
    Plan {
        category: "input.key_counts",
        purpose: "dpv:PersonnelPerformanceMonitoring",
        source: ACTIVITYWATCH,
        fields: "How many keys are pressed in a minute; never which.",
        granularity: Granularity::Count,
        basis: LegalBasis::LegitimateInterests,
        necessity: "To plan shifts by workload.",
        recipient: OWN,
        retention: "P30D",
        choice: ChoiceMode::Objection,
    },
    Plan {
        category: "web.domains",
        purpose: "dpv:EnforceSecurity",
        source: ACME,
        fields: "The domain of each site visited, such as example.org; no page and no search.",
        granularity: Granularity::Metadata,
        basis: LegalBasis::LegitimateInterests,
        necessity: "To block sites known for fraud.",
        recipient: VENDOR,
        retention: "P30D",
        choice: ChoiceMode::Objection,
    },
    Plan {
        category: "device.inventory",
        purpose: "dpv:EnforceSecurity",
        source: ACME,
        fields: "Names and versions of installed programs.",
        granularity: Granularity::Metadata,
        basis: LegalBasis::LegitimateInterests,
        necessity: "To install security updates.",
        recipient: VENDOR,
        retention: "P1Y",
        choice: ChoiceMode::OptOut,
    },
    Plan {
        category: "ai.prompt_meta",
        purpose: "ai:ModelTraining",
        source: ACME,
        fields: "Length, model and cost of each request to an AI assistant.",
        granularity: Granularity::Metadata,
        basis: LegalBasis::Consent,
        necessity: "To train a model that predicts the assistant's cost.",
        recipient: VENDOR,
        retention: "P180D",
        choice: ChoiceMode::OptIn,
    },
    Plan {
        category: "location.network",
        purpose: "daylight:Attendance",
        source: ACTIVITYWATCH,
        fields: "Whether the computer is in the office network; no address and no place.",
        granularity: Granularity::Metadata,
        basis: LegalBasis::Consent,
        necessity: "To plan how many desks are needed.",
        recipient: OWN,
        retention: "P30D",
        choice: ChoiceMode::OptIn,
    },
    Plan {
        category: "app.usage",
        purpose: "ai:ModelTraining",
        source: ACTIVITYWATCH,
        fields: "The name of the program in front, and which one came before it.",
        granularity: Granularity::Metadata,
        basis: LegalBasis::Consent,
        necessity: "To train a model that suggests the next program to open.",
        recipient: OWN,
        retention: "P90D",
        choice: ChoiceMode::OptIn,
    },
];

/// What people who are asked for a yes are told of it.
fn say_what_follows(content: &mut ProcessingContent) {
    content.consent_validity = Some("P1Y".into());
    content.refusal_effect =
        Some("Nothing. Nobody is told who said no, and nobody is treated differently for it.".into());
    content.after_withdrawal = Some(match content.purpose.id() {
        "ai:ModelTraining" => {
            "Your records are taken out of the training data within 30 days. Models trained before keep what they learned until they are replaced, every three months.".into()
        }
        _ => "It is deleted within 30 days.".to_owned(),
    });
}

fn content_of(plan: &Plan, day: Day) -> Result<ProcessingContent> {
    let (Some(category), Some(purpose)) = (Category::parse(plan.category), Purpose::parse(plan.purpose))
    else {
        return Err(anyhow::anyhow!("{} or {} isn't in the taxonomy", plan.category, plan.purpose).into());
    };
    let mut c = ProcessingContent::new(category, purpose, plan.source.0);
    c.source.vendor = plan.source.1.into();
    c.fields = plan.fields.into();
    c.granularity = Some(plan.granularity);
    c.frequency = Some(Frequency::Continuous);
    c.visibility = Some(Visibility::Visible);
    c.legal_basis = Some(plan.basis);
    c.necessity = plan.necessity.into();
    let (name, kind, country, host) = plan.recipient;
    c.recipients =
        vec![Recipient { name: name.into(), kind, country: country.into(), host: host.map(Into::into) }];
    c.storage_location = "DE".into();
    c.retention = plan.retention.into();
    c.dpia_url = Some("https://intranet.demo.example/dpia/monitoring".into());
    c.works_agreement_url = Some("https://intranet.demo.example/works-agreement-it".into());
    c.choice_mode = Some(plan.choice);
    if plan.choice == ChoiceMode::Mandatory {
        c.mandatory = Some(Mandatory {
            citation: "ArbZG §16(2)".into(),
            contact: "payroll@demo.example".into(),
            review_date: Some(day.plus_days(365)),
        });
    }
    if plan.choice == ChoiceMode::OptIn {
        say_what_follows(&mut c);
    }
    if plan.choice == ChoiceMode::OptOut {
        c.refusal_effect = Some("Updates are installed by hand, at a time that you agree with IT.".into());
    }
    c.objection_contact = Some("privacy@demo.example".into());
    c.notice_given_on = Some(day);
    c.jurisdictions = vec!["DE".into(), "AT".into()];
    Ok(c)
}

/// A processing of the example: its id, its newest revision, and what it says.
pub type Declared = (Uuid, i32, ProcessingContent);

/// Declares, proposes, lets the representative answer, activates.
pub async fn declare(state: &AppState, staff: &Staff) -> Result<Vec<Declared>> {
    let day = state.clock.now().day(&state.config.time_zone);
    let (hr, rep) = (&staff.publisher, &staff.representative);
    let mut made = Vec::new();
    for plan in &PLANS {
        let content = content_of(plan, day)?;
        let id = actions::create_draft(state, hr, &content).await?;
        state.clock.advance(1800);
        let revision = actions::propose(state, hr, id, 1).await?;
        state.clock.advance(1800);
        let revision =
            actions::answer(state, rep, id, revision, true, "Agreed, as in the works agreement.").await?;
        let revision = actions::activate(state, hr, id, revision).await?;
        made.push((id, revision, content));
    }
    Ok(made)
}

/// A longer retention: while the works council must agree, a change needs a pause, however short. Answers the
/// revision that can be resumed.
pub async fn change(state: &AppState, staff: &Staff, now: Time, made: &mut [Declared]) -> Result<i32> {
    let (hr, rep) = (&staff.publisher, &staff.representative);
    // Before anybody's day begins.
    let day = now.plus_days(-40).day(&state.config.time_zone);
    let early = day.start(&state.config.time_zone).plus_seconds(3600);
    state.clock.advance(early.seconds_since(state.clock.now()));
    let (id, revision, content) = &mut made[CHANGED];
    content.retention = "P90D".into();
    let seen = actions::pause(state, hr, *id, *revision, WHY).await?;
    let seen = actions::revise(state, hr, *id, seen, content, WHY).await?;
    actions::answer(state, rep, *id, seen, true, "Agreed for three months, not longer.").await
}

/// After people were told it begins again. Later one is paused, and one more is proposed.
pub async fn go_on(state: &AppState, staff: &Staff, now: Time, made: &[Declared], seen: i32) -> Result<()> {
    let hr = &staff.publisher;
    actions::resume(state, hr, made[CHANGED].0, seen, WHY).await?;
    state.clock.advance(now.plus_days(-15).seconds_since(state.clock.now()));
    let day = state.clock.now().day(&state.config.time_zone);
    // Paused with a reason, so that everybody sees what a pause looks like.
    let (id, revision, _) = &made[5];
    actions::pause(
        state,
        hr,
        *id,
        *revision,
        "Paused until the works council has seen the vendor's new contract.",
    )
    .await?;
    // A proposal that the representatives have yet to answer.
    let shots = Plan {
        category: "screen.image",
        purpose: "dpv:PersonnelMonitoring",
        fields: "A screenshot every ten minutes.",
        granularity: Granularity::Content,
        necessity: "To check the quality of customer service.",
        ..PLANS[3]
    };
    let id = actions::create_draft(state, hr, &content_of(&shots, day)?).await?;
    actions::propose(state, hr, id, 1).await?;
    Ok(())
}
