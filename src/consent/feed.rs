//! The change feed: what other instances, and this one, have committed.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::app::AppState;
use crate::database;
use crate::error::Result;

const CHANNEL: &str = "daylight_consent";

/// Between looks at whether the database still answers.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// More people than this are read as all.
const MANY: usize = 500;

/// Keeps the memory fresh as long as the pool is open.
pub async fn keep_fresh(state: AppState) {
    while !state.db.is_closed() {
        tokio::select! {
            () = state.db.close_event() => return,
            result = follow(&state) => if let Err(error) = result {
                tracing::warn!(%error, "the change feed broke off; nothing optional is allowed until it is back");
            },
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn follow(state: &AppState) -> Result<()> {
    let mut listener = PgListener::connect_with(&state.db).await?;
    // What happens between listening and reading is read twice; the other way round it would be missed.
    listener.listen(CHANNEL).await?;
    listener.eager_reconnect(false);
    state.consent.reload().await?;
    let mut look_again = state.consent.read(|s| s.rules.is_waiting);
    loop {
        let mut changes = Changes::default();
        let asked_at = Instant::now();
        match timeout(LOOK_EVERY, listener.try_recv()).await {
            Ok(Ok(Some(told))) => changes.add(told.payload()),
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => {
                let answer = timeout(LOOK_EVERY * 3, database::ping(&mut listener)).await;
                answer.map_err(|_| anyhow::anyhow!("the database doesn't answer"))??;
            }
        }
        while let Some(told) = listener.next_buffered() {
            changes.add(told.payload());
        }
        if changes.people.len() > MANY {
            state.consent.reload().await?;
            continue;
        }
        if changes.rules || look_again {
            look_again = state.consent.reload_rules().await?;
        }
        if !changes.people.is_empty() {
            let people: Vec<Uuid> = changes.people.into_iter().collect();
            state.consent.reload_people(&people).await?;
        }
        // All that was told until then is in memory.
        state.consent.heard(asked_at);
    }
}

/// What was told at once.
#[derive(Default)]
struct Changes {
    rules: bool,
    people: BTreeSet<Uuid>,
}

impl Changes {
    fn add(&mut self, payload: &str) {
        match payload.parse() {
            Ok(person) => drop(self.people.insert(person)),
            Err(_) => self.rules = true,
        }
    }
}
