//! The server: its folder, its keys, what it keeps in memory.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::{Roll, Signed};
use super::store::{EPOCHS, ONE, ROLLS, Store};
use super::{api, dashboard, pages};
use crate::clock::{Clock, Random, Time};
use crate::credentials::issuer::IssuerKeys;
use crate::credentials::wire::fingerprint;
use crate::error::Result;
use crate::ledger::files;
use crate::ledger::proof::base64url;
use crate::ledger::proof::note::Key;
use crate::ledger::proof::tree::Hash;
use crate::ledger::witness::{Witness, WitnessOptions};
use crate::web::serving::{self, Patience};

/// Between rounds after one that failed, at most.
const MAX_WAIT: Duration = Duration::from_secs(600);

pub struct Options {
    /// RFC 9577 issuer name, and the name under which it cosigns: works-council.example
    pub name: String,
    /// Address of the dashboard.
    pub dashboard: String,
    /// Where browsers reach this server.
    pub public_url: String,
    pub listen: SocketAddr,
    pub folder: PathBuf,
    /// Between rounds.
    pub interval: Duration,
}

/// What is known of the dashboard since the first contact, and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dashboard {
    pub origin: String,
    /// Issuer name and key.
    pub operator: String,
    pub operator_key: Hash,
    /// The log's keys, as its policy.txt had them.
    pub log_keys: Vec<String>,
    pub token: Option<String>,
}

impl Dashboard {
    pub fn keys(&self) -> Vec<Key> {
        self.log_keys.iter().filter_map(|key| key.parse().ok()).collect()
    }
}

/// What was signed so far, in memory.
#[derive(Default)]
pub(super) struct Kept {
    pub rolls: BTreeMap<String, Arc<Roll>>,
    pub epochs: BTreeMap<String, Signed>,
}

impl Kept {
    /// The epoch that was signed last.
    pub fn newest(&self) -> Option<&Signed> {
        self.epochs.values().max_by_key(|signed| signed.number)
    }

    /// The newest epoch that stands in the log.
    pub fn begun(&self) -> Option<&Signed> {
        self.epochs.values().filter(|signed| signed.leaf_hash.is_some()).max_by_key(|signed| signed.number)
    }

    pub fn newest_roll(&self) -> Option<&Arc<Roll>> {
        self.rolls.get(&self.newest()?.leaf.epoch)
    }
}

/// How the conversation with the dashboard goes.
#[derive(Debug, Clone, Default)]
pub(super) struct Contact {
    pub heard_at: Option<Time>,
    /// Why the last round failed.
    pub failure: Option<String>,
}

/// The representative's server. Cheap to clone.
#[derive(Clone)]
pub struct Representative(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub options: Options,
    pub clock: Clock,
    pub random: Random,
    pub key: SigningKey,
    /// When the key was made.
    pub made_at: Time,
    pub store: Store,
    pub client: reqwest::Client,
    pub dashboard: RwLock<Option<Arc<Dashboard>>>,
    pub kept: RwLock<Arc<Kept>>,
    pub contact: Mutex<Contact>,
    /// Wrong codes by worker_ref: in which hour, and how many.
    pub guesses: Mutex<HashMap<Uuid, (i64, u32)>>,
    /// Packs that are signed at one time: sixteen private-key operations each, for whoever asks.
    pub signing: Arc<tokio::sync::Semaphore>,
    /// One conversation at a time.
    pub turn: tokio::sync::Mutex<()>,
    token_keys: Mutex<HashMap<String, Arc<IssuerKeys>>>,
    witness: Mutex<Option<Arc<Witness>>>,
    _lock: File,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Representative {
    /// Opens the folder; makes the key and the store at the first start.
    pub fn open(mut options: Options, clock: Clock, random: Random) -> anyhow::Result<Self> {
        files::make_folder(&options.folder)?;
        let lock = File::create(options.folder.join("lock"))?;
        let taken = || anyhow!("another representative’s server uses {}", options.folder.display());
        lock.try_lock().map_err(|_| taken())?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-:[]_/".contains(&b);
        let is_name = (1..=100).contains(&options.name.len()) && options.name.bytes().all(plain);
        anyhow::ensure!(is_name, "--name: give it a name such as works-council.example");
        options.dashboard = address(&options.dashboard).context("--dashboard")?;
        options.public_url = address(&options.public_url).context("--public-url")?;
        let store = Store::open(&options.folder.join("representative.redb"))?;
        let path = options.folder.join("representative.pem");
        let key = match files::read_key(&path)? {
            Some(key) => key,
            None => {
                let key = SigningKey::from_bytes(&random.bytes());
                files::write_key(&path, &key)?;
                key
            }
        };
        let made_at = match store.find(ONE, b"made")? {
            Some(at) => at,
            None => {
                let now = clock.now();
                store.change(|change| Ok(change.put(ONE, b"made", &now)?)).map_err(|e| anyhow!("{e}"))?;
                now
            }
        };
        let inner = Inner {
            client: dashboard::client()?,
            dashboard: RwLock::new(store.find::<Dashboard>(ONE, b"dashboard")?.map(Arc::new)),
            kept: RwLock::new(Arc::new(read_kept(&store)?)),
            options,
            clock,
            random,
            key,
            made_at,
            store,
            contact: Mutex::default(),
            guesses: Mutex::default(),
            signing: Arc::new(tokio::sync::Semaphore::new(half_the_processors())),
            turn: tokio::sync::Mutex::default(),
            token_keys: Mutex::default(),
            witness: Mutex::default(),
            _lock: lock,
        };
        let representative = Representative(Arc::new(inner));
        if let Some(dashboard) = representative.dashboard() {
            representative.watch(&dashboard)?;
        }
        Ok(representative)
    }

    /// Everything it answers: its interface for wallets and the dashboard, and its own pages.
    pub fn router(&self) -> Router {
        api::router(self).merge(pages::router(self))
    }

    pub fn name(&self) -> &str {
        &self.0.options.name
    }

    /// Whether a version of the roll waits for somebody to look at it.
    pub fn has_proposal(&self) -> Result<bool> {
        Ok(self.proposal()?.is_some())
    }

    /// The key that its statements are checked with.
    pub fn public_key(&self) -> Hash {
        Hash(self.0.key.verifying_key().to_bytes())
    }

    /// The folder of its token keys.
    pub fn key_folder(&self) -> PathBuf {
        self.0.options.folder.join("keys")
    }

    pub(super) fn sign(&self, message: &str) -> String {
        base64url(&self.0.key.sign(message.as_bytes()).to_bytes())
    }

    pub(super) fn dashboard(&self) -> Option<Arc<Dashboard>> {
        self.0.dashboard.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_dashboard(&self, dashboard: Dashboard) -> Result<Arc<Dashboard>> {
        self.0.store.change(|change| Ok(change.put(ONE, b"dashboard", &dashboard)?))?;
        self.watch(&dashboard)?;
        let dashboard = Arc::new(dashboard);
        *self.0.dashboard.write().unwrap_or_else(PoisonError::into_inner) = Some(dashboard.clone());
        Ok(dashboard)
    }

    pub(super) fn kept(&self) -> Arc<Kept> {
        self.0.kept.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads what was signed anew, after a change.
    pub(super) fn reload(&self) -> anyhow::Result<()> {
        let kept = read_kept(&self.0.store)?;
        *self.0.kept.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(kept);
        Ok(())
    }

    /// Watches the dashboard's log as a witness, with the same key.
    fn watch(&self, dashboard: &Dashboard) -> anyhow::Result<()> {
        let mut witness = locked(&self.0.witness);
        // The folder's lock goes with the witness before.
        *witness = None;
        let options = WitnessOptions {
            name: self.0.options.name.clone(),
            logs: dashboard.keys(),
            folder: self.0.options.folder.join("witness"),
            listen: self.0.options.listen,
        };
        let key = SigningKey::from_bytes(&self.0.key.to_bytes());
        *witness = Some(Arc::new(Witness::with_key(&options, self.0.clock.clone(), key)?));
        Ok(())
    }

    pub(super) fn witness(&self) -> Option<Arc<Witness>> {
        locked(&self.0.witness).clone()
    }

    /// The token keys of an epoch; makes them where there are none, which takes a second or two.
    pub(super) fn token_keys(&self, epoch: &str) -> anyhow::Result<Arc<IssuerKeys>> {
        let mut keys = locked(&self.0.token_keys);
        if let Some(keys) = keys.get(epoch) {
            return Ok(keys.clone());
        }
        files::make_folder(&self.key_folder())?;
        let opened = Arc::new(IssuerKeys::open(&self.key_folder(), epoch, &self.0.random)?);
        keys.insert(epoch.into(), opened.clone());
        Ok(opened)
    }

    pub(super) fn now(&self) -> Time {
        self.0.clock.now()
    }

    /// Runs what reads or writes the disk, or computes long, off the async threads.
    pub(super) async fn off<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Representative) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let representative = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&representative)).await;
        done.map_err(|e| anyhow!("a task failed: {e}"))?
    }

    /// Speaks with the dashboard every few seconds, for good; more rarely while it can't be reached.
    pub async fn keep_talking(self) {
        let mut wait = self.0.options.interval;
        loop {
            wait = match self.tick().await {
                Ok(()) => self.0.options.interval,
                Err(error) => {
                    tracing::warn!(%error, "a round with the dashboard failed");
                    (wait * 2).min(MAX_WAIT.max(self.0.options.interval))
                }
            };
            tokio::time::sleep(wait).await;
        }
    }
}

/// The rest takes signatures, and cosigns.
fn half_the_processors() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2))
}

fn read_kept(store: &Store) -> anyhow::Result<Kept> {
    let rolls = store.list::<Roll>(ROLLS, b"")?;
    let epochs = store.list::<Signed>(EPOCHS, b"")?;
    Ok(Kept {
        rolls: rolls.into_iter().map(|(_, roll)| (roll.epoch.clone(), Arc::new(roll))).collect(),
        epochs: epochs.into_iter().map(|(_, signed)| (signed.leaf.epoch.clone(), signed)).collect(),
    })
}

/// An address as others write its origin: no path, no slash at its end.
fn address(text: &str) -> anyhow::Result<String> {
    let uri: axum::http::Uri = text.trim().trim_end_matches('/').parse().context("it is no address")?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(anyhow!("it must begin with https:// (or http:// on this machine)"));
    };
    anyhow::ensure!(["http", "https"].contains(&scheme), "it must begin with https://");
    anyhow::ensure!(uri.path().len() < 2 && uri.query().is_none(), "it must be an address without a path");
    anyhow::ensure!(!authority.as_str().contains('@'), "it must not hold a password");
    Ok(format!("{scheme}://{authority}").to_lowercase())
}

/// Runs until `stop` resolves.
pub async fn run(
    options: Options,
    clock: Clock,
    random: Random,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let listen = options.listen;
    let representative = Representative::open(options, clock, random)?;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("{listen} can't be listened on"))?;
    representative.announce()?;
    let preparing = representative.clone();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = IssuerKeys::prepare(&preparing.key_folder(), &preparing.0.random) {
            tracing::error!(?error, "token keys can't be prepared");
        }
    });
    let talking = tokio::spawn(representative.clone().keep_talking());
    serving::serve(listener, None, representative.router(), Patience::default(), stop).await;
    talking.abort();
    Ok(())
}

impl Representative {
    /// Prints where it is, its key, and the link that signs in.
    pub fn announce(&self) -> anyhow::Result<()> {
        let options = &self.0.options;
        let link = self.make_link().map_err(|e| anyhow!("{e}"))?;
        println!("The representative’s server is at {}", options.public_url);
        println!("Fingerprint of its key: {}\n", fingerprint(&self.public_key()));
        println!("Open this address within 24 hours to sign in; it works once:\n\n  {link}\n");
        Ok(())
    }
}
