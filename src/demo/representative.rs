//! The representative's server of the example: beside the dashboard in one process and on the next port. Both are
//! one operator's, so nothing about it is independent, and the pages say so.

use std::net::SocketAddr;
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
pub const FOLDER: &str = "representative";
/// Between rounds with the dashboard: whoever tries something out doesn't wait long.
const INTERVAL: Duration = Duration::from_secs(5);

/// Starts it on the dashboard's port plus one, prints the link that signs in there, and connects both once the
/// dashboard answers. Without that port the example runs without it.
pub async fn start_representative(state: &AppState) -> Result<Option<Representative>> {
    let listen = beside(state)?;
    let listener = match tokio::net::TcpListener::bind(listen).await {
        Ok(listener) => listener,
        Err(error) => {
            println!(
                "The representative’s server can’t listen on {listen}: {error}. The example runs without it.\n"
            );
            return Ok(None);
        }
    };
    let representative = open_beside(state, state.config.base_url.clone())?;
    representative.announce()?;
    let router = representative.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    tokio::spawn(keep(state.clone(), representative.clone()));
    Ok(Some(representative))
}

/// The port after the dashboard's.
fn beside(state: &AppState) -> Result<SocketAddr> {
    let mut listen = state.config.listen;
    listen.set_port(listen.port().checked_add(1).context("PORT has none after it")?);
    Ok(listen)
}

/// Its keys and its store, on the dashboard's clock; `dashboard` is where it asks.
pub fn open_beside(state: &AppState, dashboard: String) -> Result<Representative> {
    let listen = beside(state)?;
    let options = Options {
        name: NAME.into(),
        dashboard,
        public_url: format!("http://{listen}"),
        listen,
        folder: state.config.data_dir.join(FOLDER),
        interval: INTERVAL,
    };
    Ok(Representative::open(options, state.clock.clone(), state.random.clone())?)
}

async fn keep(state: AppState, representative: Representative) {
    while !state.db.is_closed() {
        match connect(&state, &representative).await {
            Ok(()) => {
                if let Err(error) = give_a_code(&state, &representative).await {
                    tracing::warn!(%error, "the example's worker has no enrolment code");
                }
                return representative.keep_talking().await;
            }
            // Until the dashboard is up.
            Err(error) => tracing::debug!(%error, "the representative's server isn't connected yet"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What stands on paper in earnest: a code for the worker of the public account, while they have no wallet.
async fn give_a_code(state: &AppState, representative: &Representative) -> Result<()> {
    let Some((person, _)) = find_account(state, 0).await? else { return Ok(()) };
    let info = issuing::wallet_info(state, person).await?;
    if info.id_key.is_none() {
        let strip = representative.renew_code(info.worker_ref)?;
        println!("Ada Winter’s enrolment code, for her wallet: {}\n", strip.code);
        state.petitions.set_example_code(person, strip.code);
    }
    Ok(())
}

/// Connects both, where they aren't: in the name of the example's representative.
pub async fn connect(state: &AppState, representative: &Representative) -> Result<()> {
    let info = representative.info().await?;
    let mut db = state.db.acquire().await?;
    let known = issuing::representative(&mut db).await?.map(|server| server.public_key);
    let is_known = known.and_then(|key| Hash::try_from(key.as_slice()).ok()) == Some(info.public_key);
    if is_known && representative.is_connected() {
        return Ok(());
    }
    drop(db);
    let person = find_account(state, 2).await?;
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
    let token =
        issuing::pair(state, &viewer, &info, &format!("http://{}", beside(state)?), run_by, true).await?;
    representative.connect(&token).await
}

/// Who stands at this place among the example's accounts.
async fn find_account(state: &AppState, place: usize) -> Result<Option<(Uuid, String)>> {
    let (_, who) = ACCOUNTS[place];
    let name = who.split(',').next().unwrap_or(who);
    let mut db = state.db.acquire().await?;
    Ok(identity::active_people(&mut db).await?.into_iter().find(|(_, known)| known == name))
}
