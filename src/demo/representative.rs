//! The representative's server of the example: beside the dashboard in one process and on the next port. Both are
//! one operator's, so nothing about it is independent, and the pages say so.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use uuid::Uuid;

use super::ACCOUNTS;
use crate::app::AppState;
use crate::error::Result;
use crate::identity;
use crate::ledger::Hash;
use crate::petitions::issuing;
use crate::representative::{Options, Representative};
use crate::web::{Role, Viewer};

const NAME: &str = "works-council.example";
const FOLDER: &str = "representative";
/// Between rounds with the dashboard: whoever tries something out doesn't wait long.
const INTERVAL: Duration = Duration::from_secs(5);

/// Starts it on the dashboard's port plus one, prints the link that signs in there, and connects both once the
/// dashboard answers. Without that port the example runs without it.
pub async fn start_representative(state: &AppState) -> Result<Option<Representative>> {
    let mut listen = state.config.listen;
    listen.set_port(listen.port().checked_add(1).context("PORT has none after it")?);
    let listener = match tokio::net::TcpListener::bind(listen).await {
        Ok(listener) => listener,
        Err(error) => {
            println!(
                "The representative’s server can’t listen on {listen}: {error}. The example runs without it.\n"
            );
            return Ok(None);
        }
    };
    let options = Options {
        name: NAME.into(),
        dashboard: state.config.base_url.clone(),
        public_url: format!("http://{listen}"),
        listen,
        folder: state.config.data_dir.join(FOLDER),
        interval: INTERVAL,
    };
    let address = options.public_url.clone();
    let representative = Representative::open(options, state.clock.clone(), state.random.clone())?;
    representative.announce()?;
    let router = representative.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    tokio::spawn(keep(state.clone(), representative.clone(), address));
    Ok(Some(representative))
}

/// Forgets it, with an example that is thrown away.
pub fn forget_representative(data_dir: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(data_dir.join(FOLDER)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

async fn keep(state: AppState, representative: Representative, address: String) {
    while !state.db.is_closed() {
        match connect(&state, &representative, &address).await {
            Ok(()) => return representative.keep_talking().await,
            // Until the dashboard is up.
            Err(error) => tracing::debug!(%error, "the representative's server isn't connected yet"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Connects both, where they aren't: in the name of the example's representative.
async fn connect(state: &AppState, representative: &Representative, address: &str) -> Result<()> {
    let info = representative.info().await?;
    let mut db = state.db.acquire().await?;
    let known = issuing::representative(&mut db).await?.map(|server| server.public_key);
    let is_known = known.and_then(|key| Hash::try_from(key.as_slice()).ok()) == Some(info.public_key);
    if is_known && representative.is_connected() {
        return Ok(());
    }
    let people = identity::active_people(&mut db).await?;
    drop(db);
    let (_, who) = ACCOUNTS[2];
    let name = who.split(',').next().unwrap_or(who);
    let person = people.into_iter().find(|(_, known)| known == name);
    let (person_id, name) = person.ok_or_else(|| anyhow!("the example has no representative"))?;
    let viewer = Viewer {
        person_id,
        session_id: Uuid::nil(),
        name,
        roles: vec![Role::Worker, Role::Representative],
        time_zone: state.config.time_zone.clone(),
        signed_in_at: state.clock.now(),
    };
    let run_by = "the example itself, in the same process as the dashboard";
    let token = issuing::pair(state, &viewer, &info, address, run_by, true).await?;
    representative.connect(&token).await
}
