//! What the example's people chose: some of everything, with one objection that waits and one that was answered.
//! Their agents ask what is allowed, and obey.

use std::time::Duration;

use uuid::Uuid;

use super::people::{Staff, Worker};
use super::reading::viewer;
use super::register::{CHANGED, Declared};
use super::reports::email_of;
use crate::app::AppState;
use crate::clock::Time;
use crate::collection;
use crate::consent;
use crate::consent::actions::{self, Reply, Seen, Wish};
use crate::consent::cases;
use crate::consent::model::Choice;
use crate::consent::store::policy::{self, AgentRow, TellingRow};
use crate::error::Result;
use crate::web::times;

/// Where in the register's plans they stand: sites, installed programs, the office network, training.
const SITES: usize = 3;
const PROGRAMS: usize = 4;
const OFFICE: usize = 6;
const TRAINING: usize = 7;

/// Ada, whom visitors sign in as.
const ADA: usize = 0;

/// Seconds from a decision until an agent asks, and until it says that it obeys.
const ASKS_AFTER: i64 = 12;
const OBEYS_AFTER: i64 = 29;

/// Between looks of the agents while the example runs.
const LOOK_EVERY: Duration = Duration::from_secs(10);

pub async fn fill(state: &AppState, staff: &Staff, made: &[Declared], now: Time) -> Result<()> {
    state.clock.advance(now.plus_days(-7).seconds_since(state.clock.now()).max(0));
    ask_and_obey(state, None).await?;
    // The last of them in the morning, before the shift: yesterday's, since HR sees nothing of today's.
    let zone = &state.config.time_zone;
    let morning = now.day(zone).plus_days(-1).start(zone).plus_seconds(9 * 3600 + 17);
    let step = morning.seconds_since(state.clock.now()) / i64::try_from(staff.workers.len()).unwrap_or(1);
    for (i, worker) in staff.workers.iter().enumerate().skip(1) {
        state.clock.advance(step - ASKS_AFTER - OBEYS_AFTER);
        let mut wishes = Vec::new();
        match i % 4 {
            0 => wishes.push((OFFICE, Choice::No)),
            1 | 2 => wishes.push((OFFICE, Choice::Yes)),
            _ => {}
        }
        match i % 5 {
            0 | 2 => wishes.push((TRAINING, Choice::No)),
            1 => wishes.push((TRAINING, Choice::Yes)),
            _ => {}
        }
        if i % 6 == 1 {
            wishes.push((PROGRAMS, Choice::No));
        }
        if choose(state, worker, made, &wishes).await?.is_some() {
            ask_and_obey(state, Some(worker)).await?;
        }
    }
    state.clock.advance(morning.seconds_since(state.clock.now()));
    let reason = "I write with a screen keyboard because of my wrists. The counts make me look idle.";
    let objection = Choice::Object { reason, named: true };
    let ada = &staff.workers[ADA];
    let id = choose(state, ada, made, &[(CHANGED, objection)]).await?;
    choose(state, ada, made, &[(PROGRAMS, Choice::No)]).await?;
    ask_and_obey(state, Some(ada)).await?;
    state.clock.advance(4 * 3600);
    let answer = "Shifts are planned by the sum of a whole depot, in which nobody’s own count can be seen. \
                  We have asked for a count that leaves out screen keyboards.";
    if let Some(id) = id {
        actions::answer(state, &staff.publisher, id, Reply::Overridden, answer).await?;
        ask_and_obey(state, Some(ada)).await?;
    }
    let reason = "I look up my union’s pages in the breaks, and don’t want that on a list.";
    let objection = Choice::Object { reason, named: false };
    let other = &staff.workers[17];
    choose(state, other, made, &[(SITES, objection)]).await?;
    ask_and_obey(state, Some(other)).await
}

/// Makes these choices at once, as their page would; answers the first decision.
async fn choose<'a>(
    state: &AppState,
    worker: &Worker,
    made: &[Declared],
    choices: &[(usize, Choice<'a>)],
) -> Result<Option<Uuid>> {
    if choices.is_empty() {
        return Ok(None);
    }
    let mut db = state.db.acquire().await?;
    let mut hashes = Vec::with_capacity(choices.len());
    for (plan, _) in choices {
        let (audience, case) = cases::find(&mut db, worker.id, made[*plan].0, state.clock.now()).await?;
        hashes.push(times::hex(&actions::show(&mut db, state, &audience, &case, "en").await?.sha256));
    }
    drop(db);
    let wish = |(i, (plan, choice)): (usize, &(usize, Choice<'a>))| Wish {
        processing: made[*plan].0,
        choice: *choice,
        seen: Seen { text: &hashes[i], language: "en" },
    };
    let wishes: Vec<Wish<'_>> = choices.iter().enumerate().map(wish).collect();
    Ok(actions::choose_all(state, &viewer(state, worker), &wishes).await?.first().copied())
}

/// The example's agents: everybody's, or this person's.
async fn agents(state: &AppState, of: Option<&Worker>) -> Result<Vec<AgentRow>> {
    let mut db = state.db.acquire().await?;
    let heads = collection::list_heads(&mut db).await?;
    // A real agent that somebody enrolled in the example asks for itself.
    let wanted = |device: &str| email_of(device).is_some_and(|email| of.is_none_or(|w| w.email == email));
    let ids: Vec<Uuid> = heads.iter().filter(|h| wanted(&h.device)).map(|h| h.agent_id).collect();
    Ok(policy::list_agents(&mut db, &ids, state.clock.now()).await?)
}

/// What an agent was told last.
async fn newest(state: &AppState, agent: &AgentRow) -> Result<Option<TellingRow>> {
    let mut db = state.db.acquire().await?;
    Ok(policy::find_newest(&mut db, agent.id).await?)
}

/// An agent says that it obeys what it was told last.
async fn confirm(state: &AppState, agent: &AgentRow, told: &TellingRow) -> Result<()> {
    let now = state.clock.now();
    let mut db = state.db.acquire().await?;
    policy::insert_confirmation(&mut db, agent.id, told.revision, now, now).await?;
    Ok(())
}

/// Each of these agents asks what it may collect, and says a while later that it obeys.
async fn ask_and_obey(state: &AppState, of: Option<&Worker>) -> Result<()> {
    let agents = agents(state, of).await?;
    state.clock.advance(ASKS_AFTER);
    for agent in &agents {
        consent::issue(state, agent, None).await?;
    }
    state.clock.advance(OBEYS_AFTER);
    for agent in &agents {
        if let Some(told) = newest(state, agent).await? {
            confirm(state, agent, &told).await?;
        }
    }
    Ok(())
}

/// The agents go on asking while the example runs.
pub async fn keep_asking(state: AppState) {
    while !state.db.is_closed() {
        tokio::select! {
            () = state.db.close_event() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if !state.consent.is_fresh() {
            continue;
        }
        if let Err(error) = ask_and_confirm(&state).await {
            tracing::warn!(%error, "the example's agents could not ask");
        }
    }
}

async fn ask_and_confirm(state: &AppState) -> Result<()> {
    for agent in agents(state, None).await? {
        let told = newest(state, &agent).await?;
        let before = told.as_ref().map_or(0, |told| told.revision);
        consent::issue(state, &agent, told).await?;
        if let Some(told) = newest(state, &agent).await?.filter(|t| t.revision > before) {
            confirm(state, &agent, &told).await?;
        }
    }
    Ok(())
}
