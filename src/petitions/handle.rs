//! What petitions keep in memory, shared by all handlers.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

use ed25519_dalek::SigningKey;
use sqlx::PgPool;
use uuid::Uuid;

use super::issuing::OperatorKeys;
use super::model;
use super::signing::{Intake, Slots};
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::error::Result;
use crate::ledger::files;

/// Cheap to clone.
#[derive(Clone)]
pub struct Petitions(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    random: Random,
    key: OnceLock<SigningKey>,
    representative: RwLock<Option<Arc<str>>>,
    keys: OperatorKeys,
    intake: Intake,
    slots: Slots,
    /// Of the example: whose enrolment code its pages may show, and the code.
    example: RwLock<Option<(Uuid, String)>>,
    /// The full hour that is or has been published.
    turn: AtomicI64,
}

impl Petitions {
    pub fn new(db: PgPool, config: &Config, clock: Clock, random: Random) -> Self {
        let folder = config.data_dir.join("petitions");
        let turn = model::turn(clock.now(), config.demo);
        Petitions(Arc::new(Inner {
            keys: OperatorKeys::new(folder.clone(), random.clone()),
            folder,
            random,
            key: OnceLock::new(),
            representative: RwLock::new(None),
            intake: Intake::start(db, clock),
            slots: Slots::default(),
            turn: AtomicI64::new(turn),
            example: RwLock::new(None),
        }))
    }

    /// Where the operator's keys are: `operator.pem`, and one file for each epoch's token keys.
    pub fn folder(&self) -> &std::path::Path {
        &self.0.folder
    }

    /// The key with which the operator makes promises; made at its first use.
    pub fn operator_key(&self) -> Result<&SigningKey> {
        if let Some(key) = self.0.key.get() {
            return Ok(key);
        }
        files::make_folder(&self.0.folder)?;
        let path = self.0.folder.join("operator.pem");
        let key = match files::read_key(&path)? {
            Some(key) => key,
            None => {
                let key = SigningKey::from_bytes(&self.0.random.bytes());
                files::write_key(&path, &key)?;
                key
            }
        };
        Ok(self.0.key.get_or_init(|| key))
    }

    /// Address of the representative's server, as pages may connect to it; `None` while there is none.
    pub fn representative_url(&self) -> Option<Arc<str>> {
        self.0.representative.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    pub fn set_representative_url(&self, url: Option<&str>) {
        let mut kept = self.0.representative.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        *kept = url.map(Into::into);
    }

    /// The example's enrolment code, where it is this person's: nobody hands out paper there.
    pub fn example_code(&self, person: Uuid) -> Option<String> {
        let kept = self.0.example.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.as_ref().filter(|(whose, _)| *whose == person).map(|(_, code)| code.clone())
    }

    pub fn set_example_code(&self, person: Uuid, code: String) {
        *self.0.example.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some((person, code));
    }

    /// Whether this turn is another than the last one, which it replaces.
    pub(super) fn begin_turn(&self, turn: i64) -> bool {
        self.0.turn.swap(turn, Ordering::Relaxed) != turn
    }

    pub(super) fn slots(&self) -> &Slots {
        &self.0.slots
    }

    /// The operator's token keys.
    pub(super) fn keys(&self) -> &OperatorKeys {
        &self.0.keys
    }

    pub(super) fn intake(&self) -> &Intake {
        &self.0.intake
    }
}
