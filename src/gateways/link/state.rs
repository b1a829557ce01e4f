//! What the agent keeps between runs, in files that only its user can read.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::policy::Policies;
use super::server::{Enrolled, Identity, Server};
use crate::clock::{Random, Time};
use crate::collection::report::Hash;

/// No `Debug`: it holds the key and the token.
#[derive(Serialize, Deserialize)]
pub(in crate::gateways) struct State {
    /// Where it enrolled; the token goes nowhere else.
    pub server: String,
    /// Ed25519, base64url.
    seed: String,
    pub agent_id: Uuid,
    pub device_id: Uuid,
    pub kid: String,
    pub token: String,
    /// Of the present run of the agent.
    pub boot_id: Uuid,
    /// Of the next report.
    pub seq: u64,
    pub prev_hash: Option<Hash>,
    /// ActivityWatch has been read up to here.
    pub covered_until: Option<Time>,
    /// Signed, not yet taken by the server; oldest first.
    pub queue: VecDeque<Value>,
}

impl State {
    pub fn new(server: String, key: &SigningKey, enrolled: Enrolled, boot_id: Uuid) -> Self {
        State {
            server,
            seed: URL_SAFE_NO_PAD.encode(key.to_bytes()),
            agent_id: enrolled.agent_id,
            device_id: enrolled.device_id,
            kid: enrolled.kid,
            token: enrolled.token,
            boot_id,
            seq: 0,
            prev_hash: None,
            covered_until: None,
            queue: VecDeque::new(),
        }
    }

    pub fn identity(&self) -> Identity {
        Identity { agent_id: self.agent_id, token: self.token.clone() }
    }

    pub fn key(&self) -> anyhow::Result<SigningKey> {
        let seed = URL_SAFE_NO_PAD.decode(&self.seed).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        Ok(SigningKey::from_bytes(&seed.context("the agent's state file holds no usable key")?))
    }
}

/// What the folder holds, with a chain of reports begun anew; enrols when it holds nothing.
pub(in crate::gateways) async fn load_or_enrol(
    file: &StateFile,
    server: &Server,
    secret: Option<&str>,
    software: &str,
    random: &Random,
    now: Time,
) -> anyhow::Result<State> {
    let boot_id = random.uuid(now);
    let mut state = match file.load()? {
        Some(state) => state,
        None => {
            let secret = secret.context(
                "this agent isn't enrolled: ask an administrator for an enrolment secret and give it with --secret",
            )?;
            let key = SigningKey::from_bytes(&random.bytes());
            let mut enrolled = server.enrol(secret, &key, software).await?;
            tracing::info!(agent = %enrolled.agent_id, "enrolled");
            Policies::begin(file, enrolled.policy_key.take())?;
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
    Ok(state)
}

/// The state's folder, held by one agent at a time.
pub(in crate::gateways) struct StateFile {
    path: PathBuf,
    _lock: File,
}

impl StateFile {
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let context = || format!("the agent's folder {} can't be used", folder.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(context)?;
        // One that was there before may be open to others.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).with_context(context)?;
        let lock = private(OpenOptions::new().create(true).truncate(false), &folder.join("lock"))
            .with_context(context)?;
        // Two agents with one key would contradict each other, which the server records as a finding.
        lock.try_lock()
            .map_err(|_| anyhow::anyhow!("another agent runs with the folder {}", folder.display()))?;
        Ok(StateFile { path: folder.join("agent.json"), _lock: lock })
    }

    pub fn load(&self) -> anyhow::Result<Option<State>> {
        read(&self.path)
    }

    pub fn save(&self, state: &State) -> anyhow::Result<()> {
        write(&self.path, state)
    }

    /// Another file of the folder.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.path.with_file_name(name)
    }
}

/// `None` when there is no such file.
pub(in crate::gateways) fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("{} can't be read", path.display()));
        }
    };
    // The parser's message could quote the key.
    serde_json::from_slice(&text).map(Some).map_err(|_| anyhow::Error::msg(damaged(path)))
}

pub(in crate::gateways) fn damaged(path: &Path) -> String {
    format!("{} is damaged: remove the agent's folder and enrol again", path.display())
}

/// All or nothing, also when the power fails.
pub(in crate::gateways) fn write(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        let new = path.with_extension("new");
        let mut file = private(OpenOptions::new().create(true).truncate(true), &new)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        Ok(())
    };
    write().with_context(|| format!("{} can't be written", path.display()))
}

fn private(options: &mut OpenOptions, path: &Path) -> std::io::Result<File> {
    options.write(true).mode(0o600).open(path)
}
