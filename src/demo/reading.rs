//! How the example's people read what they were told: nearly all the first version, many the second, and
//! some ask. Ada, whom visitors sign in as, has yet to read what changed.

use uuid::Uuid;

use super::people::{Staff, Worker};
use crate::app::AppState;
use crate::error::Result;
use crate::notices::actions::acknowledge::{self, Seen};
use crate::notices::actions::{self, ask};
use crate::web::{Role, Viewer};

pub(super) fn viewer(state: &AppState, worker: &Worker) -> Viewer {
    Viewer {
        person_id: worker.id,
        session_id: Uuid::nil(),
        name: worker.name.clone(),
        roles: vec![Role::Worker],
        time_zone: state.config.time_zone.clone(),
        signed_in_at: state.clock.now(),
    }
}

/// `version` is any of the notice's; `german` says whether it exists in German, too.
pub async fn read_first(state: &AppState, staff: &Staff, version: Uuid, german: bool) -> Result<()> {
    let notice = actions::notice_of(state, version).await?;
    let (version, content) = acknowledge::newest(state, notice).await?;
    for (i, worker) in staff.workers.iter().enumerate() {
        state.clock.advance(600);
        if i % 13 != 12 {
            let language = if i % 3 == 0 || !german { "en" } else { "de" };
            let seen = Seen { version, language, content: &content };
            acknowledge::acknowledge(state, &viewer(state, worker), notice, seen).await?;
        }
    }
    Ok(())
}

pub async fn read_second(state: &AppState, staff: &Staff, version: Uuid) -> Result<()> {
    let notice = actions::notice_of(state, version).await?;
    let (version, content) = acknowledge::newest(state, notice).await?;
    for (i, worker) in staff.workers.iter().enumerate().skip(1) {
        state.clock.advance(600);
        let seen = Seen { version, language: "de", content: &content };
        let viewer = viewer(state, worker);
        match i % 5 {
            0 => {}
            1 | 2 | 4 => acknowledge::acknowledge(state, &viewer, notice, seen).await?,
            _ if i % 2 == 1 => acknowledge::decline(state, &viewer, notice, seen, None).await?,
            _ => acknowledge::deliver(state, worker.id, &[version]).await?,
        }
    }
    let ask = async |worker: usize, text, public, named| {
        state.clock.advance(7200);
        let question = ask::Question { version, text, public, named };
        ask::ask(state, &viewer(state, &staff.workers[worker]), notice, question).await
    };
    let first =
        ask(7, "Are the counts of keys looked at for each person, or for each shift?", true, false).await?;
    ask(9, "What happens to counts that are older than thirty days already?", true, false).await?;
    ask(11, "I work from home on Fridays. Whom can I talk to about that?", false, true).await?;
    state.clock.advance(3600);
    let answer = "For each shift. Nobody looks at one person’s counts; the works agreement forbids it.";
    ask::answer(state, &staff.publisher, first, answer).await?;
    Ok(())
}
