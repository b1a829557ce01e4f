//! `daylight witness`: a witness that anybody can run (C2SP tlog-witness).
//!
//! It cosigns a checkpoint only when the log's key has signed it and a proof shows that it continues what
//! this witness cosigned last. It needs no database: its key and one small file a log stand in a folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, bail};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ed25519_dalek::SigningKey;

use super::files;
use super::proof::checkpoint::Checkpoint;
use super::proof::note::{Check, Key, Kind, Note, cosign};
use super::proof::tree::{Hash, empty_root, is_consistent};
use crate::clock::{Clock, Random};

/// Hashes of a consistency proof at most, as the specification has it.
const MAX_PROOF: usize = 63;
const MAX_BODY: usize = 64 * 1024;

pub struct WitnessOptions {
    /// The name in its key; an address without a scheme, by convention.
    pub name: String,
    /// Keys of the logs it watches.
    pub logs: Vec<Key>,
    pub folder: PathBuf,
    pub listen: SocketAddr,
}

/// One log as this witness saw it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    size: u64,
    root: Hash,
}

pub struct Witness {
    name: String,
    key: SigningKey,
    logs: Vec<Key>,
    folder: PathBuf,
    clock: Clock,
    /// By origin. Held while a checkpoint is compared and written down: two requests can't overtake each other.
    seen: Mutex<BTreeMap<String, Seen>>,
    _lock: File,
}

impl Witness {
    /// Opens the folder; makes the key at the first start.
    pub fn open(options: &WitnessOptions, clock: Clock, random: &Random) -> anyhow::Result<Self> {
        Self::start(options, clock, || open_key(&options.folder.join("witness.pem"), random))
    }

    /// Opens the folder for a key that is kept elsewhere.
    pub fn with_key(options: &WitnessOptions, clock: Clock, key: SigningKey) -> anyhow::Result<Self> {
        Self::start(options, clock, || Ok(key))
    }

    fn start(
        options: &WitnessOptions,
        clock: Clock,
        key: impl FnOnce() -> anyhow::Result<SigningKey>,
    ) -> anyhow::Result<Self> {
        files::make_folder(&options.folder)?;
        let lock = File::create(options.folder.join("lock"))?;
        lock.try_lock().map_err(|_| anyhow::anyhow!("another witness uses {}", options.folder.display()))?;
        let key = key()?;
        Key::new(&options.name, Kind::Cosignature, key.verifying_key())?;
        if options.logs.is_empty() || options.logs.iter().any(|log| log.kind != Kind::Ed25519) {
            bail!("name at least one log by its key, as its policy.txt has it (--log)");
        }
        let mut seen = BTreeMap::new();
        for log in &options.logs {
            if let Some(last) = read_seen(&options.folder, &log.name)? {
                seen.insert(log.name.clone(), last);
            }
        }
        Ok(Witness {
            name: options.name.clone(),
            key,
            logs: options.logs.clone(),
            folder: options.folder.clone(),
            clock,
            seen: Mutex::new(seen),
            _lock: lock,
        })
    }

    /// What others verify its cosignatures with.
    pub fn verifier_key(&self) -> Key {
        Key { name: self.name.clone(), kind: Kind::Cosignature, public: self.key.verifying_key() }
    }

    /// Answers an `add-checkpoint` request.
    fn add_checkpoint(&self, body: &str) -> anyhow::Result<String, Refused> {
        let request = Request::parse(body).ok_or(Refused::Status(StatusCode::BAD_REQUEST))?;
        let origin = &request.checkpoint.origin;
        let mut keys = self.logs.iter().filter(|key| key.name == *origin).peekable();
        if keys.peek().is_none() {
            return Err(Refused::Status(StatusCode::NOT_FOUND));
        }
        if !keys.any(|key| matches!(key.check(&request.note), Check::Valid(_))) {
            return Err(Refused::Status(StatusCode::FORBIDDEN));
        }
        let Checkpoint { size, root, .. } = request.checkpoint;
        if request.old > size {
            return Err(Refused::Status(StatusCode::BAD_REQUEST));
        }
        let mut seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let last = seen.get(origin).copied().unwrap_or(Seen { size: 0, root: empty_root() });
        if request.old != last.size || (last.size == size && last.root != root) {
            return Err(Refused::Size(last.size));
        }
        if !is_consistent(last.size, last.root, size, root, &request.proof) {
            return Err(Refused::Status(StatusCode::UNPROCESSABLE_ENTITY));
        }
        let now = Seen { size, root };
        write_seen(&self.folder, origin, now).map_err(|error| {
            tracing::error!(?error, "a checkpoint can't be written down, so it isn't cosigned");
            Refused::Status(StatusCode::INTERNAL_SERVER_ERROR)
        })?;
        seen.insert(origin.clone(), now);
        tracing::info!(origin, size, "cosigned");
        let time = u64::try_from(self.clock.now().jiff().as_second()).unwrap_or(0);
        Ok(cosign(&self.name, &self.key, &request.note.text, time).to_string())
    }

    /// The answer to an `add-checkpoint` request, for a service that is more than a witness.
    pub fn answer(&self, body: &str) -> Response {
        match self.add_checkpoint(body) {
            Ok(line) => line.into_response(),
            Err(Refused::Status(status)) => status.into_response(),
            Err(Refused::Size(size)) => {
                let kind = [(header::CONTENT_TYPE, "text/x.tlog.size")];
                (StatusCode::CONFLICT, kind, format!("{size}\n")).into_response()
            }
        }
    }

    /// Entries of this log that were cosigned last.
    pub fn size_of(&self, origin: &str) -> u64 {
        let seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        seen.get(origin).map_or(0, |s| s.size)
    }

    /// The witness as a service of its own.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/", get(show))
            .route("/add-checkpoint", post(add_checkpoint))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(self)
    }
}

enum Refused {
    Status(StatusCode),
    /// 409 with the size that was cosigned last.
    Size(u64),
}

struct Request {
    old: u64,
    proof: Vec<Hash>,
    note: Note,
    checkpoint: Checkpoint,
}

impl Request {
    fn parse(body: &str) -> Option<Self> {
        let (head, note) = body.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = lines.next()?.strip_prefix("old ")?;
        let plain = old.bytes().all(|b| b.is_ascii_digit()) && (old == "0" || !old.starts_with('0'));
        let old = if plain { old.parse().ok()? } else { return None };
        let proof = lines.map(Hash::from_base64).collect::<Result<Vec<_>, _>>().ok()?;
        let note: Note = note.parse().ok()?;
        let checkpoint = note.text.parse().ok()?;
        (proof.len() <= MAX_PROOF).then_some(Request { old, proof, note, checkpoint })
    }
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: String) -> Response {
    witness.answer(&body)
}

/// What it is and what it has seen, for people.
async fn show(State(witness): State<Arc<Witness>>) -> String {
    let mut text =
        format!("A witness of transparency logs (C2SP tlog-witness)\n\n{}\n", witness.verifier_key());
    let seen = witness.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    for log in &witness.logs {
        let size = seen.get(&log.name).map_or(0, |s| s.size);
        text.push_str(&format!("\n{}: {size} entries cosigned\n", log.name));
    }
    text
}

fn open_key(path: &Path, random: &Random) -> anyhow::Result<SigningKey> {
    if let Some(key) = files::read_key(path)? {
        return Ok(key);
    }
    let key = SigningKey::from_bytes(&random.bytes());
    files::write_key(path, &key)?;
    Ok(key)
}

/// One file a log: an origin may hold slashes, so its hash names the file.
fn seen_path(folder: &Path, origin: &str) -> PathBuf {
    folder.join(format!("log-{}", Hash::of(origin.as_bytes())))
}

fn read_seen(folder: &Path, origin: &str) -> anyhow::Result<Option<Seen>> {
    let path = seen_path(folder, origin);
    let Some(text) = files::read(&path)? else { return Ok(None) };
    let last: Checkpoint =
        text.parse().map_err(|e| anyhow::anyhow!("{} can't be read: {e}", path.display()))?;
    Ok(Some(Seen { size: last.size, root: last.root }))
}

fn write_seen(folder: &Path, origin: &str, seen: Seen) -> anyhow::Result<()> {
    let checkpoint = Checkpoint { origin: origin.into(), size: seen.size, root: seen.root };
    files::write(&seen_path(folder, origin), &checkpoint.to_string())
}

/// Runs until `stop` resolves.
pub async fn run(
    options: WitnessOptions,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let witness = Arc::new(Witness::open(&options, Clock::system(), &Random::system())?);
    let listener = tokio::net::TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("{} can't be listened on", options.listen))?;
    println!(
        "Witness at http://{}\n\nIts key, for the log's WITNESSES_FILE:\n\n  witness {} {} http://{}\n",
        options.listen,
        options.name,
        witness.verifier_key(),
        options.listen
    );
    axum::serve(listener, witness.router()).with_graceful_shutdown(stop).await.context("serving failed")
}
