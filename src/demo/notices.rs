//! What the example's employer has told its people: a notice with a second, material version, one on AI
//! training that waits for the representatives, and a draft.

use uuid::Uuid;

use super::people::Staff;
use super::register::{CHANGED, Declared};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::Result;
use crate::notices::Text;
use crate::notices::actions::{self, Edit};

const ENGLISH: &str = include_str!("notices/privacy.en.md");
const GERMAN: &str = include_str!("notices/privacy.de.md");
const RESUMED: &str = include_str!("notices/resumed.en.md");
const RESUMED_GERMAN: &str = include_str!("notices/resumed.de.md");
const TRAINING: &str = include_str!("notices/training.en.md");
const SECURITY: &str = include_str!("notices/security.en.md");
const SUGGESTIONS: &str = include_str!("notices/suggestions.en.md");

/// Where in the register's plans the covered processings stand: programs, presence, keys pressed.
const COVERED: [usize; 3] = [0, 1, 2];
/// Sites, installed programs, and the office network.
const SECURITY_COVERS: [usize; 3] = [3, 4, 6];
/// Requests to an AI assistant.
const PROMPTS: usize = 5;
/// Programs, for training.
const TRAINED_ON: usize = 7;

fn text(language: &str, title: &str, markdown: &str) -> Text {
    Text { language: language.into(), title: title.into(), markdown: markdown.into() }
}

fn privacy(processings: Vec<Uuid>, kept: (&str, &str), reason: Option<&str>) -> Edit {
    Edit {
        texts: vec![
            text("en", "What we record on your computer", &ENGLISH.replace("{kept}", kept.0)),
            text("de", "Was wir auf Ihrem Rechner aufzeichnen", &GERMAN.replace("{kept}", kept.1)),
        ],
        jurisdictions: vec!["DE".into(), "AT".into()],
        departments: Vec::new(),
        processings,
        acknowledgement_wanted: true,
        reason: reason.map(Into::into),
    }
}

/// Saves what a draft of revision `seen` says, and submits it; answers the revision.
async fn submit(state: &AppState, staff: &Staff, id: Uuid, seen: i32, edit: &Edit) -> Result<i32> {
    let revision = actions::save(state, &staff.publisher, id, seen, edit).await?;
    state.clock.advance(1800);
    actions::submit(state, &staff.publisher, id, revision).await?;
    state.clock.advance(3600);
    Ok(revision)
}

/// The representatives agree; the notice is approved and published, to take effect after `days`.
async fn publish(
    state: &AppState,
    staff: &Staff,
    id: Uuid,
    revision: i32,
    comment: &str,
    days: i64,
) -> Result<()> {
    let hr = &staff.publisher;
    actions::answer(state, &staff.representative, id, revision, true, comment).await?;
    state.clock.advance(3600);
    actions::approve(state, hr, id, revision, "").await?;
    state.clock.advance(600);
    let effective = state.clock.now().plus_days(days);
    actions::publish_now(state, hr, id, revision, Some(effective), "Europe/Berlin").await
}

/// Version 1.0, as the register was before its change; answers the notice's version.
pub async fn publish_first(state: &AppState, staff: &Staff, made: &[Declared], now: Time) -> Result<Uuid> {
    state.clock.advance(now.plus_days(-80).seconds_since(state.clock.now()).max(0));
    let processings = COVERED.iter().map(|i| made[*i].0).collect();
    let id = actions::create(state, &staff.publisher, "gdpr-13").await?;
    let kept = ("thirty days", "dreißig Tage");
    let revision = submit(state, staff, id, 1, &privacy(processings, kept, None)).await?;
    publish(state, staff, id, revision, "Clear enough. We agree.", 7).await?;
    Ok(id)
}

/// Of everything else that is declared then; answers a version of each notice.
pub async fn publish_others(state: &AppState, staff: &Staff, made: &[Declared]) -> Result<[Uuid; 2]> {
    let hr = &staff.publisher;
    let security = actions::create(state, hr, "gdpr-13").await?;
    let edit = Edit {
        texts: vec![text("en", "What keeps our computers safe, and the office network", SECURITY)],
        ..privacy(SECURITY_COVERS.iter().map(|i| made[*i].0).collect(), ("", ""), None)
    };
    let revision = submit(state, staff, security, 1, &edit).await?;
    publish(state, staff, security, revision, "Agreed. Installed programs can be refused.", 7).await?;
    let training = actions::create(state, hr, "ai-training").await?;
    let edit = Edit {
        texts: vec![text("en", "Training a model with the programs you use", SUGGESTIONS)],
        ..privacy(vec![made[TRAINED_ON].0], ("", ""), None)
    };
    let revision = submit(state, staff, training, 1, &edit).await?;
    publish(state, staff, training, revision, "Only for those who say yes.", 7).await?;
    Ok([security, training])
}

/// Before what was paused begins again, people are told.
pub async fn tell_of_resumption(state: &AppState, staff: &Staff, made: &[Declared]) -> Result<()> {
    let hr = &staff.publisher;
    let id = actions::create(state, hr, "resumed").await?;
    let edit = Edit {
        texts: vec![
            text("en", "Counts of keys pressed begin again", RESUMED),
            text("de", "Tastenanschläge werden wieder gezählt", RESUMED_GERMAN),
        ],
        acknowledgement_wanted: false,
        ..privacy(vec![made[CHANGED].0], ("", ""), None)
    };
    let revision = actions::save(state, hr, id, 1, &edit).await?;
    actions::submit(state, hr, id, revision).await?;
    state.clock.advance(1200);
    publish(state, staff, id, revision, "The works agreement has been changed with it.", 0).await
}

/// What came after the register's change.
pub async fn fill(state: &AppState, staff: &Staff, made: &[Declared], first: Uuid) -> Result<()> {
    let hr = &staff.publisher;
    let notice = actions::notice_of(state, first).await?;
    let why = "Shift planning compares three months, so counts of keys are kept for 90 days instead of 30.";
    let second = actions::change(state, hr, notice, why).await?;
    let processings: Vec<Uuid> = COVERED.iter().map(|i| made[*i].0).collect();
    let kept = (
        "ninety days, so that shifts can be planned over three months",
        "neunzig Tage, damit Schichten über drei Monate geplant werden können",
    );
    let revision = submit(state, staff, second, 1, &privacy(processings, kept, Some(why))).await?;
    publish(state, staff, second, revision, "Agreed for three months, not longer.", 21).await?;

    state.clock.advance(3 * 86_400);
    let training = actions::create(state, hr, "ai-training").await?;
    let edit = Edit {
        texts: vec![text("en", "Training a model with requests to the AI assistant", TRAINING)],
        processings: vec![made[PROMPTS].0],
        ..privacy(Vec::new(), ("", ""), None)
    };
    submit(state, staff, training, 1, &edit).await?;

    state.clock.advance(86_400);
    actions::create(state, hr, "paused").await?;
    Ok(())
}
