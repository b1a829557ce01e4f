//! What `daylight agent` is made of: its options, its beginning and its end.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ed25519_dalek::SigningKey;

use super::client::ActivityWatch;
use super::policy::Policies;
use super::reporter::Reporter;
use super::server::{Contact, Server};
use super::state::{State, StateFile};
use super::watchers::{Supervisor, Watcher};
use crate::clock::{Clock, Random};

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
    let boot_id = random.uuid(clock.now());
    let mut state = match file.load()? {
        Some(state) => state,
        None => {
            let secret = options.secret.as_deref().context(
                "this agent isn't enrolled: ask an administrator for an enrolment secret and give it with --secret",
            )?;
            let key = SigningKey::from_bytes(&random.bytes());
            let mut enrolled = server.enrol(secret, &key).await?;
            tracing::info!(agent = %enrolled.agent_id, "enrolled");
            Policies::begin(&file, enrolled.policy_key.take())?;
            State::new(server.address().into(), &key, enrolled, boot_id)
        }
    };
    anyhow::ensure!(
        state.server == server.address(),
        "this agent is enrolled at {}: use another --state folder to enrol elsewhere",
        state.server
    );
    // Each start begins a chain of its own; reports that wait keep the run they were made in.
    (state.boot_id, state.seq, state.prev_hash) = (boot_id, 0, None);
    file.save(&state)?;
    if options.watchers.is_empty() && !options.once {
        tracing::warn!(
            "no --watcher is given: this agent can stop nothing and confirms no policy; it reports what is recorded"
        );
    }
    let policies = Arc::new(Policies::open(&file, state.agent_id, state.key()?, clock.clone())?);
    let contact = Contact { server, identity: state.identity(), random };
    let interval = options.interval;
    let reporter = Reporter::new(activitywatch, contact.clone(), file, state, policies, clock, interval)?;
    Ok((reporter, contact))
}
