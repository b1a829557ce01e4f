//! `daylight gateway`: a process between agents and their collectors.
//!
//! It speaks the agents' own protocols. What is declared and allowed goes on, the rest is acknowledged as the agent
//! expects and dropped: an agent that is refused keeps what it has in a queue or a log. Both are counted ([`tally`])
//! and reported like any agent's collection ([`report`]). Nothing of a request outlives it.
//!
//! A [`device`] has one person's policy; each kind of agent on it is a site with an address of its own and an
//! [`upstream`], whose key only the gateway needs to hold. Adapters stand beside their agents: `activitywatch::gateway`,
//! `otlp`, `wakatime`, `osquery`.
//!
//! **When in doubt, off**: without a policy in force only what nobody may refuse goes on; a path, an encoding or a field
//! that isn't known does not.

pub(super) mod body;
mod config;
pub(super) mod device;
mod host;
mod report;
pub(super) mod tally;
pub(super) mod upstream;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(super) use config::Secret;
pub use config::{Config, DeviceConfig, OsqueryConfig, SiteConfig};

use self::device::{Device, Site};
use self::report::Reporter;
use super::link::outgoing::Outgoing;
use super::link::policy::Policies;
use super::link::server::{Contact, Server};
use super::link::state::{StateFile, load_or_enrol};
use super::osquery::{self, Node, Teller};
use crate::clock::{Clock, Random};
use crate::web::serving::{self, Patience};

const SOFTWARE: &str = concat!("daylight-gateway/", env!("CARGO_PKG_VERSION"));

/// How long a request may take, its way to the collector and back included.
const PATIENCE: Duration = Duration::from_secs(45);
/// Before a device whose server doesn't know it, or whose folder can't be written, is tried again.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const MAX_PAUSE: Duration = Duration::from_secs(600);

/// A listener and what answers there.
struct Door {
    listener: TcpListener,
    tls: Option<tokio_rustls::TlsAcceptor>,
    router: Router,
}

/// What goes on for a device, whatever comes in.
struct Life<'c> {
    name: &'c str,
    contact: Contact,
    reporter: Reporter,
    teller: Option<Teller>,
}

/// Runs until `shutdown` completes. An error is one line for the person who started it.
pub async fn run(
    config: Config,
    clock: Clock,
    random: Random,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    run_then(config, clock, random, shutdown, |_| ()).await
}

/// As [`run`]; tells `ready` the addresses that are listened on, in the order of the file.
pub async fn run_then(
    config: Config,
    clock: Clock,
    random: Random,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(Vec<SocketAddr>),
) -> anyhow::Result<()> {
    let mut shutdown = pin!(shutdown);
    let (mut doors, mut nodes, mut lives) = (Vec::new(), Vec::new(), Vec::new());
    for device in &config.devices {
        let (reporter, contact) = tokio::select! {
            () = &mut shutdown => return Ok(()),
            begun = begin(&config, device, &clock, &random) => {
                match begun.with_context(|| format!("device {}", device.name)) {
                    Ok(begun) => begun,
                    // A colleague's device mustn't wait for one whose secret is wrong.
                    Err(error) if config.devices.len() > 1 => {
                        tracing::error!("{error:#}; nothing of this device comes in before the next start");
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        for (kind, site) in device.sites() {
            let door = open(kind, site, &reporter.device, &random).await;
            doors.push(door.with_context(|| format!("{}.{kind}", device.name))?);
        }
        let (node, teller) = watch_for_programs(&config, device, &reporter, &contact)?.unzip();
        nodes.extend(node);
        lives.push(Life { name: &device.name, contact, reporter, teller });
    }
    anyhow::ensure!(!lives.is_empty(), "no device could be started; the lines above say why");
    if let Some(osquery) = &config.osquery {
        doors.push(open_osquery(osquery, nodes, random).await.context("osquery")?);
    }
    ready(doors.iter().filter_map(|door| door.listener.local_addr().ok()).collect());
    let (stop, stopped) = watch::channel(false);
    let serving: Vec<_> = doors.into_iter().map(|door| tokio::spawn(door.serve(stopped.clone()))).collect();
    tokio::select! {
        () = &mut shutdown => {}
        _ = join_all(lives.iter_mut().map(Life::live)) => {}
    }
    // Nothing comes in any more before the last report is made.
    let _ = stop.send(true);
    join_all(serving).await;
    join_all(lives.iter_mut().map(Life::end)).await;
    Ok(())
}

async fn begin(
    config: &Config,
    device: &DeviceConfig,
    clock: &Clock,
    random: &Random,
) -> anyhow::Result<(Reporter, Contact)> {
    let server = Server::new(&config.server)?;
    let file = StateFile::open(&config.state.join(&device.name))?;
    let secret = device.secret_file.as_deref().filter(|path| path.exists()).map(config::Secret::read);
    let secret = secret.transpose()?;
    let secret = secret.as_ref().map(config::Secret::expose);
    let state = load_or_enrol(&file, &server, secret, SOFTWARE, random, clock.now()).await?;
    let policies = Arc::new(Policies::open(&file, state.agent_id, state.key()?, clock.clone())?);
    let contact = Contact { server, identity: state.identity(), random: random.clone() };
    let outgoing = Outgoing::new(contact.clone(), file, state, clock.clone())?;
    let device = Arc::new(Device::new(policies, clock.clone()));
    Ok((Reporter { device, outgoing, interval: Duration::from_secs(config.interval) }, contact))
}

async fn open(
    kind: &str,
    config: &SiteConfig,
    device: &Arc<Device>,
    random: &Random,
) -> anyhow::Result<Door> {
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("listen: {} can't be listened on", config.listen))?;
    let site = Arc::new(Site {
        device: device.clone(),
        upstream: upstream::Upstream::new(config)?,
        destination: config.destination()?,
        purpose: config.purpose,
    });
    let router = match kind {
        "activitywatch" => super::activitywatch::gateway::router(site, random.clone()),
        "otlp" => super::otlp::router(site),
        "wakatime" => super::wakatime::router(site),
        _ => unreachable!("the kinds that a device can have"),
    };
    // Of these, ActivityWatch's watchers alone live in browsers too.
    let callers = if kind == "activitywatch" { host::Callers::Extensions } else { host::Callers::Programs };
    let router = host::guard(router, listener.local_addr()?, &config.hosts, callers);
    Ok(Door { listener, tls: None, router })
}

/// What a device's osquery needs, where it has one.
fn watch_for_programs(
    config: &Config,
    device: &DeviceConfig,
    reporter: &Reporter,
    contact: &Contact,
) -> anyhow::Result<Option<(Node, Teller)>> {
    let Some(secret) = &device.osquery_secret_file else { return Ok(None) };
    let state = &reporter.outgoing.state;
    let identity =
        osquery::Identity { key: state.key()?, agent_id: state.agent_id, device_id: state.device_id };
    let folder = config.state.join(&device.name);
    let pace = (reporter.device.clock.clone(), reporter.interval);
    let opened =
        Node::open(&device.name, (secret, &folder), &reporter.device, (contact.clone(), identity), pace);
    opened.map(Some).with_context(|| format!("device {}", device.name))
}

async fn open_osquery(config: &OsqueryConfig, nodes: Vec<Node>, random: Random) -> anyhow::Result<Door> {
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("listen: {} can't be listened on", config.listen))?;
    Ok(Door { listener, tls: Some(osquery::acceptor(config)?), router: osquery::router(nodes, random)? })
}

impl Life<'_> {
    async fn live(&mut self) {
        let device = self.reporter.device.clone();
        let policies = &device.policies;
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = tokio::time::Instant::now();
            let ended: anyhow::Error = tokio::select! {
                Err(error) = self.contact.poll(policies) => error,
                Err(error) = self.contact.confirm(policies) => error,
                Err(error) = self.reporter.work() => error,
                error = tell(&mut self.teller) => error,
            };
            // The others' devices go on; of this one nothing passes until the server is heard again. Its agents are
            // told that all is well meanwhile: they would keep what they have.
            device.close();
            tracing::error!(device = %self.name, "{ended:#}; nothing of this device passes until that has changed");
            pause = if begun.elapsed() > MAX_PAUSE { FIRST_PAUSE } else { (pause * 2).min(MAX_PAUSE) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Reports what came in last. Of a request that is still on its way here nothing passes: nobody would count it.
    async fn end(&mut self) {
        self.reporter.device.close();
        self.reporter.device.rest().await;
        self.reporter.end().await;
        if let Some(teller) = &mut self.teller {
            teller.end().await;
        }
    }
}

/// Sends presence reports of a device that makes them; answers why it can't any more.
async fn tell(teller: &mut Option<Teller>) -> anyhow::Error {
    match teller {
        Some(teller) => {
            let Err(error) = teller.work().await;
            error
        }
        None => std::future::pending().await,
    }
}

impl Door {
    async fn serve(self, mut stopped: watch::Receiver<bool>) {
        let patience = Patience { headers: Duration::from_secs(15), request: PATIENCE };
        let stop = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        serving::serve(self.listener, self.tls, self.router, patience, stop).await;
    }
}
