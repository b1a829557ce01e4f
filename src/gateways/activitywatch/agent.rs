//! What `daylight agent` is made of: its options, its beginning and its end.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::client::ActivityWatch;
use super::reporter::Reporter;
use super::watchers::{Supervisor, Watcher};
use crate::clock::{Clock, Random};
use crate::gateways::link::outgoing::Outgoing;
use crate::gateways::link::policy::Policies;
use crate::gateways::link::server::{Contact, Server};
use crate::gateways::link::state::{self, StateFile};

const SOFTWARE: &str = concat!("daylight-agent/", env!("CARGO_PKG_VERSION"));

pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

pub struct AgentOptions {
    /// Daylight's address; https, unless it is this machine.
    pub server: String,
    /// ActivityWatch's address on this machine, usually `http://127.0.0.1:5600`.
    pub activitywatch: String,
    /// Where the key, the token and unsent reports are kept.
    pub state_dir: PathBuf,
    pub interval: Duration,
    /// One-time enrolment secret; needed in the first run only.
    pub secret: Option<String>,
    /// Report once, send everything, and end; an error when something couldn't be sent. Policies are for
    /// agents that stay: none is fetched, and no watcher started.
    pub once: bool,
    /// What this agent starts and stops as the policy says.
    pub watchers: Vec<Watcher>,
}

/// Runs until `shutdown` completes. An error is one line for the person who started it.
pub async fn run(
    options: AgentOptions,
    clock: Clock,
    random: Random,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut shutdown = pin!(shutdown);
    let once = options.once;
    let mut supervisor = Supervisor::new(options.watchers.clone());
    let (mut reporter, contact) = tokio::select! {
        () = &mut shutdown => return Ok(()),
        started = start(options, clock, random) => started?,
    };
    if once {
        return tokio::select! {
            () = &mut shutdown => Ok(()),
            done = reporter.report_once() => done,
        };
    }
    let policies = reporter.policies.clone();
    // Dropping what runs is safe at any point: the files are written whole, and what was sent without
    // hearing the answer is sent again and gets the same receipt.
    let ended = tokio::select! {
        () = &mut shutdown => Ok(()),
        Err(error) = reporter.work() => Err(error),
        Err(error) = contact.poll(&policies) => Err(error),
        Err(error) = contact.confirm(&policies) => Err(error),
        Err(error) = supervisor.run(&policies) => Err(error),
    };
    // Nobody would stop them afterwards.
    supervisor.stop().await;
    ended
}

async fn start(options: AgentOptions, clock: Clock, random: Random) -> anyhow::Result<(Reporter, Contact)> {
    let activitywatch = ActivityWatch::new(&options.activitywatch)?;
    let server = Server::new(&options.server)?;
    anyhow::ensure!(options.interval >= Duration::from_secs(5), "the interval: must be 5 seconds or more");
    let file = StateFile::open(&options.state_dir)?;
    let state =
        state::load_or_enrol(&file, &server, options.secret.as_deref(), SOFTWARE, &random, clock.now());
    let state = state.await?;
    if options.watchers.is_empty() && !options.once {
        tracing::warn!(
            "no --watcher is given: this agent can stop nothing and confirms no policy; it reports what is recorded"
        );
    }
    let policies = Arc::new(Policies::open(&file, state.agent_id, state.key()?, clock.clone())?);
    let contact = Contact { server, identity: state.identity(), random };
    let outgoing = Outgoing::new(contact.clone(), file, state, clock.clone())?;
    let reporter = Reporter::new(activitywatch, outgoing, policies, clock, options.interval);
    Ok((reporter, contact))
}
