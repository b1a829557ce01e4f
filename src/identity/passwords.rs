//! Argon2id with OWASP's parameters (19 MiB, two passes), two at a time, off the async threads.
//!
//! Whoever wants a password judged takes a [`Place`] in the queue first. A queue without an end would keep
//! everybody waiting for minutes; a full one says so at once.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Random;
use crate::error::{Error, Result};

/// Hashes computed at once: one is 19 MiB and some 20 ms of a core, and a flood of sign-ins must not take
/// the machine.
const AT_ONCE: usize = 2;
/// How many may wait behind them.
const WAITING: usize = 32;

#[derive(Clone)]
pub struct Passwords {
    random: Random,
    permits: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// Verified against when there is no account, so that it takes the same time.
    decoy: Arc<str>,
}

/// A place in the queue, given back when dropped.
pub struct Place(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

fn argon2() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).expect("OWASP's parameters are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

impl Passwords {
    pub fn new(random: Random) -> Self {
        let decoy = argon2()
            .hash_password_with_salt(&random.bytes::<32>(), &random.bytes::<16>())
            .expect("hashing 32 bytes with a 16-byte salt can't fail");
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Passwords {
            random,
            permits: semaphore(AT_ONCE),
            queue: semaphore(AT_ONCE + WAITING),
            decoy: decoy.to_string().into(),
        }
    }

    /// Refused at once when the queue is full.
    pub fn place(&self) -> Result<Place> {
        self.queue.clone().try_acquire_owned().map(Place).map_err(|_| {
            let text = "Many people are signing in just now. Please try again in a few seconds.";
            Error::Rejected(StatusCode::SERVICE_UNAVAILABLE, text.into())
        })
    }

    pub async fn hash(&self, password: &str) -> Result<String> {
        let _place = self.place()?;
        let (password, salt) = (password.to_owned(), self.random.bytes::<16>());
        self.run(move || {
            let hash = argon2().hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|h| h.to_string()).map_err(|e| anyhow::anyhow!("argon2: {e}"))
        })
        .await?
        .map_err(Error::Internal)
    }

    /// Whether `password` matches `hash`; without a hash it takes as long and is false.
    pub async fn verify(&self, _place: Place, password: &str, hash: Option<&str>) -> Result<bool> {
        let known = hash.is_some();
        let (password, hash) = (password.to_owned(), hash.unwrap_or(&self.decoy).to_owned());
        let matches =
            self.run(move || argon2().verify_password(password.as_bytes(), hash.as_str()).is_ok()).await?;
        Ok(known && matches)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _permit = self.permits.acquire().await.map_err(anyhow::Error::new)?;
        Ok(tokio::task::spawn_blocking(work).await.map_err(anyhow::Error::new)?)
    }
}
